//! jszmq, ZeroMQ in JavaScript for browsers (`tests/peers/jszmq.js`), over `ws://`: as client and as server.
//! scripts/setup installs it, where there is npm.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use common::place::free_port;
use common::within;
use purezmq::{Message, PullSocket, RepSocket, ReqSocket, RouterSocket, XPubSocket};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

struct Script {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Script {
    /// Starts the script. `None`, said loudly: there is no jszmq here.
    fn start(arguments: &[&str]) -> Option<Script> {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        if !root.join(".drafts/node_modules/jszmq").exists() {
            eprintln!("SKIPPED: scripts/setup has found no npm to install jszmq with");
            return None;
        }
        let mut child = Command::new("node")
            .arg(root.join("tests/peers/jszmq.js"))
            .args(arguments)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node is there, as npm is");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Some(Script {
            _child: child,
            lines,
        })
    }

    async fn line(&mut self) -> String {
        let line = within("a line of the script", self.lines.next_line()).await;
        line.expect("standard output").expect("the script goes on")
    }
}

#[tokio::test]
async fn it_subscribes() {
    let mut publisher = XPubSocket::new();
    let endpoint = publisher.bind("ws://127.0.0.1:*/news").await.unwrap();
    let Some(mut script) = Script::start(&["sub", &endpoint.to_string(), "a", "3"]) else {
        return;
    };
    let notice = within("a subscription", publisher.recv()).await.unwrap();
    assert_eq!(notice, "\u{1}a");
    for message in [["a", "1"], ["b", "2"], ["a", ""], ["abc", "4"]] {
        publisher.send(message).await.unwrap();
    }
    for expected in ["a|1", "a|", "abc|4"] {
        assert_eq!(script.line().await, expected);
    }
    let notice = within("its end", publisher.recv()).await.unwrap();
    assert_eq!(notice, "\0a");
}

#[tokio::test]
async fn it_asks_and_is_asked() {
    let mut rep = RepSocket::new();
    let endpoint = rep.bind("ws://127.0.0.1:*").await.unwrap();
    let Some(mut script) = Script::start(&["req", &endpoint.to_string(), "one", "two"]) else {
        return;
    };
    for text in ["one", "two"] {
        assert_eq!(within("a request", rep.recv()).await.unwrap(), text);
        rep.send(format!("{text}!")).await.unwrap();
        assert_eq!(script.line().await, format!("{text}!"));
    }

    let endpoint = format!("ws://127.0.0.1:{}/", free_port());
    let mut script = Script::start(&["rep", &endpoint]).expect("it was there");
    assert_eq!(script.line().await, "bound");
    let mut req = ReqSocket::builder()
        .reconnect_interval(Duration::from_millis(20))
        .build()
        .unwrap();
    req.connect(&endpoint).unwrap();
    req.send(["say", "it"]).await.unwrap();
    let answer = within("an answer", req.recv()).await.unwrap();
    assert_eq!(answer, Message::from(["SAY", "IT"]));
}

#[tokio::test]
async fn it_has_a_routing_id_and_sends_many() {
    let mut router = RouterSocket::new();
    let endpoint = router.bind("ws://127.0.0.1:*").await.unwrap();
    let Some(mut script) = Script::start(&["dealer", &endpoint.to_string(), "joe", "hello"]) else {
        return;
    };
    let message = within("a message", router.recv_message()).await.unwrap();
    assert_eq!(message.peer, "joe");
    assert_eq!(message.message, "hello");
    router.send(("joe", ["hello", "joe"])).await.unwrap();
    assert_eq!(script.line().await, "hello|joe");

    let mut pull = PullSocket::new();
    let endpoint = pull.bind("ws://127.0.0.1:*").await.unwrap();
    let _script = Script::start(&["push", &endpoint.to_string(), "1000", "300"]);
    for number in 0..1000 {
        let message = within("a message", pull.recv()).await.unwrap();
        assert_eq!(message[0].len(), 300);
        assert!(message[0].starts_with(format!("{number}.").as_bytes()));
    }
}
