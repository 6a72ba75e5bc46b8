//! The monitor: which events come and in which order. The same happens to a real libzmq, whose events must be the same but
//! for the differences named here. (`AcceptFailed` needs a process without descriptors: `descriptors.rs`.)

use std::time::Duration;

use common::libzmq::{Libzmq, Told};
use common::peer::Peer;
use common::place::{Place, Transport};
use common::raw::{RawPeer, greeting, ready};
use common::within;
use purezmq::{Endpoint, Monitor, PullSocket, PushSocket};
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedReceiver;

const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// Long enough for one attempt after the other to be told apart.
const RETRY: Duration = Duration::from_millis(20);
const CONNECTED: u16 = 0x0001;
const CONNECT_DELAYED: u16 = 0x0002;
const CONNECT_RETRIED: u16 = 0x0004;
const LISTENING: u16 = 0x0008;
const BIND_FAILED: u16 = 0x0010;
const ACCEPTED: u16 = 0x0020;
const CLOSED: u16 = 0x0080;
const CLOSE_FAILED: u16 = 0x0100;
const DISCONNECTED: u16 = 0x0200;
const MONITOR_STOPPED: u16 = 0x0400;
const FAILED_NO_DETAIL: u16 = 0x0800;
const HANDSHAKE_SUCCEEDED: u16 = 0x1000;
const FAILED_PROTOCOL: u16 = 0x2000;
const FAILED_AUTH: u16 = 0x4000;

/// What a monitor told, as far as two runs can agree: event, and errno or code.
type Trace = Vec<(u16, u32)>;

/// A PULL that binds, or a PUSH that connects, with its monitor.
trait Watched {
    async fn bind(&mut self, endpoint: &str) -> Result<String, ()>;
    async fn unbind(&mut self, endpoint: &str);
    async fn connect(&mut self, endpoint: &str);
    async fn close(&mut self);
    async fn next(&mut self) -> Told;

    /// Reads on until `last`, which is read `times` times.
    async fn until(&mut self, last: u16, times: usize) -> Trace {
        let (mut trace, mut left) = (Vec::new(), times);
        while left > 0 {
            let told = self.next().await;
            left -= usize::from(told.number == last);
            trace.push((told.number, comparable(&told)));
        }
        trace
    }
}

/// Descriptors and random delays differ from run to run.
fn comparable(told: &Told) -> u32 {
    let has_code = [CONNECT_DELAYED, BIND_FAILED, CLOSE_FAILED, FAILED_NO_DETAIL];
    match told.number {
        FAILED_PROTOCOL | FAILED_AUTH => told.value,
        number if has_code.contains(&number) => told.value,
        _ => 0,
    }
}

struct Ours {
    pull: Option<PullSocket>,
    push: Option<PushSocket>,
    monitor: Monitor,
}

impl Ours {
    fn bound(handshake: Duration) -> Ours {
        let pull = PullSocket::builder().handshake_timeout(handshake).build();
        let pull = pull.expect("options");
        Ours {
            monitor: pull.monitor(),
            pull: Some(pull),
            push: None,
        }
    }

    fn connecting() -> Ours {
        let push = PushSocket::builder().reconnect_interval(RETRY).build();
        let push = push.expect("options");
        Ours {
            monitor: push.monitor(),
            pull: None,
            push: Some(push),
        }
    }
}

impl Watched for Ours {
    async fn bind(&mut self, endpoint: &str) -> Result<String, ()> {
        let pull = self.pull.as_mut().expect("a PULL");
        let bound = pull.bind(endpoint).await;
        bound.map(|endpoint| endpoint.to_string()).map_err(drop)
    }

    async fn unbind(&mut self, endpoint: &str) {
        let pull = self.pull.as_mut().expect("a PULL");
        pull.unbind(endpoint).await.expect("unbind");
    }

    async fn connect(&mut self, endpoint: &str) {
        let push = self.push.as_mut().expect("a PUSH");
        push.connect(endpoint).expect("connect");
    }

    async fn close(&mut self) {
        self.pull = None;
        self.push = None;
    }

    async fn next(&mut self) -> Told {
        loop {
            let event = within("our monitor", self.monitor.recv()).await;
            let event = event.expect("not read beyond the end");
            let Some(numbered) = event.libzmq() else {
                continue;
            };
            let bound = self.pull.is_some();
            let end = if bound { &event.local } else { &event.remote };
            return Told {
                number: numbered.number,
                value: numbered.value,
                endpoint: end.as_ref().map(Endpoint::to_string).unwrap_or_default(),
            };
        }
    }
}

struct Theirs {
    socket: Option<Libzmq>,
    monitor: UnboundedReceiver<Told>,
}

