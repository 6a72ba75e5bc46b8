//! REQ, ROUTER and DEALER: numbers of requests, names that collide or are any bytes, notices, and what only we have.

use std::time::Duration;

use common::events::{connected, event};
use common::place::{Place, Transport};
use common::raw::{RawPeer, greeting, short_frame};
use common::within;
use purezmq::{
    ConnectError, Context, DealerSocket, Endpoint, Message, MonitorEventKind, ReqSocket, Routed,
    RouterEvent, RouterSocket, SendError,
};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

async fn router() -> (RouterSocket, Endpoint) {
    let mut router = RouterSocket::new();
    let endpoint = router.bind(ANY_PORT).await.unwrap();
    (router, endpoint)
}

fn dealer(name: &str, endpoint: &Endpoint) -> DealerSocket {
    let mut dealer = DealerSocket::builder().routing_id(name).build().unwrap();
    dealer.connect(endpoint).unwrap();
    dealer
}

async fn take(router: &mut RouterSocket) -> Routed {
    within("a message", router.recv_message()).await.unwrap()
}

async fn take_event(router: &mut RouterSocket) -> RouterEvent {
    within("an event", router.recv()).await.unwrap()
}

/// READY with an `Identity` of any length.
fn ready_as(kind: &str, identity: &[u8]) -> Vec<u8> {
    let mut body = b"\x05READY".to_vec();
    for (name, value) in [("Socket-Type", kind.as_bytes()), ("Identity", identity)] {
        body.push(name.len() as u8);
        body.extend(name.as_bytes());
        body.extend((value.len() as u32).to_be_bytes());
        body.extend(value);
    }
    let mut command = vec![0x06];
    command.extend((body.len() as u64).to_be_bytes());
    command.extend(body);
    command
}

// ---------------------------------------------------------------- REQ

#[tokio::test]
async fn correlated_requests_are_numbered_and_other_replies_skipped() {
    // R-REQ-7, R-REQ-9
    let (mut server, endpoint) = router().await;
    let mut client = ReqSocket::builder().correlate(true).build().unwrap();
    client.connect(&endpoint).unwrap();
    let mut before = None;
    for round in ["first", "second"] {
        client.send(round).await.unwrap();
        let request = take(&mut server).await;
        assert_eq!(request.message.len(), 3);
        let id = u32::from_ne_bytes(request.message[0].try_into().unwrap());
        assert!(before.is_none_or(|before: u32| id == before.wrapping_add(1)));
        before = Some(id);
        let wrong = id.wrapping_sub(1).to_ne_bytes();
        server
            .send(request.reply([&wrong[..], b"", b"wrong"]))
            .await
            .unwrap();
        server
            .send(request.reply([&id.to_ne_bytes()[..], b"", round.as_bytes()]))
            .await
            .unwrap();
        assert_eq!(within("reply", client.recv()).await.unwrap(), round);
    }
}

// ---------------------------------------------------------------- ROUTER

#[tokio::test]
async fn a_second_peer_of_a_name_is_ignored_while_the_first_is_there() {
    // R-ROUTER-3. We let it in then; libzmq never does.
    let mut server = RouterSocket::builder().mandatory(true).build().unwrap();
    let endpoint = server.bind(ANY_PORT).await.unwrap();
    let mut events = server.monitor();
    let mut first = dealer("same", &endpoint);
    connected(&mut events).await;
    let mut second = dealer("same", &endpoint);
    connected(&mut events).await;
    second.send("read later").await.unwrap();
    first.send("read").await.unwrap();
    assert_eq!(take(&mut server).await.message, "read");
    server.send_to("same", "to the first").await.unwrap();
    assert_eq!(within("first", first.recv()).await.unwrap(), "to the first");
    first.close().await;
    assert_eq!(take(&mut server).await.message, "read later");
    server.send_to("same", "to the second").await.unwrap();
    let heard = within("second", second.recv()).await.unwrap();
    assert_eq!(heard, "to the second");
    second.close().await;
    event(&mut events, "the end of the second", |kind| {
        matches!(kind, MonitorEventKind::LetIn)
    })
    .await;
    event(&mut events, "the end of the second", |kind| {
        matches!(kind, MonitorEventKind::Disconnected(_))
    })
    .await;
    let error = server.send_to("same", "to nobody").await.unwrap_err();
    assert!(matches!(error, SendError::Unroutable { .. }));
}

