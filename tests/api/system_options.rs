//! Options and methods that reach into the system: listeners of somebody else's making, network interfaces,
//! threads, proxies.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::time::Duration;

use common::events::event;
use common::within;
use futures::executor::block_on;
use purezmq::error::BindError;
use purezmq::{
    ConnectError, ConnectFailure, Context, EndpointError, MonitorEventKind as Kind, PullSocket,
    PushSocket, RepSocket, ReqSocket,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

// ---------------------------------------------------------------- adopted listeners

#[tokio::test]
async fn an_adopted_tcp_listener_is_as_a_bound_one() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = listener.local_addr().expect("address");
    let mut rep = RepSocket::new();
    let mut monitor = rep.monitor();
    let endpoint = rep.adopt(listener).await.expect("adopt");
    assert_eq!(endpoint.to_string(), format!("tcp://{address}"));
    assert_eq!(rep.last_endpoint(), Some(endpoint.clone()));
    event(&mut monitor, "listening", |kind| {
        matches!(kind, Kind::Listening)
    })
    .await;
    let mut req = ReqSocket::new();
    req.connect(&endpoint).expect("connect");
    req.send("question").await.expect("send");
    assert_eq!(
        within("question", rep.recv()).await.expect("recv"),
        "question"
    );
    rep.unbind(&endpoint).await.expect("unbind");
    std::net::TcpListener::bind(address).expect("the address is free");
}

#[cfg(unix)]
#[tokio::test]
async fn an_adopted_ipc_listener_is_as_a_bound_one_but_for_its_file() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("socket");
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("listen");
    let mut pull = PullSocket::new();
    let endpoint = pull.adopt(listener).await.expect("adopt");
    assert_eq!(endpoint.to_string(), format!("ipc://{}", path.display()));
    let mut push = PushSocket::new();
    push.connect(&endpoint).expect("connect");
    push.send("hello").await.expect("send");
    assert_eq!(within("hello", pull.recv()).await.expect("recv"), "hello");
    pull.unbind(&endpoint).await.expect("unbind");
    assert!(path.exists(), "the file is its maker's");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_adopted_listener_may_have_an_abstract_name() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};
    let name = format!("purezmq-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("address");
    let listener = UnixListener::bind_addr(&address).expect("listen");
    let mut pull = PullSocket::new();
    let endpoint = pull.adopt(listener).await.expect("adopt");
    assert_eq!(endpoint.to_string(), format!("ipc://@{name}"));
}

#[test]
fn adopting_needs_a_runtime() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listen");
    let adopted = block_on(PullSocket::new().adopt(listener));
    assert!(matches!(adopted, Err(BindError::NoRuntime { .. })));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listen");
    let context = Context::with_io_threads(1).expect("threads");
    let mut pull = PullSocket::builder()
        .context(&context)
        .build()
        .expect("options");
    block_on(pull.adopt(listener)).expect("the context has one");
}

// ---------------------------------------------------------------- I/O threads

/// Tells which thread wakes.
struct ThreadOfWake(Mutex<mpsc::Sender<String>>);

impl Wake for ThreadOfWake {
    fn wake(self: Arc<Self>) {
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        let _ = self.0.lock().expect("not poisoned").send(name);
    }
}

/// The thread on which the connection of a receiver with this affinity runs.
fn thread_of_connection(context: &Context, affinity: u64) -> String {
    let mut pull = PullSocket::builder()
        .context(context)
        .affinity(affinity)
        .build()
        .expect("the threads are there");
    let endpoint = block_on(pull.bind("tcp://127.0.0.1:*")).expect("bind");
    let (sender, threads) = mpsc::channel();
    let waker = Waker::from(Arc::new(ThreadOfWake(Mutex::new(sender))));
    let mut push = PushSocket::builder()
        .context(&Context::with_io_threads(1).expect("threads"))
        .build()
        .expect("options");
    push.connect(&endpoint).expect("connect");
    let mut receiving = std::pin::pin!(pull.recv());
    let mut task = TaskContext::from_waker(&waker);
    assert!(receiving.as_mut().poll(&mut task).is_pending());
    block_on(push.send("wake up")).expect("send");
    loop {
        let thread = threads
            .recv_timeout(common::PATIENCE)
            .expect("something comes");
        if let Poll::Ready(message) = receiving.as_mut().poll(&mut task) {
            assert_eq!(message.expect("recv"), "wake up");
            return thread;
        }
    }
}

#[test]
fn connections_run_on_the_threads_that_their_socket_allows() {
    let context = Context::with_io_threads(3).expect("threads");
    for _ in 0..3 {
        assert_eq!(thread_of_connection(&context, 0b001), "purezmq-io-0");
        assert_eq!(thread_of_connection(&context, 0b100), "purezmq-io-2");
    }
    let mut both = [0b110, 0b110].map(|affinity| thread_of_connection(&context, affinity));
    both.sort();
    assert!(!both.contains(&"purezmq-io-0".to_owned()), "{both:?}");
}

