//! `pzmq bench`, driven as a person would. No test judges how fast anything is.

mod driver;

use std::path::Path;
use std::time::{Duration, Instant};

use driver::{bound, ended, failed, start, succeeded, text, within};
use purezmq::{PubSocket, RepSocket};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("a file");
    serde_json::from_str(&text).expect("JSON")
}

/// Starts a command that says on standard error where it is, after so many words.
async fn started_at(arguments: &[&str], words: &str) -> (Child, String) {
    let mut child = start(arguments);
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let line = within(lines.next_line())
        .await
        .expect("text")
        .expect("a line");
    let endpoint = line
        .strip_prefix(&format!("pzmq: {words} "))
        .expect("where it is");
    (child, endpoint.to_owned())
}

#[tokio::test]
async fn throughput_by_every_transport() {
    for transport in ["tcp", "ipc", "inproc"] {
        let bench = [
            "bench",
            "throughput",
            "--count",
            "20000",
            "--transport",
            transport,
        ];
        let out = succeeded(start(&bench)).await;
        let first = format!("throughput, 64 bytes, 20,000 messages, itself by {transport}\n  ");
        assert!(out.starts_with(&first), "{out}");
        assert!(
            out.contains(" messages/s, ") && out.contains(" MB/s, "),
            "{out}"
        );
    }
}

#[tokio::test]
async fn files_have_what_was_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for (what, count) in [
        ("throughput", "10000"),
        ("round-trip", "500"),
        ("fan-out", "2000"),
    ] {
        let names = [at("run.json"), at("run.csv"), at("run.svg")];
        let [json_file, csv_file, svg_file] =
            names.each_ref().map(|name| name.to_str().expect("text"));
        let bench = ["bench", what, "--count", count, "--size", "1K"];
        let files = ["--json", json_file, "--csv", csv_file, "--svg", svg_file];
        succeeded(start(&[bench, files].concat())).await;
        let saved = json(&names[0]);
        assert_eq!(saved["format"], "pzmq bench");
        assert_eq!(saved["kind"], what.replace("round-trip", "round trip"));
        assert_eq!(
            (&saved["message_bytes"], &saved["count"]),
            (
                &1024.into(),
                &count.parse::<u64>().expect("a number").into()
            )
        );
        let figure = |name: &str| saved[name].as_f64().expect("a number");
        assert!(
            figure("messages_per_second") > 0.0 && figure("seconds") > 0.0,
            "{saved}"
        );
        let csv = std::fs::read_to_string(&names[1]).expect("a file");
        let rows: Vec<_> = csv
            .lines()
            .skip(1)
            .map(|row| {
                let (x, y) = row.split_once(',').expect("two columns");
                (
                    x.parse::<f64>().expect("a number"),
                    y.parse::<f64>().expect("a number"),
                )
            })
            .collect();
        assert!(
            rows.len() > 10 && rows.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1),
            "{csv}"
        );
        let svg = std::fs::read_to_string(&names[2]).expect("a file");
        assert!(
            svg.starts_with("<svg") && svg.contains("<polyline"),
            "{svg}"
        );
        if what == "round-trip" {
            assert_eq!(csv.lines().next(), Some("percent,microseconds"));
            let latency = &saved["latency_us"];
            let at = |name: &str| latency[name].as_f64().expect("a number");
            assert!(
                at("min") > 0.0 && at("min") <= at("p50") && at("p50") <= at("p99"),
                "{latency}"
            );
            assert!(at("p99") <= at("max"), "{latency}");
            let bins = saved["histogram"].as_array().expect("bins");
            let counted: u64 = bins
                .iter()
                .map(|bin| bin["count"].as_u64().expect("a count"))
                .sum();
            assert_eq!(counted, 500);
        } else {
            assert_eq!(csv.lines().next(), Some("seconds,messages"));
            let messages = if what == "fan-out" {
                8.0 * 2000.0
            } else {
                10000.0
            };
            assert_eq!(rows.last().map(|row| row.1), Some(messages));
        }
    }
}

