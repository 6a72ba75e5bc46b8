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
//! no call pays for a lock. For several threads at once, [`split`](Blocking::split) gives each direction to a thread,
//! and [`into_shared`](Blocking::into_shared) makes a sender that any number of threads clone. Any number of sockets
//! may be used in any number of threads.
//!
//! # What else is there
//!
//! All methods of the async socket that don't wait (`connect`, `try_send`, `try_recv`, `subscribe`, `set_options`,
//! `stats` ...) are here, too, since a blocking socket derefs to it. Whatever else is a future, [`wait`] waits for:
//! `wait(socket.monitor().recv())`. Do not block in an async task: it would hold up its runtime's thread.
//!
//! A dropped socket lingers on its I/O thread; a program that ends at once should [`close`](Blocking::close) it
//! before, which waits.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};

use crate::context::Context;
use crate::endpoint::{Endpoint, ToEndpoint};
use crate::error::{BindError, Closed, RecvError, SendError, TrySendError, UnbindError};
use crate::options::sealed::Sealed;
use crate::options::{
    Builder, Conflates, ConflatesTopics, HearsSubscriptions, Identifies, Matches, Open, Options,
    PassesSubscriptions, Probes, Publishes, Receives, Requests, Routes, Sends,
};
use crate::routing_id::RoutingId;
use crate::socket::{self, Feeding, Flowing, Hears, Socket, SocketRecv, SocketSend, Splits};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread::{self, Thread};

/// A socket, or a half of one, whose calls block.
#[derive(Debug)]
pub struct Blocking<S> {
    socket: S,
}

/// [`ReqSocket`](crate::ReqSocket), blocking.
pub type ReqSocket = Blocking<crate::ReqSocket>;
/// [`RepSocket`](crate::RepSocket), blocking.
pub type RepSocket = Blocking<crate::RepSocket>;
/// [`PubSocket`](crate::PubSocket), blocking.
pub type PubSocket = Blocking<crate::PubSocket>;
/// [`SubSocket`](crate::SubSocket), blocking.
pub type SubSocket = Blocking<crate::SubSocket>;
/// [`PushSocket`](crate::PushSocket), blocking.
pub type PushSocket = Blocking<crate::PushSocket>;
/// [`PullSocket`](crate::PullSocket), blocking.
pub type PullSocket = Blocking<crate::PullSocket>;
/// [`DealerSocket`](crate::DealerSocket), blocking.
pub type DealerSocket = Blocking<crate::DealerSocket>;
/// [`RouterSocket`](crate::RouterSocket), blocking.
pub type RouterSocket = Blocking<crate::RouterSocket>;
/// [`XPubSocket`](crate::XPubSocket), blocking.
pub type XPubSocket = Blocking<crate::XPubSocket>;
/// [`XSubSocket`](crate::XSubSocket), blocking.
pub type XSubSocket = Blocking<crate::XSubSocket>;
/// [`PairSocket`](crate::PairSocket), blocking.
pub type PairSocket = Blocking<crate::PairSocket>;

impl<S> Blocking<S> {
    /// The async socket. It goes on living on its context's I/O threads.
    pub fn into_inner(self) -> S {
        self.socket
    }
}

/// A socket of a context with I/O threads, or one whose tasks run elsewhere.
impl<S: Sealed> From<S> for Blocking<S> {
    fn from(socket: S) -> Self {
        Blocking { socket }
    }
}

impl<S> Deref for Blocking<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.socket
    }
}

impl<S> DerefMut for Blocking<S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.socket
    }
}

// ---------------------------------------------------------------- making one, with all of the socket's options

impl<S: Sealed> Sealed for Blocking<S> {}

impl<S: Open> Open for Blocking<S> {
    fn defaults() -> Options {
        S::defaults()
    }

    fn context() -> Context {
        Context::global_with_io_thread()
    }

    fn open(context: &Context, options: Options) -> Self {
        S::open(context, options).into()
    }
}

