//! From the first byte to Ready: greeting, version, mechanism, socket types (RFC 37, "Version
//! Negotiation" and "Connection Metadata").
//!
//! ```text
//!            .-- first octet not FF, or octet 9 even: 1.0 ---------.
//! Greeting --+-- revision 0 or 1 --> ShortGreeting ----------------+--> Identity --.
//!            '-- else: 3.0 or 3.1 --> Mechanism ----------------------------------+--> Traffic
//! ```
//! Each step sends as early as libzmq does, so two peers that both wait for the other's next
//! octets can't lock up.

use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use zeroize::Zeroize;

use super::heartbeat::Timers;
use super::{Connection, Event, PeerInfo};
use crate::error::{Error, Incompatible, Refusal};
#[cfg(feature = "curve")]
use crate::mechanism::Credentials;
use crate::mechanism::{Admission, Asks, Progress};
use crate::socket_type::SocketType;
use crate::version::Version;
use crate::wire::frame;
use crate::wire::greeting::{self, Greeting, Peer};
use crate::wire::metadata::{self, Metadata};

/// Bounds what is kept of the properties that a peer has given itself, in bytes: as long as its connection lasts, and there
/// may be thousands of these.
const KEPT_PROPERTIES: usize = 4 * 1024;

/// Bounds what an error quotes of a peer, in bytes.
const QUOTED: usize = 64;

/// Says what the connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The peer's signature, then its version, then the rest.
    Greeting {
        /// How much of our greeting is queued.
        sent: Sent,
    },
    /// The socket type octet of a 2.0 or "revision 0" peer, which nobody checks.
    ShortGreeting { version: Version },
    /// The identity frame of a 1.0 or 2.0 peer.
    Identity { version: Version },
    /// A command of the peer.
    Mechanism { version: Version },
    /// The application's decision about the peer.
    Decision { version: Version },
    /// Messages and commands.
    Traffic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sent {
    Signature,
    Major,
    All,
}

impl Connection {
    /// Goes as far as the input reaches. The phase is Traffic afterwards or more input is needed.
    pub(super) fn advance_handshake(&mut self, now: Instant) -> Result<(), Error> {
        loop {
            let next = match self.phase {
                Phase::Greeting { sent } => self.on_greeting(sent, now)?,
                Phase::ShortGreeting { version } => {
                    if self.decoder.buffered().len() < greeting::SHORT_GREETING {
                        return Ok(());
                    }
                    self.decoder.consume(greeting::SHORT_GREETING);
                    Some(Phase::Identity { version })
                }
                Phase::Identity { version } => self.on_identity(version, now)?,
                Phase::Mechanism { version } => self.on_handshake_command(version, now)?,
                Phase::Decision { .. } | Phase::Traffic => return Ok(()),
            };
            match next {
                Some(next) => self.phase = next,
                None => return Ok(()),
            }
        }
    }

