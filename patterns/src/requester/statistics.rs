//! What a requester has done.

/// Counts requests and answers, of all handles of one requester since it was made.
///
/// Every request that was begun is in one of the first six: waiting, under way, answered, timed out, cancelled or failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequesterStatistics {
    /// Requests that wait for a place, because as many are under way as may be.
    pub waiting: usize,
    /// Requests that are sent and not answered, or wait for a peer that has room.
    pub under_way: usize,
    /// Requests whose answer has come.
    pub answered: u64,
    /// Requests that had none in time, after all their tries.
    pub timed_out: u64,
    /// Requests whose futures were dropped before any of that.
    pub cancelled: u64,
    /// Requests that have no answer for another reason.
    pub failed: u64,
    /// Requests that were sent once more.
    pub repeated: u64,
    /// Answers that were dropped because their requests were no longer under way: timed out, cancelled, or
    /// answered; also of a request whose future was dropped before it took its answer.
    pub late: u64,
    /// Messages that were dropped because they answer nothing: without a number, or with one that no request has had, or
    /// from a peer that was not asked.
    pub unasked: u64,
}
