//! What nobody reads is not kept: what is sent to a socket that never receives, to a half that is alone, and what peers
//! leave that have gone.

use bytes::Bytes;
use common::events::{connected, ended};
use common::place::{Place, Transport};
use common::raw::{RawPeer, short_frame};
use common::{until, within};
use purezmq::SocketType::{
    Channel, Client, Dealer, Gather, Pair, Pull, Push, Router, Scatter, Server, XSub,
};
use purezmq::options::{OptionId, Options, Value};
use purezmq::stats::Dropped;
use purezmq::{AnySocket, Context, DealerSocket, Message, PairSocket, SocketType};

/// More than a pipe holds by default.
const MANY: usize = 3000;

fn open(socket_type: SocketType, chosen: &[(&str, Value)]) -> AnySocket {
    let mut options = Options::of(socket_type);
    for (name, value) in chosen {
        let id = OptionId::by_name(name).expect("an option");
        options.set(id, value.clone()).expect("a value in range");
    }
    AnySocket::with_options(socket_type, &Context::new(), options).expect("options")
}

/// What is counted of messages that came and were not received.
fn thrown(dropped: Dropped) -> u64 {
    dropped.discarded + dropped.unread
}

#[tokio::test]
async fn what_is_sent_to_who_never_receives_is_thrown_away_and_counted() {
    for (socket_type, peer_type) in [(Push, "PULL"), (Scatter, "GATHER")] {
        for sends in [false, true] {
            let mut socket = open(socket_type, &[]);
            let endpoint = socket.bind("tcp://127.0.0.1:*").await.unwrap();
            let mut peer = RawPeer::connect(&endpoint).await;
            peer.shake_hands(peer_type).await;
            if sends {
                within("send", socket.send("work")).await.unwrap();
                peer.receive(6).await;
            }
            peer.send(&short_frame(b"what for?").repeat(MANY)).await;
            until("all of it is thrown away", || {
                socket.stats().dropped.discarded == MANY as u64
            })
            .await;
            let stats = socket.stats();
            assert_eq!((stats.queued_to_receive, stats.dropped.unread), (0, 0));
            within("send", socket.send("more")).await.unwrap();
            assert_eq!(peer.receive(6).await, short_frame(b"more"));
        }
    }
}

/// Two sockets of one context do not ask of which types they are.
#[tokio::test]
async fn what_is_sent_within_a_context_to_who_never_receives_holds_nobody_up() {
    for socket_type in [Push, Scatter] {
        for connects in [false, true] {
            let context = Context::new();
            let options = Options::of(socket_type);
            let socket = AnySocket::with_options(socket_type, &context, options);
            let mut socket = socket.expect("options");
            let mut peer = DealerSocket::builder().context(&context).build().unwrap();
            if connects {
                socket.connect("inproc://unread").unwrap();
                peer.bind("inproc://unread").await.unwrap();
            } else {
                socket.bind("inproc://unread").await.unwrap();
                peer.connect("inproc://unread").unwrap();
            }
            for _ in 0..MANY {
                within("send", peer.send("what for?")).await.unwrap();
            }
            assert_eq!(thrown(socket.stats().dropped), MANY as u64);
            within("send", socket.send("work")).await.unwrap();
            assert_eq!(within("work", peer.recv()).await.unwrap(), "work");
        }
    }
}

/// A peer that has met the socket.
async fn met(socket: &mut AnySocket, endpoint: &purezmq::Endpoint, number: usize) -> AnySocket {
    let mut monitor = socket.monitor();
    let peer_type = match socket.socket_type() {
        Dealer | Router => Dealer,
        Pair => Pair,
        Pull => Push,
        Gather => Scatter,
        Server => Client,
        Channel => Channel,
        XSub => SocketType::XPub,
        other => panic!("{other} is not asked about"),
    };
    let mut peer = open(peer_type, &[("linger", Value::None)]);
    if peer_type == Dealer {
        let mut options = peer.options();
        let id = OptionId::by_name("routing_id").expect("an option");
        let name = Bytes::from(format!("peer {number}"));
        options.set(id, name).expect("a name");
        peer.set_options(options).expect("options");
    }
    peer.connect(endpoint).unwrap();
    connected(&mut monitor).await;
    if socket.socket_type() == XSub {
        // It sends to who has subscribed.
        within("a subscription", peer.recv()).await.unwrap();
    }
    peer
}

