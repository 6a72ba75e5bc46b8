//! [`Poller`]: one thread that waits for several sockets.

use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::ops::{BitOr, Index, IndexMut};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use slab::Slab;

use super::{Socket, wait, wait_within};
use crate::core::{Access, Pattern};
use crate::rules::Capability;
use crate::sealed::Sealed;
use crate::socket::Direction;
use crate::sync::AtomicWaker;
use crate::sync::atomic::{AtomicBool, Ordering};

/// Waits for several sockets at once, on a thread that parks.
///
/// It owns its sockets, of any types: [`add`](Self::add) takes one and gives a key, by which it is used (`poller[key]`) and
/// taken out again. A socket is ready when its `recv`, or `send`, would not wait; also when that would fail at once, since it
/// is not the socket's turn to wait (REQ and REP count as ready only in their turn), or all of its endpoints are gone. What a
/// peer has sent counts before it is looked into: a malformed request makes a REP ready, and its `recv` waits then. So use
/// `try_recv` and `try_send`, or time limits.
///
/// ```
/// use std::time::Duration;
///
/// use purezmq::blocking::{Interest, Poller, PullSocket, PushSocket, SubSocket};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut work = PullSocket::new();
/// let endpoint = work.bind("tcp://127.0.0.1:*")?;
/// let mut source = PushSocket::new();
/// source.connect(&endpoint)?;
/// source.send("to do")?;
///
/// let mut poller = Poller::new();
/// let work = poller.add(work, Interest::READABLE);
/// let news = poller.add(SubSocket::new(), Interest::READABLE);
/// let ready = poller.wait(Duration::from_secs(10));
/// assert!(ready.iter().any(|one| one.is(work) && one.readable));
/// assert!(!ready.iter().any(|one| one.is(news)));
/// assert_eq!(poller[work].try_recv()?, "to do");
/// assert!(poller.wait(Duration::ZERO).is_empty());
/// let _work: PullSocket = poller.remove(work);
/// # Ok(())
/// # }
/// ```
///
/// Whoever is ready is told at each `wait` again, until what there is has been taken. Sockets take turns in being told
/// first, so that a loop that serves only the first is fair.
#[derive(Default)]
pub struct Poller {
    sockets: Slab<Entry>,
    /// Counts the sockets that were added, so that no key is another's.
    added: u64,
    /// Who is told first.
    turn: usize,
    alarm: Arc<Alarm>,
}

struct Entry {
    number: u64,
    socket: Box<dyn Pollable>,
    interest: Interest,
}

/// What of a socket a [`Poller`] waits for: `Interest::READABLE | Interest::WRITABLE` for both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Interest {
    readable: bool,
    writable: bool,
}

impl Interest {
    /// Nothing: the socket rests.
    pub const NONE: Interest = Interest {
        readable: false,
        writable: false,
    };
    /// That a message can be received. A socket that only sends never is.
    pub const READABLE: Interest = Interest {
        readable: true,
        writable: false,
    };
    /// That a message can be sent. A socket that only receives never is; one that drops what a peer has no room for always
    /// is.
    pub const WRITABLE: Interest = Interest {
        readable: false,
        writable: true,
    };
}

impl BitOr for Interest {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Interest {
            readable: self.readable || other.readable,
            writable: self.writable || other.writable,
        }
    }
}

/// A socket in a [`Poller`].
pub struct Key<S> {
    at: usize,
    number: u64,
    socket: PhantomData<fn() -> S>,
}

impl<S> Clone for Key<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Key<S> {}

impl<S> PartialEq for Key<S> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<S> Eq for Key<S> {}

impl<S> fmt::Debug for Key<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.number).finish()
    }
}

/// A socket that is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ready {
    number: u64,
    /// A message can be received. Only if that was asked for.
    pub readable: bool,
    /// A message can be sent. Only if that was asked for.
    pub writable: bool,
}

impl Ready {
    /// Returns whether it is the socket with this key.
    pub fn is<S>(&self, key: Key<S>) -> bool {
        self.number == key.number
    }
}

