//! DRAIN and DRAINED: what the peer has said of the work that it takes and gives (`wire/command.rs`).
//!
//! ```text
//! READY ... X-Drain=1 ...     both sides understand, or neither says the commands
//! A: 04 06 05 "DRAIN"         A takes no new work
//! B: messages, the last ones; 04 08 07 "DRAINED"
//! A: answers, and the end
//! ```

use super::Event;

/// What has been heard. Each is told once.
#[derive(Debug, Default)]
pub(super) struct Draining {
    /// Both sides have announced the commands.
    pub(super) is_understood: bool,
    pub(super) hears_drain: bool,
    pub(super) hears_drained: bool,
}

impl Draining {
    pub(super) fn has_event(&self) -> bool {
        self.hears_drain || self.hears_drained
    }

    /// Takes the next event, if there is one.
    pub(super) fn poll_event(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.hears_drain) {
            return Some(Event::Drain);
        }
        std::mem::take(&mut self.hears_drained).then_some(Event::Drained)
    }
}
