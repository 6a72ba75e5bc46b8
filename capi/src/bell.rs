//! [`Bell`]: what whoever waits is told by, a futex or a descriptor, and [`Watch`]: who is rung when something happens to a
//! socket.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering, fence};
use std::task::{Wake, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::io::Errno as Failed;
use rustix::thread::futex;
use rustix::time::Timespec;

use crate::errno::{Errno, Result};

const A_YEAR: Duration = Duration::from_secs(31_536_000);

const SILENT: u32 = 0;
const RUNG: u32 = 1;
/// Silent, and a thread sleeps on it, or is about to. Of those with a descriptor, nobody knows.
const SLEPT_ON: u32 = 2;

/// What whoever waits is told by.
#[derive(Debug)]
pub(crate) struct Bell {
    /// Whether it was rung since it was last silenced. With a descriptor: that is readable then, or about to be.
    rung: AtomicU32,
    /// An eventfd, for whoever waits for other descriptors as well, and for a program that waits for `ZMQ_FD`. Without one a
    /// thread sleeps on `rung` itself, which is one system call where a descriptor takes two.
    fd: Option<OwnedFd>,
}

impl Bell {
    /// Makes one that a thread sleeps on which waits for nothing else.
    pub(crate) fn of_thread() -> Arc<Self> {
        Arc::new(Bell {
            rung: AtomicU32::new(SILENT),
            fd: None,
        })
    }

    /// Makes one with a descriptor.
    pub(crate) fn new() -> Result<Arc<Self>> {
        // SAFETY: it takes no memory.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(Errno::last());
        }
        Ok(Arc::new(Bell {
            rung: AtomicU32::new(SILENT),
            // SAFETY: the descriptor is new, and nobody else's.
            fd: Some(unsafe { OwnedFd::from_raw_fd(fd) }),
        }))
    }

    /// Returns its descriptor: -1, of which the system makes nothing, if it has none.
    pub(crate) fn fd(&self) -> i32 {
        self.fd.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    /// Tells whoever waits. Any number of calls before it is silenced are one system call.
    pub(crate) fn ring(&self) {
        if self.is_first() {
            self.tell();
        }
    }

    /// Notes that it is rung. `true`: whoever waits is to be told. A thread that does not sleep yet sees it before it does.
    fn is_first(&self) -> bool {
        let before = self.rung.swap(RUNG, Ordering::AcqRel);
        match self.fd {
            None => before == SLEPT_ON,
            Some(_) => before == SILENT,
        }
    }

    fn tell(&self) {
        if self.fd.is_none() {
            let _ = futex::wake(&self.rung, futex::Flags::PRIVATE, 1);
            return;
        }
        let one = 1u64.to_ne_bytes();
        // SAFETY: so many bytes can be read there. The descriptor is open as long as `self` is there.
        unsafe { libc::write(self.fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Returns whether it was not rung since it was last silenced.
    pub(crate) fn is_silent(&self) -> bool {
        self.rung.load(Ordering::Acquire) == SILENT
    }

    /// Silences it. What happened before it was rung is to be looked at after this.
    pub(crate) fn silence(&self) {
        if self.is_silent() {
            return;
        }
        if self.fd.is_none() {
            self.rung.swap(SILENT, Ordering::AcqRel);
            return;
        }
        let mut count = [0u8; 8];
        // SAFETY: so many bytes can be written there. The descriptor does not block.
        let read = unsafe { libc::read(self.fd(), count.as_mut_ptr().cast(), count.len()) };
        // Otherwise whoever rings has not written yet: the next call finds it.
        if read == 8 {
            self.rung.swap(SILENT, Ordering::AcqRel);
        }
    }

    /// Returns whether it was one, and is the other now.
    fn turns(&self, from: u32, to: u32) -> bool {
        let turned = self
            .rung
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
        turned.is_ok()
    }

    /// Sleeps, on one without a descriptor, until it has been rung, the time is over, if there is a limit, or, with EINTR, a
    /// signal was handled. It may end for nothing.
    pub(crate) fn sleep(&self, left: Option<Duration>) -> Result<()> {
        debug_assert!(self.fd.is_none(), "who rings would not wake it");
        if cfg!(miri) {
            // It knows no signals: whoever waits asks again and again.
            std::thread::yield_now();
            return Ok(());
        }
        if !self.turns(SILENT, SLEPT_ON) {
            return Ok(());
        }
        // A sleep without a limit goes on after a signal, if its handler says so; one with a limit never does, nor poll(2).
        let left = left.unwrap_or(A_YEAR).min(A_YEAR);
        let left = Timespec::try_from(left).map_err(|_| Errno(libc::EINVAL))?;
        let slept = futex::wait(&self.rung, futex::Flags::PRIVATE, SLEPT_ON, Some(&left));
        // Unless it was rung, which stays so.
        self.turns(SLEPT_ON, SILENT);
        match slept {
            Err(Failed::INTR) => Err(Errno(libc::EINTR)),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

/// The bells that ring when something happens to a socket: of threads that wait, and that of `ZMQ_FD`.
#[derive(Default)]
pub(crate) struct Watch {
    bells: Mutex<Vec<Arc<Bell>>>,
    count: AtomicUsize,
}

impl Watch {
    /// Adds a bell until the guard is dropped. What happened before that is to be looked at afterwards.
    pub(crate) fn hear<'a>(&'a self, bell: &'a Arc<Bell>) -> Hearing<'a> {
        self.add(bell.clone());
        Hearing { watch: self, bell }
    }

    /// Adds a bell.
    pub(crate) fn add(&self, bell: Arc<Bell>) {
        let mut bells = self.bells.lock();
        bells.push(bell);
        self.count.store(bells.len(), Ordering::Relaxed);
        drop(bells);
        // Either whoever looks at the count from here on sees it, or we see what has happened before.
        fence(Ordering::SeqCst);
    }

    /// Takes it away again.
    pub(crate) fn remove(&self, bell: &Arc<Bell>) {
        let mut bells = self.bells.lock();
        if let Some(at) = bells.iter().position(|one| Arc::ptr_eq(one, bell)) {
            bells.swap_remove(at);
        }
        self.count.store(bells.len(), Ordering::Relaxed);
    }

    /// Keeps the list of bells locked until the guard is dropped.
    #[cfg(test)]
    pub(crate) fn occupy(&self) -> impl Sized {
        self.bells.lock()
    }

    pub(crate) fn ring(&self) {
        fence(Ordering::SeqCst);
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let bells = self.bells.lock();
        let mut silent = bells.iter().filter(|bell| bell.is_first());
        let first = silent.next().cloned();
        let others: Vec<_> = silent.cloned().collect();
        // Without the lock: on the same processor, whoever is told may go on at once, and takes its bell away.
        drop(bells);
        for bell in first.iter().chain(&others) {
            bell.tell();
        }
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(self.clone())
    }
}

impl Wake for Watch {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

/// A bell that rings until this is dropped.
pub(crate) struct Hearing<'a> {
    watch: &'a Watch,
    bell: &'a Arc<Bell>,
}

impl Drop for Hearing<'_> {
    fn drop(&mut self) {
        self.watch.remove(self.bell);
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn who_is_rung_finds_the_list_of_bells_free() {
        let watch = Watch::default();
        let bell = Bell::new().unwrap();
        watch.add(bell.clone());
        // It is told by a write that does not end: as full as it can be, and blocking.
        let full = (u64::MAX - 1).to_ne_bytes();
        // SAFETY: so many bytes can be read there, and the descriptor is open.
        unsafe {
            assert_eq!(libc::fcntl(bell.fd(), libc::F_SETFL, 0), 0);
            assert_eq!(libc::write(bell.fd(), full.as_ptr().cast(), 8), 8);
        }
        std::thread::scope(|scope| {
            scope.spawn(|| watch.ring());
            while bell.rung.load(Ordering::Acquire) == SILENT {
                std::thread::yield_now();
            }
            let is_free = watch.bells.try_lock_for(SOON).is_some();
            bell.silence();
            assert!(is_free, "whoever is woken would have to wait for the lock");
        });
    }
}
