//! What `send` has accepted leaves before `close` is done, whatever the timing of connection and close.

use std::time::Duration;

use common::libzmq::Libzmq;
use common::payload::{Digest, text};
use common::peer::Peer;
use common::place::{Place, Transport};
use common::within;
use purezmq::{PullSocket, PushSocket, RepSocket, ReqSocket};

/// How the sockets meet.
#[derive(Clone, Copy, PartialEq)]
enum Meeting {
    Bound,
    Connected,
    /// Connected, and taking messages only once the connection stands.
    Immediate,
}

/// The socket is closed at once after the last send; the peer has just connected, or is about to.
async fn nothing_is_lost_by_an_early_close(transport: Transport, meeting: Meeting) {
    for _ in 0..50 {
        let place = Place::fixed(transport);
        let mut pull = PullSocket::builder()
            .reconnect_interval(Duration::from_millis(1))
            .build()
            .expect("options");
        let mut push = PushSocket::builder()
            .immediate(meeting == Meeting::Immediate)
            .build()
            .expect("options");
        if meeting == Meeting::Bound {
            pull.connect(place.endpoint.as_str()).expect("connect");
            push.bind(place.endpoint.as_str()).await.expect("bind");
        } else {
            pull.bind(place.endpoint.as_str()).await.expect("bind");
            push.connect(place.endpoint.as_str()).expect("connect");
        }
        for number in 0..100 {
            within("push", push.send(number.to_string()))
                .await
                .expect("send");
        }
        let closed = within("close", push.close()).await;
        assert_eq!(closed.unsent, 0);
        for number in 0..100 {
            let message = within("what was sent", pull.recv()).await.expect("recv");
            assert_eq!(message, number.to_string());
        }
    }
}

macro_rules! early_close {
    ($($name:ident: $transport:ident $meeting:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            nothing_is_lost_by_an_early_close(Transport::$transport, Meeting::$meeting).await;
        })*
    };
}

early_close! {
    bound_tcp_socket_loses_nothing_by_an_early_close: Tcp4 Bound
    bound_ipc_socket_loses_nothing_by_an_early_close: Ipc Bound
    connected_tcp_socket_loses_nothing_by_an_early_close: Tcp4 Connected
    connected_ipc_socket_loses_nothing_by_an_early_close: Ipc Connected
    immediate_tcp_socket_loses_nothing_by_an_early_close: Tcp4 Immediate
    immediate_ipc_socket_loses_nothing_by_an_early_close: Ipc Immediate
}

/// Endpoints that go right after the last send take nothing with them either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unbind_and_disconnect_send_what_is_queued() {
    for round in 0..20 {
        let place = Place::fixed(Transport::Tcp4);
        let (mut pull, mut push) = (PullSocket::new(), PushSocket::new());
        if round % 2 == 0 {
            push.bind(place.endpoint.as_str()).await.expect("bind");
            pull.connect(place.endpoint.as_str()).expect("connect");
        } else {
            pull.bind(place.endpoint.as_str()).await.expect("bind");
            push.connect(place.endpoint.as_str()).expect("connect");
        }
        for number in 0..100 {
            within("push", push.send(number.to_string()))
                .await
                .expect("send");
        }
        if round % 2 == 0 {
            within("unbind", push.unbind(place.endpoint.as_str()))
                .await
                .expect("unbind");
        } else {
            push.disconnect(place.endpoint.as_str())
                .expect("disconnect");
        }
        for number in 0..100 {
            let message = within("what was sent", pull.recv()).await.expect("recv");
            assert_eq!(message, number.to_string());
        }
        assert!(push.try_send("no more").is_err(), "no endpoint is left");
    }
}

/// A reply is the last thing that a server says before it closes, to a libzmq client.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_reply_arrives() {
    for _ in 0..20 {
        let mut rep = RepSocket::new();
        let bound = rep.bind("tcp://127.0.0.1:*").await.expect("bind");
        let mut req = Libzmq::open("REQ").await;
        req.connect(&bound.to_string()).await;
        req.send(&[text("request")]).await;
        let request = within("a request", rep.recv()).await.expect("recv");
        rep.send(request).await.expect("send");
        let (closed, reply) = tokio::join!(rep.close(), req.recv(1));
        assert_eq!(closed.unsent, 0);
        assert_eq!(reply, [Digest::of(["request"])]);
    }
}

/// More than all buffers on the way take at once: closing waits for the reader.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn close_waits_for_a_large_message() {
    let mut pull = Libzmq::open("PULL").await;
    let bound = pull.bind("tcp://127.0.0.1:*").await;
    let mut push = PushSocket::new();
    push.connect(bound.as_str()).expect("connect");
    let body = vec![7; 30 << 20];
    let digest = Digest::of([&body]);
    push.send(body).await.expect("send");
    let (closed, received) = tokio::join!(push.close(), pull.recv(1));
    assert_eq!(closed.unsent, 0);
    assert_eq!(received, [digest]);
}

/// With linger zero nothing is waited for, and what is left is counted.
#[tokio::test]
async fn without_linger_what_is_unsent_is_counted() {
    let place = Place::fixed(Transport::Tcp4);
    let mut push = PushSocket::new();
    push.connect(place.endpoint.as_str())
        .expect("connect to nobody");
    for number in 0..7 {
        push.send(number.to_string()).await.expect("send");
    }
    push.set_linger(Some(Duration::ZERO));
    assert_eq!(within("close", push.close()).await.unsent, 7);

    let mut req = ReqSocket::builder()
        .linger(Duration::from_millis(50))
        .build()
        .expect("options");
    req.connect(place.endpoint.as_str())
        .expect("connect to nobody");
    req.send("never").await.expect("send");
    assert_eq!(within("close", req.close()).await.unsent, 1);
}
