//! `pzmq tap`, driven as a person would, between sockets of ours and peers played by hand.

mod driver;

use std::time::Duration;

use driver::{bound, start, succeeded, within};
use purezmq::security::{KeyPair, Security};
use purezmq::{
    DealerSocket, DishSocket, Message, PubSocket, PullSocket, PushSocket, RadioSocket, RepSocket,
    ReqSocket, SubSocket,
};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout};

/// A tap that runs, and where clients connect to.
struct Tap {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    endpoint: String,
}

impl Tap {
    async fn start(target: &str, more: &[&str]) -> Self {
        let tap = ["tap", "tcp://127.0.0.1:*", target];
        let mut child = start(&[&tap[..], more].concat());
        let said = child.stderr.take().expect("piped");
        let mut said = BufReader::new(said).lines();
        let line = within(said.next_line()).await.expect("text");
        let line = line.expect("where it is");
        let rest = line.strip_prefix("pzmq: tap at ").expect("where it is");
        let (endpoint, before) = rest.split_once(", before ").expect("both");
        assert_eq!(before, target);
        // What else is said is for people; it is read so that it does not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Tap {
            child,
            lines,
            endpoint: endpoint.to_owned(),
        }
    }

    /// The next line, without its time.
    async fn line(&mut self) -> Option<String> {
        let line = within(self.lines.next_line()).await.expect("text")?;
        let (time, rest) = line.trim_start().split_once(' ').expect("a time");
        assert!(time.parse::<f64>().is_ok(), "{line}");
        Some(rest.to_owned())
    }

    /// The lines up to and with one that ends so.
    async fn until(&mut self, end: &str) -> Vec<String> {
        let mut lines = vec![];
        loop {
            let line = self.line().await;
            lines.push(line.unwrap_or_else(|| panic!("no {end} after {lines:#?}")));
            if lines.last().is_some_and(|line| line.ends_with(end)) {
                return lines;
            }
        }
    }

    /// All that is left, when the tap has ended by itself.
    async fn rest(mut self) -> Vec<String> {
        let mut lines = vec![];
        while let Some(line) = self.line().await {
            lines.push(line);
        }
        let ended = within(self.child.wait()).await.expect("it ends");
        assert!(ended.success(), "{ended}: {lines:#?}");
        lines
    }
}

fn has(lines: &[String], line: &str) {
    assert!(
        lines.iter().any(|there| there == line),
        "no {line} in {lines:#?}"
    );
}

#[tokio::test]
async fn a_request_and_its_reply_are_shown_in_their_order() {
    let mut reply = RepSocket::new();
    let target = bound(&mut reply).await;
    let mut tap = Tap::start(&target, &["--connections", "1"]).await;
    let mut request = ReqSocket::builder()
        .routing_id("client 7")
        .build()
        .expect("a socket");
    request.connect(&tap.endpoint).expect("an endpoint");
    request.send(["what", "now"]).await.expect("sent");
    assert_eq!(
        within(reply.recv()).await.expect("a request"),
        Message::from(["what", "now"])
    );
    reply.send(vec![0xff; 1000]).await.expect("sent");
    within(request.recv()).await.expect("a reply");
    let lines = tap.until("...").await;
    assert!(
        lines[0].starts_with("#1 opened from 127.0.0.1:"),
        "{lines:#?}"
    );
    has(&lines, "#1 client > greeting ZMTP 3.1, NULL");
    has(&lines, "#1 target > greeting ZMTP 3.1, NULL");
    let ready = |side| format!("#1 {side} > READY Socket-Type=");
    for (side, is) in [
        ("client", "\"REQ\" Identity=\"client 7\""),
        ("target", "\"REP\""),
    ] {
        let begins = ready(side) + is;
        assert!(
            lines.iter().any(|line| line.starts_with(&begins)),
            "{begins}: {lines:#?}"
        );
    }
    let end = &lines[lines.len() - 2..];
    assert_eq!(
        end[0],
        "#1 client > message of 3 frames, 7 bytes: 0 \"\" | 4 \"what\" | 3 \"now\""
    );
    let reply = format!(
        "#1 target > message of 2 frames, 1000 bytes: 0 \"\" | 1000 0x{}...",
        "ff".repeat(64)
    );
    assert_eq!(end[1], reply);
    drop(request);
    let rest = tap.rest().await;
    assert_eq!(rest[0], "#1 client > end");
    assert_eq!(rest.last().expect("a line"), "#1 closed");
}

