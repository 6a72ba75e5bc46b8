//! What authenticators that read files have in common: a thread that may block, and whether a file is another one.

use std::fs;
use std::io;
use std::time::{Duration, SystemTime};

use zmtp::mechanism::Refusal;

use crate::logs;

/// Looks into the file system, on a thread that may block. If that cannot be done, clients may come again.
pub(super) async fn look<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => {
            tracing::warn!(target: logs::SECURITY, %error, "cannot read the file or directory of an authenticator");
            Err(Refusal::Temporary)
        }
        Err(_) => Err(Refusal::Internal),
    }
}

/// What tells a file that has been changed, or another one that has taken its place: that may have its length, and the time
/// at which it was written, as images, packages and `cp -p` keep those.
#[derive(Debug)]
pub(super) struct Stamp {
    changed: Option<SystemTime>,
    len: u64,
    entry: Option<Entry>,
    taken: SystemTime,
}

/// What the system knows of a file, and nobody sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    device: u64,
    number: u64,
    changed: SystemTime,
}

/// A file system's clock may be as coarse as this.
const COARSE: Duration = Duration::from_secs(2);

impl Stamp {
    /// Makes the stamp of a file, before it is read.
    pub(super) fn of(metadata: &fs::Metadata) -> Self {
        Stamp {
            changed: metadata.modified().ok(),
            len: metadata.len(),
            entry: entry(metadata),
            taken: SystemTime::now(),
        }
    }

    /// Returns whether a file that has been read is surely the same. One that was changed just before may have been changed
    /// again without that being seen; and where the system does not tell of entries, nothing is sure.
    pub(super) fn still_is(&self, now: &Stamp) -> bool {
        let is_old = |at: SystemTime| {
            let age = self.taken.duration_since(at);
            age.is_ok_and(|age| age > COARSE)
        };
        self.changed.is_some_and(is_old)
            && self.entry.is_some_and(|entry| is_old(entry.changed))
            && self.changed == now.changed
            && self.len == now.len
            && self.entry == now.entry
    }
}

#[cfg(unix)]
fn entry(metadata: &fs::Metadata) -> Option<Entry> {
    use std::os::unix::fs::MetadataExt;
    let seconds = Duration::from_secs(u64::try_from(metadata.ctime()).ok()?);
    let nanoseconds = Duration::from_nanos(u64::try_from(metadata.ctime_nsec()).ok()?);
    Some(Entry {
        device: metadata.dev(),
        number: metadata.ino(),
        changed: SystemTime::UNIX_EPOCH.checked_add(seconds + nanoseconds)?,
    })
}

#[cfg(not(unix))]
fn entry(_: &fs::Metadata) -> Option<Entry> {
    None
}
