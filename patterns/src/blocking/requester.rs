//! A [`Requester`](crate::Requester) whose requests block.

use std::fmt;
use std::time::Duration;

use zmtp::Message;

use super::{Socket, wait};
use crate::context::Flush;
use crate::core::IntoSent;
use crate::requester::{
    self, Asks, RequestError, RequesterBuilder, RequesterError, RequesterReport,
};
use crate::sockets::Dealer;

/// A [`Requester`](crate::Requester) whose requests block: threads ask by one socket, each gets its own answer. Cheap to
/// clone. Endpoints, options and counters are those of the [async one](Self::inner).
///
/// ```
/// use std::thread;
/// use std::time::Duration;
///
/// use purezmq::blocking::{DealerSocket, RepSocket, Requester};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut server = RepSocket::new();
/// let endpoint = server.bind("tcp://127.0.0.1:*")?;
/// let requester = Requester::new(DealerSocket::new())?;
/// requester.inner().connect(&endpoint)?;
///
/// let asking = requester.clone();
/// let first = thread::spawn(move || asking.request("first"));
/// let second = thread::spawn(move || requester.request_within("second", Duration::from_secs(10)));
/// for _ in 0..2 {
///     let question = server.recv()?;
///     server.send(question)?;
/// }
/// assert_eq!(first.join().unwrap()?, "first");
/// assert_eq!(second.join().unwrap()?, "second");
/// # Ok(())
/// # }
/// ```
pub struct Requester<P: Asks = Dealer>(requester::Requester<P>, Flush);

impl<P: Asks> fmt::Debug for Requester<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<P: Asks> Clone for Requester<P> {
    fn clone(&self) -> Self {
        Requester(self.0.clone(), self.1.clone())
    }
}

impl<P: Asks> Requester<P> {
    /// Makes one of a socket, which may be bound or connected already, with the default options.
    ///
    /// # Errors
    ///
    /// As [`RequesterBuilder::build`].
    pub fn new(socket: Socket<P>) -> Result<Self, RequesterError> {
        Self::with_options(requester::Requester::builder(), socket)
    }

    /// Makes one with options of its own.
    ///
    /// # Errors
    ///
    /// As [`RequesterBuilder::build`].
    pub fn with_options(
        options: RequesterBuilder,
        socket: Socket<P>,
    ) -> Result<Self, RequesterError> {
        let socket = socket.into_inner();
        let flush = Flush::of(socket.context_of());
        Ok(Requester(options.build(socket)?, flush))
    }

    /// Asks, and returns the answer.
    ///
    /// # Errors
    ///
    /// As [`Requester::request`](crate::Requester::request).
    pub fn request(&self, message: impl IntoSent<Message>) -> Result<Message, RequestError> {
        wait(self.0.request(message))
    }

    /// Asks with a time of its own for each try, and returns the answer. Retries are the requester's.
    ///
    /// # Errors
    ///
    /// As [`Requester::request`](crate::Requester::request).
    pub fn request_within(
        &self,
        message: impl IntoSent<Message>,
        timeout: Duration,
    ) -> Result<Message, RequestError> {
        wait(self.0.request(message).timeout(timeout))
    }

    /// Returns the async requester, which shares everything with this one: [`wait`](super::wait()) waits for its futures.
    pub fn inner(&self) -> &requester::Requester<P> {
        &self.0
    }

    /// Drains: [`Requester::drain`](crate::Requester::drain).
    pub fn drain(&self, limit: Duration) -> RequesterReport {
        wait(self.0.drain(limit))
    }

    /// Closes, for all handles: [`Requester::close`](crate::Requester::close).
    pub fn close(&self) -> RequesterReport {
        wait(self.0.close())
    }
}
