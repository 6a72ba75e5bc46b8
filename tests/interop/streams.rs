//! STREAM with libzmq's own, with a libzmq socket that speaks ZMTP to it, and with plain TCP programs in Python that know of
//! no ZeroMQ (`tests/peers/lecture_tcp_*.py`).

use std::path::Path;
use std::process::Stdio;

use common::libzmq::Libzmq;
use common::within;
use purezmq::{RoutingId, StreamEvent, StreamSocket};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

async fn next(socket: &mut StreamSocket) -> StreamEvent {
    within("an event", socket.recv()).await.expect("recv")
}

/// Bytes of a peer up to the end of a line; what is told of peers is passed over.
async fn line(socket: &mut StreamSocket) -> (RoutingId, String) {
    let mut all = Vec::new();
    loop {
        if let StreamEvent::Data(data) = next(socket).await {
            all.extend_from_slice(data.message.first().expect("a frame"));
            if all.ends_with(b"\n") {
                return (data.peer, String::from_utf8(all).expect("text"));
            }
        }
    }
}

async fn until_closed(socket: &mut StreamSocket) {
    while !matches!(next(socket).await, StreamEvent::Closed(_)) {}
}

fn frames(socket: &zmq::Socket) -> Vec<Vec<u8>> {
    socket.recv_multipart(0).expect("libzmq receives")
}

#[tokio::test]
async fn their_stream_connects_to_ours() {
    // R-STREAM-1, R-STREAM-2, R-STREAM-4
    let mut ours = StreamSocket::new();
    let endpoint = ours.bind(ANY_PORT).await.expect("bind").to_string();
    let theirs = Libzmq::new(zmq::STREAM);
    let id = theirs
        .run(move |socket| {
            socket.connect(&endpoint).expect("connect");
            let notice = frames(socket);
            assert!(notice[1].is_empty());
            let id = notice[0].clone();
            socket
                .send_multipart([&id[..], b"hello\n"], 0)
                .expect("send");
            id
        })
        .await;
    let (peer, said) = line(&mut ours).await;
    assert_eq!(said, "hello\n");
    ours.send_to(&peer, "bye").await.expect("send");
    ours.close_peer(&peer).expect("close");
    theirs
        .run(move |socket| {
            assert_eq!(frames(socket), [&id[..], b"bye"]);
            assert_eq!(frames(socket), [&id[..], b""]);
        })
        .await;
    until_closed(&mut ours).await;
}

#[tokio::test]
async fn our_stream_connects_to_theirs() {
    // R-STREAM-1, R-STREAM-2, R-STREAM-4
    let theirs = Libzmq::new(zmq::STREAM);
    let endpoint = theirs
        .run(|socket| {
            socket.bind(ANY_PORT).expect("bind");
            socket.get_last_endpoint().expect("endpoint").expect("text")
        })
        .await;
    let mut ours = StreamSocket::new();
    ours.connect_as(endpoint.as_str(), "them").expect("connect");
    ours.send_to("them", "hello").await.expect("send");
    theirs
        .run(|socket| {
            let notice = frames(socket);
            let id = notice[0].clone();
            let mut said = Vec::new();
            while said.len() < 5 {
                said.extend(frames(socket).remove(1));
            }
            assert_eq!(said, b"hello");
            socket.send_multipart([&id[..], b"bye\n"], 0).expect("send");
            socket.send_multipart([&id[..], b""], 0).expect("close");
        })
        .await;
    assert_eq!(line(&mut ours).await.1, "bye\n");
    // libzmq closes when it is called the next time.
    let look = theirs.run(|socket| drop(socket.recv_multipart(zmq::DONTWAIT)));
    let (_, ()) = tokio::join!(look, until_closed(&mut ours));
}

#[tokio::test]
async fn a_zmtp_socket_is_bytes_to_us() {
    // R-STREAM-1
    let mut ours = StreamSocket::new();
    let endpoint = ours.bind(ANY_PORT).await.expect("bind").to_string();
    let theirs = Libzmq::new(zmq::DEALER);
    theirs
        .run(move |socket| socket.connect(&endpoint).expect("connect"))
        .await;
    let mut greeting = Vec::new();
    while greeting.len() < 10 {
        if let StreamEvent::Data(data) = next(&mut ours).await {
            greeting.extend_from_slice(data.message.first().expect("a frame"));
        }
    }
    assert_eq!((greeting[0], greeting[9]), (0xff, 0x7f));
}

