//! Messages to groups: a topic matches if it is all of the first frame, and not a prefix of it. Used by RADIO.

use zmtp::Message;

use super::FanOut;

impl FanOut {
    /// Sends the message to all who have a topic that is all of its first frame. `false`: as of `send`.
    pub(crate) fn send_whole(&mut self, message: &mut Message) -> bool {
        self.matching.clear();
        let topic = self.topics.find(message.first().unwrap_or_default());
        if let Some(topic) = topic {
            let slots = self.topics.value_mut(topic);
            self.matching.extend_from_slice(slots);
        }
        self.send_to_matching(message)
    }
}