    fn on_greeting(&mut self, sent: Sent, now: Instant) -> Result<Option<Phase>, Error> {
        let peer = greeting::identify(self.decoder.buffered());
        match peer {
            Peer::Unknown => return Ok(None),
            Peer::V1 => {
                self.check_version(Version::V1_0)?;
                // Our signature was the header of our identity frame.
                self.control.extend_from_slice(&self.config.routing_id);
                return Ok(Some(Phase::Identity {
                    version: Version::V1_0,
                }));
            }
            _ => {}
        }
        if sent < Sent::Major {
            self.control.put_u8(greeting::MAJOR);
        }
        match peer {
            Peer::Revision0 | Peer::V2 => {
                let version = if peer == Peer::V2 {
                    Version::V2_0
                } else {
                    Version::V1_0
                };
                self.check_version(version)?;
                self.control.put_u8(self.config.socket_type.octet());
                let identity = &self.config.routing_id;
                if version == Version::V2_0 {
                    frame::put_header(&mut self.control, 0, identity.len());
                } else {
                    frame::put_v1_header(&mut self.control, false, identity.len());
                }
                self.control.extend_from_slice(identity);
                return Ok(Some(Phase::ShortGreeting { version }));
            }
            Peer::V3 => {}
            _ => {
                self.phase = Phase::Greeting { sent: Sent::Major };
                return Ok(None);
            }
        }
        let mechanism = greeting::pad_mechanism(self.config.mechanism.name());
        if sent < Sent::All {
            let own = Greeting {
                major: greeting::MAJOR,
                minor: greeting::MINOR,
                mechanism,
                // NULL knows no server, and some implementations refuse the bit there.
                as_server: self.config.mechanism.is_server(),
            };
            self.control.reserve(super::SECOND_WORDS);
            own.put_rest(&mut self.control);
            self.phase = Phase::Greeting { sent: Sent::All };
        }
        let Some(bytes) = self.decoder.buffered().first_chunk() else {
            return Ok(None);
        };
        let theirs = Greeting::parse(bytes);
        self.decoder.consume(greeting::GREETING);
        let version = if theirs.is_3_0() {
            Version::V3_0
        } else {
            Version::V3_1
        };
        self.check_version(version)?;
        if theirs.mechanism != mechanism {
            let name = String::from_utf8_lossy(&theirs.mechanism);
            return Err(Incompatible::Mechanism {
                peer: name.trim_end_matches('\0').to_owned(),
                local: self.config.mechanism.name(),
            }
            .into());
        }
        let own = &self.config.mechanism;
        let tells = own.tells_secrets() && !own.is_server();
        if self.config.require_server_role && tells && !theirs.as_server {
            return Err(Incompatible::Role.into());
        }
        self.go_on(Progress::Waiting, version, now)
    }

    fn send_handshake_command(&mut self, now: Instant) {
        let properties = self.local_properties();
        self.mechanism
            .next_command(&properties, now, &mut self.control);
    }

    /// Refuses versions that the configuration does, and versions without security when
    /// security is configured.
    fn check_version(&self, peer: Version) -> Result<(), Error> {
        let needed = if self.config.mechanism.allows_downgrade() && !self.config.authenticate {
            self.config.min_version
        } else {
            self.config.min_version.max(Version::V3_0)
        };
        if peer < needed {
            return Err(Incompatible::Version { peer, needed }.into());
        }
        Ok(())
    }

    fn on_identity(&mut self, version: Version, now: Instant) -> Result<Option<Phase>, Error> {
        let v1 = version == Version::V1_0;
        let Some(identity) = self.decoder.take_frame(v1)? else {
            return Ok(None);
        };
        if v1 && self.config.socket_type.takes_subscriptions() {
            // Publishers of that age filter nothing, and their subscribers never subscribe upstream: such a peer is
            // taken to want everything (R-PUB-9).
            self.decoder.put_message(&[1]);
        }
        self.ready(
            version,
            PeerInfo {
                version: Some(version),
                socket_type: None,
                routing_id: identity.freeze(),
                properties: Metadata::new(),
                mechanism: self.config.mechanism.name(),
                user_id: String::new(),
                #[cfg(feature = "curve")]
                public_key: None,
                credential: Bytes::new(),
            },
            now,
        );
        Ok(Some(Phase::Traffic))
    }

    fn on_handshake_command(
        &mut self,
        version: Version,
        now: Instant,
    ) -> Result<Option<Phase>, Error> {
        let Some(mut body) = self.decoder.take_frame(false)? else {
            return Ok(None);
        };
        let progress = self.mechanism.on_command(&body, now);
        if self.config.mechanism.tells_secrets() {
            body.zeroize();
        }
        self.go_on(progress?, version, now)
    }

    /// Goes on where the mechanism has come so far. If it knows who the peer is, the decision is made before anything else.
    fn go_on(
        &mut self,
        progress: Progress,
        version: Version,
        now: Instant,
    ) -> Result<Option<Phase>, Error> {
        let asks = self.config.authenticate || self.config.mechanism.asks() == Asks::Always;
        let credentials = self.mechanism.credentials();
        if let Some(credentials) = &credentials {
            self.credential = credentials.own();
        }
        #[cfg(feature = "curve")]
        if let Some(key) = credentials.as_ref().and_then(Credentials::public_key) {
            self.peer_key = Some(Box::new(key));
        }
        match credentials {
            Some(credentials) if asks => {
                self.held = Some(Box::new(progress));
                self.event = Some(Box::new(Event::Authenticate(credentials)));
                Ok(Some(Phase::Decision { version }))
            }
            _ => self.proceed(progress, version, now).map(Some),
        }
    }

