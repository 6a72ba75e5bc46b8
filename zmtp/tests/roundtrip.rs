//! Properties that hold for all messages and all bytes: nothing is lost or changed on the way
//! through batches and connections, however the bytes are cut; and no bytes make a connection
//! panic or hold much memory. `PROPTEST_CASES=20000` in a release build makes a long run of it.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut};
use proptest::collection::vec;
use proptest::prelude::*;
use purezmq_zmtp::{
    Batch, Config, Connection, Engine, Envelope, Frame, Heartbeat, Message, SocketType,
};

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => vec(any::<u8>(), 0..=42),
        2 => vec(any::<u8>(), 240..=270),
        1 => (any::<u8>(), 1000_usize..80_000).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        3 => payload().prop_map(Message::from),
        1 => vec(payload(), 1..5).prop_map(|frames| frames.into_iter().map(Frame::from).collect()),
    ]
}

fn reference() -> impl Strategy<Value = usize> {
    prop_oneof![Just(0), Just(100), Just(8192), Just(usize::MAX)]
}

fn slices_of(batch: &Batch, max: usize) -> Vec<u8> {
    let mut slices = vec![IoSlice::new(&[]); max];
    let used = batch.io_slices(&mut slices);
    slices[..used]
        .iter()
        .flat_map(|slice| slice.to_vec())
        .collect()
}

/// The body of a message, if it has one behind an empty frame, and the frames before it, that one included.
fn divide(mut message: Message) -> (Option<Message>, Message) {
    let mut front = Message::new();
    while let Some(frame) = message.pop_front() {
        let delimits = frame.is_empty();
        front.push_back(frame);
        if delimits {
            return ((!message.is_empty()).then_some(message), front);
        }
    }
    (None, front)
}

fn pop_all(mut batch: Batch) -> Vec<Message> {
    let len = batch.len();
    let messages: Vec<Message> = std::iter::from_fn(|| batch.pop()).collect();
    assert_eq!(messages.len(), len);
    assert_eq!(batch.byte_len(), 0);
    messages
}

/// What can be done to a batch.
#[derive(Clone, Debug)]
enum Step {
    Push(Message, usize, u8),
    Enveloped(Message, usize),
    /// Behind an envelope whose first frame has so many bytes, and may be referenced.
    Addressed(Message, usize, usize),
    Pop,
    PopEnveloped,
    SplitFront(usize),
    TruncateFront(usize),
    ExtendFrom(Vec<Message>, usize),
    Append(Vec<Message>, usize),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (message(), reference(), 0_u8..3).prop_map(|(m, r, how)| Step::Push(m, r, how)),
        1 => (message(), reference()).prop_map(|(m, r)| Step::Enveloped(m, r)),
        1 => (message(), reference(), 0_usize..300).prop_map(|(m, r, l)| Step::Addressed(m, r, l)),
        5 => Just(Step::Pop),
        2 => Just(Step::PopEnveloped),
        1 => (0_usize..6).prop_map(Step::SplitFront),
        1 => (0_usize..3).prop_map(Step::TruncateFront),
        1 => (vec(message(), 0..4), reference()).prop_map(|(m, r)| Step::ExtendFrom(m, r)),
        1 => (vec(message(), 0..4), reference()).prop_map(|(m, r)| Step::Append(m, r)),
        1 => Just(Step::Clear),
    ]
}

