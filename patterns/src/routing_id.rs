//!
//! [`RoutingId`] and [`PeerId`]: the name, or the number, of a peer, and whose it was when the socket heard of it.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering as Atomic};

use bytes::Bytes;
use zmtp::Frame;

/// The name by which a ROUTER knows one of its peers: any bytes.
///
/// It is what the peer has set as its `routing_id`, what [`RouterSocket::connect_as`] gave it, or five bytes
/// that the socket made up, of which the first is zero. Cheap to clone and to compare.
///
/// A name is the peer's who has it, and may be somebody else's later. One that a socket gives (with a message, say)
/// remembers whose it was: what is sent to it reaches that peer, or one that has come back as the same, and else nobody. One
/// that is made of bytes reaches whoever has the name, and so does [`name_only`](Self::name_only). That is no part of
/// the name: names are equal whose bytes are.
///
/// ```
/// use purezmq::RoutingId;
///
/// let id = RoutingId::from("worker 1");
/// assert_eq!(id, "worker 1");
/// assert_eq!(format!("{id:?}"), "\"worker 1\"");
/// ```
///
/// [`RouterSocket::connect_as`]: crate::RouterSocket::connect_as
#[derive(Clone, Default)]
pub struct RoutingId {
    name: Frame,
    whose: Identity,
}

/// Tells who is at the other end of a connection, as far as that can be told: a user or a key, and what the peer calls
/// itself (`peer.rs`). Two connections of one identity are of one peer, which has come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Identity(u64);

impl Identity {
    /// Whoever it is: nobody has come yet, or nobody in particular is meant.
    pub(crate) const ANY: Identity = Identity(0);
    /// Nothing is known: a peer without user, key and name.
    pub(crate) const UNTOLD: Identity = Identity(1);

    /// Makes the identity of who has these properties, and no other. Nobody can make properties to a given identity: it
    /// is a keyed hash, whose key is this process's own.
    pub(crate) fn of(properties: &[&[u8]]) -> Self {
        static KEY: OnceLock<RandomState> = OnceLock::new();
        let mut hasher = KEY.get_or_init(RandomState::new).build_hasher();
        for property in properties {
            hasher.write_usize(property.len());
            hasher.write(property);
        }
        Identity(hasher.finish().max(2))
    }

    /// Returns it as a number, to make another one of.
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    /// Makes an identity that no other connection has.
    pub(crate) fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Atomic::Relaxed);
        Self::of(&[b"connection", &number.to_le_bytes()])
    }
}

impl RoutingId {
    /// The name of a peer without one of its own ([R-ROUTER-2]).
    ///
    /// [R-ROUTER-2]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-router-2
    pub(crate) fn generated(number: u32) -> Self {
        let mut id = [0; 5];
        id[1..].copy_from_slice(&number.to_be_bytes());
        RoutingId::from(id)
    }

    /// Whether it may be one that a socket has made up.
    pub(crate) fn is_made_up(&self) -> bool {
        matches!(*self.as_slice(), [0, _, _, _, _])
    }

    /// The same name, of a certain peer.
    pub(crate) fn of(self, whose: Identity) -> Self {
        RoutingId { whose, ..self }
    }

    /// Whose it is.
    pub(crate) fn whose(&self) -> Identity {
        self.whose
    }

    /// The name, whoever has it: what is sent to it goes to a peer that has taken it since, too.
    #[must_use]
    pub fn name_only(&self) -> Self {
        self.clone().of(Identity::ANY)
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.name
    }

    /// The bytes as a message's frame.
    pub fn into_frame(self) -> Frame {
        self.name
    }
}

impl PartialEq for RoutingId {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for RoutingId {}

impl PartialOrd for RoutingId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RoutingId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(&other.name)
    }
}

impl Hash for RoutingId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for RoutingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

impl Deref for RoutingId {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.name
    }
}

impl AsRef<[u8]> for RoutingId {
    fn as_ref(&self) -> &[u8] {
        &self.name
    }
}

impl Borrow<[u8]> for RoutingId {
    fn borrow(&self) -> &[u8] {
        &self.name
    }
}

impl From<&RoutingId> for RoutingId {
    fn from(id: &RoutingId) -> Self {
        id.clone()
    }
}

impl From<RoutingId> for Frame {
    fn from(id: RoutingId) -> Self {
        id.name
    }
}

macro_rules! from_bytes {
    ($([$($param:tt)*] $type:ty),+ $(,)?) => {$(
        impl<$($param)*> From<$type> for RoutingId {
            fn from(id: $type) -> Self {
                RoutingId::from(Frame::from(id))
            }
        }
    )+};
}
from_bytes! {
    [] &str, [] String, [] &[u8], [] Vec<u8>, [] Bytes,
    [const N: usize] [u8; N], [const N: usize] &[u8; N],
}

impl From<Frame> for RoutingId {
    fn from(name: Frame) -> Self {
        RoutingId {
            name,
            whose: Identity::ANY,
        }
    }
}

macro_rules! equals_bytes {
    ($([$($param:tt)*] $type:ty),+ $(,)?) => {$(
        impl<$($param)*> PartialEq<$type> for RoutingId {
            fn eq(&self, other: &$type) -> bool {
                self.as_slice() == AsRef::<[u8]>::as_ref(other)
            }
        }
    )+};
}
equals_bytes! {
    [] str, [] &str, [] [u8], [] &[u8], [] Vec<u8>,
    [const N: usize] [u8; N], [const N: usize] &[u8; N],
}

/// The number by which a SERVER or PEER socket knows one of its peers. In libzmq: `zmq_msg_routing_id`.
///
/// The socket makes it up when the peer comes, whatever the peer calls itself; a peer that it is connected to keeps its
/// number when the connection comes back. Zero is nobody's.
///
/// Like a [`RoutingId`], one that a message came with remembers whose it was: an answer to it reaches that peer, or one
/// that has come back as the same, and else nobody. One that is made of a number reaches whoever has that. This is no
/// part of the number: ids are equal whose numbers are.
///
/// ```
/// use purezmq::PeerId;
///
/// let id = PeerId::from(7);
/// assert_eq!(id.number(), 7);
/// assert_eq!(id.to_string(), "7");
/// assert_eq!(PeerId::default(), PeerId::from(0));
/// ```
#[derive(Clone, Copy, Default)]
pub struct PeerId {
    number: u32,
    whose: Identity,
}

impl PeerId {
    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.number
    }

    /// The number that a socket has made up as a name. `None`: it is another name.
    pub(crate) fn of(name: &RoutingId) -> Option<Self> {
        let [0, number @ ..] = name.as_slice() else {
            return None;
        };
        Some(PeerId {
            number: u32::from_be_bytes(number.try_into().ok()?),
            whose: name.whose(),
        })
    }

    /// The same as a name, as sockets keep it.
    pub(crate) fn name(self) -> RoutingId {
        RoutingId::generated(self.number).of(self.whose)
    }
}

impl PartialEq for PeerId {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for PeerId {}

impl PartialOrd for PeerId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PeerId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.number.cmp(&other.number)
    }
}

impl Hash for PeerId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

impl From<u32> for PeerId {
    fn from(number: u32) -> Self {
        PeerId {
            number,
            whose: Identity::ANY,
        }
    }
}

impl From<&PeerId> for PeerId {
    fn from(id: &PeerId) -> Self {
        *id
    }
}
