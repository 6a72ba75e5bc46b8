//! What a socket is asked, and told to try, by whoever waits in another way than by a future: [`AnySocket`]'s calls that
//! do not wait, for a program that has to wait for other things as well.
//!
//! [`AnySocket`]: crate::AnySocket

use std::task::{Poll, Waker};

use super::calls::Attempt;
use super::pattern::send_error;
use super::{Core, Pattern, Refusal};
use crate::error::SendError;
use crate::rules::Capability;

impl<P: Pattern> Core<P> {
    /// Has a waker woken by all that connections have to tell from now on. `None`: no longer.
    pub(crate) fn watch(&self, waker: Option<&Waker>) {
        self.writers.watch(waker.cloned());
        self.readers.watch(waker.cloned());
    }

    /// Returns whether `recv` would not wait now.
    pub(crate) fn is_readable_now(&mut self) -> bool {
        P::RULES.has(Capability::Receives) && self.is_now(P::is_readable)
    }

    /// Returns whether `send` would not wait now.
    pub(crate) fn is_writable_now(&mut self) -> bool {
        P::RULES.has(Capability::Sends) && self.is_now(P::is_writable)
    }

    fn is_now(&mut self, is_so: fn(&mut Self) -> bool) -> bool {
        self.try_now(|core| ready(is_so(core))).is_ready()
    }

    /// Says whether a message that begins with this frame would be taken now.
    pub(crate) fn begin_now(&mut self, first: &[u8]) -> Poll<Result<(), SendError>> {
        let begun = match P::RULES.has(Capability::Sends) {
            true => self.try_now(|core| P::begins(core, first)),
            false => Poll::Ready(Err(Refusal::Unsupported)),
        };
        begun.map_err(|refusal| send_error::<P>(refusal, P::Sent::default()))
    }

    /// Says whether the peer of this name has room. `None`: there is no such peer.
    pub(crate) fn has_room_for(&mut self, peer: &[u8]) -> Option<bool> {
        self.read_events();
        P::has_room_for(self, peer)
    }
}

fn ready(is_ready: bool) -> Attempt<()> {
    match is_ready {
        true => Poll::Ready(Ok(())),
        false => Poll::Pending,
    }
}
