//! Every example runs as a process of its own and says what it should.

use common::example::{Example, Folder};
use common::within;
use purezmq::SubSocket;
use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn quickstart() {
    let output = Example::start("quickstart", &[]).rest().await;
    for expected in [
        "Over TCP:",
        "Over a Unix socket:",
        r#"request-reply      "hello" -> "HELLO""#,
        r#"["weather"] hears "weather."#,
        "1² + ... + 3000² = 9004500500",
        "peer 3             answers",
        "All done in",
    ] {
        assert!(
            output.contains(expected),
            "{expected:?} is missing in:\n{output}"
        );
    }
    assert_eq!(
        output.matches("killed").count(),
        3,
        "twice, and in the headline:\n{output}"
    );
}

#[tokio::test]
async fn hello() {
    let folder = Folder::new();
    let endpoint = folder.ipc("hello");
    // The client comes first: that must not matter.
    let client = Example::start("hello_client", &[&endpoint]);
    let mut server = Example::start("hello_server", &[&endpoint]);
    assert_eq!(server.line().await, format!("listening on {endpoint}"));
    for number in 1..=10 {
        assert_eq!(server.line().await, format!("asked: Hello {number}"));
    }
    let answers = client.rest().await;
    assert_eq!(answers.lines().next(), Some("answer: Hello 1 to you, too"));
    assert_eq!(answers.lines().count(), 10);
}

#[tokio::test]
async fn plain_tcp() {
    let mut server = Example::start("tcp_server", &["tcp://127.0.0.1:*"]);
    let line = server.line().await;
    let endpoint = line.strip_prefix("listening on ").expect("an endpoint");
    let client = Example::start("tcp_client", &[endpoint]);
    assert_eq!(client.rest().await, "answer: HELLO\n");
    assert_eq!(server.line().await, "a client has gone, 0 are left");
}

#[tokio::test]
async fn plain_udp() {
    let mut server = Example::start("udp_server", &["udp://127.0.0.1:*"]);
    let line = server.line().await;
    let endpoint = line.strip_prefix("bound to udp://").expect("an endpoint");
    let client = Example::start("udp_client", &[endpoint]);
    assert_eq!(client.rest().await, "answer: HELLO\n");
    assert!(server.line().await.starts_with("5 bytes from 127.0.0.1:"));
}

#[tokio::test]
async fn tls() {
    let output = Example::start("tls", &[]).rest().await;
    let lines: Vec<_> = output.lines().collect();
    assert!(lines[0].starts_with("listening on tls+tcp://127.0.0.1:"));
    assert_eq!(lines[1..], ["asked: hello", "answer: HELLO"]);
}

#[tokio::test]
async fn web() {
    let mut server = Example::start("web", &["127.0.0.1:0"]);
    let line = server.line().await;
    let host = line.strip_prefix("open http://").expect("an address");
    let host = host.strip_suffix('/').expect("a page");
    let mut stream = TcpStream::connect(host).await.expect("a web server");
    let get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(get.as_bytes()).await.expect("it listens");
    let mut page = String::new();
    within("a page", stream.read_to_string(&mut page))
        .await
        .expect("text");
    assert!(page.contains("ZeroMQ in a page"), "{page}");

    let mut sub = SubSocket::new();
    sub.subscribe("clock");
    sub.connect(format!("ws://{host}/zmq")).expect("connect");
    let tick = within("a tick", sub.recv()).await.expect("recv");
    let text = tick.as_str().expect("text");
    assert!(
        text.starts_with("clock: ") && text.ends_with(" s"),
        "{text}"
    );
}

#[tokio::test]
async fn weather() {
    let folder = Folder::new();
    let endpoint = folder.ipc("weather");
    let subscriber = Example::start("weather_subscriber", &[&endpoint, "10007"]);
    let _publisher = Example::start("weather_publisher", &[&endpoint]);
    let reports = subscriber.rest().await;
    assert_eq!(reports.lines().count(), 21);
    assert!(
        reports
            .lines()
            .all(|line| line.ends_with("degrees at 10007")),
        "{reports}"
    );
}

