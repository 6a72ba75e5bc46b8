//! An [`AnySocket`] that is asked and does not wait: for programs, and libraries of other languages, whose waiting is their
//! own.

use std::task::{Poll, Waker};

use zmtp::Message;

use super::AnySocket;
use crate::error::{RecvError, SendError};
use crate::socket::{LentStream, PeerChange};

impl AnySocket {
    /// Has a waker woken whenever the socket may have become able to do what it could not when it was tried or asked last:
    /// connections have come, gone, sent something or made room, or the context is closed. It stays, and is woken by I/O
    /// threads: it should be quick, and call nothing of this socket. There is one at a time; `None` takes it away.
    ///
    /// This is for programs with a wait of their own, such as one for file descriptors: try, and if that fails, wait for
    /// the waker, then try again. Beside it, the socket's futures work as always.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    /// use std::task::{Wake, Waker};
    /// use std::thread::{self, Thread};
    ///
    /// use purezmq::{AnySocket, Context, RecvError, SocketType};
    ///
    /// struct Unpark(Thread);
    ///
    /// impl Wake for Unpark {
    ///     fn wake(self: Arc<Self>) {
    ///         self.0.unpark();
    ///     }
    /// }
    ///
    /// let context = Context::with_io_threads(1)?;
    /// let mut pull = AnySocket::new(SocketType::Pull, &context)?;
    /// let endpoint = purezmq::blocking::wait(pull.bind("tcp://127.0.0.1:*"))?;
    /// let mut push = AnySocket::new(SocketType::Push, &context)?;
    /// push.connect(&endpoint)?;
    /// push.try_send("work")?;
    ///
    /// let waker = Waker::from(Arc::new(Unpark(thread::current())));
    /// pull.watch(Some(&waker));
    /// while !pull.is_readable() {
    ///     thread::park();
    /// }
    /// assert_eq!(pull.try_recv()?, "work");
    /// assert_eq!(pull.try_recv(), Err(RecvError::Empty));
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch(&mut self, waker: Option<&Waker>) {
        self.0.watch(waker);
    }

    /// Lends the stream of the socket's only connection to the thread that is about to wait for its next message. The thread
    /// waits, by poll(2), until that is readable, and [reads](LentStream::read) what has come: so a message need not come by
    /// way of an I/O thread, which costs a wake-up and a switch of threads.
    ///
    /// `None`: it is not worth it, and the waker of [`watch`](Self::watch) says when to try again. It is while messages come
    /// one by one, closely after each other, by tcp or ipc. Ask before each wait, and be watchful meanwhile: the stream goes
    /// back to its I/O thread when nobody has read it for some milliseconds, and when messages come closer.
    ///
    /// ```
    /// use purezmq::options::Options;
    /// use purezmq::{AnySocket, Context, SocketType};
    ///
    /// let context = Context::with_io_threads(1)?;
    /// let options = Options::of(SocketType::Rep);
    /// let mut rep = AnySocket::with_options(SocketType::Rep, &context, options)?;
    /// assert!(rep.lend().is_none(), "nothing has come");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lend(&mut self) -> Option<LentStream> {
        self.0.lend()
    }

    /// Has a stream that is lent go back to its I/O thread at once: nobody waits for it from here on.
    pub fn give_back(&mut self) {
        self.0.give_back();
    }

    /// Returns whether `recv` would not wait: there is a message, or the call would fail. What a peer has sent counts before
    /// it is looked into. A socket that does not receive never is.
    pub fn is_readable(&mut self) -> bool {
        self.0.is_readable()
    }

    /// Returns whether `send` would not wait, as far as that can be said of any message. One whose turn it is not, and one
    /// that does not send, never is.
    pub fn is_writable(&mut self) -> bool {
        self.0.is_writable()
    }

    /// Sends a message if that needs no waiting. Pending: it would have to wait, and `message` is as it was.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send), but for a socket that is full.
    pub fn send_now(&mut self, message: &mut Message) -> Poll<Result<(), SendError>> {
        self.0.send_now(message)
    }

    /// Receives the next message, if one is there, and says whether it is one: what a ROUTER or STREAM tells of its peers looks
    /// like a message in libzmq's form.
    ///
    /// # Errors
    ///
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_change(&mut self) -> Result<(Message, Option<PeerChange>), RecvError> {
        self.0.try_recv_change()
    }

    /// Says whether a message that begins with this frame would be taken now, as far as that one tells: of a ROUTER with
    /// `mandatory`, and of a STREAM, it names the peer. For programs that give their messages frame by frame.
    ///
    /// # Errors
    ///
    /// Those with which [`try_send`](Self::try_send) would refuse it, without a message.
    pub fn begin_now(&mut self, first: &[u8]) -> Poll<Result<(), SendError>> {
        self.0.begin_now(first)
    }

    /// Returns whether the peer with this routing id could be given a message now, by a ROUTER or STREAM. `None`: there is
    /// no such peer.
    pub fn has_room_for(&mut self, peer: impl AsRef<[u8]>) -> Option<bool> {
        self.0.has_room_for(peer.as_ref())
    }
}
