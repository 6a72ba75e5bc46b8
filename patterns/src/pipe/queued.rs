//! A batch that waits in a queue.

use tokio::time::Instant;
use zmtp::Batch;

/// Payloads of at least this many bytes are not copied into a batch but join it by reference: from here on, a
/// piece more to write costs the system less than the copy costs us.
pub(crate) const BY_REFERENCE: usize = 4096;

/// A closed batch in a queue.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) batch: Batch,
    /// From when on nobody wants it.
    pub(super) expires: Option<Instant>,
}

impl From<Batch> for Queued {
    fn from(batch: Batch) -> Self {
        Queued {
            batch,
            expires: None,
        }
    }
}
