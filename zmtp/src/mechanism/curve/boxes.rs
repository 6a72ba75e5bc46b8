//! Boxes: what NaCl calls authenticated encryption, X25519 with XSalsa20-Poly1305. The only file that
//! calls cryptographic libraries; `SECURITY.md` says which ones, and why.
//!
//! ```text
//! box = tag(16) ciphertext        nonce(24) = prefix(8) tail(16), or prefix(16) tail(8)
//! ```

use dryoc::classic::crypto_box::{
    Mac, crypto_box_beforenm, crypto_box_detached_afternm_inplace,
    crypto_box_open_detached_afternm_inplace,
};
use dryoc::classic::crypto_core::crypto_core_hsalsa20;
use dryoc::classic::crypto_onetimeauth::{crypto_onetimeauth, crypto_onetimeauth_verify};
use salsa20::Salsa20;
use salsa20::cipher::{KeyIvInit, StreamCipher};
use zeroize::Zeroizing;

use super::keys::{KEY, PublicKey, SecretKey};
use crate::error::{Error, Violation};

/// Counts the octets that a box is longer than what is in it.
pub(super) const TAG: usize = 16;
/// Counts the octets of a nonce.
pub(super) const NONCE: usize = 24;

/// Names the key of a box.
pub(super) type Key = Zeroizing<[u8; KEY]>;

/// Computes the key that two sides share: each makes it from the other's public key.
///
/// # Errors
/// The peer's key is one of the few with which every secret gives the same.
pub(super) fn shared_key(public: &PublicKey, secret: &SecretKey) -> Result<Key, Error> {
    crypto_box_beforenm(public.as_bytes(), secret.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| Violation::Box.into())
}

/// Joins a nonce of its two parts.
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
pub(super) fn seal(place: &mut [u8], nonce: &[u8; NONCE], key: &Key) {
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

/// Counts the octets of two blocks of keystream: what a short box takes. The first octets are its authenticator's key.
const SHORT: usize = 128;

/// Seals and opens the boxes of one direction's messages. Their nonces have the prefix in common, which is the part
/// of it that XSalsa20 makes a key of for Salsa20, so that is done once; for a short message it is a
/// quarter of the work. Long ones go the library's way, which computes more blocks at a time.
pub(super) struct Direction {
    subkey: Key,
    nonce: [u8; NONCE],
    /// Where a short box's keystream is: wiped at the end, and not once for each message.
    keystream: Zeroizing<[u8; SHORT]>,
}

impl Direction {
    pub(super) fn new(prefix: &[u8; 16], key: &Key) -> Self {
        let mut subkey = Key::default();
        crypto_core_hsalsa20(&mut subkey, prefix, key, None);
        Self {
            subkey,
            nonce: nonce(prefix, &[0; 8]),
            keystream: Zeroizing::new([0; SHORT]),
        }
    }

    /// Seals like [`seal`], with the nonce that ends with `tail`; `key` is the one it was made with.
    #[inline]
    pub(super) fn seal(&mut self, place: &mut [u8], tail: &[u8; 8], key: &Key) {
        match place.split_first_chunk_mut::<TAG>() {
            Some((tag, text)) if text.len() <= SHORT - KEY => {
                let (authenticator, stream) = self.short(text.len(), tail);
                mix(text, stream);
                crypto_onetimeauth(tag, text, authenticator);
            }
            _ => {
                self.nonce[16..].copy_from_slice(tail);
                seal(place, &self.nonce, key);
            }
        }
    }

    /// Opens like [`open`], with the nonce that ends with `tail`; `key` is the one it was made with.
    ///
    /// # Errors
    /// Those of [`open`].
    #[inline]
    pub(super) fn open<'a>(
        &mut self,
        place: &'a mut [u8],
        tail: &[u8; 8],
        key: &Key,
    ) -> Result<&'a [u8], Error> {
        if place.len() > TAG + SHORT - KEY {
            self.nonce[16..].copy_from_slice(tail);
            return open(place, &self.nonce, key);
        }
        let Some((tag, text)) = place.split_first_chunk_mut::<TAG>() else {
            return Err(Violation::Box.into());
        };
        let (authenticator, stream) = self.short(text.len(), tail);
        crypto_onetimeauth_verify(tag, text, authenticator).map_err(|_| Violation::Box)?;
        mix(text, stream);
        Ok(text)
    }

    /// Returns the authenticator's key, and as much keystream as `len` octets need.
    #[inline]
    fn short(&mut self, len: usize, tail: &[u8; 8]) -> (&[u8; KEY], &[u8]) {
        let keystream = &mut self.keystream[..KEY + len];
        keystream.fill(0);
        Salsa20::new((&*self.subkey).into(), tail.into()).apply_keystream(keystream);
        let (authenticator, stream) = keystream.split_first_chunk().unwrap_or((&[0; KEY], &[]));
        (authenticator, stream)
    }
}

fn mix(text: &mut [u8], stream: &[u8]) {
    for (octet, with) in text.iter_mut().zip(stream) {
        *octet ^= with;
    }
}
