//! Real sockets on loopback and in a temporary directory.

use std::future::Future;
use std::io::IoSlice;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::*;
use crate::endpoint::EndpointError;

#[cfg(unix)]
mod ipc;

fn endpoint(text: &str) -> Endpoint {
    text.parse().unwrap()
}

fn options() -> Options {
    Options {
        connect_timeout: Some(Duration::from_secs(5)),
        ..Options::default()
    }
}

async fn bind(endpoint: &Endpoint, options: &Options) -> Result<Listener, BindError> {
    super::bind(endpoint, options, None).await
}

async fn connect(
    endpoint: &Endpoint,
    options: &Options,
    delayed: &(dyn Fn() + Sync),
) -> Result<(Stream, PeerAddress), ConnectFailure> {
    super::connect(endpoint, options, None, delayed).await
}

async fn bound(text: &str) -> Listener {
    bind(&endpoint(text), &options()).await.unwrap()
}

async fn bind_failure(text: &str) -> BindError {
    match bind(&endpoint(text), &options()).await {
        Ok(listener) => panic!("{text} was bound as {}", listener.endpoint()),
        Err(error) => error,
    }
}

/// Connects, accepts, and moves bytes both ways; gives the address of the connecting side.
async fn exchange(listener: &Listener, target: &Endpoint) -> PeerAddress {
    let options = options();
    let (connected, accepted) = tokio::join!(connect(target, &options, &|| ()), listener.accept());
    let (mut here, _) = connected.unwrap();
    let (mut there, peer) = accepted.unwrap();
    assert!(here.is_write_vectored() && there.is_write_vectored());
    let parts = [IoSlice::new(b"there "), IoSlice::new(b"and")];
    assert_eq!(here.write_vectored(&parts).await.unwrap(), 9);
    there.write_all(b"back").await.unwrap();
    there.shutdown().await.unwrap();
    let mut received = Vec::new();
    here.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"back");
    drop(here);
    received.clear();
    there.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"there and");
    peer
}

fn ipv6_works() -> bool {
    let works = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !works {
        eprintln!("SKIPPED: this machine has no IPv6 loopback");
    }
    works
}

/// A port that nobody listens at.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test]
async fn ipv4_with_a_port_of_the_systems_choice() {
    let listener = bound("tcp://127.0.0.1:*").await;
    let target = listener.endpoint().clone();
    assert_ne!(target.port(), None);
    let peer = exchange(&listener, &target).await;
    assert_eq!(peer.ip(), Some(Ipv4Addr::LOCALHOST.into()));
}

#[tokio::test]
async fn ipv6_with_a_port_of_the_systems_choice() {
    if !ipv6_works() {
        return;
    }
    let listener = bound("tcp://[::1]:0").await;
    let target = listener.endpoint().clone();
    assert!(target.to_string().starts_with("tcp://[::1]:"));
    let peer = exchange(&listener, &target).await;
    assert_eq!(peer.ip(), Some(Ipv6Addr::LOCALHOST.into()));
}

#[tokio::test]
async fn the_wildcard_takes_peers_of_both_kinds() {
    if !ipv6_works() {
        return;
    }
    // Of `*`, the one name to which peers of both kinds can connect.
    for (text, host) in [("tcp://*:*", "0.0.0.0"), ("tcp://[::]:*", "[::]")] {
        let listener = bound(text).await;
        let port = listener.endpoint().port().unwrap();
        assert_eq!(
            listener.endpoint().to_string(),
            format!("tcp://{host}:{port}")
        );
        exchange(&listener, &endpoint(&format!("tcp://[::1]:{port}"))).await;
        let v4 = endpoint(&format!("tcp://127.0.0.1:{port}"));
        let peer = exchange(&listener, &v4).await;
        let v4 = Ipv4Addr::LOCALHOST.into();
        assert_eq!(peer.ip(), Some(v4), "shown as what it is");
        // What bind returned can be given to connect on this machine.
        exchange(&listener, &listener.endpoint().clone()).await;
    }
}

