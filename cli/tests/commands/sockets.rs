//! The commands of the socket types, with one another.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::running::{Running, pzmq, said, written};

/// A place to meet.
fn place() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let endpoint = format!("ipc://{}/socket", folder.path().display());
    (folder, endpoint)
}

/// One sends, and the other writes what comes.
#[test]
fn what_one_sends_the_other_writes() {
    for (sender, receiver, more, message) in [
        ("push", "pull", "", r#"["a message","of two frames"]"#),
        ("scatter", "gather", "", r#"["one frame"]"#),
        ("pub", "sub", "--subscribe=we", r#"["weather","rain"]"#),
        ("xpub", "sub", "", r#"["weather","rain"]"#),
        ("radio", "dish", "--join=news", r#"["news","rain"]"#),
        ("pair", "pair", "", r#"["",""]"#),
        ("channel", "channel", "", r#"["one frame"]"#),
        ("dealer", "dealer", "", r#"["a",{"base64":"/wA="}]"#),
    ] {
        let (_folder, at) = place();
        let binds = Running::start(
            [
                receiver, "-b", &at, "-f", "json", "-n", "2", "-t", "60s", more,
            ]
            .into_iter()
            .filter(|argument| !argument.is_empty()),
        );
        let count = if sender == "xpub" || ["pair", "channel", "dealer"].contains(&sender) {
            "0"
        } else {
            "2"
        };
        pzmq([
            sender, "-c", &at, "-f", "json", "-n", count, message, message,
        ])
        .assert()
        .success()
        .stdout("");
        let (status, written, said) = binds.ends();
        assert!(status.success(), "{receiver}: {said}");
        assert_eq!(written, format!("{message}\n{message}\n"), "{receiver}");
    }
}

#[test]
fn a_server_echoes_and_a_client_hears_it() {
    for (server, client) in [
        ("rep", "req"),
        ("rep", "dealer"),
        ("router", "req"),
        ("router", "dealer"),
        ("server", "client"),
        ("pair", "pair"),
    ] {
        let (_folder, at) = place();
        let _server = Running::start([server, "-b", &at, "--echo"]);
        // A DEALER has to send the empty frame that a REQ would.
        let message = if (server, client) == ("rep", "dealer") {
            r#"["","hello"]"#
        } else {
            r#"["hello"]"#
        };
        pzmq([
            client, "-c", &at, "-f", "json", "-n", "1", "-t", "60s", message,
        ])
        .assert()
        .success()
        .stdout(format!("{message}\n"));
    }
}

#[test]
fn subscriptions_go_from_xsub_to_xpub_as_messages() {
    let (_folder, at) = place();
    let publisher = Running::start(["xpub", "-b", &at, "-f", "hex", "-n", "1"]);
    let mut subscriber = Running::start(["xsub", "-c", &at, "-f", "hex"]);
    subscriber.type_line("0161");
    let (status, written, _) = publisher.ends();
    assert!(status.success());
    assert_eq!(written, "0161\n");
}

#[test]
fn streams_and_datagrams_reach_what_is_no_zeromq() {
    use std::io::{Read, Write};
    let stream = Running::start(["stream", "-b", "tcp://127.0.0.1:*", "-f", "json"]);
    let address = stream.endpoint();
    let address = address.strip_prefix("tcp://").expect("tcp");
    let mut peer = std::net::TcpStream::connect(address).expect("it listens");
    peer.write_all(b"GET").expect("it reads");
    assert!(stream.writes().ends_with(r#",""]"#), "who came");
    assert!(stream.writes().ends_with(r#","GET"]"#));
    drop(stream);
    assert_eq!(peer.read(&mut [0; 1]).unwrap_or(0), 0);

    let datagrams = Running::start(["dgram", "-b", "udp://127.0.0.1:*", "-n", "1"]);
    let address = datagrams.endpoint();
    let peer = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    peer.send_to(b"ping", address.strip_prefix("udp://").expect("udp"))
        .expect("sent");
    let (_, written, _) = datagrams.ends();
    let from = peer.local_addr().expect("an address");
    assert_eq!(written, format!("{from}\0\tping\n"));
}

#[test]
fn lines_are_divided_and_joined_at_the_delimiter() {
    let (_folder, at) = place();
    let pull = Running::start(["pull", "-b", &at, "-f", "hex", "-n", "2", "-t", "60s"]);
    pzmq(["push", "-c", &at, "-d", "||"])
        .write_stdin("a||b\n\n")
        .assert()
        .success();
    assert_eq!(pull.ends().1, "61 62\n-\n");

    let pull = Running::start(["pull", "-b", &at, "-d", r"\x2c", "-n", "1", "-t", "60s"]);
    pzmq(["push", "-c", &at, "-f", "hex", "61 - 62"])
        .assert()
        .success();
    assert_eq!(pull.ends().1, "a,,b\n");
}

/// What has been read is written again, byte by byte, in each form.
#[test]
fn each_form_comes_through() {
    let frames = "\0\0\0\x03abc\u{0}\0\0\0";
    for (form, input) in [
        ("lines", "one\n\nthree with\ttab\n"),
        ("length", frames),
        ("json", "[\"a\",\"\"]\n[{\"base64\":\"/wA=\"}]\n"),
        ("hex", "00ff - 61\n"),
        ("file", "all of it\nis one message"),
    ] {
        let (_folder, at) = place();
        let count = match form {
            "lines" => "3",
            "length" | "json" => "2",
            _ => "1",
        };
        let pull = Running::start(["pull", "-b", &at, "-f", form, "-n", count, "-t", "60s"]);
        pzmq(["push", "-c", &at, "-f", form])
            .write_stdin(input)
            .assert()
            .success();
        let written = pull.ends().1;
        assert_eq!(
            written.trim_end_matches('\n'),
            input.trim_end_matches('\n'),
            "{form}"
        );
    }
}

#[test]
fn files_are_whole_messages() {
    let (folder, at) = place();
    for (name, content) in [("one", "first\n"), ("two", "second\n")] {
        fs::write(folder.path().join(name), content).expect("written");
    }
    let pull = Running::start(["pull", "-b", &at, "-f", "hex", "-n", "2", "-t", "60s"]);
    pzmq(["push", "-c", &at, "-f", "file", "one", "two"])
        .current_dir(&folder)
        .assert()
        .success();
    assert_eq!(pull.ends().1, "66697273740a\n7365636f6e640a\n");
    let missing = pzmq(["push", "-c", &at, "-f", "file", "nowhere"]);
    let missing = { missing }.assert().code(1);
    assert!(said(&missing).contains("cannot read nowhere"));
}

#[test]
fn a_command_answers_and_no_more_run_at_once_than_may() {
    let (folder, at) = place();
    let answers = "mkdir run.$$; ls -d run.* | wc -l | tr -d ' '; rmdir run.$$";
    let _server = Running::start_in(
        folder.path(),
        ["router", "-b", &at, "--exec", answers, "--jobs", "2"],
    );
    let messages: Vec<String> = (0..12).map(|number| format!("request {number}")).collect();
    let asked = pzmq(["dealer", "-c", &at, "-n", "12", "-t", "60s"])
        .args(&messages)
        .assert()
        .success();
    let at_once: Vec<u32> = written(&asked)
        .lines()
        .map(|line| line.parse().expect("a number"))
        .collect();
    assert_eq!(at_once.len(), 12);
    assert!(at_once.iter().all(|count| *count <= 2), "{at_once:?}");
}

#[test]
fn a_command_that_fails_answers_what_it_wrote_and_is_told_of() {
    let (_folder, at) = place();
    let server = Running::start(["rep", "-b", &at, "--exec", "cat; exit 3", "-n", "1"]);
    pzmq(["req", "-c", &at, "-t", "60s", "hello"])
        .assert()
        .success()
        .stdout("hello\n");
    let (status, _, said) = server.ends();
    assert!(status.success());
    assert!(said.contains("exit status: 3"), "{said}");
}

#[test]
fn a_person_answers_by_hand() {
    let (_folder, at) = place();
    let mut server = Running::start(["rep", "-b", &at]);
    let mut client = Running::start(["req", "-c", &at]);
    for question in ["who?", "when?"] {
        client.type_line(question);
        assert_eq!(server.writes(), question);
        server.type_line("nobody");
        assert_eq!(client.writes(), "nobody");
    }
}

#[test]
fn given_messages_are_sent_again_up_to_the_count() {
    let (_folder, at) = place();
    let pull = Running::start(["pull", "-b", &at, "-n", "5", "-t", "60s"]);
    let began = Instant::now();
    pzmq(["push", "-c", &at, "-n", "5", "--rate", "50", "a", "b"])
        .assert()
        .success();
    assert_eq!(pull.ends().1, "a\nb\na\nb\na\n");
    // The first goes at once.
    let least = Duration::from_millis(4 * 20);
    assert!(began.elapsed() >= least, "50 a second");
}

#[test]
fn time_outs_have_a_code_of_their_own() {
    let (_folder, at) = place();
    let nothing = pzmq(["pull", "-b", &at, "-t", "50ms"]).assert().code(3);
    assert_eq!(said(&nothing), "pzmq: no message came within 50 ms\n");
    let unsent = pzmq(["push", "-c", &at, "-t", "50ms", "hello"])
        .assert()
        .code(3);
    let missing = "was never reached: ";
    let both = said(&unsent);
    let lines: Vec<_> = both.lines().collect();
    assert!(
        lines[0].starts_with(&format!("pzmq: {at} {missing}")),
        "{both}"
    );
    assert_eq!(lines[1..], ["pzmq: messages left unsent: 1"]);
    let unheard = pzmq(["pub", "-b", &at, "-t", "50ms", "hello"])
        .assert()
        .code(3);
    assert_eq!(said(&unheard), "pzmq: nobody has subscribed in time\n");
    pzmq(["pub", "-b", &at, "--wait", "0", "hello"])
        .assert()
        .success();
}

/// Who waits for a peer that is not there is told why it cannot be reached, and not of one that was there.
#[test]
fn what_was_never_reached_is_told_at_a_time_out() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("tcp://{}", closed.local_addr().expect("an address"));
    drop(closed);
    let (_folder, at) = place();
    let pull = Running::start(["pull", "-b", &at, "-n", "1"]);
    let both = ["-c", &at, "-c", &nobody];
    let ended = pzmq([&["push", "-n", "3", "-t", "300ms"][..], &both, &["hello"]].concat())
        .assert()
        .code(3);
    let told = said(&ended);
    assert!(
        told.contains(&format!("{nobody} was never reached: ")),
        "{told}"
    );
    assert!(!told.contains(&format!("{at} was never")), "{told}");
    assert_eq!(pull.writes(), "hello");
    let sub = pzmq(["sub", "-c", &nobody, "-t", "300ms"]).assert().code(3);
    assert!(said(&sub).contains("was never reached: "), "{}", said(&sub));
}

/// Silence ends who has no count, and that is no failure once something has come.
#[test]
fn silence_ends_what_has_no_count() {
    let (_folder, at) = place();
    let pull = Running::start(["pull", "-b", &at, "-t", "2s"]);
    pzmq(["push", "-c", &at, "hello"]).assert().success();
    let (status, written, said) = pull.ends();
    assert_eq!((status.code(), &*written, &*said), (Some(0), "hello\n", ""));
}

/// A connection reads ahead: what it has read is gone, and all else waits for whoever comes next. The sender connects: one
/// that is bound has a queue for each connection, which goes with that.
#[test]
fn a_puller_that_wants_few_leaves_the_rest_to_others() {
    const ALL: usize = 200;
    let (_folder, at) = place();
    let mut push = Running::start(["push", "-c", &at]);
    let line = "x".repeat(100_000);
    // While there is nobody, it takes no more than it has room for.
    let typing = std::thread::spawn(move || {
        for _ in 0..ALL {
            push.type_line(&line);
        }
        push
    });
    let pull = |count: usize| {
        let count = count.to_string();
        pzmq(["pull", "-b", &at, "-n", &count, "-t", "60s"])
            .assert()
            .success()
    };
    for count in [1, 2] {
        pull(count);
    }
    // What lies in the system's buffers, and what is being written: less than two megabytes for each.
    pull(ALL - 50);
    drop(typing.join().expect("all is typed"));
}

#[test]
fn ctrl_c_ends_with_a_summary_and_sigterm_does() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (_folder, at) = place();
        let pull = Running::start(["pull", "-b", &at]);
        pzmq(["push", "-c", &at, "hello"]).assert().success();
        assert_eq!(pull.writes(), "hello");
        pull.signal(signal);
        let (status, _, said) = pull.ends();
        assert_eq!(status.code(), Some(code));
        assert_eq!(said.matches("received 1 (5 bytes)").count(), 1, "{said}");
    }
}

/// Also when all is sent and it only waits for that to leave. Somebody is there, and does not say a word.
#[test]
fn ctrl_c_tells_what_has_not_left() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = format!("tcp://{}", silent.local_addr().expect("an address"));
    let push = Running::start(["push", "-c", &at, "hello"]);
    let _connection = silent.accept().expect("it comes");
    push.signal(Signal::INT);
    let (status, _, said) = push.ends();
    assert_eq!(status.code(), Some(130), "{said}");
    assert_eq!(
        said.matches("sent 1 messages (5 bytes)").count(),
        1,
        "{said}"
    );
    assert!(said.contains("messages left unsent: 1"), "{said}");
}

#[test]
fn what_nobody_reads_ends_it_without_a_word() {
    let (_folder, at) = place();
    let mut pull = std::process::Command::new(env!("CARGO_BIN_EXE_pzmq"))
        .args(["pull", "-b", &at])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(pull.stdout.take());
    // The first is written to nobody; what else is sent need not arrive.
    let mut push = Running::start(["push", "-c", &at, "-i", "10ms", "hello"]);
    push.type_line("");
    let ended = pull.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

/// Whoever stops to read stops neither Ctrl-C nor the end: a second one ends it.
#[test]
fn a_reader_that_stands_still_does_not_keep_it() {
    use std::io::{BufRead, BufReader, Read};
    let (_folder, at) = place();
    let mut pull = std::process::Command::new(env!("CARGO_BIN_EXE_pzmq"))
        .args(["pull", "-b", &at])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut output = pull.stdout.take().expect("piped");
    let line = "x".repeat(1 << 16);
    let push = Running::start(["push", "-c", &at, "-i", "1ms", &line]);
    // All that is between the two is full soon, and stays so.
    output.read_exact(&mut [0; 1]).expect("it writes");
    let id = rustix::process::Pid::from_child(&pull);
    let mut said = BufReader::new(pull.stderr.take().expect("piped")).lines();
    rustix::process::kill_process(id, Signal::INT).expect("it runs");
    assert!(said.any(|line| line.is_ok_and(|line| line.contains("received"))));
    rustix::process::kill_process(id, Signal::INT).expect("it runs, or is not waited for yet");
    let ended = pull.wait().expect("it ends");
    assert_eq!(ended.code(), Some(130));
    drop((push, output));
}

#[test]
fn the_log_is_shown_on_request() {
    let (_folder, at) = place();
    let quiet = pzmq(["pull", "-b", &at, "-t", "1ms"]).assert().code(3);
    assert_eq!(said(&quiet).lines().count(), 1);
    let loud = pzmq(["pull", "-vv", "-b", &at, "-t", "1ms"])
        .assert()
        .code(3);
    assert!(
        said(&loud).contains("purezmq::connection"),
        "{}",
        said(&loud)
    );
}
