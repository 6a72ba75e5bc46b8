//! Certificates: key pairs as text, in the format of CZMQ that `zmq.auth` writes and reads, too.
//!
//! ```text
//! #   comment
//! metadata
//!     name = "value"
//! curve
//!     public-key = "40 characters of Z85"
//!     secret-key = "40 characters of Z85"
//! ```
//! A public certificate has no secret key. Reading and writing files is `patterns`' part.

use std::fmt::Write;

use zeroize::Zeroizing;

use super::keys::{KeyError, KeyPair, PublicKey, SecretKey};

/// Holds a public key, perhaps its secret key, and words about whose it is.
///
/// ```
/// use purezmq_zmtp::mechanism::{Certificate, KeyPair};
///
/// let mut certificate = Certificate::new(KeyPair::generate());
/// certificate.metadata.push(("name".into(), "sensor 4".into()));
/// let public = Certificate::parse(&certificate.to_public_text())?;
/// assert_eq!(public.public_key(), certificate.public_key());
/// assert_eq!(public.metadata, certificate.metadata);
/// assert!(public.secret_key().is_none());
/// # Ok::<(), purezmq_zmtp::mechanism::CertificateError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    public: PublicKey,
    secret: Option<SecretKey>,
    /// Names and values, in the order of the text.
    pub metadata: Vec<(String, String)>,
}

/// Says why a text is no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// There is no public key in it.
    #[error("no public-key in the certificate")]
    NoPublicKey,
    /// A key is not what a key should be.
    #[error("{name}: {source}")]
    Key {
        /// `public-key` or `secret-key`.
        name: &'static str,
        /// Why.
        source: KeyError,
    },
    /// The keys do not belong together.
    #[error("the secret key belongs to another public key")]
    Mismatch,
}

impl From<PublicKey> for Certificate {
    fn from(public: PublicKey) -> Self {
        Self {
            public,
            secret: None,
            metadata: Vec::new(),
        }
    }
}

impl Certificate {
    /// Makes a certificate with both keys and no metadata.
    #[must_use]
    pub fn new(keys: KeyPair) -> Self {
        Self {
            secret: Some(keys.secret().clone()),
            ..Self::from(*keys.public())
        }
    }

    /// Returns the public key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Returns the secret key, if it is there.
    #[must_use]
    pub const fn secret_key(&self) -> Option<&SecretKey> {
        self.secret.as_ref()
    }

    /// Returns both keys, if both are there.
    #[must_use]
    pub fn key_pair(&self) -> Option<KeyPair> {
        self.secret.clone().map(KeyPair::from)
    }

    /// Reads a certificate. What it does not know it skips, as CZMQ and `zmq.auth` do.
    ///
    /// # Errors
    /// When there is no public key, when a key is none, and when the two do not belong together.
    pub fn parse(text: &str) -> Result<Self, CertificateError> {
        let mut public = None;
        let mut secret = None;
        let mut metadata = Vec::new();
        let mut section = "";
        for line in text.lines() {
            let word = line.trim();
            if word.is_empty() || word.starts_with('#') {
                continue;
            }
            let Some((name, value)) = word.split_once('=') else {
                if !line.starts_with([' ', '\t']) {
                    section = word;
                }
                continue;
            };
            let (name, value) = (name.trim(), unquoted(value.trim()));
            match (section, name) {
                ("metadata", name) => metadata.push((name.to_owned(), value.to_owned())),
                (_, "public-key") => public = Some(key("public-key", value)?),
                (_, "secret-key") => secret = Some(key("secret-key", value)?),
                _ => {}
            }
        }
        let public: PublicKey = public.ok_or(CertificateError::NoPublicKey)?;
        let secret: Option<SecretKey> = secret;
        if secret
            .as_ref()
            .is_some_and(|secret| secret.public_key() != public)
        {
            return Err(CertificateError::Mismatch);
        }
        Ok(Self {
            public,
            secret,
            metadata,
        })
    }

    /// Returns the certificate without its secret key, to be given away.
    #[must_use]
    pub fn to_public_text(&self) -> String {
        self.text(None).to_string()
    }

    /// Returns the whole certificate, wiped from memory when it is dropped.
    #[must_use]
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        self.text(self.secret.as_ref())
    }

    fn text(&self, secret: Option<&SecretKey>) -> Zeroizing<String> {
        // Never moved, so that no copy of the key is left behind.
        let metadata: usize = self
            .metadata
            .iter()
            .map(|(name, value)| name.len() + value.len() + 16)
            .sum();
        let mut text = Zeroizing::new(String::with_capacity(1024 + metadata));
        text.push_str(match secret {
            None => "#   ZeroMQ CURVE public certificate: may be shown, must not be changed on its way.\n",
            Some(_) => "#   ZeroMQ CURVE secret certificate: DO NOT PROVIDE THIS FILE TO OTHER USERS nor change its permissions.\n",
        });
        text.push_str("\nmetadata\n");
        for (name, value) in &self.metadata {
            let _ = writeln!(text, "    {name} = \"{value}\"");
        }
        let _ = writeln!(text, "curve\n    public-key = \"{}\"", self.public);
        if let Some(secret) = secret {
            let _ = writeln!(text, "    secret-key = \"{}\"", *secret.to_z85());
        }
        text
    }
}

fn unquoted(value: &str) -> &str {
    ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value)
}

fn key<T: std::str::FromStr<Err = KeyError>>(
    name: &'static str,
    value: &str,
) -> Result<T, CertificateError> {
    value
        .parse()
        .map_err(|source| CertificateError::Key { name, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CZMQ: &str = "\
#   ****  Generated on 2021-03-02 10:11:12 by CZMQ  ****
#   ZeroMQ CURVE **Secret** Certificate
#   DO NOT PROVIDE THIS FILE TO OTHER USERS nor change its permissions.

metadata
    name = \"a = b\"
    email = 'x@example.org'
curve
    public-key = \"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\"
    secret-key = \"JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6\"
";

    #[test]
    fn a_certificate_of_czmq_is_read() {
        let certificate = Certificate::parse(CZMQ).unwrap();
        assert_eq!(certificate.metadata.len(), 2);
        assert_eq!(certificate.metadata[0].1, "a = b");
        assert_eq!(certificate.metadata[1].1, "x@example.org");
        let keys = certificate.key_pair().unwrap();
        assert_eq!(keys.public(), certificate.public_key());
    }

    #[test]
    fn what_is_written_is_read() {
        let certificate = Certificate::parse(CZMQ).unwrap();
        let text = certificate.to_secret_text();
        assert_eq!(Certificate::parse(&text), Ok(certificate.clone()));
        let public = certificate.to_public_text();
        assert!(!public.contains("secret-key"));
        assert!(!public.contains("JTKVSB"));
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        assert_eq!(Certificate::parse(""), Err(CertificateError::NoPublicKey));
        let broken = CZMQ.replace("rq:rM", "rq:r");
        assert!(matches!(
            Certificate::parse(&broken),
            Err(CertificateError::Key {
                name: "public-key",
                ..
            })
        ));
        let other = KeyPair::generate().public().to_string();
        let mixed = CZMQ.replace("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", &other);
        assert_eq!(Certificate::parse(&mixed), Err(CertificateError::Mismatch));
    }
}
