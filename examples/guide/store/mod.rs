//! What titanic keeps, and where: a store is one trait of five calls.

mod redb;

use std::future::Future;

use purezmq::Message;
use uuid::Uuid;

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

/// Keeps records by id. What a call has done stays done, whatever happens to this process once the call has returned.
pub trait Store: Send + Sync + 'static {
    /// Keeps a request under an id of its own.
    ///
    /// # Errors
    ///
    /// It could not be written. It may be kept all the same.
    fn put(&self, id: Uuid, request: Message) -> impl Future<Output = Result<(), Error>> + Send;

    /// Keeps its answer, unless the request has been removed.
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
