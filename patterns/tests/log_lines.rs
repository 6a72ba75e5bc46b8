//! What is logged, as a subscriber hears it: how loud failures are, whose they are, and that a peer forges no line.
//!
//! One subscriber for the whole process, which is set before anything is logged: what `tracing` remembers of each place
//! that logs depends on who was there when it was reached first. Each test has a thread and a runtime of its own, and looks
//! at that thread's lines.

use std::cell::RefCell;
use std::fmt;
use std::net::TcpListener;
use std::sync::OnceLock;
use std::time::Duration;

use purezmq::security::{PlainUsers, Security};
use purezmq::{Context, Monitor, MonitorEventKind, PullSocket, PushSocket};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

const PATIENCE: Duration = Duration::from_secs(30);

/// A line: level, target, and the rest as text.
type Line = (Level, String, String);

thread_local! {
    static LINES: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// Keeps all lines of this library, each with its thread.
struct Log;

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!("{field}={value:?} "));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push_str(&format!("{field}={value} "));
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("purezmq")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let metadata = event.metadata();
        let line = (*metadata.level(), metadata.target().to_owned(), text.0);
        LINES.with_borrow_mut(|lines| lines.push(line));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Begins to keep lines. To be called before anything is logged.
fn listen() {
    static SET: OnceLock<()> = OnceLock::new();
    SET.get_or_init(|| tracing::subscriber::set_global_default(Log).expect("the only one"));
}

/// Returns the lines of that level with that text so far.
fn lines(level: Level, part: &str) -> Vec<String> {
    LINES.with_borrow(|lines| {
        let chosen = lines
            .iter()
            .filter(|(at, _, text)| *at == level && text.contains(part));
        chosen.map(|(_, _, text)| text.clone()).collect()
    })
}

async fn event(monitor: &mut Monitor, wanted: fn(&MonitorEventKind) -> bool) {
    let found = async {
        loop {
            let event = monitor.recv().await.expect("the socket is open");
            if wanted(&event.kind) {
                return;
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, found).await;
    found.expect("it comes");
}

fn is_failed(kind: &MonitorEventKind) -> bool {
    matches!(kind, MonitorEventKind::ConnectFailed(_))
}

fn is_succeeded(kind: &MonitorEventKind) -> bool {
    matches!(kind, MonitorEventKind::HandshakeSucceeded)
}

fn is_refused(kind: &MonitorEventKind) -> bool {
    matches!(kind, MonitorEventKind::HandshakeFailed(_))
}

#[tokio::test]
async fn a_series_of_failures_is_loud_once_and_so_is_its_end() {
    listen();
    // Held until the end, so that nobody else gets the port.
    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = holder.local_addr().expect("an address").port();
    let endpoint = format!("tcp://127.0.0.2:{port}");
    let push = PushSocket::builder()
        .name("orders")
        .reconnect_interval(Duration::from_millis(1));
    let mut push = push.build().expect("options");
    let mut monitor = push.monitor();
    push.connect(&endpoint).expect("connect");
    for _ in 0..3 {
        event(&mut monitor, is_failed).await;
    }
    let away = lines(Level::INFO, "a peer cannot be reached");
    assert_eq!(away.len(), 1, "{away:?}");
    for part in ["socket=orders", "socket_type=PUSH", endpoint.as_str()] {
        assert!(away[0].contains(part), "{away:?}");
    }
    let mut pull = PullSocket::new();
    pull.bind(&endpoint).await.expect("bind");
    event(&mut monitor, is_succeeded).await;
    let back = lines(Level::INFO, "a peer is reached again");
    assert_eq!(back.len(), 1, "{back:?}");
    assert_eq!(lines(Level::WARN, ""), [""; 0]);
}

#[tokio::test]
async fn a_refused_peer_is_a_warning_once_and_its_name_forges_no_line() {
    listen();
    let context = Context::new();
    context.set_authenticator(PlainUsers::from_iter([("joe", "right")]));
    let server = PullSocket::builder()
        .context(&context)
        .name("front door")
        .security(Security::plain_server());
    let mut server = server.build().expect("options");
    let mut monitor = server.monitor();
    let bound = server.bind("tcp://127.0.0.1:*").await.expect("bind");
    let mut clients = Vec::new();
    for _ in 0..3 {
        let security = Security::plain_client("eve\nWARN forged", "secret word").expect("short");
        let client = PushSocket::builder().security(security);
        let mut client = client.build().expect("options");
        client.connect(&bound).expect("connect");
        event(&mut monitor, is_refused).await;
        clients.push(client);
    }
    let of_server = |lines: Vec<String>| -> Vec<String> {
        let its = lines
            .into_iter()
            .filter(|line| line.contains("socket_type=PULL"));
        its.collect()
    };
    let warned = of_server(lines(Level::WARN, "a connection failed"));
    assert_eq!(warned.len(), 1, "{warned:?}");
    for part in [
        "socket=front door",
        "refused=user \"eve\\nWARN forged\"",
        "failures=1",
    ] {
        assert!(warned[0].contains(part), "{part}: {warned:?}");
    }
    let others = of_server(lines(Level::DEBUG, "failures=3"));
    assert!(!others.is_empty(), "all are counted");
    LINES.with_borrow(|all| {
        for (_, target, text) in all {
            assert!(target.starts_with("purezmq::"), "{target}");
            assert!(!text.contains(['\n', '\r']), "{text}");
            assert!(!text.contains("secret word"), "{text}");
        }
    });
}
