//! Whether a socket may bind or connect there: by what its type is, and by what is asked of its peers.

use super::{Core, Pattern};
use crate::endpoint::{Endpoint, EndpointError};
use crate::error::{BindError, ConnectError};
use crate::logs;
use crate::rules::{Capability, Datagrams, Protocol, Rules};
use crate::security::{self, Security};
use crate::state::Shared;
use crate::transport;

/// The calls, as errors name them.
pub(super) const BIND: &str = "bind";
pub(super) const CONNECT: &str = "connect";

/// Says what to do instead of calling this with an endpoint there, where one of them has to do with datagrams. `None`: it is
/// right.
fn use_instead(rules: &Rules, has_datagrams: bool, call: &str) -> Option<&'static str> {
    match (rules.datagrams, has_datagrams) {
        (Datagrams::Never, _) => Some("datagrams are for RADIO, DISH and DGRAM"),
        (Datagrams::Always, false) => Some("it has datagrams only, over udp"),
        (Datagrams::Always, true) if call == CONNECT => {
            Some("bind it, to udp://*:* for any port, and say with each datagram whom it is for")
        }
        (Datagrams::Groups, true) if call == BIND && !rules.has(Capability::Receives) => {
            Some("it sends datagrams and receives none: connect it")
        }
        (Datagrams::Groups, true) if call == CONNECT && !rules.has(Capability::Sends) => {
            Some("it receives datagrams and sends none: bind it")
        }
        (Datagrams::Always | Datagrams::Groups, _) => None,
    }
}

impl<P: Pattern> Core<P> {
    /// Checks what is known before anything is begun.
    pub(super) fn check_connect(&self, endpoint: &Endpoint) -> Result<(), ConnectError> {
        if self.table.has_ended() {
            let endpoint = endpoint.clone();
            return Err(ConnectError::ContextClosed { endpoint });
        }
        self.check_protocol(endpoint, CONNECT)?;
        transport::check_connect(endpoint, self.options())
    }

    /// Checks whether what the socket speaks can be spoken there, as it is to be.
    pub(super) fn check_protocol(
        &self,
        endpoint: &Endpoint,
        call: &'static str,
    ) -> Result<(), EndpointError> {
        let Rules {
            speaks,
            socket_type,
            ..
        } = *P::RULES;
        let has_datagrams = transport::carries_datagrams(endpoint);
        if has_datagrams || P::RULES.has_datagrams_only() {
            if let Some(instead) = use_instead(P::RULES, has_datagrams, call) {
                return Err(EndpointError::NotForSocket {
                    socket_type,
                    call,
                    transport: endpoint.transport().to_owned(),
                    instead,
                });
            }
            let options = self.options();
            if options.security != Security::default() || security::asks(options) {
                let transport = endpoint.transport().to_owned();
                return Err(EndpointError::NothingProven { transport });
            }
            return Ok(());
        }
        if speaks == Protocol::Raw && endpoint.inproc().is_some() {
            let transport = endpoint.transport().to_owned();
            return Err(EndpointError::NoBytes {
                socket_type,
                transport,
            });
        }
        if speaks == Protocol::Raw && self.options().security != Security::default() {
            return Err(EndpointError::NoMechanism { socket_type });
        }
        Ok(())
    }

    fn is_selective(&self) -> bool {
        let Shared { config, state } = &self.shared;
        state.authority.is_selective(&config.options)
    }

    /// Checks whether a socket that lets everybody in may listen where everybody can come.
    pub(super) fn guard(&self, endpoint: &Endpoint) -> Result<(), BindError> {
        let is_selective = self.is_selective() && !transport::carries_datagrams(endpoint);
        if !transport::reachable_from_other_hosts(endpoint) || is_selective {
            return Ok(());
        }
        if self.shared.config.options.require_authentication {
            return Err(BindError::Unauthenticated {
                endpoint: endpoint.clone(),
            });
        }
        let (socket, socket_type) = (&self.options().name, P::RULES.socket_type);
        tracing::warn!(target: logs::ENDPOINT, socket, %socket_type, %endpoint, "everybody who can reach this address can come in: the socket has no authentication");
        Ok(())
    }
}
