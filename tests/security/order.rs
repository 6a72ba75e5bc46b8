//! CURVE against somebody on the way who leaves frames out, repeats them or changes their order: what comes has been sent,
//! whole, and in its order.

use common::events::ended;
use common::within;
use purezmq::security::{KeyPair, Security};
use purezmq::zmtp::{Error, Violation};
use purezmq::{Context, DisconnectReason, Message, Monitor, PairSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Passes on what one side says, and of its MESSAGE frames those that `which` names, in that order: each is told its place
/// among them, and gives what goes on.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut change: impl FnMut(usize, Vec<u8>) -> Vec<u8>,
) {
    // A greeting comes in pieces, each an answer to one of the other side's.
    for _ in 0..64 {
        let octet = from.read_u8().await.unwrap();
        to.write_u8(octet).await.unwrap();
    }
    let mut number = 0;
    while let Ok(flags) = from.read_u8().await {
        let (len, size) = match flags & 2 {
            0 => (usize::from(from.read_u8().await.unwrap()), None),
            _ => {
                let len = from.read_u64().await.unwrap();
                (usize::try_from(len).unwrap(), Some(len))
            }
        };
        let mut frame = vec![flags];
        match size {
            None => frame.push(u8::try_from(len).unwrap()),
            Some(size) => frame.extend(size.to_be_bytes()),
        }
        let head = frame.len();
        frame.resize(head + len, 0);
        from.read_exact(&mut frame[head..]).await.unwrap();
        if frame[head..].starts_with(b"\x07MESSAGE") {
            frame = change(number, frame);
            number += 1;
        }
        if to.write_all(&frame).await.is_err() {
            return;
        }
    }
}

/// A sender and a receiver, with somebody between them who changes the sender's frames.
async fn meddled(
    is_server: bool,
    gaps: bool,
    change: impl FnMut(usize, Vec<u8>) -> Vec<u8> + Send + 'static,
) -> (PairSocket, PairSocket, Monitor) {
    let keys = KeyPair::generate();
    let public = *keys.public();
    let open = |security| {
        let context = Context::new();
        let socket = PairSocket::builder().context(&context).security(security);
        let socket = socket.curve_gaps(gaps).reconnect_interval(None);
        socket.build().unwrap()
    };
    let mut server = open(Security::curve_server(keys));
    let mut client = open(Security::curve_client(KeyPair::generate(), public));
    let endpoint = server.bind("tcp://127.0.0.1:*").await.unwrap();
    let way = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = format!("tcp://{}", way.local_addr().unwrap());
    tokio::spawn(async move {
        let (near, _) = way.accept().await.unwrap();
        let far = TcpStream::connect(("127.0.0.1", endpoint.port().unwrap()));
        let (near_in, near_out) = near.into_split();
        let (far_in, far_out) = far.await.unwrap().into_split();
        if is_server {
            tokio::spawn(pass(near_in, far_out, |_, frame| frame));
            pass(far_in, near_out, change).await;
        } else {
            tokio::spawn(pass(far_in, near_out, |_, frame| frame));
            pass(near_in, far_out, change).await;
        }
    });
    let (heard_by_server, heard_by_client) = (server.monitor(), client.monitor());
    client.connect(place.as_str()).unwrap();
    if is_server {
        (server, client, heard_by_client)
    } else {
        (client, server, heard_by_server)
    }
}

/// What has come when the connection has ended, and why it did.
async fn came(
    receiver: &mut PairSocket,
    monitor: &mut Monitor,
) -> (Vec<Message>, DisconnectReason) {
    let mut messages = Vec::new();
    let reason = loop {
        tokio::select! {
            biased;
            message = receiver.recv() => match message {
                Ok(message) => messages.push(message),
                Err(_) => break ended(monitor).await,
            },
            reason = ended(monitor) => break reason,
        }
    };
    while let Ok(message) = receiver.try_recv() {
        messages.push(message);
    }
    (messages, reason)
}

fn is(reason: &DisconnectReason, violation: &Violation) -> bool {
    matches!(reason, DisconnectReason::Protocol(Error::Violation(found)) if found == violation)
}

