//! [`Socket`]: a socket, as C knows it. It is an [`AnySocket`], with the frames of the messages that are under way, and who is
//! to be woken.
//!
//! Each call takes the lock for one attempt, and waits without it: so several threads may use a socket at once where libzmq
//! allows it, and where it does not, nothing worse happens than that frames get mixed up.
//!
//! ```text
//! endpoints.rs   bind, connect, and their ends
//! frames.rs      messages frame by frame
//! ready.rs       what would not wait, and ZMQ_FD
//! functions.rs   what C does with sockets
//! iov.rs         messages as lists of memory
//! ```

mod endpoints;
pub(crate) mod frames;
pub(crate) mod functions;
mod iov;
pub(crate) mod ready;

use std::ffi::c_int;
use std::sync::{Arc, OnceLock};

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use purezmq::{AnySocket, Frame, Message, SocketType};

use self::frames::Incoming;
use crate::bell::{Bell, Watch};
use crate::context::{Ctx, Entry};
use crate::errno::{EINVAL, ENOTSOCK, ETERM, Errno, Result, fail};
use crate::handles::{Handles, Memory, Remembered, empty};
use crate::monitor::Monitoring;
use crate::options::{self, ROUTER_RAW, Settings};

pub(crate) static SOCKETS: Handles<Socket> = Handles::new(ENOTSOCK);

thread_local! {
    static MEMORY: Memory<Socket> = const { empty() };
}

impl Remembered for Socket {
    fn memory<R>(with: impl FnOnce(&Memory<Self>) -> R) -> Option<R> {
        MEMORY.try_with(with).ok()
    }
}

/// The socket types in the order of their numbers, and from where on they are drafts.
const TYPES: [SocketType; 21] = {
    use SocketType::*;
    [
        Pair, Pub, Sub, Req, Rep, Dealer, Router, Pull, Push, XPub, XSub, Stream, Server, Client,
        Radio, Dish, Gather, Scatter, Dgram, Peer, Channel,
    ]
};
const FIRST_DRAFT: usize = 12;

/// Returns the type of a number.
pub(crate) fn type_of(number: c_int) -> Result<SocketType> {
    let most = if cfg!(feature = "draft") {
        TYPES.len()
    } else {
        FIRST_DRAFT
    };
    let number = usize::try_from(number).map_err(|_| Errno(EINVAL))?;
    match TYPES.get(number) {
        Some(socket_type) if number < most => Ok(*socket_type),
        _ => fail(EINVAL),
    }
}

/// Returns the number of a type.
pub(crate) fn number_of(socket_type: SocketType) -> c_int {
    let number = TYPES.iter().position(|one| *one == socket_type);
    number.map_or(-1, |number| number as c_int)
}

/// Returns whether several threads may use sockets of a type at once. Their messages have one frame.
pub(crate) fn is_thread_safe(socket_type: SocketType) -> bool {
    use SocketType::*;
    matches!(
        socket_type,
        Server | Client | Radio | Dish | Gather | Scatter | Peer | Channel
    )
}

/// A socket, behind its handle.
pub(crate) struct Socket {
    pub(crate) socket_type: SocketType,
    /// Rings when something has happened to it.
    pub(crate) watch: Arc<Watch>,
    /// What `ZMQ_FD` is, once it was asked for.
    fd: OnceLock<Arc<Bell>>,
    /// Nothing, once it was closed.
    open: Mutex<Option<Open>>,
}

/// What there is of a socket until it is closed.
pub(crate) struct Open {
    // Dropped first: the context waits for it.
    pub(crate) socket: AnySocket,
    pub(crate) settings: Settings,
    /// The frames of a message that is not complete.
    outgoing: Option<Message>,
    /// The frames of the message that is read.
    incoming: Option<Incoming>,
    /// The frame that was received last is not the last of its message.
    has_more: bool,
    /// The peers whose connections a STREAM has closed: it hears nothing more of them.
    dismissed: Vec<Frame>,
    /// Which changes of its peers a ROUTER tells of, in libzmq's bits.
    pub(crate) notify: c_int,
    /// A message that has come while such were passed over.
    next: Option<Message>,
    pub(crate) monitoring: Option<Monitoring>,
    /// It is bound where ZAP handlers are.
    serves_zap: bool,
    pub(crate) entry: Entry,
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.serves_zap {
            self.entry.0.zap.left();
        }
    }
}

