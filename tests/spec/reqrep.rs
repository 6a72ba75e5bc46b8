//! REQ, REP, DEALER and ROUTER, rule by rule (`docs/rules.md`). Where it says so, the peer is libzmq.

use std::time::Duration;

use common::events::{connected, event};
use common::libzmq::Libzmq;
use common::peer::Peer;
use common::raw::{RawPeer, greeting, short_frame};
use common::within;
use purezmq::{
    ConnectError, Context, DealerSocket, Endpoint, Message, MonitorEventKind, RecvError, RepSocket,
    ReqSocket, Routed, RouterEvent, RouterSocket, SendError,
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
async fn a_request_is_a_delimiter_and_the_body() {
    // R-REQ-2, R-REQ-12
    let (mut server, endpoint) = router().await;
    let mut client = ReqSocket::builder().routing_id("me").build().unwrap();
    client.connect(&endpoint).unwrap();
    client.send(["two", "frames"]).await.unwrap();
    let request = take(&mut server).await;
    assert_eq!(request.peer, "me");
    assert_eq!(request.message, Message::from(["", "two", "frames"]));
    server.send(request.reply(["", "yes", ""])).await.unwrap();
    let reply = within("reply", client.recv()).await.unwrap();
    assert_eq!(reply, Message::from(["yes", ""]), "the delimiter is gone");
}

#[tokio::test]
async fn after_the_asked_peer_has_gone_anyone_may_answer() {
    // R-REQ-3, R-REQ-4
    let mut client = ReqSocket::builder().routing_id("me").build().unwrap();
    let endpoint = client.bind(ANY_PORT).await.unwrap();
    let mut events = client.monitor();
    let (mut asked, mut other) = (RouterSocket::new(), RouterSocket::new());
    asked.connect(&endpoint).unwrap();
    connected(&mut events).await;
    client.send("question").await.unwrap();
    assert_eq!(take(&mut asked).await.peer, "me");
    let mut met = other.monitor();
    other.connect(&endpoint).unwrap();
    connected(&mut met).await;
    asked.close().await;
    event(&mut events, "the end of the asked", |kind| {
        matches!(kind, MonitorEventKind::Disconnected(_))
    })
    .await;
    assert!(
        matches!(client.try_recv(), Err(RecvError::Empty)),
        "it goes on waiting, and there is no error"
    );
    other.send_to("me", ["", "answer"]).await.unwrap();
    assert_eq!(within("reply", client.recv()).await.unwrap(), "answer");
}

#[tokio::test]
async fn replies_that_wait_are_thrown_away_by_the_next_request() {
    // R-REQ-6. In inproc, what is sent is there.
    let context = Context::new();
    let mut server = RouterSocket::builder().context(&context).build().unwrap();
    server.bind("inproc://server").await.unwrap();
    let mut client = ReqSocket::builder().context(&context).build().unwrap();
    client.connect("inproc://server").unwrap();
    client.send("first").await.unwrap();
    let request = take(&mut server).await;
    server.send(request.reply(["", "one"])).await.unwrap();
    server.send(request.reply(["", "stale"])).await.unwrap();
    assert_eq!(client.recv().await.unwrap(), "one");
    client.send("second").await.unwrap();
    server.send(request.reply(["", "two"])).await.unwrap();
    assert_eq!(client.recv().await.unwrap(), "two");
}

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

#[tokio::test]
async fn without_correlation_a_late_reply_is_taken_for_the_new_one() {
    // R-REQ-8
    let (mut server, endpoint) = router().await;
    let mut client = ReqSocket::builder().relaxed(true).build().unwrap();
    client.connect(&endpoint).unwrap();
    client.send("first").await.unwrap();
    let request = take(&mut server).await;
    client.send("second").await.unwrap();
    take(&mut server).await;
    server.send(request.reply(["", "late"])).await.unwrap();
    assert_eq!(within("reply", client.recv()).await.unwrap(), "late");
}

#[tokio::test]
async fn a_reply_without_delimiter_is_discarded() {
    // R-REQ-10: libzmq closes the connection; RFC 28 says to discard, and so do we.
    let (mut server, endpoint) = router().await;
    let mut client = ReqSocket::new();
    client.connect(&endpoint).unwrap();
    client.send("question").await.unwrap();
    let request = take(&mut server).await;
    for malformed in [vec!["x"], vec!["x", "y"], vec![""]] {
        server.send(request.reply(malformed)).await.unwrap();
    }
    server.send(request.reply(["", "good"])).await.unwrap();
    assert_eq!(within("reply", client.recv()).await.unwrap(), "good");
}

#[tokio::test]
async fn req_router_and_dealer_probe_their_peers() {
    // R-DEALER-4, R-REQ-12, R-ROUTER-11
    let (mut server, endpoint) = router().await;
    let mut dealer = DealerSocket::builder()
        .probe_router(true)
        .routing_id("dealer")
        .build()
        .unwrap();
    dealer.connect(&endpoint).unwrap();
    assert_eq!(take(&mut server).await, Routed::from(("dealer", "")));

    let mut req = ReqSocket::builder()
        .probe_router(true)
        .routing_id("req")
        .build()
        .unwrap();
    req.connect(&endpoint).unwrap();
    assert_eq!(take(&mut server).await, Routed::from(("req", "")));

    let mut router = RouterSocket::builder()
        .probe_router(true)
        .routing_id("router")
        .build()
        .unwrap();
    router.connect(&endpoint).unwrap();
    let probe = take(&mut server).await;
    assert_eq!(probe, Routed::from(("router", "")));
    server.send(probe.reply("found you")).await.unwrap();
    assert_eq!(take(&mut router).await.message, "found you");
}

#[tokio::test]
async fn a_probe_comes_with_each_connection_and_before_all_messages() {
    // R-DEALER-4, to a libzmq ROUTER that comes back.
    let server = Libzmq::new(zmq::ROUTER);
    let place = common::place::Place::fixed(common::place::Transport::Tcp4);
    let mut dealer = DealerSocket::builder()
        .probe_router(true)
        .routing_id("me")
        .reconnect_interval(Duration::from_millis(1))
        .build()
        .unwrap();
    dealer.connect(place.endpoint.as_str()).unwrap();
    dealer.send("queued").await.unwrap();
    for expected in [vec!["me", ""], vec!["me", "queued"]] {
        let endpoint = place.endpoint.clone();
        let first = expected[1].is_empty();
        let got = server
            .run(move |socket| {
                if first {
                    socket.bind(&endpoint).expect("bind");
                }
                socket.recv_multipart(0).expect("recv")
            })
            .await;
        assert_eq!(
            got,
            expected
                .iter()
                .map(|s| s.as_bytes().to_vec())
                .collect::<Vec<_>>()
        );
    }
}

// ---------------------------------------------------------------- REP

#[tokio::test]
async fn rep_returns_the_envelope_and_skips_malformed_requests() {
    // R-REP-2, R-REP-3, R-REP-4, R-REP-7, R-DEALER-1
    let mut server = RepSocket::new();
    let endpoint = server.bind(ANY_PORT).await.unwrap();
    let mut client = DealerSocket::new();
    client.connect(&endpoint).unwrap();
    for request in [
        vec!["no delimiter"],
        vec![""],
        vec!["address", "no", "delimiter"],
        vec!["far", "near", "", "body", "more"],
        vec!["", ""],
    ] {
        client.send(request).await.unwrap();
    }
    let request = within("request", server.recv()).await.unwrap();
    assert_eq!(request, Message::from(["body", "more"]));
    server.send(["a", "reply"]).await.unwrap();
    let reply = within("reply", client.recv()).await.unwrap();
    assert_eq!(reply, Message::from(["far", "near", "", "a", "reply"]));
    let request = within("request", server.recv()).await.unwrap();
    assert_eq!(request, "", "an empty body is a request");
}

#[tokio::test]
async fn rep_takes_requests_from_its_peers_in_turn() {
    // R-REP-6. In inproc, what is sent is there.
    let context = Context::new();
    let mut server = RepSocket::builder().context(&context).build().unwrap();
    server.bind("inproc://server").await.unwrap();
    let mut clients = Vec::new();
    for name in ["a", "b"] {
        let mut client = DealerSocket::builder().context(&context).build().unwrap();
        client.connect("inproc://server").unwrap();
        for _ in 0..3 {
            client.send(["", name]).await.unwrap();
        }
        clients.push(client);
    }
    let mut seen = Vec::new();
    for _ in 0..6 {
        let request = server.recv().await.unwrap();
        seen.push(request.as_str().unwrap().to_owned());
        server.send(request).await.unwrap();
    }
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "{seen:?}");
}

