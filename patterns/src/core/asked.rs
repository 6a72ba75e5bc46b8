//! What a socket is asked, and told to try, by whoever waits in another way than by a future: [`AnySocket`]'s calls that
//! do not wait, for a program that has to wait for other things as well.
//!
//! [`AnySocket`]: crate::AnySocket

use std::task::{Poll, Waker};

use super::calls::Attempt;
use super::pattern::send_error;
use super::{Core, Pattern, Refusal};
use crate::error::SendError;
use crate::pipe::{LentStream, PipeReader};
use crate::routing::RecvStrategy;
use crate::rules::Capability;

impl<P: Pattern> Core<P> {
    /// Has a waker woken by all that connections have to tell from now on. `None`: no longer.
    pub(crate) fn watch(&self, waker: Option<&Waker>) {
        self.writers.watch(waker.cloned());
        self.readers.watch(waker.cloned());
    }

    /// Lends the stream of the only connection, if that is worth it, or has done so.
    pub(crate) fn lend(&mut self) -> Option<LentStream> {
        let mut readers = self.receiver.readers();
        let lent = match (readers.next(), readers.next()) {
            (Some(only), None) => only.lend(),
            _ => None,
        };
        drop(readers);
        if lent.is_none() && self.is_lent {
            self.give_back();
        }
        self.is_lent = lent.is_some();
        self.is_at_stream = self.is_lent;
        lent
    }

    /// Notes that nobody waits at the stream at the moment.
    #[cfg_attr(
        any(not(target_os = "linux"), purezmq_loom),
        allow(dead_code, reason = "blocking calls do not wait there")
    )]
    pub(crate) fn leave_stream(&mut self) {
        self.is_at_stream = false;
    }

    /// Gives back a stream that is lent, unless that is what is waited for.
    #[inline]
    pub(super) fn wait_elsewhere(&mut self) {
        if self.is_lent && !self.is_at_stream {
            self.give_back();
        }
    }

    /// Gives back a stream that is lent: nobody waits for it.
    #[cold]
    pub(crate) fn give_back(&mut self) {
        if std::mem::take(&mut self.is_lent) {
            for connection in self.receiver.readers().filter_map(PipeReader::connection) {
                connection.want_back();
            }
        }
    }

    /// Returns whether a stream is lent.
    #[cfg_attr(
        any(not(target_os = "linux"), purezmq_loom),
        allow(dead_code, reason = "blocking calls do not wait there")
    )]
    #[inline]
    pub(crate) fn has_lent(&self) -> bool {
        self.is_lent
    }

    /// Returns whether `recv` would not wait now.
    pub(crate) fn is_readable_now(&mut self) -> bool {
        self.wait_elsewhere();
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
