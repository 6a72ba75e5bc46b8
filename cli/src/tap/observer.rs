//! Reads along what two peers say to each other by ZMTP: greetings, commands, messages. It is no peer: it answers nothing,
//! refuses nothing, and when it does not understand, says so and counts bytes.
//!
//! The grammar is that of `purezmq::zmtp::wire`. What a direction's bytes mean depends on both sides: on the older one's
//! version, and on the mechanism. So bytes of a greeting wait here (they have been passed on) until the other side has said
//! which version it is of.

use bytes::{Buf, BytesMut};
use purezmq::zmtp::wire::command::{Command, split_name};
use purezmq::zmtp::wire::frame::{Header, V1Header};
use purezmq::zmtp::wire::greeting::{
    GREETING, Greeting, Peer, SHORT_GREETING, SIGNATURE, identify,
};
use purezmq::zmtp::wire::metadata::Metadata;

use super::event::{Event, Frame, Keep, Left};
use crate::recording::Side;

/// Frames of one message whose beginnings are kept, unless all is.
const FRAMES: usize = 64;
/// Bytes of a command that are kept.
const COMMAND: usize = 64 * 1024;
/// Bytes of a side that waits for the other one's version; with more, it is taken at its word.
const WAITING: usize = 64 * 1024;

/// Both directions of a connection.
pub(super) struct Observer {
    client: Direction,
    target: Direction,
}

impl Observer {
    pub(super) fn new(keep: Keep) -> Self {
        Observer {
            client: Direction::new(keep),
            target: Direction::new(keep),
        }
    }

    /// Reads along what a side has sent.
    pub(super) fn feed(&mut self, from: Side, bytes: &[u8], mut tell: impl FnMut(Side, Event)) {
        let (this, other, to) = match from {
            Side::Client => (&mut self.client, &mut self.target, Side::Target),
            Side::Target => (&mut self.target, &mut self.client, Side::Client),
        };
        this.input.extend_from_slice(bytes);
        this.identify();
        this.read(other, &mut |event| tell(from, event));
        // The other side may have waited for this one's version.
        other.read(this, &mut |event| tell(to, event));
    }
}

/// How frames look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    V1,
    V2,
    V3,
}

#[derive(Debug)]
enum State {
    Greeting,
    /// The first frame of ZMTP 1.0 and 2.0: the peer's routing id.
    Identity(Framing),
    /// Commands until the handshake is over for this side.
    Handshake,
    Traffic(Framing),
    /// Not understood.
    Lost,
}

/// What one side sends.
struct Direction {
    keep: Keep,
    state: State,
    peer: Peer,
    input: BytesMut,
    mechanism: Option<String>,
    /// What the side has said that it is.
    socket_type: Option<Vec<u8>>,
    /// The frame that is being read.
    body: Option<Body>,
    frames: Vec<Frame>,
    left_out: Left,
}

/// A frame whose header has been read.
struct Body {
    is_command: bool,
    more: bool,
    missing: u64,
    /// How many bytes of it are kept.
    keep: usize,
    frame: Frame,
}

impl Direction {
    fn new(keep: Keep) -> Self {
        Direction {
            keep,
            state: State::Greeting,
            peer: Peer::Unknown,
            input: BytesMut::new(),
            mechanism: None,
            socket_type: None,
            body: None,
            frames: Vec::new(),
            left_out: Left::default(),
        }
    }

    fn identify(&mut self) {
        if matches!(self.state, State::Greeting) {
            self.peer = identify(&self.input);
        }
    }

    /// Reads as far as it goes.
    fn read(&mut self, other: &Direction, tell: &mut dyn FnMut(Event)) {
        loop {
            let goes_on = match self.state {
                State::Greeting => self.greeting(other, tell),
                State::Lost => {
                    self.pass_over(tell);
                    false
                }
                _ => self.frame(tell),
            };
            if !goes_on {
                return;
            }
        }
    }

    // ---- greetings

