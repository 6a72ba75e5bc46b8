//! The span of a connection, as a subscriber sees it: its fields, the lines that are in it, and its end.
//!
//! One test alone: what `tracing` remembers of each place depends on who was there when it was reached first.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use purezmq::{DealerSocket, MonitorEventKind, RouterSocket};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

#[derive(Default)]
struct Seen {
    /// Fields of each span, and its lines.
    spans: HashMap<u64, (Text, Vec<Text>)>,
    ended: Vec<u64>,
    /// Entered and not left: the test has one thread.
    inside: Vec<u64>,
    handles: HashMap<u64, usize>,
}

#[derive(Clone, Default)]
struct Spans {
    next: Arc<AtomicU64>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Clone, Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!("{field}={value:?} "));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push_str(&format!("{field}={value} "));
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "purezmq::connection"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let number = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        assert_eq!(
            (span.metadata().name(), *span.metadata().level()),
            ("connection", Level::DEBUG)
        );
        let mut text = Text::default();
        span.record(&mut text);
        let mut seen = self.seen.lock().unwrap();
        seen.spans.insert(number, (text, Vec::new()));
        seen.handles.insert(number, 1);
        Id::from_u64(number)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let mut seen = self.seen.lock().unwrap();
        values.record(&mut seen.spans.get_mut(&id.into_u64()).unwrap().0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let mut seen = self.seen.lock().unwrap();
        if let Some(inside) = seen.inside.last().copied() {
            seen.spans.get_mut(&inside).unwrap().1.push(text);
        }
    }

    fn enter(&self, id: &Id) {
        self.seen.lock().unwrap().inside.push(id.into_u64());
    }

    fn exit(&self, id: &Id) {
        assert_eq!(self.seen.lock().unwrap().inside.pop(), Some(id.into_u64()));
    }

    fn clone_span(&self, id: &Id) -> Id {
        *self
            .seen
            .lock()
            .unwrap()
            .handles
            .get_mut(&id.into_u64())
            .unwrap() += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut seen = self.seen.lock().unwrap();
        let handles = seen.handles.get_mut(&id.into_u64()).unwrap();
        *handles -= 1;
        let is_last = *handles == 0;
        if is_last {
            seen.ended.push(id.into_u64());
        }
        is_last
    }
}

#[tokio::test]
async fn a_connection_has_a_span_with_its_lines_to_its_end() {
    let spans = Spans::default();
    tracing::subscriber::set_global_default(spans.clone()).expect("the only one");
    let mut router = RouterSocket::builder().name("front").build().unwrap();
    let mut monitor = router.monitor();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut dealer = DealerSocket::builder().routing_id("a\nb").build().unwrap();
    dealer.connect(&endpoint).unwrap();
    dealer.send("hello").await.unwrap();
    router.recv().await.unwrap();
    assert_eq!(
        spans.seen.lock().unwrap().inside,
        [0; 0],
        "nothing is inside while messages move"
    );
    drop(dealer);
    let end = async {
        while !matches!(
            monitor.recv().await.unwrap().kind,
            MonitorEventKind::Disconnected(_)
        ) {}
    };
    tokio::time::timeout(Duration::from_secs(30), end)
        .await
        .expect("it ends");
    let both_ended = async {
        while spans.seen.lock().unwrap().ended.len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), both_ended)
        .await
        .expect("both ends of it");

    let seen = spans.seen.lock().unwrap();
    assert_eq!(seen.spans.len(), 2, "one at each end");
    for (own, other) in [("ROUTER", "DEALER"), ("DEALER", "ROUTER")] {
        let its = format!("socket_type={own} ");
        let (fields, lines) = seen
            .spans
            .values()
            .find(|(fields, _)| fields.0.starts_with(&its))
            .expect(own);
        for part in [
            format!("endpoint={endpoint}"),
            "peer=tcp://127.0.0.1".to_owned(),
            format!("peer_type={other}"),
        ] {
            assert!(fields.0.contains(&part), "{part}: {}", fields.0);
        }
        let all: String = lines.iter().map(|line| line.0.as_str()).collect();
        for step in ["HandshakeSucceeded", "Disconnected"] {
            assert!(all.contains(step), "{own}: {all}");
        }
    }
    let (front, lines) = seen
        .spans
        .values()
        .find(|(fields, _)| fields.0.contains("socket=front"))
        .expect("its name");
    assert!(
        front.0.contains("routing_id=\"a\\nb\"") && !front.0.contains('\n'),
        "{}",
        front.0
    );
    assert!(lines[0].0.contains("Accepted"));
}
