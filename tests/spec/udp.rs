//! RADIO and DISH over UDP (`docs/rules.md`, R-RADIO-2, R-UDP). Broadcast and multicast are in `udp_groups.rs`.

use std::time::Duration;

use common::within;
use purezmq::{
    AnySocket, Context, DatagramError, DishSocket, Endpoint, Grouped, Message, RadioSocket,
    RecvError, SendError, SocketType,
};
use tokio::net::UdpSocket;

const ANY_PORT: &str = "udp://127.0.0.1:*";

pub(crate) fn dish(groups: &[&str]) -> DishSocket {
    let mut dish = DishSocket::new();
    for group in groups {
        dish.join(group).expect("join");
    }
    dish
}

pub(crate) async fn recv(dish: &mut DishSocket) -> Grouped {
    within("a message", dish.recv()).await.expect("recv")
}

/// A RADIO and a DISH that has joined these groups.
pub(crate) async fn linked(place: &str, groups: &[&str]) -> (RadioSocket, DishSocket, Endpoint) {
    let mut dish = dish(groups);
    let endpoint = dish.bind(place).await.expect("bind");
    let mut radio = RadioSocket::new();
    radio.connect(&endpoint).expect("connect");
    (radio, dish, endpoint)
}

/// A plain socket that sends to the endpoint.
async fn plain(endpoint: &Endpoint) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    let port = endpoint.port().expect("a port");
    socket.connect(("127.0.0.1", port)).await.expect("connect");
    socket
}

#[tokio::test]
async fn every_message_is_sent_and_the_dish_chooses() {
    // R-RADIO-2, R-DISH-2
    let longest = "g".repeat(255);
    for place in [ANY_PORT, "udp://[::1]:*", "udp://localhost:*"] {
        let (mut radio, mut dish, _) = linked(place, &["a", "", &longest]).await;
        for (group, body) in [
            ("b", "0"),
            ("a", "1"),
            ("ab", "0"),
            ("", "2"),
            (&longest, ""),
        ] {
            radio.send_to(group, body).await.expect("send");
        }
        for wanted in [("a", "1"), ("", "2"), (&longest[..], "")] {
            assert_eq!(recv(&mut dish).await, wanted, "{place}");
        }
        assert_eq!(dish.stats().dropped.discarded, 2);
        assert_eq!(dish.try_recv(), Err(RecvError::Empty));
        let sent = radio.stats();
        assert_eq!(
            (sent.sent.messages, sent.dropped.total()),
            (5, 0),
            "{place}"
        );
        // Nobody joins over UDP.
        assert_eq!(radio.subscriber_count(), 0);
        // What is joined and left counts for what is received from then on.
        dish.leave("a").expect("leave");
        dish.join("b").expect("join");
        for group in ["a", "b"] {
            radio.send_to(group, "later").await.expect("send");
        }
        assert_eq!(recv(&mut dish).await, ("b", "later"));
    }
}

#[tokio::test]
async fn a_datagram_is_a_length_a_group_and_a_body() {
    // R-RADIO-2
    let (mut radio, mut dish, endpoint) = linked(ANY_PORT, &["ug"]).await;
    let there = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    let port = there.local_addr().expect("an address").port();
    radio
        .connect(format!("udp://127.0.0.1:{port}"))
        .expect("connect");
    for body in ["ubody", "", &"b".repeat(60_000)] {
        radio.send_to("ug", body).await.expect("send");
        let mut buffer = vec![0; 65_535];
        let heard = within("a datagram", there.recv(&mut buffer)).await;
        let heard = &buffer[..heard.expect("recv")];
        assert_eq!(heard, [b"\x02ug", body.as_bytes()].concat());
        assert_eq!(recv(&mut dish).await, ("ug", body));
        plain(&endpoint).await.send(heard).await.expect("send");
        assert_eq!(recv(&mut dish).await, ("ug", body));
    }
}

