//! What peers leave behind that came and went: nothing, whatever the socket's type, and whether its application sends,
//! receives, or does neither; nor what they had to say for themselves, or had subscribed to.
//!
//! All of it is on one thread, which is the one that is counted.

use common::raw::{RawPeer, greeting, short_frame};
use common::roles::{Role, each_role};
use common::within;
use purezmq::options::Options;
use purezmq::rules::{PeerNaming, RULES};
use purezmq::{
    AnySocket, Capability, Context, Endpoint, Monitor, MonitorEventKind, PullSocket, SocketType,
};
use tokio::runtime::{Builder, Runtime};

/// What a peer that came and went may cost, in bytes: less than anything that would be kept for it. A pipe is 3 KB.
const EACH: i64 = 100;

/// The same where many were there together: tables that had all of them keep their size, and which of them doubled once more
/// is left to chance.
const EACH_OF_CROWD: i64 = 400;

/// What a pipe costs of which something is left, in bytes.
const LEFT: i64 = 2_500;

/// What is made once, and grows by doubling.
const ONCE: i64 = 64 * 1024;

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
    role.act(socket);
    drop(peer);
    await_event(&mut monitor, |kind| {
        matches!(kind, MonitorEventKind::Disconnected(_))
    })
    .await;
    role.act(socket);
}

#[test]
fn peers_that_come_and_go_leave_nothing_whatever_the_application_does() {
    for (rules, role) in each_role() {
        let few = kept(rules.socket_type, role, 20);
        let many = kept(rules.socket_type, role, 120);
        let each = (many - few - ONCE) / 100;
        println!("{} {role:?}: {few}, {many}", rules.socket_type);
        assert!(each < EACH, "{} {role:?}: {few}, {many}", rules.socket_type);
    }
}

/// The bytes of a socket from which so many peers have gone that were there together.
fn kept_of_a_crowd(socket_type: SocketType, role: Role, peers: usize) -> i64 {
    let mut kept = None;
    let info = allocation_counter::measure(|| {
        let runtime = runtime();
        let socket = runtime.block_on(async {
            let mut socket = AnySocket::new(socket_type, &Context::new()).expect("options");
            let mut monitor = socket.monitor();
            let endpoint = socket.bind("tcp://127.0.0.1:*").await.expect("bind");
            let mut crowd = Vec::new();
            for _ in 0..peers {
                let mut peer = RawPeer::connect(&endpoint).await;
                peer.shake_hands(socket_type.peers()[0].name()).await;
                await_event(&mut monitor, |kind| {
                    matches!(kind, MonitorEventKind::HandshakeSucceeded)
                })
                .await;
                crowd.push(peer);
            }
            role.act(&mut socket);
            drop(crowd);
            for _ in 0..peers {
                await_event(&mut monitor, |kind| {
                    matches!(kind, MonitorEventKind::Disconnected(_))
                })
                .await;
            }
            role.act(&mut socket);
            socket
        });
        kept = Some((socket, runtime));
    });
    drop(kept);
    info.bytes_current
}

/// Though nobody comes after them.
#[test]
fn peers_that_were_there_together_leave_nothing_either() {
    let mut kept = Vec::new();
    for (rules, role) in each_role() {
        if rules.naming == PeerNaming::Exclusive {
            continue;
        }
        let few = kept_of_a_crowd(rules.socket_type, role, 20);
        let many = kept_of_a_crowd(rules.socket_type, role, 220);
        let each = (many - few - ONCE) / 200;
        println!("{} {role:?}: {few}, {many}", rules.socket_type);
        if each >= EACH_OF_CROWD {
            kept.push(format!("{} {role:?}: {few}, {many}", rules.socket_type));
        }
    }
    assert!(kept.is_empty(), "{kept:#?}");
}

/// The bytes of a publisher that nobody uses while so many subscribers come, subscribe, and go; and the publisher.
fn unseen(socket_type: SocketType, peers: usize) -> (i64, Runtime, AnySocket) {
    let mut kept = None;
    let info = allocation_counter::measure(|| {
        let runtime = runtime();
        let socket = runtime.block_on(async {
            let mut socket = AnySocket::new(socket_type, &Context::new()).expect("options");
            let endpoint = socket.bind("tcp://127.0.0.1:*").await.expect("bind");
            for _ in 0..peers {
                subscribe_and_go(&mut socket, &endpoint, b"").await;
            }
            socket
        });
        kept = Some((runtime, socket));
    });
    let (runtime, socket) = kept.expect("it was made");
    (info.bytes_current, runtime, socket)
}

/// A peer comes, subscribes, says this, and goes.
async fn subscribe_and_go(socket: &mut AnySocket, endpoint: &Endpoint, says: &[u8]) {
    let mut monitor = socket.monitor();
    let mut peer = RawPeer::connect(endpoint).await;
    peer.shake_hands("XSUB").await;
    peer.send(&short_frame(b"\x01news")).await;
    peer.send(says).await;
    drop(peer);
    await_event(&mut monitor, |kind| {
        matches!(kind, MonitorEventKind::Disconnected(_))
    })
    .await;
}