impl Theirs {
    async fn new(
        kind: zmq::SocketType,
        setup: impl FnOnce(&zmq::Socket) + Send + 'static,
    ) -> Theirs {
        let (socket, monitor) = Libzmq::monitored(kind);
        socket.run(setup).await;
        Theirs {
            socket: Some(socket),
            monitor,
        }
    }

    async fn bound(handshake: Duration) -> Theirs {
        let millis = handshake.as_millis() as i32;
        let setup = move |socket: &zmq::Socket| socket.set_handshake_ivl(millis).expect("option");
        Theirs::new(zmq::PULL, setup).await
    }

    async fn connecting() -> Theirs {
        let millis = RETRY.as_millis() as i32;
        let setup = move |socket: &zmq::Socket| socket.set_reconnect_ivl(millis).expect("option");
        Theirs::new(zmq::PUSH, setup).await
    }

    fn socket(&mut self) -> &mut Libzmq {
        self.socket.as_mut().expect("open")
    }
}

impl Watched for Theirs {
    async fn bind(&mut self, endpoint: &str) -> Result<String, ()> {
        let endpoint = endpoint.to_owned();
        let bind = move |socket: &zmq::Socket| {
            socket.bind(&endpoint).map_err(drop)?;
            let bound = socket.get_last_endpoint().expect("last endpoint");
            Ok(bound.expect("endpoints are text"))
        };
        self.socket().run(bind).await
    }

    async fn unbind(&mut self, endpoint: &str) {
        let endpoint = endpoint.to_owned();
        let unbind = move |socket: &zmq::Socket| socket.unbind(&endpoint).expect("unbind");
        self.socket().run(unbind).await;
    }

    async fn connect(&mut self, endpoint: &str) {
        self.socket().connect(endpoint).await;
    }

    async fn close(&mut self) {
        self.socket = None;
    }

    async fn next(&mut self) -> Told {
        let told = within("libzmq's monitor", self.monitor.recv()).await;
        told.expect("not read beyond the end")
    }
}

/// A TCP server at a port where nobody else is.
async fn bare_server() -> (TcpListener, String) {
    let port = common::place::free_port();
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("bind");
    (listener, format!("tcp://127.0.0.1:{port}"))
}

async fn accept(listener: &TcpListener) -> RawPeer {
    let (stream, _) = within("a connection", listener.accept())
        .await
        .expect("accept");
    RawPeer { stream }
}

fn numbers(trace: &Trace) -> Vec<u16> {
    trace.iter().map(|(number, _)| *number).collect()
}

// ---------------------------------------------------------------- the order of events, here and in libzmq

#[tokio::test]
async fn a_bound_sockets_events_are_those_of_libzmq() {
    async fn scenario(mut socket: impl Watched) -> Trace {
        let bound = socket.bind(ANY_PORT).await.expect("bind");
        let first = socket.next().await;
        assert_eq!((first.number, &first.endpoint), (LISTENING, &bound));
        let mut peer = RawPeer::connect(&bound.parse().expect("an endpoint")).await;
        peer.shake_hands("PUSH").await;
        let accepted = socket.next().await;
        assert_eq!((accepted.number, &accepted.endpoint), (ACCEPTED, &bound));
        let mut trace = socket.until(HANDSHAKE_SUCCEEDED, 1).await;
        drop(peer);
        let ended = socket.next().await;
        assert_eq!((ended.number, &ended.endpoint), (DISCONNECTED, &bound));
        assert_eq!(ended.value, accepted.value, "the same descriptor");
        socket.unbind(&bound).await;
        trace.extend(socket.until(CLOSED, 1).await);
        socket.close().await;
        trace.extend(socket.until(MONITOR_STOPPED, 1).await);
        trace
    }
    let ours = scenario(Ours::bound(Duration::from_secs(30))).await;
    let theirs = scenario(Theirs::bound(Duration::from_secs(30)).await).await;
    assert_eq!(ours, theirs);
    assert_eq!(
        numbers(&ours),
        [HANDSHAKE_SUCCEEDED, CLOSED, MONITOR_STOPPED]
    );
}

