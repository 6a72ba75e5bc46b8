//! `pzmq proxy`, with commands at both ends.

use std::collections::BTreeSet;

use rustix::process::Signal;

use crate::running::{Running, pzmq, written};

/// Endpoints of a proxy.
struct Places(tempfile::TempDir);

impl Places {
    fn new() -> Self {
        Places(tempfile::tempdir().expect("a folder"))
    }

    fn at(&self, name: &str) -> String {
        format!("ipc://{}/{name}", self.0.path().display())
    }
}

#[test]
fn requests_go_through_a_queue_and_are_captured() {
    let places = Places::new();
    let [front, second, back, capture] =
        ["front", "second", "back", "capture"].map(|name| places.at(name));
    let proxy = Running::start([
        "proxy",
        "queue",
        "--front",
        &front,
        "--front",
        &second,
        "--back",
        &back,
        "--capture",
        &capture,
    ]);
    let _worker = Running::start(["rep", "-c", &back, "--exec", "tr a-z A-Z"]);
    // A copy of the answer has the envelope and the text.
    let captured = Running::start(["sub", "-c", &capture, "-f", "json"]);
    for front in [&front, &second] {
        pzmq(["req", "-c", front, "-t", "60s", "hello"])
            .assert()
            .success()
            .stdout("HELLO\n");
    }
    // The subscriber may have come late; it has come when something comes.
    let mut asking = Running::start(["req", "-c", &front, "-i", "10ms", "hello"]);
    asking.type_line("");
    let copy = captured.writes().to_lowercase();
    assert!(copy.ends_with(r#","","hello"]"#), "{copy}");
    drop(asking);
    proxy.signal(Signal::TERM);
    let (status, _, said) = proxy.ends();
    assert!(status.success(), "{said}");
    assert!(said.contains("frontend: "), "{said}");
}

#[test]
fn workers_are_found_at_each_back() {
    let places = Places::new();
    let [front, one, two] = ["front", "one", "two"].map(|name| places.at(name));
    let _proxy = Running::start([
        "proxy", "queue", "--front", &front, "--back", &one, "--back", &two,
    ]);
    let _workers = [(&one, "echo one"), (&two, "echo two")]
        .map(|(back, answer)| Running::start(["rep", "-c", back, "--exec", answer]));
    // Either may be the first to be there.
    let mut missing = BTreeSet::from(["one\n", "two\n"]);
    while !missing.is_empty() {
        let answer = pzmq(["req", "-c", &front, "-t", "60s", "who?"]).assert();
        missing.remove(&*written(&answer.success()));
    }
}

#[test]
fn what_is_under_way_is_answered_before_sigterm_ends_it() {
    let places = Places::new();
    let (front, back) = (places.at("front"), places.at("back"));
    let proxy = Running::start([
        "proxy", "queue", "--front", &front, "--back", &back, "--drain", "60s",
    ]);
    let mut worker = Running::start(["rep", "-c", &back]);
    let mut client = Running::start(["req", "-c", &front]);
    client.type_line("question");
    assert_eq!(worker.writes(), "question");
    proxy.signal(Signal::TERM);
    proxy.says("draining");
    worker.type_line("answer");
    assert_eq!(client.writes(), "answer");
    let (status, _, said) = proxy.ends();
    assert!(status.success(), "{said}");
}

#[test]
fn publications_and_pipelines_go_through() {
    for (kind, sender, receiver) in [("forwarder", "pub", "sub"), ("streamer", "push", "pull")] {
        let places = Places::new();
        let (front, back) = (places.at("front"), places.at("back"));
        let _proxy = Running::start(["proxy", kind, "--front", &front, "--back", &back]);
        let receiver = Running::start([receiver, "-c", &back, "-n", "1", "-t", "60s"]);
        pzmq([sender, "-c", &front, "hello"]).assert().success();
        assert_eq!(receiver.ends().1, "hello\n");
    }
}

#[test]
fn a_control_socket_steers() {
    let places = Places::new();
    let [front, back, control] = ["front", "back", "control"].map(|name| places.at(name));
    let proxy = Running::start([
        "proxy",
        "streamer",
        "--front",
        &front,
        "--back",
        &back,
        "--control",
        &control,
    ]);
    let tell = |what: &str| {
        pzmq(["req", "-c", &control, "-t", "60s", what])
            .assert()
            .success()
    };
    tell("PAUSE");
    tell("RESUME");
    tell("TERMINATE");
    let (status, _, said) = proxy.ends();
    assert!(status.success(), "{said}");
}

#[test]
fn a_proxy_needs_both_sides() {
    let refused = pzmq(["proxy", "queue", "--front", "ipc://*"])
        .assert()
        .code(2);
    let said = crate::running::said(&refused);
    assert!(said.contains("--connect-back"), "{said}");
    assert_eq!(said.lines().count(), 1, "nothing is bound before: {said}");
}

/// Each worker is a DEALER, which says that it is ready by the option `probe_router`.
#[test]
fn balance_gives_requests_to_workers_that_are_ready() {
    let places = Places::new();
    let (front, back) = (places.at("front"), places.at("back"));
    let proxy = Running::start(["proxy", "balance", "--front", &front, "--back", &back]);
    let ready = ["dealer", "-c", &back, "--set", "probe_router=true"];
    // It has a request in hand for as long as the test takes.
    let busy = Running::start(ready.iter().chain(&["-f", "json"]));
    let _stuck = Running::start(["req", "-c", &front, "for the one that is busy"]);
    assert!(
        busy.writes()
            .ends_with(r#","","for the one that is busy"]"#)
    );
    let exec = ["--exec", "tr a-z A-Z"];
    let _worker = Running::start(ready.iter().chain(&exec));
    for _ in 0..3 {
        pzmq(["req", "-c", &front, "-t", "60s", "hello"])
            .assert()
            .success()
            .stdout("HELLO\n");
    }
    proxy.signal(Signal::TERM);
    proxy.says("draining");
    proxy.signal(Signal::TERM);
    let (status, _, said) = proxy.ends();
    assert_eq!(status.code(), Some(143), "{said}");
    assert!(said.contains("clients: 4 in, 3 out"), "{said}");
}

#[test]
fn a_request_is_given_to_another_worker_if_it_may_be_repeated() {
    let places = Places::new();
    let (front, back) = (places.at("front"), places.at("back"));
    let proxy = Running::start([
        "proxy", "balance", "--front", &front, "--back", &back, "--repeat", "1",
    ]);
    let ready = [
        "dealer",
        "-c",
        &back,
        "--set",
        "probe_router=true",
        "-f",
        "json",
    ];
    let first = Running::start(ready);
    let client = Running::start(["req", "-c", &front, "-t", "60s", "hello"]);
    assert!(first.writes().ends_with(r#","","hello"]"#));
    drop(first);
    let _second = Running::start(ready.iter().chain(&["--echo"]));
    assert_eq!(client.ends().1, "hello\n");
    proxy.signal(Signal::TERM);
    let (status, _, said) = proxy.ends();
    assert!(status.success(), "{said}");
    assert!(
        said.contains("lost with their workers: 0, repeated: 1"),
        "{said}"
    );
}

#[test]
fn what_a_kind_has_no_use_for_is_refused() {
    for (kind, more, why) in [
        (
            "balance",
            ["--capture", "ipc://*"],
            "balance has no --capture",
        ),
        (
            "balance",
            ["--control", "ipc://*"],
            "balance has no --control",
        ),
        ("queue", ["--repeat", "1"], "only balance has --repeat"),
    ] {
        let sides = ["--front", "ipc://*", "--back", "ipc://*"];
        let refused = pzmq(["proxy", kind])
            .args(sides)
            .args(more)
            .assert()
            .code(2);
        let said = crate::running::said(&refused);
        assert!(said.contains(why), "{said}");
    }
}
