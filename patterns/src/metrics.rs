//! Metrics: what sockets have counted, for Prometheus and whatever else takes them from the [`metrics`](https://docs.rs/metrics) facade.
//!
//! Nothing is done for it on a message's way: a task looks at the sockets once each interval ([`Context::record_metrics`]),
//! or whoever has a better moment does ([`Recorder::record`]), and gives the facade's recorder what has changed.
//!
//! With the crate `metrics-exporter-prometheus`, this is all, and `install()` in place of `install_recorder()` serves the page
//! as well:
//!
//! ```ignore
//! let page = metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder()?; // page.render() is what it reads
//! let _recording = Context::global().record_metrics(Duration::from_secs(5))?;
//! ```
//!
//! [`METRICS`] is the table of all metrics; `docs/metrics.md` has the same, and `docs/grafana.json` a dashboard for Grafana.
//!
//! **Labels.** Each metric is of a `socket_type` and of a `socket`, which is the option `name`, or `unnamed`: sockets of one
//! type and name are added up, so that a program that makes many has no more series than names. No peer has a series of its
//! own. What has ended keeps its counters, and its gauges are 0; what a socket has counted between the last look and its end
//! is not known.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::metrics::{Label, Unit, counter, gauge, histogram};
use thiserror::Error;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::context::Context;
use crate::runtime;
use crate::stats::{Dropped, MemberStats};

/// A metric of this library.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Metric {
    /// As Prometheus has it.
    pub name: &'static str,
    /// What it is.
    pub kind: MetricKind,
    /// Its labels beside `socket` and `socket_type`.
    pub label: Option<&'static str>,
    /// What it says.
    pub help: &'static str,
    /// Of what, for recorders that ask.
    unit: Unit,
}

/// Kinds of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It says how it is now.
    Gauge,
    /// It says how often it was how large.
    Histogram,
}

macro_rules! metrics {
    ($($constant:ident: $kind:ident $unit:ident $name:literal $([$label:literal])?, $help:literal;)+) => {
        $(const $constant: &str = $name;)+

        /// All metrics.
        pub const METRICS: &[Metric] = &[$(Metric {
            name: $name,
            kind: MetricKind::$kind,
            label: metrics!(@label $($label)?),
            help: $help,
            unit: Unit::$unit,
        }),+];
    };
    (@label) => { None };
    (@label $label:literal) => { Some($label) };
}

metrics! {
    SOCKETS: Gauge Count "purezmq_sockets", "Sockets that are held, or linger.";
    PEERS: Gauge Count "purezmq_peers", "Peers that are there, and endpoints that are being connected to.";
    ENDPOINTS: Gauge Count "purezmq_endpoints" ["state"], "Endpoints that are bound, connected, or gone.";
    QUEUED: Gauge Count "purezmq_queued_messages" ["direction"], "Messages that wait to be sent, or for the application to receive them.";
    ROOM: Gauge Count "purezmq_queue_capacity_messages" ["direction"], "What the queues of all peers may hold; 0 without a high-water mark.";
    SENT: Counter Count "purezmq_sent_messages_total", "Messages sent.";
    SENT_BYTES: Counter Bytes "purezmq_sent_bytes_total", "Bytes of messages sent.";
    RECEIVED: Counter Count "purezmq_received_messages_total", "Messages received.";
    RECEIVED_BYTES: Counter Bytes "purezmq_received_bytes_total", "Bytes of messages received.";
    DROPPED: Counter Count "purezmq_dropped_messages_total" ["reason"], "Messages dropped.";
    RECONNECTS: Counter Count "purezmq_reconnects_total", "How often a peer was reached again.";
    HANDSHAKE_FAILURES: Counter Count "purezmq_handshake_failures_total", "Connections that ended before their handshake was through.";
    EXPELLED: Counter Count "purezmq_expelled_peers_total", "Connections that were ended here, because of what the peer did.";
    DUPLICATES: Counter Count "purezmq_duplicate_names_total", "Connections that had to wait for their routing id.";
    HANDOVERS: Counter Count "purezmq_handovers_total", "How often a connection has taken its routing id from another one.";
    FILL: Histogram Percent "purezmq_queue_fill_ratio" ["direction"], "How full the queue of each peer was at each look, of its high-water mark: 0 to 1.";
    LOOK: Histogram Seconds "purezmq_look_duration_seconds", "How long it took to look at all sockets. Without labels.";
}