#[tokio::test]
async fn filters_show_what_was_asked_for() {
    let mut publisher = PubSocket::new();
    let target = bound(&mut publisher).await;
    let more = ["--topic", "EUR", "--only", "commands", "--only", "messages"];
    let mut prices = Tap::start(&target, &more).await;
    let mut commands = Tap::start(&target, &["--only", "commands", "--from", "client"]).await;
    let mut subscribers = [SubSocket::new(), SubSocket::new()];
    for (subscriber, tap) in subscribers.iter_mut().zip([&prices, &commands]) {
        subscriber.connect(&tap.endpoint).expect("an endpoint");
        subscriber.subscribe("EUR/USD");
        subscriber.subscribe("GBP");
    }
    within(async {
        while publisher.subscriber_count() < 2 || publisher.topics_count() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    for message in ["GBP 2", "EUR/USD 1", "GBP 3"] {
        publisher.send(message).await.expect("sent");
    }
    for subscriber in &mut subscribers {
        for message in ["GBP 2", "EUR/USD 1", "GBP 3"] {
            assert_eq!(within(subscriber.recv()).await.expect("a message"), message);
        }
    }
    subscribers[1].unsubscribe("GBP");
    let lines = prices.until("EUR/USD 1\"").await;
    let expected = [
        "#1 client > SUBSCRIBE topic=\"EUR/USD\"",
        "#1 target > message 9 \"EUR/USD 1\"",
    ];
    assert_eq!(lines, expected);
    let lines = commands.until("CANCEL topic=\"GBP\"").await;
    assert!(
        lines[0].starts_with("#1 client > READY Socket-Type=\"SUB\""),
        "{lines:#?}"
    );
    has(&lines, "#1 client > SUBSCRIBE topic=\"GBP\"");
    assert!(
        lines.iter().all(|line| line.starts_with("#1 client > ")),
        "{lines:#?}"
    );
}

#[tokio::test]
async fn groups_and_heartbeats_are_shown() {
    let mut radio = RadioSocket::new();
    let target = bound(&mut radio).await;
    let mut tap = Tap::start(&target, &[]).await;
    let mut dish = DishSocket::builder()
        .heartbeat_interval(Duration::from_millis(50))
        .build()
        .expect("a socket");
    dish.join("movies").expect("a group");
    dish.connect(&tap.endpoint).expect("an endpoint");
    let lines = tap.until("JOIN group=\"movies\"").await;
    has(&lines, "#1 client > JOIN group=\"movies\"");
    let lines = tap.until("#1 target > PONG context=\"\"").await;
    let ping = lines
        .iter()
        .find(|line| line.starts_with("#1 client > PING ttl="));
    assert!(ping.is_some(), "{lines:#?}");
}

#[tokio::test]
async fn each_line_of_json_is_an_object() {
    let mut pull = PullSocket::new();
    let target = bound(&mut pull).await;
    let more = ["--json", "--connections", "1", "--preview", "4"];
    let mut tap = Tap::start(&target, &more).await;
    let mut push = PushSocket::new();
    push.connect(&tap.endpoint).expect("an endpoint");
    push.send([&b"text"[..], b"longer", &[0, 1, 2]])
        .await
        .expect("sent");
    within(pull.recv()).await.expect("a message");
    push.close().await;
    let mut objects = vec![];
    while let Some(line) = within(tap.lines.next_line()).await.expect("text") {
        let object: Value = serde_json::from_str(&line).expect("JSON");
        assert!(
            object["time"].is_f64() && object["connection"] == 1,
            "{line}"
        );
        objects.push(object);
    }
    let of_kind = |kind: &str| {
        let found = objects.iter().find(|object| object["kind"] == kind);
        found.unwrap_or_else(|| panic!("no {kind} in {objects:#?}"))
    };
    let greeting = of_kind("greeting");
    assert_eq!(
        (&greeting["version"], &greeting["mechanism"]),
        (&"3.1".into(), &"NULL".into())
    );
    let command = of_kind("command");
    assert_eq!(command["name"], "READY");
    assert!(
        command["fields"]["Socket-Type"]["text"]
            .as_str()
            .is_some_and(|text| text.starts_with("PU"))
    );
    let message = of_kind("message");
    assert_eq!(message["from"], "client");
    assert_eq!(
        (&message["bytes"], &message["frame_count"]),
        (&13.into(), &3.into())
    );
    let frames = serde_json::json!([
        {"bytes": 4, "text": "text"},
        {"bytes": 6, "text": "long", "cut": true},
        {"bytes": 3, "hex": "000102"},
    ]);
    assert_eq!(message["frames"], frames);
    assert_eq!(objects.last().expect("the end")["kind"], "closed");
}

/// Nothing of what is encrypted can be shown, but that it is, and how large.
#[tokio::test]
async fn encrypted_traffic_is_shown_as_such() {
    let keys = KeyPair::generate();
    let public = *keys.public();
    let security = Security::curve_server(keys);
    let mut pull = PullSocket::builder()
        .security(security)
        .build()
        .expect("a socket");
    let target = bound(&mut pull).await;
    let mut tap = Tap::start(&target, &[]).await;
    let security = Security::curve_client(KeyPair::generate(), public);
    let mut push = PushSocket::builder()
        .security(security)
        .build()
        .expect("a socket");
    push.connect(&tap.endpoint).expect("an endpoint");
    push.send("a secret").await.expect("sent");
    assert_eq!(within(pull.recv()).await.expect("a message"), "a secret");
    let lines = tap
        .until(&format!("encrypted, {} bytes", 33 + "a secret".len()))
        .await;
    has(&lines, "#1 client > greeting ZMTP 3.1, CURVE");
    for command in ["client > HELLO, 200 bytes", "target > WELCOME, 168 bytes"] {
        has(&lines, &format!("#1 {command}"));
    }
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("#1 client > INITIATE, ")),
        "{lines:#?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("#1 target > READY, ")),
        "{lines:#?}"
    );
    assert!(
        !lines.iter().any(|line| line.contains("Socket-Type")),
        "{lines:#?}"
    );
}

