//! RADIO and DISH (`docs/rules.md`, R-RADIO, R-DISH, and of R-TS what is theirs).

use std::time::Duration;

use common::raw::{RawPeer, short_frame};
use common::{until, within};
use purezmq::blocking;
use purezmq::error::GroupError;
use purezmq::{
    AnySocket, Context, DishSocket, Grouped, Message, RadioSocket, RecvError, SendError, SocketType,
};

const ANY_PORT: &str = "tcp://127.0.0.1:*";
const ALL: [&str; 3] = [ANY_PORT, "ipc://*", "inproc://radio"];

fn radio(context: &Context) -> RadioSocket {
    RadioSocket::builder().context(context).build().unwrap()
}

fn dish(context: &Context, groups: &[&str]) -> DishSocket {
    let mut dish = DishSocket::builder().context(context).build().unwrap();
    for group in groups {
        dish.join(group).expect("join");
    }
    dish
}

async fn recv(dish: &mut DishSocket) -> Grouped {
    within("a message", dish.recv()).await.expect("recv")
}

/// A RADIO and a raw DISH.
async fn raw_dish(radio: &mut RadioSocket) -> RawPeer {
    let endpoint = radio.bind(ANY_PORT).await.expect("bind");
    let mut peer = RawPeer::connect(&endpoint).await;
    peer.shake_hands("DISH").await;
    peer
}

/// A command frame.
fn command(name: &str, data: &[u8]) -> Vec<u8> {
    let length = 1 + name.len() + data.len();
    let mut frame = match u8::try_from(length) {
        Ok(short) => vec![0x04, short],
        Err(_) => [&[0x06][..], &(length as u64).to_be_bytes()].concat(),
    };
    frame.push(name.len() as u8);
    frame.extend(name.as_bytes());
    frame.extend(data);
    frame
}

#[tokio::test]
async fn a_message_goes_to_all_who_have_joined_exactly_its_group() {
    // R-RADIO-1, R-DISH-2
    let longest = "g".repeat(255);
    for place in ALL {
        for radio_binds in [true, false] {
            let context = Context::new();
            let mut radio = radio(&context);
            let mut dishes = [
                dish(&context, &["a", "ab"]),
                dish(&context, &["ab", &longest]),
                dish(&context, &["", "\u{1f4e1}"]),
            ];
            for (number, dish) in dishes.iter_mut().enumerate() {
                let place = match place {
                    "inproc://radio" => format!("{place} {number}"),
                    place => place.to_owned(),
                };
                if radio_binds {
                    let endpoint = radio.bind(place.as_str()).await.expect("bind");
                    dish.connect(&endpoint).expect("connect");
                } else {
                    let endpoint = dish.bind(place.as_str()).await.expect("bind");
                    radio.connect(&endpoint).expect("connect");
                }
            }
            within("all", radio.wait_for_subscribers(3)).await;
            let wanted: [&[(&str, &str)]; 3] = [
                &[("a", "1"), ("ab", "2")],
                &[("ab", "2"), (&longest, "3")],
                &[("", "4"), ("\u{1f4e1}", "5")],
            ];
            for (group, body) in [
                ("abc", "0"),
                ("a", "1"),
                ("ab", "2"),
                ("b", "0"),
                (&longest, "3"),
                ("", "4"),
                ("\u{1f4e1}", "5"),
            ] {
                radio.send_to(group, body).await.expect("send");
            }
            for (dish, wanted) in dishes.iter_mut().zip(wanted) {
                for one in wanted {
                    let message = recv(dish).await;
                    assert_eq!(message, *one, "{place}");
                    let (group, body) = message.into_frames();
                    assert_eq!((group, body), (one.0.into(), one.1.into()));
                }
                assert_eq!(dish.try_recv(), Err(RecvError::Empty));
                assert_eq!(dish.stats().dropped.discarded, 0, "the RADIO filters");
            }
        }
    }
}

#[tokio::test]
async fn a_group_is_joined_once_and_left_once() {
    // R-DISH-1
    let mut dish = DishSocket::new();
    assert_eq!(dish.join("a"), Ok(()));
    assert_eq!(dish.join("a"), Err(GroupError::Joined));
    assert_eq!(dish.leave("b"), Err(GroupError::NotJoined));
    assert_eq!(dish.leave("a"), Ok(()));
    assert_eq!(dish.leave("a"), Err(GroupError::NotJoined));
    assert_eq!(dish.join("a"), Ok(()));
    assert_eq!(dish.join("g".repeat(255)), Ok(()));
    assert_eq!(
        dish.join("g".repeat(256)),
        Err(GroupError::TooLong { length: 256 })
    );
    assert_eq!(dish.join("a\0b"), Err(GroupError::Zero));
    assert_eq!(dish.join(""), Ok(()));
}

