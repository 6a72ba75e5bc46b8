//! What can be wrong with a datagram that is to be sent, of RADIO and DGRAM.

use std::fmt;
use std::net::SocketAddr;

use thiserror::Error;

/// A message cannot go out as a datagram.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DatagramError {
    /// It is larger than a datagram can be. Divide it, or send it by TCP.
    #[error("a datagram has at most {limit} bytes, and this one would have {size}")]
    TooLarge {
        /// How many bytes it would have; of a RADIO with its group and the length of that.
        size: usize,
        /// How many it may have.
        limit: usize,
    },
    /// Whom it is for, is no address and port. Only an [`AnySocket`](crate::AnySocket) can be given one.
    #[error("{address:?} is no address and port, such as 127.0.0.1:5555 or [::1]:5555")]
    NoAddress {
        /// The first frame, as text.
        address: String,
    },
    /// Whom it is for, is an address at which nobody can be: it has the port 0.
    #[error("nothing can be sent to {address}: it has no port")]
    NoPort {
        /// The address.
        address: SocketAddr,
    },
}

impl fmt::Debug for DatagramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl DatagramError {
    /// Says whether so many bytes fit into a datagram.
    pub(crate) fn check(size: usize) -> Result<(), Self> {
        let limit = zmtp::datagram::LARGEST;
        match size > limit {
            true => Err(DatagramError::TooLarge { size, limit }),
            false => Ok(()),
        }
    }
}
