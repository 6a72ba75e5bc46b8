//! A STREAM's connections that bear a name one after the other: what is of which.

use common::within;
use purezmq::{MonitorEventKind, RoutingId, SendError, StreamEvent, StreamSocket};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::stream::next;

/// The peer's bytes come under the name under which it has come, also if the next connection has that name by then. An
/// answer to them is not for the next one.
#[tokio::test]
async fn bytes_come_under_the_name_that_was_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("an address");
    let mut socket = StreamSocket::new();
    let mut monitor = socket.monitor();
    socket
        .connect_as(format!("tcp://{address}").as_str(), "server")
        .expect("connect");
    let name = RoutingId::from("server");
    let (mut first, _) = within("one", listener.accept()).await.expect("accept");
    assert_eq!(
        next(&mut socket).await,
        StreamEvent::Connected(name.clone())
    );
    first.write_all(b"old").await.expect("write");
    drop(first);
    let (mut second, _) = within("another", listener.accept()).await.expect("accept");
    second.write_all(b"new").await.expect("write");
    let mut begun = 0;
    while begun < 2 {
        let event = within("both connections", monitor.recv()).await;
        let kind = event.expect("the socket is there").kind;
        begun += usize::from(matches!(kind, MonitorEventKind::HandshakeSucceeded));
    }
    let old = next(&mut socket).await.into_data().expect("bytes");
    assert_eq!((&old.peer, &old.message), (&name, &"old".into()));
    let refused = socket.try_send(old.reply("too late"));
    assert!(
        matches!(refused, Err(SendError::Unroutable { .. })),
        "{refused:?}"
    );
    assert_eq!(next(&mut socket).await, StreamEvent::Closed(name.clone()));
    assert_eq!(
        next(&mut socket).await,
        StreamEvent::Connected(name.clone())
    );
    let new = next(&mut socket).await.into_data().expect("bytes");
    assert_eq!((&new.peer, &new.message), (&name, &"new".into()));
    within("send", socket.send(new.reply("in time")))
        .await
        .expect("send");
}
