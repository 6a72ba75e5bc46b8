//! [`RoutingId`]: the name of a peer.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use zmtp::Frame;

/// The name by which a ROUTER knows one of its peers: any bytes.
///
/// It is what the peer has set as its `routing_id`, what [`RouterSocket::connect_as`] gave it, or five bytes
/// that the socket made up, of which the first is zero. Cheap to clone and to compare.
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
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoutingId(Frame);

impl RoutingId {
    /// The name of a peer without one of its own (R-ROUTER-2).
    pub(crate) fn generated(number: u32) -> Self {
        let mut id = [0; 5];
        id[1..].copy_from_slice(&number.to_be_bytes());
        RoutingId(Frame::from(id))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as a message's frame.
    pub fn into_frame(self) -> Frame {
        self.0
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
        &self.0
    }
}

impl AsRef<[u8]> for RoutingId {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for RoutingId {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl From<&RoutingId> for RoutingId {
    fn from(id: &RoutingId) -> Self {
        id.clone()
    }
}

impl From<RoutingId> for Frame {
    fn from(id: RoutingId) -> Self {
        id.0
    }
}

macro_rules! from_bytes {
    ($([$($param:tt)*] $type:ty),+ $(,)?) => {$(
        impl<$($param)*> From<$type> for RoutingId {
            fn from(id: $type) -> Self {
                RoutingId(Frame::from(id))
            }
        }
    )+};
}
from_bytes! {
    [] &str, [] String, [] &[u8], [] Vec<u8>, [] Bytes,
    [const N: usize] [u8; N], [const N: usize] &[u8; N],
}

impl From<Frame> for RoutingId {
    fn from(id: Frame) -> Self {
        RoutingId(id)
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
