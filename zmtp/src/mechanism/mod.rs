//! Security mechanisms: the handshake between greeting and traffic, and what becomes of traffic
//! under it (RFC 37, "Security").
//!
//! [`crate::Connection`] drives whichever mechanism its configuration names: it asks for
//! commands to send, hands over the bodies of those that come, and lets frames be sealed on
//! their way out and opened on their way in.
//!
//! | mechanism | source | who is who | traffic |
//! |---|---|---|---|
//! | NULL | RFC 37 | nobody says | in the clear |
//! | PLAIN | RFC 24 | the client says a name and a password | in the clear |
//! | CURVE (feature `curve`) | RFC 25, 26 | both sides prove that they have a secret key | encrypted and authenticated |
//!
//! A mechanism proves who the peer is, not whether it may come in. That is asked with
//! [`crate::Event::Authenticate`], and nothing goes on before [`crate::Engine::authenticated`] has brought
//! the answer.
//!
//! A mechanism is one file (or folder) with a handshake and a row for each of its roles, one variant of [`Config`], and,
//! if it learns who the peer is, one of [`Credentials`]: the compiler asks for the rest.
//!
//! ```text
//! config.rs       which mechanism, with which secrets; asks the rows below
//! row.rs          what a mechanism says of itself
//! credentials.rs  what is known of a peer, and what it was admitted with
//! handshake.rs    the trait that carries out a mechanism
//! null.rs  plain.rs  password.rs  curve/
//! ```

mod config;
mod credentials;
#[cfg(feature = "curve")]
mod curve;
mod handshake;
mod null;
mod password;
mod plain;
mod row;

pub use self::config::Config;
pub use self::credentials::{Admission, Credentials};
#[cfg(feature = "curve")]
#[cfg_attr(docsrs, doc(cfg(feature = "curve")))]
pub use self::curve::{
    Certificate, CertificateError, KeyError, KeyPair, PublicKey, SecretKey, z85,
};
#[cfg(test)]
pub(crate) use self::handshake::parse;
pub(crate) use self::handshake::{Mechanism, Progress};
pub use self::password::{Password, TooLong};
pub use self::plain::PlainClient;
pub use self::row::Asks;
pub use crate::error::Refusal;