#[tokio::test]
async fn a_connecting_sockets_events_are_those_of_libzmq() {
    async fn scenario(mut socket: impl Watched) -> Trace {
        let (listener, endpoint) = bare_server().await;
        socket.connect(&endpoint).await;
        let mut peer = accept(&listener).await;
        peer.shake_hands("PULL").await;
        let mut trace = socket.until(HANDSHAKE_SUCCEEDED, 1).await;
        drop(peer);
        let ended = socket.next().await;
        assert_eq!((ended.number, &ended.endpoint), (DISCONNECTED, &endpoint));
        let retried = socket.next().await;
        assert_eq!(retried.number, CONNECT_RETRIED);
        let millis = Duration::from_millis(retried.value.into());
        assert!((RETRY..=2 * RETRY).contains(&millis), "{millis:?}");
        // And once more from the beginning.
        let mut peer = accept(&listener).await;
        peer.shake_hands("PULL").await;
        trace.extend(socket.until(HANDSHAKE_SUCCEEDED, 1).await);
        socket.close().await;
        trace.extend(socket.until(MONITOR_STOPPED, 1).await);
        trace
    }
    let ours = scenario(Ours::connecting()).await;
    let theirs = scenario(Theirs::connecting().await).await;
    assert_eq!(ours, theirs);
    let round = [CONNECT_DELAYED, CONNECTED, HANDSHAKE_SUCCEEDED];
    assert_eq!(
        numbers(&ours),
        [&round[..], &round, &[MONITOR_STOPPED]].concat()
    );
}

#[tokio::test]
async fn a_refused_connections_events_are_those_of_libzmq() {
    async fn scenario(mut socket: impl Watched) -> Trace {
        let endpoint = format!("tcp://127.0.0.1:{}", common::place::free_port());
        socket.connect(&endpoint).await;
        socket.until(CONNECT_RETRIED, 2).await
    }
    let ours = scenario(Ours::connecting()).await;
    assert_eq!(ours, scenario(Theirs::connecting().await).await);
    let round = [CONNECT_DELAYED, CLOSED, CONNECT_RETRIED];
    assert_eq!(numbers(&ours), [round, round].concat());
}

/// libzmq has nothing for the name that fails to resolve but the retry.
#[tokio::test]
async fn an_unknown_hosts_events_are_those_of_libzmq() {
    async fn scenario(mut socket: impl Watched) -> Trace {
        socket.connect("tcp://no-such-host.invalid:5555").await;
        socket.until(CONNECT_RETRIED, 2).await
    }
    let ours = scenario(Ours::connecting()).await;
    assert_eq!(ours, scenario(Theirs::connecting().await).await);
    assert_eq!(numbers(&ours), [CONNECT_RETRIED; 2]);
}

/// Over `ipc`, connections are not delayed.
#[tokio::test]
async fn ipc_connections_events_are_those_of_libzmq() {
    async fn scenario(mut bound: impl Watched, mut connecting: impl Watched) -> [Trace; 2] {
        let place = Place::fixed(Transport::Ipc);
        bound.bind(&place.endpoint).await.expect("bind");
        connecting.connect(&place.endpoint).await;
        let begun = connecting.until(HANDSHAKE_SUCCEEDED, 1).await;
        let taken = bound.until(HANDSHAKE_SUCCEEDED, 1).await;
        connecting.close().await;
        let ended = bound.next().await;
        assert_eq!(
            (ended.number, ended.endpoint),
            (DISCONNECTED, place.endpoint)
        );
        [begun, taken]
    }
    let patience = Duration::from_secs(30);
    let ours = scenario(Ours::bound(patience), Ours::connecting()).await;
    let theirs = scenario(Theirs::bound(patience).await, Theirs::connecting().await).await;
    assert_eq!(ours, theirs);
    assert_eq!(numbers(&ours[0]), [CONNECTED, HANDSHAKE_SUCCEEDED]);
    assert_eq!(
        numbers(&ours[1]),
        [LISTENING, ACCEPTED, HANDSHAKE_SUCCEEDED]
    );
}

/// libzmq also tells of the descriptor that it closes.
#[tokio::test]
async fn a_failed_bind_is_told_as_by_libzmq() {
    async fn scenario(mut socket: impl Watched) -> Trace {
        let (_listener, endpoint) = bare_server().await;
        assert!(socket.bind(&endpoint).await.is_err());
        let mut trace = socket.until(BIND_FAILED, 1).await;
        trace.retain(|(number, _)| *number != CLOSED);
        trace
    }
    let patience = Duration::from_secs(30);
    let ours = scenario(Ours::bound(patience)).await;
    assert_eq!(ours, scenario(Theirs::bound(patience).await).await);
    let in_use = rustix::io::Errno::ADDRINUSE.raw_os_error();
    assert_eq!(ours, [(BIND_FAILED, in_use as u32)]);
}

