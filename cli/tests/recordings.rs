//! `pzmq record` and `pzmq replay`, driven as a person would, with sockets of ours at the other end.

mod driver;

use std::time::{Duration, Instant};

use ciborium::Value;
use driver::{ended, failed, start, succeeded, within};
use purezmq::{
    DealerSocket, Message, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket,
    SubSocket,
};
use tempfile::TempDir;

/// A folder with an `ipc://` endpoint and a file in it.
struct Place {
    folder: TempDir,
    endpoint: String,
    file: String,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name).display().to_string();
        let (endpoint, file) = (format!("ipc://{}", at("it")), at("recording"));
        Place {
            folder,
            endpoint,
            file,
        }
    }

    fn another(&self) -> String {
        format!("ipc://{}", self.folder.path().join("another").display())
    }
}

/// Records what a PUSH sends.
async fn recorded(place: &Place, messages: &[Message]) {
    let count = messages.len().to_string();
    let recorder = start(&[
        "record",
        "pull",
        &place.file,
        "-b",
        &place.endpoint,
        "-n",
        &count,
    ]);
    let mut push = PushSocket::new();
    push.connect(&place.endpoint).expect("an endpoint");
    for message in messages {
        within(push.send(message.clone())).await.expect("sent");
    }
    succeeded(recorder).await;
}

async fn pull_all(pull: &mut PullSocket, count: usize) -> Vec<Message> {
    let mut received = vec![];
    for _ in 0..count {
        received.push(within(pull.recv()).await.expect("a message"));
    }
    received
}

#[tokio::test]
async fn what_was_recorded_is_replayed() {
    let place = Place::new();
    let messages = [
        Message::from("one"),
        Message::from(["", "two", "three"]),
        Message::from(vec![0xff; 300_000]),
    ];
    recorded(&place, &messages).await;
    let mut pull = PullSocket::new();
    let endpoint = pull.bind(place.another()).await.expect("bound");
    for pace in [&["--as-fast-as-possible"][..], &["--speed", "1000"], &[]] {
        let to = endpoint.to_string();
        let replay = ["replay", "push", &place.file, "-c", &to];
        let child = start(&[&replay, pace].concat());
        assert_eq!(pull_all(&mut pull, messages.len()).await, messages);
        succeeded(child).await;
    }
}

/// The pauses between messages are kept, or divided; the one before the first, an hour, is not. The file is made by hand,
/// with a key that nobody knows.
#[tokio::test]
async fn a_replay_keeps_the_pace() {
    const PAUSE: Duration = Duration::from_millis(300);
    let place = Place::new();
    let text = |text: &str| Value::Text(text.to_owned());
    let map = |entries: Vec<(&str, Value)>| {
        let entries = entries.into_iter().map(|(key, value)| (text(key), value));
        Value::Map(entries.collect())
    };
    let mut items = vec![map(vec![
        ("format", text("pzmq recording")),
        ("version", Value::from(1)),
        ("made_by", text("a test")),
        ("colour", text("blue")),
        ("socket_type", text("PULL")),
        ("endpoints", Value::Array(vec![])),
        ("started", Value::from(0)),
    ])];
    for (number, frame) in ["one", "two", "three"].into_iter().enumerate() {
        let time = Duration::from_secs(3600) + PAUSE * number as u32;
        items.push(map(vec![
            ("time", Value::from(time.as_nanos() as u64)),
            ("colour", text("green")),
            ("frames", Value::Array(vec![Value::Bytes(frame.into())])),
        ]));
    }
    let mut file = vec![];
    for item in items {
        ciborium::into_writer(&item, &mut file).expect("memory");
    }
    std::fs::write(&place.file, file).expect("written");
    let mut pull = PullSocket::new();
    let to = pull.bind(place.another()).await.expect("bound").to_string();
    for (speed, least) in [("1", PAUSE * 2), ("4", PAUSE / 2)] {
        let began = Instant::now();
        let child = start(&["replay", "push", &place.file, "-c", &to, "--speed", speed]);
        assert_eq!(pull_all(&mut pull, 3).await, ["one", "two", "three"]);
        assert!(began.elapsed() >= least, "{:?} at {speed}", began.elapsed());
        succeeded(child).await;
    }
}