// ---------------------------------------------------------------- DEALER

#[tokio::test]
async fn dealer_sends_in_turn_and_waits_when_all_are_full() {
    // R-DEALER-2, R-DEALER-3
    let context = Context::new();
    let mut dealer = DealerSocket::builder()
        .context(&context)
        .send_hwm(2)
        .build()
        .unwrap();
    assert!(matches!(dealer.try_send("x"), Err(SendError::Full(_))));
    let mut servers = Vec::new();
    for name in ["inproc://a", "inproc://b"] {
        let mut server = DealerSocket::builder()
            .context(&context)
            .recv_hwm(1)
            .build()
            .unwrap();
        server.bind(name).await.unwrap();
        dealer.connect(name).unwrap();
        servers.push(server);
    }
    let mut sent = 0;
    while dealer.try_send(sent.to_string()).is_ok() {
        sent += 1;
    }
    assert_eq!(sent, 6, "two pipes of three each");
    for (number, server) in servers.iter_mut().enumerate() {
        for turn in 0..3 {
            let expected = (2 * turn + number).to_string();
            assert_eq!(server.recv().await.unwrap(), expected);
        }
        server.send(["unasked", "for"]).await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!(dealer.recv().await.unwrap().len(), 2);
    }
    dealer.send("room again").await.unwrap();
}

