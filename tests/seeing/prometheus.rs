//! The dashboard's queries, and those that `docs/metrics.md` has for alerts, evaluated by a real Prometheus, which scrapes a
//! program with the feature `metrics`. Skipped, loudly, where there is no Prometheus: `scripts/setup` fetches one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use common::within;
use purezmq::{Context, Message, PullSocket, PushSocket, RouterSocket, RoutingId};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use super::metrics::{exporter, root};

/// Between two pages that are scraped.
const SCRAPED: &str = "100ms";

/// What rates are taken of, in place of Grafana's `$__rate_interval`.
const RATED: &str = "5s";

/// Between two questions to a Prometheus that has not enough pages yet.
const ASKED: Duration = Duration::from_millis(100);

fn program() -> Option<PathBuf> {
    let unpacked = root().join(".prometheus/usr/bin/prometheus");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path).map(|folder| folder.join("prometheus"));
    let mut all = installed.chain([unpacked]);
    all.find(|program| program.is_file())
}

/// A Prometheus that scrapes this page.
struct Prometheus {
    address: String,
    _process: Child,
}

impl Prometheus {
    /// Starts it. Its port is free now, and may be taken when it comes to it: then it ends, and that is seen.
    async fn start(program: &Path, folder: &Path, page: &str) -> Option<Self> {
        let config = format!(
            "scrape_configs:\n  - job_name: tested\n    scrape_interval: {SCRAPED}\n    scrape_timeout: {SCRAPED}\n    static_configs:\n      - targets: ['{page}']\n"
        );
        std::fs::write(folder.join("prometheus.yml"), config).expect("written");
        let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = free.local_addr().expect("an address").to_string();
        drop(free);
        let mut process = Command::new(program)
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .current_dir(folder)
            .kill_on_drop(true)
            .spawn()
            .expect("prometheus starts");
        loop {
            if process.try_wait().expect("a child").is_some() {
                return None;
            }
            let said = ask(&address, "/-/ready").await;
            if said.is_some_and(|(status, _)| status == 200) {
                return Some(Prometheus {
                    address,
                    _process: process,
                });
            }
            tokio::time::sleep(ASKED).await;
        }
    }

    /// Evaluates a query now.
    async fn query(&self, query: &str) -> Value {
        let path = format!("/api/v1/query?query={}", escaped(query));
        let (_, body) = ask(&self.address, &path).await.expect("it answers");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].clone()
    }

    /// Returns the values of a label, as Grafana's `label_values` does.
    async fn label_values(&self, metric: &str, label: &str) -> Value {
        let path = format!("/api/v1/label/{label}/values?match[]={metric}");
        let (_, body) = ask(&self.address, &path).await.expect("it answers");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(answer["status"], "success", "{answer}");
        answer["data"].clone()
    }
}

/// Asks by HTTP. `None`: nobody answers.
async fn ask(address: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: here\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

fn escaped(query: &str) -> String {
    query.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Returns the dashboard's queries, as Grafana asks them when all sockets are shown.
fn dashboard() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("docs/grafana.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").clone();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().expect("queries"));
    targets
        .map(|target| {
            let query = target["expr"].as_str().expect("a query");
            let query = query
                .replace("$__rate_interval", RATED)
                .replace("$socket", ".*");
            assert!(!query.contains('$'), "{query}");
            query
        })
        .collect()
}

/// Returns the queries of the table of alerts.
fn alerts() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let (_, alerts) = text.split_once("## Alerts").expect("a table of alerts");
    let rows = alerts.lines().filter(|line| line.ends_with("` |"));
    rows.map(|row| {
        let (_, query) = row.split_once('`').expect("a query");
        query.strip_suffix("` |").expect("its end").to_owned()
    })
    .collect()
}

/// Sends and receives, and drops: some queries show only what is more than nothing.
async fn be_busy(context: Context) {
    let named = |name: &str| name.to_owned();
    let mut pull = PullSocket::builder()
        .context(&context)
        .name(named("busy"))
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut push = PushSocket::builder()
        .context(&context)
        .name(named("busy"))
        .build()
        .unwrap();
    push.connect(&endpoint).unwrap();
    let mut router = RouterSocket::builder()
        .context(&context)
        .name(named("busy"))
        .build()
        .unwrap();
    router.bind("tcp://127.0.0.1:*").await.unwrap();
    let nobody = RoutingId::from("nobody");
    loop {
        push.send("1234").await.unwrap();
        pull.recv().await.unwrap();
        router
            .send((nobody.clone(), Message::from("lost")))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_dashboards_queries_answer_by_a_real_prometheus() {
    let Some(program) = program() else {
        eprintln!(
            "SKIPPED: there is no Prometheus, which the dashboard's queries are asked of (scripts/setup)"
        );
        return;
    };
    exporter();
    let context = Context::new();
    let recording = context.record_metrics(Duration::from_millis(50)).unwrap();
    let router = Router::new().route("/metrics", get(|| async { exporter().render() }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let page = listener.local_addr().unwrap().to_string();
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let busy = tokio::spawn(be_busy(context));
    let folder = tempfile::tempdir().unwrap();
    let prometheus = within("a Prometheus", async {
        loop {
            if let Some(one) = Prometheus::start(&program, folder.path(), &page).await {
                return one;
            }
        }
    })
    .await;

    let queries = dashboard();
    assert!(queries.len() > 10);
    let mut unanswered: BTreeSet<_> = queries.into_iter().collect();
    within("an answer to each query", async {
        while !unanswered.is_empty() {
            for query in unanswered.clone() {
                let result = prometheus.query(&query).await;
                let series = result.as_array().expect("series");
                let is_answered = series.iter().any(|series| {
                    let value = series["value"][1].as_str();
                    value.is_some_and(|value| value.parse::<f64>().is_ok_and(f64::is_finite))
                });
                if is_answered {
                    unanswered.remove(&query);
                }
            }
            assert!(!busy.is_finished() && !serving.is_finished());
            tokio::time::sleep(ASKED).await;
        }
    })
    .await;
    let sockets = prometheus.label_values("purezmq_sockets", "socket").await;
    let sockets = sockets.as_array().expect("names");
    assert!(sockets.contains(&Value::from("busy")), "{sockets:?}");
    let alerts = alerts();
    assert!(!alerts.is_empty());
    for alert in alerts {
        prometheus.query(&alert).await;
    }
    busy.abort();
    serving.abort();
    drop(recording);
}
