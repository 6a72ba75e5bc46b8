//! What can be wrong with a group, of RADIO and DISH.

use thiserror::Error;
use zmtp::SocketType;

/// The most bytes of a group's name (RFC 48).
const MOST: usize = 255;

/// `join` or `leave` failed, or a message is for a group that cannot be.
#[derive(Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GroupError {
    /// The name is too long.
    #[error("the name of a group has {length} bytes: 255 is the most")]
    TooLong {
        /// How long it is, in bytes.
        length: usize,
    },
    /// The name has a zero in it, at which it would end in libzmq.
    #[error("the name of a group has a zero in it")]
    Zero,
    /// The socket has joined the group before.
    #[error("the socket has joined this group already")]
    Joined,
    /// The socket has not joined the group.
    #[error("the socket has not joined this group")]
    NotJoined,
    /// Sockets of this type join no groups. Only an [`AnySocket`](crate::AnySocket) can be asked to.
    #[error("a {socket_type} socket joins no groups")]
    Unsupported {
        /// The socket's type.
        socket_type: SocketType,
    },
}

impl GroupError {
    /// Says whether a group may have this name.
    pub(crate) fn check(group: &[u8]) -> Result<(), Self> {
        if group.len() > MOST {
            return Err(GroupError::TooLong {
                length: group.len(),
            });
        }
        match group.contains(&0) {
            true => Err(GroupError::Zero),
            false => Ok(()),
        }
    }
}
