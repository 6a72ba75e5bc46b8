//! A STREAM's peers that have ended their own direction, and may still be answered (`docs/rules.md`, R-STREAM).

use std::time::Duration;

use common::within;
use purezmq::SendError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::stream::{accepted, bound, bytes, closed, reads_end};

#[tokio::test]
async fn who_ends_its_own_direction_is_answered_before_it_is_gone() {
    // R-STREAM-2
    let (mut server, address) = bound().await;
    for long in [3, 8 << 20] {
        let mut client = TcpStream::connect(&address).await.expect("connect");
        client.write_all(b"question").await.expect("write");
        client.shutdown().await.expect("shutdown");
        let peer = accepted(&mut server).await;
        assert_eq!(bytes(&mut server, &peer, 8).await, b"question");
        // It has ended long ago.
        let answer = vec![b'x'; long];
        server.send_to(&peer, answer.clone()).await.expect("send");
        let reading = async {
            let mut all = Vec::new();
            let read = within("the answer", client.read_to_end(&mut all)).await;
            read.map(|_| all).expect("read")
        };
        let (read, gone) = tokio::join!(reading, closed(&mut server));
        assert!(read == answer, "{} of {long}", read.len());
        assert_eq!(gone, peer);
        let unroutable = server.send_to(&peer, "more").await.unwrap_err();
        assert!(matches!(unroutable, SendError::Unroutable { .. }));
    }
}

#[tokio::test]
async fn who_ends_its_own_direction_and_reads_nothing_is_given_up() {
    // R-STREAM-2
    let (mut server, address) = bound().await;
    let mut client = TcpStream::connect(&address).await.expect("connect");
    let peer = accepted(&mut server).await;
    // More than all buffers hold.
    let answer = vec![b'x'; 32 << 20];
    server.send_to(&peer, answer).await.expect("send");
    client.shutdown().await.expect("shutdown");
    assert_eq!(closed(&mut server).await, peer);
    assert!(server.stats().dropped.total() > 0, "it is counted");
    drop(client);
}

#[tokio::test]
async fn a_peer_that_has_ended_does_not_wait_for_an_application_that_does_not_read() {
    // R-STREAM-2
    let (mut server, address) = bound().await;
    let mut monitor = server.monitor();
    let mut client = TcpStream::connect(&address).await.expect("connect");
    client.write_all(b"unread").await.expect("write");
    client.shutdown().await.expect("shutdown");
    common::events::ended(&mut monitor).await;
    reads_end(&mut client).await;
    let peer = accepted(&mut server).await;
    assert_eq!(bytes(&mut server, &peer, 6).await, b"unread");
    assert_eq!(closed(&mut server).await, peer);
}

#[tokio::test]
async fn a_close_does_not_wait_beyond_its_limit_for_a_peer_that_has_ended_and_reads_nothing() {
    // R-STREAM-2
    let (mut server, address) = bound().await;
    let mut client = TcpStream::connect(&address).await.expect("connect");
    client.write_all(b"question").await.expect("write");
    client.shutdown().await.expect("shutdown");
    let peer = accepted(&mut server).await;
    assert_eq!(bytes(&mut server, &peer, 8).await, b"question");
    // Its end has come, and is seen in as many turns.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    // More than all buffers hold.
    let answer = vec![b'x'; 32 << 20];
    server.send_to(&peer, answer).await.expect("send");
    // From here, time passes only while everybody waits for it.
    tokio::time::pause();
    let begun = Instant::now();
    let report = server.close_within(Duration::from_millis(100)).await;
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(300), "{took:?}");
    assert_eq!(report.unsent, 1);
    drop(client);
}
