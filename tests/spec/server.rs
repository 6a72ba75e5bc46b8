//! CLIENT and SERVER (`docs/rules.md`, R-CLIENT, R-SERVER, R-TS).

use std::collections::HashSet;
use std::time::Duration;

use common::events::connected;
use common::raw::{RawPeer, short_frame};
use common::within;
use purezmq::blocking;
use purezmq::{
    Addressed, AnySocket, ClientSocket, Context, Message, PeerId, PeerSelector, RecvError,
    SendError, ServerSocket, SocketType,
};

const ANY_PORT: &str = "tcp://127.0.0.1:*";
const ALL: [&str; 3] = [ANY_PORT, "ipc://*", "inproc://server"];
/// More than all buffers of the system hold.
const LONG: usize = 4 << 20;

fn client(context: &Context) -> ClientSocket {
    ClientSocket::builder().context(context).build().unwrap()
}

fn server(context: &Context) -> ServerSocket {
    ServerSocket::builder().context(context).build().unwrap()
}

async fn recv(server: &mut ServerSocket) -> Addressed {
    within("a message", server.recv()).await.expect("recv")
}

#[tokio::test]
async fn clients_have_numbers_of_their_own_whoever_binds() {
    // R-SERVER-1, R-SERVER-3
    for place in ALL {
        for server_binds in [true, false] {
            let context = Context::new();
            let mut server = server(&context);
            let mut clients = [client(&context), client(&context), client(&context)];
            if server_binds {
                let endpoint = server.bind(place).await.expect("bind");
                for client in &mut clients {
                    client.connect(&endpoint).expect("connect");
                }
            } else {
                for client in &mut clients {
                    let place = match place {
                        "inproc://server" => format!("{place} {:p}", &raw const *client),
                        place => place.to_owned(),
                    };
                    let endpoint = client.bind(place.as_str()).await.expect("bind");
                    server.connect(&endpoint).expect("connect");
                }
            }
            for (number, client) in clients.iter_mut().enumerate() {
                within("send", client.send(number.to_string()))
                    .await
                    .expect("send");
            }
            let mut ids = HashSet::new();
            for _ in &clients {
                let asked = recv(&mut server).await;
                assert_ne!(asked.peer.number(), 0);
                ids.insert(asked.peer);
                let answer = format!("you are {}", asked.message.as_str().unwrap());
                server.send(asked.reply(answer)).await.expect("send");
            }
            assert_eq!(ids.len(), 3, "{place}");
            assert_eq!(HashSet::from_iter(server.peers()), ids);
            for (number, client) in clients.iter_mut().enumerate() {
                let answer = within("an answer", client.recv()).await.expect("recv");
                // The number has not come with it.
                assert_eq!(answer, format!("you are {number}"));
                client.send("again").await.expect("send");
                assert!(ids.contains(&recv(&mut server).await.peer), "it stays");
            }
        }
    }
}

#[tokio::test]
async fn numbers_are_never_what_a_peer_calls_itself() {
    // R-SERVER-1
    let mut server = ServerSocket::new();
    let endpoint = server.bind(ANY_PORT).await.expect("bind");
    let mut ids = HashSet::new();
    let mut peers = Vec::new();
    for _ in 0..2 {
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.send(&common::raw::greeting()).await;
        // Both say that they are 00000007, as a made-up name would be.
        let mut ready = b"\x05READY\x0bSocket-Type\0\0\0\x06CLIENT".to_vec();
        ready.extend(b"\x08Identity\0\0\0\x05\0\0\0\0\x07");
        peer.send(&[0x04, ready.len() as u8]).await;
        peer.send(&ready).await;
        peer.send(&short_frame(b"hello")).await;
        let said = recv(&mut server).await;
        assert_ne!(said.peer, PeerId::from(7));
        ids.insert(said.peer);
        peers.push(peer);
    }
    assert_eq!(ids.len(), 2, "the second is not turned away");
}

