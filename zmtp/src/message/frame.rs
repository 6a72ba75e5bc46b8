//! One frame: a payload, inside the frame itself, boxed, or shared.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use bytes::Bytes;

const INLINE: usize = Frame::INLINE;

/// Holds one frame of a message: immutable bytes, cheap to clone.
///
/// Dereferences to `[u8]`, so everything that reads a byte slice reads a frame.
///
/// ```
/// use purezmq_zmtp::Frame;
///
/// let frame = Frame::from("hello");
/// assert_eq!(frame, "hello");
/// assert_eq!(frame.len(), 5);
/// assert!(frame.is_inline());
/// ```
#[derive(Clone)]
pub struct Frame(pub(super) Repr);

/// Holds a payload. It is moved several times on the way to the application, so its layout is made for moving: the tag
/// fills a word, and both forms are written in the pieces in which they are copied. With a tag of
/// one octet and the payload right behind it, every move reads across the bounds of the writes
/// before it and stalls, which costs more than all the rest of receiving a message
/// (`benches/batch.rs`).
#[derive(Clone)]
#[repr(u64)]
pub(super) enum Repr {
    Inline(Block),
    /// A payload of its own: what a small message costs least in when it is taken off a [`crate::Batch`]. Two
    /// words instead of four, no count of references, no table of functions.
    Boxed(Box<[u8]>),
    Shared(Bytes),
}

/// Holds an inline payload; the last octet is its length. Octets between the payload and the length
/// are unspecified: never shown, compared or sent as payload.
#[derive(Clone, Copy)]
pub(crate) struct Block([u8; INLINE + 1]);

impl Block {
    /// Makes a block whose payload is the first `len` octets of `data`.
    #[inline]
    fn new(data: &[u8; INLINE + 1], len: u8) -> Self {
        let mut block = *data;
        if let (Some(last), Some(to)) = (data.last_chunk::<8>(), block.last_chunk_mut::<8>()) {
            // The last word in one piece, with the length in its last octet.
            let last = u64::from_le_bytes(*last) << 8 >> 8;
            *to = (last | u64::from(len) << 56).to_le_bytes();
        }
        Self(block)
    }

    #[inline]
    pub(crate) const fn len(&self) -> u8 {
        self.0[INLINE]
    }

    /// Returns the payload and what is behind it.
    #[inline]
    pub(crate) const fn data(&self) -> &[u8; INLINE + 1] {
        &self.0
    }
}

impl Frame {
    /// Bounds the payload, in bytes, that is kept inside the frame itself.
    pub const INLINE: usize = 39;

    /// Makes an empty frame.
    #[must_use]
    pub const fn new() -> Self {
        Self(Repr::Inline(Block([0; INLINE + 1])))
    }

    /// Makes a frame that refers to bytes living for the whole program: never allocates.
    #[must_use]
    pub const fn from_static(payload: &'static [u8]) -> Self {
        if payload.len() > INLINE {
            return Self(Repr::Shared(Bytes::from_static(payload)));
        }
        let mut data = [0; INLINE + 1];
        data[INLINE] = payload.len() as u8;
        let mut i = 0;
        while i < payload.len() {
            data[i] = payload[i];
            i += 1;
        }
        Self(Repr::Inline(Block(data)))
    }

    /// Makes a frame with a copy of `payload`.
    #[inline]
    #[must_use]
    pub fn copy_from_slice(payload: &[u8]) -> Self {
        if payload.len() > INLINE {
            return Self(Repr::Shared(Bytes::copy_from_slice(payload)));
        }
        let mut data = [0; INLINE + 1];
        data[..payload.len()].copy_from_slice(payload);
        Self(Repr::Inline(Block::new(&data, payload.len() as u8)))
    }

    /// Returns the payload as [`Bytes`]. Copies at most [`Frame::INLINE`] bytes.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Repr::Inline(_) => Bytes::copy_from_slice(&self),
            Repr::Boxed(bytes) => bytes.into(),
            Repr::Shared(bytes) => bytes,
        }
    }

    /// Returns whether the payload lives in the frame itself and owns no allocation.
    #[inline]
    #[must_use]
    pub const fn is_inline(&self) -> bool {
        matches!(self.0, Repr::Inline(_))
    }

    /// Returns the payload.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline(block) => &block.0[..usize::from(block.len())],
            Repr::Boxed(bytes) => bytes,
            Repr::Shared(bytes) => bytes,
        }
    }

    /// Takes the first `len` bytes of `rest`, which fit inline. Copies a block of fixed size where
    /// `rest` is long enough: faster than a copy of variable length (`benches/batch.rs`). What
    /// comes along behind `len` is never shown.
    #[inline(always)]
    pub(crate) fn inline_from(rest: &[u8], len: u8) -> Self {
        Self(Repr::Inline(match rest.first_chunk() {
            Some(block) => Block::new(block, len),
            None => {
                let mut data = [0; INLINE + 1];
                data[..usize::from(len)].copy_from_slice(&rest[..usize::from(len)]);
                Block::new(&data, len)
            }
        }))
    }

    /// Returns the inline payload.
    #[inline]
    pub(crate) fn as_inline(&self) -> Option<&Block> {
        match &self.0 {
            Repr::Inline(block) => Some(block),
            Repr::Boxed(_) | Repr::Shared(_) => None,
        }
    }

    /// Returns the payload, if it is shared.
    #[inline]
    pub(crate) fn as_shared(&self) -> Option<&Bytes> {
        match &self.0 {
            Repr::Inline(_) | Repr::Boxed(_) => None,
            Repr::Shared(bytes) => Some(bytes),
        }
    }

    /// Lends the payload, if it is shared.
    #[inline]
    pub(crate) fn as_shared_mut(&mut self) -> Option<&mut Bytes> {
        match &mut self.0 {
            Repr::Inline(_) | Repr::Boxed(_) => None,
            Repr::Shared(bytes) => Some(bytes),
        }
    }
}

impl Default for Frame {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Frame {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl AsRef<[u8]> for Frame {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Borrow<[u8]> for Frame {
    #[inline]
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Frame {}

impl PartialOrd for Frame {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Frame {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl Hash for Frame {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // As `[u8]` hashes, which `Borrow<[u8]>` demands.
        self.as_slice().hash(state);
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_payload(self, f)
    }
}

/// Shows text in quotes when it is printable, else hexadecimal; long payloads are cut, with their length.
fn fmt_payload(payload: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const TEXT: usize = 64;
    const HEX: usize = 32;
    let printable = |text: &str| {
        text.chars()
            .all(|c| !c.is_control() || matches!(c, '\n' | '\t' | '\r'))
    };
    match std::str::from_utf8(payload) {
        Ok(text) if printable(text) => {
            if payload.len() <= TEXT {
                write!(f, "{text:?}")
            } else {
                let cut = (TEXT - 3..=TEXT)
                    .rev()
                    .find(|at| text.is_char_boundary(*at));
                let text = &text[..cut.unwrap_or(0)];
                write!(f, "{text:?}… ({} bytes)", payload.len())
            }
        }
        _ => {
            f.write_str("0x")?;
            for byte in payload.iter().take(HEX) {
                write!(f, "{byte:02x}")?;
            }
            if payload.len() > HEX {
                write!(f, "… ({} bytes)", payload.len())?;
            }
            Ok(())
        }
    }
}