#[tokio::test]
async fn hostile_datagrams_are_dropped_and_counted_and_nothing_else_is_disturbed() {
    // R-UDP-1
    let (mut radio, mut dish, endpoint) = linked(ANY_PORT, &["a"]).await;
    let hostile = plain(&endpoint).await;
    let long = [&[255][..], &[b'a'; 254]].concat();
    let all: [&[u8]; 9] = [
        b"",
        b"\x01",
        b"\x02a",
        b"\x80",
        b"\xff",
        b"\xffa",
        &long,
        b"\x01\0body",
        b"\x03a\0abody",
    ];
    for datagram in all {
        hostile.send(datagram).await.expect("send");
    }
    // A group of 255 bytes, which nobody has joined.
    let whole = [&long[..], b"aa"].concat();
    hostile.send(&whole).await.expect("send");
    radio.send_to("a", "fine").await.expect("send");
    assert_eq!(recv(&mut dish).await, ("a", "fine"));
    let dropped = dish.stats().dropped;
    assert_eq!(dropped.discarded, all.len() as u64 + 1, "{dropped:?}");
    assert_eq!(dish.stats().received.messages, 2);
}

#[tokio::test]
async fn what_is_too_large_for_a_datagram_is_an_error_of_the_sender() {
    // R-UDP-1
    let (mut radio, mut dish, _) = linked(ANY_PORT, &["group"]).await;
    let most = 65_507 - 1 - "group".len();
    let largest = "x".repeat(most);
    radio
        .send_to("group", largest.as_str())
        .await
        .expect("it fits");
    assert_eq!(recv(&mut dish).await, ("group", largest));
    for more in [1, 2, 1_000_000] {
        let body = "x".repeat(most + more);
        let refused = radio.send_to("group", body.as_str()).await;
        let Err(SendError::Datagram { message, error }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(message, body.as_str());
        let (size, limit) = (65_507 + more, 65_507);
        assert_eq!(error, DatagramError::TooLarge { size, limit });
    }
    // Whoever is connected by a stream gets it, once nothing goes by UDP.
    let endpoint = radio.last_endpoint().expect("there is one").clone();
    radio.disconnect(&endpoint).expect("disconnect");
    let large = "x".repeat(100_000);
    radio.send_to("group", large.as_str()).await.expect("send");
}

#[tokio::test]
async fn a_dish_takes_no_more_than_its_limit() {
    let mut dish = DishSocket::builder().max_message_size(10).build().unwrap();
    dish.join("a").expect("join");
    let endpoint = dish.bind(ANY_PORT).await.expect("bind");
    let mut radio = RadioSocket::new();
    radio.connect(&endpoint).expect("connect");
    radio.send_to("a", "123456789").await.expect("send");
    radio.send_to("a", "12345678").await.expect("send");
    assert_eq!(recv(&mut dish).await, ("a", "12345678"));
    assert_eq!(dish.stats().dropped.discarded, 1);
}

#[tokio::test]
async fn udp_is_for_sockets_of_datagrams_and_in_their_direction() {
    let context = Context::new();
    for (socket_type, binds, connects) in [
        (SocketType::Radio, false, true),
        (SocketType::Dish, true, false),
        (SocketType::Dgram, true, false),
        (SocketType::Pub, false, false),
        (SocketType::Stream, false, false),
        (SocketType::Dealer, false, false),
        (SocketType::Peer, false, false),
    ] {
        let mut socket = AnySocket::new(socket_type, &context).expect("it is built");
        let bound = socket.bind(ANY_PORT).await;
        assert_eq!(bound.is_ok(), binds, "{socket_type} {bound:?}");
        let connected = socket.connect("udp://127.0.0.1:5555");
        assert_eq!(connected.is_ok(), connects, "{socket_type} {connected:?}");
        for text in [
            bound.err().map(|error| error.to_string()),
            connected.err().map(|error| error.to_string()),
        ]
        .into_iter()
        .flatten()
        {
            assert!(text.contains("\"udp\""), "{text}");
            assert!(text.contains(socket_type.name()), "{text}");
        }
    }
    // It goes on by streams.
    let mut dish = dish(&["a"]);
    dish.connect("udp://127.0.0.1:1").unwrap_err();
    let endpoint = dish.bind("tcp://127.0.0.1:*").await.expect("bind");
    let mut radio = RadioSocket::new();
    radio.bind(ANY_PORT).await.unwrap_err();
    radio.connect(&endpoint).expect("connect");
    within("it", radio.wait_for_subscribers(1)).await;
    radio.send_to("a", "by a stream").await.expect("send");
    assert_eq!(recv(&mut dish).await, ("a", "by a stream"));
}

#[tokio::test]
async fn streams_and_datagrams_go_side_by_side() {
    let mut dish = dish(&["a"]);
    let by_udp = dish.bind(ANY_PORT).await.expect("bind");
    let mut other = self::dish(&["b"]);
    let by_tcp = other.bind("tcp://127.0.0.1:*").await.expect("bind");
    let mut radio = RadioSocket::new();
    radio.connect(&by_udp).expect("connect");
    radio.connect(&by_tcp).expect("connect");
    within("it", radio.wait_for_subscribers(1)).await;
    radio.send_to("a", "1").await.expect("send");
    radio.send_to("b", "2").await.expect("send");
    assert_eq!(recv(&mut dish).await, ("a", "1"));
    assert_eq!(recv(&mut other).await, ("b", "2"));
    // By UDP goes everything.
    assert_eq!(radio.stats().sent.messages, 3);
    radio.disconnect(&by_udp).expect("disconnect");
    radio.send_to("a", "nobody").await.expect("send");
    radio.send_to("b", "3").await.expect("send");
    assert_eq!(recv(&mut other).await, ("b", "3"));
}

#[tokio::test]
async fn nobody_at_the_port_ends_nothing() {
    // R-RADIO-2
    let (mut radio, mut dish, endpoint) = linked(ANY_PORT, &["a"]).await;
    radio.send_to("a", "1").await.expect("send");
    assert_eq!(recv(&mut dish).await, ("a", "1"));
    dish.unbind(&endpoint).await.expect("unbind");
    for _ in 0..50 {
        radio.send_to("a", "nobody").await.expect("send");
        tokio::task::yield_now().await;
    }
    dish.bind(&endpoint).await.expect("the address is free");
    radio.send_to("a", "2").await.expect("send");
    assert_eq!(recv(&mut dish).await, ("a", "2"));
    let stats = radio.stats();
    assert_eq!((stats.sent.messages, stats.dropped.total()), (52, 0));
}

#[tokio::test]
async fn an_address_is_free_when_the_socket_has_let_go_of_it() {
    let mut dish = DishSocket::new();
    let endpoint = dish.bind(ANY_PORT).await.expect("bind");
    for _ in 0..20 {
        let taken = DishSocket::new().bind(&endpoint).await;
        assert!(
            matches!(taken, Err(purezmq::BindError::AddressInUse { .. })),
            "{taken:?}"
        );
        drop(dish);
        dish = DishSocket::new();
        dish.bind(&endpoint).await.expect("bind");
        dish.unbind(&endpoint).await.expect("unbind");
        dish.bind(&endpoint).await.expect("bind");
    }
}

#[tokio::test]
async fn what_a_full_dish_has_no_room_for_is_lost_and_counted() {
    let mut dish = DishSocket::builder()
        .recv_hwm(10)
        .recv_buffer(4096)
        .build()
        .expect("build");
    dish.join("a").expect("join");
    let endpoint = dish.bind(ANY_PORT).await.expect("bind");
    let mut radio = RadioSocket::new();
    radio.connect(&endpoint).expect("connect");
    let count = 2_000_u32;
    for number in 0..count {
        let body = format!("{number:>100}");
        radio.send_to("a", body.as_str()).await.expect("send");
        // Nothing is dropped on this side.
        tokio::task::yield_now().await;
    }
    within("all of it", async {
        while radio.stats().sent.messages < count.into() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut heard = Vec::new();
    while let Ok(message) = tokio::time::timeout(Duration::from_millis(300), dish.recv()).await {
        let message = message.expect("recv");
        let text = std::str::from_utf8(message.body()).expect("text").trim();
        heard.push(text.parse::<u32>().expect("a number"));
    }
    assert!(heard.is_sorted());
    assert_eq!(
        heard[..10],
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        "the oldest stay"
    );
    assert!(heard.len() < count as usize, "so much fits nowhere");
    let dropped = dish.stats().dropped;
    assert_eq!(radio.stats().dropped.total(), 0);
    if cfg!(target_os = "linux") {
        assert_eq!(
            heard.len() as u64 + dropped.overflowed,
            u64::from(count),
            "{dropped:?}"
        );
    }
    // And stay counted.
    dish.unbind(&endpoint).await.expect("unbind");
    assert_eq!(dish.stats().dropped, dropped);
}

#[tokio::test]
async fn a_radio_that_outruns_its_pipe_misses_and_counts() {
    // R-RADIO-1
    let mut radio = RadioSocket::builder().send_hwm(5).build().expect("build");
    radio.connect("udp://127.0.0.1:9").expect("connect");
    // Nothing of the runtime has run.
    for _ in 0..20 {
        radio.try_send(("a", "b")).expect("send");
    }
    assert_eq!(radio.stats().dropped.full, 15);
    assert_eq!(radio.dropped(), 15);
}

/// There is nobody to be disconnected: what is queued is dropped and counted, and it goes on.
#[tokio::test]
async fn an_address_that_is_too_slow_stays() {
    use purezmq::options::SlowSubscriber;
    for slow in [
        SlowSubscriber::DropOldest,
        SlowSubscriber::DropNewest,
        SlowSubscriber::Disconnect,
    ] {
        let mut dish = dish(&["a"]);
        let endpoint = dish.bind(ANY_PORT).await.expect("bind");
        let mut radio = RadioSocket::builder()
            .send_hwm(5)
            .slow_subscriber(slow)
            .build()
            .expect("build");
        radio.connect(&endpoint).expect("connect");
        for _ in 0..3 {
            for _ in 0..20 {
                radio.try_send(("a", "one of many")).expect("send");
            }
            tokio::task::yield_now().await;
        }
        within("all of it", async {
            while radio.stats().queued_to_send > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        radio.send_to("a", "last").await.expect("send");
        while recv(&mut dish).await != ("a", "last") {}
        let stats = radio.stats();
        let counted = stats.sent.messages + stats.dropped.total();
        assert_eq!(counted, 61, "{slow:?}: {stats:?}");
    }
}

#[tokio::test]
async fn what_was_sent_leaves_when_the_socket_closes() {
    let mut dish = dish(&["a"]);
    let endpoint = dish.bind(ANY_PORT).await.expect("bind");
    let mut radio = RadioSocket::new();
    radio.connect(&endpoint).expect("connect");
    for number in 0..100_u32 {
        radio.try_send(("a", number.to_string())).expect("send");
    }
    let report = within("close", radio.close()).await;
    assert_eq!(report.unsent, 0);
    for number in 0..100_u32 {
        assert_eq!(recv(&mut dish).await, ("a", number.to_string()));
    }
}

#[tokio::test]
async fn a_name_without_an_address_is_looked_up_again() {
    use purezmq::MonitorEventKind as Kind;
    let mut radio = RadioSocket::builder()
        .reconnect_interval(Duration::from_millis(1))
        .build()
        .expect("build");
    let mut monitor = radio.monitor();
    radio
        .connect("udp://no-such-host.invalid:5555")
        .expect("connect");
    let mut failures = 0;
    while failures < 3 {
        let event = within("an event", monitor.recv()).await.expect("open");
        failures += usize::from(matches!(event.kind, Kind::ConnectFailed(_)));
    }
    assert!(radio.stats().endpoints[0].failed_attempts >= 3);
    drop(radio);
}

#[tokio::test]
async fn who_has_to_know_its_peers_has_none_over_udp() {
    use purezmq::security::Security;
    for security in [true, false] {
        let builder = DishSocket::builder();
        let builder = match security {
            true => builder.security(Security::plain_client("joe", "secret").expect("short")),
            false => builder.zap_domain("here"),
        };
        let mut dish = builder.build().expect("build");
        let refused = dish.bind(ANY_PORT).await.unwrap_err().to_string();
        assert!(refused.contains("nobody proves anything"), "{refused}");
    }
    let mut dish = DishSocket::builder()
        .require_authentication(true)
        .build()
        .expect("build");
    let refused = dish.bind("udp://*:*").await;
    assert!(matches!(
        refused,
        Err(purezmq::BindError::Unauthenticated { .. })
    ));
    dish.bind(ANY_PORT).await.expect("from here alone");
}

#[tokio::test]
async fn a_message_in_libzmqs_form_has_the_group_in_front() {
    let mut dish = AnySocket::new(SocketType::Dish, &Context::new()).expect("it is built");
    dish.join("a").expect("join");
    let endpoint = dish.bind(ANY_PORT).await.expect("bind");
    let mut radio = AnySocket::new(SocketType::Radio, &Context::new()).expect("it is built");
    radio.connect(&endpoint).expect("connect");
    radio.send(["a", "b"]).await.expect("send");
    let heard = within("a message", dish.recv()).await.expect("recv");
    assert_eq!(heard, Message::from(["a", "b"]));
    // With a name that means nothing to a RADIO.
    let mut radio = AnySocket::new(SocketType::Radio, &Context::new()).expect("it is built");
    radio.connect_as(&endpoint, "name").expect("connect");
    radio.send(["a", "c"]).await.expect("send");
    let heard = within("a message", dish.recv()).await.expect("recv");
    assert_eq!(heard, Message::from(["a", "c"]));
}
