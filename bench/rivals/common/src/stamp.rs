//! What `--sequence` and `--rate` write into messages, and what receivers read there: the first eight bytes are the
//! message's number, with the sender's in the uppermost byte; with a rate, the next eight are when it was due.
//!
//! A message that is sent late is still dated when it was due, so what held the sender up counts for each message that
//! waited behind it: nothing is left out because nobody asked meanwhile.

use hdrhistogram::Histogram;

use crate::args::{die, Args};
use crate::process::monotonic_ns;

/// Bits of a message's number; the sender's is above them.
const NUMBER_BITS: u32 = 56;
/// Bytes of number and time.
pub const STAMP: usize = 16;

/// A sender's side: numbers the messages, and says when each is due.
pub struct Stamps {
    sender: u64,
    next: u64,
    rate: u64,
    /// When the first message was due.
    begin: u64,
    timer: Option<Timer>,
    #[cfg(feature = "tokio")]
    waited: Option<tokio::io::unix::AsyncFd<Timer>>,
}

impl Stamps {
    /// `None`: messages are neither numbered nor dated.
    pub fn new(a: &Args) -> Option<Stamps> {
        a.sequence.then(|| Stamps {
            sender: a.sender << NUMBER_BITS,
            next: 0,
            rate: a.rate,
            begin: monotonic_ns(),
            timer: None,
            #[cfg(feature = "tokio")]
            waited: None,
        })
    }

    fn due(&self) -> u64 {
        let nanos = u128::from(self.next) * 1_000_000_000 / u128::from(self.rate);
        self.begin + nanos as u64
    }

    /// Whether the next message has to wait for its time.
    pub fn is_early(&self) -> bool {
        self.rate > 0 && monotonic_ns() < self.due()
    }

    /// Blocks until the next message is due.
    pub fn wait(&mut self) {
        if self.is_early() {
            let due = self.due();
            let timer = self.timer.get_or_insert_with(|| Timer::new(false));
            timer.arm(due);
            timer.read();
        }
    }

    /// The same for a task on a tokio runtime.
    #[cfg(feature = "tokio")]
    #[allow(deprecated)] // tokio 1.53 has no newer one
    pub async fn waited(&mut self) {
        if !self.is_early() {
            return;
        }
        let due = self.due();
        let timer = self
            .waited
            .get_or_insert_with(|| tokio::io::unix::AsyncFd::new(Timer::new(true)).unwrap());
        timer.get_ref().arm(due);
        loop {
            let mut ready = timer.readable().await.unwrap();
            if timer.get_ref().read() {
                return;
            }
            ready.clear_ready();
        }
    }

    /// Writes number and time of the next message.
    #[inline]
    pub fn fill(&mut self, data: &mut [u8]) {
        data[..8].copy_from_slice(&(self.sender | self.next).to_le_bytes());
        if self.rate > 0 {
            data[8..STAMP].copy_from_slice(&self.due().to_le_bytes());
        }
        self.next += 1;
    }
}

/// A timerfd: exact where a runtime's own timers have steps of a millisecond, and the same for everybody.
struct Timer(i32);

impl Timer {
    fn new(asynchronous: bool) -> Timer {
        let flags = if asynchronous { libc::TFD_NONBLOCK } else { 0 };
        let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags | libc::TFD_CLOEXEC) };
        if fd < 0 {
            die("timerfd_create failed");
        }
        Timer(fd)
    }

    fn arm(&self, at: u64) {
        let mut spec: libc::itimerspec = unsafe { std::mem::zeroed() };
        spec.it_value.tv_sec = (at / 1_000_000_000) as libc::time_t;
        spec.it_value.tv_nsec = (at % 1_000_000_000) as libc::c_long;
        if unsafe { libc::timerfd_settime(self.0, libc::TFD_TIMER_ABSTIME, &spec, std::ptr::null_mut()) } != 0 {
            die("timerfd_settime failed");
        }
    }

    /// Whether it has gone off.
    fn read(&self) -> bool {
        let mut times = 0u64;
        unsafe { libc::read(self.0, (&raw mut times).cast(), 8) == 8 }
    }
}

impl std::os::fd::AsRawFd for Timer {
    fn as_raw_fd(&self) -> i32 {
        self.0
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        unsafe { libc::close(self.0) };
    }
}

/// A receiver's side: checks that numbers grow, counts what is missing, and records how late messages are.
pub struct Order {
    /// Of each sender, or for each subscriber: the number that is due.
    due: Vec<u64>,
    pub gaps: u64,
    pub late: Option<Histogram<u64>>,
}

impl Order {
    /// `None`: messages are not numbered.
    pub fn new(a: &Args) -> Option<Order> {
        a.sequence.then(|| Order {
            due: vec![0; a.peers.max(256)],
            gaps: 0,
            late: (a.rate > 0).then(histogram),
        })
    }

    /// Checks a message of the sender that it names.
    #[inline]
    pub fn of_sender(&mut self, data: &[u8], measured: bool) {
        let stamp = u64::from_le_bytes(data[..8].try_into().unwrap());
        self.of((stamp >> NUMBER_BITS) as usize, stamp, data, measured);
    }

    /// Checks a message that one of several subscribers got.
    #[inline]
    pub fn of_subscriber(&mut self, i: usize, data: &[u8], measured: bool) {
        let stamp = u64::from_le_bytes(data[..8].try_into().unwrap());
        self.of(i, stamp, data, measured);
    }

    #[inline]
    fn of(&mut self, slot: usize, stamp: u64, data: &[u8], measured: bool) {
        let number = stamp & ((1 << NUMBER_BITS) - 1);
        let due = &mut self.due[slot];
        if number < *due {
            die(&format!("message {number} of {slot} came twice, or after message {}", *due - 1));
        }
        self.gaps += number - *due;
        *due = number + 1;
        if let Some(late) = &mut self.late {
            if measured {
                let at = u64::from_le_bytes(data[8..STAMP].try_into().unwrap());
                late.saturating_record(monotonic_ns().saturating_sub(at));
            }
        }
    }

    /// Senders that have been heard of.
    pub fn senders(&self) -> usize {
        self.due.iter().filter(|due| **due > 0).count()
    }
}

/// Nanoseconds up to a minute, with three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(60_000_000_000, 3).unwrap()
}
