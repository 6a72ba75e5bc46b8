//! What this process holds now: memory, tasks, file descriptors. Linux only, since it reads `/proc`.

use std::{fs, io};

use tokio::runtime::Handle;

/// A snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Holdings {
    /// Resident memory in KiB.
    pub rss_kib: u64,
    /// Tasks of the tokio runtime that this was made in.
    pub tasks: usize,
    /// Open file descriptors.
    pub descriptors: usize,
}

impl Holdings {
    /// Takes a snapshot; to be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// There is no `/proc`.
    pub fn now() -> io::Result<Self> {
        Ok(Holdings {
            rss_kib: rss_kib()?,
            tasks: Handle::current().metrics().num_alive_tasks(),
            // One of them is that of the folder itself.
            descriptors: fs::read_dir("/proc/self/fd")?.count() - 1,
        })
    }

    /// Whether neither tasks nor descriptors are more than they were.
    pub fn is_back_at(&self, before: &Holdings) -> bool {
        self.tasks <= before.tasks && self.descriptors <= before.descriptors
    }
}

/// Resident memory of this process in KiB.
///
/// # Errors
///
/// There is no `/proc`.
pub fn rss_kib() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .ok_or_else(|| io::Error::other("/proc/self/status has no VmRSS"))
}
