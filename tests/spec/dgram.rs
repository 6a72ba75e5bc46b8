//! DGRAM (`docs/rules.md`, R-DGRAM, R-UDP).

use std::net::SocketAddr;
use std::time::Duration;

use common::within;
use purezmq::{
    AnySocket, BindError, Context, Datagram, DatagramError, DatagramSend, DgramSocket, Endpoint,
    Message, RecvError, SendError, SocketType, blocking,
};
use tokio::net::UdpSocket;

const ANY_PORT: &str = "udp://127.0.0.1:*";

async fn bound(place: &str) -> (DgramSocket, SocketAddr) {
    let mut socket = DgramSocket::new();
    let endpoint = socket.bind(place).await.expect("bind");
    let address = address(&endpoint);
    (socket, address)
}

fn address(endpoint: &Endpoint) -> SocketAddr {
    let udp = endpoint.udp().expect("it is one of UDP");
    udp.socket_address().expect("it is definite")
}

async fn recv(socket: &mut DgramSocket) -> Datagram {
    within("a datagram", socket.recv()).await.expect("recv")
}

async fn plain() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    let address = socket.local_addr().expect("an address");
    (socket, address)
}

async fn hear(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 65_535];
    let length = within("a datagram", socket.recv(&mut buffer)).await;
    buffer.truncate(length.expect("recv"));
    buffer
}

#[tokio::test]
async fn datagrams_go_to_an_address_and_come_with_one() {
    // R-DGRAM-1
    for place in [ANY_PORT, "udp://[::1]:*", "udp://localhost:*"] {
        let (mut server, at_server) = bound(place).await;
        let (mut client, at_client) = bound(place).await;
        for payload in ["", "hello", &"x".repeat(255), &"x".repeat(65_507)] {
            client.send_to(at_server, payload).await.expect("send");
            let asked = recv(&mut server).await;
            assert_eq!(asked.peer, at_client, "{place}");
            assert_eq!(asked.payload, payload);
            server.send(asked.reply(payload)).await.expect("send");
            let wanted = Datagram {
                peer: at_server,
                payload: payload.into(),
            };
            assert_eq!(recv(&mut client).await, wanted);
            // Back to where it comes from.
            client.send(wanted).await.expect("send");
            assert_eq!(recv(&mut server).await.payload, payload);
        }
        assert_eq!(server.try_recv(), Err(RecvError::Empty));
    }
}

#[tokio::test]
async fn programs_that_know_no_zeromq_are_talked_to() {
    let (mut server, at_server) = bound("udp://*:*").await;
    let port = at_server.port();
    let (there, at_there) = plain().await;
    for payload in [&b""[..], b"\0", b"\x03abc", &[0xff; 9_000]] {
        let sent = there.send_to(payload, ("127.0.0.1", port)).await;
        sent.expect("send");
        let datagram = recv(&mut server).await;
        // Of the wildcard of both kinds, an address of IPv4 is one.
        assert_eq!(datagram.peer, at_there);
        assert_eq!(datagram.payload, payload);
        server.send_to(at_there, payload).await.expect("send");
        assert_eq!(hear(&there).await, payload);
    }
    let stats = server.stats();
    assert_eq!((stats.received.messages, stats.sent.messages), (4, 4));
    assert_eq!(stats.dropped.total(), 0);
}

#[tokio::test]
async fn a_message_is_an_address_and_a_payload() {
    // R-DGRAM-1
    let mut ours = AnySocket::new(SocketType::Dgram, &Context::new()).expect("it is built");
    let endpoint = ours.bind(ANY_PORT).await.expect("bind");
    let (there, at_there) = plain().await;
    there
        .send_to(b"hello", address(&endpoint))
        .await
        .expect("send");
    let heard = within("a datagram", ours.recv()).await.expect("recv");
    let text = format!("{at_there}\0");
    assert_eq!(heard, Message::from([text.as_str(), "hello"]));
    // As it came, and without the zero.
    for to in [text.as_str(), text.trim_end_matches('\0')] {
        ours.send([to, "bye"]).await.expect("send");
        assert_eq!(hear(&there).await, b"bye");
    }
    let refused = ours.send([to_text(at_there)]).await;
    assert!(
        matches!(refused, Err(SendError::NoFrames(_))),
        "{refused:?}"
    );
    let refused = ours.send([&to_text(at_there), "one", "two"]).await;
    assert!(
        matches!(refused, Err(SendError::Multipart(_))),
        "{refused:?}"
    );
    for wrong in ["", "127.0.0.1", "localhost:80", "127.0.0.1:65536", "\0"] {
        let refused = ours.send([wrong, "body"]).await;
        let Err(SendError::Datagram { message, error }) = refused else {
            panic!("{wrong:?}: {refused:?}");
        };
        assert_eq!(message, "body");
        let address = wrong.to_owned();
        assert_eq!(error, DatagramError::NoAddress { address });
    }
    let form = Message::from(DatagramSend::from((at_there, "x")));
    assert_eq!(form, Message::from([to_text(at_there).as_str(), "x"]));
}

