//! PEER, as far as it differs from SERVER (`docs/rules.md`, R-PEER, R-TS).

use std::collections::HashSet;
use std::time::Duration;

use common::events::connected;
use common::raw::{RawPeer, short_frame};
use common::within;
use purezmq::blocking;
use purezmq::{
    Addressed, AnySocket, ConnectError, Context, Message, PeerId, PeerSocket, RecvError, SendError,
    ServerSocket, SocketType,
};

const ANY_PORT: &str = "tcp://127.0.0.1:*";
const ALL: [&str; 3] = [ANY_PORT, "ipc://*", "inproc://peer"];

fn peer(context: &Context) -> PeerSocket {
    PeerSocket::builder().context(context).build().unwrap()
}

async fn recv(peer: &mut PeerSocket) -> Addressed {
    within("a message", peer.recv()).await.expect("recv")
}

#[tokio::test]
async fn who_connects_speaks_first_to_the_number_that_connecting_gave() {
    // R-PEER-1
    for place in ALL {
        for binds_first in [true, false] {
            let context = Context::new();
            let (mut here, mut there) = (peer(&context), peer(&context));
            let first = match (binds_first, place) {
                (true, _) => Some(here.bind(place).await.expect("bind")),
                (false, "inproc://peer") => None,
                (false, _) => continue,
            };
            let endpoint = match &first {
                Some(endpoint) => endpoint.to_string(),
                None => place.to_owned(),
            };
            let id = there.connect_peer(endpoint.as_str()).expect("connect");
            assert_ne!(id, PeerId::default());
            assert_eq!(there.peers(), [id], "it is known at once");
            there.send_to(id, "hello").await.expect("send");
            if first.is_none() {
                here.bind(place).await.expect("bind");
            }
            let hello = recv(&mut here).await;
            assert_eq!(hello.message, "hello");
            for number in 0..3 {
                here.send(hello.reply(number.to_string())).await.unwrap();
                let answer = recv(&mut there).await;
                assert_eq!(answer, Addressed::from((id, number.to_string())));
                there.send(answer).await.expect("send");
                assert_eq!(recv(&mut here).await.peer, hello.peer);
            }
        }
    }
}

#[tokio::test]
async fn each_of_many_knows_all_others() {
    // R-PEER-1
    for place in [ANY_PORT, "inproc://many"] {
        let context = Context::new();
        let mut all: Vec<(PeerSocket, Vec<PeerId>)> = Vec::new();
        let mut endpoints: Vec<purezmq::Endpoint> = Vec::new();
        for number in 0..4 {
            let mut one = peer(&context);
            let mut known = Vec::new();
            for endpoint in &endpoints {
                known.push(one.connect_peer(endpoint).expect("connect"));
            }
            let place = match place {
                ANY_PORT => place.to_owned(),
                _ => format!("{place} {number}"),
            };
            endpoints.push(one.bind(place.as_str()).await.expect("bind"));
            assert_eq!(
                HashSet::<PeerId>::from_iter(known.iter().copied()).len(),
                number
            );
            for id in &known {
                one.send_to(*id, number.to_string()).await.expect("send");
            }
            for (other, _) in &mut all {
                let said = recv(other).await;
                assert_eq!(said.message, number.to_string());
            }
            all.push((one, known));
        }
        for (number, (one, known)) in all.iter_mut().enumerate() {
            let peers: HashSet<PeerId> = one.peers().into_iter().collect();
            assert_eq!(peers.len(), 3, "{number} at {place}");
            assert!(known.iter().all(|id| peers.contains(id)));
        }
    }
}

#[tokio::test]
async fn the_number_stays_over_reconnections() {
    // R-PEER-1, R-CONN-3
    let mut here = PeerSocket::new();
    let endpoint = here.bind(ANY_PORT).await.expect("bind");
    let mut there = PeerSocket::builder()
        .reconnect_interval(Duration::from_millis(1))
        .build()
        .unwrap();
    let mut events = there.monitor();
    let id = there.connect_peer(&endpoint).expect("connect");
    connected(&mut events).await;
    let mut seen = HashSet::new();
    for number in 0..3 {
        there.send_to(id, number.to_string()).await.expect("send");
        let said = recv(&mut here).await;
        assert_eq!(said.message, number.to_string());
        seen.insert(said.peer);
        here.send(said.reply("heard")).await.expect("send");
        assert_eq!(recv(&mut there).await.peer, id);
        assert_eq!(here.disconnect_peer(said.peer), 1);
        connected(&mut events).await;
    }
    // To who was connected to, each connection is another.
    assert_eq!(seen.len(), 3);
}

