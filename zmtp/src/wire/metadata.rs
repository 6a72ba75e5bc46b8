//! Connection metadata: the properties that READY and INITIATE carry (RFC 37, "Connection
//! Metadata").
//!
//! ```text
//! property = name-size(1) name value-size(4) value        value-size up to 2^31-1
//! ```
//! We send names in the standard's case and compare them without regard to case (libzmq compares
//! exactly). A list that ends in the middle of a property is an error.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

/// Names the property with the socket type.
pub const SOCKET_TYPE: &str = "Socket-Type";
/// Names the property with a REQ, DEALER or ROUTER socket's routing id.
pub const IDENTITY: &str = "Identity";
/// Names the property that says that its sender understands the commands DRAIN and DRAINED.
pub const DRAIN: &str = "X-Drain";

/// Names what this side says of a peer, and no peer says of itself: as libzmq has it, each is asked for as the properties
/// of a message are.
const CLAIMS: [&str; 3] = ["User-Id", "Peer-Address", "Routing-Id"];

/// Bounds how many properties a peer's list may have: no peer has a use for so many.
const MOST: usize = 1024;

/// Holds properties in the order they were sent or added: one piece of memory, however many they are, which clones share.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// As on the wire. All names are text.
    list: Bytes,
    count: usize,
}

/// Says that a property list is cut short, has a size that no property can have, or more than 1,024 properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed metadata")]
pub struct MalformedMetadata;

/// Says why a property can't be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PropertyError {
    /// Names have 1 to 255 letters, digits, `-`, `_`, `.` or `+`.
    #[error("property names have 1 to 255 letters, digits, '-', '_', '.' or '+'")]
    Name,
    /// Values have at most 2^31-1 bytes.
    #[error("property values have at most 2147483647 bytes")]
    Value,
}

impl Metadata {
    /// Makes an empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            list: Bytes::new(),
            count: 0,
        }
    }

    /// Adds a property. Applications' own begin with `X-` by convention.
    ///
    /// # Errors
    /// When name or value is not allowed on the wire.
    pub fn push(
        &mut self,
        name: impl Into<String>,
        value: impl Into<Bytes>,
    ) -> Result<(), PropertyError> {
        let (name, value) = (name.into(), value.into());
        let allowed = |c: u8| c.is_ascii_alphanumeric() || b"-_.+".contains(&c);
        if name.is_empty() || name.len() > 255 || !name.bytes().all(allowed) {
            return Err(PropertyError::Name);
        }
        if i32::try_from(value.len()).is_err() {
            return Err(PropertyError::Value);
        }
        self.add(&name, value);
        Ok(())
    }

    /// Returns the value of the last property called `name`, whatever the case of its letters.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.all(name).last()
    }

    /// Returns all properties, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        Iter {
            list: &self.list,
            left: self.count,
        }
    }

    /// Returns the number of properties.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Returns whether there are no properties.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a property whose name is known to be legal.
    pub(crate) fn add(&mut self, name: &str, value: Bytes) {
        let mut list = BytesMut::with_capacity(self.list.len() + 5 + name.len() + value.len());
        list.put_slice(&self.list);
        put(&mut list, name, &value);
        self.list = list.freeze();
        self.count += 1;
    }

    pub(crate) fn extend(&mut self, others: &Self) {
        if self.is_empty() {
            *self = others.clone();
        } else if !others.is_empty() {
            self.list = [&self.list[..], &others.list].concat().into();
            self.count += others.count;
        }
    }

    /// Adds properties, instead of those of the same name that are there.
    pub(crate) fn replace(&mut self, others: &Self) {
        if others.is_empty() {
            return;
        }
        self.retain(|name, _| others.get(name).is_none());
        self.extend(others);
    }

    /// Removes what no peer may say of itself, in whatever spelling.
    pub(crate) fn remove_claims(&mut self) {
        self.retain(|name, _| !CLAIMS.iter().any(|claim| name.eq_ignore_ascii_case(claim)));
    }

    /// Takes the properties called `name` out. Returns whether there were any.
    pub(crate) fn take(&mut self, name: &str) -> bool {
        let before = self.count;
        self.retain(|candidate, _| !candidate.eq_ignore_ascii_case(name));
        self.count < before
    }

    /// Keeps the properties, from the first on, that take no more than so many bytes, and room for no others.
    pub(crate) fn keep_within(&mut self, mut bytes: usize) {
        if self.list.len() <= bytes {
            return;
        }
        self.retain(|name, value| {
            let size = 5 + name.len() + value.len();
            let fits = size <= bytes;
            bytes = if fits { bytes - size } else { 0 };
            fits
        });
    }

    fn retain(&mut self, mut stays: impl FnMut(&str, &[u8]) -> bool) {
        let (mut list, mut count) = (BytesMut::new(), 0);
        for (name, value) in self.iter() {
            if stays(name, value) {
                put(&mut list, name, value);
                count += 1;
            }
        }
        if count < self.count {
            *self = Self {
                list: Bytes::copy_from_slice(&list),
                count,
            };
        }
    }

    /// Returns the values of all properties called `name`.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.iter()
            .filter(move |(candidate, _)| candidate.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Reads a whole property list. Names keep their case; each byte in them that is not UTF-8 becomes a
    /// `?`, as libzmq lets any byte pass.
    ///
    /// # Errors
    /// When the list ends within a property, a value is too long, or there are more than 1,024 properties.
    pub fn parse(list: &[u8]) -> Result<Self, MalformedMetadata> {
        let (mut count, mut is_text) = (0, true);
        let mut rest = list;
        while !rest.is_empty() {
            let (name, _, after) = first(rest).ok_or(MalformedMetadata)?;
            is_text &= std::str::from_utf8(name).is_ok();
            count += 1;
            rest = after;
        }
        if count > MOST {
            return Err(MalformedMetadata);
        }
        let list = if is_text {
            Bytes::copy_from_slice(list)
        } else {
            let mut texts = BytesMut::with_capacity(list.len());
            let mut rest = list;
            while let Some((name, value, after)) = first(rest) {
                put(&mut texts, &text(name), value);
                rest = after;
            }
            Bytes::copy_from_slice(&texts)
        };
        Ok(Self { list, count })
    }

    /// Appends the list as it goes on the wire.
    pub fn put(&self, out: &mut BytesMut) {
        out.put_slice(&self.list);
    }
}