proptest! {
    /// Settling a message moves it, and copies or changes none of its payload.
    #[test]
    fn a_message_that_settles_stays_what_it_is(message in message()) {
        let copy = message.clone();
        let shared = copy.frame(0).filter(|frame| !frame.is_inline()).map(|frame| frame.as_ptr());
        let settled = copy.settled();
        prop_assert_eq!(&settled, &message);
        if let Some(before) = shared {
            prop_assert_eq!(settled.payload().as_ptr(), before);
        }
    }

    #[test]
    fn a_batch_is_a_queue_of_messages(steps in vec(step(), 0..60)) {
        let mut batch = Batch::new();
        let mut model = VecDeque::new();
        for step in steps {
            match step {
                Step::Push(message, from, how) => {
                    match how {
                        0 => batch.push(&message, from),
                        1 => batch.push_owned(message.clone(), from),
                        _ => batch.push_from(&mut message.clone(), from),
                    }
                    model.push_back(message);
                }
                Step::Enveloped(mut message, from) => {
                    let mut envelope = Envelope::default();
                    envelope.push(b"id");
                    envelope.push(b"");
                    batch.push_enveloped(&envelope, &mut message.clone(), from);
                    message.push_front("");
                    message.push_front("id");
                    model.push_back(message);
                }
                Step::Addressed(mut message, from, length) => {
                    message.push_front("");
                    message.push_front(vec![7; length]);
                    batch.push(&message, from);
                    model.push_back(message);
                }
                Step::PopEnveloped => {
                    let mut envelope = Envelope::default();
                    let body = batch.pop_enveloped(&mut envelope);
                    let expected = model.pop_front().map(divide);
                    prop_assert_eq!(&body, &expected.as_ref().map(|(body, _)| body.clone()));
                    if let Some((Some(_), front)) = expected {
                        prop_assert!(envelope.frames().eq(front.iter()));
                    }
                }
                Step::Pop => prop_assert_eq!(batch.pop(), model.pop_front()),
                Step::SplitFront(n) => {
                    let front = batch.split_front(n);
                    let n = n.min(model.len());
                    let expected: Vec<Message> = model.drain(..n).collect();
                    prop_assert_eq!(pop_all(front), expected);
                }
                Step::TruncateFront(n) => {
                    batch.truncate_front(n);
                    model.drain(..n.min(model.len()));
                }
                Step::ExtendFrom(messages, from) => {
                    let mut other = Batch::new();
                    other.push(&Message::from("popped before"), from);
                    for message in &messages {
                        other.push(message, from);
                    }
                    other.pop();
                    batch.extend_from(&other);
                    model.extend(messages);
                }
                Step::Append(messages, from) => {
                    let mut other = Batch::new();
                    for message in &messages {
                        other.push(message, from);
                    }
                    let empty = batch.is_empty() || other.is_empty();
                    match batch.append(other) {
                        Ok(()) => model.extend(messages),
                        Err(other) => {
                            prop_assert!(!empty);
                            prop_assert_eq!(pop_all(other), messages);
                        }
                    }
                }
                Step::Clear => {
                    batch.clear();
                    model.clear();
                }
            }
            prop_assert_eq!(batch.len(), model.len());
            prop_assert_eq!(batch.is_empty(), model.is_empty());
            prop_assert_eq!(slices_of(&batch, 10_000).len(), batch.byte_len());
        }
        prop_assert_eq!(pop_all(batch.clone()), Vec::from(model.clone()));
        prop_assert_eq!(pop_all(batch), Vec::from(model));
    }

    #[test]
    fn partial_writes_count_messages_exactly_and_lose_no_byte(
        messages in vec(message(), 1..12),
        from in reference(),
        cuts in vec(1_usize..30_000, 0..40),
        stop in 0_usize..40,
    ) {
        let mut batch = Batch::new();
        let mut ends = Vec::new();
        for message in &messages {
            batch.push(message, from);
            ends.push(batch.byte_len());
        }
        let whole = slices_of(&batch, 10_000);
        let mut written = Vec::new();
        for (i, cut) in cuts.into_iter().enumerate() {
            if i == stop || batch.is_empty() {
                break;
            }
            let mut next = slices_of(&batch, 1 + i % 3);
            next.truncate(cut);
            let before = ends.iter().filter(|end| **end <= written.len()).count();
            written.extend_from_slice(&next);
            let after = ends.iter().filter(|end| **end <= written.len()).count();
            prop_assert_eq!(batch.advance(next.len()), after - before);
            prop_assert_eq!(batch.len(), messages.len() - after);
            prop_assert_eq!(batch.byte_len(), whole.len() - written.len());
        }
        prop_assert_eq!(&written[..], &whole[..written.len()]);
        // The connection breaks: a message that was begun is gone, the others are not.
        let done = ends.iter().filter(|end| **end <= written.len()).count();
        let begun = written.len() != if done == 0 { 0 } else { ends[done - 1] };
        prop_assert_eq!(batch.discard_partial(), usize::from(begun));
        prop_assert_eq!(pop_all(batch), &messages[done + usize::from(begun)..]);
    }

    #[test]
    fn messages_pass_through_connections_however_the_bytes_are_cut(
        messages in vec(message(), 0..20),
        from in reference(),
        cuts in vec(1_usize..70_000, 1..20),
        max_messages in 1_usize..10,
        old in 0_usize..3,
    ) {
        let now = Instant::now();
        let mut push = Connection::new(Config::new(SocketType::Push), now);
        let mut pull = Connection::new(Config::new(SocketType::Pull), now);
        match old {
            0 => for _ in 0..4 {
                let bytes = push.control().split();
                pull.feed(&bytes, now).unwrap();
                let bytes = pull.control().split();
                push.feed(&bytes, now).unwrap();
            },
            1 => for peer in [&mut push, &mut pull] {
                peer.feed(b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x07\0\0", now).unwrap();
            },
            _ => for peer in [&mut push, &mut pull] {
                peer.feed(b"\x01\0", now).unwrap();
            },
        }
        prop_assert!(push.is_ready() && pull.is_ready());
        let mut batch = Batch::new();
        for message in &messages {
            batch.push(message, from);
        }
        push.encode(&mut batch);
        let bytes = slices_of(&batch, 10_000);
        prop_assert_eq!(batch.advance(bytes.len()), messages.len());

        let mut rest = &bytes[..];
        let mut cuts = cuts.iter().cycle();
        let mut got = Vec::new();
        let mut queue = Batch::new();
        while rest.has_remaining() {
            let mut buffer = pull.read_buffer();
            let n = rest.len().min(*cuts.next().unwrap()).min(buffer.remaining_mut());
            prop_assert!(n > 0);
            buffer.put_slice(&rest[..n]);
            rest.advance(n);
            loop {
                pull.handle_input(now.into(), max_messages).unwrap();
                let batch = pull.take_messages();
                prop_assert!(batch.len() <= max_messages);
                if let Err(batch) = queue.append(batch) {
                    got.extend(pop_all(std::mem::replace(&mut queue, batch)));
                }
                if !pull.input_pending() {
                    break;
                }
            }
        }
        got.extend(pop_all(queue));
        prop_assert_eq!(got, messages);
    }

    #[test]
    fn no_bytes_make_a_connection_panic_or_hold_much(
        start in 0_usize..4,
        pieces in vec(piece(), 0..60),
        kind in proptest::sample::select(SocketType::ALL.to_vec()),
        cut in 1_usize..5000,
    ) {
        let mut now = Instant::now();
        let mut config = Config::new(kind);
        config.heartbeat = Some(Heartbeat::every(Duration::from_secs(1)));
        let mut connection = Connection::new(config, now);
        let mut bytes = match start {
            0 => Vec::new(),
            1 => b"\x01\0".to_vec(),
            2 => b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x07\0\0".to_vec(),
            _ => {
                let mut greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL".to_vec();
                greeting.resize(64, 0);
                greeting.extend_from_slice(b"\x04\x06\x05READY");
                greeting
            }
        };
        for piece in pieces {
            bytes.extend_from_slice(&piece);
        }
        let mut fed = 0;
        for part in bytes.chunks(cut) {
            if connection.feed(part, now).is_err() {
                break;
            }
            fed += part.len();
            now += Duration::from_millis(10);
            let room = connection.read_buffer().remaining_mut();
            prop_assert!(room <= (512 << 10).max(3 * fed), "{room} after {fed}");
            prop_assert!(connection.control().len() < 4096);
            let batch = connection.take_messages();
            prop_assert!(batch.byte_len() <= 10 * fed + 100);
            pop_all(batch);
            let _ = connection.poll_event();
        }
        let failed = connection.feed(b"", now).is_err();
        prop_assert!(!failed || connection.feed(b"x", now).is_err());
    }
}

/// Bytes that look enough like ZMTP to get somewhere.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let command = prop_oneof![
        Just(&b"SUBSCRIBE"[..]),
        Just(&b"CANCEL"[..]),
        Just(&b"PING"[..]),
        Just(&b"PONG"[..]),
        Just(&b"JOIN"[..]),
        Just(&b"LEAVE"[..]),
        Just(&b"READY"[..]),
        Just(&b"ERROR"[..]),
    ];
    prop_oneof![
        1 => vec(any::<u8>(), 0..20),
        3 => (0_u8..2, vec(any::<u8>(), 0..100)).prop_map(|(flags, body)| {
            [&[flags, body.len() as u8][..], &body].concat()
        }),
        1 => (any::<u8>(), vec(any::<u8>(), 0..100)).prop_map(|(flags, body)| {
            [&[flags & !2, body.len() as u8][..], &body].concat()
        }),
        1 => (0_u8..2, 0_usize..70_000).prop_map(|(more, len)| {
            [&[2 | more][..], &(len as u64).to_be_bytes(), &vec![1; len]].concat()
        }),
        1 => any::<u64>().prop_map(|len| [&[2][..], &len.to_be_bytes()].concat()),
        3 => (command, vec(any::<u8>(), 0..30)).prop_map(|(name, data)| {
            let len = (1 + name.len() + data.len()) as u8;
            [&[4, len, name.len() as u8][..], name, &data].concat()
        }),
    ]
}
