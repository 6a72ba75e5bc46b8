//! What was seen of a connection: `observer` and `pass` make events, `report` shows them.

/// Says how much of a frame is kept to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// So many bytes, of the first 64 frames of a message.
    Start(usize),
    /// All of it: it is recorded.
    All,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A client has connected.
    Opened {
        address: Option<String>,
    },
    /// The target does not let the tap in.
    Unreachable {
        why: String,
    },
    /// A side has ended its direction, or broken off.
    Ended {
        why: Option<String>,
    },
    /// Both directions are over.
    Closed,
    Greeting {
        version: &'static str,
        /// Of 3.x.
        mechanism: Option<String>,
        as_server: bool,
    },
    Command {
        name: String,
        bytes: u64,
        fields: Vec<(String, Vec<u8>)>,
        /// Of a subscription: to what.
        topic: Option<Vec<u8>>,
    },
    Message {
        frames: Vec<Frame>,
        left_out: Left,
    },
    /// A frame that only the peers can open.
    Sealed {
        bytes: u64,
    },
    /// Bytes that mean nothing here.
    Bytes {
        bytes: u64,
        start: Vec<u8>,
    },
    /// What follows from this side is not understood, and why.
    Lost {
        why: &'static str,
    },
}

/// A frame: its size, and what was kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) bytes: u64,
    pub(super) start: Vec<u8>,
}

/// What was not kept of a message: so many frames, of so many bytes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) frames: u64,
    pub(super) bytes: u64,
}
