//! `pzmq ping`, with sockets of this library. Those of libzmq are among the tests against pyzmq.

use crate::running::{Running, pzmq, said, written};

fn ping(endpoint: &str, more: &[&str]) -> assert_cmd::assert::Assert {
    let arguments = ["ping", endpoint, "-n", "3", "-i", "1ms", "-t", "20s"];
    pzmq(arguments).args(more).assert()
}

#[test]
fn a_peer_is_told_and_timed() {
    for kind in ["rep", "pub", "pull", "router", "sub", "server", "dish"] {
        let peer = Running::start([kind, "-b", "tcp://127.0.0.1:*"]);
        let pinged = ping(&peer.endpoint(), &[]).success();
        let written = written(&pinged);
        let told = format!("{}, ZMTP 3.1, NULL", kind.to_uppercase());
        assert!(written.contains(&told), "{written}");
        assert!(
            written.contains("3 sent, 3 answered, 0% lost\nmin "),
            "{written}"
        );
        assert!(!written.contains("nobody comes in"), "{written}");
    }
}

/// It would get what is for others, or take the one place there is.
#[test]
fn nobody_comes_in_just_to_ask_where_that_would_disturb() {
    for kind in ["push", "pair", "dealer"] {
        let mut peer = Running::start([kind, "-b", "tcp://127.0.0.1:*"]);
        peer.type_line("for somebody else");
        let endpoint = peer.endpoint();
        let pinged = ping(&endpoint, &[]).success();
        let written = written(&pinged);
        assert!(written.contains("nobody comes in just to ask"), "{written}");
        assert!(written.contains("3 sent, 3 answered"), "{written}");
        let other = if kind == "push" { "pull" } else { kind };
        pzmq([other, "-c", &endpoint, "-n", "1", "-t", "60s"])
            .write_stdin("")
            .assert()
            .success()
            .stdout("for somebody else\n");
    }
}

#[test]
fn nobody_there_is_a_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let nowhere = format!("ipc://{}/nobody", folder.path().display());
    let pinged = ping(&nowhere, &[]).code(1);
    assert!(said(&pinged).contains("cannot reach"), "{}", said(&pinged));
    ping("inproc://here", &[]).code(2);
}

#[test]
fn a_curve_server_is_asked_in_its_own_mechanism() {
    let folder = tempfile::tempdir().expect("a folder");
    pzmq(["keygen", "server"])
        .current_dir(&folder)
        .assert()
        .success();
    let bind = [
        "pull",
        "-b",
        "tcp://127.0.0.1:*",
        "--curve",
        "server.key_secret",
    ];
    let peer = Running::start_in(folder.path(), bind);
    let key = folder.path().join("server.key");
    let key = key.to_str().expect("text");
    let pinged = ping(&peer.endpoint(), &["--server-key", key]).success();
    let written = written(&pinged);
    assert!(written.contains("PULL, ZMTP 3.1, CURVE"), "{written}");
    assert!(written.contains("3 answered"), "{written}");
}
