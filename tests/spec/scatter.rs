//! SCATTER and GATHER, as far as they differ from PUSH and PULL (`docs/rules.md`, R-TS).

use common::raw::{RawPeer, short_frame};
use common::within;
use purezmq::{AnySocket, Context, GatherSocket, ScatterSocket, SendError, SocketType};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

#[tokio::test]
async fn a_message_of_several_frames_is_not_sent() {
    // R-TS-2
    let mut gather = GatherSocket::new();
    let endpoint = gather.bind(ANY_PORT).await.expect("bind");
    let mut scatter = ScatterSocket::new();
    scatter.connect(&endpoint).expect("connect");
    for refused in [
        scatter.send(["two", "frames"]).await,
        scatter.try_send(["two", "frames"]),
    ] {
        let Err(SendError::Multipart(message)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(message.len(), 2, "it comes back");
    }
    scatter.send("one frame").await.expect("send");
    let message = within("the next", gather.recv()).await.expect("recv");
    assert_eq!(message, "one frame");
    let mut any = AnySocket::new(SocketType::Scatter, &Context::new()).expect("it is built");
    any.bind(ANY_PORT).await.expect("bind");
    let refused = any.try_send(["two", "frames"]);
    assert!(matches!(refused, Err(SendError::Multipart(_))));
}

#[tokio::test]
async fn a_message_of_several_frames_is_dropped_whole() {
    // R-TS-3
    let mut gather = GatherSocket::new();
    let endpoint = gather.bind(ANY_PORT).await.expect("bind");
    let mut peer = RawPeer::connect(&endpoint).await;
    peer.shake_hands("SCATTER").await;
    peer.send(b"\x01\x03two\x01\x04more\x00\x06frames").await;
    peer.send(&short_frame(b"one frame")).await;
    let message = within("the next", gather.recv()).await.expect("recv");
    assert_eq!(message, "one frame");
    assert_eq!(gather.stats().dropped.discarded, 1);
    assert!(gather.try_recv().is_err());
}

#[tokio::test]
async fn they_fit_each_other_and_nobody_else() {
    // R-SCATTER-1, R-GATHER-1
    let mut gather = GatherSocket::new();
    let mut events = gather.monitor();
    let endpoint = gather.bind(ANY_PORT).await.expect("bind");
    let mut push = purezmq::PushSocket::new();
    push.connect(&endpoint).expect("connect");
    let refused = common::events::event(&mut events, "a refusal", |kind| {
        matches!(kind, purezmq::MonitorEventKind::HandshakeFailed(_))
    });
    refused.await;
}
