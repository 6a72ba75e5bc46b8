//! Python programs with pyzmq sockets in processes of their own, spoken to in lines of JSON: `tests/peers/`.
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

/// A Python program of `tests/peers/`, which answers each order, a line of JSON, with another. Killed when
/// dropped.
pub struct Program {
    script: String,
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts a script by its file name.
    pub fn start(script: &str) -> Program {
        Program::start_with(script, &[])
    }

    /// Starts a script by its file name, with arguments.
    pub fn start_with(script: &str, arguments: &[&str]) -> Program {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let mut child = Command::new(interpreter(root))
            .arg(root.join("tests/peers").join(script))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("start {script}: {error}"));
        let orders = child.stdin.take().expect("standard input is piped");
        let answers = child.stdout.take().expect("standard output is piped");
        Program {
            script: script.to_owned(),
            child,
            orders,
            answers: BufReader::new(answers).lines(),
        }
    }

    /// Gives an order and awaits its answer: what is `ok`.
    pub async fn call(&mut self, order: Value) -> Value {
        let mut answer = self.answer(&order).await;
        match answer.get_mut("ok") {
            Some(ok) => ok.take(),
            None => panic!("{} failed at {order}: {answer}", self.script),
        }
    }

    /// Gives an order and awaits its answer as it is.
    pub async fn answer(&mut self, order: &Value) -> Value {
        self.give(order).await;
        within("the answer of a Python program", self.next()).await
    }

    /// Gives an order.
    pub async fn give(&mut self, order: &Value) {
        let line = format!("{order}\n");
        let written = self.orders.write_all(line.as_bytes()).await;
        written.unwrap_or_else(|error| panic!("{} reads its orders: {error}", self.script));
    }

    /// The next line. Cancel safe.
    pub async fn next(&mut self) -> Value {
        let line = self.answers.next_line().await.expect("it writes text");
        let line =
            line.unwrap_or_else(|| panic!("{} has ended: its message is above", self.script));
        serde_json::from_str(&line).expect("it answers in JSON")
    }

    /// The process, to stop and continue it.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Kills the process with SIGKILL, waits until it is gone, and returns what it still wrote.
    pub async fn kill(mut self) -> Vec<Value> {
        self.child.kill().await.expect("kill a Python program");
        let mut rest = Vec::new();
        // What was written before the kill stays in the pipe; a line cut off by it does not count.
        while let Ok(Some(line)) = within("its last words", self.answers.next_line()).await {
            rest.extend(serde_json::from_str(&line));
        }
        rest
    }
}

/// A process with one pyzmq socket. Killed when dropped.
pub struct Pyzmq {
    program: Program,
}

impl Pyzmq {
    /// Starts the process and opens a socket with options by their libzmq names (`SNDHWM`, ...).
    pub async fn with_options(kind: &str, options: Value) -> Pyzmq {
        let mut peer = Pyzmq {
            program: Program::start("peer.py"),
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
    pub async fn call(&mut self, order: Value) -> Value {
        self.program.call(order).await
    }

    /// Gives an order that has no answer of its own (`flood`, `report`, `serve`).
    pub async fn start(&mut self, order: Value) {
        self.program.give(&order).await;
    }

    /// The texts of the next report of a peer that was started with `report` or `serve`. Waits
    /// without limit, so that it can stand in a `select!`.
    ///
    /// Cancel safe: a report that is not returned stays.
    pub async fn reported(&mut self) -> Vec<String> {
        reported_texts(&self.program.next().await)
    }

    /// Kills the process with SIGKILL, waits until it is gone, and returns what it still reported.
    pub async fn kill(self) -> Vec<String> {
        let rest = self.program.kill().await;
        rest.iter().flat_map(reported_texts).collect()
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

fn interpreter(root: &Path) -> PathBuf {
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