struct Iter<'a> {
    list: &'a [u8],
    left: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value, rest) = first(self.list)?;
        self.list = rest;
        self.left -= 1;
        // All of them are text.
        Some((std::str::from_utf8(name).unwrap_or_default(), value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

/// Divides a list into the name and value of its first property, and the rest. `None`: it ends within that.
fn first(list: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name_len, rest) = list.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*name_len))?;
    let (value_len, rest) = rest.split_first_chunk::<4>()?;
    let value_len = i32::try_from(u32::from_be_bytes(*value_len)).ok()?;
    let (value, rest) = rest.split_at_checked(value_len as usize)?;
    Some((name, value, rest))
}

/// Appends a property.
fn put(list: &mut BytesMut, name: &str, value: &[u8]) {
    list.put_u8(name.len() as u8);
    list.put_slice(name.as_bytes());
    list.put_u32(value.len() as u32);
    list.put_slice(value);
}

/// Makes a text of a name that is no longer than it was: what was read can be sent again.
fn text(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    text
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.iter()
                    .map(|(name, value)| (name, Bytes::copy_from_slice(value))),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Metadata {
        let mut metadata = Metadata::new();
        metadata.push("Socket-Type", "PUSH").unwrap();
        metadata.push("X-Foo", "bar").unwrap();
        metadata
    }

    #[test]
    fn lists_round_trip_and_names_ignore_case() {
        let mut wire = BytesMut::new();
        sample().put(&mut wire);
        let read = Metadata::parse(&wire).unwrap();
        assert_eq!(read, sample());
        assert_eq!(read.get("socket-type"), Some(&b"PUSH"[..]));
        assert_eq!(read.get("x-FOO"), Some(&b"bar"[..]));
        assert_eq!(read.get("x-foe"), None);
    }

    #[test]
    fn every_truncation_is_an_error() {
        let mut wire = BytesMut::new();
        sample().put(&mut wire);
        let first = 1 + SOCKET_TYPE.len() + 4 + 4;
        for cut in 1..wire.len() {
            assert_eq!(Metadata::parse(&wire[..cut]).is_ok(), cut == first, "{cut}");
        }
    }

    /// Found by fuzzing: replaced bytes made a name longer than its length octet can say.
    #[test]
    fn names_that_are_not_text_can_be_sent_again() {
        let mut wire = vec![255];
        wire.extend_from_slice(&[0xff; 255]);
        wire.extend_from_slice(b"\0\0\0\x01v");
        let read = Metadata::parse(&wire).unwrap();
        let mut again = BytesMut::new();
        read.put(&mut again);
        assert_eq!(Metadata::parse(&again).as_ref(), Ok(&read));
        assert_eq!(read.get(&"?".repeat(255)), Some(&b"v"[..]));
    }

    #[test]
    fn what_is_kept_of_a_long_list_is_whole_and_within_the_bound() {
        let mut metadata = Metadata::new();
        for number in 0..10 {
            metadata
                .push(format!("X-{number}"), vec![b'x'; 100])
                .unwrap();
        }
        let whole = metadata.clone();
        metadata.keep_within(10 * 108);
        assert_eq!(metadata, whole);
        metadata.keep_within(300);
        let names: Vec<_> = metadata.iter().map(|(name, _)| name).collect();
        assert_eq!((names, metadata.len()), (vec!["X-0", "X-1"], 2));
        let mut other = Metadata::new();
        other.push("x-1", "mine").unwrap();
        metadata.replace(&other);
        assert_eq!(metadata.get("X-1"), Some(&b"mine"[..]));
        assert_eq!(metadata.iter().len(), 2);
    }

    #[test]
    fn a_thousand_properties_are_enough() {
        assert!(Metadata::parse(&[0; 5 * MOST]).is_ok());
        assert_eq!(
            Metadata::parse(&[0; 5 * (MOST + 1)]),
            Err(MalformedMetadata)
        );
    }

    #[test]
    fn what_no_peer_says_of_itself_is_removed_in_any_spelling() {
        let mut metadata = sample();
        for name in [
            "User-Id",
            "user-id",
            "USER-ID",
            "peer-Address",
            "routing-ID",
        ] {
            metadata.push(name, "root").unwrap();
        }
        metadata.remove_claims();
        assert_eq!(metadata, sample());
    }

    #[test]
    fn values_of_two_gigabytes_are_an_error() {
        assert_eq!(Metadata::parse(b"\x01a\x80\0\0\0"), Err(MalformedMetadata));
    }

    #[test]
    fn only_legal_names_can_be_added() {
        let mut metadata = Metadata::new();
        for name in ["", "sp ace", "ü", &"x".repeat(256)] {
            assert_eq!(metadata.push(name, "v"), Err(PropertyError::Name));
        }
        assert!(metadata.push("A-Z_0.9+", "").is_ok());
        assert_eq!(metadata.len(), 1);
    }
}
