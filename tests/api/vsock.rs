//! `vsock://` within this machine: skipped, loudly, where the kernel has no loopback for it.

use std::time::Duration;

use common::within;
use purezmq::{
    BindError, ConnectError, PeerSelector, PullSocket, PushSocket, RepSocket, ReqSocket,
};

/// Where this machine's own listeners are, if the kernel has the module `vsock_loopback`.
const LOOPBACK: &str = "vsock://1:*";

/// Binds a socket, unless nothing can be reached at the loopback.
macro_rules! bound_or_skipped {
    ($socket:expr) => {
        match $socket.bind(LOOPBACK).await {
            Ok(endpoint) => endpoint,
            Err(BindError::AddressNotAvailable { .. } | BindError::Io { .. }) => {
                eprintln!("SKIPPED: this kernel has no vsock loopback (CID 1)");
                return;
            }
            Err(error) => panic!("{error}"),
        }
    };
}

/// R-VSOCK-1: with `*`, a free port is found, and told.
#[tokio::test]
async fn messages_of_all_sizes_go_through_and_the_peer_is_known() {
    let mut pull = PullSocket::new();
    let endpoint = bound_or_skipped!(pull);
    assert_eq!(endpoint.transport(), "vsock");
    let mut push = PushSocket::new();
    push.connect(&endpoint).expect("connect");
    for size in [0, 1, 1000, 1_000_000] {
        push.send(vec![7; size]).await.expect("send");
        let message = within("a message", pull.recv()).await.expect("recv");
        assert_eq!(message[0].len(), size);
    }
    let peer = pull.last_peer().expect("a message has been received");
    assert_eq!(peer.address.transport(), "vsock");
    assert_eq!(peer.get("Peer-Address").as_deref(), Some(&b"1"[..]));
    assert_eq!((peer.address.ip(), peer.address.cid()), (None, Some(1)));
    let machine = "cid:1".parse().expect("a place");
    assert_eq!(pull.disconnect_peer(PeerSelector::At(machine)), 1);
}

#[tokio::test]
async fn an_address_in_use_is_told_and_a_late_listener_is_found() {
    let mut first = RepSocket::new();
    let endpoint = bound_or_skipped!(first);
    let second = RepSocket::new().bind(&endpoint).await;
    assert!(matches!(second, Err(BindError::AddressInUse { .. })));
    first.close().await;
    let mut req = ReqSocket::builder()
        .reconnect_interval(Duration::from_millis(10))
        .build()
        .expect("options");
    req.connect(&endpoint).expect("connect");
    let mut late = RepSocket::new();
    late.bind(&endpoint).await.expect("bind");
    req.send("question").await.expect("send");
    within("the question", late.recv()).await.expect("recv");
    late.send("answer").await.expect("send");
    assert_eq!(
        within("the answer", req.recv()).await.expect("recv"),
        "answer"
    );
}

/// R-VSOCK-1: what stands for any place is for binding.
#[tokio::test]
async fn what_can_never_work_is_refused_at_once() {
    let mut push = PushSocket::new();
    for endpoint in ["vsock://*:1", "vsock://2:*", "vsock://2", "vsock://two:1"] {
        let refused = push.connect(endpoint);
        assert!(
            matches!(refused, Err(ConnectError::Endpoint(_))),
            "{endpoint}"
        );
    }
    let mut pull = PullSocket::builder()
        .require_authentication(true)
        .build()
        .expect("options");
    // Whether or not there is such a device: nobody may listen there unasked.
    let refused = pull.bind("vsock://*:*").await;
    assert!(
        matches!(
            refused,
            Err(BindError::Unauthenticated { .. }
                | BindError::AddressNotAvailable { .. }
                | BindError::Io { .. })
        ),
        "{refused:?}"
    );
}