impl Socket {
    /// Makes one.
    pub(crate) fn new(ctx: &Arc<Ctx>, socket_type: SocketType) -> Result<Arc<Self>> {
        let ((mut socket, settings), entry) = ctx.open(|context, of_context| {
            let settings = Settings::new(socket_type, of_context);
            let options = settings.options(socket_type)?;
            let socket = AnySocket::with_options(socket_type, context, options);
            match socket {
                Ok(socket) => Ok((socket, settings)),
                Err(_) if context.is_closed() => fail(ETERM),
                Err(_) => fail(EINVAL),
            }
        })?;
        let watch = Arc::<Watch>::default();
        socket.watch(Some(&watch.waker()));
        Ok(Arc::new(Socket {
            socket_type,
            watch,
            fd: OnceLock::new(),
            open: Mutex::new(Some(Open {
                socket,
                settings,
                outgoing: None,
                incoming: None,
                has_more: false,
                dismissed: Vec::new(),
                notify: 0,
                next: None,
                monitoring: None,
                serves_zap: false,
                entry,
            })),
        }))
    }

    /// Lends what there is of it.
    #[inline]
    pub(crate) fn enter(&self) -> Result<MappedMutexGuard<'_, Open>> {
        let open = self.enter_ended()?;
        if open.entry.0.is_terminated() {
            return fail(ETERM);
        }
        Ok(open)
    }

    /// Lends it to who sends, receives, or asks what is ready: what has happened is seen to by that, and what happens from
    /// now on rings again. Other calls leave `ZMQ_FD` as it is, since nobody might look otherwise.
    #[inline]
    pub(crate) fn look(&self) -> Result<MappedMutexGuard<'_, Open>> {
        let open = self.enter()?;
        if let Some(fd) = self.fd.get() {
            fd.silence();
        }
        Ok(open)
    }

    /// Lends it, whatever has become of its context.
    pub(crate) fn enter_ended(&self) -> Result<MappedMutexGuard<'_, Open>> {
        MutexGuard::try_map(self.open.lock(), Option::as_mut).map_err(|_| Errno(ENOTSOCK))
    }

    /// Has a ROUTER talk to peers that speak no protocol, or to others again (`ZMQ_ROUTER_RAW`): what a socket speaks goes
    /// with its type, so one of the other type is made in its place, unless it has been used.
    pub(crate) fn speak(&self, open: &mut Open) -> Result<()> {
        let is_raw = open.settings.int(ROUTER_RAW) != 0;
        let socket_type = match (self.socket_type, is_raw) {
            (SocketType::Router, true) => SocketType::Stream,
            (_, false) => self.socket_type,
            _ => return fail(EINVAL),
        };
        if open.socket.socket_type() == socket_type {
            return Ok(());
        }
        if !open.settings.last_endpoint.is_empty() || open.monitoring.is_some() {
            return fail(EINVAL);
        }
        let context = open.entry.0.context()?;
        let options = open.settings.options(socket_type)?;
        let made = AnySocket::with_options(socket_type, &context, options);
        let mut socket = made.map_err(|_| Errno(ETERM))?;
        socket.watch(Some(&self.watch.waker()));
        open.socket = socket;
        options::apply_all(open)
    }

    /// Closes it. What was sent lingers.
    fn close(&self) -> Result<()> {
        let open = self.open.lock().take();
        let Some(mut open) = open else {
            return fail(ENOTSOCK);
        };
        if open.entry.0.is_inherited() {
            // Its threads and connections are the parent's.
            std::mem::forget(open);
            return Ok(());
        }
        let monitoring = open.monitoring.take();
        let entry = Entry::again(&open.entry);
        drop(open);
        if let Some(monitoring) = monitoring {
            monitoring.conclude();
        }
        drop(entry);
        // Whoever waits for it in another thread looks again.
        self.watch.ring();
        Ok(())
    }
}