/// Looks at the sockets of a context, and tells the facade's recorder what has changed since.
///
/// ```
/// use purezmq::Context;
/// use purezmq::metrics::Recorder;
///
/// let mut recorder = Recorder::new(&Context::global());
/// // Where a page is scraped, before it is rendered:
/// recorder.record();
/// ```
#[derive(Debug)]
pub struct Recorder {
    context: Context,
    /// What each socket had counted.
    known: HashMap<u64, Counts>,
    /// Who has gauges.
    gauged: BTreeSet<Whose>,
}

/// Holds a task that records metrics: made by [`Context::record_metrics`]. Dropped, it ends.
#[derive(Debug)]
#[must_use = "it ends with this"]
pub struct Recording(JoinHandle<()>);

/// No tokio runtime with timers is running here, and the context has no I/O threads.
#[derive(Clone, Copy, Debug, Error)]
#[error("no tokio runtime with timers is running here")]
pub struct NoRuntime;

/// Name and type of sockets.
type Whose = (Arc<str>, Arc<str>);

/// What a socket has counted.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    plain: [u64; PLAIN.len()],
    dropped: [u64; REASONS.len()],
}

/// Counters without a label of their own.
const PLAIN: [&str; 9] = [
    SENT,
    SENT_BYTES,
    RECEIVED,
    RECEIVED_BYTES,
    RECONNECTS,
    HANDSHAKE_FAILURES,
    EXPELLED,
    DUPLICATES,
    HANDOVERS,
];

/// Why messages are dropped: the fields of [`Dropped`].
const REASONS: [&str; 9] = [
    "full",
    "unroutable",
    "expired",
    "conflated",
    "lost",
    "unsent",
    "unread",
    "discarded",
    "overflowed",
];

/// What the sockets of one name and type have now.
#[derive(Clone, Copy, Debug, Default)]
struct Gauges {
    sockets: usize,
    peers: usize,
    /// Bound, connected, gone.
    endpoints: [usize; 3],
    /// To send, to receive.
    queued: [usize; 2],
    room: [usize; 2],
}

const STATES: [&str; 3] = ["bound", "connected", "gone"];
const DIRECTIONS: [&str; 2] = ["send", "receive"];

