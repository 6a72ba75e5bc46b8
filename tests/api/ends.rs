//! Ends: who ends what, by socket type, transport and side; what of ten large messages is delivered then, and where the
//! others are counted. The table in `docs/reliability.md` is made of what is asserted here; to write it anew:
//! `PUREZMQ_WRITE_DOCS=1 cargo test -p purezmq-tests --test api ends`.

use std::time::Duration;

use common::events::event;
use common::place::Role;
use common::within;
use futures::StreamExt;
use purezmq::SocketType::XSub;
use purezmq::options::Value;
use purezmq::security::{AuthRequest, Refusal, Security};
use purezmq::{AnySocket, Context, MonitorEventKind as Kind};

use self::table::{Delivered, End, Linger, ROWS, Rest, Row};
use super::cells::{
    Cell, Counts, Home, Joined, Way, addressed, connect, count, count_more, named, open,
    open_secured, send, settled,
};

mod table;

/// More than all buffers together hold.
const SENT: usize = 10;
const LENGTH: usize = 100_000;
const TAKEN: u64 = SENT as u64;

/// What came of a cell.
struct Outcome {
    /// At the last moment at which there were statistics.
    counts: Counts,
    /// What the peer has received, if it could, and whoever came next.
    received: Option<u64>,
    next: Option<u64>,
    /// What `close` has reported, if that was the end, or came after it.
    report: Option<u64>,
}

fn linger_of(end: End) -> Value {
    match end {
        End::WeDisconnect(Linger::Long)
        | End::WeUnbind(Linger::Long)
        | End::WeClose(Linger::Long) => Value::None,
        _ => Value::from(Duration::ZERO),
    }
}

/// Each end, at a connection on which ten messages have been sent, and of which nothing was read.
async fn at_a_connection(row: &Row, cell: Cell, what: &str) -> Outcome {
    let mut ours = Home::default();
    let mut theirs = Home::default();
    match row.end {
        End::PeerIsCut => theirs = Home::new(),
        End::OurRuntime => ours = Home::new(),
        _ => {}
    }
    let options = [
        ("send_buffer", Value::from(16usize << 10)),
        ("recv_buffer", Value::from(16usize << 10)),
        ("recv_hwm", Value::from(1usize)),
        ("linger", linger_of(row.end)),
        // Nobody comes before the test has looked.
        ("reconnect_interval", Value::from(Duration::from_millis(50))),
    ];
    let mut joined = Joined::new(cell, &options, (&ours, &theirs)).await;
    for number in 0..SENT {
        send(&mut joined.sender, number, LENGTH).await;
    }
    assert_eq!(joined.counts().total(), TAKEN, "{what}, before");
    let endpoint = joined.endpoint.clone();
    match row.end {
        End::PeerCloses | End::PeerIsCut => {
            let mut monitor = joined.sender.monitor();
            let mut receiver = Some(joined.receiver);
            match row.end {
                End::PeerCloses => drop(receiver.take()),
                _ => theirs.end().await,
            }
            if cell.way != Way::Inproc {
                event(&mut monitor, "the peer's end", |kind| {
                    matches!(kind, Kind::Disconnected(_))
                })
                .await;
            }
            let mut received = None;
            if row.delivered == Delivered::All {
                let mut receiver = receiver.take().expect("it is there");
                received = Some(count(&mut receiver, SENT).await as u64);
            }
            let counts = || Counts::of(&joined.before, &joined.sender.stats());
            let is_over = |counts: &Counts| row.rest == Rest::Queued || counts.queued == 0;
            let counts = settled(what, TAKEN, counts, is_over).await;
            let mut next = None;
            if row.delivered == Delivered::Next {
                drop(receiver.take());
                let later = open(cell.pairing.1, &joined.context, &named("receiver", &[]));
                let mut later = Home::default().join(later, endpoint, Role::WeBind).await;
                next = Some(count(&mut later, counts.queued as usize).await as u64);
            }
            Outcome {
                counts,
                received,
                next,
                report: None,
            }
        }
        End::WeClose(_) => {
            let Joined {
                sender,
                mut receiver,
                ..
            } = joined;
            let before_close = sender.stats();
            let (report, read) = tokio::join!(within(what, sender.close()), async {
                match row.delivered {
                    Delivered::All => count(&mut receiver, SENT).await,
                    _ => 0,
                }
            });
            let report = report.unsent as u64;
            let arrived = SENT.saturating_sub(report as usize + read);
            let received = read + count(&mut receiver, arrived).await + count_more(&mut receiver);
            // What was still queued has been sent, or is in the report.
            let mut counts = Counts::of(&joined.before, &before_close);
            counts.sent += counts.queued - report;
            counts.queued = 0;
            Outcome {
                counts,
                received: Some(received as u64),
                next: None,
                report: Some(report),
            }
        }
        _ => {
            match row.end {
                End::WeDisconnect(_) => {
                    joined
                        .sender
                        .disconnect(endpoint.as_str())
                        .expect("disconnect");
                }
                End::WeUnbind(_) => {
                    let unbound = joined.sender.unbind(endpoint.as_str()).await;
                    unbound.expect("unbind");
                }
                _ => ours.end().await,
            }
            let (sender, before) = (&joined.sender, &joined.before);
            let counts = || Counts::of(before, &sender.stats());
            let settling = settled(what, TAKEN, counts, |counts| counts.queued == 0);
            let (counts, read) = tokio::join!(settling, async {
                match row.delivered {
                    Delivered::All => count(&mut joined.receiver, SENT).await,
                    _ => 0,
                }
            });
            let arrived = (counts.sent as usize).saturating_sub(read);
            let received = read
                + count(&mut joined.receiver, arrived).await
                + count_more(&mut joined.receiver);
            let mut report = None;
            if row.rest == Rest::Both {
                report = Some(within(what, joined.sender.close()).await.unsent as u64);
            }
            Outcome {
                counts,
                received: Some(received as u64),
                next: None,
                report,
            }
        }
    }
}