#[tokio::test]
async fn a_run_is_compared_with_a_saved_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let saved = folder.path().join("before.json");
    let file = saved.to_str().expect("text");
    let bench = [
        "bench",
        "round-trip",
        "--count",
        "300",
        "--transport",
        "inproc",
    ];
    let out = succeeded(start(&[&bench[..], &["--json", file]].concat())).await;
    assert!(out.contains("50 % ") && out.contains(" us "), "{out}");
    // As far as the file knows, it was a billion times as fast.
    let mut before = json(&saved);
    let rate = &mut before["messages_per_second"];
    *rate = (rate.as_f64().expect("a number") * 1e9).into();
    std::fs::write(&saved, before.to_string()).expect("written");
    let out = succeeded(start(&[&bench[..], &["--compare", file]].concat())).await;
    let line = out
        .lines()
        .find(|line| line.trim_start().starts_with("messages/s"));
    assert!(line.expect("a line").ends_with(" 0.000"), "{out}");
    for figure in ["mean, us", "50 %, us", "99 %, us", "99.9 %, us", "max, us"] {
        assert!(out.contains(figure), "{out}");
    }
    // It is refused before it: nobody ever comes to these endpoints, and the file stays as it is.
    let saved_before = std::fs::read(&saved).expect("it is there");
    let nobody = ["--bind", "tcp://127.0.0.1:*"];
    let nowhere = ["--connect", "tcp://127.0.0.1:9"];
    for (kind, more, what) in [
        ("round-trip", &["--size", "100"][..], "size"),
        ("round-trip", &["--rate", "10"], "rate"),
        ("throughput", &nobody, "kind of run"),
        ("fan-out", &nowhere, "kind of run"),
    ] {
        let other = ["bench", kind, "--compare", file, "--json", file];
        let waits = match kind {
            "round-trip" => &nowhere[..],
            _ => &[],
        };
        let err = failed(start(&[&other, waits, more].concat()), 1).await;
        assert_eq!(
            err,
            format!("pzmq: the runs cannot be compared: the saved one is of another {what}\n")
        );
        assert_eq!(std::fs::read(&saved).expect("it is there"), saved_before);
    }
    std::fs::write(&saved, "{}").expect("written");
    let err = failed(start(&[&bench[..], &["--compare", file]].concat()), 4).await;
    assert!(err.contains("is no result of pzmq bench"), "{err}");
}

#[tokio::test]
async fn an_echo_is_asked_in_every_way() {
    let (echo, to) = started_at(&["bench", "echo", "--bind", "tcp://127.0.0.1:*"], "echo at").await;
    for more in [
        &["throughput", "--count", "5000", "--window", "100"][..],
        &["round-trip", "--count", "300"],
        &[
            "round-trip",
            "--count",
            "300",
            "--rate",
            "3000",
            "--size",
            "3",
        ],
    ] {
        let out = succeeded(start(&[&["bench"], more, &["--connect", &to]].concat())).await;
        assert!(out.contains(&format!("echo at {to}")), "{out}");
    }
    drop(echo);
}

/// Any REP that echoes is as good.
#[tokio::test]
async fn a_rep_of_somebody_else_is_asked() {
    let mut reply = RepSocket::new();
    let to = bound(&mut reply).await;
    tokio::spawn(async move {
        while let Ok(request) = reply.recv().await {
            reply.send(request).await.expect("sent");
        }
    });
    for more in [
        &["round-trip"][..],
        &["round-trip", "--rate", "2000"],
        &["throughput"],
    ] {
        let rest = ["--count", "200", "--connect", &to];
        succeeded(start(&[&["bench"], more, &rest].concat())).await;
    }
}

