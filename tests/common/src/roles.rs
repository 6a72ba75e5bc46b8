//! What an application does with a socket while peers come and go. Every type has to stand each of it.

use purezmq::rules::{RULES, Rules};
use purezmq::{AnySocket, Capability, Message};

/// One of the ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It sends, and never receives.
    Sends,
    /// It receives, and never sends.
    Receives,
    /// It has bound the socket, and forgotten about it.
    Nothing,
}

/// Every type that is built and speaks ZMTP, in each role that it can have.
pub fn each_role() -> impl Iterator<Item = (&'static Rules, Role)> {
    let speaks = |rules: &&Rules| rules.has(Capability::Zmtp);
    RULES.iter().filter(speaks).flat_map(|rules| {
        let roles = [Role::Sends, Role::Receives, Role::Nothing];
        let can = |role: &Role| rules.has(role.needs());
        roles.into_iter().filter(can).map(move |role| (rules, role))
    })
}

impl Role {
    fn needs(self) -> Capability {
        match self {
            Role::Sends => Capability::Sends,
            Role::Receives => Capability::Receives,
            Role::Nothing => Capability::Any,
        }
    }

    /// One call, that does not wait. It may well fail.
    pub fn act(self, socket: &mut AnySocket) {
        match self {
            Role::Sends => drop(socket.try_send(Message::from(["to whom it may", "concern"]))),
            Role::Receives => drop(socket.try_recv()),
            Role::Nothing => {}
        }
    }
}