// ---------------------------------------------------------------- ROUTER

#[tokio::test]
async fn peers_are_known_by_their_names_or_made_up_ones() {
    // R-ROUTER-1, R-ROUTER-2
    let (mut server, endpoint) = router().await;
    let mut named = dealer("client", &endpoint);
    named.send(["two", "frames"]).await.unwrap();
    let message = take(&mut server).await;
    assert_eq!(message, Routed::from(("client", ["two", "frames"])));
    let mut numbers = Vec::new();
    for _ in 0..2 {
        let mut nameless = DealerSocket::new();
        nameless.connect(&endpoint).unwrap();
        nameless.send("hello").await.unwrap();
        let message = take(&mut server).await;
        assert_eq!((message.peer.len(), message.peer[0]), (5, 0));
        numbers.push(u32::from_be_bytes(message.peer[1..].try_into().unwrap()));
        server.send(message.reply("back")).await.unwrap();
        assert_eq!(within("reply", nameless.recv()).await.unwrap(), "back");
    }
    assert_eq!(numbers[1], numbers[0].wrapping_add(1));
}

#[tokio::test]
async fn libzmq_peers_are_routed_alike() {
    // R-ROUTER-1, R-ROUTER-2, R-ROUTER-10
    let (mut server, endpoint) = router().await;
    let endpoint = endpoint.to_string();
    for name in [&b"client"[..], b"\0with zeros\0", b""] {
        let client = Libzmq::new(zmq::DEALER);
        let to = endpoint.clone();
        client
            .run(move |socket| {
                if !name.is_empty() {
                    socket.set_identity(name).expect("identity");
                }
                socket.connect(&to).expect("connect");
                socket.send_multipart(["hello", ""], 0).expect("send");
            })
            .await;
        let message = take(&mut server).await;
        assert_eq!(message.message, Message::from(["hello", ""]));
        match name {
            b"" => assert_eq!((message.peer.len(), message.peer[0]), (5, 0)),
            _ => assert_eq!(message.peer, name),
        }
        server.send(message.reply(["good", "day"])).await.unwrap();
        let reply = client.run(|socket| socket.recv_multipart(0).unwrap()).await;
        assert_eq!(reply, [b"good".to_vec(), b"day".to_vec()]);
    }
    let mut req = Libzmq::open("REQ").await;
    req.connect(&endpoint).await;
    req.run(|socket| socket.send("question", 0).unwrap()).await;
    let request = take(&mut server).await;
    assert_eq!(request.message, Message::from(["", "question"]));
    server.send(request.reply(["", "answer"])).await.unwrap();
    let reply = req.run(|socket| socket.recv_bytes(0).unwrap()).await;
    assert_eq!(reply, b"answer");
}

