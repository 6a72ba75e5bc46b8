//! How this library's values look to serde, with the feature `serde`.
//!
//! [`stats`](crate::stats) derives it, field by field. What has a text form is text: endpoints, addresses of peers,
//! kinds of events, reasons. A [`RoutingId`] is text in formats for people if it is UTF-8, and bytes otherwise.
//! [`Options`] are a map of names to values. What monitors tell can only be written, for logs: an event holds errors
//! of the system, which no text brings back.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::{Error, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zmtp::SocketType;
use zmtp::serde_impls::bytes_or_text;

use crate::endpoint::Endpoint;
use crate::monitor::{DisconnectReason, MonitorEvent, MonitorEventKind};
use crate::options::{OptionId, Options, Value, ValueKind};
use crate::peer_address::PeerAddress;
use crate::routing_id::RoutingId;

macro_rules! as_text {
    ($($type:ty),+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(Error::custom)
            }
        }
    )+};
}
as_text!(Endpoint, PeerAddress);

impl Serialize for RoutingId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        bytes_or_text::serialize(self.as_slice(), serializer)
    }
}

impl<'de> Deserialize<'de> for RoutingId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bytes_or_text::deserialize(deserializer).map(RoutingId::from)
    }
}

/// Its sentence.
impl Serialize for DisconnectReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A map of `kind`, which is its name, and of what there is of `reason`, `delay_ms` and `missed`.
impl Serialize for MonitorEventKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        put_kind(self, &mut map)?;
        map.end()
    }
}

/// A map of what its kind has, and of those of its other fields that are known.
impl Serialize for MonitorEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        put_kind(&self.kind, &mut map)?;
        put(&mut map, "endpoint", self.endpoint.as_ref())?;
        put(&mut map, "local", self.local.as_ref())?;
        put(&mut map, "remote", self.remote.as_ref())?;
        put(&mut map, "peer", self.peer.as_ref())?;
        put(&mut map, "routing_id", self.routing_id.as_ref())?;
        put(&mut map, "socket_type", self.socket_type)?;
        put(&mut map, "user_id", self.user_id.as_deref())?;
        put(&mut map, "refused", self.refused.as_deref())?;
        put(&mut map, "socket", self.socket.as_deref())?;
        put(&mut map, "fd", self.fd)?;
        map.end()
    }
}

fn put<M: SerializeMap>(
    map: &mut M,
    name: &'static str,
    value: Option<impl Serialize>,
) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(name, &value))
}

fn put_kind<M: SerializeMap>(kind: &MonitorEventKind, map: &mut M) -> Result<(), M::Error> {
    use MonitorEventKind as Kind;
    let mut reason: Option<&dyn fmt::Display> = None;
    let (mut delay, mut missed) = (None, None);
    let name = match kind {
        Kind::Listening => "Listening",
        Kind::BindFailed(error) => {
            reason = Some(error);
            "BindFailed"
        }
        Kind::Accepted => "Accepted",
        Kind::AcceptFailed(error) => {
            reason = Some(error);
            "AcceptFailed"
        }
        Kind::ConnectDelayed => "ConnectDelayed",
        Kind::Connected => "Connected",
        Kind::ConnectFailed(failure) => {
            reason = Some(failure);
            "ConnectFailed"
        }
        Kind::ConnectRetried { delay: after } => {
            delay = Some(milliseconds(*after));
            "ConnectRetried"
        }
        Kind::HandshakeSucceeded => "HandshakeSucceeded",
        Kind::Ignored => "Ignored",
        Kind::LetIn => "LetIn",
        Kind::HandedOver => "HandedOver",
        Kind::HandshakeFailed(why) => {
            reason = Some(why);
            "HandshakeFailed"
        }
        Kind::Disconnected(why) => {
            reason = Some(why);
            "Disconnected"
        }
        Kind::Gone(gone) => {
            reason = Some(&gone.reason);
            "Gone"
        }
        Kind::Closed => "Closed",
        Kind::CloseFailed(error) => {
            reason = Some(error);
            "CloseFailed"
        }
        Kind::Missed(events) => {
            missed = Some(*events);
            "Missed"
        }
        Kind::Stopped => "Stopped",
    };
    map.serialize_entry("kind", name)?;
    put(map, "reason", reason.map(|reason| reason.to_string()))?;
    put(map, "delay_ms", delay)?;
    put(map, "missed", missed)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A switch, a number, text or bytes; a time is text, as `100 ms`, and so is `none`.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Bool(on) => serializer.serialize_bool(*on),
            Value::Integer(number) => match u64::try_from(*number) {
                Ok(number) => serializer.serialize_u64(number),
                Err(_) => serializer.serialize_i128(*number),
            },
            Value::Bytes(bytes) => bytes_or_text::serialize(bytes, serializer),
            Value::Text(text) => serializer.serialize_str(text),
            Value::None | Value::Duration(_) => serializer.collect_str(self),
        }
    }
}

/// The name of the entry that says whose options they are.
const SOCKET_TYPE: &str = "socket_type";

/// A map of names to values: `socket_type`, if they are a type's, and the options that this type has, the unset names
/// and bytes left out. Also left out is what has no plain value: `security` and the configurations of TLS; and `socks_password`. No secret is
/// written.
impl Serialize for Options {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        put(&mut map, SOCKET_TYPE, self.socket_type)?;
        for id in OptionId::all() {
            let Ok(value) = self.get(id) else { continue };
            let left_out = match id.row().kind {
                ValueKind::Opaque | ValueKind::Secret => true,
                // `none` would be the name.
                ValueKind::Text | ValueKind::Bytes => value == Value::None,
                _ => false,
            };
            if !left_out {
                map.serialize_entry(id.name(), &value)?;
            }
        }
        map.end()
    }
}

/// Begins with what a socket of the type starts with, or with the defaults if there is no `socket_type`, and sets each
/// option that is named, with the check of [`Options::set`]. The format has to say of itself what its values are, as
/// JSON and TOML do.
impl<'de> Deserialize<'de> for Options {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut entries = BTreeMap::<String, Given>::deserialize(deserializer)?;
        let mut options = match entries.remove(SOCKET_TYPE) {
            None | Some(Given(Value::None)) => Options::default(),
            Some(Given(Value::Text(name))) => {
                Options::of(name.parse::<SocketType>().map_err(Error::custom)?)
            }
            Some(_) => return Err(Error::custom("socket_type is the name of one, as PUB")),
        };
        for (name, Given(value)) in entries {
            let Some(id) = OptionId::by_name(&name) else {
                return Err(Error::custom(format_args!("no option is called {name}")));
            };
            let value = match value {
                Value::Text(text) => id.parse(&text).map_err(Error::custom)?,
                value => value,
            };
            options.set(id, value).map_err(Error::custom)?;
        }
        Ok(options)
    }
}

/// A value as the format has it, before it is known which option it is for.
struct Given(Value);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(GivenVisitor).map(Given)
    }
}

struct GivenVisitor;

impl<'de> Visitor<'de> for GivenVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value of an option")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::None)
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<Value, E> {
        Ok(on.into())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(bytes.to_vec().into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = sequence.next_element::<u8>()? {
            bytes.push(byte);
        }
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests;
