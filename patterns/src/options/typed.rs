//! The types of the options' fields: how each is shown, and how it becomes a [`Value`] and is made from one.

#[cfg(feature = "tls")]
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use zmtp::mechanism::Config as Security;
#[cfg(feature = "socks")]
use zmtp::mechanism::Password;

use super::value::{Value, ValueKind, time_in_words};

/// A type that an option may have.
pub(super) trait Typed: Sized {
    /// What its values are at run time.
    const KIND: ValueKind;

    /// Returns the value as the table and error messages print it; `none` stands for an absent one.
    fn show(&self, none: &str) -> String;

    fn to_value(&self) -> Value;

    /// Returns a value of another kind, or one that has no meaning here, as the error.
    fn from_value(value: Value) -> Result<Self, Value>;

    /// Returns whether a socket that has the one is set up as one that has the other.
    fn is_same(&self, other: &Self) -> bool;
}

impl<T: Typed> Typed for Option<T> {
    const KIND: ValueKind = T::KIND;

    fn show(&self, none: &str) -> String {
        self.as_ref()
            .map_or_else(|| none.to_owned(), |value| value.show(none))
    }

    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::None, T::to_value)
    }

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::None => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Some(one), Some(other)) => one.is_same(other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

impl Typed for bool {
    const KIND: ValueKind = ValueKind::Bool;

    fn show(&self, _: &str) -> String {
        self.to_string()
    }

    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Bool(on) => Ok(on),
            other => Err(other),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

macro_rules! integers {
    ($($type:ty),+) => {$(
        impl Typed for $type {
            const KIND: ValueKind = ValueKind::Integer;

            fn show(&self, _: &str) -> String {
                self.to_string()
            }

            fn to_value(&self) -> Value {
                Value::from(*self)
            }

            fn from_value(value: Value) -> Result<Self, Value> {
                match value {
                    Value::Integer(number) => Self::try_from(number).map_err(|_| value),
                    other => Err(other),
                }
            }

            fn is_same(&self, other: &Self) -> bool {
                self == other
            }
        }
    )+};
}
integers!(u8, u32, u64, usize);

impl Typed for Duration {
    const KIND: ValueKind = ValueKind::Duration;

    fn show(&self, _: &str) -> String {
        time_in_words(*self)
    }

    fn to_value(&self) -> Value {
        Value::Duration(*self)
    }

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Duration(time) => Ok(time),
            other => Err(other),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

impl Typed for Bytes {
    const KIND: ValueKind = ValueKind::Bytes;

    fn show(&self, _: &str) -> String {
        match self.len() {
            0..=16 => format!("b\"{}\"", self.escape_ascii()),
            length => format!("b\"{}\"... of {length} bytes", self[..16].escape_ascii()),
        }
    }

    fn to_value(&self) -> Value {
        Value::Bytes(self.clone())
    }

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Text(text) => Ok(text.into()),
            other => Err(other),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

impl Typed for String {
    const KIND: ValueKind = ValueKind::Text;

    fn show(&self, _: &str) -> String {
        self.clone()
    }

    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Text(text) => Ok(text),
            other => Err(other),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

impl Typed for super::SlowSubscriber {
    const KIND: ValueKind = ValueKind::Text;

    fn show(&self, _: &str) -> String {
        format!("`{self}`")
    }

    fn to_value(&self) -> Value {
        Value::Text(self.to_string())
    }

    fn from_value(value: Value) -> Result<Self, Value> {
        match &value {
            Value::Text(text) => Self::named(text).ok_or(value),
            _ => Err(value),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

/// Says nothing of itself, but that it is there.
#[cfg(feature = "socks")]
impl Typed for Password {
    const KIND: ValueKind = ValueKind::Secret;

    fn show(&self, _: &str) -> String {
        "a secret".to_owned()
    }

    fn to_value(&self) -> Value {
        Value::from("a secret")
    }

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Text(text) => Ok(Password::from(&zeroize::Zeroizing::new(text).as_str())),
            other => Err(other),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

/// Says nothing of the keys.
impl Typed for Security {
    const KIND: ValueKind = ValueKind::Opaque;

    fn show(&self, _: &str) -> String {
        let role = match (self, self.is_server()) {
            (Security::Null, _) => "",
            (_, true) => " server",
            (_, false) => " client",
        };
        format!("{}{role}", self.name())
    }

    fn to_value(&self) -> Value {
        Value::from(self.name())
    }

    fn from_value(value: Value) -> Result<Self, Value> {
        Err(value)
    }

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

#[cfg(feature = "tls")]
macro_rules! configurations {
    ($($type:ty),+) => {$(
        impl Typed for Arc<$type> {
            const KIND: ValueKind = ValueKind::Opaque;

            fn show(&self, _: &str) -> String {
                "a configuration".to_owned()
            }

            fn to_value(&self) -> Value {
                Value::from("a configuration")
            }

            fn from_value(value: Value) -> Result<Self, Value> {
                Err(value)
            }

            fn is_same(&self, other: &Self) -> bool {
                Arc::ptr_eq(self, other)
            }
        }
    )+};
}
#[cfg(feature = "tls")]
configurations!(rustls::ServerConfig, rustls::ClientConfig);
