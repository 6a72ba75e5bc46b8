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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use crate::engine::{Config, Connection, Engine, Event};
    use crate::socket_type::SocketType;

    /// A PUSH and a PULL that have shaken hands, of which each has announced the commands or not.
    fn pair(announced: [bool; 2]) -> [Connection; 2] {
        let now = Instant::now();
        let kinds = [SocketType::Push, SocketType::Pull];
        let mut index = 0;
        let mut sides = kinds.map(|kind| {
            let mut config = Config::new(kind);
            config.drain = announced[index];
            index += 1;
            Connection::new(config, now)
        });
        while !sides.iter().all(Connection::is_ready) {
            exchange(&mut sides);
        }
        for side in &mut sides {
            let Some(Event::Ready(info)) = side.poll_event() else {
                panic!("it is ready");
            };
            assert_eq!(info.properties.get("X-Drain"), None, "it is the engine's");
        }
        sides
    }

    fn exchange(sides: &mut [Connection; 2]) {
        let [one, other] = sides;
        let now = Instant::now();
        let bytes = one.control().split();
        other.feed(&bytes, now).unwrap();
        let bytes = other.control().split();
        one.feed(&bytes, now).unwrap();
    }

    #[test]
    fn it_is_said_and_answered() {
        let mut sides = pair([true, true]);
        assert!(sides[1].drain());
        assert_eq!(&sides[1].control()[..], b"\x04\x06\x05DRAIN");
        exchange(&mut sides);
        assert!(sides[0].has_event());
        assert_eq!(sides[0].poll_event(), Some(Event::Drain));
        assert_eq!(sides[0].poll_event(), None);
        sides[0].drained();
        assert_eq!(&sides[0].control()[..], b"\x04\x08\x07DRAINED");
        exchange(&mut sides);
        assert_eq!(sides[1].poll_event(), Some(Event::Drained));
        assert!(!sides[1].has_event());
    }

    #[test]
    fn it_is_not_said_to_who_has_not_announced_it_nor_heard_of_them() {
        for announced in [[true, false], [false, true], [false, false]] {
            let mut sides = pair(announced);
            let now = Instant::now();
            for side in &mut sides {
                assert!(!side.drain());
                side.drained();
                assert!(side.control().is_empty(), "{announced:?}");
                side.feed(b"\x04\x06\x05DRAIN\x04\x08\x07DRAINED", now)
                    .unwrap();
                assert_eq!(side.poll_event(), None, "{announced:?}");
            }
        }
    }
}