#[test]
fn an_affinity_to_threads_that_are_not_there_is_refused() {
    let context = Context::with_io_threads(2).expect("threads");
    let build = |context: &Context, affinity| {
        PullSocket::builder()
            .context(context)
            .affinity(affinity)
            .build()
    };
    assert!(build(&context, 0b11).is_ok());
    for (context, affinity) in [
        (&context, 0b100),
        (&context, u64::MAX),
        (&Context::new(), 1),
    ] {
        let error = build(context, affinity).expect_err("no such thread");
        assert_eq!(error.option(), "affinity");
    }
    let mut pull = build(&context, 0b01).expect("options");
    let error = pull
        .set_options(|options| options.affinity(0b100))
        .expect_err("no such thread");
    assert_eq!(error.option(), "affinity");
}

// ---------------------------------------------------------------- network interfaces

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_device_that_is_not_there_is_an_error_and_the_loopback_works() {
    let mut pull = PullSocket::builder()
        .bind_device("nonesuch0")
        .build()
        .expect("options");
    let error = pull
        .bind("tcp://127.0.0.1:*")
        .await
        .expect_err("no such device");
    assert!(matches!(error, BindError::Io { .. }), "{error}");

    pull.set_options(|options| options.bind_device("lo"))
        .expect("in range");
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.expect("bind");
    let mut push = PushSocket::builder()
        .bind_device("nonesuch0")
        .reconnect_interval(None)
        .build()
        .expect("options");
    let mut monitor = push.monitor();
    push.connect(&endpoint).expect("connect");
    event(&mut monitor, "no such device", |kind| {
        matches!(kind, Kind::ConnectFailed(ConnectFailure::Io { .. }))
    })
    .await;
    push.set_options(|options| options.bind_device("lo"))
        .expect("in range");
    push.connect(&endpoint).expect("connect");
    push.send("through the loopback").await.expect("send");
    let message = within("message", pull.recv()).await.expect("recv");
    assert_eq!(message, "through the loopback");
}

// ---------------------------------------------------------------- proxies

/// A SOCKS5 proxy without authentication (RFC 1928) that connects to one peer whoever is asked for, or refuses.
/// It gives the request that it got.
async fn proxy(peer: Option<SocketAddr>) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
    let address = listener.local_addr().expect("address");
    let serving = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.expect("accept");
        let mut greeting = [0; 2];
        client.read_exact(&mut greeting).await.expect("greeting");
        assert_eq!(greeting[0], 5);
        let mut methods = vec![0; greeting[1].into()];
        client.read_exact(&mut methods).await.expect("methods");
        assert!(methods.contains(&0));
        client.write_all(&[5, 0]).await.expect("method");
        let mut request = vec![0; 5];
        client.read_exact(&mut request).await.expect("request");
        let rest = match request[3] {
            1 => 3 + 2,
            3 => usize::from(request[4]) + 2,
            4 => 15 + 2,
            other => panic!("address type {other}"),
        };
        request.resize(5 + rest, 0);
        client.read_exact(&mut request[5..]).await.expect("address");
        let verdict = if peer.is_some() { 0 } else { 5 };
        let reply = [5, verdict, 0, 1, 0, 0, 0, 0, 0, 0];
        client.write_all(&reply).await.expect("reply");
        if let Some(peer) = peer {
            let mut server = TcpStream::connect(peer).await.expect("peer");
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
        request
    });
    (address, serving)
}

fn address_of(endpoint: &purezmq::Endpoint) -> SocketAddr {
    let text = endpoint.to_string();
    text.trim_start_matches("tcp://").parse().expect("address")
}

#[tokio::test]
async fn connections_go_through_the_proxy_which_resolves_names() {
    let mut pull = PullSocket::new();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.expect("bind");
    let peer = address_of(&endpoint);
    for (target, expected) in [
        (
            "tcp://far.away.invalid:1234".to_owned(),
            [&[5, 1, 0, 3, 16][..], b"far.away.invalid", &[4, 210]].concat(),
        ),
        (
            endpoint.to_string(),
            [
                &[5, 1, 0, 1][..],
                &Ipv4Addr::LOCALHOST.octets(),
                &peer.port().to_be_bytes(),
            ]
            .concat(),
        ),
    ] {
        let (address, served) = proxy(Some(peer)).await;
        let mut push = PushSocket::builder()
            .socks_proxy(address.to_string())
            .build()
            .expect("options");
        push.connect(target.as_str()).expect("connect");
        push.send("through the proxy").await.expect("send");
        let message = within("message", pull.recv()).await.expect("recv");
        assert_eq!(message, "through the proxy");
        assert_eq!(served.await.expect("proxy"), expected);
    }
}

