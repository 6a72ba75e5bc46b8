//! STREAM with plain TCP programs, and with itself (`docs/rules.md`, R-STREAM).

use common::within;
use purezmq::security::{Admission, AuthRequest, Refusal, Security};
use purezmq::{
    AnySocket, BindError, ConnectError, Context, EndpointError, Message, RoutingId, SendError,
    SocketType, StreamEvent, StreamSend, StreamSocket,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

pub(crate) async fn bound() -> (StreamSocket, String) {
    let mut server = StreamSocket::new();
    let endpoint = server.bind(ANY_PORT).await.expect("bind");
    (server, endpoint.to_string().replace("tcp://", ""))
}

pub(crate) async fn next(socket: &mut StreamSocket) -> StreamEvent {
    within("an event", socket.recv()).await.expect("recv")
}

pub(crate) async fn accepted(socket: &mut StreamSocket) -> RoutingId {
    match next(socket).await {
        StreamEvent::Accepted(peer) => peer,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn closed(socket: &mut StreamSocket) -> RoutingId {
    match next(socket).await {
        StreamEvent::Closed(peer) => peer,
        other => panic!("{other:?}"),
    }
}

/// The next bytes of a peer, so many of them.
pub(crate) async fn bytes(socket: &mut StreamSocket, peer: &RoutingId, count: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < count {
        let event = next(socket).await;
        let data = event.into_data().expect("bytes");
        assert_eq!(data.peer, *peer);
        assert_eq!(data.message.len(), 1);
        all.extend_from_slice(data.message.first().expect("a frame"));
    }
    all
}

async fn read(client: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut read = vec![0; count];
    let all = within("bytes", client.read_exact(&mut read)).await;
    all.expect("read");
    read
}

pub(crate) async fn reads_end(client: &mut TcpStream) {
    let mut rest = Vec::new();
    let end = within("the end of the stream", client.read_to_end(&mut rest)).await;
    assert_eq!(end.expect("no reset"), 0);
}

#[tokio::test]
async fn in_libzmqs_form_a_message_is_the_routing_id_and_bytes() {
    // R-STREAM-1
    let mut server = AnySocket::new(SocketType::Stream, &Context::new()).expect("it is built");
    let endpoint = server.bind(ANY_PORT).await.expect("bind").to_string();
    let address = endpoint.replace("tcp://", "");
    let mut client = TcpStream::connect(address).await.expect("connect");
    client.write_all(b"hello").await.expect("write");
    let notice = within("a notice", server.recv()).await.expect("recv");
    let id = notice.first().expect("a frame").to_vec();
    assert_eq!((id.len(), id[0]), (5, 0));
    assert_eq!(notice, Message::from([&id[..], b""]));
    let data = within("bytes", server.recv()).await.expect("recv");
    assert_eq!(data, Message::from([&id[..], b"hello"]));
    let answer = Message::from([&id[..], b"bye"]);
    server.send(answer).await.expect("send");
    assert_eq!(read(&mut client, 3).await, b"bye");
    let several = server.try_send(Message::from([&id[..], b"two", b"frames"]));
    assert!(matches!(several, Err(SendError::Multipart(_))));
    // R-STREAM-4
    let close = Message::from([&id[..], b""]);
    server.send(close.clone()).await.expect("close");
    reads_end(&mut client).await;
    drop(client);
    let notice = within("a notice", server.recv()).await.expect("recv");
    assert_eq!(notice, close);
    let late = server.try_send(close);
    assert!(
        matches!(late, Err(SendError::Unroutable { .. })),
        "{late:?}"
    );
}

#[tokio::test]
async fn a_peer_is_announced_heard_and_gone() {
    // R-STREAM-2
    let (mut server, address) = bound().await;
    let mut client = TcpStream::connect(&address).await.expect("connect");
    let peer = accepted(&mut server).await;
    client.write_all(b"last words").await.expect("write");
    drop(client);
    assert_eq!(bytes(&mut server, &peer, 10).await, b"last words");
    let from = server.last_peer().expect("somebody has sent");
    assert!(from.address.to_string().contains("127.0.0.1"));
    assert_eq!(from.socket_type, None);
    assert_eq!(closed(&mut server).await, peer);
}

#[tokio::test]
async fn who_closes_at_once_comes_and_goes() {
    // R-STREAM-2
    let (mut server, address) = bound().await;
    drop(TcpStream::connect(&address).await.expect("connect"));
    let peer = accepted(&mut server).await;
    assert_eq!(closed(&mut server).await, peer);
}

#[tokio::test]
async fn without_notices_there_are_only_bytes() {
    // R-STREAM-2
    let mut server = StreamSocket::builder()
        .stream_notify(false)
        .build()
        .expect("build");
    let endpoint = server.bind(ANY_PORT).await.expect("bind").to_string();
    let address = endpoint.replace("tcp://", "");
    for _ in 0..3 {
        let mut client = TcpStream::connect(&address).await.expect("connect");
        client.write_all(b"x").await.expect("write");
        assert!(matches!(next(&mut server).await, StreamEvent::Data(_)));
    }
    assert!(server.try_recv().is_err());
}

#[tokio::test]
async fn nobody_of_that_name_is_an_error() {
    // R-STREAM-3
    let (mut server, address) = bound().await;
    let unknown = server.send_to("nobody", "anything").await;
    assert!(matches!(unknown, Err(SendError::Unroutable { .. })));
    let unknown = server.close_peer("nobody");
    assert!(matches!(unknown, Err(SendError::Unroutable { .. })));
    drop(TcpStream::connect(&address).await.expect("connect"));
    let peer = accepted(&mut server).await;
    closed(&mut server).await;
    let gone = server.send_to(&peer, "late").await;
    assert!(matches!(gone, Err(SendError::Unroutable { .. })));
    assert!(server.peers().is_empty());
}

#[tokio::test]
async fn a_peer_that_does_not_read_fills_its_own_pipe() {
    // R-STREAM-3
    let mut server = StreamSocket::builder().send_hwm(4).build().expect("build");
    let endpoint = server.bind(ANY_PORT).await.expect("bind").to_string();
    let address = endpoint.replace("tcp://", "");
    let mut idle = TcpStream::connect(&address).await.expect("connect");
    let slow = accepted(&mut server).await;
    let mut other = TcpStream::connect(&address).await.expect("connect");
    let fine = accepted(&mut server).await;
    let piece = vec![7; 256 * 1024];
    let mut sent = 0;
    loop {
        match server.try_send((&slow, piece.clone())) {
            Ok(()) => sent += 1,
            // What the system had room for is not all gone yet, unless nothing moves for a while.
            Err(SendError::Full(_)) => {
                let again = server.send((&slow, piece.clone()));
                match tokio::time::timeout(std::time::Duration::from_millis(200), again).await {
                    Ok(done) => {
                        done.expect("send");
                        sent += 1;
                    }
                    Err(_) => break,
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
    server.send_to(&fine, "for you").await.expect("send");
    assert_eq!(read(&mut other, 7).await, b"for you");
    // When it reads, sending goes on.
    let reading = async { read(&mut idle, sent * piece.len()).await };
    let sending = server.send((&slow, "end"));
    let (all, done) = tokio::join!(reading, sending);
    done.expect("send");
    assert!(all.iter().all(|byte| *byte == 7));
    assert_eq!(read(&mut idle, 3).await, b"end");
}

#[tokio::test]
async fn closing_a_peer_sends_first_what_was_sent() {
    // R-STREAM-4
    let (mut server, address) = bound().await;
    let mut client = TcpStream::connect(&address).await.expect("connect");
    let peer = accepted(&mut server).await;
    let long = vec![3; 1_000_000];
    server.send_to(&peer, long.clone()).await.expect("send");
    server.close_peer(&peer).expect("close");
    assert_eq!(read(&mut client, long.len()).await, long);
    reads_end(&mut client).await;
    drop(client);
    assert_eq!(closed(&mut server).await, peer);
}

#[tokio::test]
async fn nothing_to_send_closes_nothing() {
    // R-STREAM-4: but in libzmq's form it does.
    let (mut server, address) = bound().await;
    let mut client = TcpStream::connect(&address).await.expect("connect");
    let peer = accepted(&mut server).await;
    server.send_to(&peer, "").await.expect("nothing to do");
    server.send_to(&peer, "still here").await.expect("send");
    assert_eq!(read(&mut client, 10).await, b"still here");
    let form = Message::from(StreamSend::from((&peer, "")));
    assert_ne!(StreamSend::from(form), StreamSend::Close(peer.clone()));
    let form = Message::from(StreamSend::Close(peer.clone()));
    assert_eq!(StreamSend::from(form), StreamSend::Close(peer));
}

#[tokio::test]
async fn byte_by_byte_everything_comes_in_order() {
    // R-STREAM-1
    let (mut server, address) = bound().await;
    let mut client = TcpStream::connect(&address).await.expect("connect");
    client.set_nodelay(true).expect("an option");
    let peer = accepted(&mut server).await;
    let sent: Vec<u8> = (0..=255).collect();
    let writing = async {
        for byte in &sent {
            client.write_all(&[*byte]).await.expect("write");
            tokio::task::yield_now().await;
        }
    };
    let (got, ()) = tokio::join!(bytes(&mut server, &peer, sent.len()), writing);
    assert_eq!(got, sent);
}

#[tokio::test]
async fn a_client_talks_to_a_plain_server() {
    // R-STREAM-1
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("an address");
    let mut client = StreamSocket::new();
    client
        .connect_as(format!("tcp://{address}"), "server")
        .expect("connect");
    client.send_to("server", "question").await.expect("send");
    let (mut accepted, _) = within("a connection", listener.accept())
        .await
        .expect("accept");
    assert_eq!(read(&mut accepted, 8).await, b"question");
    accepted.write_all(b"answer").await.expect("write");
    let server = RoutingId::from("server");
    assert_eq!(
        next(&mut client).await,
        StreamEvent::Connected(server.clone())
    );
    assert_eq!(bytes(&mut client, &server, 6).await, b"answer");
    // R-STREAM-4: closed by this side, it is not made anew.
    client.close_peer("server").expect("close");
    reads_end(&mut accepted).await;
    drop(accepted);
    assert_eq!(closed(&mut client).await, server);
    let again = tokio::time::timeout(std::time::Duration::from_millis(300), listener.accept());
    assert!(again.await.is_err());
}

#[tokio::test]
async fn a_lost_connection_is_made_anew_and_old_bytes_do_not_go_there() {
    // R-STREAM-2
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("an address");
    let mut client = StreamSocket::builder()
        .reconnect_interval(Some(std::time::Duration::from_millis(10)))
        .build()
        .expect("build");
    client.connect(format!("tcp://{address}")).expect("connect");
    let (first, _) = within("a connection", listener.accept())
        .await
        .expect("accept");
    let StreamEvent::Connected(peer) = next(&mut client).await else {
        panic!("it is connected");
    };
    drop(first);
    assert_eq!(closed(&mut client).await, peer);
    // Meant for the connection that has ended.
    let _ = client.try_send((&peer, "old"));
    let (mut second, _) = within("a connection", listener.accept())
        .await
        .expect("accept");
    let StreamEvent::Connected(peer) = next(&mut client).await else {
        panic!("it is connected again");
    };
    client.send_to(&peer, "new").await.expect("send");
    assert_eq!(read(&mut second, 3).await, b"new");
}

#[tokio::test]
async fn streams_talk_to_each_other_over_tcp_and_ipc() {
    // R-STREAM-1, R-STREAM-2
    let folder = tempfile::tempdir().expect("a folder");
    let ipc = format!("ipc://{}/stream", folder.path().display());
    for place in [ANY_PORT, &ipc] {
        let (mut server, mut client) = (StreamSocket::new(), StreamSocket::new());
        let endpoint = server.bind(place).await.expect("bind");
        client.connect(&endpoint).expect("connect");
        let here = accepted(&mut server).await;
        let StreamEvent::Connected(there) = next(&mut client).await else {
            panic!("it is connected");
        };
        client.send_to(&there, "question").await.expect("send");
        assert_eq!(bytes(&mut server, &here, 8).await, b"question");
        server.send_to(&here, "answer").await.expect("send");
        assert_eq!(bytes(&mut client, &there, 6).await, b"answer");
        drop(client);
        assert_eq!(closed(&mut server).await, here);
    }
}

#[tokio::test]
async fn a_flood_is_held_back_and_nothing_of_it_lost() {
    // R-STREAM-1
    let mut server = StreamSocket::builder()
        .recv_hwm(2)
        .max_message_size(4096)
        .build()
        .expect("build");
    let endpoint = server.bind(ANY_PORT).await.expect("bind").to_string();
    let address = endpoint.replace("tcp://", "");
    let mut client = TcpStream::connect(&address).await.expect("connect");
    let peer = accepted(&mut server).await;
    let sent: Vec<u8> = (0..20_000_000_u32).map(|i| (i / 3) as u8).collect();
    let expected = sent.clone();
    let flood = tokio::spawn(async move {
        client.write_all(&sent).await.expect("write");
        client
    });
    // It comes to rest with the system's buffers full, and two pieces here.
    let mut other = TcpStream::connect(&address).await.expect("connect");
    other.write_all(b"me too").await.expect("write");
    let (mut got, mut others) = (Vec::new(), Vec::new());
    while got.len() < expected.len() || others.len() < 6 {
        if let Some(data) = next(&mut server).await.into_data() {
            let bytes = data.message.first().expect("a frame").to_vec();
            assert!(bytes.len() <= 4096);
            match data.peer == peer {
                true => got.extend(bytes),
                false => others.extend(bytes),
            }
        }
    }
    assert!(got == expected);
    assert_eq!(others, b"me too");
    drop(within("the writer", flood).await);
}

#[tokio::test]
async fn many_connections_are_told_apart() {
    // R-STREAM-1, R-STREAM-2
    const PEERS: usize = 200;
    let (mut server, address) = bound().await;
    let mut clients = Vec::new();
    for i in 0..PEERS {
        let mut client = TcpStream::connect(&address).await.expect("connect");
        client.write_all(&[i as u8]).await.expect("write");
        clients.push(client);
    }
    let mut seen = 0;
    while seen < PEERS {
        if let Some(data) = next(&mut server).await.into_data() {
            let answer = data.reply(data.message.first().expect("a frame").to_vec());
            server.send(answer).await.expect("send");
            seen += 1;
        }
    }
    for (i, client) in clients.iter_mut().enumerate() {
        assert_eq!(read(client, 1).await, [i as u8]);
    }
    assert_eq!(server.peers().len(), PEERS);
    drop(clients);
    let mut gone = 0;
    while gone < PEERS {
        closed(&mut server).await;
        gone += 1;
    }
}

#[tokio::test]
async fn where_no_bytes_go_and_nothing_can_be_proven_it_does_not_go() {
    // R-STREAM-1
    let mut socket = StreamSocket::new();
    let refused = socket.bind("inproc://here").await;
    assert!(matches!(
        refused,
        Err(BindError::Endpoint(EndpointError::NoBytes { .. }))
    ));
    let refused = socket.connect("inproc://here");
    assert!(matches!(
        refused,
        Err(ConnectError::Endpoint(EndpointError::NoBytes { .. }))
    ));
    let mut socket = StreamSocket::builder()
        .security(Security::plain_server())
        .build()
        .expect("build");
    let refused = socket.bind(ANY_PORT).await;
    assert!(matches!(
        refused,
        Err(BindError::Endpoint(EndpointError::NoMechanism { .. }))
    ));
}

#[tokio::test]
async fn who_may_come_in_is_asked_by_address() {
    // R-STREAM-1: libzmq asks nobody.
    let context = Context::new();
    let mut asked = 0;
    let answers = std::sync::Mutex::new(move || {
        asked += 1;
        asked > 1
    });
    context.set_authenticator(move |request: AuthRequest| {
        assert!(request.address.to_string().contains("127.0.0.1"));
        let is_let_in = answers.lock().expect("nobody panics")();
        async move {
            match is_let_in {
                true => Ok(Admission::user("joe")),
                false => Err(Refusal::Denied),
            }
        }
    });
    let mut server = StreamSocket::builder()
        .context(&context)
        .zap_domain("bytes")
        .build()
        .expect("build");
    let endpoint = server.bind(ANY_PORT).await.expect("bind").to_string();
    let address = endpoint.replace("tcp://", "");
    let mut refused = TcpStream::connect(&address).await.expect("connect");
    let mut rest = Vec::new();
    let end = within("the end", refused.read_to_end(&mut rest)).await;
    assert!(!matches!(end, Ok(1..)), "{end:?}");
    let mut client = TcpStream::connect(&address).await.expect("connect");
    client.write_all(b"early").await.expect("write");
    let peer = accepted(&mut server).await;
    assert_eq!(bytes(&mut server, &peer, 5).await, b"early");
    let from = server.last_peer().expect("somebody has sent");
    assert_eq!(from.user_id.as_deref(), Some("joe"));
}

#[tokio::test]
async fn connections_are_limited_and_counted() {
    // R-STREAM-2: who was not let in is not told of.
    let mut server = StreamSocket::builder()
        .max_connections(Some(1))
        .build()
        .expect("build");
    let endpoint = server.bind(ANY_PORT).await.expect("bind").to_string();
    let address = endpoint.replace("tcp://", "");
    let mut first = TcpStream::connect(&address).await.expect("connect");
    let peer = accepted(&mut server).await;
    let mut second = TcpStream::connect(&address).await.expect("connect");
    let mut rest = Vec::new();
    let end = within("the end", second.read_to_end(&mut rest)).await;
    assert!(!matches!(end, Ok(1..)), "{end:?}");
    first.write_all(b"x").await.expect("write");
    assert_eq!(bytes(&mut server, &peer, 1).await, b"x");
    server.send_to(&peer, "yz").await.expect("send");
    assert_eq!(read(&mut first, 2).await, b"yz");
    let stats = server.stats();
    assert_eq!(stats.peers.len(), 1);
    drop(first);
    assert_eq!(closed(&mut server).await, peer);
}