/// A listener at `ipc://*` cannot remove what it has made. libzmq 4.3.5 says the same; the one that the tests
/// are built with makes no directory.
#[tokio::test]
async fn a_failed_close_is_told() {
    use rustix::io::Errno;
    for (expected, is_gone) in [(Errno::NOENT, true), (Errno::NOTEMPTY, false)] {
        let mut socket = Ours::bound(Duration::from_secs(30));
        let bound = socket.bind("ipc://*").await.expect("bind");
        let path = std::path::Path::new(bound.strip_prefix("ipc://").expect("a path"));
        let folder = path.parent().expect("a folder");
        if is_gone {
            std::fs::remove_file(path).expect("the socket's file");
        } else {
            std::fs::write(folder.join("more"), "").expect("a file");
        }
        socket.unbind(&bound).await;
        let trace = socket.until(CLOSE_FAILED, 1).await;
        let errno = expected.raw_os_error() as u32;
        assert_eq!(trace, [(LISTENING, 0), (CLOSE_FAILED, errno)]);
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// A connection that ends before its handshake is through, by everything that can end it.
#[tokio::test]
async fn failed_handshakes_are_told_as_by_libzmq() {
    async fn scenario(mut socket: impl Watched, bytes: &[u8]) -> Trace {
        let bound = socket.bind(ANY_PORT).await.expect("bind");
        let mut peer = RawPeer::connect(&bound.parse().expect("an endpoint")).await;
        peer.send(bytes).await;
        socket.until(ACCEPTED, 1).await;
        if bytes == greeting() {
            // As far as the peer's own READY begins; then this one goes.
            peer.receive(66).await;
            peer.reset();
            return socket.until(DISCONNECTED, 1).await;
        }
        let failed = socket.next().await;
        // After an ERROR, libzmq waits for the peer to close.
        drop(peer);
        let mut trace = vec![(failed.number, failed.value)];
        trace.extend(socket.until(DISCONNECTED, 1).await);
        trace
    }
    let after_greeting = |bytes: &[u8]| [&greeting()[..], bytes].concat();
    let mut other_mechanism = greeting().to_vec();
    other_mechanism[12..16].copy_from_slice(b"WHAT");
    let reset = rustix::io::Errno::CONNRESET.raw_os_error() as u32;
    for (what, bytes, expected) in [
        ("a reset", greeting().to_vec(), (FAILED_NO_DETAIL, reset)),
        (
            "another mechanism",
            other_mechanism,
            (FAILED_PROTOCOL, 0x1100_0002),
        ),
        (
            "another command",
            after_greeting(b"\x04\x06\x05HELLO"),
            (FAILED_PROTOCOL, 0x1000_0001),
        ),
        (
            "a refusal",
            after_greeting(b"\x04\x0a\x05ERROR\x03400"),
            (FAILED_AUTH, 400),
        ),
    ] {
        let patience = Duration::from_secs(30);
        let ours = scenario(Ours::bound(patience), &bytes).await;
        let theirs = scenario(Theirs::bound(patience).await, &bytes).await;
        assert_eq!(ours, [expected, (DISCONNECTED, 0)], "{what}");
        // libzmq may tell of the broken connection besides.
        let ends = [theirs[0], theirs[theirs.len() - 1]];
        assert_eq!(ours, ends, "{what}: {theirs:?}");
    }
}

/// Where libzmq tells of a disconnection only, its code for the failure is given, too.
#[tokio::test]
async fn handshakes_that_fail_by_metadata_have_libzmqs_code() {
    let cut_short = b"\x04\x0d\x05READY\x0bSocket".to_vec();
    for bytes in [ready("PUB"), cut_short] {
        let mut ours = Ours::bound(Duration::from_secs(30));
        let bound = ours.bind(ANY_PORT).await.expect("bind");
        let mut peer = RawPeer::connect(&bound.parse().expect("an endpoint")).await;
        peer.send(&[&greeting()[..], &bytes].concat()).await;
        let trace = ours.until(DISCONNECTED, 1).await;
        let failed = (FAILED_PROTOCOL, 0x1000_0018);
        assert_eq!(trace[2..], [failed, (DISCONNECTED, 0)]);
    }
}

/// libzmq's errno is then whatever an earlier call has left.
#[tokio::test]
async fn a_handshake_that_takes_too_long_is_told_as_by_libzmq() {
    async fn scenario(mut socket: impl Watched) -> Trace {
        let bound = socket.bind(ANY_PORT).await.expect("bind");
        let _peer = RawPeer::connect(&bound.parse().expect("an endpoint")).await;
        socket.until(DISCONNECTED, 1).await
    }
    let limit = Duration::from_millis(50);
    let ours = scenario(Ours::bound(limit)).await;
    let theirs = scenario(Theirs::bound(limit).await).await;
    assert_eq!(numbers(&ours), numbers(&theirs));
    let late = rustix::io::Errno::TIMEDOUT.raw_os_error() as u32;
    assert_eq!(ours[2..], [(FAILED_NO_DETAIL, late), (DISCONNECTED, 0)]);
}