/// The source is where the connection to the proxy comes from: the one to the peer is the proxy's.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_source_address_is_that_of_the_connection_to_the_proxy() {
    let mut pull = PullSocket::new();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.expect("bind");
    let peer = address_of(&endpoint);
    for target in [
        peer.to_string(),
        "far.away.invalid:1234".to_owned(),
        "[::1]:1234".to_owned(),
    ] {
        let (address, served) = proxy(Some(peer)).await;
        let mut push = PushSocket::builder()
            .socks_proxy(address.to_string())
            .build()
            .expect("options");
        let mut monitor = push.monitor();
        push.connect(format!("tcp://127.0.0.2:0;{target}").as_str())
            .expect("connect");
        push.send("from there").await.expect("send");
        let message = within("message", pull.recv()).await.expect("recv");
        assert_eq!(message, "from there");
        served.await.expect("proxy");
        let connected = event(&mut monitor, "a connection", |kind| {
            matches!(kind, Kind::Connected)
        });
        let local = connected.await.local.expect("an address");
        assert!(local.to_string().starts_with("tcp://127.0.0.2:"), "{local}");
    }
}

/// From an IPv4 address nobody ever reaches an IPv6 one: that is said at the call, not at each attempt. The one that
/// counts is the proxy's, if there is one.
#[tokio::test]
async fn a_source_address_of_the_other_ip_version_is_refused_at_the_call() {
    const PROXY4: Option<&str> = Some("127.0.0.1:1080");
    const PROXY6: Option<&str> = Some("[::1]:1080");
    const NAMED: Option<&str> = Some("localhost:1080");
    for (proxy, endpoint, works) in [
        (None, "127.0.0.1:*;[::1]:9", false),
        (None, "[::1]:*;127.0.0.1:9", false),
        (None, "[fe80::1%lo]:*;127.0.0.1:9", false),
        (None, "127.0.0.1:*;127.0.0.1:9", true),
        (None, "*:*;[::1]:9", true),
        (None, "localhost:*;[::1]:9", true),
        (None, "127.0.0.1:*;localhost:9", true),
        (PROXY4, "[::1]:*;[::1]:9", false),
        (PROXY6, "127.0.0.1:*;127.0.0.1:9", false),
        (PROXY6, "127.0.0.1:*;far.away.invalid:9", false),
        (PROXY4, "127.0.0.1:*;[::1]:9", true),
        (PROXY6, "[::1]:*;127.0.0.1:9", true),
        (NAMED, "127.0.0.1:*;[::1]:9", true),
        (PROXY4, "*:*;[::1]:9", true),
    ] {
        for scheme in ["tcp", "tls+tcp"] {
            let what = format!("{scheme}://{endpoint} by {proxy:?}");
            let mut builder = PushSocket::builder().linger(Duration::ZERO);
            if let Some(proxy) = proxy {
                builder = builder.socks_proxy(proxy);
            }
            let connected = builder
                .build()
                .expect("options")
                .connect(format!("{scheme}://{endpoint}"));
            let is_refused = matches!(
                connected,
                Err(ConnectError::Endpoint(EndpointError::OtherIpVersion { .. }))
            );
            assert_eq!(is_refused, !works, "{what}: {connected:?}");
        }
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_is_a_failure_of_the_attempt() {
    let (address, _served) = proxy(None).await;
    let mut push = PushSocket::builder()
        .socks_proxy(address.to_string())
        .build()
        .expect("options");
    let mut monitor = push.monitor();
    push.connect("tcp://far.away.invalid:1234")
        .expect("connect");
    let failure = event(&mut monitor, "the refusal", |kind| {
        matches!(kind, Kind::ConnectFailed(_))
    })
    .await;
    let Kind::ConnectFailed(ConnectFailure::Proxy {
        address: asked,
        reason,
    }) = failure.kind
    else {
        panic!("{failure:?}");
    };
    assert_eq!(asked, address);
    assert!(!reason.is_empty());
    event(&mut monitor, "another attempt", |kind| {
        matches!(kind, Kind::ConnectRetried { .. })
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_proxy_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
    let address = listener.local_addr().expect("address");
    let mut push = PushSocket::builder()
        .socks_proxy(address.to_string())
        .connect_timeout(Duration::from_secs(3))
        .build()
        .expect("options");
    let mut monitor = push.monitor();
    push.connect("tcp://far.away.invalid:1234")
        .expect("connect");
    event(&mut monitor, "the time-out", |kind| {
        matches!(kind, Kind::ConnectFailed(ConnectFailure::TimedOut { .. }))
    })
    .await;
}

#[test]
fn the_address_of_a_proxy_is_a_host_and_a_port() {
    for address in ["", "host", "host:0", "*:1080", "host:*", "*:1;h:*"] {
        let error = PullSocket::builder()
            .socks_proxy(address)
            .build()
            .expect_err("no address");
        assert_eq!(error.option(), "socks_proxy");
    }
    for address in [
        "host:1080",
        "127.0.0.1:1080",
        "[::1]:1080",
        "1.2.3.4:1;h:1080",
    ] {
        PullSocket::builder()
            .socks_proxy(address)
            .build()
            .expect("an address");
    }
}
