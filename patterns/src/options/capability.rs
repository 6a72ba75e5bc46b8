//! Which socket types have an option.
//!
//! Each option names one [`Capability`]. The builder's methods ask for the trait of the same name, so that an option
//! that means nothing to a socket type does not compile; the rows of the types (`rules.rs`) say the same about a type
//! that is a value.

use zmtp::SocketType;

pub use crate::rules::Capability;
use crate::rules::{RULES, Rules};

impl Capability {
    /// Says whether sockets of this type have it.
    #[must_use]
    pub fn is_of(self, socket_type: SocketType) -> bool {
        Rules::of(socket_type).is_some_and(|rules| rules.has(self))
    }

    /// Returns the socket types that have it, in words: `PUB, XPUB`.
    #[must_use]
    pub fn sockets(self) -> String {
        match self {
            Capability::Any => return "all".to_owned(),
            Capability::Zmtp => return "all but STREAM and DGRAM".to_owned(),
            Capability::Sends => return "all that send".to_owned(),
            Capability::Receives => return "all that receive".to_owned(),
            _ => {}
        }
        let having = RULES.iter().filter(|rules| rules.has(self));
        let names: Vec<_> = having.map(|rules| rules.socket_type.name()).collect();
        names.join(", ")
    }
}
