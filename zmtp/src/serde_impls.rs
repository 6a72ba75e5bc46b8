//! How this crate's values look to serde, with the feature `serde`.
//!
//! Names stay text, and bytes are text where they can be: what is written is read by people more often than not.

use std::fmt;

use bytes::Bytes;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::socket_type::SocketType;
use crate::wire::metadata::Metadata;

/// Its name, as on the wire: `PUB`.
impl Serialize for SocketType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for SocketType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(Error::custom)
    }
}

/// A list of pairs of name and value, in their order: a name may come twice. Values are [`bytes_or_text`].
impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(|(name, value)| (name, BytesOrText(value))))
    }
}

/// Refuses what could not be sent, as [`Metadata::push`] does.
impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut metadata = Metadata::new();
        for (name, Owned(value)) in Vec::<(String, Owned)>::deserialize(deserializer)? {
            metadata.push(name, value).map_err(Error::custom)?;
        }
        Ok(metadata)
    }
}

struct BytesOrText<'a>(&'a [u8]);

impl Serialize for BytesOrText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        bytes_or_text::serialize(self.0, serializer)
    }
}

struct Owned(Bytes);

impl<'de> Deserialize<'de> for Owned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bytes_or_text::deserialize(deserializer).map(Owned)
    }
}

/// Writes and reads bytes as text, in formats for people, if they are UTF-8; otherwise, and in all other formats, as bytes.
/// Nothing is lost: text stands for its bytes.
#[doc(hidden)]
pub mod bytes_or_text {
    use super::{Bytes, Collect, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) if serializer.is_human_readable() => serializer.serialize_str(text),
            _ => serializer.serialize_bytes(bytes),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(Collect)
        } else {
            deserializer.deserialize_byte_buf(Collect)
        }
    }
}

struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or bytes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
        self.visit_bytes(text.as_bytes())
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes::copy_from_slice(bytes))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(bytes.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Bytes, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = sequence.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_a_list_of_pairs_and_comes_back_as_it_was() {
        let mut metadata = Metadata::new();
        metadata.push("X-Name", "first").unwrap();
        metadata.push("X-Name", "second").unwrap();
        metadata.push("X-Bytes", &[0xff_u8, 0][..]).unwrap();
        let json = serde_json::to_string(&metadata).unwrap();
        let expected = r#"[["X-Name","first"],["X-Name","second"],["X-Bytes",[255,0]]]"#;
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<Metadata>(&json).unwrap(), metadata);
    }

    #[test]
    fn metadata_that_could_not_be_sent_is_refused() {
        let error = serde_json::from_str::<Metadata>(r#"[["not a name",""]]"#).unwrap_err();
        assert!(error.to_string().contains("name"), "{error}");
    }

    #[test]
    fn socket_types_are_their_names() {
        for socket_type in SocketType::ALL {
            let json = serde_json::to_string(&socket_type).unwrap();
            assert_eq!(json, format!("{:?}", socket_type.name()));
            assert_eq!(
                serde_json::from_str::<SocketType>(&json).unwrap(),
                socket_type
            );
        }
        assert!(serde_json::from_str::<SocketType>("\"pub\"").is_err());
    }
}