#[tokio::test]
async fn pipeline() {
    let folder = Folder::new();
    let (work, results) = (folder.ipc("work"), folder.ipc("results"));
    let mut sink = Example::start("sink", &[&results]);
    assert_eq!(sink.line().await, format!("listening on {results}"));
    let mut ventilator = Example::start("ventilator", &[&work, &results]);
    assert_eq!(
        ventilator.line().await,
        "Press Enter when the workers are there."
    );
    let _workers = [0; 2].map(|_| Example::start("worker", &[&work, &results]));
    ventilator.input("\n").await;
    assert_eq!(
        ventilator.rest().await,
        "100 pieces of work, 1.05s in all\n"
    );
    let summary = sink.rest().await;
    assert!(
        summary.starts_with("100 results: 1.05s of work in "),
        "{summary}"
    );
}

#[tokio::test]
async fn standard_input_and_output() {
    let folder = Folder::new();
    let endpoint = folder.ipc("lines");
    let mut writer = Example::start("stdin_to_socket", &[&endpoint]);
    let lines: String = (0..1000).map(|number| format!("line {number}\n")).collect();
    writer.input(&lines).await;
    let reader = Example::start("socket_to_stdout", &[&endpoint, "1000"]);
    assert_eq!(reader.rest().await, lines);
    assert_eq!(writer.rest().await, "");
}

#[tokio::test]
async fn blocking() {
    let output = Example::start("blocking", &[]).rest().await;
    for client in 1..=3 {
        for question in 1..=2 {
            let expected = format!("client {client} got \"answer to question {question}\"");
            assert!(
                output.contains(&expected),
                "{expected} is missing in:\n{output}"
            );
        }
    }
    assert!(output.ends_with("0 messages were left\n"), "{output}");
}

#[tokio::test]
async fn chat() {
    let folder = Folder::new();
    let endpoint = folder.ipc("chat");
    let mut one = Example::start("chat", &["bind", &endpoint]);
    let mut other = Example::start("chat", &["connect", &endpoint]);
    one.input("hello\nhow are you?\n").await;
    other.input("fine\n").await;
    assert_eq!(one.rest().await, "> fine\n");
    assert_eq!(other.rest().await, "> hello\n> how are you?\n");
}

#[tokio::test]
async fn mesh() {
    let folder = Folder::new();
    let places = ["one", "two", "three"].map(|name| folder.ipc(name));
    let mut all: Vec<Example> = Vec::new();
    for (number, place) in places.iter().enumerate() {
        let mut arguments = vec![place.as_str()];
        arguments.extend(places[..number].iter().map(String::as_str));
        let mut one = Example::start("mesh", &arguments);
        assert_eq!(one.line().await, format!("at {place}"));
        for other in &mut all {
            assert!(other.line().await.ends_with(": hello"));
        }
        all.push(one);
    }
    let mut last = all.pop().expect("the last one knows all others");
    last.input("to all\n").await;
    assert_eq!(last.rest().await, "");
    for other in &mut all {
        assert!(other.line().await.ends_with(": to all"));
    }
}

#[tokio::test]
async fn broker() {
    let output = asked("broker").await;
    assert_eq!(output, "10 questions, 10 answers\n");
}

#[tokio::test]
async fn ready_broker() {
    let output = asked("ready_broker").await;
    let expected = "10 questions, 10 answers, 0 lost with workers, 0 unread\n";
    assert_eq!(output, expected);
}

#[tokio::test]
async fn requester() {
    let output = Example::start("requester", &[]).rest().await;
    let mut lines: Vec<_> = output.lines().collect();
    assert_eq!(lines.pop(), Some("10 answered, 0 unanswered"));
    lines.sort_unstable();
    let mut expected: Vec<_> = (1..=10)
        .map(|number| format!("Hello {number}: Hello {number} to you, too"))
        .collect();
    expected.sort_unstable();
    assert_eq!(lines, expected);
}

/// Has a broker answer the hello_client, and ends it. Returns what it says then.
async fn asked(name: &str) -> String {
    let folder = Folder::new();
    let (clients, workers) = (folder.ipc("clients"), folder.ipc("workers"));
    let mut broker = Example::start(name, &[&clients, &workers]);
    assert_eq!(
        broker.line().await,
        format!("clients connect to {clients}, workers to {workers}")
    );
    let answers = Example::start("hello_client", &[&clients]).rest().await;
    assert_eq!(answers.lines().count(), 10);
    assert_eq!(answers.lines().next(), Some("answer: Hello 1 to you, too"));
    broker.signal(Signal::INT);
    broker.rest().await
}
