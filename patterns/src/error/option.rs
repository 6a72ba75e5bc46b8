//! Why an option cannot be set.

use thiserror::Error;

/// An option cannot be set so; nothing was changed, and no socket was made.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OptionError {
    /// The value is outside of the option's range, or of another kind.
    #[error("option {option} cannot be {value}: allowed is {allowed}")]
    Value {
        /// The builder method's name.
        option: &'static str,
        /// The value given, as text.
        value: String,
        /// The values that are allowed.
        allowed: &'static str,
    },
    /// Sockets of this type do not have the option.
    #[error(
        "option {option} is not there for a {socket_type} socket: those that have it are {sockets}"
    )]
    SocketType {
        /// The builder method's name.
        option: &'static str,
        /// The type of the socket.
        socket_type: zmtp::SocketType,
        /// The types that have it, in words.
        sockets: String,
    },
    /// The option's value is more than can be given by name or number.
    #[error("option {option} has no plain value: set it with the builder's method {option}")]
    NoPlainValue {
        /// The builder method's name.
        option: &'static str,
    },
    /// libzmq has no such option.
    #[error("option {option} does not exist in libzmq")]
    NotInLibzmq {
        /// The builder method's name.
        option: &'static str,
    },
    /// The context that the socket was to be made in has been [closed](crate::Context::close).
    #[error("the context is closed: it has no more sockets")]
    ContextClosed,
}

impl OptionError {
    /// Returns the name of the option: that of the builder's method.
    #[must_use]
    pub const fn option(&self) -> &'static str {
        match self {
            OptionError::Value { option, .. }
            | OptionError::SocketType { option, .. }
            | OptionError::NoPlainValue { option }
            | OptionError::NotInLibzmq { option } => option,
            OptionError::ContextClosed => "context",
        }
    }
}
