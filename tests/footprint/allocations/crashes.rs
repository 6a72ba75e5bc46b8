//! Peers that come and go leave nothing with a socket that nobody calls. Both tests were seen to fail with the defect
//! put into the code:
//!
//! | test | defect tried |
//! |---|---|
//! | `an_idle_publisher_does_not_grow_while_subscribers_crash` | `Inbox::ended` keeps what a publisher's peers sent that have gone: this was one of ours, found by the test |
//! | `a_monitor_that_nobody_reads_does_not_grow` | a `CAPACITY` of a million events |

use common::events::event;
use common::raw::{RawPeer, short_frame};
use purezmq::{Endpoint, Monitor, MonitorEventKind, PubSocket};
use tokio::runtime::Builder;

const ANY_PORT: &str = "tcp://127.0.0.1:*";

fn is_disconnected(kind: &MonitorEventKind) -> bool {
    matches!(kind, MonitorEventKind::Disconnected(_))
}

/// Subscribers that connect, subscribe and are gone.
async fn crash(bound: &Endpoint, monitor: &mut Monitor, times: usize) {
    for _ in 0..times {
        let mut peer = RawPeer::connect(bound).await;
        peer.shake_hands("SUB").await;
        peer.send(&short_frame(b"\x01topic")).await;
        peer.reset();
        event(monitor, "the end of it", is_disconnected).await;
    }
}

/// Bytes that are held more after `rounds` further rounds of crashes than after the first one.
fn growth(rounds: usize, watched: bool) -> i64 {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("runtime");
    let (publisher, bound, mut monitor) = runtime.block_on(async {
        let mut publisher = PubSocket::new();
        let monitor = publisher.monitor();
        let bound = publisher.bind(ANY_PORT).await.expect("bind");
        (publisher, bound, monitor)
    });
    let idle = watched.then(|| publisher.monitor());
    let mut round = || runtime.block_on(crash(&bound, &mut monitor, 500));
    // The first ones fill what is bounded.
    round();
    round();
    let held = allocation_counter::measure(|| (0..rounds).for_each(|_| round()));
    drop((idle, publisher));
    held.bytes_current
}

/// Nobody calls into the publisher while they come and go.
#[test]
fn an_idle_publisher_does_not_grow_while_subscribers_crash() {
    let grown = growth(4, false);
    assert!(grown < 50_000, "{grown} bytes for 2000 crashes");
}

/// 2000 connections are 6000 events.
#[test]
fn a_monitor_that_nobody_reads_does_not_grow() {
    let grown = growth(4, true);
    assert!(grown < 50_000, "{grown} bytes for 6000 events");
}