    /// Returns whether it is through.
    fn greeting(&mut self, other: &Direction, tell: &mut dyn FnMut(Event)) -> bool {
        let old = matches!(other.peer, Peer::V1);
        let unknown =
            matches!(other.peer, Peer::Unknown | Peer::Versioned) && self.input.len() < WAITING;
        let is_whole = self.peer == Peer::V3 && self.input.len() >= GREETING;
        if matches!(other.state, State::Lost) && self.peer != Peer::V1 && !is_whole {
            self.lose("the other side speaks no ZMTP", tell);
            return true;
        }
        let (version, length, next) = match self.peer {
            Peer::V1 => return self.old_greeting(0, tell),
            // To a peer of 1.0, a signature is the header of the routing id.
            Peer::Versioned | Peer::V2 | Peer::V3 | Peer::Revision0
                if old && !matches!(other.state, State::Lost) =>
            {
                return self.old_greeting(SIGNATURE, tell);
            }
            Peer::Revision0 => ("1.0", SHORT_GREETING, State::Identity(Framing::V1)),
            Peer::V2 => ("2.0", SHORT_GREETING, State::Identity(Framing::V2)),
            Peer::V3 => match other.peer {
                Peer::V2 => ("2.0", SHORT_GREETING, State::Identity(Framing::V2)),
                Peer::Revision0 => ("1.0", SHORT_GREETING, State::Identity(Framing::V1)),
                // Whoever sends all of a 3.x greeting unasked means it.
                _ if unknown && self.input.len() < GREETING => return false,
                _ => ("3.x", GREETING, State::Handshake),
            },
            _ => return false,
        };
        // Two of 2.0 are clear; one of 2.0 is not, while the other one may be of 1.0.
        if self.input.len() < length || (unknown && length == SHORT_GREETING) {
            return false;
        }
        let head = self.input.split_to(length);
        match <&[u8; GREETING]>::try_from(&head[..]) {
            Ok(head) => {
                let greeting = Greeting::parse(head);
                let end = greeting.mechanism.iter().position(|byte| *byte == 0);
                let name = &greeting.mechanism[..end.unwrap_or(greeting.mechanism.len())];
                let name = printable(name);
                self.mechanism = Some(name.clone());
                tell(Event::Greeting {
                    version: if greeting.is_3_0() { "3.0" } else { "3.1" },
                    mechanism: Some(name),
                    as_server: greeting.as_server,
                });
            }
            Err(_) => {
                self.socket_type = OLD_TYPES
                    .get(usize::from(head[SHORT_GREETING - 1]))
                    .map(|name| name.as_bytes().to_vec());
                tell(Event::Greeting {
                    version,
                    mechanism: None,
                    as_server: false,
                });
            }
        }
        self.state = next;
        true
    }

    /// Begins to read frames of ZMTP 1.0, whose first is the routing id; or whatever it is.
    fn old_greeting(&mut self, signature: usize, tell: &mut dyn FnMut(Event)) -> bool {
        if signature == 0 {
            match V1Header::parse(&self.input) {
                None => return false,
                Some(header) if header.flagged || header.len.is_none() => {
                    self.lose("this is no ZMTP", tell);
                    return true;
                }
                Some(_) => {}
            }
        }
        tell(Event::Greeting {
            version: "1.0",
            mechanism: None,
            as_server: false,
        });
        self.state = State::Identity(Framing::V1);
        true
    }

    // ---- frames

    /// Reads a header, or more of a body. Returns whether there may be more to read.
    fn frame(&mut self, tell: &mut dyn FnMut(Event)) -> bool {
        let Some(body) = &mut self.body else {
            return self.header(tell);
        };
        let here = usize::try_from(body.missing)
            .unwrap_or(usize::MAX)
            .min(self.input.len());
        let kept = body.keep.saturating_sub(body.frame.start.len()).min(here);
        body.frame.start.extend_from_slice(&self.input[..kept]);
        self.input.advance(here);
        body.missing -= here as u64;
        if body.missing > 0 {
            return false;
        }
        if let Some(body) = self.body.take() {
            self.whole(body, tell);
        }
        true
    }

