//! Each pattern, with either side as the tool.

use common::payload::Digest;
use common::peer::Peer;
use common::python::Pyzmq;
use common::within;
use serde_json::json;

use crate::tool::{Tool, run};

const ANY_PORT: &str = "tcp://127.0.0.1:*";
const LIMIT: [&str; 2] = ["--timeout", "30s"];

/// Has pyzmq send these messages, as texts of their frames.
async fn send(peer: &mut Pyzmq, messages: &[&[&str]]) {
    let frames = |message: &&[&str]| -> Vec<_> {
        message.iter().map(|text| json!({ "text": text })).collect()
    };
    let messages: Vec<_> = messages.iter().map(frames).collect();
    peer.call(json!({ "do": "send", "messages": messages }))
        .await;
}

/// The next messages that pyzmq has received, each as its frames with `|` between them.
async fn reported(peer: &mut Pyzmq, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    while all.len() < count {
        all.extend(within("pyzmq receives", peer.reported()).await);
    }
    all
}

async fn bound(kind: &str) -> (Pyzmq, String) {
    let mut peer = Pyzmq::open(kind).await;
    let endpoint = peer.bind(ANY_PORT).await;
    (peer, endpoint)
}

#[tokio::test]
async fn pyzmq_gets_what_the_tool_sends() {
    for (ours, theirs, more) in [
        ("push", "PULL", &[][..]),
        ("pub", "SUB", &[]),
        ("xpub", "SUB", &["--count", "0"]),
        ("pub", "XSUB", &[]),
        ("pair", "PAIR", &["--count", "0"]),
        ("dealer", "DEALER", &["--count", "0"]),
    ] {
        let (mut peer, at) = bound(theirs).await;
        match theirs {
            "SUB" => peer.subscribe("a").await,
            // To all: a message that begins with one.
            "XSUB" => send(&mut peer, &[&["\u{1}"]]).await,
            _ => {}
        }
        peer.start(json!({ "do": "report" })).await;
        let command = [
            ours,
            "--connect",
            &at,
            "--format",
            "json",
            r#"["a","b"]"#,
            r#"["a message"]"#,
        ];
        let (code, said) = run(&[&command[..], more, &LIMIT].concat()).await;
        assert_eq!(code, 0, "{ours}: {said}");
        assert_eq!(reported(&mut peer, 2).await, ["a|b", "a message"], "{ours}");
    }
}

