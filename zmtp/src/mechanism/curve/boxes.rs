//! Boxes: what NaCl calls authenticated encryption, X25519 with XSalsa20-Poly1305. The only file that
//! calls the cryptographic library; `SECURITY.md` says which one, and why.
//!
//! ```text
//! box = tag(16) ciphertext        nonce(24) = prefix(8) tail(16), or prefix(16) tail(8)
//! ```

use dryoc::classic::crypto_box::{
    Mac, crypto_box_beforenm, crypto_box_detached_afternm_inplace,
    crypto_box_open_detached_afternm_inplace,
};
use zeroize::Zeroizing;

use super::keys::{KEY, PublicKey, SecretKey};
use crate::error::{Error, Violation};

/// Octets that a box is longer than what is in it.
pub(super) const TAG: usize = 16;
/// Octets of a nonce.
pub(super) const NONCE: usize = 24;

/// The key of a box.
pub(super) type Key = Zeroizing<[u8; KEY]>;

/// The key that two sides share: each computes it from the other's public key.
///
/// # Errors
/// The peer's key is one of the few with which every secret gives the same.
pub(super) fn shared_key(public: &PublicKey, secret: &SecretKey) -> Result<Key, Error> {
    crypto_box_beforenm(public.as_bytes(), secret.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| Violation::KeyExchange.into())
}

/// A nonce from its two parts.
pub(super) fn nonce(prefix: &[u8], tail: &[u8]) -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    debug_assert_eq!(prefix.len() + tail.len(), NONCE);
    let (head, rest) = nonce.split_at_mut(prefix.len());
    head.copy_from_slice(prefix);
    rest.copy_from_slice(tail);
    nonce
}

/// Encrypts what lies behind the tag's place, and puts the tag there. `place` begins with that place.
#[inline]
pub(super) fn close(place: &mut [u8], nonce: &[u8; NONCE], key: &Key) {
    let Some((tag, text)) = place.split_first_chunk_mut::<TAG>() else {
        return;
    };
    let mut mac = Mac::default();
    crypto_box_detached_afternm_inplace(text, &mut mac, nonce, key);
    *tag = mac;
}

/// Opens a box in place: what was in it lies behind the tag then.
///
/// # Errors
/// The box was not made with this key and nonce. Nothing is changed then.
#[inline]
pub(super) fn open<'a>(
    place: &'a mut [u8],
    nonce: &[u8; NONCE],
    key: &Key,
) -> Result<&'a [u8], Error> {
    let opened = place
        .split_first_chunk_mut::<TAG>()
        .and_then(|(tag, text)| {
            crypto_box_open_detached_afternm_inplace(text, tag, nonce, key).ok()?;
            Some(text)
        });
    match opened {
        Some(text) => Ok(text),
        None => Err(Violation::Box.into()),
    }
}
