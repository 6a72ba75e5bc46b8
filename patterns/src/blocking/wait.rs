//! [`wait`] and `wait_within`: a future on a thread that parks.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
#[cfg(not(purezmq_loom))]
use std::time::{Duration, Instant};

use crate::capability::Receives;
use crate::context::Flush;
#[cfg(all(target_os = "linux", not(purezmq_loom)))]
use crate::core::Access as _;
use crate::error::RecvError;
use crate::runtime;
use crate::socket::{RecvSide, Socket};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread::{self, Thread};

/// Runs a future to its end on this thread, which parks while the future waits. For everything in this library
/// that is a future: it needs no runtime around it, if its socket's connections run on I/O threads.
///
/// On the thread of a current-thread runtime, which nothing else runs on meanwhile, it waits in vain for connections that
/// live there. Limits hold all the same; `close`, [`flush`](crate::Context::flush) and
/// [`Context::close`](crate::Context::close) write what the system takes at once, notice within a quarter of a second that
/// they keep their runtime from the rest, and return: what is left is sent afterwards, as after a drop.
// The first attempt belongs where the application calls: a message that goes to a function in memory is written in words and
// read in pairs of them, which a processor stalls at.
#[inline(always)]
pub fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    runtime::blocking(|| {
        // Most calls are served at once: they need no parker. Others are polled again, and then with a waker of this thread.
        match poll_once(future.as_mut()) {
            Poll::Ready(output) => output,
            Poll::Pending => parked(future),
        }
    })
}

/// Receives the next message: at once, at a stream that is lent, or as it waits for any future.
#[inline(always)]
pub(super) fn recv<P: Receives, D: RecvSide>(
    socket: &mut Socket<P, D>,
    flush: &Flush,
) -> Result<P::Received, RecvError> {
    // Where a stream is lent, messages come one by one: most likely there is none.
    #[cfg(all(target_os = "linux", not(purezmq_loom)))]
    if socket.handle.with(|core| core.has_lent()) {
        return recv_later(socket, flush);
    }
    match runtime::blocking(|| poll_once(pin!(socket.recv()))) {
        Poll::Ready(received) => received,
        Poll::Pending => recv_later(socket, flush),
    }
}

#[inline(never)]
#[cfg_attr(
    any(not(target_os = "linux"), purezmq_loom),
    allow(unused_variables, reason = "no stream is lent there")
)]
fn recv_later<P: Receives, D: RecvSide>(
    socket: &mut Socket<P, D>,
    flush: &Flush,
) -> Result<P::Received, RecvError> {
    #[cfg(all(target_os = "linux", not(purezmq_loom)))]
    if let Some(received) = super::lent::recv(socket, flush.process) {
        return received;
    }
    wait(socket.recv())
}

#[inline(always)]
fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(Waker::noop()))
}

/// Runs a future to its end that is not ready yet.
#[inline(never)]
fn parked<F: Future>(future: Pin<&mut F>) -> F::Output {
    with_parker(|parker| parker.wait(future))
}

/// Runs a future on this thread until it ends or the limit is over, and then drops it. A limit of zero looks once. For
/// what has no limit of its own: a monitor's `recv`, for one.
///
/// ```
/// use std::time::Duration;
///
/// use purezmq::blocking::{PullSocket, wait_within};
///
/// let pull = PullSocket::new();
/// let mut monitor = pull.monitor();
/// assert!(wait_within(Duration::from_millis(10), monitor.recv()).is_none());
/// ```
#[cfg(not(purezmq_loom))]
pub fn wait_within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let Some(until) = Instant::now().checked_add(limit) else {
        return Some(wait(future));
    };
    runtime::blocking(|| with_parker(|parker| parker.wait_until(pin!(future), until)))
}

/// Lends this thread's parker.
fn with_parker<T>(wait: impl FnOnce(&Parker) -> T) -> T {
    // At the end of a thread there is none to keep.
    let kept = PARKER.try_with(Cell::take).ok().flatten();
    let parker = kept.unwrap_or_else(Parker::new);
    let output = wait(&parker);
    let _ = PARKER.try_with(|place| place.set(Some(parker)));
    output
}

thread_local! {
    /// This thread's parker, while nobody uses it.
    static PARKER: Cell<Option<Parker>> = const { Cell::new(None) };
}

/// Parks one thread; its waker is made once.
struct Parker {
    unparker: Arc<Unparker>,
    waker: Waker,
}

struct Unparker {
    thread: Thread,
    /// It was woken since it last parked. Others unpark the thread, too.
    woken: AtomicBool,
}

impl Parker {
    #[cold]
    fn new() -> Self {
        let unparker = Arc::new(Unparker {
            thread: thread::current(),
            woken: AtomicBool::new(false),
        });
        Parker {
            waker: Waker::from(unparker.clone()),
            unparker,
        }
    }

    #[inline]
    fn wait<F: Future>(&self, mut future: Pin<&mut F>) -> F::Output {
        let mut cx = std::task::Context::from_waker(&self.waker);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
            self.park();
        }
    }

    #[cfg(not(purezmq_loom))]
    fn wait_until<F: Future>(&self, mut future: Pin<&mut F>, until: Instant) -> Option<F::Output> {
        let mut cx = std::task::Context::from_waker(&self.waker);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return Some(output);
            }
            loop {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return None;
                }
                if self.unparker.woken.swap(false, Ordering::Acquire) {
                    break;
                }
                thread::park_timeout(left);
            }
        }
    }

    fn park(&self) {
        while !self.unparker.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

impl Wake for Unparker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.thread.unpark();
        }
    }
}

#[cfg(all(test, purezmq_loom))]
#[path = "loom_tests.rs"]
mod loom_tests;
