//! What `--sequence` and `--rate` write into messages: number and time. The first eight bytes are the message's number,
//! with the sender's in the uppermost one; with a rate, the next eight are when the message was due.
//!
//! A message that is sent late is still dated when it was due, so what held the sender up counts for each message that
//! waited behind it: nothing is left out because nobody asked meanwhile. The rivals' peers do the same
//! (`bench/rivals/common/src/stamp.rs`), and `meter/order.rs` reads it.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::unistd::read;
use tokio::io::unix::AsyncFd;

use crate::Failure;
use crate::args::Args;
use crate::process::monotonic_ns;

/// Bytes of number and time.
pub(crate) const STAMP: usize = 16;
/// Bits of a message's number; the sender's is above them.
pub(crate) const NUMBER_BITS: u32 = 56;

/// Numbers one sender's messages, and says when each is due.
pub(crate) struct Stamps {
    sender: u64,
    next: u64,
    /// Messages a second; 0: whenever they can be sent.
    rate: u64,
    /// When the first message was due.
    begin: u64,
    blocking: Option<Timer>,
    waking: Option<AsyncFd<Timer>>,
}

impl Stamps {
    pub(crate) fn new(args: &Args) -> Self {
        Stamps {
            sender: args.sender << NUMBER_BITS,
            next: 0,
            rate: args.rate,
            begin: monotonic_ns(),
            blocking: None,
            waking: None,
        }
    }

    fn due(&self) -> u64 {
        let nanos = u128::from(self.next) * 1_000_000_000 / u128::from(self.rate);
        self.begin + u64::try_from(nanos).unwrap_or(u64::MAX)
    }

    #[inline]
    pub(crate) fn is_early(&self) -> bool {
        self.rate > 0 && monotonic_ns() < self.due()
    }

    /// Waits until the next message is due, which [is early](Self::is_early).
    pub(crate) async fn wait(&mut self) -> Result<(), Failure> {
        let due = self.due();
        let timer = match &self.waking {
            Some(timer) => timer,
            None => self.waking.insert(watch(Timer::new(true)?)?),
        };
        timer.get_ref().arm(due)?;
        loop {
            let mut ready = timer.readable().await?;
            if timer.get_ref().has_gone_off()? {
                return Ok(());
            }
            ready.clear_ready();
        }
    }

    /// The same for a thread.
    pub(crate) fn block(&mut self) -> Result<(), Failure> {
        if !self.is_early() {
            return Ok(());
        }
        let due = self.due();
        let timer = match &self.blocking {
            Some(timer) => timer,
            None => self.blocking.insert(Timer::new(false)?),
        };
        timer.arm(due)?;
        timer.has_gone_off()?;
        Ok(())
    }

    /// Writes number and time of the next message.
    #[inline]
    pub(crate) fn fill(&mut self, data: &mut [u8]) {
        data[..8].copy_from_slice(&(self.sender | self.next).to_le_bytes());
        if self.rate > 0 {
            data[8..STAMP].copy_from_slice(&self.due().to_le_bytes());
        }
        self.next += 1;
    }
}

/// `Timer` owns its descriptor, which is all that is asked of it; who says so to the newer constructor needs unsafe code.
#[allow(deprecated)]
fn watch(timer: Timer) -> std::io::Result<AsyncFd<Timer>> {
    AsyncFd::new(timer)
}

/// A timerfd: exact where a runtime's own timers have steps of a millisecond, and the same for everybody.
struct Timer(TimerFd);

impl Timer {
    fn new(asynchronous: bool) -> Result<Self, Failure> {
        let mut flags = TimerFlags::TFD_CLOEXEC;
        flags.set(TimerFlags::TFD_NONBLOCK, asynchronous);
        Ok(Timer(TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?))
    }

    fn arm(&self, at: u64) -> Result<(), Failure> {
        let at = Expiration::OneShot(Duration::from_nanos(at).into());
        Ok(self.0.set(at, TimerSetTimeFlags::TFD_TIMER_ABSTIME)?)
    }

    /// A timer that blocks has gone off once this returns.
    fn has_gone_off(&self) -> Result<bool, Failure> {
        match read(self.0.as_fd(), &mut [0; 8]) {
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}
