//! A made-up mechanism of the kind that PLAIN and CURVE are: several commands, roles, every frame
//! of traffic sealed. It shows that the mechanism interface carries one, and that batches still
//! count and messages still arrive under it.

use std::io::IoSlice;
use std::time::Instant;

use bytes::{BufMut, BytesMut};

use super::{Config, Connection};
use crate::batch::Batch;
use crate::engine::{Engine, Event};
use crate::error::{Error, Violation};
use crate::mechanism::{Mechanism, Progress, parse};
use crate::message::Message;
use crate::socket_type::SocketType;
use crate::wire::command::Command;
use crate::wire::frame;
use crate::wire::metadata::Metadata;

const KEY: u8 = 0x5a;

/// HELLO from the client, WELCOME with the server's properties, READY with the client's. Then
/// frames of flags and payload, every octet with some bits flipped.
#[derive(Debug)]
struct Flip {
    server: bool,
    sent: usize,
    heard: usize,
}

impl Mechanism for Flip {
    fn next_command(&mut self, properties: &Metadata, _: Instant, out: &mut BytesMut) {
        let mut list = BytesMut::new();
        properties.put(&mut list);
        let (name, data): (&[u8], &[u8]) = match (self.server, self.sent, self.heard) {
            (false, 0, 0) => (b"HELLO", b""),
            (true, 0, 1) => (b"WELCOME", &list),
            (false, 1, 1) => (b"READY", &list),
            _ => return,
        };
        self.sent += 1;
        Command::Unknown { name, data }.put(out);
    }

    fn on_command(&mut self, body: &[u8], _: Instant) -> Result<Progress, Error> {
        self.heard += 1;
        match (self.server, self.heard, parse(body)?) {
            (true, 1, Command::Unknown { name: b"HELLO", .. }) => Ok(Progress::Waiting),
            (true, 2, Command::Ready(list)) => Ok(Progress::Done(Metadata::parse(list)?)),
            (
                false,
                1,
                Command::Unknown {
                    name: b"WELCOME",
                    data,
                },
            ) => Ok(Progress::Done(Metadata::parse(data)?)),
            _ => Err(Violation::MalformedCommand.into()),
        }
    }

    fn seal(&mut self, flags: u8, payload: &[u8], out: &mut BytesMut) {
        frame::put_header(out, 0, 1 + payload.len());
        out.put_u8(flags ^ KEY);
        out.extend(payload.iter().map(|byte| byte ^ KEY));
    }

    fn encrypts(&self) -> bool {
        true
    }

    fn open(&mut self, body: &mut [u8]) -> Result<(u8, usize), Error> {
        for byte in body.iter_mut() {
            *byte ^= KEY;
        }
        match body.first() {
            Some(flags) => Ok((*flags, 1)),
            None => Err(Violation::MalformedCommand.into()),
        }
    }
}

fn connect(client: SocketType, server: SocketType, now: Instant) -> (Connection, Connection) {
    let mut client = Connection::new(Config::new(client), now);
    let mut server = Connection::new(Config::new(server), now);
    for (connection, role) in [(&mut client, false), (&mut server, true)] {
        connection.mechanism = Box::new(Flip {
            server: role,
            sent: 0,
            heard: 0,
        });
    }
    for _ in 0..6 {
        let bytes = client.control().split();
        server.feed(&bytes, now).unwrap();
        let bytes = server.control().split();
        client.feed(&bytes, now).unwrap();
    }
    assert!(client.is_ready() && server.is_ready());
    (client, server)
}

fn wire(batch: &Batch) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 16];
    let used = batch.io_slices(&mut slices);
    slices[..used]
        .iter()
        .flat_map(|slice| slice.to_vec())
        .collect()
}

#[test]
fn a_mechanism_with_roles_and_sealed_traffic_fits() {
    let now = Instant::now();
    let (mut push, mut pull) = connect(SocketType::Push, SocketType::Pull, now);
    for connection in [&mut push, &mut pull] {
        let Some(Event::Ready(info)) = connection.poll_event() else {
            panic!("not ready");
        };
        assert!(info.socket_type.is_some());
    }
    let messages = [
        Message::from("one"),
        Message::from([&b"two"[..], &[b'x'; 100_000], b""]),
        Message::from(vec![b'y'; 40_000]),
    ];
    let mut batch = Batch::new();
    for message in &messages {
        batch.push(message, 1000);
    }
    push.encode(&mut batch);
    let bytes = wire(&batch);
    assert!(!bytes.windows(3).any(|window| window == b"one"));
    for step in [1, 1000, 1_000_000] {
        for part in bytes.chunks(step) {
            pull.feed(part, now).unwrap();
        }
        let mut got = pull.take_messages();
        assert_eq!(got.len(), 3);
        for message in &messages {
            assert_eq!(got.pop().as_ref(), Some(message));
        }
    }
    assert_eq!(batch.advance(2 + 1 + 3 - 1), 0);
    assert_eq!(batch.advance(1), 1);
    assert_eq!(batch.advance(bytes.len() - 6), 2);
}

#[test]
fn subscriptions_become_commands_before_they_are_sealed() {
    let now = Instant::now();
    let (mut sub, mut xpub) = connect(SocketType::Sub, SocketType::XPub, now);
    let mut batch = Batch::new();
    batch.push(&Message::from([1, b'A']), usize::MAX);
    batch.push(&Message::from([0, b'A']), usize::MAX);
    sub.encode(&mut batch);
    let bytes = wire(&batch);
    assert_eq!(bytes[2], frame::COMMAND ^ KEY);
    xpub.feed(&bytes, now).unwrap();
    let mut got = xpub.take_messages();
    assert_eq!(got.pop().unwrap(), [1, b'A']);
    assert_eq!(got.pop().unwrap(), [0, b'A']);
    // An empty box is the mechanism's to refuse.
    assert!(xpub.feed(&[0, 0], now).is_err());
}

#[test]
fn connections_and_batches_can_move_between_threads() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Connection>();
    check::<Batch>();
    check::<Message>();
    check::<Error>();
}