#[tokio::test]
async fn our_dealer_and_router_talk_to_a_libzmq_router() {
    // R-ROUTER-11, R-DEALER-1
    let server = Libzmq::new(zmq::ROUTER);
    let endpoint = server
        .run(|socket| {
            socket.set_identity(b"server").unwrap();
            socket.bind(ANY_PORT).unwrap();
            socket.get_last_endpoint().unwrap().unwrap()
        })
        .await;
    let mut client = DealerSocket::builder().routing_id("d").build().unwrap();
    client.connect(endpoint.as_str()).unwrap();
    client.send("from dealer").await.unwrap();
    let echo = |socket: &zmq::Socket| {
        let frames = socket.recv_multipart(0).unwrap();
        socket.send_multipart(&frames, 0).unwrap();
        frames
    };
    assert_eq!(
        server.run(echo).await,
        [b"d".to_vec(), b"from dealer".to_vec()]
    );
    assert_eq!(within("echo", client.recv()).await.unwrap(), "from dealer");

    let mut router = RouterSocket::builder().routing_id("r").build().unwrap();
    let mut events = router.monitor();
    router.connect(endpoint.as_str()).unwrap();
    connected(&mut events).await;
    router.send_to("server", "from router").await.unwrap();
    assert_eq!(
        server.run(echo).await,
        [b"r".to_vec(), b"from router".to_vec()]
    );
    assert_eq!(
        take(&mut router).await,
        Routed::from(("server", "from router"))
    );
}

#[tokio::test]
async fn a_second_peer_of_a_name_is_ignored_for_ever() {
    // R-ROUTER-3
    let mut server = RouterSocket::builder().mandatory(true).build().unwrap();
    let endpoint = server.bind(ANY_PORT).await.unwrap();
    let mut events = server.monitor();
    let mut first = dealer("same", &endpoint);
    connected(&mut events).await;
    let mut second = dealer("same", &endpoint);
    connected(&mut events).await;
    second.send("never read").await.unwrap();
    first.send("read").await.unwrap();
    assert_eq!(take(&mut server).await.message, "read");
    server.send_to("same", "to the first").await.unwrap();
    assert_eq!(within("first", first.recv()).await.unwrap(), "to the first");
    first.close().await;
    event(&mut events, "the end of the first", |kind| {
        matches!(kind, MonitorEventKind::Disconnected(_))
    })
    .await;
    let error = server.send_to("same", "to nobody").await.unwrap_err();
    assert!(matches!(error, SendError::Unroutable { .. }));
    assert!(server.try_recv().is_err() && second.try_recv().is_err());

    // The name is free, for who comes now.
    let mut third = dealer("same", &endpoint);
    third.send("here").await.unwrap();
    assert_eq!(take(&mut server).await.message, "here");
}

#[tokio::test]
async fn with_handover_the_newcomer_takes_the_name() {
    // R-ROUTER-4. We end the old connection; libzmq leaves it open.
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
    old.await_close().await;
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

#[tokio::test]
async fn inproc_peers_have_names_too() {
    // R-INP-6
    let context = Context::new();
    let mut early = DealerSocket::builder()
        .context(&context)
        .routing_id("early")
        .build()
        .unwrap();
    early.connect("inproc://server").unwrap();
    early.send("before the bind").await.unwrap();
    let mut server = RouterSocket::builder()
        .context(&context)
        .routing_id("server")
        .build()
        .unwrap();
    server.bind("inproc://server").await.unwrap();
    assert_eq!(
        take(&mut server).await,
        Routed::from(("early", "before the bind"))
    );
    let mut late = RouterSocket::builder().context(&context).build().unwrap();
    late.connect("inproc://server").unwrap();
    late.send_to("server", "hello").await.unwrap();
    let message = take(&mut server).await;
    assert_eq!((message.peer.len(), message.peer[0]), (5, 0));
    server.send(message.reply("you too")).await.unwrap();
    assert_eq!(take(&mut late).await, Routed::from(("server", "you too")));
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
                assert_eq!(*event.peer(), "same");
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