#[tokio::test]
async fn a_sending_half_alone_throws_away_what_the_other_would_have_got() {
    for socket_type in [Dealer, Router, Pair, XSub] {
        for transport in [Transport::Tcp4, Transport::Ipc] {
            let place = Place::any(transport);
            let mut socket = open(socket_type, &[]);
            if socket_type == XSub {
                assert!(socket.subscribe(""));
            }
            let endpoint = socket.bind(place.endpoint.as_str()).await.unwrap();
            let mut before = met(&mut socket, &endpoint, 0).await;
            let (mut sender, receiver) = socket.split().expect("it can be divided");
            for _ in 0..500 {
                within("send", before.send("early")).await.unwrap();
            }
            until("all of it is there", || {
                sender.stats().received.messages == 500
            })
            .await;
            drop(receiver);
            for _ in 0..MANY {
                within("send", before.send("late")).await.unwrap();
                tokio::task::yield_now().await;
            }
            let all = 500 + MANY as u64;
            until("all of it is thrown away", || {
                thrown(sender.stats().dropped) == all
            })
            .await;
            assert_eq!(sender.stats().queued_to_receive, 0);
            let to = |text: &str| match socket_type {
                Router => Message::from(["peer 0", text]),
                _ => Message::from(text),
            };
            within("send", sender.send(to("still here"))).await.unwrap();
            if socket_type == XSub {
                // After the subscription.
                let heard = within("a message", before.recv()).await.unwrap();
                assert_eq!(heard, "still here");
                continue;
            }
            let heard = within("a message", before.recv()).await.unwrap();
            assert_eq!(heard, "still here");
        }
    }
}

/// By inproc, what the half that goes has not taken out of the pipe is the sender's, and unsent: found by the simulation.
#[tokio::test]
async fn what_waits_by_inproc_for_a_half_that_goes_is_counted_by_its_sender() {
    let mut pair = PairSocket::new();
    pair.bind("inproc://unread-half").await.unwrap();
    let mut peer = PairSocket::new();
    peer.connect("inproc://unread-half").unwrap();
    let (sender, mut receiver) = pair.split();
    for _ in 0..10 {
        within("send", peer.send("it waits")).await.unwrap();
    }
    // One is taken, with what is in its batch.
    within("a message", receiver.recv()).await.unwrap();
    for _ in 0..10 {
        within("send", peer.send("it waits, too")).await.unwrap();
    }
    drop(receiver);
    let stats = peer.stats();
    let counted = stats.sent.messages + stats.queued_to_send as u64 + stats.dropped.total();
    assert_eq!(counted, 20, "{stats:?}");
    assert!(stats.dropped.unsent > 0, "{stats:?}");
    drop(sender);
}

/// What the application does while peers come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Sends,
    Receives,
    Nothing,
}

#[tokio::test]
async fn what_departed_peers_have_left_is_bounded_all_together() {
    for socket_type in [Dealer, Router, Pair, XSub, Pull, Gather, Server, Channel] {
        for role in [Role::Sends, Role::Receives, Role::Nothing] {
            if role == Role::Sends && matches!(socket_type, Pull | Gather) {
                continue;
            }
            let mut socket = open(socket_type, &[("departed_hwm", 25.into())]);
            if socket_type == XSub {
                assert!(socket.subscribe(""));
            }
            let endpoint = socket.bind("tcp://127.0.0.1:*").await.unwrap();
            for number in 0..10 {
                let mut peer = met(&mut socket, &endpoint, number).await;
                match role {
                    // Its pipe is seen; nobody takes the message, or it goes to the peer.
                    Role::Sends => drop(socket.try_send(Message::from(["nobody", "x"]))),
                    Role::Receives if number == 0 => assert!(socket.try_recv().is_err()),
                    Role::Receives | Role::Nothing => {}
                }
                let mut monitor = socket.monitor();
                for _ in 0..10 {
                    within("send", peer.send("left behind")).await.unwrap();
                }
                assert_eq!(within("close", peer.close()).await.unsent, 0);
                ended(&mut monitor).await;
            }
            let mut received = 0;
            while socket.try_recv().is_ok() {
                received += 1;
            }
            let stats = socket.stats();
            assert_eq!(
                (received, stats.dropped.unread, stats.queued_to_receive),
                (20, 80, 0),
                "{socket_type} {role:?}"
            );
        }
    }
}

/// What one peer has left is kept, however much it is.
#[tokio::test]
async fn what_one_peer_has_left_is_kept_whole() {
    for socket_type in [Dealer, Pair, Pull, Channel] {
        let mut socket = open(socket_type, &[("departed_hwm_bytes", 1.into())]);
        let endpoint = socket.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut peer = met(&mut socket, &endpoint, 0).await;
        let mut monitor = socket.monitor();
        for number in 0..100 {
            within("send", peer.send(number.to_string())).await.unwrap();
        }
        peer.close().await;
        ended(&mut monitor).await;
        for number in 0..100 {
            let received = within("a message", socket.recv()).await.unwrap();
            assert_eq!(received, number.to_string());
        }
    }
}
