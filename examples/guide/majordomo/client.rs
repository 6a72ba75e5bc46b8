//! The client's side.

use std::time::Duration;

use purezmq::{DealerSocket, Frame, Message, Requester};

use super::{Error, ServiceMessage};

/// Asks services, from any number of tasks. Cheap to clone.
///
/// A `Requester` does the work: it asks again what is not answered in time, by the same connection or the next one, and
/// knows its answers by their numbers, which the broker sends back as a part of the client's address.
#[derive(Clone, Debug)]
pub struct Client(Requester);

impl Client {
    /// Makes one that waits so long for an answer, and tries so often.
    ///
    /// # Errors
    ///
    /// This is no endpoint, or there is no tokio runtime.
    pub fn connect(broker: &str, timeout: Duration, tries: u32) -> Result<Self, Error> {
        let builder = Requester::builder().timeout(timeout);
        let builder = builder.retries(tries.saturating_sub(1));
        let requester = builder.build(DealerSocket::new())?;
        requester.connect(broker)?;
        Ok(Client(requester))
    }

    /// Asks a service. Dropped, the answer is not waited for.
    ///
    /// # Errors
    ///
    /// There was no answer in time, all tries taken together; or it is not by the protocol.
    pub async fn request(
        &self,
        service: impl Into<Frame>,
        body: impl Into<Message>,
    ) -> Result<Message, Error> {
        let (service, body) = (service.into(), body.into());
        let request = Message::from(ServiceMessage { service, body });
        let answer = ServiceMessage::parse(self.0.request(request).await?);
        Ok(answer.ok_or("the broker does not speak MDP/0.1")?.body)
    }
}