macro_rules! same_options {
    ($($which:ident)*) => {
        $(impl<S: $which> $which for Blocking<S> {})*
    };
}
same_options!(Conflates ConflatesTopics HearsSubscriptions Identifies Matches PassesSubscriptions Probes Publishes);
same_options!(Receives Requests Routes Sends);

impl<S: Open> Blocking<S> {
    /// A socket with the default options.
    ///
    /// # Panics
    ///
    /// The system refuses the I/O thread, when it is the process' first blocking socket. Build one with
    /// [`Context::with_io_threads`] to get an error instead.
    pub fn new() -> Self {
        Self::builder()
            .build()
            .expect("the default options are within their ranges")
    }

    /// A socket with options of its own. Its context is that of all blocking sockets, unless it is given another,
    /// which has to have I/O threads ([`Context::with_io_threads`]) to reach beyond the process. `inproc://` names
    /// are the context's.
    pub fn builder() -> Builder<Self> {
        Builder::new()
    }
}

impl<S: Open> Default for Blocking<S> {
    fn default() -> Self {
        Self::new()
    }
}

// ---------------------------------------------------------------- what waits

impl<S: Socket> Blocking<S> {
    /// Listens at an endpoint and returns it with all wildcards resolved.
    ///
    /// # Errors
    ///
    /// As the async socket's `bind`.
    pub fn bind(&mut self, endpoint: impl ToEndpoint) -> Result<Endpoint, BindError> {
        wait(self.socket.bind(endpoint))
    }

    /// Stops listening at an endpoint. When this returns, the address is free.
    ///
    /// # Errors
    ///
    /// The socket is not bound there.
    pub fn unbind(&mut self, endpoint: impl ToEndpoint) -> Result<(), UnbindError> {
        wait(self.socket.unbind(endpoint))
    }

    /// Closes the socket, waits until its messages are sent or the linger time is over, and says what was left.
    pub fn close(self) -> Closed {
        wait(self.socket.close())
    }
}

impl<S: SocketSend> Blocking<S> {
    /// Sends a message; blocks where the async socket's `send` waits.
    ///
    /// # Errors
    ///
    /// As the async socket's `send`. The message comes back.
    #[inline]
    pub fn send(&mut self, message: impl Into<S::Sent>) -> Result<(), SendError> {
        wait(self.socket.send(message))
    }
}

impl<S: SocketRecv> Blocking<S> {
    /// The next message; blocks while there is none.
    ///
    /// # Errors
    ///
    /// As the async socket's `recv`.
    #[inline]
    pub fn recv(&mut self) -> Result<S::Received, RecvError> {
        wait(self.socket.recv())
    }
}

impl<S: Flowing> Blocking<S> {
    /// Receives as many messages as are there, at least one and at most `limit`, and puts them at the end of
    /// `buffer`; blocks while there is none. Says how many.
    ///
    /// # Errors
    ///
    /// `recv_timeout` passed.
    pub fn recv_many(
        &mut self,
        buffer: &mut Vec<S::Received>,
        limit: usize,
    ) -> Result<usize, RecvError> {
        wait(self.socket.recv_many(buffer, limit))
    }

    /// The messages, one after the other. Never ends: a `recv_timeout` that passed is an item, too.
    ///
    /// ```
    /// use purezmq::blocking::{PullSocket, PushSocket};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut pull = PullSocket::new();
    /// let endpoint = pull.bind("tcp://127.0.0.1:*")?;
    /// std::thread::spawn(move || {
    ///     let mut push = PushSocket::new();
    ///     push.connect(&endpoint).unwrap();
    ///     for number in 1..=3 {
    ///         push.send(number.to_string()).unwrap();
    ///     }
    ///     push.close();
    /// });
    /// for (expected, message) in ["1", "2", "3"].into_iter().zip(pull.messages()) {
    ///     assert_eq!(message?, expected);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn messages(&mut self) -> impl Iterator<Item = Result<S::Received, RecvError>> {
        std::iter::repeat_with(|| self.recv())
    }
}

