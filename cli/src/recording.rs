//! Recordings: messages with their times, in a file. `record` and `tap` write them, `replay` reads them.
//!
//! A recording is a CBOR sequence (RFC 8742): data items one after the other, without anything around or between them. The
//! first is the header, a map; each of the others is one message, a map as well:
//!
//! ```text
//! header   "format"       text    always "pzmq recording"
//!          "version"      uint    1; a reader refuses what is newer
//!          "made_by"      text    for people: the program that wrote it
//!          "socket_type"  text    "PULL", "SUB", ...: who received; empty: what passed a tap
//!          "endpoints"    [text]  where it was bound and connected, in that order
//!          "started"      uint    nanoseconds since 1970, UTC: the zero of all times
//! message  "time"         uint    nanoseconds since `started`, by a clock that is never set; never less than before
//!          "frames"       [bytes] the frames, in libzmq's form: from a ROUTER, the first is the routing id
//!          "connection"   uint    only of a tap: which of its connections, from 1
//!          "from"         text    only of a tap: "client", or "target"
//! ```
//!
//! Readers pass over keys that they do not know. A message is written in one piece, and the file has no index and no end
//! mark: whatever ends the writer, everything up to the last whole message can be read.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use purezmq::Message;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

pub(crate) use reader::{End, Reader};
pub(crate) use writer::Writer;

/// What a recording's header calls itself.
const FORMAT: &str = "pzmq recording";
/// The version that is written, and the last one that is understood.
const VERSION: u32 = 1;

/// What stands at the start of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    format: String,
    version: u32,
    made_by: String,
    pub(crate) socket_type: String,
    pub(crate) endpoints: Vec<String>,
    pub(crate) started: u64,
}

impl Header {
    /// Makes the header of a recording that starts now.
    pub(crate) fn new(socket_type: &str, endpoints: Vec<String>) -> Self {
        let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH);
        Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            made_by: concat!("pzmq ", env!("CARGO_PKG_VERSION")).to_owned(),
            socket_type: socket_type.to_owned(),
            endpoints,
            started: nanos(since.unwrap_or_default()),
        }
    }
}

/// Says who recorded, where and when.
impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.socket_type.as_str() {
            "" => "a tap",
            name => name,
        };
        let at = self.endpoints.join(", ");
        write!(f, "recorded by {who} at {at}")?;
        match UNIX_EPOCH.checked_add(Duration::from_nanos(self.started)) {
            Some(time) => write!(f, ", {}", humantime::format_rfc3339_seconds(time)),
            None => Ok(()),
        }
    }
}

/// Says from which side of a tap a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    // Who connected to the tap
    Client,
    // What the tap connected to
    Target,
}

/// One recorded message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Nanoseconds since the recording's start.
    time: u64,
    frames: Vec<ByteBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connection: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<Side>,
}

impl Record {
    pub(crate) fn time(&self) -> Duration {
        Duration::from_nanos(self.time)
    }

    /// Makes the message again, without its first `skipped` frames.
    pub(crate) fn into_message(self, skipped: usize) -> Message {
        self.frames
            .into_iter()
            .skip(skipped)
            .map(ByteBuf::into_vec)
            .collect()
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
