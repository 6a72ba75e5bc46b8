//! The types that only a libzmq with drafts has, with that libzmq at the other end (`tests/peers/drafts.py`).

use std::path::Path;

use common::python::Program;
use common::within;
use serde_json::{Value, json};

use crate::tool::{Tool, ready, run};

/// A socket of libzmq's. `None`: there is no libzmq with drafts here.
async fn theirs(kind: &str) -> Option<Program> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    if !root.join(".drafts/node_modules/zeromq").exists() {
        eprintln!(
            "\n*** SKIPPED: there is no libzmq with drafts. Run scripts/setup where npm is installed. ***\n"
        );
        return None;
    }
    ready();
    let mut theirs = Program::start("drafts.py");
    theirs.call(json!({ "do": "open", "type": kind })).await;
    Some(theirs)
}

fn text(received: &Value) -> &str {
    received[0].as_str().expect("a text")
}

#[tokio::test]
async fn libzmq_gets_what_the_tool_sends() {
    for (ours, kind, more) in [
        ("scatter", "GATHER", &["hello"][..]),
        ("radio", "DISH", &["--delimiter", ":", "news:hello"]),
        ("channel", "CHANNEL", &["--count", "0", "hello"]),
        ("client", "SERVER", &["--count", "0", "hello"]),
    ] {
        let Some(mut peer) = theirs(kind).await else {
            return;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let at = format!("ipc://{}/socket", folder.path().display());
        peer.call(json!({ "do": "bind", "endpoint": at })).await;
        if kind == "DISH" {
            peer.call(json!({ "do": "join", "group": "news" })).await;
        }
        // A DISH of libzmq's joins while its program receives.
        peer.give(&json!({ "do": "recv" })).await;
        let (code, said) = run(&[&[ours, "--connect", &at][..], more].concat()).await;
        assert_eq!(code, 0, "{ours}: {said}");
        let received = within("libzmq receives", peer.next()).await;
        assert_eq!(text(&received["ok"]), "hello", "{ours}");
    }
}

#[tokio::test]
async fn the_tool_writes_what_libzmq_sends() {
    for (ours, kind, more) in [
        ("gather", "SCATTER", &[][..]),
        ("channel", "CHANNEL", &[]),
        ("server", "CLIENT", &["--echo"]),
        ("peer", "PEER", &["--echo"]),
    ] {
        let Some(mut peer) = theirs(kind).await else {
            return;
        };
        let (mut tool, at) = Tool::bound(ours, more).await;
        let connect = if kind == "PEER" {
            "connect_peer"
        } else {
            "connect"
        };
        let number = peer.call(json!({ "do": connect, "endpoint": at })).await;
        let mut order = json!({ "do": "send", "text": "hello", "size": 5 });
        if kind == "PEER" {
            order["to"] = number;
        }
        peer.call(order).await;
        match more.is_empty() {
            true => assert_eq!(tool.line().await, "hello", "{ours}"),
            false => assert_eq!(
                text(&peer.call(json!({ "do": "recv" })).await),
                "hello",
                "{ours}"
            ),
        }
    }
}
