//! Every socket option, once: type, default, range, libzmq's name and number, meaning.
//!
//! The lists in `options/` (queues, calls, requests, publishing, limits, connection, security, transport) are the
//! single definition; `define_options!` makes of each entry a field of [`Options`] (read by sockets, sessions and
//! transports), a method of [`Builder`](crate::socket::Builder) (called by the application), and a row of [`TABLE`] (from which
//! `docs/options.md` is written). The sentences above an entry are its documentation in all three places.
//!
//! Where "no limit" exists, the type is an `Option` and `None` says so; no number has a second
//! meaning as libzmq's -1 and 0 have, but for the high-water marks, of messages and of bytes, which mean by 0 what
//! libzmq means. The methods take the bare value as well.
//!
//! Options can be read and set by name and by libzmq's number, too: an [`OptionId`] is the option, a [`Value`] its
//! value, [`ZmqValue`] the same as libzmq writes it.

#[macro_use]
mod define;
#[macro_use]
mod queues;
#[macro_use]
mod calls;
#[macro_use]
mod requests;
#[macro_use]
mod publishing;
#[macro_use]
mod limits;
#[macro_use]
mod connection;
#[macro_use]
mod security;
#[macro_use]
mod transport;
mod capability;
mod left_out;
mod lists;
mod ranges;
mod table;
#[cfg(test)]
mod tests;
mod typed;
mod value;
mod zmq;

use std::fmt;
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ipnet::IpNet;
use zmtp::mechanism::Config as Security;
#[cfg(feature = "socks")]
use zmtp::mechanism::Password;
use zmtp::{Metadata, SocketType};

use crate::error::OptionError;
use crate::rules::Rules;

pub use capability::Capability;
pub use left_out::why_absent;
pub(crate) use lists::Property;
pub use lists::ReconnectStop;
use lists::{can_be_told, first_of_each_name};
#[cfg(feature = "ws")]
use ranges::is_origin;
#[cfg(feature = "socks")]
pub(crate) use ranges::proxy;
use ranges::{MAX, MAX_KEEPALIVE, MAX_SENT_TTL, MAX_TTL, MILLISECOND, SECOND, buffer_size, up_to};
pub use table::{Effect, OptionId, OptionRow};
use typed::Typed;
pub use value::{Value, ValueKind};
pub use zmq::ZmqValue;
use zmq::{Absent, Form};

each_option!(define_options);

/// What a publisher does when a subscriber's pipe is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SlowSubscriber {
    /// It misses the message.
    #[default]
    DropNewest,
    /// It gets the message, and misses the oldest one that waits.
    DropOldest,
    /// Its connection is closed, and what waited for it is dropped. An inproc subscriber is disconnected for good.
    Disconnect,
}

impl SlowSubscriber {
    /// Returns the choice of that name.
    fn named(name: &str) -> Option<Self> {
        use SlowSubscriber::{Disconnect, DropNewest, DropOldest};
        [DropNewest, DropOldest, Disconnect]
            .into_iter()
            .find(|choice| choice.to_string() == name)
    }
}

impl fmt::Display for SlowSubscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Options {
    /// Returns the options that a socket of this type starts with. Only those that the type has can be read and set.
    /// [`default`](Options::default) has all, of no type in particular.
    #[must_use]
    pub fn of(socket_type: SocketType) -> Self {
        let rules = Rules::of(socket_type);
        Options {
            socket_type: Some(socket_type),
            linger: rules.and_then(|rules| rules.linger),
            write_timeout: rules.and_then(|rules| rules.write_timeout),
            max_message_size: rules.and_then(|rules| rules.max_message_size),
            ..Options::default()
        }
    }

    /// Reads an option.
    ///
    /// ```
    /// use purezmq::SocketType;
    /// use purezmq::options::{OptionId, Options, Value};
    ///
    /// let options = Options::of(SocketType::Push);
    /// let send_hwm = OptionId::by_name("send_hwm").expect("there is one");
    /// assert_eq!(options.get(send_hwm)?, Value::Integer(1000));
    /// # Ok::<(), purezmq::error::OptionError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Sockets of this type do not have the option.
    pub fn get(&self, id: OptionId) -> Result<Value, OptionError> {
        self.must_have(id)?;
        Ok((id.row().get)(self))
    }

    /// Sets an option, with the same check as the builder's method of its name.
    ///
    /// ```
    /// use purezmq::SocketType;
    /// use purezmq::options::{OptionId, Options};
    ///
    /// let mut options = Options::of(SocketType::Push);
    /// let backlog = OptionId::by_number(19).expect("there is one");
    /// options.set(backlog, 1000)?;
    /// assert_eq!(
    ///     options.set(backlog, 0).unwrap_err().to_string(),
    ///     "option backlog cannot be 0: allowed is 1 to 65535"
    /// );
    /// # Ok::<(), purezmq::error::OptionError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The value is out of range or of another kind, or sockets of this type do not have the option, or only the
    /// builder can set it. Nothing is changed then.
    pub fn set(&mut self, id: OptionId, value: impl Into<Value>) -> Result<(), OptionError> {
        self.must_have(id)?;
        let row = id.row();
        if row.kind == ValueKind::Opaque {
            return Err(OptionError::NoPlainValue { option: row.name });
        }
        (row.set)(self, value.into())
    }

    /// Sets the security mechanism, which has no plain value: the builder's method
    /// [`security`](crate::socket::Builder::security).
    pub fn set_security(&mut self, security: Security) {
        self.security = security;
    }

    /// Sets what endpoints bound at `tls+tcp://` and `wss://` prove, which has no plain value: the builder's method
    /// [`tls_server`](crate::socket::Builder::tls_server).
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    pub fn set_tls_server(&mut self, config: impl Into<Arc<rustls::ServerConfig>>) {
        self.tls_server = Some(config.into());
    }

    /// Sets how endpoints connected to `tls+tcp://` and `wss://` verify the server, which has no plain value: the builder's
    /// method [`tls_client`](crate::socket::Builder::tls_client).
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    pub fn set_tls_client(&mut self, config: impl Into<Arc<rustls::ClientConfig>>) {
        self.tls_client = Some(config.into());
    }

    /// Says whether sockets of this type have the option.
    #[must_use]
    pub fn has(&self, id: OptionId) -> bool {
        self.must_have(id).is_ok()
    }

    fn must_have(&self, id: OptionId) -> Result<(), OptionError> {
        let row = id.row();
        match self.socket_type {
            Some(socket_type) if !row.capability.is_of(socket_type) => {
                Err(OptionError::SocketType {
                    option: row.name,
                    socket_type,
                    sockets: row.sockets(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Returns the properties that peers are told.
    pub(crate) fn told_properties(&self) -> Metadata {
        let mut told = Metadata::new();
        for property in &self.properties {
            // The option's own check is the stricter one.
            let _ = told.push(property.name.as_str(), property.value.clone());
        }
        told
    }

    /// Returns the heartbeat's timing with its dependent defaults filled in: interval, timeout, and the
    /// TTL to announce (zero: none). `None` if heartbeats are off.
    pub(crate) fn heartbeat(&self) -> Option<(Duration, Duration, Duration)> {
        let interval = self.heartbeat_interval?;
        let timeout = self.heartbeat_timeout.unwrap_or(interval);
        let ttl = self.heartbeat_ttl.unwrap_or_default().min(MAX_SENT_TTL);
        Some((interval, timeout, ttl))
    }
}
