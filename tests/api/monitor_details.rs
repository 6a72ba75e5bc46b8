//! What a monitor's event carries: both ends, their peers and processes; every beginning has its end; monitors that come
//! late, lag, or are dropped.

use common::events::event;
use common::place::{Place, Transport};
use common::raw::RawPeer;
use common::within;
use futures::StreamExt;
use purezmq::{
    DealerSocket, DisconnectReason, Endpoint, MonitorEvent, MonitorEventKind, PeerAddress,
    PubSocket, PullSocket, PushSocket, RouterSocket, SocketType,
};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

fn is_succeeded(kind: &MonitorEventKind) -> bool {
    matches!(kind, MonitorEventKind::HandshakeSucceeded)
}

fn is_disconnected(kind: &MonitorEventKind) -> bool {
    matches!(kind, MonitorEventKind::Disconnected(_))
}

#[tokio::test]
async fn both_ends_tell_of_each_other() {
    // R-ROUTER-15
    let mut router = RouterSocket::new();
    let mut at_router = router.monitor();
    let bound = router.bind("tcp://0.0.0.0:*").await.expect("bind");
    let port = bound.to_string().replace("tcp://0.0.0.0:", "");
    let there: Endpoint = format!("tcp://127.0.0.1:{port}").parse().expect("endpoint");
    let dealer = DealerSocket::builder().routing_id("dealer 1").build();
    let mut dealer = dealer.expect("options");
    let mut at_dealer = dealer.monitor();
    dealer.connect(&there).expect("connect");

    let here = event(&mut at_dealer, "a handshake", is_succeeded).await;
    assert_eq!(here.endpoint.as_ref(), Some(&there));
    assert_eq!(here.remote.as_ref(), Some(&there));
    assert_eq!(here.socket_type, Some(SocketType::Router));
    assert_eq!(here.routing_id, None, "the ROUTER has set none");
    assert_eq!(here.user_id, None, "nobody asked who it is");

    let met = event(&mut at_router, "a handshake", is_succeeded).await;
    assert_eq!(met.endpoint.as_ref(), Some(&bound), "as it was bound");
    assert_eq!(met.local.as_ref(), Some(&there), "as it was reached");
    assert_eq!(met.remote, here.local);
    assert!(met.remote.is_some());
    let address = met.peer.as_ref().and_then(PeerAddress::socket_address);
    assert_eq!(address.map(Endpoint::from), met.remote);
    assert_eq!(met.routing_id.as_ref().expect("known"), "dealer 1");
    assert_eq!(met.socket_type, Some(SocketType::Dealer));

    // A peer without a name gets one, and all later events of its connection bear it.
    let mut nameless = DealerSocket::new();
    nameless.connect(&there).expect("connect");
    let known = event(&mut at_router, "a handshake", is_succeeded).await;
    let name = known.routing_id.expect("made up");
    nameless.send("hello").await.expect("send");
    let hello = within("a message", router.recv_message())
        .await
        .expect("recv");
    assert_eq!(hello.peer, name);
    drop(nameless);
    let gone = event(&mut at_router, "the end", is_disconnected).await;
    assert_eq!(gone.routing_id, Some(name));
    assert_eq!(gone.remote, known.remote);
    assert_eq!(gone.fd, known.fd);
    assert!(matches!(gone.reason(), Some(DisconnectReason::Peer)));
    assert_eq!(
        gone.errno(),
        Some(rustix::io::Errno::PIPE.raw_os_error()),
        "as libzmq has it"
    );
}

#[tokio::test]
async fn ipc_peers_are_known_by_their_process() {
    let place = Place::fixed(Transport::Ipc);
    let (mut pull, mut push) = (PullSocket::new(), PushSocket::new());
    let (mut at_pull, mut at_push) = (pull.monitor(), push.monitor());
    let bound = pull.bind(place.endpoint.as_str()).await.expect("bind");
    push.connect(&bound).expect("connect");
    let met = event(&mut at_pull, "a handshake", is_succeeded).await;
    let process = std::process::id().cast_signed();
    let theirs = met.peer.as_ref().and_then(PeerAddress::process);
    assert_eq!(theirs.and_then(|theirs| theirs.pid), Some(process));
    assert_eq!((met.local.as_ref(), met.remote), (Some(&bound), None));
    let here = event(&mut at_push, "a handshake", is_succeeded).await;
    assert_eq!((here.local, here.remote), (None, Some(bound)));
}