#[tokio::test]
async fn with_handover_the_newcomer_takes_the_name() {
    // R-ROUTER-4. The old connection stays open under a made-up name; libzmq hears it no more.
    let mut server = RouterSocket::builder().handover(true).build().unwrap();
    let endpoint = server.bind(ANY_PORT).await.unwrap();
    let mut old = RawPeer::connect(&endpoint).await;
    old.send(&greeting()).await;
    old.send(&ready_as("DEALER", b"same")).await;
    old.send(&short_frame(b"last words")).await;
    old.receive(64).await;
    assert_eq!(take(&mut server).await.message, "last words");
    let mut new = dealer("same", &endpoint);
    new.send("hello").await.unwrap();
    assert_eq!(take(&mut server).await.message, "hello");
    server.send_to("same", "for the new one").await.unwrap();
    assert_eq!(within("new", new.recv()).await.unwrap(), "for the new one");
    old.send(&short_frame(b"still here")).await;
    let still_here = take(&mut server).await;
    assert_eq!(still_here.message, "still here");
    assert_ne!(still_here.peer, "same");
}

#[tokio::test]
async fn what_cannot_be_routed_is_dropped_and_counted() {
    // R-ROUTER-5, R-ROUTER-7, R-ROUTER-8
    let context = Context::new();
    let mut server = RouterSocket::builder()
        .context(&context)
        .send_hwm(1)
        .build()
        .unwrap();
    server.bind("inproc://server").await.unwrap();
    server.send_to("nobody", "anything").await.unwrap();
    assert_eq!(server.dropped(), 1);
    let mut client = DealerSocket::builder()
        .context(&context)
        .routing_id("client")
        .recv_hwm(1)
        .build()
        .unwrap();
    client.connect("inproc://server").unwrap();
    for number in 0..5 {
        server.send_to("client", number.to_string()).await.unwrap();
    }
    assert_eq!(server.dropped(), 4, "two fit");
    assert_eq!(client.recv().await.unwrap(), "0");
    assert_eq!(client.recv().await.unwrap(), "1");
    assert!(client.try_recv().is_err());
    // The name alone is no message.
    server.send(Message::from("client")).await.unwrap();
    server.send(Message::from("nobody")).await.unwrap();
    assert_eq!(server.dropped(), 4);
}

#[tokio::test]
async fn a_mandatory_router_says_what_it_cannot_route() {
    // R-ROUTER-6
    let context = Context::new();
    let mut server = RouterSocket::builder()
        .context(&context)
        .mandatory(true)
        .send_hwm(1)
        .send_timeout(Duration::from_millis(10))
        .build()
        .unwrap();
    server.bind("inproc://server").await.unwrap();
    match server.send_to("nobody", "anything").await {
        Err(SendError::Unroutable { peer, message }) => {
            assert_eq!((&peer[..], message), (&b"nobody"[..], "anything".into()));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        server.try_send(("nobody", "anything")),
        Err(SendError::Unroutable { .. })
    ));
    let mut client = DealerSocket::builder()
        .context(&context)
        .routing_id("client")
        .recv_hwm(1)
        .build()
        .unwrap();
    client.connect("inproc://server").unwrap();
    server.send_to("client", "1").await.unwrap();
    server.send_to("client", "2").await.unwrap();
    let full = server.try_send(("client", "3")).unwrap_err();
    assert!(full.is_full());
    let late = server.send_to("client", "3").await.unwrap_err();
    assert!(matches!(&late, SendError::Timeout(message) if *message == "3"));
    assert_eq!(client.recv().await.unwrap(), "1");
    assert_eq!(client.recv().await.unwrap(), "2");
    assert!(client.try_recv().is_err());
    server.send_to("client", "3").await.unwrap();
    drop(client);
    assert!(matches!(
        server.send_to("client", "4").await,
        Err(SendError::Unroutable { .. })
    ));
    assert_eq!(server.dropped(), 0);
}