/// Two processes, as on two machines.
#[tokio::test]
async fn a_source_pushes_to_who_counts() {
    let bind = [
        "bench",
        "throughput",
        "--bind",
        "tcp://127.0.0.1:*",
        "--count",
        "5000",
    ];
    let (counter, to) = started_at(&bind, "waiting at").await;
    succeeded(start(&[
        "bench",
        "source",
        "--connect",
        &to,
        "--count",
        "5000",
    ]))
    .await;
    let out = succeeded(counter).await;
    assert!(out.contains("whoever pushes to"), "{out}");
    // Another size is no message of this run.
    let (counter, to) = started_at(&bind, "waiting at").await;
    let source = start(&[
        "bench",
        "source",
        "--connect",
        &to,
        "--size",
        "63",
        "--count",
        "1",
    ]);
    let output = ended(counter).await;
    assert_eq!(output.status.code(), Some(1));
    drop(source);
}

#[tokio::test]
async fn what_somebody_publishes_is_counted() {
    let mut publisher = PubSocket::new();
    let to = bound(&mut publisher).await;
    let bench = [
        "bench",
        "fan-out",
        "--connect",
        &to,
        "--subscribers",
        "3",
        "--count",
        "1000",
    ];
    let mut child = std::pin::pin!(succeeded(start(&bench)));
    let publishing = async {
        loop {
            publisher.send("anything").await.expect("sent");
            tokio::task::yield_now().await;
        }
    };
    let out = tokio::select! {
        out = &mut child => out,
        () = publishing => unreachable!("it goes on"),
    };
    assert!(
        out.contains("1,000 messages for each of 3 subscribers"),
        "{out}"
    );
}

/// A reply that is late makes those late that were due meanwhile: all of them are seen, not just the one.
#[tokio::test]
async fn a_stall_is_seen_in_all_that_was_due_meanwhile() {
    const STALL: Duration = Duration::from_millis(500);
    let folder = tempfile::tempdir().expect("a folder");
    let saved = folder.path().join("run.json");
    let mut reply = RepSocket::new();
    let to = bound(&mut reply).await;
    tokio::spawn(async move {
        let mut answered = 0;
        while let Ok(request) = reply.recv().await {
            answered += 1;
            if answered == 200 {
                // The stall is what is measured.
                tokio::time::sleep(STALL).await;
            }
            reply.send(request).await.expect("sent");
        }
    });
    let began = Instant::now();
    let bench = [
        "bench",
        "round-trip",
        "--rate",
        "500",
        "--count",
        "500",
        "--warmup",
        "1",
    ];
    let more = ["--connect", &to, "--json", saved.to_str().expect("text")];
    succeeded(start(&[&bench[..], &more].concat())).await;
    // 500 at 500 a second.
    assert!(
        began.elapsed() >= Duration::from_millis(950),
        "{:?}",
        began.elapsed()
    );
    let saved = json(&saved);
    let latency = &saved["latency_us"];
    assert!(
        latency["max"].as_f64().expect("a number") >= 450_000.0,
        "{latency}"
    );
    // About 250 of 500 were due in the stall, and half of those waited for longer than half of it. One at a time
    // would have had one.
    let late = saved["percentiles"]
        .as_array()
        .expect("rows")
        .iter()
        .find(|row| row["us"].as_f64().expect("a number") >= STALL.as_micros() as f64 / 4.0);
    let percent = late.expect("something late")["percent"]
        .as_f64()
        .expect("a number");
    assert!(percent <= 75.0, "{percent} % were on time");
}

#[tokio::test]
async fn what_does_not_come_is_said_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let to = format!("tcp://{}", listener.local_addr().expect("an address"));
    for what in ["throughput", "round-trip", "fan-out"] {
        let bench = ["bench", what, "--connect", &to, "--timeout", "200ms"];
        let err = failed(start(&bench), 3).await;
        assert!(
            err.starts_with("pzmq: nothing has come for 200ms, after 0 of "),
            "{err}"
        );
    }
}