#[tokio::test]
async fn the_tool_writes_what_pyzmq_sends() {
    for (ours, theirs) in [("pull", "PUSH"), ("pair", "PAIR"), ("dealer", "DEALER")] {
        let (mut tool, at) = Tool::bound(ours, &["--format", "json"]).await;
        let mut peer = Pyzmq::open(theirs).await;
        peer.connect(&at).await;
        send(&mut peer, &[&["a", ""], &["b"]]).await;
        assert_eq!(tool.line().await, r#"["a",""]"#, "{ours}");
        assert_eq!(tool.line().await, r#"["b"]"#, "{ours}");
    }
}

#[tokio::test]
async fn the_tool_subscribes_to_pyzmq() {
    for ours in ["sub", "xsub"] {
        // An XPUB that hears the subscription can send then.
        let (mut peer, at) = bound("XPUB").await;
        let mut tool = Tool::start(&[ours, "--connect", &at, "--subscribe", "weather."]);
        peer.recv(1).await;
        send(&mut peer, &[&["sport.x"], &["weather.rain", "today"]]).await;
        assert_eq!(tool.line().await, "weather.rain\ttoday", "{ours}");
    }
    // What the tool's XPUB hears of pyzmq's SUB.
    let (mut tool, at) = Tool::bound("xpub", &["--format", "hex"]).await;
    let mut peer = Pyzmq::open("SUB").await;
    peer.connect(&at).await;
    peer.subscribe("a").await;
    assert_eq!(tool.line().await, "0161");
}

#[tokio::test]
async fn requests_go_both_ways() {
    let (mut peer, at) = bound("REP").await;
    peer.start(json!({ "do": "serve" })).await;
    let asked = [&["req", "--connect", &at, "hello", "there"][..], &LIMIT].concat();
    let (code, written) = run(&asked).await;
    assert_eq!((code, &*written), (0, "hello\nthere\n"));

    for (ours, theirs) in [
        ("rep", "REQ"),
        ("router", "REQ"),
        ("router", "DEALER"),
        ("rep", "DEALER"),
    ] {
        let answers = ["--format", "json", "--exec", "tr a-z A-Z"];
        let (_tool, at) = Tool::bound(ours, &answers).await;
        let mut peer = Pyzmq::open(theirs).await;
        peer.connect(&at).await;
        // A REP hears only of what has an envelope.
        let (request, answer) = match (ours, theirs) {
            ("rep", "DEALER") => (vec!["", "hello", "x"], vec!["", "HELLO", "X"]),
            _ => (vec!["hello", "x"], vec!["HELLO", "X"]),
        };
        send(&mut peer, &[&request]).await;
        assert_eq!(peer.recv(1).await, [Digest::of(&answer)], "{ours} {theirs}");
    }
}

#[tokio::test]
async fn a_person_talks_to_a_router_of_pyzmq() {
    let (mut peer, at) = bound("ROUTER").await;
    let mut tool = Tool::start(&["dealer", "--connect", &at]);
    for line in ["one", "two"] {
        tool.type_line(line).await;
        peer.echo(1).await;
        assert_eq!(tool.line().await, line);
    }
}

#[tokio::test]
async fn a_proxy_of_the_tool_stands_between_pyzmq_and_pyzmq() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| format!("ipc://{}/{name}", folder.path().display());
    let (front, back) = (at("front"), at("back"));
    let _proxy = Tool::start(&["proxy", "queue", "--front", &front, "--back", &back]);
    let mut worker = Pyzmq::open("REP").await;
    worker.connect(&back).await;
    worker.start(json!({ "do": "serve" })).await;
    let mut client = Pyzmq::open("REQ").await;
    client.connect(&front).await;
    send(&mut client, &[&["question"]]).await;
    assert_eq!(reported(&mut worker, 1).await, ["question"]);
    client.recv(1).await;
}

#[tokio::test]
async fn plain_and_curve_are_what_pyzmq_speaks() {
    let options = json!({ "PLAIN_SERVER": 1 });
    let mut peer = Pyzmq::with_options("PULL", options).await;
    peer.call(json!({ "do": "authenticate", "passwords": { "joe": "secret" } }))
        .await;
    let at = peer.bind(ANY_PORT).await;
    peer.start(json!({ "do": "report" })).await;
    let push = ["push", "--connect", &at, "--plain", "joe:secret", "hello"];
    assert_eq!(run(&[&push[..], &LIMIT].concat()).await.0, 0);
    assert_eq!(reported(&mut peer, 1).await, ["hello"]);

    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
    assert_eq!(run(&["keygen", &file("server")]).await.0, 0);
    assert_eq!(run(&["keygen", &file("client")]).await.0, 0);
    let (mut tool, at) = Tool::bound(
        "pull",
        &["--curve", &file("server.key_secret"), "--count", "1"],
    )
    .await;
    let keys = |name: &str| purezmq::security::load_certificate(file(name)).expect("a certificate");
    let client = keys("client.key_secret").key_pair().expect("both keys");
    let server = *keys("server.key").public_key();
    let options = json!({
        "CURVE_PUBLICKEY": client.public().to_string(),
        "CURVE_SECRETKEY": client.secret().to_z85().as_str(),
        "CURVE_SERVERKEY": server.to_string(),
    });
    let mut peer = Pyzmq::with_options("PUSH", options).await;
    peer.connect(&at).await;
    send(&mut peer, &[&["hello"]]).await;
    assert_eq!(tool.line().await, "hello");
    assert_eq!(tool.ends().await, 0);
}
