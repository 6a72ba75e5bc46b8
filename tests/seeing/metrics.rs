//! The feature `metrics`: the page that Prometheus scrapes, its rules for names, what the documents say of it, and the
//! dashboard's queries.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use common::within;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use purezmq::metrics::{METRICS, MetricKind, Recorder};
use purezmq::{Context, PullSocket, PushSocket};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Returns the recorder of this process.
pub(crate) fn exporter() -> &'static PrometheusHandle {
    static INSTALLED: OnceLock<PrometheusHandle> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let fill = Matcher::Full("purezmq_queue_fill_ratio".to_owned());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(fill, &[0.0, 0.5, 1.0]);
        builder.unwrap().install_recorder().expect("the only one")
    })
}

/// A sample of a page: the value, by name and labels.
type Samples = BTreeMap<(String, BTreeMap<String, String>), f64>;

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Reads a page by Prometheus's rules for its text: `name{label="value",...} number`.
fn read(page: &str) -> Samples {
    let lines = page
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let samples = lines.map(|line| {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let value: f64 = value.parse().expect("a number");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        assert!(is_name(name), "{line}");
        let labels = labels.strip_suffix('}').expect("the labels' end");
        let labels = labels
            .split(',')
            .filter(|label| !label.is_empty())
            .map(|label| {
                let (name, value) = label.split_once('=').expect("a value");
                assert!(is_name(name), "{line}");
                let value = value
                    .strip_prefix('"')
                    .and_then(|value| value.strip_suffix('"'));
                (name.to_owned(), value.expect("in quotes").to_owned())
            });
        ((name.to_owned(), labels.collect()), value)
    });
    samples.collect()
}

/// Returns a value of the socket of that name.
fn of(samples: &Samples, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let labels = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    samples.get(&(name.to_owned(), labels.collect())).copied()
}

/// Has a page of two sockets that have sent and received something, and of one that has dropped something.
async fn page(name: &str) -> (String, Recorder, (PushSocket, PullSocket)) {
    exporter();
    let context = Context::new();
    let mut pull = PullSocket::builder()
        .context(&context)
        .name(name)
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut push = PushSocket::builder()
        .context(&context)
        .name(name)
        .build()
        .unwrap();
    push.connect(&endpoint).unwrap();
    for _ in 0..5 {
        push.send("1234").await.unwrap();
        within("a message", pull.recv()).await.unwrap();
    }
    let mut recorder = Recorder::new(&context);
    recorder.record();
    (exporter().render(), recorder, (push, pull))
}

