//! `libzmq.so.5` without libzmq: its C interface, on PureZMQ's sockets.
//!
//! Programs that were written, and built, for libzmq run with this library in its place. It stands on
//! [`AnySocket`](purezmq::AnySocket) and on options by number, and adds no path of its own to the data. What it adds is what
//! C knows and Rust does not: frames one by one, handles, numbers in `errno`, waiting that a signal ends.
//!
//! ```text
//! call.rs errno.rs     where each function begins and ends: no panic gets out, failures become numbers
//! handles.rs           which pointers are handles, and of what
//! bell.rs wait.rs      how a thread waits: on a futex, or in poll(2) for descriptors as well
//! process.rs           what a fork has inherited
//! context.rs           contexts: their options, their threads, their end
//! memory.rs            what the allocator is told
//! message.rs           the 64 bytes of a message; message/functions.rs what C does to them
//! socket.rs            sockets: made, closed, bound, connected; socket/ sends, receives, and what is ready
//! options.rs           socket options by number: libzmq's values and checks
//! poll.rs poller.rs    waiting for several sockets and descriptors
//! proxy.rs monitor.rs  loops of libzmq's own
//! util/                what has nothing to do with sockets
//! ```
//!
//! Unsafe code is here and in no other crate, since C's pointers end here. A pointer to memory (a buffer, a message) is
//! believed, as C has it; a handle is looked up in a table, and never followed.

mod bell;
mod call;
mod context;
pub mod errno;
mod handles;
mod memory;
mod message;
mod monitor;
mod options;
mod poll;
mod poller;
mod process;
mod proxy;
mod socket;
mod util;
mod wait;

pub use context::functions::*;
pub use errno::{zmq_errno, zmq_strerror};
pub use message::functions::*;
pub use message::zmq_msg_t;
pub use monitor::{
    zmq_socket_monitor, zmq_socket_monitor_pipes_stats, zmq_socket_monitor_versioned,
};

pub use poll::*;
pub use poller::*;
pub use proxy::*;
pub use socket::functions::*;
pub use util::*;
