//! The observer, with peers of every version, bytes in any pieces, and bytes that are anything.

use bytes::BytesMut;
use purezmq::zmtp::wire::command::Command;
use purezmq::zmtp::wire::frame::{MORE, put_header, put_v1_header};
use purezmq::zmtp::wire::greeting::{Greeting, pad_mechanism, put_signature};
use purezmq::zmtp::wire::metadata::Metadata;

use super::event::{Event, Frame, Keep, Left};
use super::observer::Observer;
use crate::recording::Side;

/// What the sides say, in turns.
type Talk = Vec<(Side, Vec<u8>)>;

/// Hears a talk, each turn of it in pieces of so many bytes.
fn heard(talk: &Talk, keep: Keep, piece: usize) -> Vec<(Side, Event)> {
    let mut observer = Observer::new(keep);
    let mut events = vec![];
    for (side, bytes) in talk {
        for piece in bytes.chunks(piece) {
            observer.feed(*side, piece, |side, event| events.push((side, event)));
        }
    }
    events
}

/// Hears it in pieces of all sizes, which make no difference to what is told of each side: but for how bytes that mean
/// nothing came.
fn heard_in_pieces(talk: &Talk) -> Vec<(Side, Event)> {
    let of = |events: &[(Side, Event)], side| {
        let told =
            |event: &&(Side, Event)| event.0 == side && !matches!(event.1, Event::Bytes { .. });
        events.iter().filter(told).cloned().collect::<Vec<_>>()
    };
    let whole = heard(talk, Keep::Start(16), usize::MAX);
    for piece in 1..80 {
        let events = heard(talk, Keep::Start(16), piece);
        for side in [Client, Target] {
            assert_eq!(of(&events, side), of(&whole, side), "in pieces of {piece}");
        }
    }
    whole
}

fn built(build: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    build(&mut bytes);
    bytes.to_vec()
}

fn signature() -> Vec<u8> {
    built(|out| put_signature(out, 0))
}

/// A whole greeting of 3.x.
fn greeting(minor: u8, mechanism: &str) -> Vec<u8> {
    let greeting = Greeting {
        major: 3,
        minor,
        mechanism: pad_mechanism(mechanism),
        as_server: false,
    };
    built(|out| {
        put_signature(out, 0);
        out.extend_from_slice(&[3]);
        greeting.put_rest(out);
    })
}

fn ready(socket_type: &'static str) -> Vec<u8> {
    let mut metadata = Metadata::new();
    metadata
        .push("Socket-Type", socket_type)
        .expect("a legal name");
    let list = built(|out| metadata.put(out));
    built(|out| Command::Ready(&list).put(out))
}

fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    built(|out| {
        put_header(out, flags, body.len());
        out.extend_from_slice(body);
    })
}

fn old_frame(more: bool, body: &[u8]) -> Vec<u8> {
    built(|out| {
        put_v1_header(out, more, body.len());
        out.extend_from_slice(body);
    })
}

fn message(frames: &[&[u8]]) -> Event {
    let frames = frames.iter().map(|frame| Frame {
        bytes: frame.len() as u64,
        start: frame[..frame.len().min(16)].to_vec(),
    });
    Event::Message {
        frames: frames.collect(),
        left_out: Left::default(),
    }
}

fn greeted(version: &'static str, mechanism: Option<&str>) -> Event {
    Event::Greeting {
        version,
        mechanism: mechanism.map(str::to_owned),
        as_server: false,
    }
}

fn named(events: &[(Side, Event)], wanted: &str) -> usize {
    let is =
        |event: &&(Side, Event)| matches!(&event.1, Event::Command { name, .. } if name == wanted);
    events.iter().filter(is).count()
}

use Side::{Client, Target};

#[test]
fn subscriptions_are_known_as_such_also_where_they_are_messages() {
    for (minor, subscription) in [
        (1, built(|out| Command::Subscribe(b"topic").put(out))),
        (0, frame(0, b"\x01topic")),
    ] {
        let talk = vec![
            (Client, greeting(minor, "NULL")),
            (Target, greeting(1, "NULL")),
            (Client, [ready("SUB"), subscription].concat()),
            (
                Target,
                [ready("PUB"), frame(MORE, b"topic"), frame(0, &[7; 300])].concat(),
            ),
        ];
        let events = heard_in_pieces(&talk);
        let version = if minor == 1 { "3.1" } else { "3.0" };
        assert_eq!(events[0], (Client, greeted(version, Some("NULL"))));
        assert_eq!(named(&events, "SUBSCRIBE"), 1, "{events:#?}");
        let Some((Target, Event::Message { frames, .. })) = events.last() else {
            panic!("no message in {events:#?}");
        };
        let sizes: Vec<_> = frames
            .iter()
            .map(|frame| (frame.bytes, frame.start.len()))
            .collect();
        assert_eq!(sizes, [(5, 5), (300, 16)]);
    }
}

#[test]
fn two_peers_of_zmtp_2_0() {
    let old = |octet| [signature(), vec![1, octet]].concat();
    let talk = vec![
        (Client, old(8)),
        (Target, old(7)),
        (
            Client,
            [frame(0, b"me"), frame(MORE, b"one"), frame(0, b"two")].concat(),
        ),
        (Target, frame(0, b"")),
    ];
    let events = heard_in_pieces(&talk);
    assert_eq!(named(&events, "routing id"), 2);
    assert!(
        events.contains(&(Client, message(&[b"one", b"two"]))),
        "{events:#?}"
    );
    assert!(events.contains(&(Target, greeted("2.0", None))));
}