fn to_text(address: SocketAddr) -> String {
    address.to_string()
}

#[tokio::test]
async fn it_is_bound_once() {
    // R-DGRAM-1
    let (mut socket, at) = bound(ANY_PORT).await;
    let second = socket.bind(ANY_PORT).await;
    assert!(
        matches!(second, Err(BindError::Occupied { .. })),
        "{second:?}"
    );
    let first = socket.last_endpoint().expect("there is one").clone();
    socket.unbind(&first).await.expect("unbind");
    let endpoint = socket.bind(&first).await.expect("the address is free");
    assert_eq!(address(&endpoint), at);
    let connected = socket.connect("udp://127.0.0.1:5555").unwrap_err();
    assert!(connected.to_string().contains("bind it"), "{connected}");
    for other in ["tcp://127.0.0.1:*", "ipc://*", "inproc://dgram"] {
        let mut socket = DgramSocket::new();
        let refused = socket.bind(other).await.unwrap_err().to_string();
        assert!(refused.contains("udp"), "{refused}");
        // Nothing is left of it.
        socket.bind(ANY_PORT).await.expect("bind");
    }
}

#[tokio::test]
async fn what_cannot_be_a_datagram_is_an_error() {
    // R-UDP-1
    let (mut socket, at) = bound(ANY_PORT).await;
    for size in [65_508, 65_536, 1_000_000] {
        let body = vec![1; size];
        let refused = socket.send_to(at, body.clone()).await;
        let Err(SendError::Datagram { message, error }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(message, body.as_slice());
        let limit = 65_507;
        assert_eq!(error, DatagramError::TooLarge { size, limit });
        assert!(error.to_string().contains("65507"), "{error}");
    }
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let refused = socket.send_to(nowhere, "x").await;
    assert!(
        matches!(
            refused,
            Err(SendError::Datagram {
                error: DatagramError::NoPort { .. },
                ..
            })
        ),
        "{refused:?}"
    );
    socket.send_to(at, "fine").await.expect("send");
    assert_eq!(recv(&mut socket).await.payload, "fine");
}

#[tokio::test]
async fn nobody_at_the_port_and_no_way_there_end_nothing() {
    let (mut socket, at) = bound(ANY_PORT).await;
    let (gone, at_gone) = plain().await;
    drop(gone);
    // From the loopback address there is no way to another machine, or to IPv6.
    for to in [
        at_gone,
        ([192, 0, 2, 99], 9).into(),
        "[2001:db8::1]:9".parse().expect("an address"),
        at_gone,
        at,
    ] {
        socket.send_to(to, "x").await.expect("send");
    }
    assert_eq!(recv(&mut socket).await.peer, at);
    let stats = socket.stats();
    let (sent, lost) = (stats.sent.messages, stats.dropped.lost);
    assert_eq!(sent + lost, 5, "{stats:?}");
    assert!(lost >= 1, "one address is of IPv6: {stats:?}");
}

#[tokio::test]
async fn what_it_has_no_room_for_is_lost_and_counted() {
    let mut socket = DgramSocket::builder()
        .recv_hwm(5)
        .recv_buffer(4096)
        .build()
        .expect("build");
    let endpoint = socket.bind(ANY_PORT).await.expect("bind");
    let (there, _) = plain().await;
    for number in 0..500_u32 {
        let sent = there
            .send_to(&number.to_be_bytes(), address(&endpoint))
            .await;
        sent.expect("send");
    }
    let mut heard = 0_u32;
    while let Ok(datagram) = tokio::time::timeout(Duration::from_millis(300), socket.recv()).await {
        let payload = datagram.expect("recv").payload;
        assert!(heard > 4 || payload == heard.to_be_bytes());
        heard += 1;
    }
    assert!((5..500).contains(&heard), "{heard}");
    if cfg!(target_os = "linux") {
        let lost = socket.stats().dropped.overflowed;
        assert_eq!(u64::from(heard) + lost, 500);
    }
}

#[tokio::test]
async fn a_datagram_over_the_limit_is_dropped_and_counted() {
    // R-UDP-1
    let builder = DgramSocket::builder().max_message_size(10);
    let mut socket = builder.build().expect("build");
    let endpoint = socket.bind(ANY_PORT).await.expect("bind");
    let (there, _) = plain().await;
    for payload in [&[1; 65_507][..], &[2; 11], &[3; 10]] {
        let sent = there.send_to(payload, address(&endpoint)).await;
        sent.expect("send");
    }
    let heard = recv(&mut socket).await;
    assert_eq!(heard.payload, &[3; 10][..], "nothing of the others comes");
    assert_eq!(socket.stats().dropped.discarded, 2);
}

#[tokio::test]
async fn what_was_sent_leaves_when_the_socket_closes_and_its_address_is_free_then() {
    let (there, at_there) = plain().await;
    for by_drop in [true, false] {
        let (mut socket, _) = bound(ANY_PORT).await;
        let endpoint = socket.last_endpoint().expect("it is bound").clone();
        for number in 0..50_u32 {
            socket
                .try_send((at_there, number.to_string()))
                .expect("there is room");
        }
        match by_drop {
            true => drop(socket),
            false => assert_eq!(within("close", socket.close()).await.unsent, 0),
        }
        DgramSocket::new()
            .bind(&endpoint)
            .await
            .expect("it is free");
        for number in 0..50_u32 {
            assert_eq!(hear(&there).await, number.to_string().as_bytes());
        }
    }
}

/// Whether or not the endpoint's task has ever run.
#[test]
fn what_was_sent_leaves_when_the_runtime_ends() {
    for has_run in [true, false] {
        let there = std::net::UdpSocket::bind("127.0.0.1:0").expect("bind");
        there
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a timeout");
        let at_there = there.local_addr().expect("an address");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let mut socket = DgramSocket::new();
        let endpoint = runtime.block_on(async {
            let endpoint = socket.bind(ANY_PORT).await.expect("bind");
            for _ in 0..if has_run { 100 } else { 0 } {
                tokio::task::yield_now().await;
            }
            for number in 0..20_u32 {
                let sent = socket.try_send((at_there, number.to_string()));
                sent.expect("there is room");
            }
            endpoint
        });
        drop(runtime);
        for number in 0..20_u32 {
            let mut buffer = [0; 10];
            let length = there.recv(&mut buffer).expect("recv");
            assert_eq!(&buffer[..length], number.to_string().as_bytes());
        }
        assert!(matches!(socket.try_recv(), Err(RecvError::Gone(_))));
        assert!(std::net::UdpSocket::bind(address(&endpoint)).is_ok());
        assert_eq!(socket.stats().dropped.total(), 0);
    }
}

#[tokio::test]
async fn halves_send_and_receive_in_two_tasks() {
    let (socket, at) = bound(ANY_PORT).await;
    let (mut sender, mut receiver) = socket.split();
    let sending = tokio::spawn(async move {
        for number in 0..100_u32 {
            sender.send_to(at, number.to_string()).await.expect("send");
            tokio::task::yield_now().await;
        }
        sender
    });
    for number in 0..100_u32 {
        let datagram = within("a datagram", receiver.recv()).await.expect("recv");
        assert_eq!(
            (datagram.peer, &*datagram.payload),
            (at, number.to_string().as_bytes())
        );
    }
    drop(receiver);
    let mut sender = sending.await.expect("it has sent");
    let (there, at_there) = plain().await;
    sender.send_to(at_there, "still here").await.expect("send");
    assert_eq!(hear(&there).await, b"still here");
}

#[tokio::test]
async fn a_socket_that_drains_takes_no_more_and_still_answers() {
    let (mut server, at) = bound(ANY_PORT).await;
    let (there, at_there) = plain().await;
    there.send_to(b"before", at).await.expect("send");
    within("it", async {
        while server.stats().queued_to_receive < 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    server.drain(Duration::from_secs(5));
    there.send_to(b"after", at).await.expect("send");
    let asked = recv(&mut server).await;
    assert_eq!(asked.payload, "before");
    server.send(asked.reply("answer")).await.expect("send");
    assert_eq!(hear(&there).await, b"answer");
    assert_eq!(asked.peer, at_there);
    let over = within("the end", server.recv()).await;
    assert_eq!(over, Err(RecvError::Drained));
    within("close", server.close()).await;
}

#[test]
fn threads_have_the_same() {
    let mut server = blocking::DgramSocket::new();
    let endpoint = server.bind(ANY_PORT).expect("bind");
    let mut client = blocking::DgramSocket::new();
    client.bind(ANY_PORT).expect("bind");
    client.send_to(address(&endpoint), "hello").expect("send");
    let asked = server.recv().expect("recv");
    assert_eq!(asked.payload, "hello");
    server.send(asked.reply("bye")).expect("send");
    assert_eq!(client.recv().expect("recv").payload, "bye");
}

#[tokio::test]
async fn a_group_can_be_bound_and_sent_to() {
    let mut member = DgramSocket::new();
    let endpoint = match member.bind("udp://127.0.0.1;239.255.77.3:*").await {
        Ok(endpoint) => endpoint,
        Err(error) => {
            return eprintln!(
                "\n*** SKIPPED: no multicast on the loopback interface: {error} ***\n"
            );
        }
    };
    // It sends by its own interface, as a member.
    member
        .send_to(address(&endpoint), "to all")
        .await
        .expect("send");
    let heard = tokio::time::timeout(Duration::from_secs(5), member.recv()).await;
    match heard {
        Ok(datagram) => assert_eq!(datagram.expect("recv").payload, "to all"),
        Err(_) => eprintln!("\n*** SKIPPED: multicast does not come back here ***\n"),
    }
}