/// The peer is silent: what is said of files after the run is never said.
#[tokio::test]
async fn files_that_will_not_do_are_said_before_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let to = format!("tcp://{}", listener.local_addr().expect("an address"));
    let (missing, no_folder, new) = (at("missing"), at("missing/run"), at("new"));
    for what in ["throughput", "round-trip", "fan-out"] {
        let bench = ["bench", what, "--connect", &to, "--timeout", "200ms"];
        for option in ["--json", "--csv", "--svg"] {
            for file in [&no_folder, &at("")] {
                let err = failed(start(&[&bench[..], &[option, file]].concat()), 1).await;
                let expected = format!("pzmq: cannot write {file}: ");
                assert!(err.starts_with(&expected), "{err}");
            }
        }
        let err = failed(start(&[&bench[..], &["--compare", &missing]].concat()), 1).await;
        let expected = format!("pzmq: cannot read {missing}: ");
        assert!(err.starts_with(&expected), "{err}");
        // A run that fails leaves what was there before, and nothing that was not.
        let kept = at("kept");
        std::fs::write(&kept, "kept").expect("written");
        let files = ["--json", &kept, "--csv", &kept, "--svg", &new];
        let err = failed(start(&[&bench[..], &files].concat()), 3).await;
        assert!(err.starts_with("pzmq: nothing has come"), "{err}");
        assert_eq!(std::fs::read_to_string(&kept).expect("a file"), "kept");
        assert!(!Path::new(&new).exists());
    }
}

/// What was saved is read before it is overwritten.
#[tokio::test]
async fn a_result_may_replace_the_one_that_it_is_compared_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let saved = folder.path().join("run.json");
    let file = saved.to_str().expect("text");
    let bench = ["bench", "round-trip", "--transport", "inproc", "--count"];
    succeeded(start(&[&bench[..], &["100", "--json", file]].concat())).await;
    let both = ["200", "--json", file, "--compare", file];
    let out = succeeded(start(&[&bench[..], &both].concat())).await;
    assert!(out.contains("before") && out.contains("ratio"), "{out}");
    assert_eq!(json(&saved)["count"], 200);
}

#[tokio::test]
async fn arguments_that_make_no_sense_are_refused() {
    for arguments in [
        &["bench", "throughput", "--count", "0"][..],
        &["bench", "throughput", "--size", "a lot"],
        &[
            "bench",
            "throughput",
            "--bind",
            "tcp://*:1",
            "--connect",
            "tcp://a:1",
        ],
        &["bench", "throughput", "--window", "10"],
        &["bench", "round-trip", "--rate", "0"],
        &["bench", "fan-out", "--subscribers", "0"],
        &["bench"],
    ] {
        let output = ended(start(arguments)).await;
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
    }
    let full = [
        "bench",
        "throughput",
        "--count",
        "1000",
        "--json",
        "/dev/full",
    ];
    if cfg!(target_os = "linux") {
        let err = failed(start(&full), 1).await;
        assert!(err.starts_with("pzmq: cannot write /dev/full: "), "{err}");
    }
    // A result for a program is all there is on standard output, and a bar is for terminals.
    let out = ended(start(&[
        "bench",
        "throughput",
        "--count",
        "1000",
        "--json",
        "-",
    ]))
    .await;
    assert!(out.stderr.is_empty(), "{}", text(&out.stderr));
    let _: Value = serde_json::from_slice(&out.stdout).expect("JSON");
}

#[tokio::test]
async fn help_fits_a_screen_and_has_examples() {
    for more in [
        &[][..],
        &["throughput"],
        &["round-trip"],
        &["fan-out"],
        &["echo"],
        &["source"],
    ] {
        let help = succeeded(start(&[&["bench"], more, &["--help"]].concat())).await;
        assert!(
            help.contains("Examples:") && help.lines().count() <= 50,
            "{help}"
        );
    }
}