    fn header(&mut self, tell: &mut dyn FnMut(Event)) -> bool {
        let (size, bytes, more, is_command) = match self.framing() {
            Framing::V1 => match V1Header::parse(&self.input) {
                None => return false,
                Some(header) => match header.len {
                    None => {
                        self.lose("a frame of ZMTP 1.0 has the size zero", tell);
                        return true;
                    }
                    Some(bytes) => (header.size, bytes, header.more, false),
                },
            },
            framing => match Header::parse(&self.input) {
                None => return false,
                Some(header) => {
                    let is_command = framing == Framing::V3 && header.command();
                    (header.size, header.len, header.more(), is_command)
                }
            },
        };
        if bytes > i64::MAX as u64 {
            self.lose("a frame has a size that no frame can have", tell);
            return true;
        }
        let is_command = match self.state {
            State::Handshake => true,
            State::Identity(_) => false,
            _ => is_command,
        };
        let keep = match self.keep {
            _ if is_command => COMMAND,
            _ if self.is_sealed() => 0,
            Keep::All => usize::MAX,
            // Enough to tell a subscription.
            Keep::Start(bytes) => bytes.max(1),
        };
        self.input.advance(size);
        self.body = Some(Body {
            is_command,
            more,
            missing: bytes,
            keep,
            frame: Frame {
                bytes,
                start: Vec::new(),
            },
        });
        true
    }

    fn framing(&self) -> Framing {
        match self.state {
            State::Identity(framing) | State::Traffic(framing) => framing,
            _ => Framing::V3,
        }
    }

    /// What a mechanism that encrypts has put into the frames is nobody's business.
    fn is_sealed(&self) -> bool {
        let clear = |name: &String| name == "NULL" || name == "PLAIN";
        !self.mechanism.as_ref().is_none_or(clear)
    }

    /// Tells of a whole frame.
    fn whole(&mut self, body: Body, tell: &mut dyn FnMut(Event)) {
        match self.state {
            State::Identity(framing) => {
                self.state = State::Traffic(framing);
                let mut fields = vec![("Identity".to_owned(), body.frame.start)];
                if let Some(name) = &self.socket_type {
                    fields.push(("Socket-Type".to_owned(), name.clone()));
                }
                tell(Event::Command {
                    name: "routing id".to_owned(),
                    bytes: body.frame.bytes,
                    fields,
                    topic: None,
                });
            }
            State::Handshake => {
                let name = split_name(&body.frame.start).map(|(name, _)| name);
                // After these a side sends messages.
                let is_last = matches!(name, Some(b"READY" | b"INITIATE" | b"ERROR"));
                self.command(body.frame, tell);
                if is_last {
                    self.state = State::Traffic(Framing::V3);
                }
            }
            _ if self.is_sealed() => tell(Event::Sealed {
                bytes: body.frame.bytes,
            }),
            _ if body.is_command => self.command(body.frame, tell),
            _ => self.message(body, tell),
        }
    }

    fn message(&mut self, body: Body, tell: &mut dyn FnMut(Event)) {
        if self.keep != Keep::All && self.frames.len() == FRAMES {
            self.left_out.frames += 1;
            self.left_out.bytes = self.left_out.bytes.saturating_add(body.frame.bytes);
        } else {
            self.frames.push(body.frame);
        }
        if body.more {
            return;
        }
        let frames = std::mem::take(&mut self.frames);
        let left_out = std::mem::take(&mut self.left_out);
        // Before ZMTP 3.1, subscriptions are messages.
        let subscribes = matches!(self.socket_type.as_deref(), Some(b"SUB" | b"XSUB"));
        if let ([frame], true) = (&frames[..], subscribes)
            && let Some((first @ (0 | 1), topic)) = frame.start.split_first()
        {
            let name = if *first == 1 { "SUBSCRIBE" } else { "CANCEL" };
            return tell(Event::Command {
                name: name.to_owned(),
                bytes: frame.bytes,
                fields: vec![("topic".to_owned(), topic.to_vec())],
                topic: Some(topic.to_vec()),
            });
        }
        tell(Event::Message { frames, left_out });
    }

