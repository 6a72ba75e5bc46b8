//! A thread that waits for each message reads the stream itself, while they come one by one (`Core::lend`).
//!
//! It waits in poll(2), for the stream and for an eventfd that tells it of all else.

use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

use crate::capability::Receives;
use crate::core::Access as _;
use crate::error::RecvError;
use crate::socket::{LentStream, RecvSide, Socket};
use crate::sync::atomic::{AtomicBool, Ordering};

/// Receives the next message from a stream that is lent, by a socket that was made in this process. `None`: none is, or no more,
/// and nothing was received.
pub(super) fn recv<P: Receives, D: RecvSide>(
    socket: &mut Socket<P, D>,
    process: u32,
) -> Option<Result<P::Received, RecvError>> {
    let lent = lend(socket)?;
    let received = wait(socket, lent, process);
    socket.handle.with(crate::core::Core::leave_stream);
    received
}

fn wait<P: Receives, D: RecvSide>(
    socket: &mut Socket<P, D>,
    mut lent: LentStream,
    process: u32,
) -> Option<Result<P::Received, RecvError>> {
    with_parker(process, |parker| {
        loop {
            if let Some(received) = wait_once(socket, parker, &lent) {
                return Some(received);
            }
            lent = lend(socket)?;
        }
    })
}

/// Waits until something has come at the stream, or anything else has happened. It may be for nothing.
fn wait_once<P: Receives, D: RecvSide>(
    socket: &mut Socket<P, D>,
    parker: &Parker,
    lent: &LentStream,
) -> Option<Result<P::Received, RecvError>> {
    let mut receiving = pin!(socket.recv());
    if let Poll::Ready(received) = parker.poll(receiving.as_mut()) {
        return Some(received);
    }
    if parker.park_beside(lent) {
        parker.untold(|| lent.read());
    }
    match parker.poll(receiving) {
        Poll::Ready(received) => Some(received),
        Poll::Pending => None,
    }
}

/// Lends the stream, unless the wait has a limit, which is a timer of the runtime's.
fn lend<P: Receives, D: RecvSide>(socket: &mut Socket<P, D>) -> Option<LentStream> {
    socket
        .handle
        .with(|core| match core.options().recv_timeout {
            None => core.lend(),
            Some(_) => None,
        })
}

thread_local! {
    /// This thread's parker, while nobody uses it, with the process that it was made in: what a fork has inherited tells its
    /// parent, too.
    static PARKER: Cell<Option<(u32, Parker)>> = const { Cell::new(None) };
}

/// Lends this thread's parker to a call of a socket that was made in this process, which is asked of the socket, and not of the
/// system: so much for each message. `None`: there is none to be had.
fn with_parker<T>(process: u32, wait: impl FnOnce(&Parker) -> Option<T>) -> Option<T> {
    let kept = PARKER.try_with(Cell::take).ok().flatten();
    let parker = match kept {
        Some((made_in, parker)) if made_in == process => parker,
        _ => Parker::new()?,
    };
    let done = wait(&parker);
    let _ = PARKER.try_with(|place| place.set(Some((process, parker))));
    done
}

/// Parks a thread in poll(2); its waker is made once.
struct Parker {
    bell: Arc<Bell>,
    waker: Waker,
}

struct Bell {
    fd: OwnedFd,
    /// It was told since it last parked: its descriptor is readable, or about to be.
    is_told: AtomicBool,
}

impl Parker {
    #[cold]
    fn new() -> Option<Self> {
        let bell = Arc::new(Bell {
            fd: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).ok()?,
            is_told: AtomicBool::new(false),
        });
        Some(Parker {
            waker: Waker::from(bell.clone()),
            bell,
        })
    }

    fn poll<F: Future>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&self.waker))
    }

    /// Parks until it is told, or the stream has something: then `true`. It may end for nothing.
    fn park_beside(&self, stream: &LentStream) -> bool {
        let mut both = [
            PollFd::new(stream, PollFlags::IN),
            PollFd::new(&self.bell.fd, PollFlags::IN),
        ];
        if poll(&mut both, None).is_err() {
            // A signal.
            return false;
        }
        let [has_come, is_told] = both.map(|one| !one.revents().is_empty());
        if is_told {
            let _ = rustix::io::read(&self.bell.fd, &mut [0; 8]);
            self.bell.is_told.swap(false, Ordering::AcqRel);
        }
        has_come
    }

    /// Does something that need not be told: whoever calls looks again afterwards.
    fn untold(&self, act: impl FnOnce()) {
        let is_told = self.bell.is_told.swap(true, Ordering::AcqRel);
        act();
        if !is_told {
            self.bell.is_told.swap(false, Ordering::AcqRel);
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_told.swap(true, Ordering::AcqRel) {
            let _ = rustix::io::write(&self.fd, &1u64.to_ne_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::blocking::{PullSocket, PushSocket};

    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn a_call_that_waits_for_lone_messages_waits_at_the_stream() {
        let mut pull = PullSocket::new();
        let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap();
        let mut push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        let until = Instant::now() + SOON;
        while !pull.inner().handle.with(|core| core.has_lent()) {
            assert!(Instant::now() < until, "messages come too far apart");
            push.send("lone").unwrap();
            assert_eq!(pull.recv().unwrap(), "lone");
        }
    }
}
