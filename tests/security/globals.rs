//! Sockets that were not given a context: blocking or not, they have one authenticator, ZAP handler and set of names. Each
//! test here is a process of its own, since all others share that context, too.

use std::process::Command;

use purezmq::blocking;
use purezmq::security::{AuthRequest, KeyPair, Refusal, Security};
use purezmq::{Context, Endpoint, MonitorEventKind as Kind, PullSocket, PushSocket, RepSocket};

use super::doors::{Sides, WAYS, reply, status};

/// Runs one of the ignored tests below.
fn alone(name: &str) {
    let program = std::env::current_exe().unwrap();
    let name = format!("globals::{name}");
    let run = Command::new(program)
        .args(["--exact", &name, "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&run.stderr)
    );
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
fn the_global_authenticator_counts_for_all() {
    alone("alone_the_global_authenticator_counts_for_all");
}

#[test]
fn a_handler_of_the_global_context_is_asked_by_all() {
    alone("alone_a_handler_of_the_global_context_is_asked_by_all");
}

#[test]
fn names_of_the_global_context_are_known_to_all() {
    alone("alone_names_of_the_global_context_are_known_to_all");
}

/// A blocking server, and the status with which a stranger's handshake ends.
fn knock_at_blocking(sides: &Sides) -> u32 {
    let mut pull = blocking::PullSocket::builder()
        .security(sides.server())
        .zap_domain("here")
        .build()
        .unwrap();
    let monitor = pull.monitor();
    let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap();
    let mut push = blocking::PushSocket::builder()
        .security(sides.client())
        .build()
        .unwrap();
    push.connect(&endpoint).unwrap();
    let end = |kind: &Kind| matches!(kind, Kind::HandshakeSucceeded | Kind::HandshakeFailed(_));
    let mut monitor = monitor;
    loop {
        let event = blocking::wait(monitor.recv()).unwrap();
        if end(&event.kind) {
            return match event.kind {
                Kind::HandshakeSucceeded => 200,
                _ => event.libzmq().unwrap().value,
            };
        }
    }
}

async fn server(sides: &Sides) -> (PullSocket, Endpoint) {
    let mut pull = PullSocket::builder()
        .security(sides.server())
        .zap_domain("here")
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    (pull, endpoint)
}

#[test]
#[ignore = "run by the test of its name"]
fn alone_the_global_authenticator_counts_for_all() {
    Context::global().set_authenticator(|_: AuthRequest| async { Err(Refusal::Denied) });
    for way in WAYS {
        assert_eq!(knock_at_blocking(&Sides::of(way)), 400, "{way:?}");
    }
    // A socket that was given a context has that one's.
    let keys = KeyPair::generate();
    let client = Security::curve_client(KeyPair::generate(), *keys.public());
    let context = Context::with_io_threads(1).unwrap();
    let mut pull = blocking::PullSocket::builder()
        .context(&context)
        .security(Security::curve_server(keys))
        .build()
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap();
    let mut push = blocking::PushSocket::builder()
        .security(client)
        .build()
        .unwrap();
    push.connect(&endpoint).unwrap();
    push.send("in").unwrap();
    assert_eq!(pull.recv().unwrap(), "in");
}

#[test]
#[ignore = "run by the test of its name"]
fn alone_a_handler_of_the_global_context_is_asked_by_all() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for way in WAYS {
        println!("{way:?}");
        let sides = Sides::of(way);
        // A blocking handler, and a socket that is not.
        let mut handler = blocking::RepSocket::new();
        handler.bind("inproc://zeromq.zap.01").unwrap();
        runtime.block_on(async {
            let (pull, endpoint) = server(&sides).await;
            let mut monitor = pull.monitor();
            let _push = sides.push(endpoint.to_string());
            let asked = std::thread::spawn(move || {
                let request = handler.recv().unwrap();
                handler.send(reply(&request, b"400")).unwrap();
                handler
            });
            assert_eq!(status(&mut monitor).await, 400);
            drop(asked.join().unwrap());
        });
        // The other way round.
        let handling = runtime.spawn(async {
            let mut handler = RepSocket::new();
            handler.bind("inproc://zeromq.zap.01").await.unwrap();
            let request = handler.recv().await.unwrap();
            handler.send(reply(&request, b"400")).await.unwrap();
            handler
        });
        let mut end = 300;
        while end == 300 {
            end = knock_at_blocking(&sides);
        }
        assert_eq!(end, 400);
        drop(runtime.block_on(handling).unwrap());
    }
}

#[test]
#[ignore = "run by the test of its name"]
fn alone_names_of_the_global_context_are_known_to_all() {
    let mut pull = blocking::PullSocket::new();
    pull.bind("inproc://shared").unwrap();
    let mut push = PushSocket::new();
    push.connect("inproc://shared").unwrap();
    futures::executor::block_on(push.send("here")).unwrap();
    assert_eq!(pull.recv().unwrap(), "here");
}