#[tokio::test]
async fn a_connected_peer_can_be_given_a_name() {
    // R-ROUTER-9
    let (mut there, endpoint) = router().await;
    let mut here = RouterSocket::builder()
        .routing_id("here")
        .mandatory(true)
        .build()
        .unwrap();
    here.connect_as(&endpoint, "there").unwrap();
    let taken = here.connect_as(&endpoint, "there").unwrap_err();
    assert!(
        matches!(taken, ConnectError::RoutingIdInUse { .. }),
        "{taken}"
    );
    here.send_to("there", "at once").await.unwrap();
    let message = take(&mut there).await;
    assert_eq!(message, Routed::from(("here", "at once")));
    there.send(message.reply("yes")).await.unwrap();
    assert_eq!(take(&mut here).await, Routed::from(("there", "yes")));
    assert_eq!(here.peers(), ["there"]);

    // Nobody else may call itself so.
    let bound = here.bind(ANY_PORT).await.unwrap();
    let mut events = here.monitor();
    let mut impostor = dealer("there", &bound);
    connected(&mut events).await;
    impostor.send("it is me").await.unwrap();
    here.send_to("there", "still you?").await.unwrap();
    assert_eq!(take(&mut there).await.message, "still you?");
    // The name is free again after the endpoint.
    here.disconnect(&endpoint).unwrap();
    here.connect_as(&endpoint, "there").unwrap();
}

#[tokio::test]
async fn names_may_be_any_bytes() {
    // R-ROUTER-10
    let (mut server, endpoint) = router().await;
    let name = [0; 300];
    let mut peer = RawPeer::connect(&endpoint).await;
    peer.send(&greeting()).await;
    peer.send(&ready_as("DEALER", &name)).await;
    peer.send(&short_frame(b"hello")).await;
    let message = take(&mut server).await;
    assert_eq!(message.peer, name);
    assert_eq!(message.message, "hello");
}

#[tokio::test]
async fn notices_tell_who_comes_and_goes() {
    // R-ROUTER-12
    let mut server = RouterSocket::builder().notify(true).build().unwrap();
    let endpoint = server.bind(ANY_PORT).await.unwrap();
    let mut client = dealer("client", &endpoint);
    client.send("hello").await.unwrap();
    let came = take_event(&mut server).await;
    assert_eq!(came, RouterEvent::Connected("client".into()));
    assert_eq!(Message::from(came), Message::from(["client", ""]));
    assert_eq!(take(&mut server).await, Routed::from(("client", "hello")));
    client.send("last words").await.unwrap();
    client.close().await;
    assert_eq!(
        take(&mut server).await,
        Routed::from(("client", "last words"))
    );
    let left = take_event(&mut server).await;
    assert_eq!(left, RouterEvent::Disconnected("client".into()));
    assert_eq!(Message::from(left), Message::from(["client", ""]));
}

#[tokio::test]
async fn notices_tell_who_comes_and_goes_over_inproc() {
    // R-ROUTER-12
    const NAME: &str = "inproc://notices";
    let mut server = RouterSocket::builder().notify(true).build().unwrap();
    server.bind(NAME).await.unwrap();
    let builder = DealerSocket::builder().routing_id("client");
    let mut client = builder.build().unwrap();
    client.connect(NAME).unwrap();
    client.send("last words").await.unwrap();
    client.close().await;
    let came = take_event(&mut server).await;
    assert_eq!(came, RouterEvent::Connected("client".into()));
    assert_eq!(
        take(&mut server).await,
        Routed::from(("client", "last words"))
    );
    let left = take_event(&mut server).await;
    assert_eq!(left, RouterEvent::Disconnected("client".into()));
}

