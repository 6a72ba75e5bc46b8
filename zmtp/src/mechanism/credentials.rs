//! What a mechanism has found out about a peer, and with what the peer was admitted.

use std::fmt::Write;

use bytes::Bytes;

#[cfg(feature = "curve")]
use super::curve::{self, PublicKey};
use super::password::Password;
use super::{null, plain};
use crate::wire::metadata::Metadata;

/// Bounds how many bytes of a name are shown.
const SHOWN: usize = 64;

/// Says who the peer claims to be (PLAIN) or has proven to be (CURVE).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// NULL: nothing is known.
    Null,
    /// PLAIN: a name, and the password to be checked.
    Plain {
        /// At most 255 bytes.
        username: Bytes,
        /// At most 255 bytes.
        password: Password,
    },
    /// CURVE: the client's permanent public key. The client has the secret key to it.
    #[cfg(feature = "curve")]
    #[cfg_attr(docsrs, doc(cfg(feature = "curve")))]
    Curve(PublicKey),
}

impl Credentials {
    /// Returns the name of the mechanism, as ZAP has it (RFC 27).
    #[must_use]
    pub const fn mechanism(&self) -> &'static str {
        match self {
            Self::Null => null::NAME,
            Self::Plain { .. } => plain::NAME,
            #[cfg(feature = "curve")]
            Self::Curve(_) => curve::NAME,
        }
    }

    /// Returns what tells the peer from others: its user name or its key; empty for NULL.
    pub(crate) fn own(&self) -> Bytes {
        match self {
            Self::Null => Bytes::new(),
            Self::Plain { username, .. } => username.clone(),
            #[cfg(feature = "curve")]
            Self::Curve(key) => Bytes::copy_from_slice(key.as_bytes()),
        }
    }

    /// Returns the frames that follow the mechanism's name in a ZAP request (RFC 27): none for NULL, name and password
    /// for PLAIN, the 32 octets of the public key for CURVE.
    #[must_use]
    pub fn frames(&self) -> Vec<&[u8]> {
        match self {
            Self::Null => vec![],
            Self::Plain { username, password } => vec![username, password.as_bytes()],
            #[cfg(feature = "curve")]
            Self::Curve(key) => vec![key.as_bytes()],
        }
    }

    /// Returns as whom the peer wants to come in, as text for people: the name, escaped, of which at most 64 bytes are
    /// shown, or the key in Z85. `None` for NULL. There is no secret in it.
    #[must_use]
    pub fn who(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Plain { username, .. } => {
                let shown = &username[..username.len().min(SHOWN)];
                let cut = if shown.len() < username.len() {
                    "..."
                } else {
                    ""
                };
                Some(format!("user \"{}\"{cut}", shown.escape_ascii()))
            }
            #[cfg(feature = "curve")]
            Self::Curve(key) => Some(format!("key {key}")),
        }
    }

    /// Returns the public key that the peer has proven to have the secret of.
    #[cfg(feature = "curve")]
    pub(crate) const fn public_key(&self) -> Option<PublicKey> {
        match self {
            Self::Curve(key) => Some(*key),
            _ => None,
        }
    }
}

/// Says as whom a peer may come in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// As whom it is known here; empty for nobody in particular.
    pub user_id: String,
    /// Properties that are added to those that the peer gave itself, and count instead of those of the same
    /// name.
    pub metadata: Metadata,
}

impl Admission {
    /// Admits a peer as a user of this name.
    #[must_use]
    pub fn user(user_id: impl Into<String>) -> Self {
        Self {
            user_id: user_id.into(),
            metadata: Metadata::new(),
        }
    }

    /// Admits a peer as a user whose name may be no UTF-8. Each byte of it that is no part of a character stands in
    /// [`user_id`](Self::user_id) as U+FFFD and two hexadecimal digits, and so do those of a U+FFFD itself: so two names
    /// are never the same user.
    ///
    /// ```
    /// use purezmq_zmtp::mechanism::Admission;
    ///
    /// assert_eq!(Admission::user_bytes(b"joe").user_id, "joe");
    /// assert_eq!(Admission::user_bytes(b"j\xf8e").user_id, "j\u{fffd}f8e");
    /// ```
    #[must_use]
    pub fn user_bytes(name: &[u8]) -> Self {
        let mut user_id = String::with_capacity(name.len());
        let escape = |user_id: &mut String, bytes: &[u8]| {
            for byte in bytes {
                let _ = write!(user_id, "{}{byte:02x}", char::REPLACEMENT_CHARACTER);
            }
        };
        for chunk in name.utf8_chunks() {
            for character in chunk.valid().chars() {
                if character == char::REPLACEMENT_CHARACTER {
                    escape(&mut user_id, character.encode_utf8(&mut [0; 4]).as_bytes());
                } else {
                    user_id.push(character);
                }
            }
            escape(&mut user_id, chunk.invalid());
        }
        Self::user(user_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_password() {
        let credentials = Credentials::Plain {
            username: "admin".into(),
            password: "hunter2".into(),
        };
        let shown = format!("{credentials:?}");
        assert!(
            shown.contains("admin") && !shown.contains("hunter2"),
            "{shown}"
        );
        assert!(!shown.contains("104, 117"), "{shown}");
    }

    #[test]
    fn who_it_is_is_one_short_line_without_the_password() {
        let plain = |username: &str| {
            let credentials = Credentials::Plain {
                username: username.to_owned().into(),
                password: "hunter2".into(),
            };
            credentials.who().expect("a name")
        };
        assert_eq!(plain("joe"), "user \"joe\"");
        assert_eq!(plain("joe\n\"root\""), "user \"joe\\n\\\"root\\\"\"");
        assert_eq!(
            plain(&"x".repeat(200)),
            format!("user \"{}\"...", "x".repeat(64))
        );
        assert_eq!(Credentials::Null.who(), None);
        #[cfg(feature = "curve")]
        {
            let key = PublicKey::from([0; 32]);
            let who = Credentials::Curve(key).who().expect("a key");
            assert_eq!(who, format!("key {key}"));
        }
    }

    #[test]
    fn zap_hears_what_the_mechanism_knows() {
        assert!(Credentials::Null.frames().is_empty());
        let plain = Credentials::Plain {
            username: "admin".into(),
            password: "secret".into(),
        };
        assert_eq!(plain.frames(), [&b"admin"[..], b"secret"]);
        assert_eq!(plain.mechanism(), "PLAIN");
    }
}