#[tokio::test]
async fn with_immediate_the_number_is_somebodys_once_it_is_connected() {
    // R-PEER-1: libzmq refuses, with EFAULT.
    let mut here = PeerSocket::new();
    let endpoint = here.bind(ANY_PORT).await.expect("bind");
    let mut there = PeerSocket::builder().immediate(true).build().unwrap();
    let id = there.connect_peer(&endpoint).expect("connect");
    within("a connection", async {
        while let Err(error) = there.send_to(id, "hello").await {
            assert!(matches!(error, SendError::Unroutable { .. }), "{error:?}");
            // Asked again: that `send_to` is refused until then is what is tested.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert_eq!(recv(&mut here).await.message, "hello");
}

#[tokio::test]
async fn others_connect_without_a_number() {
    // R-PEER-1
    let context = Context::new();
    for socket_type in SocketType::ALL {
        let Ok(mut any) = AnySocket::new(socket_type, &context) else {
            continue;
        };
        let connected = any.connect_peer("inproc://nobody");
        match socket_type {
            // libzmq lets PEER alone.
            SocketType::Peer | SocketType::Server => {
                assert_ne!(connected.expect("it has numbers"), PeerId::default());
            }
            _ => assert!(
                matches!(connected, Err(ConnectError::Unsupported { .. })),
                "{socket_type}: {connected:?}"
            ),
        }
    }
    let mut server = ServerSocket::new();
    let mut client = purezmq::ClientSocket::new();
    let endpoint = client.bind(ANY_PORT).await.expect("bind");
    let id = server.connect_peer(&endpoint).expect("connect");
    server.send_to(id, "before a question").await.expect("send");
    let message = within("it", client.recv()).await.expect("recv");
    assert_eq!(message, "before a question");
}

#[tokio::test]
async fn messages_of_several_frames_are_not_sent_and_dropped_whole() {
    // R-TS-2, R-TS-3
    let mut here = PeerSocket::new();
    let endpoint = here.bind(ANY_PORT).await.expect("bind");
    let mut raw = RawPeer::connect(&endpoint).await;
    raw.shake_hands("PEER").await;
    raw.send(b"\x01\x03two\x01\x04more\x00\x06frames").await;
    raw.send(&short_frame(b"one frame")).await;
    let said = recv(&mut here).await;
    assert_eq!(said.message, "one frame");
    assert_eq!(here.stats().dropped.discarded, 1);
    assert_eq!(here.try_recv(), Err(RecvError::Empty));
    let refused = here.send_to(said.peer, ["two", "frames"]).await;
    assert!(matches!(refused, Err(SendError::Multipart(_))));
    let nobody = here.send_to(0, "it").await;
    assert!(matches!(nobody, Err(SendError::Unroutable { .. })));
    here.send(said.reply("one")).await.expect("send");
    assert_eq!(raw.receive(5).await, b"\0\x03one");
}

#[tokio::test]
async fn as_values_they_bear_the_number_in_front() {
    // R-PEER-1
    let context = Context::new();
    let mut here = AnySocket::new(SocketType::Peer, &context).unwrap();
    let mut there = AnySocket::new(SocketType::Peer, &context).unwrap();
    let endpoint = here.bind(ANY_PORT).await.expect("bind");
    let id = there.connect_peer(&endpoint).expect("connect");
    let hello = Message::from(Addressed::from((id, "hello")));
    there.send(hello.clone()).await.expect("send");
    let heard = within("it", here.recv()).await.expect("recv");
    here.send(heard).await.expect("send");
    assert_eq!(within("it", there.recv()).await.expect("recv"), hello);
}

#[tokio::test]
async fn its_halves_are_for_many_tasks() {
    // R-TS-1
    let context = Context::new();
    let (mut here, mut there) = (peer(&context), peer(&context));
    here.bind("inproc://halves").await.expect("bind");
    let id = there.connect_peer("inproc://halves").expect("connect");
    let (sender, mut receiver) = there.split();
    let sender = sender.into_shared();
    for number in 0..10 {
        let sender = sender.clone();
        tokio::spawn(async move { sender.send((id, number.to_string())).await.expect("send") });
    }
    for _ in 0..10 {
        let said = recv(&mut here).await;
        here.send(said).await.expect("send");
        let back = within("back", receiver.recv()).await.expect("recv");
        assert_eq!(back.peer, id);
    }
}

#[test]
fn without_a_runtime_they_do_the_same() {
    // R-PEER-1
    let mut here = blocking::PeerSocket::new();
    let endpoint = here.bind(ANY_PORT).expect("bind");
    let mut there = blocking::PeerSocket::new();
    let id = there.connect_peer(&endpoint).expect("connect");
    there.send_to(id, "hello").expect("send");
    let hello = here.recv().expect("recv");
    here.send(hello.reply("welcome")).expect("send");
    assert_eq!(there.recv().expect("recv").peer, id);
}