async fn pay(sender: &mut PairSocket) {
    for message in [["pay", "alice"], ["note", "eve"], ["good", "bye"]] {
        within("send", sender.send(message)).await.unwrap();
    }
}

#[tokio::test]
async fn frames_that_are_left_out_end_the_connection() {
    for is_server in [false, true] {
        for (first, last, whole) in [(0, 0, 0), (1, 2, 0), (2, 3, 1), (3, 3, 1), (1, 4, 0)] {
            println!("{is_server} {first}..={last}");
            let leave_out = move |number, frame| match (first..=last).contains(&number) {
                true => Vec::new(),
                false => frame,
            };
            let (mut sender, mut receiver, mut monitor) =
                meddled(is_server, false, leave_out).await;
            pay(&mut sender).await;
            let (messages, reason) = came(&mut receiver, &mut monitor).await;
            let sent = [["pay", "alice"], ["note", "eve"]].map(Message::from);
            assert_eq!(messages, sent[..whole]);
            assert!(is(&reason, &Violation::Gap), "{reason:?}");
        }
    }
}

#[tokio::test]
async fn with_gaps_whole_messages_may_be_missing_and_no_frames_within() {
    for is_server in [false, true] {
        let leave_out = |left: [usize; 2]| {
            move |number, frame| match left.contains(&number) {
                true => Vec::new(),
                false => frame,
            }
        };
        let (mut sender, mut receiver, _) = meddled(is_server, true, leave_out([2, 3])).await;
        pay(&mut sender).await;
        for message in [["pay", "alice"], ["good", "bye"]] {
            let got = within("a message", receiver.recv()).await.unwrap();
            assert_eq!(got, Message::from(message));
        }
        let (mut sender, mut receiver, mut monitor) =
            meddled(is_server, true, leave_out([1, 2])).await;
        pay(&mut sender).await;
        let (messages, reason) = came(&mut receiver, &mut monitor).await;
        assert_eq!(messages, [] as [Message; 0]);
        assert!(is(&reason, &Violation::Gap), "{reason:?}");
    }
}

#[tokio::test]
async fn frames_that_are_repeated_or_late_end_the_connection() {
    for is_server in [false, true] {
        for gaps in [false, true] {
            let twice = |number, frame: Vec<u8>| match number {
                1 => [frame.clone(), frame].concat(),
                _ => frame,
            };
            let (mut sender, mut receiver, mut monitor) = meddled(is_server, gaps, twice).await;
            pay(&mut sender).await;
            let (messages, reason) = came(&mut receiver, &mut monitor).await;
            assert_eq!(messages, [Message::from(["pay", "alice"])]);
            assert!(is(&reason, &Violation::Nonce), "{reason:?}");

            let mut held = Vec::new();
            let late = move |number, frame: Vec<u8>| match number {
                0 | 1 => {
                    held.extend(frame);
                    Vec::new()
                }
                3 => [frame, std::mem::take(&mut held)].concat(),
                _ => frame,
            };
            let (mut sender, mut receiver, mut monitor) = meddled(is_server, gaps, late).await;
            pay(&mut sender).await;
            let (messages, reason) = came(&mut receiver, &mut monitor).await;
            let (whole, violation) = match gaps {
                false => (0, Violation::Gap),
                true => (1, Violation::Nonce),
            };
            assert_eq!(messages, [Message::from(["note", "eve"])][..whole]);
            assert!(is(&reason, &violation), "{reason:?}");
        }
    }
}

/// Flags in the clear say nothing of what is in the box.
#[tokio::test]
async fn flags_outside_of_a_box_change_nothing_within() {
    for is_server in [false, true] {
        for flag in [1, 4, 5, 8, 0x80] {
            println!("{is_server} {flag:#x}");
            let change = move |number, mut frame: Vec<u8>| {
                if number == 0 {
                    frame[0] ^= flag;
                }
                frame
            };
            let (mut sender, mut receiver, _) = meddled(is_server, false, change).await;
            pay(&mut sender).await;
            for message in [["pay", "alice"], ["note", "eve"], ["good", "bye"]] {
                let got = within("a message", receiver.recv()).await.unwrap();
                assert_eq!(got, Message::from(message));
            }
        }
    }
}