#[tokio::test]
async fn a_message_for_nobody_is_an_error_and_one_for_who_does_not_read_waits() {
    // R-SERVER-2
    let context = Context::new();
    let mut server = ServerSocket::builder()
        .context(&context)
        .send_hwm(2)
        .build()
        .unwrap();
    server.bind("inproc://server").await.expect("bind");
    let mut clients = [(); 2].map(|()| {
        let mut client = ClientSocket::builder()
            .context(&context)
            .recv_hwm(1)
            .build()
            .unwrap();
        client.connect("inproc://server").expect("connect");
        client
    });
    let [slow, other] = &mut clients;
    slow.send("slow").await.expect("send");
    other.send("other").await.expect("send");
    let (slow_id, other_id) = (recv(&mut server).await.peer, recv(&mut server).await.peer);
    for number in 0..3 {
        server
            .try_send((slow_id, number.to_string()))
            .expect("room");
    }
    let refused = server.try_send((slow_id, "3"));
    assert!(matches!(refused, Err(SendError::Full(_))), "{refused:?}");
    assert_eq!(server.dropped(), 0);
    server
        .try_send((other_id, "3"))
        .expect("the other has room");
    let waits = tokio::spawn(async move {
        server.send_to(slow_id, "3").await.expect("send");
        server
    });
    for number in 0..4 {
        let message = within("a message", slow.recv()).await.expect("recv");
        assert_eq!(message, number.to_string());
    }
    let mut server = within("room", waits).await.expect("no panic");

    let known = slow_id.number();
    let unknown = (1..).find(|id| ![known, other_id.number()].contains(id));
    for nobody in [PeerId::default(), PeerId::from(unknown.unwrap())] {
        let Err(SendError::Unroutable { message, peer }) = server.send_to(nobody, "it").await
        else {
            panic!("there is nobody");
        };
        assert_eq!(message, "it");
        assert_eq!(peer[1..], nobody.number().to_be_bytes());
    }
    assert_eq!(server.stats().dropped.unroutable, 0, "it came back");
}

