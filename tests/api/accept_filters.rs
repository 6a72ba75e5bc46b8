//! Who may connect to a bound endpoint by where it comes from: options `accept_networks`, `accept_users`, `accept_groups`
//! and `accept_processes`.

use std::net::IpAddr;
#[cfg(unix)]
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use common::events::event;
use common::within;
use purezmq::options::{OptionId, Options, ZmqValue};
use purezmq::{
    AnySocket, Context, DisconnectReason, Endpoint, Monitor, MonitorEventKind as Kind, PullSocket,
    PushSocket, SocketType,
};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// Waits until somebody is kept out, and returns by which option.
async fn kept_out(monitor: &mut Monitor) -> &'static str {
    event(monitor, "an accepted connection", |kind| {
        matches!(kind, Kind::Accepted)
    })
    .await;
    let failed = event(monitor, "a failed handshake", |kind| {
        matches!(kind, Kind::HandshakeFailed(_))
    })
    .await;
    // ZMQ_EVENT_ACCEPT_FAILED
    assert_eq!(failed.libzmq().map(|event| event.number), Some(0x0040));
    assert!(failed.peer.is_some());
    let end = |kind: &Kind| matches!(kind, Kind::Disconnected(_));
    match event(monitor, "its end", end).await.kind {
        Kind::Disconnected(DisconnectReason::KeptOut { option }) => option,
        other => panic!("{other:?}"),
    }
}

/// Says whether a pusher that connects there comes in.
async fn comes_in(pull: &mut PullSocket, bound: &Endpoint) -> bool {
    let mut monitor = pull.monitor();
    let failures = pull.stats().handshake_failures;
    // Dropped, it does not go on trying.
    let mut push = PushSocket::builder()
        .linger(Duration::ZERO)
        .build()
        .unwrap();
    push.connect(bound).expect("connect");
    push.send("hello").await.expect("send");
    let decided = event(&mut monitor, "a decision", |kind| {
        matches!(
            kind,
            Kind::HandshakeSucceeded | Kind::Disconnected(DisconnectReason::KeptOut { .. })
        )
    })
    .await;
    let is_in = matches!(decided.kind, Kind::HandshakeSucceeded);
    if is_in {
        assert_eq!(within("hello", pull.recv()).await.expect("recv"), "hello");
    } else {
        assert!(pull.stats().handshake_failures > failures, "it is counted");
    }
    is_in
}

#[tokio::test]
async fn tcp_peers_come_from_the_networks_that_are_named() {
    let address = |text: &str| text.parse::<IpAddr>().expect("an address");
    let mut pull = PullSocket::builder()
        .accept_networks([address("10.1.2.3")])
        .build()
        .unwrap();
    let mut monitor = pull.monitor();
    let bound = pull.bind(ANY_PORT).await.expect("bind");
    assert!(!comes_in(&mut pull, &bound).await);
    assert_eq!(kept_out(&mut monitor).await, "accept_networks");
    // A change is for later endpoints.
    pull.set_options(|options| options.accept_networks([address("127.0.0.1")]))
        .unwrap();
    assert!(!comes_in(&mut pull, &bound).await);
    let other = pull.bind(ANY_PORT).await.expect("bind");
    assert!(comes_in(&mut pull, &other).await);
    pull.set_options(|options| options.accept_networks([] as [IpAddr; 0]))
        .unwrap();
    let open = pull.bind(ANY_PORT).await.expect("bind");
    assert!(comes_in(&mut pull, &open).await);
}

/// Binds a PULL with libzmq's options set in this order, and says whether a pusher comes in.
async fn is_let_in(place: &str, calls: &[(i32, &[u8])]) -> bool {
    let mut options = Options::of(SocketType::Pull);
    for (number, memory) in calls {
        let id = OptionId::by_number(*number).expect("an option");
        let value = ZmqValue::from_bytes(id, memory).expect("its form");
        options.set_zmq(id, value).expect("its value");
    }
    let socket = AnySocket::with_options(SocketType::Pull, &Context::global(), options);
    let socket: Result<PullSocket, _> = socket.expect("a socket").downcast();
    let mut pull = socket.expect("a PULL");
    let bound = pull.bind(place).await.expect("bind");
    comes_in(&mut pull, &bound).await
}

