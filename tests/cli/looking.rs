//! `pzmq ping` and `doctor`, with pyzmq to look at.

use common::peer::Peer;
use common::python::Pyzmq;
use purezmq::security::KeyPair;
use serde_json::json;

use crate::tool::run;

const ANY_PORT: &str = "tcp://127.0.0.1:*";

#[tokio::test]
async fn a_peer_of_pyzmq_answers_a_ping() {
    for (kind, comes_in) in [
        ("REP", true),
        ("PUB", true),
        ("PULL", true),
        ("PUSH", false),
        ("PAIR", false),
    ] {
        let mut peer = Pyzmq::open(kind).await;
        let at = peer.bind(ANY_PORT).await;
        let (code, written) = run(&["ping", &at, "-n", "3", "-i", "1ms", "-t", "20s"]).await;
        assert_eq!(code, 0, "{written}");
        assert!(
            written.contains(&format!("{kind}, ZMTP 3.1, NULL")),
            "{written}"
        );
        assert!(written.contains("3 sent, 3 answered, 0% lost"), "{written}");
        assert_eq!(!written.contains("nobody comes in"), comes_in, "{written}");
    }
}

/// A PULL that speaks CURVE as a server, with a ZAP handler that knows these clients: `*` for any.
async fn curve_server(clients: &str) -> (Pyzmq, String, KeyPair) {
    let keys = KeyPair::generate();
    let options = json!({ "CURVE_SERVER": 1, "CURVE_SECRETKEY": keys.secret().to_z85().as_str() });
    let mut peer = Pyzmq::with_options("PULL", options).await;
    peer.call(json!({ "do": "authenticate", "keys": clients }))
        .await;
    let at = peer.bind(ANY_PORT).await;
    (peer, at, keys)
}

async fn finds(at: &str, more: &[&str], cause: &str) {
    let look = ["doctor", at, "--timeout", "5s"];
    let (code, written) = run(&[&look[..], more].concat()).await;
    assert_eq!(code, 1, "{written}");
    let wrong = written
        .lines()
        .find_map(|line| line.strip_prefix("WRONG  "));
    assert!(
        wrong.is_some_and(|wrong| wrong.contains(cause)),
        "{written}"
    );
}

#[tokio::test]
async fn the_doctor_names_what_is_wrong_with_curve() {
    let (_peer, at, keys) = curve_server("*").await;
    let (right, other) = (
        keys.public().to_string(),
        KeyPair::generate().public().to_string(),
    );
    let look = ["doctor", &at, "--server-key", &right];
    for own in [&[][..], &["--type", "push"]] {
        let (code, written) = run(&[&look[..], own].concat()).await;
        assert_eq!(code, 0, "{written}");
        assert!(written.contains("it is a PULL"), "{written}");
    }
    finds(
        &at,
        &["--server-key", &other],
        "--server-key is not its public key",
    )
    .await;
    finds(
        &at,
        &["--plain", "joe:secret"],
        "the peer wants CURVE, and this side speaks PLAIN",
    )
    .await;
    finds(
        &at,
        &["--server-key", &right, "--type", "sub"],
        "a SUB does not fit it",
    )
    .await;

    let nobody = tempfile::tempdir().expect("a folder");
    let (_peer, at, keys) = curve_server(nobody.path().to_str().expect("text")).await;
    let right = keys.public().to_string();
    finds(
        &at,
        &["--server-key", &right, "--type", "push"],
        "its ZAP handler has no entry for it",
    )
    .await;
}

#[tokio::test]
async fn the_doctor_names_what_does_not_fit() {
    let mut peer = Pyzmq::open("PUSH").await;
    let at = peer.bind(ANY_PORT).await;
    finds(
        &at,
        &["--type", "sub"],
        "the peer is a PUSH, which talks to PULL, and not to SUB",
    )
    .await;
    let mut peer = Pyzmq::open("SUB").await;
    let at = peer.bind(ANY_PORT).await;
    finds(&at, &["--type", "pub"], "has not subscribed to anything").await;
}