#[tokio::test]
async fn a_name_that_no_group_can_have_is_an_error_of_send() {
    // R-RADIO-1
    let mut radio = RadioSocket::new();
    for (group, wanted) in [
        ("g".repeat(256), GroupError::TooLong { length: 256 }),
        ("a\0b".to_owned(), GroupError::Zero),
        ("\0".to_owned(), GroupError::Zero),
    ] {
        for refused in [
            radio.send_to(group.as_str(), "body").await,
            radio.try_send((group.as_str(), "body")),
        ] {
            let Err(SendError::Group { message, error }) = refused else {
                panic!("{refused:?}");
            };
            assert_eq!((error, message), (wanted, "body".into()), "it comes back");
        }
    }
}

#[tokio::test]
async fn a_message_is_one_frame_to_a_group() {
    // R-TS-2
    let mut radio = RadioSocket::new();
    let Err(SendError::Multipart(message)) = radio.send_to("group", ["two", "frames"]).await else {
        panic!("it has two frames");
    };
    assert_eq!(message, Message::from(["two", "frames"]));
    let refused = radio.send_to("group", Message::new()).await;
    assert!(matches!(refused, Err(SendError::NoFrames(_))));
    radio.send_to("group", "").await.expect("nobody is there");
}

#[tokio::test]
async fn what_is_left_does_not_come_any_more() {
    // R-DISH-1, R-DISH-2
    for place in ALL {
        let context = Context::new();
        let mut radio = radio(&context);
        let endpoint = radio.bind(place).await.expect("bind");
        let mut dish = dish(&context, &["a", "b"]);
        dish.connect(&endpoint).expect("connect");
        within("it", radio.wait_for_subscribers(1)).await;
        for number in 0..10 {
            radio.send_to("a", number.to_string()).await.expect("send");
        }
        dish.leave("a").expect("leave");
        // What was sent before is not received either.
        radio.send_to("b", "next").await.expect("send");
        assert_eq!(recv(&mut dish).await, ("b", "next"));
        assert_eq!(dish.stats().dropped.discarded, 10);
        dish.leave("b").expect("leave");
        until("nobody", || radio.subscriber_count() == 0).await;
        // And it is not even sent.
        radio.send_to("b", "never").await.expect("send");
        assert_eq!(dish.try_recv(), Err(RecvError::Empty));
    }
}

#[tokio::test]
async fn what_was_joined_holds_for_connections_to_come_each_group_once() {
    // R-CONN-21, R-DISH-1
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let mut dish = DishSocket::builder()
        .reconnect_interval(Duration::from_millis(1))
        .build()
        .unwrap();
    for group in ["a", "b", "c"] {
        dish.join(group).expect("join");
    }
    dish.leave("b").expect("leave");
    dish.connect(endpoint.as_str()).expect("connect");
    for _ in 0..2 {
        let (stream, _) = within("a connection", listener.accept()).await.unwrap();
        let mut peer = RawPeer { stream };
        peer.shake_hands("RADIO").await;
        // R-RADIO-3: they are commands on the wire, as libzmq's.
        let joins = [command("JOIN", b"a"), command("JOIN", b"c")].concat();
        assert_eq!(peer.receive(joins.len()).await, joins);
        peer.send(b"\x01\x01c\x00\x02it").await;
        assert_eq!(recv(&mut dish).await, ("c", "it"));
    }
}

