//! Where somebody may come in that nobody has asked: the sockets of a relay world that are bound.

use purezmq::SocketType;

use super::Relays;

impl Relays {
    /// Where somebody may come in.
    pub(crate) fn doors(&self) -> Vec<(u8, SocketType)> {
        let mut doors: Vec<_> = self
            .chain
            .iter()
            .map(|(_, back)| (*back, SocketType::XPub))
            .collect();
        if self.publishers_bind {
            let publishers = self.publishers.iter();
            doors.extend(publishers.map(|host| (*host, SocketType::Pub)));
        } else {
            doors.push((self.chain[0].0, SocketType::XSub));
        }
        doors
    }
}
