//! What titanic keeps, and where: a store is one trait of five calls.

#[cfg(feature = "nats")]
mod nats;
mod redb;

use std::future::Future;

use purezmq::{Frame, Message};
use uuid::Uuid;

#[cfg(feature = "nats")]
pub use self::nats::NatsStore;
pub use self::redb::RedbStore;
use crate::majordomo::Error;

/// What is kept of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The service's name, and what it is asked.
    pub request: Message,
    /// Its answer, once there is one.
    pub answer: Option<Message>,
}

/// The frames of a request, and of its answer, as stores keep them: an answer that there is has one at least.
type Frames<'a> = (Vec<&'a [u8]>, Vec<&'a [u8]>);

fn frames<'a>(request: &'a Message, answer: Option<&'a Message>) -> Frames<'a> {
    let answer = answer.into_iter().flatten();
    (request.iter().collect(), answer.collect())
}

impl Record {
    fn of((request, answer): Frames<'_>) -> Self {
        let message = |frames: Vec<&[u8]>| frames.into_iter().map(Frame::from).collect();
        let has_answer = !answer.is_empty();
        Record {
            request: message(request),
            answer: has_answer.then(|| message(answer)),
        }
    }
}

/// Keeps records by id. What a call has done stays done, whatever happens to this process once the call has returned.
pub trait Store: Send + Sync + 'static {
    /// Keeps a request under an id of its own.
    ///
    /// # Errors
    ///
    /// It could not be written. It may be kept all the same.
    fn put(&self, id: Uuid, request: Message) -> impl Future<Output = Result<(), Error>> + Send;

    /// Keeps its answer, of one frame at least, unless the request has been removed.
    ///
    /// # Errors
    ///
    /// It could not be written. It may be kept all the same.
    fn put_answer(
        &self,
        id: Uuid,
        answer: Message,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Returns the record of this id, if there is one.
    ///
    /// # Errors
    ///
    /// It could not be read.
    fn get(&self, id: Uuid) -> impl Future<Output = Result<Option<Record>, Error>> + Send;

    /// Forgets the record of this id, if there is one.
    ///
    /// # Errors
    ///
    /// It could not be written. It may be forgotten all the same.
    fn remove(&self, id: Uuid) -> impl Future<Output = Result<(), Error>> + Send;

    /// Returns the ids of all records, in no order.
    ///
    /// # Errors
    ///
    /// They could not be read.
    fn ids(&self) -> impl Future<Output = Result<Vec<Uuid>, Error>> + Send;
}
