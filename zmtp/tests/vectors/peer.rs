//! One connection under test, fed `step` bytes at a time.

use std::io::IoSlice;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use purezmq_zmtp::wire::command::Command;
use purezmq_zmtp::wire::frame::Header;
use purezmq_zmtp::{
    Batch, Config, Connection, Engine, Error, Event, Message, PeerInfo, SocketType,
};

pub(super) const SIGNATURE: &str = "ff00000000000000007f";
pub(super) const GREETING: &str = "ff00000000000000007f03014e554c4c000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000";
pub(super) const GREETING_3_0: &str = "ff00000000000000007f03004e554c4c000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000";

pub(super) struct Peer {
    pub(super) connection: Connection,
    start: Instant,
    pub(super) now: Instant,
    step: usize,
}

impl Peer {
    pub(super) fn new(kind: SocketType, step: usize) -> Self {
        Self::with(kind, step, |_| {})
    }

    pub(super) fn with(kind: SocketType, step: usize, change: impl FnOnce(&mut Config)) -> Self {
        let now = Instant::now();
        let mut config = Config::new(kind);
        change(&mut config);
        Self {
            connection: Connection::new(config, now),
            start: now,
            now,
            step,
        }
    }

    /// After the handshake with a 3.1 peer of type `other`; its output is dropped.
    pub(super) fn ready(kind: SocketType, other: &str, step: usize) -> Self {
        let mut peer = Self::new(kind, step);
        peer.feed(&hex(GREETING)).unwrap();
        peer.shake_hands(other);
        peer.sent();
        peer
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for part in bytes.chunks(self.step.min(bytes.len().max(1))) {
            self.connection.feed(part, self.now)?;
        }
        Ok(())
    }

    pub(super) fn shake_hands(&mut self, other: &str) -> PeerInfo {
        assert!(!self.connection.is_ready());
        self.feed(&ready(other)).unwrap();
        self.info()
    }

    pub(super) fn info(&mut self) -> PeerInfo {
        assert!(self.connection.is_ready());
        match self.connection.poll_event() {
            Some(Event::Ready(info)) => info,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn sent(&mut self) -> BytesMut {
        self.connection.control().split()
    }

    pub(super) fn messages(&mut self) -> Vec<Message> {
        let mut batch = self.connection.take_messages();
        let len = batch.len();
        let messages: Vec<Message> = std::iter::from_fn(|| batch.pop()).collect();
        assert_eq!(messages.len(), len);
        messages
    }

    /// Lets time pass until the connection ends.
    pub(super) fn closes_after(&mut self) -> Duration {
        loop {
            self.now = self.connection.next_timeout().expect("never closes");
            if self.connection.handle_timeout(self.now).is_err() {
                return self.now - self.start;
            }
        }
    }
}

pub(super) fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

pub(super) fn ready(kind: &str) -> Vec<u8> {
    let mut properties = purezmq_zmtp::Metadata::new();
    properties.push("Socket-Type", kind.to_owned()).unwrap();
    let mut list = BytesMut::new();
    properties.put(&mut list);
    let mut out = BytesMut::new();
    Command::Ready(&list).put(&mut out);
    out.to_vec()
}

pub(super) fn wire(batch: &Batch) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 64];
    let used = batch.io_slices(&mut slices);
    let bytes: Vec<u8> = slices[..used]
        .iter()
        .flat_map(|slice| slice.to_vec())
        .collect();
    assert_eq!(bytes.len(), batch.byte_len());
    bytes
}

/// The number of messages in whole 3.x frames.
pub(super) fn messages_in(mut bytes: &[u8]) -> usize {
    let mut messages = 0;
    while let Some(header) = Header::parse(bytes) {
        messages += usize::from(!header.command() && !header.more());
        bytes = &bytes[header.size + header.len as usize..];
    }
    messages
}
