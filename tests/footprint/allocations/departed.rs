//! What peers leave behind that came and went: nothing, whatever the socket's type, and whether its application sends,
//! receives, or does neither; nor what they had to say for themselves, or had subscribed to.
//!
//! All of it is on one thread, which is the one that is counted.

use common::raw::RawPeer;
use common::within;
use purezmq::options::Options;
use purezmq::rules::RULES;
use purezmq::{
    AnySocket, Capability, Context, Endpoint, Message, Monitor, MonitorEventKind, SocketType,
};
use tokio::runtime::{Builder, Runtime};

/// What a peer that came and went may cost, in bytes: less than anything that would be kept for it. A pipe is 3 KB.
const EACH: i64 = 100;

/// What is made once, and grows by doubling.
const ONCE: i64 = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Sends,
    Receives,
    Nothing,
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}

async fn await_event(monitor: &mut Monitor, wanted: impl Fn(&MonitorEventKind) -> bool) {
    within("an event", async {
        while !wanted(&monitor.recv().await.expect("the socket is open").kind) {}
    })
    .await;
}

/// The bytes of a socket whose peers came and went, so many of them.
fn kept(socket_type: SocketType, role: Role, peers: usize) -> i64 {
    let mut kept = None;
    let info = allocation_counter::measure(|| {
        let runtime = runtime();
        let socket = runtime.block_on(async {
            let options = Options::of(socket_type);
            let socket = AnySocket::with_options(socket_type, &Context::new(), options);
            let mut socket = socket.expect("options");
            let endpoint = socket.bind("tcp://127.0.0.1:*").await.expect("bind");
            for _ in 0..peers {
                come_and_go(&mut socket, &endpoint, role).await;
            }
            socket
        });
        kept = Some((socket, runtime));
    });
    drop(kept);
    info.bytes_current
}

/// A peer comes, is seen by a call, and goes.
async fn come_and_go(socket: &mut AnySocket, endpoint: &Endpoint, role: Role) {
    let mut monitor = socket.monitor();
    let peer_type = socket.socket_type().peers()[0];
    let mut peer = RawPeer::connect(endpoint).await;
    peer.shake_hands(peer_type.name()).await;
    await_event(&mut monitor, |kind| {
        matches!(kind, MonitorEventKind::HandshakeSucceeded)
    })
    .await;
    let act = |socket: &mut AnySocket| match role {
        Role::Sends => drop(socket.try_send(Message::from(["to whom it may", "concern"]))),
        Role::Receives => drop(socket.try_recv()),
        Role::Nothing => {}
    };
    act(socket);
    drop(peer);
    await_event(&mut monitor, |kind| {
        matches!(kind, MonitorEventKind::Disconnected(_))
    })
    .await;
    act(socket);
}

#[test]
fn peers_that_come_and_go_leave_nothing_whatever_the_application_does() {
    for rules in RULES {
        for role in [Role::Sends, Role::Receives, Role::Nothing] {
            let needs = match role {
                Role::Sends => Capability::Sends,
                Role::Receives => Capability::Receives,
                Role::Nothing => Capability::Any,
            };
            if !rules.has(needs) {
                continue;
            }
            let few = kept(rules.socket_type, role, 20);
            let many = kept(rules.socket_type, role, 120);
            let each = (many - few - ONCE) / 100;
            println!("{} {role:?}: {few}, {many}", rules.socket_type);
            assert!(each < EACH, "{} {role:?}: {few}, {many}", rules.socket_type);
        }
    }
}
