//! Messages to groups: a topic matches if it is all of the first frame, and not a prefix of it. What goes out in datagrams
//! goes to whoever hears it, which nobody says. Used by RADIO.

use zmtp::Message;

use super::FanOut;
use crate::pipe::Origin;

impl FanOut {
    /// Sends the message to all who have a topic that is all of its first frame, and to those who say nothing. `false`: as of
    /// `send`.
    pub(crate) fn send_whole(&mut self, message: &mut Message) -> bool {
        self.turn += 1;
        self.matching.clear();
        let topic = self.topics.find(message.first().unwrap_or_default());
        if let Some(topic) = topic {
            let slots = self.topics.value_mut(topic);
            self.matching.extend_from_slice(slots);
        }
        self.matching.extend_from_slice(&self.unasked);
        self.send_to_matching(message)
    }

    /// Says whether messages go out in datagrams, too.
    #[inline]
    pub(crate) fn has_datagrams(&self) -> bool {
        !self.unasked.is_empty()
    }

    /// Notes who has got a slot and will never say what it wants.
    pub(super) fn note_unasked(&mut self, slot: u32, origin: Origin) {
        if origin.has_datagrams() {
            self.unasked.push(slot);
        }
    }
}
