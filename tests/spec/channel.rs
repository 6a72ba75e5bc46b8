//! CHANNEL, as far as it differs from PAIR (`docs/rules.md`, R-CHANNEL, R-TS).

use common::events::event;
use common::raw::{RawPeer, short_frame};
use common::within;
use purezmq::{
    ChannelSocket, ConnectError, Context, DisconnectReason, MonitorEventKind, PairSocket,
    RecvError, SendError,
};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

fn channel(context: &Context) -> ChannelSocket {
    ChannelSocket::builder().context(context).build().unwrap()
}

#[tokio::test]
async fn two_of_them_send_single_frames_to_each_other() {
    // R-CHANNEL-1
    for place in [ANY_PORT, "ipc://*", "inproc://channel"] {
        let context = Context::new();
        let (mut here, mut there) = (channel(&context), channel(&context));
        let endpoint = here.bind(place).await.expect("bind");
        there.connect(&endpoint).expect("connect");
        for length in [0, 1, 40, 300, 1 << 20] {
            let sent = vec![b'x'; length];
            within("send", here.send(sent.clone())).await.unwrap();
            let message = within("it", there.recv()).await.expect("recv");
            within("send", there.send(message)).await.unwrap();
            let back = within("it", here.recv()).await.expect("recv");
            assert_eq!(back.payload(), sent, "{place}");
        }
    }
}

#[tokio::test]
async fn messages_of_several_frames_are_not_sent_and_dropped_whole() {
    // R-TS-2, R-TS-3
    let mut channel = ChannelSocket::new();
    let endpoint = channel.bind(ANY_PORT).await.expect("bind");
    let mut peer = RawPeer::connect(&endpoint).await;
    peer.shake_hands("CHANNEL").await;
    peer.send(b"\x01\x03two\x01\x04more\x00\x06frames").await;
    peer.send(&short_frame(b"one frame")).await;
    let message = within("the next", channel.recv()).await.expect("recv");
    assert_eq!(message, "one frame");
    assert_eq!(channel.stats().dropped.discarded, 1);
    assert_eq!(channel.try_recv(), Err(RecvError::Empty));
    let Err(SendError::Multipart(message)) = channel.send(["two", "frames"]).await else {
        panic!("it has two frames");
    };
    assert_eq!(message.len(), 2, "it comes back");
    channel.send("one").await.expect("send");
    assert_eq!(peer.receive(5).await, b"\0\x03one");
}

#[tokio::test]
async fn there_is_one_peer_at_a_time_and_it_is_a_channel() {
    // R-CHANNEL-1
    let mut here = ChannelSocket::new();
    let endpoint = here.bind(ANY_PORT).await.expect("bind");
    let mut events = here.monitor();
    let mut pair = PairSocket::new();
    pair.connect(&endpoint).expect("connect");
    event(&mut events, "a PAIR is refused", |kind| {
        matches!(kind, MonitorEventKind::HandshakeFailed(_))
    })
    .await;
    pair.close().await;
    let refused = here.try_send("mute");
    assert!(matches!(refused, Err(SendError::Full(_))), "{refused:?}");
    let mut first = RawPeer::connect(&endpoint).await;
    first.shake_hands("CHANNEL").await;
    first.send(&short_frame(b"first")).await;
    let message = within("the first", here.recv()).await.expect("recv");
    assert_eq!(message, "first");
    let mut second = ChannelSocket::new();
    second.connect(&endpoint).expect("connect");
    event(&mut events, "the second is turned away", |kind| {
        matches!(
            kind,
            MonitorEventKind::Disconnected(DisconnectReason::Occupied)
        )
    })
    .await;
    let occupied = second.connect("inproc://elsewhere");
    assert!(
        matches!(occupied, Err(ConnectError::Occupied { .. })),
        "{occupied:?}"
    );
}

#[tokio::test]
async fn its_halves_are_for_many_tasks() {
    // R-TS-1
    let context = Context::new();
    let (mut here, mut there) = (channel(&context), channel(&context));
    here.bind("inproc://channel").await.expect("bind");
    there.connect("inproc://channel").expect("connect");
    let (sender, mut receiver) = here.split();
    let sender = sender.into_shared();
    for number in 0..10 {
        let sender = sender.clone();
        tokio::spawn(async move { sender.send(number.to_string()).await.expect("send") });
    }
    for _ in 0..10 {
        let message = within("it", there.recv()).await.expect("recv");
        there.send(message).await.expect("send");
        within("back", receiver.recv()).await.expect("recv");
    }
}
