//! Bad input and arguments: a clear line on standard error, and the right exit code.

use crate::running::{pzmq, said};

fn refused(arguments: &[&str], input: &[u8], code: i32, why: &str) {
    let ended = pzmq(arguments).write_stdin(input).assert().code(code);
    let said = said(&ended);
    assert!(said.contains(why), "{arguments:?}: {said}");
    let lines = said.lines().filter(|line| !line.contains("bound to"));
    assert_eq!(lines.count(), 1, "one line: {said}");
}

#[test]
fn malformed_input_is_told_with_its_place() {
    fn push<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["push", "-b", "ipc://*", "-t", "100ms"], more].concat()
    }
    let json = push(&["-f", "json"]);
    refused(
        &json,
        b"{",
        4,
        "message 1 of the input: not an array of frames in JSON",
    );
    refused(&json, b"[]\n", 4, "a message has at least one frame");
    refused(&json, b"[1]\n", 4, "frame 1 is neither text nor base64");
    refused(
        &json,
        b"[{\"base64\": \"?\"}]\n",
        4,
        "frame 1 is not of the form",
    );
    refused(
        &push(&["-f", "hex"]),
        b"0",
        4,
        "broken hexadecimal in frame 1",
    );
    refused(
        &push(&["-f", "length"]),
        b"\0\0",
        4,
        "ends within a message",
    );
    refused(
        &push(&["--max-size", "10"]),
        b"longer than ten\n",
        4,
        "longer than 10 bytes",
    );
    refused(
        &push(&["-f", "hex", "zz"]),
        b"",
        4,
        "the message \"zz\": broken hexadecimal",
    );
}

#[test]
fn a_message_that_the_type_does_not_send_is_bad_input() {
    let two = r#"["two","frames"]"#;
    let at = "inproc://here";
    refused(
        &["client", "-b", at, "-f", "json", two],
        b"",
        4,
        "one frame only",
    );
    for (kind, first) in [
        ("server", "a SERVER sends a peer's routing id and a message"),
        ("peer", "a PEER sends a peer's routing id and a message"),
    ] {
        refused(&[kind, "-b", at, "alone"], b"", 4, first);
    }
    let group = ["radio", "-b", at, "--wait", "0", "alone"];
    refused(&group, b"", 4, "a RADIO sends a group and a message");
    let datagram = ["dgram", "-b", "udp://127.0.0.1:*", "alone"];
    refused(&datagram, b"", 4, "a DGRAM sends an address and a message");
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let at = "inproc://here";
    for (arguments, why) in [
        (&["push", "hello"][..], "nowhere to go"),
        (&["push", "-c", "tcp://", "hello"], "has no port"),
        (&["push", "-c", "nonsense://x", "hello"], "nonsense"),
        (
            &["pull", "-b", at, "hello"],
            "a PULL has no use for a message to send",
        ),
        (
            &["pull", "-b", at, "--subscribe", "x"],
            "no use for --subscribe",
        ),
        (&["push", "-b", at, "--echo"], "no use for --echo"),
        (&["push", "-b", at, "--wait", "2"], "no use for --wait"),
        (&["sub", "-c", at, "--join", "x"], "no use for --join"),
        (
            &["push", "-b", at, "-s", "nothing=1", "x"],
            "there is no such option",
        ),
        (&["push", "-b", at, "-s", "send_hwm", "x"], "NAME=VALUE"),
        (&["push", "-b", at, "-s", "send_hwm=many", "x"], "send_hwm"),
        (
            &["push", "-b", at, "-s", "subscribe=x", "x"],
            "no such option",
        ),
        (&["push", "-b", at, "--plain", "joe", "x"], "USER:PASSWORD"),
        (&["push", "-c", "tls+tcp://127.0.0.1:1", "x"], "--tls-ca"),
        (&["push", "-b", "tls+tcp://127.0.0.1:*", "x"], "--tls-cert"),
    ] {
        refused(arguments, b"", 2, why);
    }
    for arguments in [
        &["push", "--nonsense"][..],
        &["nonsense"],
        &["push", "-t", "soon"],
    ] {
        pzmq(arguments).assert().code(2);
    }
}

/// By our names and libzmq's.
#[test]
fn every_option_of_a_socket_can_be_set() {
    use purezmq::SocketType;
    use purezmq::options::{OptionId, Options, Value, ValueKind};
    let options = Options::of(SocketType::Router);
    let mut arguments = vec!["router".to_owned()];
    arguments.extend(["-b", "ipc://*", "-t", "1ms"].map(str::to_owned));
    let mut set = 0;
    for id in OptionId::all().filter(|id| options.has(*id)) {
        let row = id.row();
        // What has no value now, or no plain one, has no text to set it by here.
        let Ok(value) = options.get(id) else { continue };
        let has_text = row.kind != ValueKind::Opaque && value != Value::None;
        if !has_text || value.to_string().is_empty() {
            continue;
        }
        let name = match row.zmq {
            Some((zmq, _)) if set % 3 == 1 => zmq.to_owned(),
            Some((zmq, _)) if set % 3 == 2 => zmq.replace("ZMQ_", ""),
            _ => row.name.to_owned(),
        };
        arguments.extend(["--set".to_owned(), format!("{name}={value}")]);
        set += 1;
    }
    assert!(set > 20, "{set}");
    arguments.extend(["--set".to_owned(), "rcvhwm=7".to_owned()]);
    let ended = pzmq(arguments).assert().code(3);
    assert!(said(&ended).contains("no message came"), "{}", said(&ended));
}

/// Help and version are what was asked for, and it is an error if they are lost.
#[cfg(target_os = "linux")]
#[test]
fn help_that_cannot_be_written_is_told() {
    for arguments in [&["--help"][..], &["push", "--help"], &["--version"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_pzmq"))
            .args(arguments)
            .stdout(full.expect("a full disk"))
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("cannot write to standard output"), "{said}");
    }
    pzmq(["--version"]).assert().success();
    pzmq(Vec::<&str>::new()).assert().code(2);
}

/// A full disk behind standard output.
#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_told() {
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().expect("a folder");
    let at = format!("ipc://{}/here", folder.path().display());
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let pull = Command::new(env!("CARGO_BIN_EXE_pzmq"))
        .args(["pull", "-b", &at, "-n", "1"])
        .stdout(full.expect("a full disk"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    pzmq(["push", "-c", &at, "hello"]).assert().success();
    let ended = pull.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot write to standard output"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