/// The newer one speaks as the older one does.
#[test]
fn a_peer_of_3_1_and_an_old_one() {
    let of_2_0 = vec![
        (Client, signature()),
        (Target, [signature(), vec![1, 7]].concat()),
        (
            Client,
            [vec![3, 8], frame(0, b""), frame(0, b"hello")].concat(),
        ),
    ];
    let of_1_0 = vec![
        (Client, signature()),
        (Target, old_frame(false, b"")),
        (
            Client,
            [old_frame(true, b"one"), old_frame(false, b"two")].concat(),
        ),
        (Target, old_frame(false, &[7; 300])),
    ];
    let events = heard_in_pieces(&of_2_0);
    assert!(
        events.contains(&(Client, message(&[b"hello"]))),
        "{events:#?}"
    );
    let events = heard_in_pieces(&of_1_0);
    assert!(
        events.contains(&(Client, message(&[b"one", b"two"]))),
        "{events:#?}"
    );
    assert_eq!(
        *events.last().expect("a message"),
        (Target, message(&[&[7; 300]]))
    );
}

#[test]
fn a_zmtp_client_of_something_else() {
    let talk = vec![
        (Client, signature()),
        (Target, b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()),
        (Client, vec![3, 1]),
    ];
    let events = heard(&talk, Keep::Start(16), usize::MAX);
    let lost = |why| Event::Lost { why };
    assert_eq!(events[0], (Target, lost("this is no ZMTP")));
    let client = events.iter().find(|(side, _)| *side == Client);
    assert_eq!(
        client,
        Some(&(Client, lost("the other side speaks no ZMTP")))
    );
    let bytes = |side| {
        let bytes = events.iter().filter_map(|(from, event)| match event {
            Event::Bytes { bytes, .. } if *from == side => Some(*bytes),
            _ => None,
        });
        bytes.sum::<u64>()
    };
    assert_eq!((bytes(Client), bytes(Target)), (12, 21));
}

/// Sizes are shown as they are announced, and nothing is kept for what has not come.
#[test]
fn frames_that_cannot_be_and_frames_that_do_not_come() {
    let begin = || {
        vec![
            (Client, greeting(1, "NULL")),
            (Target, greeting(1, "NULL")),
            (Client, ready("PUSH")),
        ]
    };
    let with_size = |size: u64| [&[2][..], &size.to_be_bytes(), b"start"].concat();
    let mut talk = begin();
    talk.push((Client, with_size(1 << 63)));
    let events = heard_in_pieces(&talk);
    assert!(
        events
            .iter()
            .any(|(_, event)| matches!(event, Event::Lost { .. })),
        "{events:#?}"
    );
    let mut talk = begin();
    talk.push((Client, with_size(1 << 62)));
    assert_eq!(heard(&talk, Keep::All, usize::MAX).len(), 3);
    // A message of many frames: the first 64 are shown.
    let mut talk = begin();
    talk.push((Client, frame(MORE, b"x").repeat(1000)));
    talk.push((Client, frame(0, b"last")));
    let events = heard(&talk, Keep::Start(16), usize::MAX);
    let Some((_, Event::Message { frames, left_out })) = events.last() else {
        panic!("no message in {events:#?}");
    };
    assert_eq!(
        (frames.len(), *left_out),
        (
            64,
            Left {
                frames: 937,
                bytes: 940
            }
        )
    );
    let events = heard(&talk, Keep::All, usize::MAX);
    let Some((_, Event::Message { frames, .. })) = events.last() else {
        panic!("no message in {events:#?}");
    };
    assert_eq!(frames.len(), 1001);
}

/// Every byte of a talk changed, and bytes by chance: something is told, and nothing panics.
#[test]
fn any_bytes_may_come() {
    let talk = vec![
        (Client, greeting(1, "PLAIN")),
        (Target, greeting(1, "PLAIN")),
        (
            Client,
            built(|out| {
                Command::Unknown {
                    name: b"HELLO",
                    data: b"\x05admin\x06secret",
                }
                .put(out)
            }),
        ),
        (Target, ready("ROUTER")),
        (
            Client,
            built(|out| {
                Command::Ping {
                    ttl: 10,
                    context: b"x",
                }
                .put(out)
            }),
        ),
        (Target, frame(MORE, b"one")),
        (Target, frame(0, b"two")),
    ];
    for turn in 0..talk.len() {
        for at in 0..talk[turn].1.len() {
            for wrong in [0x00, 0x01, 0x02, 0x04, 0x7f, 0x80, 0xff] {
                let mut talk = talk.clone();
                talk[turn].1[at] = wrong;
                heard(&talk, Keep::Start(16), usize::MAX);
            }
        }
    }
    let mut state = 1_u64;
    let mut chance = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as u8
    };
    for _ in 0..2000 {
        let mut talk = vec![];
        for _ in 0..4 {
            let side = if chance() % 2 == 0 { Client } else { Target };
            let mut bytes = if chance() % 2 == 0 {
                signature()
            } else {
                vec![]
            };
            bytes.extend((0..chance()).map(|_| chance() % 8));
            talk.push((side, bytes));
        }
        heard(&talk, Keep::Start(16), 7);
    }
}
