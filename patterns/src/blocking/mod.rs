//! The sockets for programs without an async runtime: the same types and options, with calls that block.
//!
//! One layer over all sockets: a call is the async socket's future, polled on the calling thread, which parks while
//! the future waits. The first attempt is the same code as in async programs, so a call that need not wait costs
//! the same; no task, channel or runtime stands in between. The connections live on an I/O thread that all blocking
//! sockets of the process share, or on those of the [`Context`] that they are built with.
//!
//! ```
//! use purezmq::blocking::{PullSocket, PushSocket};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut pull = PullSocket::new();
//! let endpoint = pull.bind("tcp://127.0.0.1:*")?;
//! let mut push = PushSocket::builder().send_hwm(10).build()?;
//! push.connect(&endpoint)?;
//! push.send("no runtime here")?;
//! assert_eq!(pull.recv()?, "no runtime here");
//! # Ok(())
//! # }
//! ```
//!
//! # Threads
//!
//! A socket belongs to one thread at a time (`&mut self`), and can be sent to another: the compiler sees to it, and
//! no call pays for a lock. For several threads at once, [`split`](Socket::split) gives each direction to a thread,
//! and [`into_shared`](Socket::into_shared) makes a sender that any number of threads clone. Any number of sockets
//! may be used in any number of threads.
//!
//! # What else is there
//!
//! A blocking socket has every call of the async one. A [`Poller`] waits for several sockets at once. Whatever else is a future, [`wait`] waits for:
//! `wait(socket.monitor().recv())`. Do not block in an async task: it would hold up its runtime's thread.
//!
//! A dropped socket lingers on its I/O thread. When the last blocking socket of a context is dropped, that waits until
//! what all of them have sent has left, up to their linger times and 5 s, so that a program may end then.
//! [`close`](Socket::close) waits for as long as the socket lingers, and says what was left. To [`close`](close()) a context ends
//! all of its sockets, and wakes the threads that block in them.

#[cfg(all(target_os = "linux", not(purezmq_loom)))]
mod lent;
#[cfg(not(purezmq_loom))]
mod poller;
mod requester;
mod shared_sender;
mod single_frames;
mod socket;
mod wait;

use std::time::Duration;

#[cfg(not(purezmq_loom))]
pub use self::poller::{Interest, Key, PollAlarm, Pollable, Poller, Ready};
pub use self::requester::Requester;
pub use self::shared_sender::SharedSender;
pub use self::socket::{Permit, Socket};
pub use self::wait::wait;
#[cfg(not(purezmq_loom))]
pub use self::wait::wait_within;
use crate::context::Context;
use crate::error::ContextReport;
use crate::rules::each_socket_type;
use crate::sockets;

/// Returns the context of all blocking sockets that were not given one. Async sockets have another,
/// [`Context::global`].
///
/// # Panics
///
/// The system refuses the I/O thread, when it is the first use of blocking sockets in the process.
pub fn context() -> Context {
    Context::global_with_io_thread()
}

/// Closes a context, and waits: [`Context::close`], for programs without async code. May be called from any thread. Calls
/// that block in other threads on sockets of the context fail.
///
/// ```
/// use std::time::Duration;
///
/// use purezmq::blocking::{self, PullSocket};
/// use purezmq::{Context, RecvError};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::with_io_threads(1)?;
/// let mut pull = PullSocket::builder().context(&context).build()?;
/// pull.bind("tcp://127.0.0.1:*")?;
/// let worker = std::thread::spawn(move || pull.recv());
/// let report = blocking::close(&context, Duration::from_secs(1));
/// assert_eq!(report.unsent, 0);
/// assert_eq!(worker.join().unwrap(), Err(RecvError::ContextClosed));
/// # Ok(())
/// # }
/// ```
pub fn close(context: &Context, limit: Duration) -> ContextReport {
    wait(context.close(limit))
}

macro_rules! names {
    ($($name:ident $socket:ident: $($capability:ident)+ { $($row:tt)+ })+) => {
        $(
            #[doc = concat!("[`", stringify!($socket), "`](crate::", stringify!($socket), "), blocking.")]
            pub type $socket = Socket<sockets::$name>;
        )+
    };
}
each_socket_type!(names);
