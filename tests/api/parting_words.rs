//! Options `hello_message`, `disconnect_message` and `hiccup_message`: what a connection begins with, and what the
//! application reads when it has ended (R-CONN-22).

use common::events::{connected, ended};
use common::raw::RawPeer;
use common::within;
use purezmq::options::{OptionId, Options, Value};
use purezmq::{AnySocket, Context, DealerSocket, Message, RouterSocket, ServerSocket, SocketType};

const ANY_PORT: &str = "tcp://127.0.0.1:*";
const PLACES: [&str; 3] = [ANY_PORT, "ipc://*", "inproc://place"];

/// A socket of a type, in a context, with options that are bytes.
fn open(socket_type: SocketType, context: &Context, set: &[(&str, &'static [u8])]) -> AnySocket {
    let mut options = Options::of(socket_type);
    for (name, value) in set {
        let id = OptionId::by_name(name).expect("an option");
        options.set(id, Value::from(*value)).expect("its value");
    }
    AnySocket::with_options(socket_type, context, options).expect("a socket")
}

/// Receives a message, and returns its last frame.
async fn last(socket: &mut AnySocket) -> String {
    let message = within("a message", socket.recv()).await.expect("recv");
    let frame = message.last().expect("a frame");
    String::from_utf8(frame.to_vec()).expect("text")
}

/// Joins two sockets, whoever binds.
async fn link(one: &mut AnySocket, other: &mut AnySocket, place: &str) {
    let bound = within("bind", one.bind(place)).await.expect("bind");
    other.connect(&bound).expect("connect");
}

/// Pairs of types that can greet each other.
const GREETING: [(SocketType, SocketType); 6] = [
    (SocketType::Router, SocketType::Dealer),
    (SocketType::Dealer, SocketType::Router),
    (SocketType::Dealer, SocketType::Dealer),
    (SocketType::Server, SocketType::Client),
    (SocketType::Client, SocketType::Server),
    (SocketType::Peer, SocketType::Peer),
];

#[tokio::test]
async fn a_hello_is_what_each_peer_reads_first() {
    // R-CONN-22
    for (one, other) in GREETING {
        for place in PLACES {
            let context = Context::new();
            let hello: &[(&str, &'static [u8])] = &[("hello_message", b"hello")];
            let mut binder = open(one, &context, hello);
            let mut connector = open(other, &context, hello);
            link(&mut binder, &mut connector, place).await;
            assert_eq!(last(&mut binder).await, "hello", "{one} {other} {place}");
            assert_eq!(last(&mut connector).await, "hello", "{one} {other} {place}");
            assert_eq!(connector.stats().dropped, Default::default());
        }
    }
}

#[tokio::test]
async fn a_hello_comes_with_each_connection_and_before_what_waits() {
    // R-CONN-22
    let mut dealer = DealerSocket::builder()
        .hello_message("hello")
        .build()
        .unwrap();
    let mut first = RouterSocket::new();
    let bound = first.bind(ANY_PORT).await.expect("bind");
    dealer.connect(&bound).expect("connect");
    dealer.send("one").await.expect("send");
    for expected in ["hello", "one"] {
        let routed = within("a message", first.recv_message()).await.unwrap();
        assert_eq!(routed.message, expected);
    }
    first.close().await;
    let mut second = RouterSocket::new();
    second.bind(&bound).await.expect("bind");
    dealer.send("two").await.expect("send");
    for expected in ["hello", "two"] {
        let routed = within("a message", second.recv_message()).await.unwrap();
        assert_eq!(routed.message, expected);
    }
}

#[tokio::test]
async fn an_empty_hello_is_none_and_the_one_of_later_peers_can_be_changed() {
    let mut router = RouterSocket::builder().hello_message("").build().unwrap();
    let bound = router.bind(ANY_PORT).await.expect("bind");
    let mut silent = DealerSocket::new();
    silent.connect(&bound).expect("connect");
    silent.send("are you there").await.expect("send");
    let asked = within("a message", router.recv_message()).await.unwrap();
    router.send(asked.reply("yes")).await.expect("send");
    assert_eq!(within("an answer", silent.recv()).await.unwrap(), "yes");

    router
        .set_options(|options| options.hello_message("hello"))
        .unwrap();
    let mut later = DealerSocket::new();
    later.connect(&bound).expect("connect");
    assert_eq!(within("a hello", later.recv()).await.unwrap(), "hello");
}

/// Types that note departures, and who talks to them.
const NOTING: [(SocketType, SocketType); 3] = [
    (SocketType::Router, SocketType::Dealer),
    (SocketType::Server, SocketType::Client),
    (SocketType::Peer, SocketType::Peer),
];

#[tokio::test]
async fn a_peer_that_goes_has_said_so_last_of_all() {
    // R-CONN-22
    for (one, other) in NOTING {
        for place in PLACES {
            let context = Context::new();
            let mut binder = open(one, &context, &[("disconnect_message", b"gone")]);
            let mut connector = open(other, &context, &[("hello_message", b"hello")]);
            link(&mut binder, &mut connector, place).await;
            let hello = within("a hello", binder.recv()).await.expect("recv");
            let sender = binder.last_peer().expect("a peer");
            connector.close().await;
            let gone = within("a last word", binder.recv()).await.expect("recv");
            assert_eq!(gone.last(), Some(&b"gone"[..]), "{one} {place}");
            // It comes from the peer, as far as that is told.
            assert_eq!(gone.len(), hello.len());
            if one == SocketType::Router {
                assert_eq!(gone.get(0), hello.get(0));
            }
            assert_eq!(binder.last_peer(), Some(sender), "{one} {place}");
            assert_eq!(binder.stats().received.messages, 1, "{one} {place}");
            assert_eq!(binder.stats().queued_to_receive, 0, "{one} {place}");
        }
    }
}

#[tokio::test]
async fn who_has_connected_by_inproc_hears_of_the_binders_end() {
    // R-CONN-22
    let context = Context::new();
    let mut binder = open(SocketType::Dealer, &context, &[]);
    let mut connector = open(
        SocketType::Router,
        &context,
        &[("disconnect_message", b"gone")],
    );
    link(&mut binder, &mut connector, "inproc://place").await;
    binder.send("one").await.expect("send");
    drop(binder);
    assert_eq!(last(&mut connector).await, "one");
    assert_eq!(last(&mut connector).await, "gone");
    assert!(connector.try_recv().is_err());
}

#[tokio::test]
async fn a_router_that_notes_and_notifies_hears_the_message_first() {
    let mut router = RouterSocket::builder()
        .disconnect_message("gone")
        .notify(true)
        .build()
        .unwrap();
    let bound = router.bind(ANY_PORT).await.expect("bind");
    let mut dealer = DealerSocket::builder().routing_id("d").build().unwrap();
    dealer.connect(&bound).expect("connect");
    dealer.send("one").await.expect("send");
    dealer.close().await;
    let mut heard = Vec::new();
    for _ in 0..4 {
        let event = within("an event", router.recv()).await.expect("recv");
        heard.push(Message::from(event).last().unwrap().to_vec());
    }
    assert_eq!(heard, [&b""[..], b"one", b"gone", b""]);
}

#[tokio::test]
async fn nothing_is_said_of_who_has_not_shaken_hands_nor_of_an_end_that_was_asked_for() {
    let context = Context::new();
    let mut server = ServerSocket::builder()
        .context(&context)
        .disconnect_message("gone")
        .build()
        .unwrap();
    let mut monitor = server.monitor();
    let bound = server.bind(ANY_PORT).await.expect("bind");
    drop(RawPeer::connect(&bound).await);
    ended(&mut monitor).await;
    let mut unwanted = open(SocketType::Client, &context, &[]);
    let mut unwanted_monitor = unwanted.monitor();
    unwanted.connect(&bound).expect("connect");
    unwanted.send("one").await.expect("send");
    let one = within("a message", server.recv()).await.expect("recv");
    assert_eq!(one.message, "one");
    assert_eq!(server.disconnect_peer(one.peer), 1);
    ended(&mut monitor).await;
    // It comes back, and what is read next is what it says then.
    ended(&mut unwanted_monitor).await;
    connected(&mut unwanted_monitor).await;
    unwanted.send("two").await.expect("send");
    let two = within("a message", server.recv()).await.expect("recv");
    assert_eq!(two.message, "two");
}

#[tokio::test]
async fn a_lost_connection_is_a_hiccup_each_time() {
    // R-CONN-22
    for (one, other) in [
        (SocketType::Dealer, SocketType::Router),
        (SocketType::Client, SocketType::Server),
        (SocketType::Peer, SocketType::Peer),
    ] {
        let context = Context::new();
        let mut connector = open(one, &context, &[("hiccup_message", b"hiccup")]);
        let mut monitor = connector.monitor();
        let mut bound = None;
        for _ in 0..2 {
            let mut binder = open(other, &context, &[]);
            let place = bound
                .as_ref()
                .map_or(ANY_PORT.to_owned(), ToString::to_string);
            let at = within("bind", binder.bind(place.as_str()))
                .await
                .expect("bind");
            if bound.is_none() {
                connector.connect(&at).expect("connect");
                bound = Some(at);
            }
            connected(&mut monitor).await;
            binder.close().await;
            assert_eq!(last(&mut connector).await, "hiccup", "{one}");
            assert_eq!(connector.stats().received.messages, 0);
        }
        // What is disconnected here does not hiccup.
        let mut binder = open(other, &context, &[]);
        let bound = bound.expect("an endpoint");
        within("bind", binder.bind(&bound)).await.expect("bind");
        connected(&mut monitor).await;
        connector.disconnect(&bound).expect("disconnect");
        ended(&mut monitor).await;
        assert!(connector.try_recv().is_err(), "{one}");
    }
}