/// Each end of an endpoint that has never had a connection.
async fn without_a_connection(row: &Row, cell: Cell, what: &str) -> Outcome {
    let context = Context::new();
    let (endpoint, _place) = cell.way.place();
    let [client, server] = match row.end {
        End::Refused => [
            Security::plain_client("joe", "secret").expect("short"),
            Security::plain_server(),
        ],
        _ => [Security::Null, Security::Null],
    };
    let linger = named("sender", &[("linger", linger_of(row.end))]);
    let mut sender = open_secured(cell.pairing.0, &context, &linger, client);
    let mut monitor = sender.monitor();
    let elsewhere = Context::new();
    elsewhere.set_authenticator(|_: AuthRequest| async { Err(Refusal::Denied) });
    let mut other = open_secured(cell.pairing.1, &elsewhere, &[], server);
    if row.end == End::Refused {
        other.bind(endpoint.as_str()).await.expect("bind");
    }
    let before = sender.stats();
    connect(&mut sender, &endpoint);
    for number in 0..SENT {
        let message = addressed(&sender, number, 1);
        sender.try_send(message).expect("there is room");
    }
    assert_eq!(Counts::of(&before, &sender.stats()).queued, TAKEN, "{what}");
    if row.end == End::Refused {
        event(&mut monitor, "a refusal", |kind| {
            matches!(kind, Kind::Gone(_))
        })
        .await;
    }
    let mut report = None;
    let mut counts = Counts::of(&before, &sender.stats());
    let mut kept: Option<AnySocket> = None;
    match row.end {
        End::NobodyThenDisconnect => {
            sender.disconnect(endpoint.as_str()).expect("disconnect");
            let is_over = |counts: &Counts| row.rest == Rest::Queued || counts.queued == 0;
            let look = || Counts::of(&before, &sender.stats());
            counts = settled(what, TAKEN, look, is_over).await;
            kept = Some(sender);
        }
        _ => {
            counts.queued = 0;
            report = Some(within(what, sender.close()).await.unsent as u64);
        }
    }
    let mut next = None;
    if row.delivered == Delivered::Later {
        let mut later = open(cell.pairing.1, &context, &named("receiver", &[]));
        later.bind(endpoint.as_str()).await.expect("bind");
        next = Some(count(&mut later, SENT).await as u64);
        if let Some(sender) = &kept {
            let counts = Counts::of(&before, &sender.stats());
            // Its subscription is sent now, too.
            let all = TAKEN + u64::from(cell.pairing.0 == XSub);
            assert_eq!((counts.sent, counts.total()), (all, all), "{what}");
        }
    }
    Outcome {
        counts,
        received: None,
        next,
        report,
    }
}

fn check(row: &Row, what: &str, outcome: &Outcome) {
    let Outcome {
        counts,
        received,
        next,
        report,
    } = outcome;
    let what = format!("{what}: {counts:?}, report {report:?}");
    let reported = report.unwrap_or_default();
    let in_report_only = if row.rest == Rest::Report {
        reported
    } else {
        0
    };
    assert_eq!(counts.total() + in_report_only, TAKEN, "{what}");
    assert!(counts.lost <= u64::from(row.loses), "{what}");
    let rest = TAKEN - counts.sent - counts.lost;
    let expected = match row.rest {
        Rest::Nowhere => (0, 0, 0),
        Rest::Queued => (rest, 0, 0),
        Rest::Unsent => (0, rest, 0),
        Rest::Report => (0, 0, rest),
        Rest::Both => (0, rest, rest),
    };
    assert_eq!((counts.queued, counts.unsent, reported), expected, "{what}");
    assert!(
        row.rest == Rest::Nowhere || rest > 0,
        "{what}: too little was sent"
    );
    if let Some(received) = received {
        assert_eq!(*received, counts.sent, "{what}: received");
    }
    match row.delivered {
        Delivered::Nothing => assert_eq!(counts.sent, 0, "{what}"),
        Delivered::Sent => {}
        Delivered::Next | Delivered::Later => {
            assert_eq!(next.unwrap_or_default(), rest, "{what}: the next one");
        }
        Delivered::All => assert_eq!(*received, Some(TAKEN), "{what}"),
    }
}

async fn run(row: &Row, cell: Cell) {
    let what = format!("{:?}: {cell}", row.end);
    let outcome = match row.end {
        End::NobodyThenDisconnect | End::NobodyThenClose | End::Refused => {
            without_a_connection(row, cell, &what).await
        }
        _ => at_a_connection(row, cell, &what).await,
    };
    check(row, &what, &outcome);
}

/// What `send` has taken is delivered, or counted in one place.
#[tokio::test]
async fn each_end_delivers_and_counts_as_the_table_says() {
    let cells = ROWS.iter().flat_map(|row| {
        let cells = row.cells();
        cells.into_iter().map(move |cell| run(row, cell))
    });
    let mut running = futures::stream::iter(cells).buffer_unordered(6);
    while running.next().await.is_some() {}
}