    fn command(&mut self, frame: Frame, tell: &mut dyn FnMut(Event)) {
        let is_sealed = self.is_sealed();
        let is_plain = self.mechanism.as_deref() == Some("PLAIN");
        let mut fields = vec![];
        let mut topic = None;
        let mut name = match split_name(&frame.start) {
            Some((name, _)) => printable(name),
            None => "malformed command".to_owned(),
        };
        match Command::parse(&frame.start) {
            _ if is_sealed => {}
            Err(_) => name = "malformed command".to_owned(),
            Ok(Command::Ready(list)) => fields = self.metadata(list),
            Ok(Command::Error(reason)) => fields.push(("reason".to_owned(), reason.to_vec())),
            Ok(Command::Subscribe(data) | Command::Cancel(data)) => {
                fields.push(("topic".to_owned(), data.to_vec()));
                topic = Some(data.to_vec());
            }
            Ok(Command::Join(data) | Command::Leave(data)) => {
                fields.push(("group".to_owned(), data.to_vec()));
                topic = Some(data.to_vec());
            }
            Ok(Command::Ping { ttl, context }) => {
                let ttl = format!("{}.{} s", ttl / 10, ttl % 10);
                fields.push(("ttl".to_owned(), ttl.into_bytes()));
                fields.push(("context".to_owned(), context.to_vec()));
            }
            Ok(Command::Pong(context)) => fields.push(("context".to_owned(), context.to_vec())),
            Ok(Command::Unknown { name, data }) if is_plain && name == b"HELLO" => {
                // The password is not for eyes; that there is one, and who it is of, is.
                let user = split_name(data).map(|(user, _)| user.to_vec());
                fields.push(("user".to_owned(), user.unwrap_or_default()));
            }
            Ok(Command::Unknown { name, data }) if is_plain && name == b"INITIATE" => {
                fields = self.metadata(data);
            }
            Ok(Command::Unknown { data, .. }) if !data.is_empty() => {
                fields.push(("data".to_owned(), data.to_vec()));
            }
            Ok(_) => {}
        }
        tell(Event::Command {
            name,
            bytes: frame.bytes,
            fields,
            topic,
        });
    }

    fn metadata(&mut self, list: &[u8]) -> Vec<(String, Vec<u8>)> {
        let Ok(metadata) = Metadata::parse(list) else {
            return vec![("malformed".to_owned(), list.to_vec())];
        };
        self.socket_type = metadata.get("Socket-Type").map(<[u8]>::to_vec);
        let property = |(name, value): (&str, &[u8])| (printable(name.as_bytes()), value.to_vec());
        metadata.iter().map(property).collect()
    }

    // ---- what is not understood

    fn lose(&mut self, why: &'static str, tell: &mut dyn FnMut(Event)) {
        self.state = State::Lost;
        self.body = None;
        self.frames = Vec::new();
        tell(Event::Lost { why });
    }

    fn pass_over(&mut self, tell: &mut dyn FnMut(Event)) {
        if self.input.is_empty() {
            return;
        }
        let keep = match self.keep {
            Keep::Start(bytes) => bytes,
            Keep::All => 64,
        };
        tell(Event::Bytes {
            bytes: self.input.len() as u64,
            start: self.input[..keep.min(self.input.len())].to_vec(),
        });
        self.input.clear();
    }
}

/// The socket types by their numbers in a greeting of ZMTP 2.0 (RFC 15).
const OLD_TYPES: [&str; 11] = [
    "PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH", "XPUB", "XSUB",
];

/// Makes a name that a peer has sent fit for a terminal.
fn printable(name: &[u8]) -> String {
    name.escape_ascii().to_string()
}
