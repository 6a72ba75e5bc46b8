//! A pyzmq socket in a process of its own: tests/peers/peer.py, spoken to in lines of JSON.
//!
//! The process is what failure tests kill with SIGKILL, always through the handle of the child that
//! was started here. Its standard error is the test's.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::payload::{Digest, FrameRecipe, Recipe};
use super::peer::Peer;
use super::within;

/// A process with one pyzmq socket. Killed when dropped.
pub(crate) struct Pyzmq {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Pyzmq {
    /// Starts the process and opens a socket with options by their libzmq names (`SNDHWM`, ...).
    pub(crate) async fn with_options(kind: &str, options: Value) -> Pyzmq {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(interpreter(root))
            .arg(root.join("tests/peers/peer.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("start tests/peers/peer.py");
        let orders = child.stdin.take().expect("standard input is piped");
        let answers = child.stdout.take().expect("standard output is piped");
        let mut peer = Pyzmq {
            child,
            orders,
            answers: BufReader::new(answers).lines(),
        };
        let mut all = json!({ "IPV6": 1 });
        for (name, value) in options.as_object().expect("options are an object") {
            all[name] = value.clone();
        }
        peer.call(json!({ "do": "open", "type": kind, "options": all }))
            .await;
        peer
    }

    /// Gives an order and awaits its answer.
    pub(crate) async fn call(&mut self, order: Value) -> Value {
        self.start(order.clone()).await;
        let mut answer = within("answer of peer.py", self.next()).await;
        match answer.get_mut("ok") {
            Some(ok) => ok.take(),
            None => panic!("peer.py failed at {order}: {answer}"),
        }
    }

    /// Gives an order that has no answer of its own (`flood`, `report`, `serve`).
    pub(crate) async fn start(&mut self, order: Value) {
        let line = format!("{order}\n");
        self.orders
            .write_all(line.as_bytes())
            .await
            .expect("peer.py reads its orders");
    }

    /// The texts of the next report of a peer that was started with `report` or `serve`. Waits
    /// without limit, so that it can stand in a `select!`.
    ///
    /// Cancel safe: a report that is not returned stays.
    pub(crate) async fn reported(&mut self) -> Vec<String> {
        reported_texts(&self.next().await)
    }

    /// Kills the process with SIGKILL, waits until it is gone, and returns what it still reported.
    pub(crate) async fn kill(mut self) -> Vec<String> {
        self.child.kill().await.expect("kill peer.py");
        let mut rest = Vec::new();
        // What was written before the kill stays in the pipe; a line cut off by it does not count.
        while let Ok(Some(line)) = within("last words of peer.py", self.answers.next_line()).await {
            if let Ok(value) = serde_json::from_str(&line) {
                rest.extend(reported_texts(&value));
            }
        }
        rest
    }

    async fn next(&mut self) -> Value {
        let line = self.answers.next_line().await.expect("peer.py writes text");
        let line = line.expect("peer.py has ended: its message is above");
        serde_json::from_str(&line).expect("peer.py answers in JSON")
    }
}

fn reported_texts(answer: &Value) -> Vec<String> {
    let got = answer["got"]
        .as_array()
        .unwrap_or_else(|| panic!("peer.py failed: {answer}"));
    got.iter()
        .map(|text| text.as_str().expect("texts").to_owned())
        .collect()
}

pub(crate) fn interpreter(root: &Path) -> PathBuf {
    let python = root.join(".venv/bin/python");
    assert!(
        python.exists(),
        "the pyzmq peer is missing: {} does not exist. Run scripts/setup once, or all tests with scripts/test",
        python.display()
    );
    python
}

fn recipes(messages: &[Recipe]) -> Value {
    let frames = |recipe: &Recipe| recipe.iter().map(FrameRecipe::to_json).collect::<Value>();
    messages.iter().map(frames).collect()
}

fn digests(answer: &Value) -> Vec<Digest> {
    answer
        .as_array()
        .expect("a list of digests")
        .iter()
        .map(Digest::from_json)
        .collect()
}

impl Peer for Pyzmq {
    async fn open(kind: &str) -> Pyzmq {
        Pyzmq::with_options(kind, json!({})).await
    }

    async fn bind(&mut self, endpoint: &str) -> String {
        let resolved = self
            .call(json!({ "do": "bind", "endpoint": endpoint }))
            .await;
        resolved.as_str().expect("an endpoint").to_owned()
    }

    async fn connect(&mut self, endpoint: &str) {
        self.call(json!({ "do": "connect", "endpoint": endpoint }))
            .await;
    }

    async fn subscribe(&mut self, topic: &str) {
        self.call(json!({ "do": "subscribe", "topic": topic }))
            .await;
    }

    async fn send(&mut self, messages: &[Recipe]) -> Vec<Digest> {
        digests(
            &self
                .call(json!({ "do": "send", "messages": recipes(messages) }))
                .await,
        )
    }

    async fn recv(&mut self, count: usize) -> Vec<Digest> {
        digests(&self.call(json!({ "do": "recv", "count": count })).await)
    }

    async fn echo(&mut self, count: usize) -> Vec<Digest> {
        digests(&self.call(json!({ "do": "echo", "count": count })).await)
    }

    async fn request(&mut self, messages: &[Recipe]) -> Vec<Digest> {
        digests(
            &self
                .call(json!({ "do": "request", "messages": recipes(messages) }))
                .await,
        )
    }
}
