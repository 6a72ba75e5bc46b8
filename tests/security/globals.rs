//! Sockets that were not given a context: blocking or not, they have one authenticator, ZAP handler and set of names. Each
//! test here is a process of its own, since all others share that context, too.

use std::process::Command;

use purezmq::blocking;
use purezmq::security::{AuthRequest, KeyPair, Refusal, Security};
use purezmq::{
    Context, Endpoint, MonitorEventKind as Kind, PeerSelector, PullSocket, PushSocket, RepSocket,
};

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

#[test]
fn the_connections_of_all_are_ended_together() {
    alone("alone_the_connections_of_all_are_ended_together");
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

/// They have one authenticator, so whom it lets in no more is ended on all of them.
#[test]
#[ignore = "run by the test of its name"]
fn alone_the_connections_of_all_are_ended_together() {
    let here = || PeerSelector::At("127.0.0.1".parse().unwrap());
    let mut held = blocking::PullSocket::new();
    let at_held = held.bind("tcp://127.0.0.1:*").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut pull = PullSocket::new();
        let at_pull = pull.bind("tcp://127.0.0.1:*").await.unwrap();
        let other = Context::new();
        let mut elsewhere = PullSocket::builder().context(&other).build().unwrap();
        let at_elsewhere = elsewhere.bind("tcp://127.0.0.1:*").await.unwrap();
        let endpoints = [at_held, at_pull, at_elsewhere];
        let clients = Context::new();
        let mut pushes = endpoints.map(|endpoint| {
            let mut push = PushSocket::builder().context(&clients).build().unwrap();
            push.connect(endpoint).unwrap();
            push
        });
        let mut monitors = pushes.each_ref().map(PushSocket::monitor);
        for context in [Context::global(), blocking::context()] {
            for push in &mut pushes {
                push.send("here").await.unwrap();
            }
            common::within("a message", pull.recv()).await.unwrap();
            common::within("a message", elsewhere.recv()).await.unwrap();
            held = tokio::task::spawn_blocking(move || {
                held.recv().unwrap();
                held
            })
            .await
            .unwrap();
            assert_eq!(context.disconnect_peer(here()), 2);
            // What is sent before they know may be lost.
            for monitor in &mut monitors[..2] {
                common::events::ended(monitor).await;
            }
        }
        assert_eq!(other.disconnect_peer(here()), 1);
    });
}