#[tokio::test]
async fn without_ipv6_everything_is_ipv4() {
    let options = Options {
        ipv6: false,
        ..options()
    };
    let listener = bind(&endpoint("tcp://*:*"), &options).await.unwrap();
    let port = listener.endpoint().port().unwrap();
    assert_eq!(
        listener.endpoint().to_string(),
        format!("tcp://0.0.0.0:{port}")
    );
    let error = bind(&endpoint("tcp://[::1]:*"), &options)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("option ipv6 is off"), "{error}");
    let failure = connect(&endpoint(&format!("tcp://[::1]:{port}")), &options, &|| ()).await;
    let failure = failure.unwrap_err();
    assert!(
        failure.to_string().contains("option ipv6 is off"),
        "{failure}"
    );
}

#[tokio::test]
async fn a_name_binds_and_connects() {
    let listener = bound("tcp://localhost:*").await;
    let port = listener.endpoint().port().unwrap();
    exchange(&listener, &endpoint(&format!("tcp://localhost:{port}"))).await;
}

#[tokio::test]
async fn every_address_of_a_name_is_tried() {
    // localhost is ::1 first on most machines: whichever it is, the other one must be reached.
    for host in ["127.0.0.1", "[::1]"] {
        if host == "[::1]" && !(ipv6_works() && localhost_has_ipv6().await) {
            continue;
        }
        let listener = bound(&format!("tcp://{host}:*")).await;
        let port = listener.endpoint().port().unwrap();
        exchange(&listener, &endpoint(&format!("tcp://localhost:{port}"))).await;
    }
}

