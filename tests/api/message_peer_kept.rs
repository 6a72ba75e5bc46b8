//! Who sent what was received last, when more has come and was thrown away: still who did. And who sent each message of many.

use std::time::Duration;

use common::place::{Place, Transport};
use common::raw::{RawPeer, short_frame};
use common::within;
use futures::StreamExt;
use purezmq::{
    AnySocket, Context, Endpoint, GatherSocket, PullSocket, PushSocket, RepSocket, SocketType,
    SubSocket,
};

/// Frames of one message.
fn frames(message: &[&[u8]]) -> Vec<u8> {
    let mut wire: Vec<Vec<u8>> = message.iter().map(|frame| short_frame(frame)).collect();
    let last = wire.len() - 1;
    for frame in &mut wire[..last] {
        frame[0] = 1;
    }
    wire.concat()
}

/// A socket that throws away what the second peer sends.
struct Picky {
    socket: AnySocket,
    endpoint: Endpoint,
    peer: &'static str,
    good: Vec<u8>,
    bad: Vec<u8>,
}

async fn picky() -> Vec<Picky> {
    let context = Context::new();
    let mut sub = SubSocket::builder().context(&context).build().unwrap();
    sub.subscribe("a");
    let rep = RepSocket::builder().context(&context).build().unwrap();
    let gather = GatherSocket::builder().context(&context).build().unwrap();
    let mut all = Vec::new();
    for (mut socket, peer, good, bad) in [
        (
            AnySocket::from(sub),
            "PUB",
            frames(&[b"a1"]),
            frames(&[b"b1"]),
        ),
        (
            AnySocket::from(rep),
            "REQ",
            frames(&[b"", b"a1"]),
            frames(&[b"no envelope"]),
        ),
        (
            AnySocket::from(gather),
            "SCATTER",
            frames(&[b"a1"]),
            frames(&[b"two", b"frames"]),
        ),
    ] {
        let endpoint = socket.bind("tcp://127.0.0.1:*").await.unwrap();
        all.push(Picky {
            socket,
            endpoint,
            peer,
            good,
            bad,
        });
    }
    all
}

#[tokio::test]
async fn what_is_thrown_away_has_no_sender() {
    for leaves in [false, true] {
        for Picky {
            mut socket,
            endpoint,
            peer,
            good,
            bad,
        } in picky().await
        {
            println!("{peer} {leaves}");
            let mut first = RawPeer::connect(&endpoint).await;
            let address = first.stream.local_addr().unwrap();
            first.shake_hands(peer).await;
            first.send(&good).await;
            within("a message", socket.recv()).await.unwrap();
            if socket.socket_type() == SocketType::Rep {
                socket.send("an answer").await.unwrap();
            }
            let mut left = Some(first);
            if leaves {
                drop(left.take());
                within("it leaves", async {
                    while !socket.stats().peers.is_empty() {
                        assert!(socket.try_recv().is_err());
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                })
                .await;
            }
            let mut second = RawPeer::connect(&endpoint).await;
            second.shake_hands(peer).await;
            second.send(&bad).await;
            within("it is thrown away", async {
                while socket.stats().dropped.discarded == 0 {
                    assert!(socket.try_recv().is_err());
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            })
            .await;
            let known = socket.last_peer().unwrap();
            assert_eq!(known.address.socket_address(), Some(address));
        }
    }
}

/// Two peers whose messages take turns.
async fn two(transport: Transport) -> (PullSocket, Vec<PushSocket>, Place) {
    let place = Place::any(transport);
    let mut pull = PullSocket::new();
    let endpoint = pull.bind(&place.endpoint).await.unwrap();
    let mut pushes = Vec::new();
    for _ in 0..2 {
        let mut push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        pushes.push(push);
    }
    (pull, pushes, place)
}

/// By what each peer says of itself, and what the system says of it.
#[tokio::test]
async fn each_of_many_messages_has_its_sender() {
    for transport in [Transport::Tcp4, Transport::Tcp6] {
        let (mut pull, mut pushes, _place) = two(transport).await;
        let mut senders = Vec::new();
        for push in &mut pushes {
            push.send("first").await.unwrap();
            within("a message", pull.recv()).await.unwrap();
            senders.push(pull.last_peer().unwrap().address.clone());
        }
        for _ in 0..10 {
            for (number, push) in pushes.iter_mut().enumerate() {
                push.send(number.to_string()).await.unwrap();
            }
        }
        let mut received = Vec::new();
        while received.len() < 10 {
            let more = pull.recv_many_from(&mut received, 3);
            assert!((1..=3).contains(&within("messages", more).await.unwrap()));
        }
        for (message, peer) in &received {
            let number: usize = std::str::from_utf8(message.first().unwrap())
                .unwrap()
                .parse()
                .unwrap();
            assert_eq!(peer.as_ref().unwrap().address, senders[number]);
        }
        let mut stream = pull.into_stream();
        for _ in received.len()..20 {
            let message = within("a message", stream.next()).await.unwrap().unwrap();
            let number: usize = std::str::from_utf8(message.first().unwrap())
                .unwrap()
                .parse()
                .unwrap();
            assert_eq!(stream.last_peer().unwrap().address, senders[number]);
        }
    }
}