/// A blocking socket, or half, that a [`Poller`] can wait for. Sealed.
pub trait Pollable: Sealed + Any + Send {
    /// Says what of it is ready, of what is asked for; if nothing is, the task is woken when that changes.
    #[doc(hidden)]
    fn poll_ready(&mut self, cx: &mut Context<'_>, interest: Interest) -> Interest;
}

impl<P: Pattern, D: Direction> Pollable for Socket<P, D> {
    fn poll_ready(&mut self, cx: &mut Context<'_>, interest: Interest) -> Interest {
        let mut is_ready = |asked: bool, send: bool| {
            let handle = &mut self.inner().handle;
            asked
                && handle
                    .poll(cx, |core, cx| core.poll_ready(cx, send))
                    .is_ready()
        };
        Interest {
            readable: is_ready(interest.readable && D::RECEIVES && receives::<P>(), false),
            writable: is_ready(interest.writable && D::SENDS && sends::<P>(), true),
        }
    }
}

fn sends<P: Pattern>() -> bool {
    P::RULES.has(Capability::Sends)
}

fn receives<P: Pattern>() -> bool {
    P::RULES.has(Capability::Receives)
}

/// Ends a [`Poller`]'s wait from another thread. Made by [`Poller::alarm`]; cheap to clone.
#[derive(Clone, Debug)]
pub struct PollAlarm(Arc<Alarm>);

#[derive(Debug, Default)]
struct Alarm {
    is_rung: AtomicBool,
    waiting: AtomicWaker,
}

impl PollAlarm {
    /// Ends the wait that is under way, or the next one. Rings before that wait ends count as one.
    pub fn ring(&self) {
        self.0.is_rung.store(true, Ordering::Release);
        self.0.waiting.wake();
    }
}

impl Poller {
    /// Makes one without sockets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a socket, to wait for what is of interest.
    pub fn add<S: Pollable>(&mut self, socket: S, interest: Interest) -> Key<S> {
        self.added += 1;
        let number = self.added;
        let at = self.sockets.insert(Entry {
            number,
            socket: Box::new(socket),
            interest,
        });
        Key {
            at,
            number,
            socket: PhantomData,
        }
    }

    /// Changes what of a socket is waited for.
    ///
    /// # Panics
    ///
    /// The socket is not here any more.
    pub fn modify<S>(&mut self, key: Key<S>, interest: Interest) {
        self.entry_mut(key).interest = interest;
    }

    /// Gives a socket back.
    ///
    /// # Panics
    ///
    /// The socket is not here any more.
    pub fn remove<S: Pollable>(&mut self, key: Key<S>) -> S {
        self.entry_mut(key);
        let socket: Box<dyn Any> = self.sockets.remove(key.at).socket;
        *socket.downcast().expect("a key is of its socket's type")
    }

    /// Returns a socket. `None`: it is not here any more.
    pub fn get<S: Pollable>(&self, key: Key<S>) -> Option<&S> {
        let entry = self.sockets.get(key.at)?;
        let entry = (entry.number == key.number).then_some(entry)?;
        let socket: &dyn Any = &*entry.socket;
        socket.downcast_ref()
    }

    /// Returns a socket. `None`: it is not here any more.
    pub fn get_mut<S: Pollable>(&mut self, key: Key<S>) -> Option<&mut S> {
        let entry = self.sockets.get_mut(key.at)?;
        let entry = (entry.number == key.number).then_some(entry)?;
        let socket: &mut dyn Any = &mut *entry.socket;
        socket.downcast_mut()
    }

    fn entry_mut<S>(&mut self, key: Key<S>) -> &mut Entry {
        let entry = self.sockets.get_mut(key.at);
        let entry = entry.filter(|entry| entry.number == key.number);
        entry.expect("the socket was taken out of the poller")
    }

    /// Counts the sockets.
    pub fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Returns whether there are no sockets.
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// Returns what ends the wait from another thread.
    pub fn alarm(&self) -> PollAlarm {
        PollAlarm(self.alarm.clone())
    }

    /// Blocks until a socket is ready, and returns all that are. Nothing: the limit is over, or the [`alarm`](Self::alarm)
    /// was rung. A limit of zero looks once; `None` is no limit.
    pub fn wait(&mut self, limit: impl Into<Option<Duration>>) -> Vec<Ready> {
        let looking = poll_fn(|cx| self.look(cx));
        match limit.into() {
            Some(limit) => wait_within(limit, looking).unwrap_or_default(),
            None => wait(looking),
        }
    }

    fn look(&mut self, cx: &mut Context<'_>) -> Poll<Vec<Ready>> {
        self.alarm.waiting.register(cx.waker());
        let mut ready = Vec::new();
        for (at, entry) in &mut self.sockets {
            let Interest { readable, writable } = entry.socket.poll_ready(cx, entry.interest);
            if readable || writable {
                ready.push((
                    at,
                    Ready {
                        number: entry.number,
                        readable,
                        writable,
                    },
                ));
            }
        }
        let is_rung = self.alarm.is_rung.swap(false, Ordering::AcqRel);
        if ready.is_empty() && !is_rung {
            return Poll::Pending;
        }
        // Those whose turn it is, and those before them.
        let begin = ready.partition_point(|(at, _)| *at < self.turn);
        ready.rotate_left(begin);
        if let Some((first, _)) = ready.first() {
            self.turn = first + 1;
        }
        Poll::Ready(ready.into_iter().map(|(_, ready)| ready).collect())
    }
}

impl<S: Pollable> Index<Key<S>> for Poller {
    type Output = S;

    /// # Panics
    ///
    /// The socket is not here any more.
    fn index(&self, key: Key<S>) -> &S {
        self.get(key)
            .expect("the socket was taken out of the poller")
    }
}

impl<S: Pollable> IndexMut<Key<S>> for Poller {
    fn index_mut(&mut self, key: Key<S>) -> &mut S {
        self.get_mut(key)
            .expect("the socket was taken out of the poller")
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller")
            .field("sockets", &self.len())
            .finish_non_exhaustive()
    }
}