#[tokio::test]
async fn a_subscriber_records_its_topics_and_a_publisher_waits_for_subscribers() {
    let place = Place::new();
    let mut publisher = PubSocket::new();
    publisher.bind(&place.endpoint).await.expect("bound");
    let record = ["record", "sub", &place.file, "-c", &place.endpoint];
    let recorder = start(
        &[
            &record[..],
            &["--subscribe", "a", "--subscribe", "b", "-n", "2"],
        ]
        .concat(),
    );
    within(async {
        while publisher.topics_count() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    for message in ["c 1", "a 2", "d 3", "b 4"] {
        publisher.send(message).await.expect("sent");
    }
    succeeded(recorder).await;
    let to = place.another();
    let child = start(&["replay", "pub", &place.file, "-b", &to, "--wait", "2"]);
    let mut subscribers = [SubSocket::new(), SubSocket::new()];
    for subscriber in &mut subscribers {
        subscriber.subscribe("");
        subscriber.connect(&to).expect("an endpoint");
    }
    for subscriber in &mut subscribers {
        for message in ["a 2", "b 4"] {
            assert_eq!(within(subscriber.recv()).await.expect("a message"), message);
        }
    }
    succeeded(child).await;
}

/// REP has to answer before it hears more, REQ to hear an answer before it asks more.
#[tokio::test]
async fn requests_are_recorded_and_replayed_in_their_turn() {
    let place = Place::new();
    let record = ["record", "rep", &place.file, "-b", &place.endpoint];
    let recorder = start(&[&record[..], &["-n", "3", "--answer", "done"]].concat());
    let mut request = ReqSocket::new();
    request.connect(&place.endpoint).expect("an endpoint");
    for asked in ["one", "two", "three"] {
        within(request.send(asked)).await.expect("sent");
        assert_eq!(within(request.recv()).await.expect("an answer"), "done");
    }
    succeeded(recorder).await;
    let mut reply = RepSocket::new();
    let to = reply
        .bind(place.another())
        .await
        .expect("bound")
        .to_string();
    let child = start(&["replay", "req", &place.file, "-c", &to]);
    for asked in ["one", "two", "three"] {
        assert_eq!(within(reply.recv()).await.expect("a request"), asked);
        reply.send("an answer").await.expect("sent");
    }
    succeeded(child).await;
}

#[tokio::test]
async fn the_name_of_a_peer_is_left_out_of_what_a_router_recorded() {
    let place = Place::new();
    let recorder = start(&[
        "record",
        "router",
        &place.file,
        "-b",
        &place.endpoint,
        "-n",
        "2",
    ]);
    let mut dealer = DealerSocket::new();
    dealer.connect(&place.endpoint).expect("an endpoint");
    for sent in ["one", "two"] {
        within(dealer.send(["", sent])).await.expect("sent");
    }
    succeeded(recorder).await;
    let mut router = RouterSocket::new();
    let to = router
        .bind(place.another())
        .await
        .expect("bound")
        .to_string();
    let replay = ["replay", "dealer", &place.file, "-c", &to];
    let child = start(&[&replay[..], &["--skip-frames", "1"]].concat());
    for sent in ["one", "two"] {
        let routed = within(router.recv()).await.expect("a message");
        let routed = routed.into_message().expect("a message");
        assert_eq!(routed.message, Message::from(["", sent]));
    }
    succeeded(child).await;
}

/// A pipe, instead of a file.
#[cfg(unix)]
#[tokio::test]
async fn a_recording_passes_through_a_pipe() {
    let place = Place::new();
    let another = place.another();
    let line = r#""$0" record pull - -b "$1" -n 2 | "$0" replay push - -c "$2""#;
    let child = driver::start_in_shell(line, &[&place.endpoint, &another]);
    let mut push = PushSocket::new();
    push.connect(&place.endpoint).expect("an endpoint");
    let mut pull = PullSocket::new();
    pull.bind(&another).await.expect("bound");
    let messages = [Message::from("one"), Message::from("two")];
    for message in &messages {
        within(push.send(message.clone())).await.expect("sent");
    }
    assert_eq!(pull_all(&mut pull, 2).await, messages);
    succeeded(child).await;
}

/// Replays a file whose end may be missing, of messages the n-th of which begins with n. Returns how many there were.
async fn replayed_numbers(place: &Place) -> usize {
    let mut pull = PullSocket::new();
    let to = pull.bind(place.another()).await.expect("bound").to_string();
    let child = start(&[
        "replay",
        "push",
        &place.file,
        "-c",
        &to,
        "--as-fast-as-possible",
    ]);
    let mut child = std::pin::pin!(ended(child));
    let mut received = vec![];
    let output = loop {
        tokio::select! {
            message = pull.recv() => received.push(message.expect("a message")),
            output = &mut child => break output,
        }
    };
    let said = driver::text(&output.stderr);
    assert!(output.status.success(), "{said}");
    let sent = said
        .lines()
        .find_map(|line| line.strip_suffix(" messages sent"));
    let sent = sent.and_then(|line| line.strip_prefix("pzmq: "));
    let sent: usize = sent.and_then(|sent| sent.parse().ok()).expect("a number");
    let left = sent - received.len();
    received.extend(pull_all(&mut pull, left).await);
    for (number, message) in received.iter().enumerate() {
        let text = message.as_str().expect("text");
        assert!(
            text.starts_with(&format!("{number} ")),
            "{text} is no {number}"
        );
    }
    sent
}

/// Sends numbered messages until the recorder is gone.
async fn push_numbers(endpoint: &str, recorder: tokio::process::Child) -> std::process::Output {
    let mut push = PushSocket::new();
    push.connect(endpoint).expect("an endpoint");
    let sending = async {
        for number in 0_u64.. {
            let message = format!("{number} {}", "x".repeat(1000));
            push.send(message).await.expect("sent");
        }
    };
    tokio::select! {
        output = ended(recorder) => output,
        () = sending => unreachable!("there are always more"),
    }
}

/// Starts to record as many messages as come, and says when the file has some of them.
async fn recording_goes_on(place: &Place, at_least: u64) {
    within(async {
        while std::fs::metadata(&place.file).map_or(0, |file| file.len()) < at_least {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_recorder_that_is_killed_leaves_whole_messages() {
    let place = Place::new();
    let mut recorder = start(&["record", "pull", &place.file, "-b", &place.endpoint]);
    let mut push = PushSocket::new();
    push.connect(&place.endpoint).expect("an endpoint");
    let sending = async {
        for number in 0_u64.. {
            let message = format!("{number} {}", "x".repeat(1000));
            push.send(message).await.expect("sent");
        }
    };
    tokio::select! {
        () = recording_goes_on(&place, 500_000) => {}
        () = sending => unreachable!("there are always more"),
    }
    recorder.kill().await.expect("killed");
    let length = std::fs::metadata(&place.file).expect("a file").len();
    let there = replayed_numbers(&place).await;
    // Each takes a little more than 1,000 bytes; the last one may be there in part.
    assert!(there as u64 >= length / 1100, "{there} of {length} bytes");
}

/// A file may have 64 blocks of 512 bytes (or of 1,024), and the system says so as it says that a disk is full.
#[cfg(unix)]
#[tokio::test]
async fn a_full_disk_ends_a_recording_behind_its_last_whole_message() {
    let place = Place::new();
    let line = r#"trap '' XFSZ; ulimit -f 64; exec "$0" record pull "$1" -b "$2""#;
    let recorder = driver::start_in_shell(line, &[&place.file, &place.endpoint]);
    let output = push_numbers(&place.endpoint, recorder).await;
    let said = driver::text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let start = format!("pzmq: cannot write {}: ", place.file);
    let rest = said.strip_prefix(&start).expect("why it ended");
    let holds = rest.split("it holds ").nth(1).expect("how much it holds");
    let holds = holds.trim_end().strip_suffix(" whole messages");
    let holds: usize = holds
        .and_then(|holds| holds.parse().ok())
        .expect("a number");
    assert!(holds >= 25, "{said}");
    assert_eq!(replayed_numbers(&place).await, holds);
}

/// The signal that a file grows too large kills who does not ignore it, in the middle of a write.
#[cfg(unix)]
#[tokio::test]
async fn a_recorder_that_is_ended_by_the_size_of_its_file_leaves_whole_messages() {
    let place = Place::new();
    let line = r#"ulimit -f 64; exec "$0" record pull "$1" -b "$2""#;
    let recorder = driver::start_in_shell(line, &[&place.file, &place.endpoint]);
    push_numbers(&place.endpoint, recorder).await;
    assert!(replayed_numbers(&place).await >= 25);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_disk_that_is_full_from_the_start_is_said_so() {
    let place = Place::new();
    let said = failed(
        start(&["record", "pull", "/dev/full", "-b", &place.endpoint]),
        1,
    )
    .await;
    assert!(said.starts_with("pzmq: cannot write /dev/full: "), "{said}");
    assert!(said.ends_with("; it holds 0 whole messages\n"), "{said}");
}

#[cfg(unix)]
#[tokio::test]
async fn an_interrupt_ends_a_recording_well() {
    let place = Place::new();
    // The shell does not tell its own commands of an interrupt that is sent to it alone; SIGTERM is as good.
    let line = r#""$0" record pull "$1" -b "$2" & while ! [ -s "$1" ]; do sleep 0.05; done; kill $!; wait $!"#;
    let child = driver::start_in_shell(line, &[&place.file, &place.endpoint]);
    let output = ended(child).await;
    let said = driver::text(&output.stderr);
    assert_eq!(output.status.code(), Some(143), "{said}");
    assert!(said.starts_with("pzmq: 0 messages, "), "{said}");
    assert_eq!(replayed_numbers(&place).await, 0);
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let place = Place::new();
    let (file, to) = (place.file.as_str(), place.endpoint.as_str());
    for (arguments, said) in [
        (
            ["record", "push", file, "-b", to],
            "a PUSH socket does not receive",
        ),
        (
            ["record", "req", file, "-b", to],
            "a REQ socket receives answers",
        ),
        (
            ["replay", "pull", file, "-b", to],
            "a PULL socket does not send",
        ),
        (["record", "pull", file, "-b", "nowhere"], "nowhere"),
        (
            ["record", "router", file, "--answer=x", "-binproc://here"],
            "a ROUTER socket has no use for --answer",
        ),
        (
            ["record", "pullover", file, "-b", to],
            "no such socket type",
        ),
        (["replay", "push", file, "-c", to], "cannot open"),
        (
            ["replay", "push", "/dev/null", "-c", to],
            "/dev/null is no recording of pzmq",
        ),
    ] {
        let output = ended(start(&arguments)).await;
        let err = driver::text(&output.stderr);
        assert!(
            matches!(output.status.code(), Some(1 | 2)),
            "{arguments:?}: {err}"
        );
        assert!(err.contains(said), "{arguments:?}: {err}");
    }
    for speed in ["0", "-1", "fast", "inf"] {
        let speed = format!("--speed={speed}");
        let said = failed(start(&["replay", "push", file, "-c", to, &speed]), 2).await;
        assert!(said.contains("a number above 0 is needed"), "{said}");
    }
    // A file that is there stays as it is, unless it may go.
    std::fs::write(file, "something").expect("written");
    let record = ["record", "pull", file, "-b", to, "-n", "0"];
    let said = failed(start(&record), 1).await;
    assert_eq!(
        said,
        format!("pzmq: {file} is there already; --force overwrites it\n")
    );
    assert_eq!(std::fs::read(file).expect("a file"), b"something");
    succeeded(start(&[&record[..], &["--force"]].concat())).await;
    assert_ne!(std::fs::read(file).expect("a file"), b"something");
}

/// Each of these commands' help has examples, and fits a screen.
#[tokio::test]
async fn help_fits_a_screen() {
    for command in ["record", "replay"] {
        let help = succeeded(start(&[command, "--help"])).await;
        assert!(help.contains("Examples:"), "{help}");
        let lines = help.lines().count();
        assert!(lines <= 50, "{command}: {lines} lines\n{help}");
        assert!(
            help.lines().all(|line| line.chars().count() <= 100),
            "{help}"
        );
    }
}