#[tokio::test]
async fn who_has_gone_is_nobody_and_its_number_is_not_given_to_another() {
    // R-SERVER-2
    for place in ALL {
        let context = Context::new();
        let mut server = server(&context);
        let endpoint = server.bind(place).await.expect("bind");
        let mut first = client(&context);
        first.connect(&endpoint).expect("connect");
        first.send("hello").await.expect("send");
        let gone = recv(&mut server).await.peer;
        first.close().await;
        let mut second = client(&context);
        second.connect(&endpoint).expect("connect");
        second.send("hello").await.expect("send");
        let there = recv(&mut server).await.peer;
        assert_ne!(there, gone);
        let unknown = async {
            loop {
                if let Err(SendError::Unroutable { .. }) = server.send_to(gone, "it").await {
                    break;
                }
                // Asked again: a SERVER hears of the end when it sends.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        within("the end of the first", unknown).await;
        server.send_to(there, "it").await.expect("send");
        assert_eq!(within("it", second.recv()).await.expect("recv"), "it");
    }
}

#[tokio::test]
async fn a_server_that_connects_keeps_a_clients_number_over_reconnections() {
    // R-SERVER-1
    let mut client = ClientSocket::new();
    let endpoint = client.bind(ANY_PORT).await.expect("bind");
    let mut server = ServerSocket::builder()
        .reconnect_interval(Duration::from_millis(1))
        .build()
        .unwrap();
    server.connect(&endpoint).expect("connect");
    let mut events = client.monitor();
    connected(&mut events).await;
    client.send("hello").await.expect("send");
    let before = recv(&mut server).await.peer;
    assert_eq!(server.disconnect_peer(before), 1);
    connected(&mut events).await;
    client.send("again").await.expect("send");
    assert_eq!(recv(&mut server).await.peer, before);
}

#[tokio::test]
async fn a_peer_is_disconnected_by_its_number() {
    // R-SERVER-3
    let mut server = ServerSocket::new();
    let endpoint = server.bind(ANY_PORT).await.expect("bind");
    let mut stays = RawPeer::connect(&endpoint).await;
    stays.shake_hands("CLIENT").await;
    stays.send(&short_frame(b"one")).await;
    let one = recv(&mut server).await.peer;
    let mut goes = RawPeer::connect(&endpoint).await;
    goes.shake_hands("CLIENT").await;
    goes.send(&short_frame(b"two")).await;
    let two = recv(&mut server).await.peer;
    assert_eq!(server.disconnect_peer(PeerId::from(two.number())), 1);
    goes.await_close().await;
    assert_eq!(server.disconnect_peer(PeerId::default()), 0, "nobody");
    server.send_to(one, "you stay").await.expect("send");
    assert_eq!(stays.receive(10).await, b"\0\x08you stay");
    assert_eq!(
        PeerSelector::from(two),
        PeerSelector::routing_id([&[0][..], &two.number().to_be_bytes()].concat())
    );
}

#[tokio::test]
async fn a_client_sends_to_its_servers_in_turn_and_hears_them_in_turn() {
    // R-CLIENT-1
    let context = Context::new();
    let mut servers = [server(&context), server(&context)];
    let mut client = client(&context);
    for (number, server) in servers.iter_mut().enumerate() {
        let place = format!("inproc://{number}");
        server.bind(place.as_str()).await.expect("bind");
        client.connect(place.as_str()).expect("connect");
    }
    for number in 0..4 {
        client.send(number.to_string()).await.expect("send");
    }
    for (first, server) in servers.iter_mut().enumerate() {
        for number in [first, first + 2] {
            let asked = recv(server).await;
            assert_eq!(asked.message, number.to_string());
            server.send(asked.reply(number.to_string())).await.unwrap();
        }
    }
    let mut heard = Vec::new();
    for _ in 0..4 {
        let message = within("an answer", client.recv()).await.expect("recv");
        heard.push(message.as_str().unwrap().parse::<usize>().unwrap());
    }
    let of_server = |number: &usize| number % 2;
    assert_ne!(of_server(&heard[0]), of_server(&heard[1]), "{heard:?}");
    assert_ne!(of_server(&heard[2]), of_server(&heard[3]), "{heard:?}");
}

#[tokio::test]
async fn without_a_server_a_client_is_mute() {
    // R-CLIENT-1
    let mut client = ClientSocket::new();
    client.bind(ANY_PORT).await.expect("bind");
    let refused = client.try_send("it");
    assert!(matches!(refused, Err(SendError::Full(_))), "{refused:?}");
    client
        .set_options(|options| options.send_timeout(Duration::from_millis(1)))
        .unwrap();
    let refused = client.send("it").await;
    assert!(matches!(refused, Err(SendError::Timeout(_))), "{refused:?}");
    assert_eq!(client.dropped(), 0);
}

#[tokio::test]
async fn messages_of_several_frames_are_not_sent_and_dropped_whole() {
    // R-TS-2, R-TS-3
    let mut server = ServerSocket::new();
    let endpoint = server.bind(ANY_PORT).await.expect("bind");
    let mut peer = RawPeer::connect(&endpoint).await;
    peer.shake_hands("CLIENT").await;
    peer.send(b"\x01\x03two\x01\x04more\x00\x06frames").await;
    peer.send(&short_frame(b"one frame")).await;
    let said = recv(&mut server).await;
    assert_eq!(said.message, "one frame");
    assert_eq!(server.stats().dropped.discarded, 1);
    assert_eq!(server.try_recv(), Err(RecvError::Empty));
    let Err(SendError::Multipart(message)) = server.send_to(said.peer, ["two", "frames"]).await
    else {
        panic!("it has two frames");
    };
    assert_eq!(message.len(), 2, "it comes back");
    let refused = server.send_to(said.peer, Message::new()).await;
    assert!(matches!(refused, Err(SendError::NoFrames(_))));
    server.send(said.reply("one")).await.expect("send");
    assert_eq!(peer.receive(5).await, b"\0\x03one");

    let mut client = ClientSocket::new();
    let endpoint = client.bind(ANY_PORT).await.expect("bind");
    let mut peer = RawPeer::connect(&endpoint).await;
    peer.shake_hands("SERVER").await;
    peer.send(b"\x01\x03two\x00\x06frames").await;
    peer.send(&short_frame(b"one frame")).await;
    let message = within("the next", client.recv()).await.expect("recv");
    assert_eq!(message, "one frame");
    assert_eq!(client.stats().dropped.discarded, 1);
    let refused = client.send(["two", "frames"]).await;
    assert!(matches!(refused, Err(SendError::Multipart(_))));
}

#[tokio::test]
async fn many_tasks_send_through_halves_and_clones() {
    // R-TS-1
    for place in ALL {
        let context = Context::new();
        let mut server = server(&context);
        let endpoint = server.bind(place).await.expect("bind");
        let mut client = client(&context);
        client.connect(&endpoint).expect("connect");
        let (asks, mut answers) = client.split();
        let asks = asks.into_shared();
        let tasks = (0..10).map(|number: usize| {
            let asks = asks.clone();
            tokio::spawn(async move { asks.send(number.to_string()).await.expect("send") })
        });
        let tasks: Vec<_> = tasks.collect();
        let (replies, mut asked) = server.split();
        let replies = replies.into_shared();
        for _ in 0..10 {
            let replies = replies.clone();
            let question = within("a question", asked.recv()).await.expect("recv");
            tokio::spawn(async move { replies.send(question).await.expect("send") });
        }
        let mut heard = HashSet::new();
        for _ in 0..10 {
            let answer = within("an answer", answers.recv()).await.expect("recv");
            heard.insert(answer.as_str().unwrap().parse::<usize>().unwrap());
        }
        assert_eq!(heard, HashSet::from_iter(0..10));
        for task in tasks {
            task.await.expect("no panic");
        }
    }
}

#[tokio::test]
async fn as_values_they_bear_the_number_in_front() {
    // R-SERVER-1, R-SERVER-2
    let context = Context::new();
    let mut server = AnySocket::new(SocketType::Server, &context).unwrap();
    let mut client = AnySocket::new(SocketType::Client, &context).unwrap();
    let endpoint = server.bind(ANY_PORT).await.expect("bind");
    // What a name means to ROUTERs means nothing here.
    client.connect_as(&endpoint, "name").expect("connect");
    client.send("question").await.expect("send");
    let question = within("a question", server.recv()).await.expect("recv");
    assert_eq!(question.len(), 2);
    assert_eq!(question[0].len(), 4);
    assert_eq!(&question[1], b"question");
    server.send(question.clone()).await.expect("send");
    assert_eq!(within("it", client.recv()).await.expect("recv"), "question");
    for unknown in ["\0\0\0\0", "not four bytes", ""] {
        let refused = server.send([unknown, "it"]).await;
        assert!(
            matches!(refused, Err(SendError::Unroutable { .. })),
            "{refused:?}"
        );
    }
    let refused = server.send(question[0].to_vec()).await;
    assert!(
        matches!(refused, Err(SendError::NoFrames(_))),
        "{refused:?}"
    );
    let mut any = AnySocket::new(SocketType::Server, &context).unwrap();
    any.connect_as(&endpoint, "not a number").expect("connect");
    assert_eq!(
        Addressed::from(Message::from(Addressed::from((9, "it")))),
        Addressed::from((9, "it"))
    );
}

#[tokio::test]
async fn long_messages_pass_both_ways() {
    // R-CLIENT-1
    for place in ALL {
        let context = Context::new();
        let mut server = server(&context);
        let endpoint = server.bind(place).await.expect("bind");
        let mut client = client(&context);
        client.connect(&endpoint).expect("connect");
        for length in [0, 1, 39, 40, 255, 256, LONG] {
            let sent = vec![b'x'; length];
            within("send", client.send(sent.clone())).await.unwrap();
            let asked = recv(&mut server).await;
            assert_eq!(asked.message.payload(), sent);
            within("send", server.send(asked)).await.unwrap();
            let back = within("it", client.recv()).await.unwrap();
            assert_eq!(back.payload(), sent);
        }
    }
}

#[test]
fn without_a_runtime_they_do_the_same() {
    // R-SERVER-1, R-SERVER-2
    let mut server = blocking::ServerSocket::new();
    let endpoint = server.bind(ANY_PORT).expect("bind");
    let mut client = blocking::ClientSocket::new();
    client.connect(&endpoint).expect("connect");
    client.send("question").expect("send");
    let question = server.recv().expect("recv");
    assert_eq!(server.peers(), [question.peer]);
    assert!(!server.peer_drains(question.peer));
    server.send_to(question.peer, "answer").expect("send");
    assert_eq!(client.recv().expect("recv"), "answer");
    let refused = server.send_to(0, "it");
    assert!(matches!(refused, Err(SendError::Unroutable { .. })));
}
