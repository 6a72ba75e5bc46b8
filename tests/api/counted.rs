//! The end of a socket: how long `close` takes, and that what was sent has arrived, or is counted once.

use std::time::Duration;

use common::place::Role;
use purezmq::SocketType;
use purezmq::options::Value;

use super::cells::{Cell, Home, Joined, PAIRINGS, Way, count, count_more, send};

const LINGER: Duration = Duration::from_millis(30);

async fn joined(
    pairing: (SocketType, SocketType),
    way: Way,
    role: Role,
    options: &[(&'static str, Value)],
) -> Joined {
    let cell = Cell { pairing, way, role };
    Joined::new(cell, options, (&Home::default(), &Home::default())).await
}

/// `close` says what has not arrived, the message that was being written included, and takes no longer than the time to
/// linger and a tenth of a second. The clock stands still but for the time that is waited for.
#[tokio::test]
async fn what_has_not_arrived_is_unsent_and_close_ends_with_its_linger() {
    const SENT: usize = 20;
    let small = [
        ("send_buffer", Value::from(16usize << 10)),
        ("recv_buffer", Value::from(16usize << 10)),
        ("recv_hwm", Value::from(1usize)),
        ("linger", Value::from(LINGER)),
    ];
    for pairing in PAIRINGS {
        for way in [Way::Tcp, Way::Ipc] {
            for role in [Role::WeBind, Role::WeConnect] {
                let what = format!("{pairing:?} {way:?} {role:?}");
                let Joined {
                    mut sender,
                    mut receiver,
                    place: _place,
                    ..
                } = joined(pairing, way, role, &small).await;
                for number in 0..SENT {
                    send(&mut sender, number, 200_000).await;
                }
                tokio::time::pause();
                let start = tokio::time::Instant::now();
                let report = sender.close().await;
                let took = start.elapsed();
                tokio::time::resume();
                let limit = LINGER + Duration::from_millis(110);
                assert!(took <= limit, "{what}: close took {took:?}");
                assert!(report.unsent > 0, "{what}: too little was sent");
                let arrived = SENT - report.unsent;
                assert_eq!(count(&mut receiver, arrived).await, arrived, "{what}");
                assert_eq!(count_more(&mut receiver), 0, "{what}: more than was sent");
            }
        }
    }
}

/// Of inproc, too: a message is sent, or unsent, and not both; and what was received is taken or unread.
#[tokio::test]
async fn an_inproc_message_is_counted_once() {
    const SENT: u64 = 100;
    for pairing in PAIRINGS {
        for role in [Role::WeBind, Role::WeConnect] {
            for taken in [0, 1, 99] {
                let what = format!("{pairing:?} {role:?}, {taken} taken");
                let Joined {
                    mut sender,
                    mut receiver,
                    before,
                    ..
                } = joined(pairing, Way::Inproc, role, &[]).await;
                for number in 0..SENT as usize {
                    send(&mut sender, number, 1).await;
                }
                assert_eq!(count(&mut receiver, taken).await, taken);
                let (queued, received) = {
                    let stats = receiver.stats();
                    (stats.queued_to_receive, stats.received.messages)
                };
                assert!(queued + taken >= SENT as usize, "{what}: {queued} queued");
                drop(receiver);
                let after = sender.stats();
                let sent = after.sent.messages - before.sent.messages;
                let unsent = after.dropped.unsent - before.dropped.unsent;
                assert_eq!(sent + unsent, SENT, "{what}: {sent} sent, {unsent} unsent");
                assert!(received >= sent, "{what}: {received} received, {sent} sent");
            }
        }
    }
}