    pub(super) fn on_answer(
        &mut self,
        answer: Result<Admission, Refusal>,
        now: Instant,
    ) -> Result<(), Error> {
        let (Phase::Decision { version }, Some(progress)) = (self.phase, self.held.take()) else {
            debug_assert!(false, "nobody has asked");
            return Ok(());
        };
        match answer {
            Ok(admission) => {
                self.admission = Some(Box::new(admission));
                self.phase = self.proceed(*progress, version, now)?;
                Ok(())
            }
            Err(refusal) => {
                if let Some(reason) = refusal.reason() {
                    self.mechanism.put_error(reason, &mut self.control);
                }
                Err(refusal.into())
            }
        }
    }

    fn proceed(
        &mut self,
        progress: Progress,
        version: Version,
        now: Instant,
    ) -> Result<Phase, Error> {
        match progress {
            Progress::Waiting => {
                self.send_handshake_command(now);
                Ok(Phase::Mechanism { version })
            }
            Progress::Done(mut properties) => {
                let socket_type = self.check_socket_types(&properties)?;
                self.send_handshake_command(now);
                let routing_id = properties
                    .all(metadata::IDENTITY)
                    .last()
                    .map(Bytes::copy_from_slice)
                    .unwrap_or_default();
                let understands = properties.take(metadata::DRAIN);
                self.draining.is_understood = understands && self.config.drain;
                properties.keep_within(KEPT_PROPERTIES);
                let admission = self.admission.take().map(|admission| *admission);
                let Admission { user_id, metadata } = admission.unwrap_or_default();
                properties.remove_claims();
                #[cfg(feature = "curve")]
                let public_key = self.peer_key.take().map(|key| *key);
                properties.replace(&metadata);
                let credential = std::mem::take(&mut self.credential);
                self.ready(
                    version,
                    PeerInfo {
                        version: Some(version),
                        socket_type,
                        routing_id,
                        properties,
                        mechanism: self.config.mechanism.name(),
                        user_id,
                        #[cfg(feature = "curve")]
                        public_key,
                        credential,
                    },
                    now,
                );
                Ok(Phase::Traffic)
            }
        }
    }

    /// Checks that every `Socket-Type` is one we can talk to; none at all is accepted, as in libzmq.
    fn check_socket_types(&self, properties: &Metadata) -> Result<Option<SocketType>, Error> {
        let local = self.config.socket_type;
        let mut last = None;
        for name in properties.all(metadata::SOCKET_TYPE) {
            last = std::str::from_utf8(name)
                .ok()
                .and_then(|name| name.parse().ok())
                .filter(|peer| local.accepts(*peer));
            if last.is_none() {
                let peer = String::from_utf8_lossy(&name[..name.len().min(QUOTED)]).into_owned();
                return Err(Incompatible::SocketType { peer, local }.into());
            }
        }
        Ok(last)
    }

    fn local_properties(&self) -> Metadata {
        let mut properties = Metadata::new();
        let kind = self.config.socket_type;
        properties.add(
            metadata::SOCKET_TYPE,
            Bytes::from_static(kind.name().as_bytes()),
        );
        if kind.announces_identity() {
            properties.add(metadata::IDENTITY, self.config.routing_id.clone());
        }
        if self.config.drain {
            properties.add(metadata::DRAIN, Bytes::from_static(b"1"));
        }
        properties.extend(&self.config.metadata);
        properties
    }

    fn ready(&mut self, version: Version, peer: PeerInfo, now: Instant) {
        self.version = version;
        self.handshake_ends = None;
        self.decoder.begin_traffic(version == Version::V1_0);
        if self.control.is_empty() {
            self.control = BytesMut::new();
        }
        if version >= Version::V3_0
            && let Some(config) = self.config.heartbeat
        {
            self.timers = Some(Box::new(Timers::start(config, now)));
        }
        self.event = Some(Box::new(Event::Ready(peer)));
    }
}