/// Each connection's events are complete, whoever ends it and when.
#[tokio::test]
async fn every_connection_that_begins_is_told_to_end() {
    let mut pull = PullSocket::new();
    let mut monitor = pull.monitor();
    let bound = pull.bind(ANY_PORT).await.expect("bind");
    let mut push = PushSocket::new();
    push.connect(&bound).expect("connect");
    event(&mut monitor, "a handshake", is_succeeded).await;
    // In the middle of its handshake when the listener goes.
    let _silent = RawPeer::connect(&bound).await;
    let accepted = |kind: &MonitorEventKind| matches!(kind, MonitorEventKind::Accepted);
    event(&mut monitor, "the silent one", accepted).await;
    within("close", pull.close()).await;
    let rest: Vec<MonitorEvent> = within("the rest", monitor.collect()).await;
    let ended = rest.iter().filter(|event| {
        matches!(
            event.kind,
            MonitorEventKind::Disconnected(DisconnectReason::Local)
        )
    });
    assert_eq!(ended.count(), 2, "{rest:?}");
    let failed = rest.iter().filter(|event| {
        matches!(
            event.kind,
            MonitorEventKind::HandshakeFailed(DisconnectReason::Local)
        )
    });
    assert_eq!(failed.count(), 1, "{rest:?}");
    assert!(
        rest.iter()
            .all(|event| { event.reason().is_none() || event.libzmq().is_none() }),
        "libzmq tells nothing of what this side ends"
    );
    assert!(matches!(
        rest.last().expect("events").kind,
        MonitorEventKind::Stopped
    ));
}

#[tokio::test]
async fn a_monitor_that_came_late_and_one_that_is_dropped_disturb_nobody() {
    let mut pull = PullSocket::new();
    let (dropped, mut first) = (pull.monitor(), pull.monitor());
    drop(dropped);
    pull.bind(ANY_PORT).await.expect("bind");
    let mut late = pull.monitor();
    within("close", pull.close()).await;
    let kind = |event: Option<MonitorEvent>| event.expect("an event").kind;
    assert!(matches!(
        kind(first.recv().await),
        MonitorEventKind::Listening
    ));
    assert!(matches!(kind(first.recv().await), MonitorEventKind::Closed));
    assert!(matches!(
        kind(first.recv().await),
        MonitorEventKind::Stopped
    ));
    assert!(first.recv().await.is_none());
    assert!(first.recv().await.is_none(), "and it stays so");
    assert!(matches!(kind(late.recv().await), MonitorEventKind::Closed));
    assert!(matches!(kind(late.recv().await), MonitorEventKind::Stopped));
    assert!(late.recv().await.is_none());
}

/// Nobody reads this monitor while connections come and go: all goes on, memory for it is bounded, and in the
/// end it says how many events it has lost.
#[tokio::test]
async fn a_lagging_monitor_holds_nothing_up_and_learns_what_it_missed() {
    const CONNECTIONS: usize = 500;
    let mut publisher = PubSocket::new();
    let mut lagging = publisher.monitor();
    let mut awake = publisher.monitor();
    let bound = publisher.bind(ANY_PORT).await.expect("bind");
    for _ in 0..CONNECTIONS {
        let mut peer = RawPeer::connect(&bound).await;
        peer.shake_hands("SUB").await;
        drop(peer);
        event(&mut awake, "the end of the connection", is_disconnected).await;
    }
    // Listening, and three events for each connection, of which it keeps the last 1024.
    let total = 1 + 3 * CONNECTIONS as u64;
    let first = lagging.recv().await.expect("an event");
    let MonitorEventKind::Missed(missed) = first.kind else {
        panic!("it has missed some: {first:?}");
    };
    assert_eq!(missed, total - 1024);
    for _ in 0..1024 {
        let event = within("those that are left", lagging.recv()).await;
        let event = event.expect("an event");
        assert!(!matches!(event.kind, MonitorEventKind::Missed(_)));
    }
    within("close", publisher.close()).await;
    assert!(matches!(
        lagging.recv().await.expect("an event").kind,
        MonitorEventKind::Closed
    ));
}