/// Starts a Python program that has nothing but the socket module.
pub(crate) fn lecture(script: &str, arguments: &[&str]) -> Child {
    let peers = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/peers"));
    Command::new("python3")
        .arg(peers.join(script))
        .args(arguments)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("python3 runs")
}

/// Waits for the program's end, and returns what it has printed.
pub(crate) async fn printed(mut program: Child) -> String {
    let mut out = program.stdout.take().expect("it is piped");
    let mut text = String::new();
    let read = within("what it prints", out.read_to_string(&mut text)).await;
    read.expect("text");
    let status = within("its end", program.wait()).await.expect("wait");
    assert!(status.success(), "{status}");
    text.trim().to_owned()
}

#[tokio::test]
async fn a_lectures_client_talks_to_our_server() {
    // R-STREAM-1, R-STREAM-2
    let mut server = StreamSocket::new();
    let endpoint = server.bind(ANY_PORT).await.expect("bind").to_string();
    let port = endpoint.rsplit(':').next().expect("a port").to_owned();

    let client = lecture("lecture_tcp_client.py", &[&port, "talk"]);
    let (peer, said) = line(&mut server).await;
    assert_eq!(said, "hello\n");
    server.send_to(&peer, "good day\n").await.expect("send");
    assert_eq!(printed(client).await, "good day");
    until_closed(&mut server).await;

    let client = lecture("lecture_tcp_client.py", &[&port, "close"]);
    assert!(matches!(next(&mut server).await, StreamEvent::Accepted(_)));
    assert!(matches!(next(&mut server).await, StreamEvent::Closed(_)));
    assert_eq!(printed(client).await, "");

    let client = lecture("lecture_tcp_client.py", &[&port, "bytes"]);
    let (peer, said) = line(&mut server).await;
    assert_eq!(said, "byte by byte\n");
    server.send_to(&peer, "all at once\n").await.expect("send");
    assert_eq!(printed(client).await, "all at once");
    until_closed(&mut server).await;

    // Who ends its own direction still gets the answer.
    let client = lecture("lecture_tcp_client.py", &[&port, "half"]);
    let (peer, said) = line(&mut server).await;
    assert_eq!(said, "that is all\n");
    server.send_to(&peer, "good bye\n").await.expect("send");
    assert_eq!(printed(client).await, "good bye");
    until_closed(&mut server).await;

    // Or, if there is none, the end.
    let client = lecture("lecture_tcp_client.py", &[&port, "half"]);
    assert_eq!(line(&mut server).await.1, "that is all\n");
    assert!(matches!(next(&mut server).await, StreamEvent::Closed(_)));
    assert_eq!(printed(client).await, "end of stream");
}

#[tokio::test]
async fn our_client_talks_to_a_lectures_server() {
    // R-STREAM-1, R-STREAM-2, R-STREAM-4
    for how in ["talk", "bytes", "close"] {
        let mut program = lecture("lecture_tcp_server.py", &[how]);
        let out = program.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(out).lines();
        let mut printed = async || {
            let line = within("a line", lines.next_line()).await.expect("text");
            line.expect("it goes on")
        };
        let port = printed().await;
        let mut client = StreamSocket::builder()
            .reconnect_interval(None)
            .build()
            .expect("build");
        client
            .connect_as(format!("tcp://127.0.0.1:{port}"), "server")
            .expect("connect");
        if how == "close" {
            let events = [next(&mut client).await, next(&mut client).await];
            let server = RoutingId::from("server");
            assert_eq!(
                events,
                [
                    StreamEvent::Connected(server.clone()),
                    StreamEvent::Closed(server)
                ]
            );
        } else {
            client.send_to("server", "hello\n").await.expect("send");
            assert_eq!(printed().await, "hello");
            assert_eq!(line(&mut client).await.1, "HELLO\n");
            client.close_peer("server").expect("close");
            assert_eq!(printed().await, "end of stream");
            until_closed(&mut client).await;
        }
        let status = within("its end", program.wait()).await.expect("wait");
        assert!(status.success(), "{how}: {status}");
    }
}
