//! What a socket would do without waiting, and the descriptor that says when to ask again.

use std::ffi::{c_int, c_short};
use std::sync::Arc;

use purezmq::SocketType;

use super::frames::is_strict;
use super::{Open, Socket, is_thread_safe};
use crate::bell::Bell;
use crate::errno::{EINVAL, Result, fail};

pub(crate) const POLLIN: c_short = 1;
pub(crate) const POLLOUT: c_short = 2;
pub(crate) const POLLERR: c_short = 4;
pub(crate) const POLLPRI: c_short = 8;

impl Socket {
    /// Returns what of it is ready, of what is asked for.
    pub(crate) fn ready(&self, asked: c_short) -> Result<c_short> {
        Ok(self.look()?.ready(self.socket_type, asked))
    }

    /// Returns the descriptor that becomes readable when something has happened to it.
    pub(crate) fn fd(&self) -> Result<c_int> {
        if is_thread_safe(self.socket_type) {
            return fail(EINVAL);
        }
        if let Some(fd) = self.fd.get() {
            return Ok(fd.fd());
        }
        let bell = Bell::new()?;
        self.enter()?.socket.give_back();
        let known = self.fd.get_or_init(|| bell.clone());
        if Arc::ptr_eq(known, &bell) {
            self.watch.add(bell.clone());
            // What has happened before was told to nobody.
            bell.ring();
        }
        Ok(known.fd())
    }
}

impl Open {
    pub(crate) fn ready(&mut self, socket_type: SocketType, asked: c_short) -> c_short {
        let mut ready = 0;
        if asked & POLLIN != 0 && self.is_readable() {
            ready |= POLLIN;
        }
        if asked & POLLOUT != 0 && self.is_writable(socket_type) {
            ready |= POLLOUT;
        }
        ready
    }

    pub(crate) fn is_readable(&mut self) -> bool {
        // Who waits in another way than for its messages does not read them.
        self.socket.give_back();
        self.incoming.is_some() || self.has_next()
    }

    pub(crate) fn is_writable(&mut self, socket_type: SocketType) -> bool {
        if self.incoming.is_some() && is_strict(socket_type) {
            return false;
        }
        // A DISH is said to take what it cannot be given, as in libzmq: it can be told to join a group.
        self.outgoing.is_some() || socket_type == SocketType::Dish || self.socket.is_writable()
    }
}