impl<S: Feeding> Blocking<S> {
    /// A sender that can be cloned, for many threads.
    pub fn into_shared(self) -> SharedSender<S> {
        SharedSender(socket::SharedSender::new(self.socket))
    }
}

impl<S: Hears> Blocking<S> {
    /// Blocks until that many peers have subscribed to something: what is sent then reaches them.
    pub fn wait_for_subscribers(&mut self, count: usize) {
        wait(self.socket.wait_for_subscribers(count));
    }
}

impl<S: Splits> Blocking<S> {
    /// Divides the socket into its two directions, for two threads.
    pub fn split(self) -> (Blocking<S::Sender>, Blocking<S::Receiver>) {
        let (sender, receiver) = self.socket.split();
        (sender.into(), receiver.into())
    }

    /// The whole socket again.
    ///
    /// # Errors
    ///
    /// The halves belong to two different sockets. They come back.
    #[allow(clippy::result_large_err, reason = "the error is both arguments")]
    pub fn reunite(
        sender: Blocking<S::Sender>,
        receiver: Blocking<S::Receiver>,
    ) -> Result<Self, socket::ReuniteError<S::Sender, S::Receiver>> {
        S::reunite(sender.socket, receiver.socket).map(Blocking::from)
    }
}

macro_rules! sends_to {
    ($($router:ty)*) => {
        $(impl Blocking<$router> {
            /// Sends a message to the peer of this name.
            ///
            /// # Errors
            ///
            /// As the async socket's `send`. The message comes back.
            pub fn send_to(
                &mut self,
                peer: impl Into<RoutingId>,
                message: impl Into<zmtp::Message>,
            ) -> Result<(), SendError> {
                self.send((peer, message))
            }
        })*
    };
}
sends_to!(crate::RouterSocket socket::RouterSender);

/// A [`SharedSender`](crate::SharedSender) whose calls block: a sending socket, or half, that many threads feed.
pub struct SharedSender<S>(socket::SharedSender<S>);

impl<S> Clone for SharedSender<S> {
    fn clone(&self) -> Self {
        SharedSender(self.0.clone())
    }
}

impl<S> std::fmt::Debug for SharedSender<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<S: Feeding> SharedSender<S> {
    /// Sends a message as the socket does, in turn with the other handles.
    ///
    /// # Errors
    ///
    /// As the socket's own `send`. The message comes back.
    pub fn send(&self, message: impl Into<S::Sent>) -> Result<(), SendError> {
        wait(self.0.send(message))
    }

    /// Sends a message if that needs no waiting.
    ///
    /// # Errors
    ///
    /// As the socket's own `try_send`. The message comes back.
    pub fn try_send(&self, message: impl Into<S::Sent>) -> Result<(), TrySendError> {
        self.0.try_send(message)
    }

    /// Does something else with the socket. All senders wait meanwhile.
    pub fn with<T>(&self, job: impl FnOnce(&mut S) -> T) -> T {
        self.0.with(job)
    }

    /// The socket, if this is the only handle.
    ///
    /// # Errors
    ///
    /// There are other handles. This one comes back.
    pub fn try_into_inner(self) -> Result<Blocking<S>, Self>
    where
        S: Sealed,
    {
        match self.0.try_into_inner() {
            Ok(socket) => Ok(socket.into()),
            Err(shared) => Err(SharedSender(shared)),
        }
    }
}

// ---------------------------------------------------------------- the thread

/// Runs a future to its end on this thread, which parks while the future waits. For everything in this library
/// that is a future: it needs no runtime around it, if its socket's connections run on I/O threads.
#[inline]
pub fn wait<F: Future>(future: F) -> F::Output {
    let parker = PARKER.take().unwrap_or_else(Parker::new);
    let output = parker.wait(pin!(future));
    PARKER.set(Some(parker));
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
mod loom_tests;
