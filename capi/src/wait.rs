//! Waiting: a thread sleeps on a [`Bell`], or in poll(2) for descriptors as well, until it is rung, a limit is over, or a
//! signal comes.

use std::cell::Cell;
use std::ffi::{c_int, c_long};
use std::os::fd::AsRawFd;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use purezmq::socket::LentStream;

use crate::bell::{Bell, Watch};
use crate::errno::{EAGAIN, EINTR, Errno, Result, fail};
use crate::process;

/// Until when a call waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// It does not.
    Now,
    At(Instant),
    Never,
}

impl Limit {
    /// Reads milliseconds as libzmq has them: negative ones are no limit.
    pub(crate) fn millis(millis: c_long) -> Self {
        match u64::try_from(millis) {
            Err(_) => Limit::Never,
            Ok(0) => Limit::Now,
            Ok(millis) => match Instant::now().checked_add(Duration::from_millis(millis)) {
                Some(at) => Limit::At(at),
                None => Limit::Never,
            },
        }
    }

    pub(crate) fn is_over(self) -> bool {
        match self {
            Limit::Now => true,
            Limit::At(at) => Instant::now() >= at,
            Limit::Never => false,
        }
    }

    /// Returns the time that is left. `None`: any.
    pub(crate) fn left(self) -> Option<Duration> {
        match self {
            Limit::Now => Some(Duration::ZERO),
            Limit::At(at) => Some(at.saturating_duration_since(Instant::now())),
            Limit::Never => None,
        }
    }
}

/// Sleeps until a descriptor has what is asked of it, or the limit is over. Returns how many have. With `mask`, those
/// signals are blocked meanwhile.
pub(crate) fn sleep(
    fds: &mut [libc::pollfd],
    limit: Limit,
    mask: Option<&libc::sigset_t>,
) -> Result<c_int> {
    if cfg!(miri) {
        // It knows no poll(2): whoever waits asks again and again.
        std::thread::yield_now();
        return Ok(0);
    }
    let left = limit.left().map(|left| libc::timespec {
        tv_sec: left.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: c_long::from(left.subsec_nanos().cast_signed()),
    });
    let left = left
        .as_ref()
        .map_or(std::ptr::null(), |left| left as *const _);
    let mask = mask.map_or(std::ptr::null(), |mask| mask as *const _);
    // SAFETY: `fds` is lent for the call, with its own length; both other pointers are NULL or to values that outlive it.
    let ready = unsafe { libc::ppoll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, left, mask) };
    match ready {
        0.. => Ok(ready),
        _ => Err(Errno::last()),
    }
}

thread_local! {
    /// This thread's bells, while nobody uses them: one that it sleeps on, and one with a descriptor, with the process that it
    /// was made in: what a fork has inherited of that rings at its parent's, too.
    static SLEEPER: Cell<Option<Sleeper>> = const { Cell::new(None) };
    static DESCRIPTOR: Cell<Option<(u32, Arc<Bell>)>> = const { Cell::new(None) };
}

/// The bell that a thread sleeps on. It goes on hearing of the socket that the thread has waited for last, which is likely to be
/// the next: then neither has the bell to be added again, nor the socket to be looked at twice before each sleep.
struct Sleeper {
    bell: Arc<Bell>,
    heard: Option<Arc<Watch>>,
    /// The process that it was made in.
    made_in: u32,
}

impl Sleeper {
    fn new() -> Self {
        Sleeper {
            bell: Bell::of_thread(),
            heard: None,
            made_in: process::number(),
        }
    }

    /// Hears of a socket, and of no other one. Returns whether nothing has happened to it, of which it has heard all the time.
    fn hear(&mut self, watch: &Arc<Watch>) -> bool {
        if self
            .heard
            .as_ref()
            .is_some_and(|one| Arc::ptr_eq(one, watch))
        {
            return self.bell.is_silent();
        }
        self.leave();
        watch.add(self.bell.clone());
        self.heard = Some(watch.clone());
        false
    }

    fn leave(&mut self) {
        // In the child of a fork, a thread of the parent's may have the lock for ever.
        if let Some(watch) = self.heard.take()
            && !self.is_inherited()
        {
            watch.remove(&self.bell);
        }
    }

    fn is_inherited(&self) -> bool {
        self.made_in != process::number()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.leave();
    }
}

fn with_sleeper<T>(wait: impl FnOnce(&mut Sleeper) -> Result<T>) -> Result<T> {
    // At the end of a thread there is none to keep.
    let kept = SLEEPER.try_with(Cell::take).ok().flatten();
    let own = kept.filter(|sleeper| !sleeper.is_inherited());
    let mut sleeper = own.unwrap_or_else(Sleeper::new);
    let done = wait(&mut sleeper);
    let _ = SLEEPER.try_with(|place| place.set(Some(sleeper)));
    done
}

/// Lends this thread's bell, to sleep on.
pub(crate) fn with_bell<T>(wait: impl FnOnce(&Arc<Bell>) -> Result<T>) -> Result<T> {
    with_sleeper(|sleeper| {
        sleeper.leave();
        wait(&sleeper.bell)
    })
}

