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

/// Holds properties in the order they were sent or added.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    properties: Vec<(String, Bytes)>,
}

/// Says that a property list is cut short, or has a size that no property can have.
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
            properties: Vec::new(),
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
        self.properties.push((name, value));
        Ok(())
    }

    /// Returns the value of the last property called `name`, whatever the case of its letters.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.all(name).last().map(|value| &value[..])
    }

    /// Returns all properties, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        self.properties
            .iter()
            .map(|(name, value)| (name.as_str(), &value[..]))
    }

    /// Returns the number of properties.
    #[must_use]
    pub fn len(&self) -> usize {
        self.properties.len()
    }

    /// Returns whether there are no properties.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.properties.is_empty()
    }

    /// Adds a property whose name is known to be legal.
    pub(crate) fn add(&mut self, name: &str, value: Bytes) {
        self.properties.push((name.to_owned(), value));
    }

    pub(crate) fn extend(&mut self, others: &Self) {
        self.properties.extend_from_slice(&others.properties);
    }

    /// Adds properties, instead of those of the same name that are there.
    pub(crate) fn replace(&mut self, others: &Self) {
        self.properties
            .retain(|(name, _)| others.get(name).is_none());
        self.extend(others);
    }

    /// Takes the properties called `name` out. Returns whether there were any.
    pub(crate) fn take(&mut self, name: &str) -> bool {
        let before = self.properties.len();
        self.properties
            .retain(|(candidate, _)| !candidate.eq_ignore_ascii_case(name));
        self.properties.len() < before
    }

    /// Returns the values of all properties called `name`.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &Bytes> {
        self.properties
            .iter()
            .filter(move |(candidate, _)| candidate.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Reads a whole property list. Names keep their case; each byte in them that is not UTF-8 becomes a
    /// `?`, as libzmq lets any byte pass.
    ///
    /// # Errors
    /// When the list ends within a property or a value is too long.
    pub fn parse(mut list: &[u8]) -> Result<Self, MalformedMetadata> {
        let mut properties = Vec::new();
        while let Some((name_len, rest)) = list.split_first() {
            let (name, rest) = rest
                .split_at_checked(usize::from(*name_len))
                .ok_or(MalformedMetadata)?;
            let (value_len, rest) = rest.split_first_chunk::<4>().ok_or(MalformedMetadata)?;
            let value_len =
                i32::try_from(u32::from_be_bytes(*value_len)).map_err(|_| MalformedMetadata)?;
            let (value, rest) = rest
                .split_at_checked(value_len as usize)
                .ok_or(MalformedMetadata)?;
            properties.push((text(name), Bytes::copy_from_slice(value)));
            list = rest;
        }
        Ok(Self { properties })
    }

    /// Appends the list as it goes on the wire.
    pub fn put(&self, out: &mut BytesMut) {
        for (name, value) in &self.properties {
            out.put_u8(name.len() as u8);
            out.put_slice(name.as_bytes());
            out.put_u32(value.len() as u32);
            out.put_slice(value);
        }
    }
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
            .entries(self.properties.iter().map(|(name, value)| (name, value)))
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
