//! Messages of Jupyter, version 5.3: an envelope, `<IDS|MSG>`, a signature, and four dictionaries in JSON.

use std::error::Error;

use hmac::{Hmac, KeyInit, Mac};
use purezmq::{Frame, Message, Routed, RoutingId};
use serde_json::{Value, json};
use sha2::Sha256;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Of the protocol.
pub(crate) const VERSION: &str = "5.3";

const DELIMITER: &[u8] = b"<IDS|MSG>";

/// Opens and seals messages by the key of the connection file.
pub(crate) struct Wire {
    /// `None`: messages are not signed.
    key: Option<Hmac<Sha256>>,
    session: String,
}

/// What a client has sent.
pub(crate) struct Request {
    pub(crate) peer: RoutingId,
    /// What stood in front of the delimiter, and is sent back.
    pub(crate) envelope: Vec<Frame>,
    header: Value,
    pub(crate) content: Value,
}

impl Request {
    pub(crate) fn kind(&self) -> &str {
        self.header["msg_type"].as_str().unwrap_or_default()
    }
}

impl Wire {
    pub(crate) fn new(key: &str) -> Self {
        let key = (!key.is_empty()).then(|| Hmac::new_from_slice(key.as_bytes()));
        Wire {
            key: key.map(|key| key.expect("a key may have any length")),
            session: unique(),
        }
    }

    /// Takes a message apart, if its signature is right.
    pub(crate) fn open(&self, routed: Routed) -> Result<Request, Box<dyn Error>> {
        let mut frames = routed.message.into_frames();
        let envelope = frames
            .by_ref()
            .take_while(|frame| frame[..] != *DELIMITER)
            .collect();
        let [
            Some(signature),
            Some(header),
            Some(parent),
            Some(metadata),
            Some(content),
        ] = std::array::from_fn(|_| frames.next())
        else {
            return Err("frames are missing".into());
        };
        if let Some(mac) = self.mac([&header, &parent, &metadata, &content]) {
            let signature = unhex(&signature).ok_or("the signature is not in hexadecimal")?;
            // In constant time: who guesses learns nothing.
            mac.verify_slice(&signature)
                .map_err(|_| "the signature is wrong")?;
        }
        Ok(Request {
            peer: routed.peer,
            envelope,
            header: serde_json::from_slice(&header)?,
            content: serde_json::from_slice(&content)?,
        })
    }

    /// Makes a message that has to do with a request.
    pub(crate) fn seal(
        &self,
        envelope: &[Frame],
        request: &Request,
        kind: &str,
        content: &Value,
    ) -> Message {
        let header = json!({
            "msg_id": unique(),
            "session": self.session,
            "username": "calculator",
            "date": OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
            "msg_type": kind,
            "version": VERSION,
        });
        let parts = [&header, &request.header, &json!({}), content].map(Value::to_string);
        let [one, two, three, four] = &parts;
        let signature = self.mac([one, two, three, four].map(String::as_bytes));
        let mut message: Message = envelope.iter().collect();
        message.push_back(DELIMITER);
        message
            .push_back(signature.map_or_else(String::new, |mac| hex(&mac.finalize().into_bytes())));
        for part in parts {
            message.push_back(part);
        }
        message
    }

    fn mac<const N: usize>(&self, parts: [&[u8]; N]) -> Option<Hmac<Sha256>> {
        let mut mac = self.key.clone()?;
        for part in parts {
            mac.update(part);
        }
        Some(mac)
    }
}

/// Makes up a name that nothing else has.
fn unique() -> String {
    format!("{:032x}", fastrand::u128(..))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}
