//! `pzmq top`, on a pseudo-terminal as a person has it, and as text for scripts.

use std::io::{Read, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use purezmq::expose::Exposed;
use purezmq::{Context, PullSocket, PushSocket};

const PATIENCE: Duration = Duration::from_secs(60);

/// A process that exposes itself: this one.
struct Watched {
    _exposed: Exposed,
    _pull: PullSocket,
    _push: PushSocket,
    endpoint: String,
    _runtime: tokio::runtime::Runtime,
}

fn watched() -> Watched {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (exposed, pull, push, endpoint) = runtime.block_on(async {
        let context = Context::new();
        let pull = PullSocket::builder().context(&context).name("worker");
        let mut pull = pull.build().unwrap();
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
        let push = PushSocket::builder().context(&context).name("source");
        let mut push = push.build().unwrap();
        push.connect(&endpoint).unwrap();
        for _ in 0..10 {
            push.send("work").await.unwrap();
            pull.recv().await.unwrap();
        }
        let exposed = context.expose("tcp://127.0.0.1:*").await.unwrap();
        let endpoint = exposed.endpoint().unwrap().to_string();
        (exposed, pull, push, endpoint)
    });
    Watched {
        _exposed: exposed,
        _pull: pull,
        _push: push,
        endpoint,
        _runtime: runtime,
    }
}

/// Starts `pzmq top` on a pseudo-terminal, and returns both.
fn on_terminal(
    size: PtySize,
    watched: &Watched,
) -> (Box<dyn MasterPty + Send>, Box<dyn Child + Send + Sync>) {
    let pty = native_pty_system()
        .openpty(size)
        .expect("a pseudo-terminal");
    let mut command = CommandBuilder::new(assert_cmd::cargo::cargo_bin("pzmq"));
    command.args(["top", &watched.endpoint, "--interval", "100ms"]);
    command.env("TERM", "xterm-256color");
    let child = pty.slave.spawn_command(command).expect("pzmq starts");
    (pty.master, child)
}

/// Starts it as the shell does that has been told `2>errors`.
fn on_terminal_with_errors_in(
    errors: &std::path::Path,
    watched: &Watched,
) -> (Box<dyn MasterPty + Send>, Box<dyn Child + Send + Sync>) {
    let pty = native_pty_system()
        .openpty(PtySize::default())
        .expect("a pseudo-terminal");
    let mut command = CommandBuilder::new("sh");
    command.args(["-c", "exec \"$0\" top \"$1\" --interval 100ms 2>\"$2\""]);
    command.arg(assert_cmd::cargo::cargo_bin("pzmq"));
    command.args([watched.endpoint.as_ref(), errors.as_os_str()]);
    command.env("TERM", "xterm-256color");
    let child = pty.slave.spawn_command(command).expect("sh starts");
    (pty.master, child)
}

/// What a terminal shows, as it changes.
#[derive(Clone)]
struct Shown(Arc<(Mutex<vt100::Parser>, Condvar)>);

impl Shown {
    fn text(&self) -> String {
        self.0.0.lock().unwrap().screen().contents()
    }

    /// Waits until the screen is as it is to be.
    fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut parser = self.0.0.lock().unwrap();
        loop {
            let text = parser.screen().contents();
            if is_so(&text) {
                return text;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what} does not come:\n{text}");
            parser = self.0.1.wait_timeout(parser, left).unwrap().0;
        }
    }
}

