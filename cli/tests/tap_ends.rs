//! Where `pzmq tap` listens and connects, and how it ends.

mod driver;

use driver::{failed, start, succeeded, text, within};
use purezmq::{PullSocket, PushSocket};

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_tap_whose_disk_is_full_says_so() {
    let said = failed(
        start(&[
            "tap",
            "tcp://127.0.0.1:*",
            "tcp://127.0.0.1:1",
            "--write",
            "/dev/full",
        ]),
        1,
    )
    .await;
    assert!(said.contains("pzmq: cannot write /dev/full: "), "{said}");
}

/// Socket files, and that there is none left.
#[cfg(unix)]
#[tokio::test]
async fn a_tap_before_a_socket_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| format!("ipc://{}", folder.path().join(name).display());
    let mut pull = PullSocket::new();
    pull.bind(at("target")).await.expect("bound");
    let mut push = PushSocket::new();
    push.connect(at("tap")).expect("an endpoint");
    let child = start(&[
        "tap",
        &at("tap"),
        &at("target"),
        "--connections",
        "1",
        "--only",
        "messages",
    ]);
    push.send("hello").await.expect("sent");
    assert_eq!(within(pull.recv()).await.expect("a message"), "hello");
    drop(push);
    let out = succeeded(child).await;
    assert!(
        out.trim_end().ends_with("#1 client > message 5 \"hello\""),
        "{out}"
    );
    assert!(!folder.path().join("tap").exists());
}

#[tokio::test]
async fn what_cannot_be_tapped_is_refused() {
    for (listen, target, said) in [
        (
            "tcp://127.0.0.1:*",
            "udp://127.0.0.1:5555",
            "a tap takes tcp://host:port and ipc://path",
        ),
        (
            "inproc://here",
            "tcp://127.0.0.1:5555",
            "a tap takes tcp://host:port and ipc://path",
        ),
        ("tcp://127.0.0.1:*", "nonsense", "nonsense"),
    ] {
        let err = failed(start(&["tap", listen, target]), 2).await;
        assert!(err.contains(said), "{err}");
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let taken = format!("tcp://{}", listener.local_addr().expect("an address"));
    let err = failed(start(&["tap", &taken, "tcp://127.0.0.1:1"]), 1).await;
    assert!(
        err.starts_with(&format!("pzmq: cannot listen at {taken}: ")),
        "{err}"
    );
    let help = driver::ended(start(&["tap", "--help"])).await;
    let help = text(&help.stdout);
    assert!(
        help.contains("Examples:") && help.lines().count() <= 50,
        "{help}"
    );
}
