//! A requester as a [`tower`](https://docs.rs/tower) service: what tower's layers and balancers call.

use std::sync::Arc;
use std::task::{Context, Poll};

use tower_service::Service;
use zmtp::Message;

use super::Requester;
use super::asks::Asks;
use super::error::RequestError;
use super::owner::Handle;
use super::request::Request;
use super::requests::Number;

/// A place for a request that is yet to come. Dropped, it is given back.
pub(super) struct Place<P: Asks> {
    handle: Arc<Handle<P>>,
    /// Nothing once a request has it.
    number: Option<Number>,
}

impl<P: Asks> Drop for Place<P> {
    fn drop(&mut self) {
        if let Some(number) = self.number.take() {
            self.handle.shared.with(|state| state.give_back(number));
        }
    }
}

/// Asks. Ready means that the next call has one of the requester's places, which it keeps until it is called, or dropped:
/// so whoever sheds load, or balances it, hears that there is none. A call without it waits for one, as
/// [`request`](Requester::request) does.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{DealerSocket, Message, RepSocket, Requester};
/// use tower_service::Service;
///
/// let mut server = RepSocket::new();
/// let endpoint = server.bind("tcp://127.0.0.1:*").await?;
/// let mut requester = Requester::new(DealerSocket::new())?;
/// requester.connect(&endpoint)?;
///
/// std::future::poll_fn(|cx| requester.poll_ready(cx)).await?;
/// let answer = tokio::spawn(requester.call(Message::from("question")));
/// assert_eq!(server.recv().await?, "question");
/// server.send("answer").await?;
/// assert_eq!(answer.await??, "answer");
/// # Ok(())
/// # }
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
impl<P: Asks> Service<Message> for Requester<P> {
    type Response = Message;
    type Error = RequestError;
    type Future = Request<P>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), RequestError>> {
        let shared = &self.handle.shared;
        let number = match self.place.as_ref().and_then(|place| place.number) {
            Some(number) => number,
            None => {
                let number = match shared.with(|state| state.reserve(cx.waker())) {
                    Ok(number) => number,
                    Err(error) => return Poll::Ready(Err(error)),
                };
                self.place = Some(Place {
                    handle: self.handle.clone(),
                    number: Some(number),
                });
                number
            }
        };
        let polled = shared.with(|state| state.requests.poll_place(number, cx.waker()));
        if let Poll::Ready(Err(_)) = polled {
            self.place = None;
        }
        polled
    }

    fn call(&mut self, message: Message) -> Request<P> {
        let place = self.place.take().and_then(|mut place| place.number.take());
        match place {
            Some(number) => Request::placed(self.handle.clone(), number, message),
            None => Request::new(self.handle.clone(), message),
        }
    }
}