#[test]
fn a_person_looks_at_sockets_and_their_peers() {
    let watched = watched();
    let size = PtySize {
        rows: 24,
        cols: 160,
        pixel_width: 0,
        pixel_height: 0,
    };
    let (terminal, mut child) = on_terminal(size, &watched);
    let mut keyboard = terminal.take_writer().unwrap();
    let mut output = terminal.try_clone_reader().unwrap();
    let shown = Shown(Arc::new((
        Mutex::new(vt100::Parser::new(24, 160, 0)),
        Condvar::new(),
    )));
    let reading = {
        let shown = shown.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                shown.0.0.lock().unwrap().process(&bytes[..read]);
                shown.0.1.notify_all();
            }
        })
    };
    let mut press = |keys: &str| {
        keyboard.write_all(keys.as_bytes()).unwrap();
        keyboard.flush().unwrap();
    };

    let text = shown.until("the sockets", |text| {
        text.contains("source") && text.contains("worker")
    });
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].contains(&watched.endpoint), "{text}");
    assert!(lines[1].contains("3 sockets"), "{text}");
    assert!(lines[2].starts_with("NO  TYPE  NAME"), "{text}");
    assert!(lines[3].contains("PULL  worker"), "{text}");
    assert!(lines[4].contains("PUSH  source"), "{text}");
    assert!(lines[5].contains("REP   expose"), "{text}");
    assert!(lines[23].contains("q quit"), "{text}");

    press("r");
    shown.until("the other order", |text| {
        text.lines()
            .nth(3)
            .is_some_and(|line| line.contains("expose"))
    });
    press("r\x1b[B");
    press("\r");
    let text = shown.until("the peers of the second", |text| {
        text.contains("PUSH source, 1 peers")
    });
    assert!(text.contains("ADDRESS"), "{text}");
    shown.until("its peer", |text| {
        text.lines()
            .nth(3)
            .is_some_and(|line| line.contains("PULL  tcp://127.0.0.1:"))
    });
    press("\x7f");
    shown.until("the sockets again", |text| text.contains("3 sockets"));
    press("?");
    shown.until("help", |text| text.contains("sort the other way round"));
    press("x");
    shown.until("the sockets again", |text| {
        text.contains("3 sockets") && text.contains("source")
    });
    press("q");
    let status = child.wait().unwrap();
    assert!(status.success(), "{status:?}\n{}", shown.text());
    drop(terminal);
    reading.join().unwrap();
}

/// It says so where that can still be read, and nowhere if standard error was the terminal: the exit code is the same.
#[test]
fn a_closed_terminal_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let errors = folder.path().join("errors");
    let watched = watched();
    for in_file in [true, false] {
        let (terminal, mut child) = match in_file {
            true => on_terminal_with_errors_in(&errors, &watched),
            false => on_terminal(PtySize::default(), &watched),
        };
        let mut output = terminal.try_clone_reader().unwrap();
        // It has begun to show something.
        output.read_exact(&mut [0; 1]).expect("it writes");
        drop(output);
        drop(terminal);
        let (end, ended) = std::sync::mpsc::channel();
        let mut killer = child.clone_killer();
        std::thread::spawn(move || end.send(child.wait()));
        let status = ended.recv_timeout(PATIENCE);
        let _ = killer.kill();
        let status = status.expect("it ends").expect("a child");
        assert_eq!(
            (status.exit_code(), status.signal()),
            (1, None),
            "{in_file}"
        );
    }
    let said = std::fs::read_to_string(&errors).unwrap();
    assert_eq!(said, "pzmq: the terminal was closed\n");
}

#[test]
fn a_script_gets_a_table() {
    let watched = watched();
    let top = |more: &[&str]| {
        let mut command = Command::cargo_bin("pzmq").unwrap();
        command.args(["top", &watched.endpoint, "--once", "--interval", "100ms"]);
        let done = command.args(more).assert().success();
        String::from_utf8(done.get_output().stdout.clone()).unwrap()
    };
    let text = top(&["--sort", "type"]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[0].starts_with("NO  TYPE  NAME"));
    for (line, part) in lines[1..]
        .iter()
        .zip(["PULL  worker", "PUSH  source", "REP   expose"])
    {
        assert!(line.contains(part), "{text}");
    }
    let number = lines[1].split_whitespace().next().unwrap();
    let peers = top(&["--socket", number]);
    assert_eq!(peers.lines().count(), 2, "{peers}");
    assert!(
        peers.contains("ADDRESS") && peers.contains("PUSH  tcp://127.0.0.1:"),
        "{peers}"
    );
}

#[test]
fn what_cannot_be_looked_into_is_said() {
    let failed = |arguments: &[&str], code, said: &str| {
        let mut command = Command::cargo_bin("pzmq").unwrap();
        let done = command.args(arguments).assert().code(code);
        let text = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
        assert!(text.contains(said), "{text}");
    };
    // Held, so that nobody else answers there.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", silent.local_addr().unwrap());
    failed(&["top", &endpoint, "--once"], 3, "does not answer");
    failed(&["top", "nowhere"], 2, "nowhere");
    failed(
        &["top", &endpoint, "--sort", "beauty"],
        2,
        "the columns are NO, TYPE, NAME",
    );

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut other = purezmq::RepSocket::new();
    let bound = runtime.block_on(other.bind("tcp://127.0.0.1:*")).unwrap();
    runtime.spawn(async move {
        while other.recv().await.is_ok() {
            other.send("hello yourself").await.unwrap();
        }
    });
    failed(
        &["top", &bound.to_string(), "--once"],
        1,
        "nothing that can be looked into",
    );
}