#[tokio::test]
async fn a_page_is_scraped() {
    let router = Router::new().route("/metrics", get(|| async { exporter().render() }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    exporter();
    let context = Context::new();
    let mut pull = PullSocket::builder()
        .context(&context)
        .name("scraped")
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut push = PushSocket::new();
    push.connect(&endpoint).unwrap();
    let recording = context.record_metrics(Duration::from_millis(1)).unwrap();
    push.send("1234").await.unwrap();
    let labels = [("socket", "scraped"), ("socket_type", "PULL")];
    within("a page with the message", async {
        loop {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let request = b"GET /metrics HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
            stream.write_all(request).await.unwrap();
            let mut response = String::new();
            stream.read_to_string(&mut response).await.unwrap();
            let (head, page) = response.split_once("\r\n\r\n").expect("a body");
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            let samples = read(page);
            if of(&samples, "purezmq_received_messages_total", &labels) == Some(1.0) {
                assert_eq!(
                    of(&samples, "purezmq_received_bytes_total", &labels),
                    Some(6.0)
                );
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    drop(recording);
    serving.abort();
}

#[tokio::test]
async fn counters_only_grow_and_gauges_of_what_has_ended_are_nothing() {
    let (before, mut recorder, (mut push, mut pull)) = page("grows").await;
    let sent = [("socket", "grows"), ("socket_type", "PUSH")];
    let received = [("socket", "grows"), ("socket_type", "PULL")];
    let with = |labels: [(&'static str, &'static str); 2], more| [labels[0], labels[1], more];
    let samples = read(&before);
    assert_eq!(
        of(&samples, "purezmq_sent_messages_total", &sent),
        Some(5.0)
    );
    assert_eq!(of(&samples, "purezmq_peers", &received), Some(1.0));
    let room = with(received, ("direction", "receive"));
    assert_eq!(
        of(&samples, "purezmq_queue_capacity_messages", &room),
        Some(1000.0)
    );
    let state = with(received, ("state", "bound"));
    assert_eq!(of(&samples, "purezmq_endpoints", &state), Some(1.0));
    let full = with(sent, ("reason", "full"));
    assert_eq!(
        of(&samples, "purezmq_dropped_messages_total", &full),
        Some(0.0)
    );

    push.send("more").await.unwrap();
    within("a message", pull.recv()).await.unwrap();
    recorder.record();
    recorder.record();
    drop((push, pull));
    within("the end of both", async {
        loop {
            recorder.record();
            let samples = read(&exporter().render());
            if of(&samples, "purezmq_sockets", &sent) == Some(0.0)
                && of(&samples, "purezmq_peers", &received) == Some(0.0)
            {
                let received = of(&samples, "purezmq_received_messages_total", &received);
                assert_eq!(received, Some(6.0), "it stays");
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn names_follow_prometheus_and_the_documents_have_all_of_them() {
    let (page, ..) = page("named").await;
    let samples = read(&page);
    let document = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let mut rows = String::new();
    for metric in METRICS {
        let name = metric.name;
        assert!(is_name(name) && name.starts_with("purezmq_"), "{name}");
        assert_eq!(
            name.ends_with("_total"),
            metric.kind == MetricKind::Counter,
            "{name}"
        );
        assert!(
            page.contains(&format!("# HELP {name}")),
            "{name} says what it is"
        );
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        let is_there = samples.keys().any(|(sample, _)| base(sample) == name);
        assert!(is_there, "{name} is on the page");
        let label = metric.label.map(|label| format!("`{label}` "));
        let (label, help) = (label.unwrap_or_default(), metric.help);
        rows.push_str(&format!("| `{name}` | {kind} | {label}| {help} |\n"));
    }
    assert!(
        document.contains(&rows),
        "docs/metrics.md is to have:\n{rows}"
    );
}

#[tokio::test]
async fn the_dashboards_queries_answer() {
    let (page, ..) = page("shown").await;
    let samples = read(&page);
    let labels_of = |name: &str| -> BTreeSet<&str> {
        let series = samples.keys().filter(|(sample, _)| sample == name);
        series
            .flat_map(|(_, labels)| labels.keys().map(String::as_str))
            .collect()
    };
    let dashboard = std::fs::read_to_string(root().join("docs/grafana.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).expect("JSON");
    let mut asked = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().expect("queries") {
            let query = target["expr"].as_str().expect("a query");
            let (open, close) = (query.matches('(').count(), query.matches(')').count());
            assert_eq!(open, close, "{query}");
            let names = names(query);
            assert!(!names.is_empty(), "{query}");
            for name in &names {
                assert!(
                    !labels_of(name).is_empty() || *name == "purezmq_look_duration_seconds_sum",
                    "{query}: no {name} on the page"
                );
                assert!(
                    samples.keys().any(|(sample, _)| sample == name),
                    "{query}: no {name}"
                );
                for label in grouped_by(query) {
                    // That is Prometheus's own.
                    assert!(
                        label == "instance" || labels_of(name).contains(label),
                        "{query}: {label}"
                    );
                }
                asked.insert(base(name).to_owned());
            }
            let legend = target["legendFormat"].as_str().unwrap_or_default();
            for label in legend
                .split("{{")
                .skip(1)
                .filter_map(|rest| rest.split("}}").next())
            {
                assert!(grouped_by(query).contains(&label), "{query}: {legend}");
            }
        }
    }
    let all: BTreeSet<_> = METRICS
        .iter()
        .map(|metric| metric.name.to_owned())
        .collect();
    assert_eq!(asked, all, "the dashboard shows all metrics, and no others");
}

/// Returns the names of metrics in a query.
fn names(query: &str) -> Vec<&str> {
    let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("purezmq_")).collect()
}

/// Returns the labels that a query groups by.
fn grouped_by(query: &str) -> BTreeSet<&str> {
    let groups = query.split(" by (").skip(1);
    let labels = groups.filter_map(|rest| rest.split_once(')'));
    labels
        .flat_map(|(labels, _)| labels.split(", "))
        .filter(|label| *label != "le")
        .collect()
}

/// Returns the metric that a sample is of.
fn base(sample: &str) -> &str {
    let ends = ["_bucket", "_sum", "_count"];
    ends.iter()
        .find_map(|end| sample.strip_suffix(end))
        .unwrap_or(sample)
}

pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
