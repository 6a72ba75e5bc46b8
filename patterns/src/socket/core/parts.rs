//! The two directions of a socket apart, and together again.

use std::sync::Arc;

use super::Core;
use super::notes::Notes;
use crate::pipe::Origin;
use crate::routing::{Absent, RecvStrategy, SendStrategy};
use crate::socket::endpoint_table::{EndpointTable, Left};
use crate::state::Shared;

impl<S: SendStrategy, R: RecvStrategy> Core<S, R> {
    /// The two directions apart, each with what it needs of the socket. The endpoints are shared.
    pub(crate) fn split(mut self) -> (Core<S, Absent>, Core<Absent, R>) {
        let sender = Core::of(
            self.life.clone(),
            self.shared.clone(),
            std::mem::take(&mut self.sender),
            Absent,
            self.last_endpoint.clone(),
        );
        let receiver = Core::of(
            self.life.clone(),
            self.shared.clone(),
            Absent,
            std::mem::take(&mut self.receiver),
            self.last_endpoint.take(),
        );
        (sender, receiver)
    }
}

impl<S: SendStrategy> Core<S, Absent> {
    /// The whole again. The halves come back if they are of two sockets.
    #[allow(clippy::result_large_err, reason = "the error is both arguments")]
    pub(crate) fn unsplit<R: RecvStrategy>(
        mut self,
        mut receiver: Core<Absent, R>,
    ) -> Result<Core<S, R>, (Self, Core<Absent, R>)> {
        if !Arc::ptr_eq(&self.life, &receiver.life) {
            return Err((self, receiver));
        }
        (self.rejoined, receiver.rejoined) = (true, true);
        let whole = Core::of(
            self.life.clone(),
            self.shared.clone(),
            std::mem::take(&mut self.sender),
            std::mem::take(&mut receiver.receiver),
            self.last_endpoint.take(),
        );
        Ok(whole)
    }
}

impl<S: SendStrategy, R: RecvStrategy> Drop for Core<S, R> {
    fn drop(&mut self) {
        // A half leaves its pipes to the other one, whose connections end with them. The last handle ends the
        // endpoints, and then the pipes; their sessions linger in the background.
        if (S::ABSENT || R::ABSENT) && !self.rejoined {
            self.life.keep(Half {
                sender: std::mem::take(&mut self.sender),
                receiver: std::mem::take(&mut self.receiver),
                shared: self.shared.clone(),
            });
        }
    }
}

/// What is left of a dropped half.
struct Half<S, R> {
    sender: S,
    receiver: R,
    shared: Shared,
}

impl<S: SendStrategy, R: RecvStrategy> Left for Half<S, R> {
    fn detach(&mut self, life: &EndpointTable, origin: Origin) {
        let (sender, receiver) = (&mut self.sender, &mut self.receiver);
        Notes::default().read(life, &self.shared, sender, receiver);
        sender.detach(origin);
        receiver.detach(origin);
    }
}