impl Context {
    /// Records the metrics of the context's sockets each `interval` (a tenth of a second at least), by the recorder that is
    /// installed then, until the handle is dropped: [`metrics`](crate::metrics).
    ///
    /// # Errors
    ///
    /// There is no runtime.
    pub fn record_metrics(&self, interval: Duration) -> Result<Recording, NoRuntime> {
        let runtime = self.runtime(0);
        let runtime = runtime.filter(|runtime| runtime::lacks(runtime, false).is_none());
        let runtime = runtime.ok_or(NoRuntime)?;
        let mut recorder = Recorder::new(self);
        let recording = async move {
            let mut ticks = tokio::time::interval(interval.max(Duration::from_millis(100)));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                recorder.record();
            }
        };
        Ok(Recording(runtime.spawn(recording)))
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Recorder {
    /// Begins with nothing: the first record has all that was counted so far.
    pub fn new(context: &Context) -> Self {
        describe();
        Recorder {
            context: context.clone(),
            known: HashMap::new(),
            gauged: BTreeSet::new(),
        }
    }

    /// Looks once, and records what there is.
    pub fn record(&mut self) {
        let begun = Instant::now();
        let sockets = self.context.stats();
        histogram!(LOOK).record(begun.elapsed().as_secs_f64());
        let mut gauges = BTreeMap::<Whose, Gauges>::new();
        for one in &sockets {
            let name = one.stats.name.as_deref().unwrap_or("unnamed");
            let whose = (Arc::from(name), one.socket_type.to_string().into());
            self.count(one, &whose);
            record_fill(one, &whose);
            gauges.entry(whose).or_default().add(one);
        }
        self.known
            .retain(|number, _| sockets.iter().any(|one| one.number == *number));
        for whose in std::mem::take(&mut self.gauged) {
            gauges.entry(whose).or_default();
        }
        for (whose, gauges) in gauges {
            gauges.set(&whose);
            // Once it has been set to nothing, it stays so.
            if gauges.sockets > 0 {
                self.gauged.insert(whose);
            }
        }
    }

    /// Adds to the counters what a socket has counted since.
    fn count(&mut self, one: &MemberStats, whose: &Whose) {
        let now = Counts::of(one);
        let before = self.known.insert(one.number, now);
        let is_new = before.is_none();
        let before = before.unwrap_or_default();
        for ((name, now), before) in PLAIN.iter().zip(now.plain).zip(before.plain) {
            // Also what is 0 is there from the beginning, so that its first step is seen.
            if now > before || is_new {
                counter!(*name, labels(whose, None)).increment(now.saturating_sub(before));
            }
        }
        for ((reason, now), before) in REASONS.iter().zip(now.dropped).zip(before.dropped) {
            if now > before || is_new {
                let labels = labels(whose, Some(("reason", reason)));
                counter!(DROPPED, labels).increment(now.saturating_sub(before));
            }
        }
    }
}

impl Counts {
    fn of(one: &MemberStats) -> Self {
        let stats = &one.stats;
        let Dropped {
            full,
            unroutable,
            expired,
            conflated,
            lost,
            unsent,
            unread,
            discarded,
            overflowed,
        } = stats.dropped;
        Counts {
            plain: [
                stats.sent.messages,
                stats.sent.bytes,
                stats.received.messages,
                stats.received.bytes,
                stats.reconnects,
                stats.handshake_failures,
                stats.expelled,
                stats.duplicates,
                stats.handovers,
            ],
            dropped: [
                full, unroutable, expired, conflated, lost, unsent, unread, discarded, overflowed,
            ],
        }
    }
}

impl Gauges {
    fn add(&mut self, one: &MemberStats) {
        let stats = &one.stats;
        self.sockets += 1;
        self.peers += one.peers;
        for endpoint in &stats.endpoints {
            let state = match (endpoint.is_gone, endpoint.is_bound) {
                (true, _) => 2,
                (false, false) => 1,
                (false, true) => 0,
            };
            self.endpoints[state] += 1;
        }
        let queued = [stats.queued_to_send, stats.queued_to_receive];
        for (at, (queued, hwm)) in queued.into_iter().zip(hwms(one)).enumerate() {
            self.queued[at] += queued;
            self.room[at] = self.room[at].saturating_add(hwm.saturating_mul(one.peers));
        }
    }

    fn set(&self, whose: &Whose) {
        gauge!(SOCKETS, labels(whose, None)).set(self.sockets as f64);
        gauge!(PEERS, labels(whose, None)).set(self.peers as f64);
        for (state, count) in STATES.iter().zip(self.endpoints) {
            gauge!(ENDPOINTS, labels(whose, Some(("state", state)))).set(count as f64);
        }
        for (at, direction) in DIRECTIONS.iter().enumerate() {
            let labels = labels(whose, Some(("direction", direction)));
            gauge!(QUEUED, labels.clone()).set(self.queued[at] as f64);
            gauge!(ROOM, labels).set(self.room[at] as f64);
        }
    }
}

fn hwms(one: &MemberStats) -> [usize; 2] {
    [one.send_hwm, one.recv_hwm]
}

/// Records how full the queues of a socket's peers are.
fn record_fill(one: &MemberStats, whose: &Whose) {
    for (at, direction) in DIRECTIONS.iter().enumerate() {
        let hwm = hwms(one)[at];
        if hwm == 0 || one.stats.peers.is_empty() {
            continue;
        }
        let fill = histogram!(FILL, labels(whose, Some(("direction", direction))));
        for peer in &one.stats.peers {
            let queued = [peer.queued_to_send, peer.queued_to_receive][at];
            fill.record(queued as f64 / hwm as f64);
        }
    }
}

fn labels((socket, socket_type): &Whose, more: Option<(&'static str, &'static str)>) -> Vec<Label> {
    let mut labels = vec![
        Label::new("socket", socket.clone()),
        Label::new("socket_type", socket_type.clone()),
    ];
    labels.extend(more.map(|(name, value)| Label::from_static_parts(name, value)));
    labels
}

/// Tells the recorder that is installed what the metrics say.
fn describe() {
    for metric in METRICS {
        let (name, unit, help) = (metric.name, metric.unit, metric.help);
        match metric.kind {
            MetricKind::Counter => ::metrics::describe_counter!(name, unit, help),
            MetricKind::Gauge => ::metrics::describe_gauge!(name, unit, help),
            MetricKind::Histogram => ::metrics::describe_histogram!(name, unit, help),
        }
    }
}