#[tokio::test]
async fn a_password_is_not_shown() {
    let mut pull = PullSocket::builder()
        .security(Security::plain_server())
        .build()
        .expect("a socket");
    let target = bound(&mut pull).await;
    let mut tap = Tap::start(&target, &[]).await;
    let security = Security::plain_client("admin", "hunter2").expect("short enough");
    let mut push = PushSocket::builder()
        .security(security)
        .build()
        .expect("a socket");
    push.connect(&tap.endpoint).expect("an endpoint");
    let mut lines = tap.until("HELLO user=\"admin\"").await;
    // Nobody has said whom this server lets in, so it lets in nobody, or anybody: either way the handshake goes on.
    lines.push(tap.line().await.expect("an answer"));
    assert!(!lines.concat().contains("hunter2"), "{lines:#?}");
}

/// Whatever two peers speak passes, and each direction's end as well.
#[tokio::test]
async fn bytes_that_mean_nothing_pass_unchanged() {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let target = format!("tcp://{}", server.local_addr().expect("an address"));
    let tap = Tap::start(&target, &["--connections", "1"]).await;
    let to = tap.endpoint.strip_prefix("tcp://").expect("TCP").to_owned();
    let mut client = TcpStream::connect(to).await.expect("connected");
    let (mut accepted, _) = within(server.accept()).await.expect("accepted");
    let request = b"GET / HTTP/1.1\r\n\r\n";
    client.write_all(request).await.expect("written");
    client.shutdown().await.expect("the end");
    let mut read = vec![];
    within(accepted.read_to_end(&mut read))
        .await
        .expect("to the end");
    assert_eq!(read, request);
    // A megabyte of everything, after the other direction has ended.
    let answer: Vec<u8> = (0..1_000_000_u32)
        .map(|number| ((number * 7) >> 3) as u8)
        .collect();
    let sent = answer.clone();
    let sending = tokio::spawn(async move { accepted.write_all(&sent).await });
    let mut read = vec![];
    within(client.read_to_end(&mut read))
        .await
        .expect("to the end");
    sending.await.expect("it ran").expect("written");
    assert!(read == answer);
    let lines = tap.rest().await;
    has(&lines, "#1 client > not understood: this is no ZMTP");
    has(
        &lines,
        "#1 client > bytes 18 \"GET / HTTP/1.1\\r\\n\\r\\n\"",
    );
    has(&lines, "#1 client > end");
    has(&lines, "#1 target > end");
    assert_eq!(lines.last().expect("a line"), "#1 closed");
}

#[tokio::test]
async fn a_target_that_is_not_there_is_said_so_and_the_tap_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let tap = Tap::start(&format!("tcp://{address}"), &["--connections", "2"]).await;
    for _ in 0..2 {
        let to = tap.endpoint.strip_prefix("tcp://").expect("TCP");
        let mut client = TcpStream::connect(to).await.expect("connected");
        let mut read = vec![];
        let ended = within(client.read_to_end(&mut read)).await;
        assert!(ended.is_err() || read.is_empty());
    }
    let lines = tap.rest().await;
    for number in [1, 2] {
        let begins = format!("#{number} closed: the target cannot be reached: ");
        assert!(
            lines.iter().any(|line| line.starts_with(&begins)),
            "{lines:#?}"
        );
    }
}

/// What passed is recorded, and replayed to another peer.
#[tokio::test]
async fn what_a_tap_has_written_is_replayed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("seen").display().to_string();
    let mut echo = DealerSocket::new();
    let target = bound(&mut echo).await;
    let more = ["--write", &file, "--connections", "1", "--preview", "1"];
    let tap = Tap::start(&target, &more).await;
    let mut dealer = DealerSocket::new();
    dealer.connect(&tap.endpoint).expect("an endpoint");
    let sent = [
        Message::from(["one", "two"]),
        Message::from(vec![7; 100_000]),
    ];
    for message in &sent {
        dealer.send(message.clone()).await.expect("sent");
        assert_eq!(within(echo.recv()).await.expect("a message"), *message);
        echo.send("an answer").await.expect("sent");
        within(dealer.recv()).await.expect("an answer");
    }
    drop(dealer);
    tap.rest().await;
    let mut pull = PullSocket::new();
    let to = bound(&mut pull).await;
    let replay = ["replay", "push", &file, "-c", &to];
    for (side, expected) in [
        ("client", &sent[..]),
        (
            "target",
            &[Message::from("an answer"), Message::from("an answer")],
        ),
    ] {
        let child = start(&[&replay[..], &["--from", side, "--connection", "1"]].concat());
        for message in expected {
            assert_eq!(within(pull.recv()).await.expect("a message"), *message);
        }
        succeeded(child).await;
    }
}