/// What an XPUB keeps of peers that have left ten messages each, after it has sent so many.
fn unheard(peers: usize, sends: usize) -> i64 {
    let mut kept = None;
    let info = allocation_counter::measure(|| {
        let runtime = runtime();
        let socket = runtime.block_on(async {
            let mut socket = AnySocket::new(SocketType::XPub, &Context::new()).expect("options");
            let endpoint = socket.bind("tcp://127.0.0.1:*").await.expect("bind");
            let said = short_frame(&[b'x'; 100]).repeat(10);
            for _ in 0..peers {
                subscribe_and_go(&mut socket, &endpoint, &said).await;
            }
            for _ in 0..sends {
                socket.try_send("nobody's").expect("it never waits");
            }
            socket
        });
        kept = Some((runtime, socket));
    });
    drop(kept);
    info.bytes_current
}

#[test]
fn what_is_thrown_away_of_those_who_left_is_given_back() {
    // It waits a thousand sends for an application that may yet receive.
    let (few, many) = (unheard(150, 3000), unheard(450, 3000));
    let each = (many - few - ONCE) / 300;
    println!("{few}, {many}");
    assert!(each < EACH, "{few}, {many}");
}

/// Beside the 1,030 bytes of its messages: one direction of a pipe, its end, and who has sent them.
#[test]
fn what_is_left_takes_little_beside_itself() {
    let (few, many) = (unheard(50, 0), unheard(350, 0));
    let each = (many - few) / 300;
    println!("{few}, {many}: {each}");
    assert!(each < 1_030 + LEFT, "{each}");
}

/// Peers may come and go faster than an application looks. What they have subscribed to means nothing when they have gone,
/// also where it would have been told; what they have said does.
#[test]
fn subscribers_that_were_never_seen_leave_nothing_but_what_they_have_said() {
    for rules in RULES.iter().filter(|rules| rules.publishes) {
        if !rules.has(Capability::TracksTopics) {
            continue;
        }
        let (few, ..) = unseen(rules.socket_type, 20);
        let (many, runtime, mut socket) = unseen(rules.socket_type, 120);
        let each = (many - few - ONCE) / 100;
        println!("{}: {few}, {many}", rules.socket_type);
        assert!(each < EACH, "{}: {few}, {many}", rules.socket_type);
        if !rules.has(Capability::Receives) {
            continue;
        }
        runtime.block_on(async {
            let endpoint = socket.last_endpoint().expect("it is bound");
            subscribe_and_go(&mut socket, &endpoint, &short_frame(b"said")).await;
            let received = within("a message", socket.recv()).await;
            assert_eq!(received.expect("one"), "said", "{}", rules.socket_type);
            assert!(socket.try_recv().is_err());
        });
    }
}

/// The READY of a peer that has much to say for itself, in small pieces.
fn talkative(kind: &str) -> Vec<u8> {
    let mut body = b"\x05READY".to_vec();
    let kind = [
        b"\x0bSocket-Type\0\0\0",
        &[kind.len() as u8][..],
        kind.as_bytes(),
    ]
    .concat();
    body.extend(kind);
    for number in 0..1000 {
        body.extend(format!("\x07X-{number:05}").as_bytes());
        body.extend(b"\0\0\0\x10sixteen bytes...");
    }
    let size = (body.len() as u64).to_be_bytes();
    [&[6][..], &size, &body].concat()
}

/// What is kept of so many peers that have much to say for themselves: while they are there, and when they have gone.
fn talked(peers: usize) -> (i64, i64) {
    let mut kept = None;
    let mut connections = Vec::new();
    let there = allocation_counter::measure(|| {
        let runtime = runtime();
        let pull = runtime.block_on(async {
            let mut pull = PullSocket::new();
            let mut monitor = pull.monitor();
            let endpoint = pull.bind("tcp://127.0.0.1:*").await.expect("bind");
            for _ in 0..peers {
                let mut peer = RawPeer::connect(&endpoint).await;
                peer.send(&greeting()).await;
                peer.send(&talkative("PUSH")).await;
                await_event(&mut monitor, |kind| {
                    matches!(kind, MonitorEventKind::HandshakeSucceeded)
                })
                .await;
                connections.push(peer);
            }
            for peer in pull.stats().peers {
                let sizes = peer
                    .properties
                    .iter()
                    .map(|(name, value)| name.len() + value.len());
                let kept = sizes.sum::<usize>();
                assert!((3000..=4096).contains(&kept), "{kept}");
            }
            pull
        });
        kept = Some((pull, runtime));
    });
    let (mut pull, runtime) = kept.expect("it was made");
    let gone = allocation_counter::measure(|| {
        runtime.block_on(async {
            let mut monitor = pull.monitor();
            for peer in connections.drain(..) {
                drop(peer);
                await_event(&mut monitor, |kind| {
                    matches!(kind, MonitorEventKind::Disconnected(_))
                })
                .await;
            }
            assert!(pull.try_recv().is_err());
            assert!(pull.stats().peers.is_empty());
        });
    });
    (
        there.bytes_current,
        there.bytes_current + gone.bytes_current,
    )
}

/// 28 KB in a thousand properties, of which 4 are kept.
#[test]
fn what_a_peer_says_of_itself_is_one_piece_of_a_few_kilobytes_and_goes_with_it() {
    let (few_there, few_gone) = talked(10);
    let (many_there, many_gone) = talked(60);
    let there = (many_there - few_there) / 50;
    let gone = (many_gone - few_gone) / 50;
    println!("each: {there} bytes while it is there, {gone} when it has gone");
    // What the statistics know of its pipe, until they are summed up.
    assert!(gone < 4 * 1024, "{gone}");
}