#[tokio::test]
async fn a_connecting_router_hears_of_each_connection() {
    // R-ROUTER-12, R-CONN-3: the peer comes back under another name.
    let place = common::place::Place::fixed(common::place::Transport::Tcp4);
    let mut client = RouterSocket::builder()
        .notify(true)
        .mandatory(true)
        .reconnect_interval(Duration::from_millis(1))
        .build()
        .unwrap();
    client.connect(place.endpoint.as_str()).unwrap();
    for name in ["one", "two"] {
        let mut server = DealerSocket::builder().routing_id(name).build().unwrap();
        server.bind(place.endpoint.as_str()).await.unwrap();
        server.send("hello").await.unwrap();
        let came = take_event(&mut client).await;
        assert_eq!(came, RouterEvent::Connected(name.into()));
        assert_eq!(take(&mut client).await, Routed::from((name, "hello")));
        client.send_to(name, "back").await.unwrap();
        assert_eq!(within("reply", server.recv()).await.unwrap(), "back");
        server.close().await;
        let left = take_event(&mut client).await;
        assert_eq!(left, RouterEvent::Disconnected(name.into()));
    }
    assert!(matches!(
        client.send_to("one", "anybody?").await,
        Err(SendError::Unroutable { .. })
    ));
}

/// Peers of one name that come and go at random: at any time one of them has it, and what is told of them
/// fits together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_fight_for_a_name_never_have_it_at_once() {
    // R-ROUTER-3, R-ROUTER-12
    const ROUNDS: usize = 40;
    let mut server = RouterSocket::builder().notify(true).build().unwrap();
    let endpoint = server.bind(ANY_PORT).await.unwrap();
    let mut tasks = Vec::new();
    for number in 0..4 {
        let endpoint = endpoint.clone();
        tasks.push(tokio::spawn(async move {
            for round in 0..ROUNDS {
                let builder = DealerSocket::builder().routing_id("same");
                let mut client = builder.build().unwrap();
                let mut events = client.monitor();
                client.connect(&endpoint).unwrap();
                client.send(format!("{number} {round}")).await.unwrap();
                connected(&mut events).await;
                client.close().await;
            }
        }));
    }
    let clients = async {
        for task in tasks {
            task.await.unwrap();
        }
    };
    tokio::pin!(clients);
    let (mut came, mut left, mut messages, mut running) = (0, 0, 0, true);
    while running || came != left {
        tokio::select! {
            biased;
            routed = server.recv() => {
                let event = routed.unwrap();
                let is_made_up = event.peer().first() == Some(&0);
                // What is unread when the next one takes the name comes under another.
                assert!(*event.peer() == "same" || is_made_up);
                match event {
                    RouterEvent::Connected(_) => came += 1,
                    RouterEvent::Disconnected(_) => left += 1,
                    RouterEvent::Message(_) => messages += 1,
                }
            }
            () = within("all clients", &mut clients), if running => running = false,
        }
    }
    assert!(
        came > 0 && messages <= came,
        "{came} came, {messages} messages"
    );
    let mut last = dealer("same", &endpoint);
    last.send("the name is free").await.unwrap();
    while take(&mut server).await.message != "the name is free" {}
}

#[tokio::test]
async fn who_is_named_before_it_is_reached_is_told_of_when_it_is_there() {
    // R-ROUTER-9, R-ROUTER-12
    for transport in [Transport::Tcp4, Transport::Ipc] {
        let place = Place::fixed(transport);
        let mut here = RouterSocket::builder().notify(true).build().unwrap();
        here.connect_as(&place.endpoint, "there").unwrap();
        here.send_to("there", "early").await.unwrap();
        assert!(here.try_recv().is_err(), "nobody is there yet");
        let mut there = DealerSocket::new();
        there.bind(&place.endpoint).await.unwrap();
        assert_eq!(within("early", there.recv()).await.unwrap(), "early");
        there.send("answer").await.unwrap();
        let events = [
            within("a notice", here.recv()).await.unwrap(),
            within("an answer", here.recv()).await.unwrap(),
        ];
        let expected = [
            RouterEvent::Connected("there".into()),
            RouterEvent::Message(("there", "answer").into()),
        ];
        assert_eq!(events, expected);
    }
}
