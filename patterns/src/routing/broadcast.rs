//! Broadcast: the same to all peers. Used by SUB and XSUB for their subscriptions, and by XSUB for messages.
//! Also keeps the writers of a socket that never sends (PULL), so that its sessions live as long as it.

use zmtp::{Batch, Message};

use super::SendStrategy;
use super::encode_once::EncodeOnce;
use super::origins::Origins;
use super::row::Row;
use crate::pipe::{Origin, PipeId, PipeWriter};

/// All pipes of the socket.
#[derive(Default)]
pub struct Broadcast {
    pipes: Row<PipeWriter>,
    origins: Origins,
    /// The message in hand, encoded. Kept for its buffer.
    encoded: Batch,
}

impl Broadcast {
    /// Tells a change of the subscriptions to every live connection. The others begin with the whole set.
    pub(crate) fn tell(&mut self, change: &Message) {
        for writer in self.pipes.iter_mut() {
            writer.push_if_live(change);
        }
    }

    /// Sends a message to all peers. What does not fit is dropped for that peer alone.
    pub(crate) fn send(&mut self, message: &mut Message) {
        let mut copies = EncodeOnce::new(message, self.pipes.len(), &mut self.encoded);
        for writer in self.pipes.iter_mut() {
            if copies.push(writer).is_err() {
                writer.count_dropped();
            }
        }
        self.encoded.clear();
    }
}

impl SendStrategy for Broadcast {
    /// Each call is for all of them.
    const SHARES: usize = 1;

    fn attach(&mut self, writer: PipeWriter) {
        self.origins.insert(&writer);
        self.pipes.push(writer);
    }

    fn changed(&mut self, _: PipeId) {}

    fn ended(&mut self, id: PipeId) {
        if let Some(writer) = self.pipes.remove(id) {
            self.origins.remove(&writer);
        }
    }

    fn detach(&mut self, origin: Origin) {
        for id in self.origins.take(origin) {
            self.pipes.remove(id);
        }
    }

    fn into_writers(self) -> impl Iterator<Item = PipeWriter> {
        self.pipes.into_ends().into_iter()
    }
}
