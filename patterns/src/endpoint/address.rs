//! What stands after `scheme://`: any type of address, as an [`Endpoint`](super::Endpoint) holds it.
//!
//! An address type lives in the file of its transport, unless several share it: TCP's is also that of all that runs
//! over TCP.

use std::any::Any;
use std::fmt::{Debug, Display};
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;

use super::TcpEndpoint;

/// An address of some transport. [`Display`] gives the text that parses back to it.
pub(crate) trait Address: Comparable + Debug + Display + Send + Sync {
    /// Returns the host and port, if the transport runs over TCP.
    fn tcp(&self) -> Option<&TcpEndpoint> {
        None
    }

    /// Returns the port, if it has a definite one of TCP or UDP.
    fn port(&self) -> Option<u16> {
        self.tcp()?.port()
    }

    /// Returns whether it names one place to bind: no part of it is left to the system to choose.
    fn is_definite(&self) -> bool {
        true
    }

    /// Returns the same address at another host and port, if the transport runs over TCP.
    fn at(&self, _: SocketAddr) -> Option<Arc<dyn Address>> {
        None
    }
}

/// Compares values whose types are not known. Implemented for all that can be compared.
pub(crate) trait Comparable: Any {
    /// Says whether the other value is of the same type and equal.
    fn equals(&self, other: &dyn Any) -> bool;
    /// Feeds the value into a hasher.
    fn feed(&self, hasher: &mut dyn Hasher);
}

impl<T: Any + Eq + Hash> Comparable for T {
    fn equals(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<T>().is_some_and(|other| self == other)
    }

    fn feed(&self, mut hasher: &mut dyn Hasher) {
        self.hash(&mut hasher);
    }
}
