//! Ten thousand connections come and go, and leave no task, no file descriptor and no memory behind; whatever the socket's
//! type, and whether its application sends, receives, or does neither.

use std::time::Duration;

use common::raw::{RawPeer, greeting, ready, short_frame};
use common::roles::each_role;
use common::within;
use purezmq::options::{OptionId, Options};
use purezmq::{AnySocket, Context, Endpoint, PullSocket, PushSocket};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::{Threads, alone};

/// What a connection could leave behind.
#[derive(Clone, Copy, Debug)]
struct Holdings {
    tasks: usize,
    descriptors: usize,
    memory_kib: usize,
}

fn holdings() -> Holdings {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is there");
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("VmRSS");
    Holdings {
        tasks: Handle::current().metrics().num_alive_tasks(),
        descriptors: std::fs::read_dir("/proc/self/fd")
            .expect("/proc/self/fd")
            .count(),
        memory_kib: resident.trim().trim_end_matches(" kB").parse().expect("kB"),
    }
}

/// One connection's whole life, in one of five manners.
async fn come_and_go(endpoint: Endpoint, manner: usize) {
    match manner % 5 {
        0 => drop(RawPeer::connect(&endpoint).await),
        1 => RawPeer::connect(&endpoint).await.reset(),
        2 => {
            let mut peer = RawPeer::connect(&endpoint).await;
            peer.shake_hands("PUSH").await;
            peer.send(&short_frame(b"by hand")).await;
        }
        3 => {
            let mut peer = RawPeer::connect(&endpoint).await;
            peer.shake_hands("PUSH").await;
            peer.reset();
        }
        _ => {
            let mut push = PushSocket::new();
            push.connect(&endpoint).expect("connect");
            within("send", push.send("from a socket"))
                .await
                .expect("send");
            let closed = within("close", push.close()).await;
            assert_eq!(closed.unsent, 0, "close waits for what is queued");
        }
    }
}

/// `count` connections, sixteen at a time.
async fn crowd(endpoint: &Endpoint, count: usize) {
    let mut running = JoinSet::new();
    for number in 0..count {
        if running.len() == 16 {
            running
                .join_next()
                .await
                .expect("one is running")
                .expect("it went well");
        }
        running.spawn(come_and_go(endpoint.clone(), number));
    }
    while let Some(done) = running.join_next().await {
        done.expect("it went well");
    }
}

/// A socket that is refused after each handshake, again and again.
async fn redial(count: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let mut push = PushSocket::builder()
        .reconnect_interval(Duration::from_millis(1))
        .reconnect_interval_max(None)
        .build()
        .expect("options");
    let address = listener.local_addr().expect("address");
    push.connect(format!("tcp://{address}")).expect("connect");
    for _ in 0..count {
        let (stream, _) = within("a connection", listener.accept())
            .await
            .expect("accept");
        let mut peer = RawPeer { stream };
        peer.shake_hands("PULL").await;
        peer.reset();
    }
}

/// Waits until tasks and descriptors are what they were: the last connections' ends are still on
/// their way.
async fn settle(before: Holdings) -> Holdings {
    let settled = async {
        loop {
            let now = holdings();
            if now.tasks <= before.tasks && now.descriptors <= before.descriptors {
                return now;
            }
            // The kernel's tables tell nobody that they have changed.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    match tokio::time::timeout(common::PATIENCE, settled).await {
        Ok(now) => now,
        Err(_) => panic!("before {before:?}, left behind {:?}", holdings()),
    }
}

#[test]
fn ten_thousand_connections_leave_nothing_behind() {
    alone(Threads::One, async {
        let mut pull = PullSocket::new();
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.expect("bind");
        let reader = tokio::spawn(async move {
            loop {
                pull.recv().await.expect("recv");
            }
        });
        let before = holdings();
        // The allocator and the runtime grow to their working size first.
        crowd(&endpoint, 1_000).await;
        let warm = settle(before).await;
        crowd(&endpoint, 10_000).await;
        redial(500).await;
        let after = settle(before).await;
        println!("before {before:?}\nafter  1,000 {warm:?}\nafter 11,000 {after:?}");
        // 10,000 connections that left 1 KiB each would be 10,000 KiB.
        assert!(
            after.memory_kib < warm.memory_kib + 6_000,
            "memory grew from {warm:?} to {after:?}"
        );
        reader.abort();
    });
}

/// Allocations are counted one by one in `allocations/departed.rs`; here it is what the process holds.
#[test]
fn whatever_a_socket_is_for_who_came_and_went_leaves_nothing_behind() {
    /// Peers of each.
    const PEERS: usize = 150;
    alone(Threads::One, async {
        let mut warm = None;
        for round in 0..2 {
            for (rules, role) in each_role() {
                let empty = holdings();
                let mut options = Options::of(rules.socket_type);
                // What they leave for the application is another matter; who does not receive has no such option.
                let id = OptionId::by_name("departed_hwm").expect("an option");
                let _ = options.set(id, 1);
                let context = Context::new();
                let socket = AnySocket::with_options(rules.socket_type, &context, options);
                let mut socket = socket.expect("options");
                let endpoint = socket.bind("tcp://127.0.0.1:*").await.expect("bind");
                let before = holdings();
                let kind = rules.socket_type.peers()[0].name();
                for number in 0..PEERS {
                    let mut peer = RawPeer::connect(&endpoint).await;
                    // A PAIR turns away who comes before the one before has gone.
                    if number % 2 == 0 || kind == "PAIR" {
                        peer.try_send(&[&greeting()[..], &ready(kind)].concat())
                            .await;
                    } else {
                        peer.shake_hands(kind).await;
                    }
                    role.act(&mut socket);
                    peer.try_send(&short_frame(b"left behind")).await;
                    role.act(&mut socket);
                    drop(peer);
                }
                settle(before).await;
                role.act(&mut socket);
                drop(socket);
                settle(empty).await;
            }
            let now = holdings();
            println!("after round {round}: {now:?}");
            let first = *warm.get_or_insert(now);
            // 1 KiB for each would be five thousand KiB.
            assert!(
                now.memory_kib < first.memory_kib + 2_500,
                "memory grew from {first:?} to {now:?}"
            );
        }
    });
}
