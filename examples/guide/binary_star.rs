//! Binary star: which of two servers serves. Each tells the other its state all the time, and moves by what it hears of the
//! other, and of clients; nothing else. No I/O here: binary_star_server has it.
//!
//! ```text
//!   primary ── the other one is a backup, or silent when a client asks ──► active
//!   primary, backup ── the other one is active ──► passive
//!   passive ── the other one begins anew, or is silent when a client asks ──► active
//! ```

use std::fmt;

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The one that serves when both are well, at its start: it waits for the other, or for a client.
    Primary,
    /// The other one, at its start: it waits for the primary.
    Backup,
    /// It serves.
    Active,
    /// It stands by.
    Passive,
}

/// What happens to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The other one has said what it is.
    Peer(State),
    /// A client asks. Clients turn to the other server when theirs is silent: so this is a vote for this one.
    Asked {
        /// Whether the other server has been heard lately.
        peer_lives: bool,
    },
}

/// The two servers cannot both be what they are, since what clients have been told by them may differ. People have to decide
/// whose data counts, and start that one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// Both serve: the link between them was cut, and clients have reached both.
    BothActive,
    /// Both stand by, and each thinks that the other serves.
    BothPassive,
    /// Both were started as the primary, or both as the backup.
    SameRole,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Conflict::BothActive => "both servers are active",
            Conflict::BothPassive => "both servers are passive",
            Conflict::SameRole => "both servers were started in the same role",
        })
    }
}

impl std::error::Error for Conflict {}

const NAMES: [(State, &str); 4] = [
    (State::Primary, "primary"),
    (State::Backup, "backup"),
    (State::Active, "active"),
    (State::Passive, "passive"),
];

impl State {
    /// Returns the state of this name.
    pub fn of(name: &str) -> Option<State> {
        let found = NAMES.iter().find(|(_, known)| *known == name);
        found.map(|(state, _)| *state)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = NAMES.iter().find(|(state, _)| state == self);
        f.write_str(found.map_or("", |(_, name)| name))
    }
}

impl State {
    /// Returns what it is after the event.
    ///
    /// # Errors
    ///
    /// The two cannot both be what they are: this server has to end.
    pub fn after(self, event: Event) -> Result<State, Conflict> {
        use Event::{Asked, Peer};
        use State::{Active, Backup, Passive, Primary};
        Ok(match (self, event) {
            (Primary, Peer(Backup)) => Active,
            (Primary | Backup, Peer(Active)) => Passive,
            // The other one has been started anew, and waits for what it hears.
            (Passive, Peer(Primary | Backup)) => Active,
            // A primary may be started alone. A passive one is there for this very case.
            (Primary | Passive, Asked { peer_lives: false }) => Active,

            (Active, Peer(Active)) => return Err(Conflict::BothActive),
            (Passive, Peer(Passive)) => return Err(Conflict::BothPassive),
            (Primary, Peer(Primary)) | (Backup, Peer(Backup)) => return Err(Conflict::SameRole),

            (state, _) => state,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Conflict::{BothActive, BothPassive, SameRole};
    use super::State::{Active, Backup, Passive, Primary};
    use super::*;

    #[test]
    fn every_state_and_every_event_has_its_next_state() {
        // What becomes of: when the other one is primary, backup, active, passive; when asked, and it lives; and is silent.
        let table = [
            (
                Primary,
                [Err(SameRole), Ok(Active), Ok(Passive), Ok(Primary)],
                [Primary, Active],
            ),
            (
                Backup,
                [Ok(Backup), Err(SameRole), Ok(Passive), Ok(Backup)],
                [Backup, Backup],
            ),
            (
                Active,
                [Ok(Active), Ok(Active), Err(BothActive), Ok(Active)],
                [Active, Active],
            ),
            (
                Passive,
                [Ok(Active), Ok(Active), Ok(Passive), Err(BothPassive)],
                [Passive, Active],
            ),
        ];
        for (state, heard, asked) in table {
            for (peer, next) in [Primary, Backup, Active, Passive].into_iter().zip(heard) {
                assert_eq!(state.after(Event::Peer(peer)), next, "{state}, {peer}");
            }
            for (peer_lives, next) in [true, false].into_iter().zip(asked) {
                assert_eq!(state.after(Event::Asked { peer_lives }), Ok(next));
            }
        }
    }

    /// Two servers that hear each other, whatever they are, are soon told apart: one serves, or both say why none can.
    #[test]
    fn two_that_hear_each_other_never_both_serve() {
        let all = [Primary, Backup, Active, Passive];
        for (mut one, mut other) in all
            .into_iter()
            .flat_map(|one| all.map(|other| (one, other)))
        {
            let begun = (one, other);
            for _ in 0..3 {
                let (Ok(next), Ok(after)) =
                    (one.after(Event::Peer(other)), other.after(Event::Peer(one)))
                else {
                    assert!(one == other, "{begun:?}");
                    break;
                };
                (one, other) = (next, after);
                assert!((one, other) != (Active, Active), "{begun:?}");
            }
        }
    }

    #[test]
    fn names_are_those_of_the_states() {
        for (state, name) in NAMES {
            assert_eq!(
                (State::of(name), state.to_string().as_str()),
                (Some(state), name)
            );
        }
        assert_eq!(State::of("leader"), None);
    }
}