async fn localhost_has_ipv6() -> bool {
    let mut found = tokio::net::lookup_host("localhost:0").await.unwrap();
    found.any(|address| address.is_ipv6())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_interface_binds_by_its_name() {
    let listener = bound("tcp://lo:*").await;
    let port = listener.endpoint().port().unwrap();
    assert_eq!(
        listener.endpoint().to_string(),
        format!("tcp://127.0.0.1:{port}")
    );
}

#[tokio::test]
async fn an_address_in_use_is_told() {
    let first = bound("tcp://127.0.0.1:*").await;
    let taken = first.endpoint().to_string();
    assert!(matches!(
        bind_failure(&taken).await,
        BindError::AddressInUse { endpoint } if endpoint == *first.endpoint()
    ));
    drop(first);
    bound(&taken).await;
}

#[tokio::test]
async fn a_restarted_server_gets_its_port_back_at_once() {
    let first = bound("tcp://127.0.0.1:*").await;
    let target = first.endpoint().clone();
    let options = options();
    let (connected, accepted) = tokio::join!(connect(&target, &options, &|| ()), first.accept());
    // The server closes first, so TIME_WAIT is at its port.
    drop((accepted, first));
    drop(connected);
    bound(&target.to_string()).await;
}

#[tokio::test]
async fn addresses_of_others_cannot_be_bound() {
    for text in ["tcp://192.0.2.1:*", "tcp://no-such-name.invalid:*"] {
        let error = bind_failure(text).await;
        assert!(
            matches!(error, BindError::AddressNotAvailable { .. }),
            "{error}"
        );
    }
    let error = bind_failure("tcp://no-such-name.invalid:*").await;
    assert!(error.to_string().contains("no interface"), "{error}");
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_bound_is_the_callers_mistake() {
    assert!(matches!(
        bind_failure("tcp://127.0.0.1:1;127.0.0.1:2").await,
        BindError::Endpoint(EndpointError::NotBindable { .. })
    ));
}

#[test]
fn binding_outside_of_a_runtime_is_an_error() {
    let (endpoint, options) = (endpoint("tcp://127.0.0.1:*"), options());
    let mut cx = Context::from_waker(Waker::noop());
    let bound = pin!(bind(&endpoint, &options)).poll(&mut cx);
    assert!(matches!(
        bound,
        Poll::Ready(Err(BindError::NoRuntime { .. }))
    ));
}

#[tokio::test]
async fn a_port_without_listener_refuses() {
    let target = endpoint(&format!("tcp://127.0.0.1:{}", free_port()));
    let failure = connect(&target, &options(), &|| ()).await.unwrap_err();
    assert!(failure.is_refused(), "{failure}");
}

#[tokio::test]
async fn an_unknown_name_fails_that_attempt() {
    let target = endpoint("tcp://no-such-name.invalid:1");
    let failure = connect(&target, &options(), &|| ()).await.unwrap_err();
    assert!(
        matches!(failure, ConnectFailure::Resolve { ref host, .. } if host == "no-such-name.invalid"),
        "{failure}"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_peer_that_does_not_answer_times_out() {
    // Linux ignores connection requests once the backlog is full.
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    SockRef::from(&listener).listen(1).unwrap();
    let target = Endpoint::from(listener.local_addr().unwrap());
    let options = Options {
        connect_timeout: Some(Duration::from_millis(200)),
        ..options()
    };
    let mut waiting = Vec::new();
    for _ in 0..8 {
        match connect(&target, &options, &|| ()).await {
            Ok(stream) => waiting.push(stream),
            Err(failure) => {
                assert!(
                    matches!(failure, ConnectFailure::TimedOut { after, .. }
                        if after == Duration::from_millis(200)),
                    "{failure}"
                );
                return;
            }
        }
    }
    panic!("the backlog never filled");
}

/// An endpoint that dials where nobody listens costs its runtime no turn.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn that_nobody_listens_on_this_machine_is_known_at_once() {
    let target = endpoint(&format!("tcp://127.0.0.1:{}", free_port()));
    let (options, told) = (
        Options::default(),
        std::sync::atomic::AtomicBool::new(false),
    );
    let delayed = || told.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut connecting = pin!(connect(&target, &options, &delayed));
    let polled = connecting
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Err(failure)) = polled else {
        panic!("it is not known yet");
    };
    assert!(failure.is_refused(), "{failure}");
    assert!(
        told.load(std::sync::atomic::Ordering::Relaxed),
        "monitors hear of an attempt that takes its time"
    );
}

#[tokio::test]
async fn a_connection_to_itself_is_a_refusal() {
    let port = free_port();
    let target = endpoint(&format!("tcp://127.0.0.1:{port};127.0.0.1:{port}"));
    let failure = connect(&target, &options(), &|| ()).await.unwrap_err();
    assert!(failure.is_refused(), "{failure}");
    // And it leaves the port to the peer that is to come.
    bound(&format!("tcp://127.0.0.1:{port}")).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_source_address_is_what_the_peer_sees() {
    let listener = bound("tcp://127.0.0.1:*").await;
    let port = listener.endpoint().port().unwrap();
    let source = free_port();
    let target = endpoint(&format!("tcp://127.0.0.2:{source};127.0.0.1:{port}"));
    let peer = exchange(&listener, &target).await;
    assert_eq!(peer.to_string(), format!("tcp://127.0.0.2:{source}"));

    // Any source fits a target of either version, a literal one only its own.
    let target = endpoint(&format!("tcp://*:*;127.0.0.1:{port}"));
    exchange(&listener, &target).await;
    let target = endpoint(&format!("tcp://[::1]:*;127.0.0.1:{port}"));
    let failure = connect(&target, &options(), &|| ()).await.unwrap_err();
    assert!(failure.to_string().contains("IP version"), "{failure}");
    let target = endpoint(&format!("tcp://192.0.2.1:*;127.0.0.1:{port}"));
    let failure = connect(&target, &options(), &|| ()).await.unwrap_err();
    assert!(failure.to_string().contains("source address"), "{failure}");
}

#[tokio::test]
async fn a_cancelled_accept_loses_no_connection() {
    let listener = bound("tcp://127.0.0.1:*").await;
    for _ in 0..3 {
        let accepting = tokio::time::timeout(Duration::from_millis(1), listener.accept());
        assert!(accepting.await.is_err());
    }
    exchange(&listener, &listener.endpoint().clone()).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn socket_options_reach_both_ends() {
    let options = Options {
        tcp_keepalive_count: Some(5),
        tcp_keepalive_idle: Some(Duration::from_secs(60)),
        tcp_keepalive_interval: Some(Duration::from_secs(7)),
        tcp_user_timeout: Some(Duration::from_millis(1234)),
        send_buffer: Some(40_000),
        recv_buffer: Some(50_000),
        tos: 0x10,
        priority: 5,
        ..options()
    };
    let listener = bind(&endpoint("tcp://127.0.0.1:*"), &options)
        .await
        .unwrap();
    let (connected, accepted) = tokio::join!(
        connect(listener.endpoint(), &options, &|| ()),
        listener.accept()
    );
    for stream in [connected.unwrap().0, accepted.unwrap().0] {
        let Stream::Tcp(stream) = stream else {
            panic!("not tcp");
        };
        let socket = SockRef::from(&stream);
        assert!(socket.tcp_nodelay().unwrap());
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 5);
        assert_eq!(socket.tcp_keepalive_time().unwrap().as_secs(), 60);
        assert_eq!(socket.tcp_keepalive_interval().unwrap().as_secs(), 7);
        assert_eq!(
            socket.tcp_user_timeout().unwrap(),
            Some(Duration::from_millis(1234))
        );
        // Linux keeps twice what was asked for.
        assert_eq!(socket.send_buffer_size().unwrap(), 80_000);
        assert_eq!(socket.recv_buffer_size().unwrap(), 100_000);
        assert_eq!(socket.tos_v4().unwrap(), 0x10);
        assert_eq!(socket.priority().unwrap(), 5);
    }
}

/// Who has no privilege may not poll for longer than the system itself.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_system_polls_for_as_long_as_it_is_told_or_says_that_it_does_not() {
    let options = Options {
        system_busy_poll: Some(Duration::from_micros(50)),
        ..options()
    };
    let listener = match bind(&endpoint("tcp://127.0.0.1:*"), &options).await {
        Ok(listener) => listener,
        Err(error) => {
            let BindError::Io { source, .. } = &error else {
                panic!("{error}");
            };
            assert_eq!(source.kind(), std::io::ErrorKind::PermissionDenied);
            return;
        }
    };
    let (connected, accepted) = tokio::join!(
        connect(listener.endpoint(), &options, &|| ()),
        listener.accept()
    );
    for stream in [connected.unwrap().0, accepted.unwrap().0] {
        let Stream::Tcp(stream) = stream else {
            panic!("not tcp");
        };
        assert_eq!(SockRef::from(&stream).busy_poll().unwrap(), 50);
    }
}

/// What cannot be sent yet waits in pipes: the system takes little of it, unless the user has chosen its buffer.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_system_takes_little_that_it_cannot_send() {
    for (send_buffer, small) in [(None, 256 * 1024), (Some(40_000), 0)] {
        let options = Options {
            send_buffer,
            ..options()
        };
        let listener = bind(&endpoint("tcp://127.0.0.1:*"), &options)
            .await
            .unwrap();
        let (connected, accepted) = tokio::join!(
            connect(listener.endpoint(), &options, &|| ()),
            listener.accept()
        );
        for stream in [connected.unwrap().0, accepted.unwrap().0] {
            let limit = |stream: &Stream| match stream {
                Stream::Tcp(stream) => SockRef::from(stream).tcp_notsent_lowat().unwrap(),
                _ => panic!("not tcp"),
            };
            assert_eq!(limit(&stream), small);
            if send_buffer.is_none() {
                stream.expect_large();
                assert_eq!(limit(&stream), 1024 * 1024);
            }
        }
    }
}

/// What goes to this machine itself is not spaced out; what goes elsewhere is sent as the administrator wants it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn over_loopback_nothing_is_paced() {
    let is_paced = |socket: &SockRef<'_>| socket.tcp_congestion().unwrap().starts_with(b"bbr");
    let listener = bound("tcp://127.0.0.1:0").await;
    let (target, options) = (listener.endpoint().clone(), options());
    let (connected, accepted) = tokio::join!(connect(&target, &options, &|| ()), listener.accept());
    for stream in [connected.unwrap().0, accepted.unwrap().0] {
        let Stream::Tcp(stream) = stream else {
            panic!("this is tcp");
        };
        assert!(!is_paced(&SockRef::from(&stream)));
    }
    let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let socket = SockRef::from(&socket);
    if socket.set_tcp_congestion(b"bbr").is_err() {
        eprintln!("SKIPPED: this machine has no BBR, or does not let everybody choose it");
        return;
    }
    for other in [[192, 0, 2, 1], [0, 0, 0, 0]] {
        sockopt::unpaced(&socket, (other, 5555).into());
        assert!(is_paced(&socket), "{other:?} is not this machine alone");
    }
    sockopt::unpaced(&socket, (Ipv6Addr::LOCALHOST, 5555).into());
    assert!(!is_paced(&socket));
}

/// A batch is half of what a Unix socket holds. Where that is as small as it is made, both sides sleep in turns.
#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_holds_more_once_large_payloads_go_out() {
    let (here, _there) = tokio::net::UnixStream::pair().unwrap();
    let socket = SockRef::from(&here);
    socket.set_send_buffer_size(16 * 1024).unwrap();
    let before = socket.send_buffer_size().unwrap();
    assert_eq!(here.batch(), Some(before / 2));
    here.expect_large();
    assert!(socket.send_buffer_size().unwrap() > before);
}