#[tokio::test]
async fn libzmqs_filter_of_networks_has_masks_grows_and_is_cleared() {
    const FILTER: i32 = 38;
    let rows: &[(&[&str], bool)] = &[
        (&["127.0.0.1"], true),
        (&["127.0.0.1/32"], true),
        (&["127.0.0.77/24"], true),
        (&["126.0.0.0/7"], true),
        (&["0.0.0.0/0"], true),
        (&["127.0.0.2"], false),
        (&["128.0.0.0/2"], false),
        (&["::1"], false),
        (&["10.0.0.0/8", "192.168.0.0/16"], false),
        (&["10.0.0.0/8", "127.0.0.0/8"], true),
        (&["10.0.0.0/8", ""], true),
    ];
    for (filters, expected) in rows {
        let calls: Vec<_> = filters.iter().map(|one| (FILTER, one.as_bytes())).collect();
        assert_eq!(is_let_in(ANY_PORT, &calls).await, *expected, "{filters:?}");
    }
    // A dual-stack listener has IPv4 peers in IPv4 networks.
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        assert!(is_let_in("tcp://[::1]:*", &[(FILTER, b"::1/128")]).await);
        assert!(!is_let_in("tcp://[::1]:*", &[(FILTER, b"127.0.0.1")]).await);
    }
    // It says nothing of ipc.
    #[cfg(unix)]
    assert!(is_let_in("ipc://*", &[(FILTER, b"10.0.0.1")]).await);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn libzmqs_filters_of_processes_let_in_whom_one_of_them_names() {
    const PID: i32 = 58;
    const UID: i32 = 59;
    const GID: i32 = 60;
    let me = std::fs::metadata("/proc/self").expect("this process");
    let (uid, gid) = (me.uid().to_ne_bytes(), me.gid().to_ne_bytes());
    let pid = std::process::id().to_ne_bytes();
    let (other_uid, other_gid) = ((me.uid() + 1).to_ne_bytes(), 4_000_000_u32.to_ne_bytes());
    let other_pid = (std::process::id() + 1).to_ne_bytes();
    type Call<'a> = (i32, &'a [u8]);
    let rows: &[(&[Call], bool)] = &[
        (&[(UID, &uid)], true),
        (&[(GID, &gid)], true),
        (&[(PID, &pid)], true),
        (&[(UID, &other_uid)], false),
        (&[(GID, &other_gid)], false),
        (&[(PID, &other_pid)], false),
        (&[(UID, &other_uid), (UID, &uid)], true),
        (&[(UID, &other_uid), (GID, &gid)], true),
        (&[(PID, &other_pid), (GID, &other_gid)], false),
        (&[(UID, &other_uid), (UID, &[])], true),
    ];
    for (calls, expected) in rows {
        assert_eq!(is_let_in("ipc://*", calls).await, *expected, "{calls:?}");
    }
    // They say nothing of tcp.
    assert!(is_let_in(ANY_PORT, &[(UID, &other_uid)]).await);
    // A supplementary group of this process, if it has one.
    let status = std::fs::read_to_string("/proc/self/status").expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("Groups:"));
    let mut groups = line.unwrap_or_default().split_whitespace();
    if let Some(group) = groups.find(|group| group.parse() != Ok(me.gid())) {
        let group = group.parse::<u32>().expect("a number").to_ne_bytes();
        assert!(is_let_in("ipc://*", &[(GID, &group)]).await);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn typed_lists_of_processes_tell_who_is_kept_out() {
    let me = std::fs::metadata(".").expect("a folder");
    let mut pull = PullSocket::builder()
        .accept_users([u32::MAX])
        .accept_groups([4_000_000])
        .accept_processes([i32::MAX])
        .build()
        .unwrap();
    let mut monitor = pull.monitor();
    let bound = pull.bind("ipc://*").await.expect("bind");
    assert!(!comes_in(&mut pull, &bound).await, "{}", me.uid());
    assert_eq!(kept_out(&mut monitor).await, "accept_users");
}