#[tokio::test]
async fn joining_and_leaving_are_commands_on_the_wire() {
    // R-RADIO-3
    let mut radio = RadioSocket::new();
    let mut peer = raw_dish(&mut radio).await;
    peer.send(&command("JOIN", b"one")).await;
    peer.send(&command("JOIN", b"two")).await;
    peer.send(&command("LEAVE", b"one")).await;
    // Unknown commands, messages, and what is of another type's say nothing.
    peer.send(&command("SUBSCRIBE", b"one")).await;
    peer.send(&short_frame(b"a message")).await;
    peer.send(b"\x01\x03two\x00\x06frames").await;
    peer.send(&command("JOIN", b"three")).await;
    within("all is heard", async {
        // One of the two that are left came last.
        while radio.try_send(("three", "?")).is_ok() && radio.stats().sent.messages == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let mut heard = peer.receive(10).await;
    assert_eq!(heard, b"\x01\x05three\x00\x01?");
    radio.send_to("one", "left").await.expect("send");
    radio.send_to("two", "joined").await.expect("send");
    radio.send_to("three", "end").await.expect("send");
    while heard.len() < 10 || !heard.ends_with(b"\x01\x05three\x00\x03end") {
        heard.extend(peer.receive(1).await);
    }
    let is_in = |what: &[u8]| heard.windows(what.len()).any(|part| part == what);
    assert!(is_in(b"\x01\x03two\x00\x06joined"));
    assert!(!is_in(b"left"));
    // The first frames of the two messages.
    assert_eq!(radio.stats().dropped.discarded, 2);
}

#[tokio::test]
async fn a_group_with_too_long_a_name_ends_its_connection_alone() {
    // R-RADIO-3
    let mut radio = RadioSocket::new();
    let endpoint = radio.bind(ANY_PORT).await.expect("bind");
    let mut bad = RawPeer::connect(&endpoint).await;
    bad.shake_hands("DISH").await;
    let mut good = DishSocket::new();
    good.join("g".repeat(255)).expect("join");
    good.connect(&endpoint).expect("connect");
    bad.send(&command("JOIN", &[b'g'; 256])).await;
    bad.await_close().await;
    within("the good one", radio.wait_for_subscribers(1)).await;
    radio.send_to("g".repeat(255), "it").await.expect("send");
    assert_eq!(recv(&mut good).await.body(), b"it");
}

#[tokio::test]
async fn a_group_with_a_zero_is_joined_by_nobody() {
    // R-RADIO-1, R-RADIO-3
    let mut radio = RadioSocket::new();
    let mut peer = raw_dish(&mut radio).await;
    peer.send(&command("JOIN", b"a\0b")).await;
    peer.send(&command("JOIN", b"a")).await;
    within("the other", radio.wait_for_subscribers(1)).await;
    radio.send_to("a", "it").await.expect("send");
    assert_eq!(peer.receive(7).await, b"\x01\x01a\x00\x02it");
    assert_eq!(radio.stats().dropped.discarded, 1);
}

#[tokio::test]
async fn what_is_no_group_and_a_frame_is_dropped_whole() {
    // R-DISH-3, R-TS-3
    let mut dish = DishSocket::new();
    dish.join("a").expect("join");
    let endpoint = dish.bind(ANY_PORT).await.expect("bind");
    let mut peer = RawPeer::connect(&endpoint).await;
    peer.shake_hands("RADIO").await;
    peer.send(&short_frame(b"a")).await;
    peer.send(b"\x01\x01a\x01\x03two\x00\x06frames").await;
    peer.send(b"\x01\x01b\x00\x07no such").await;
    peer.send(b"\x01\x01a\x00\x02it").await;
    assert_eq!(recv(&mut dish).await, ("a", "it"));
    assert_eq!(dish.stats().dropped.discarded, 3);
}

#[tokio::test]
async fn a_peer_that_is_full_misses_messages_which_are_counted() {
    // R-RADIO-1
    let context = Context::new();
    let mut radio = RadioSocket::builder()
        .context(&context)
        .send_hwm(2)
        .build()
        .unwrap();
    radio.bind("inproc://full").await.expect("bind");
    let [mut slow, mut quick] = [3, 1000].map(|hwm| {
        let mut dish = DishSocket::builder()
            .context(&context)
            .recv_hwm(hwm)
            .build()
            .unwrap();
        dish.join("a").expect("join");
        dish.connect("inproc://full").expect("connect");
        dish
    });
    within("both", radio.wait_for_subscribers(2)).await;
    for number in 0..10 {
        radio.try_send(("a", number.to_string())).expect("send");
    }
    assert_eq!(radio.dropped(), 5);
    assert_eq!(radio.stats().dropped.full, 5);
    for number in 0..10 {
        assert_eq!(recv(&mut quick).await, ("a", number.to_string()));
    }
    for number in 0..5 {
        assert_eq!(recv(&mut slow).await, ("a", number.to_string()));
    }
    // With `no_drop`, all wait for the slowest.
    radio
        .set_options(|options| options.no_drop(true))
        .expect("options");
    let taken = (0..)
        .take_while(|number: &u32| radio.try_send(("a", number.to_string())).is_ok())
        .count();
    assert!((1..=5).contains(&taken), "{taken}");
    let refused = radio.try_send(("a", "one more"));
    let Err(SendError::Full(message)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(message, "one more");
    assert_eq!(radio.dropped(), 5);
    for number in 0..taken {
        assert_eq!(recv(&mut slow).await, ("a", number.to_string()));
        assert_eq!(recv(&mut quick).await, ("a", number.to_string()));
    }
}

#[tokio::test]
async fn what_peers_join_is_bounded_as_subscriptions_are() {
    // R-RADIO-3
    let mut radio = RadioSocket::builder()
        .max_subscriptions(10)
        .build()
        .unwrap();
    let endpoint = radio.bind(ANY_PORT).await.expect("bind");
    let mut greedy = RawPeer::connect(&endpoint).await;
    greedy.shake_hands("DISH").await;
    for number in 0..11 {
        let join = command("JOIN", format!("{number}").as_bytes());
        greedy.send(&join).await;
    }
    tokio::select! {
        never = async {
            loop {
                radio.wait_for_subscribers(1).await;
                // It hears what they say when it sends, so it sends, at a pace that leaves room for others.
                tokio::time::sleep(Duration::from_millis(1)).await;
                radio.send_to("nobody", "").await.expect("send");
            }
        } => never,
        () = greedy.await_close() => {}
    }
}

#[tokio::test]
async fn as_values_they_bear_the_group_in_front() {
    // R-DISH-1, R-DISH-2
    let context = Context::new();
    let mut radio = AnySocket::new(SocketType::Radio, &context).unwrap();
    let mut dish = AnySocket::new(SocketType::Dish, &context).unwrap();
    assert_eq!(dish.join("a"), Ok(()));
    assert_eq!(dish.join("a"), Err(GroupError::Joined));
    assert!(!dish.subscribe("b"), "a DISH has no topics");
    assert_eq!(
        radio.join("a"),
        Err(GroupError::Unsupported {
            socket_type: SocketType::Radio
        })
    );
    let endpoint = radio.bind(ANY_PORT).await.expect("bind");
    dish.connect(&endpoint).expect("connect");
    until("it", || radio.subscriber_count() > 0).await;
    radio.send(["a", "it"]).await.expect("send");
    let message = within("it", dish.recv()).await.expect("recv");
    assert_eq!(message, Message::from(["a", "it"]));
    let refused = radio.send("a").await;
    assert!(
        matches!(refused, Err(SendError::NoFrames(_))),
        "a group alone is no message: {refused:?}"
    );
    let refused = dish.send(["a", "it"]).await;
    assert!(matches!(refused, Err(SendError::Unsupported { .. })));
    assert!(matches!(
        radio.recv().await,
        Err(RecvError::Unsupported { .. })
    ));
    assert_eq!(dish.leave("a"), Ok(()));
    assert_eq!(dish.leave("a"), Err(GroupError::NotJoined));
}

#[tokio::test]
async fn many_tasks_send_to_groups() {
    // R-TS-1
    let context = Context::new();
    let mut radio = radio(&context);
    radio.bind("inproc://many").await.expect("bind");
    let mut dish = dish(&context, &["a"]);
    dish.connect("inproc://many").expect("connect");
    within("it", radio.wait_for_subscribers(1)).await;
    let radio = radio.into_shared();
    for number in 0..10 {
        let radio = radio.clone();
        tokio::spawn(async move { radio.send(("a", number.to_string())).await.expect("send") });
    }
    for _ in 0..10 {
        assert_eq!(recv(&mut dish).await.group(), b"a");
    }
}

#[test]
fn without_a_runtime_they_do_the_same() {
    // R-RADIO-1, R-DISH-1
    let mut radio = blocking::RadioSocket::new();
    let endpoint = radio.bind(ANY_PORT).expect("bind");
    let mut dish = blocking::DishSocket::new();
    dish.join("a").expect("join");
    assert_eq!(dish.join("a"), Err(GroupError::Joined));
    dish.connect(&endpoint).expect("connect");
    radio.wait_for_subscribers(1);
    radio.send_to("a", "it").expect("send");
    assert_eq!(dish.recv().expect("recv"), ("a", "it"));
    dish.leave("a").expect("leave");
}
