//! A watch over the calls that take what comes in place of their session's task (`alarm.rs`). Kept by `driver.rs`.
//!
//! To wake the task for each answer, too, is a tenth of what a round trip costs. So one that was woken in vain again and again
//! is woken for no more of them, as long as a call is; and after a while, a clock wakes it. What has come and was not taken
//! is the task's then: the call may be kept and not polled, and the peer wait for a PONG.
//!
//! The clock is one of the system's own, since a timer of the runtime is a time-out of each of its sleeps, which costs more
//! than is spared. Where the system has none, the task is woken for each answer.

use std::task::Context;
use std::time::Duration;

use super::alarm::Alarm;

/// So often in a row the task is woken in vain before a watch begins. (Models have fewer.)
const IN_VAIN: u8 = if cfg!(purezmq_loom) { 1 } else { 32 };

/// How long a watch lasts, and a PING may wait.
const LASTS: Duration = Duration::from_millis(20);

/// The watch of one session.
#[derive(Default)]
pub(super) struct Watch {
    /// So often the task was woken in vain since it was needed last.
    in_vain: u8,
    /// While it lasts.
    clock: Option<Box<Clock>>,
}

impl Watch {
    /// Ends it if it has lasted for long enough: the task sees to what has come, and is woken for each answer again.
    pub(super) fn poll_end(&mut self, alarm: &Alarm, cx: &mut Context<'_>) {
        if let Some(clock) = &self.clock
            && clock.poll_rung(cx).is_ready()
        {
            self.clock = None;
            alarm.end_watch();
        }
    }

    /// Notes that the task has something to see to.
    pub(super) fn note_needed(&mut self) {
        self.in_vain = 0;
    }

    /// Notes that it has not: a call has taken what it was woken for. Begins a watch if that is so often enough.
    pub(super) fn note_in_vain(&mut self, alarm: &Alarm, cx: &mut Context<'_>) {
        if self.clock.is_some() {
            return;
        }
        self.in_vain += 1;
        if self.in_vain < IN_VAIN {
            return;
        }
        self.in_vain = 0;
        if let Some(clock) = Clock::set(LASTS)
            && clock.poll_rung(cx).is_pending()
        {
            self.clock = Some(Box::new(clock));
            alarm.begin_watch();
        }
    }

    #[cfg(test)]
    pub(super) fn lasts(&self) -> bool {
        self.clock.is_some()
    }
}

#[cfg(all(any(target_os = "linux", target_os = "android"), not(purezmq_loom)))]
use system::Clock;

#[cfg(all(any(target_os = "linux", target_os = "android"), not(purezmq_loom)))]
mod system {
    use std::os::fd::OwnedFd;
    use std::task::{Context, Poll};
    use std::time::Duration;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    use tokio::sync::{Semaphore, SemaphorePermit};

    /// Rings once.
    pub(super) struct Clock {
        timer: AsyncFd<OwnedFd>,
        _place: SemaphorePermit<'static>,
    }

    /// So many clocks a process has: each is a file descriptor, which others need more.
    const MOST: usize = 64;

    static PLACES: Semaphore = Semaphore::const_new(MOST);

    impl Clock {
        /// `None`: there are enough, or the system has no more.
        pub(super) fn set(after: Duration) -> Option<Self> {
            let place = PLACES.try_acquire().ok()?;
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags).ok()?;
            let once = Itimerspec {
                it_interval: Timespec::default(),
                it_value: after.try_into().ok()?,
            };
            timerfd_settime(&timer, TimerfdTimerFlags::empty(), &once).ok()?;
            #[allow(
                deprecated,
                reason = "what comes after it is newer than the oldest tokio"
            )]
            let timer = AsyncFd::with_interest(timer, Interest::READABLE).ok()?;
            Some(Clock {
                timer,
                _place: place,
            })
        }

        pub(super) fn poll_rung(&self, cx: &mut Context<'_>) -> Poll<()> {
            // A runtime that ends says so by an error.
            self.timer.poll_read_ready(cx).map(drop)
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[tokio::test]
        async fn a_process_has_few_clocks() {
            let hour = Duration::from_secs(3_600);
            let set = || std::iter::from_fn(|| Clock::set(hour)).collect::<Vec<_>>();
            let clocks = set();
            assert!((1..=MOST).contains(&clocks.len()), "{}", clocks.len());
            drop(clocks);
            assert!(!set().is_empty(), "they are given back");
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", purezmq_loom)))]
use elsewhere::Clock;

#[cfg(not(any(target_os = "linux", target_os = "android", purezmq_loom)))]
mod elsewhere {
    use std::convert::Infallible;
    use std::task::{Context, Poll};
    use std::time::Duration;

    /// There is none.
    pub(super) struct Clock(Infallible);

    impl Clock {
        pub(super) fn set(_: Duration) -> Option<Self> {
            None
        }

        pub(super) fn poll_rung(&self, _: &mut Context<'_>) -> Poll<()> {
            match self.0 {}
        }
    }
}

#[cfg(purezmq_loom)]
use modelled::Clock;
#[cfg(purezmq_loom)]
pub(super) use modelled::{Bell, NEXT};

#[cfg(purezmq_loom)]
mod modelled {
    use std::sync::Arc;
    use std::task::{Context, Poll};
    use std::time::Duration;

    use crate::sync::atomic::{AtomicBool, Ordering};
    use crate::sync::{AtomicWaker, Mutex};

    /// Rings when the model says so.
    pub(super) struct Clock(Arc<Bell>);

    #[derive(Default)]
    pub(in crate::connection) struct Bell {
        rings: AtomicBool,
        task: AtomicWaker,
    }

    loom::lazy_static! {
        /// That of the next clock: without one, the system has none.
        pub(in crate::connection) static ref NEXT: Mutex<Option<Arc<Bell>>> = Mutex::new(None);
    }

    impl Bell {
        pub(in crate::connection) fn ring(&self) {
            self.rings.store(true, Ordering::Release);
            self.task.wake();
        }
    }

    impl Clock {
        pub(super) fn set(_: Duration) -> Option<Self> {
            NEXT.lock().take().map(Clock)
        }

        pub(super) fn poll_rung(&self, cx: &mut Context<'_>) -> Poll<()> {
            self.0.task.register(cx.waker());
            match self.0.rings.load(Ordering::Acquire) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        }
    }
}