/// Lends this thread's bell with a descriptor, to wait for others as well.
pub(crate) fn with_descriptor<T>(wait: impl FnOnce(&Arc<Bell>) -> Result<T>) -> Result<T> {
    let kept = DESCRIPTOR.try_with(Cell::take).ok().flatten();
    let number = process::number();
    let bell = match kept {
        Some((made_in, bell)) if made_in == number => bell,
        _ => Bell::new()?,
    };
    let done = wait(&bell);
    let _ = DESCRIPTOR.try_with(|place| place.set(Some((number, bell))));
    done
}

/// Tries until it works: at once, and then whenever something has happened to the socket that is watched.
pub(crate) fn until<T>(
    watch: &Arc<Watch>,
    limit: impl FnOnce() -> Limit,
    mut attempt: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    match attempt()? {
        Some(done) => Ok(done),
        None => once_it_can(watch, limit(), attempt),
    }
}

/// Tries whenever something has happened, what this thread has just tried in vain, until it works.
pub(crate) fn once_it_can<T>(
    watch: &Arc<Watch>,
    limit: Limit,
    mut attempt: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    if limit == Limit::Now {
        return fail(EAGAIN);
    }
    with_sleeper(|sleeper| {
        let is_silent = sleeper.hear(watch);
        let bell = &sleeper.bell;
        if is_silent {
            bell.sleep(limit.left())?;
        }
        loop {
            if let Some(done) = look(bell, limit, &mut attempt)? {
                return Ok(done);
            }
            bell.sleep(limit.left())?;
        }
    })
}

/// Tries, before the thread sleeps on a bell that hears of what happens from here on.
#[inline]
fn look<T>(
    bell: &Bell,
    limit: Limit,
    attempt: &mut impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    bell.silence();
    let done = attempt()?;
    if done.is_none() && limit.is_over() {
        return fail(EAGAIN);
    }
    Ok(done)
}

/// Does so as long as a stream is lent to this thread, which waits there and reads what comes. `None`: the wait goes on
/// without.
pub(crate) fn at_stream<T>(
    watch: &Watch,
    limit: Limit,
    mut lent: LentStream,
    mut lend: impl FnMut() -> Option<LentStream>,
    mut attempt: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    with_descriptor(|bell| {
        loop {
            let hearing = watch.hear(bell);
            if let Some(done) = look(bell, limit, &mut attempt)? {
                return Ok(Some(done));
            }
            let mut fds = [lent.as_raw_fd(), bell.fd()].map(|fd| libc::pollfd {
                fd,
                events: libc::POLLIN,
                revents: 0,
            });
            sleep(&mut fds, limit, None)?;
            // What it reads itself need not be told.
            drop(hearing);
            if fds[0].revents != 0 {
                lent.read();
            }
            if let Some(done) = attempt()? {
                return Ok(Some(done));
            }
            match lend() {
                Some(again) => lent = again,
                None => return Ok(None),
            }
        }
    })
}

/// Runs a future to its end. `interruptible`: a signal ends the wait, with EINTR.
pub(crate) fn run<F: Future>(future: F, interruptible: bool) -> Result<F::Output> {
    let mut future = pin!(future);
    if let Poll::Ready(output) = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        return Ok(output);
    }
    with_bell(|bell| {
        let waker = Waker::from(bell.clone());
        let mut cx = Context::from_waker(&waker);
        loop {
            bell.silence();
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return Ok(output);
            }
            match bell.sleep(None) {
                Err(Errno(EINTR)) if !interruptible => {}
                slept => slept?,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleeper_hears_of_the_socket_that_it_has_waited_for_last_and_of_no_other() {
        let (one, other) = (Arc::<Watch>::default(), Arc::default());
        let mut sleeper = Sleeper::new();
        assert!(!sleeper.hear(&one), "what happened before it does not know");
        assert!(sleeper.hear(&one));
        one.ring();
        assert!(!sleeper.hear(&one), "something has happened");
        sleeper.bell.silence();
        assert!(sleeper.hear(&one));
        assert!(!sleeper.hear(&other));
        one.ring();
        assert!(sleeper.hear(&other), "it is rung for the other one alone");
        assert_eq!(Arc::strong_count(&one), 1);
        drop(sleeper);
        other.ring();
        assert_eq!(Arc::strong_count(&other), 1);
    }

    #[test]
    #[cfg_attr(miri, ignore = "it forks")]
    fn the_child_of_a_fork_waits_for_no_lock_that_a_thread_had_in_its_parent() {
        let watch = Arc::<Watch>::default();
        let mut sleeper = Sleeper::new();
        sleeper.hear(&watch);
        let occupied = watch.occupy();
        // SAFETY: the child frees memory, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: it ends the process, at the latest when it has hung for so long.
            unsafe { libc::alarm(10) };
            drop(sleeper);
            // SAFETY: as above.
            unsafe { libc::_exit(7) };
        }
        drop(occupied);
        let mut status = 0;
        // SAFETY: the status is written there.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7);
    }
}
