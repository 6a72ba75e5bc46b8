//! CURVE's permanent keys (RFC 26), as bytes and as Z85 text (RFC 32).

use std::fmt;
use std::str::FromStr;

use dryoc::classic::crypto_core::crypto_scalarmult_base;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::z85;
use crate::random::Random;

/// Counts the octets of a key.
pub(super) const KEY: usize = 32;

/// Says that a text is no key: a key is 40 characters of Z85.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a CURVE key is 40 characters of Z85")]
pub struct KeyError;

/// Holds a public key: shown, compared, and written as Z85 text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey([u8; KEY]);

impl PublicKey {
    /// Returns the key's octets.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; KEY] {
        &self.0
    }
}

impl From<[u8; KEY]> for PublicKey {
    fn from(bytes: [u8; KEY]) -> Self {
        Self(bytes)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        decode(text).map(|bytes| Self(*bytes))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&z85::encode(&self.0).unwrap_or_default())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// Holds a secret key. It is compared in constant time, wiped from memory when it is dropped, and not shown by `Debug`.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<[u8; KEY]>);

impl SecretKey {
    /// Returns the key's octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY] {
        &self.0
    }

    /// Returns the key as Z85, wiped from memory when it is dropped.
    #[must_use]
    pub fn to_z85(&self) -> Zeroizing<String> {
        Zeroizing::new(z85::encode(&self.0[..]).unwrap_or_default())
    }

    /// Computes the public key that belongs to it.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        let mut public = [0; KEY];
        crypto_scalarmult_base(&mut public, &self.0);
        PublicKey(public)
    }
}

impl From<[u8; KEY]> for SecretKey {
    fn from(bytes: [u8; KEY]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl FromStr for SecretKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        decode(text).map(Self)
    }
}

impl PartialEq for SecretKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0[..]).into()
    }
}

impl Eq for SecretKey {}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// Holds a secret key and its public key: who one side is.
///
/// ```
/// use purezmq_zmtp::mechanism::{KeyPair, SecretKey};
///
/// let keys = KeyPair::generate();
/// println!("give this to your clients: {}", keys.public());
/// let again = KeyPair::from(keys.secret().to_z85().parse::<SecretKey>()?);
/// assert_eq!(again, keys);
/// # Ok::<(), purezmq_zmtp::mechanism::KeyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    public: PublicKey,
    secret: SecretKey,
}

impl KeyPair {
    /// Makes a new pair, from the operating system's random numbers.
    #[must_use]
    pub fn generate() -> Self {
        Self::random(&Random::default())
    }

    /// Takes both keys as they are, and computes nothing. Peers refuse who uses a pair that does not belong together.
    #[must_use]
    pub const fn from_keys(public: PublicKey, secret: SecretKey) -> Self {
        Self { public, secret }
    }

    pub(super) fn random(random: &Random) -> Self {
        SecretKey(random.bytes()).into()
    }

    /// Returns the public key.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Returns the secret key.
    #[must_use]
    pub const fn secret(&self) -> &SecretKey {
        &self.secret
    }
}

/// The public key is computed.
impl From<SecretKey> for KeyPair {
    fn from(secret: SecretKey) -> Self {
        Self {
            public: secret.public_key(),
            secret,
        }
    }
}

fn decode(text: &str) -> Result<Zeroizing<[u8; KEY]>, KeyError> {
    let bytes = z85::decode(text).ok_or(KeyError)?;
    let mut key = Zeroizing::new([0; KEY]);
    if bytes.len() != KEY {
        return Err(KeyError);
    }
    key.copy_from_slice(&bytes);
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_text_and_back() {
        let keys = KeyPair::generate();
        assert_ne!(keys, KeyPair::generate());
        let text = keys.public().to_string();
        assert_eq!(text.len(), 40);
        assert_eq!(text.parse(), Ok(*keys.public()));
        assert_eq!(text[..35].parse::<PublicKey>(), Err(KeyError));
        assert_eq!("~".repeat(40).parse::<SecretKey>(), Err(KeyError));
    }

    #[test]
    fn the_pair_of_libzmqs_man_page_belongs_together() {
        let secret: SecretKey = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6".parse().unwrap();
        let public = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
        assert_eq!(secret.public_key().to_string(), public);
    }

    #[test]
    fn debug_shows_no_secret() {
        let keys = KeyPair::generate();
        let shown = format!("{keys:?}");
        assert!(shown.contains(&keys.public().to_string()), "{shown}");
        assert!(!shown.contains(&keys.secret().to_z85()[..]), "{shown}");
        assert!(shown.contains("SecretKey(..)"), "{shown}");
    }
}
