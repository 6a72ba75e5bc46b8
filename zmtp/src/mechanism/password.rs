//! [`Password`]: a secret text that leaves no trace. Used by PLAIN, and by whoever checks it.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Holds a password. It is compared in constant time (its length is no secret), wiped from memory when it is dropped, and
/// not shown by `Debug`.
///
/// ```
/// use purezmq_zmtp::mechanism::Password;
///
/// let password = Password::from("secret");
/// assert_eq!(password, Password::from("secret"));
/// assert_eq!(format!("{password:?}"), "Password(..)");
/// ```
#[derive(Clone)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Returns the password itself.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<T: AsRef<[u8]> + ?Sized> From<&T> for Password {
    fn from(password: &T) -> Self {
        Self(Zeroizing::new(password.as_ref().to_vec()))
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for Password {}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Says that a name or password has more than 255 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("PLAIN names and passwords have at most 255 bytes")]
pub struct TooLong;
