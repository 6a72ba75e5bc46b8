//! Allocations per message once a connection is under way, so that none creeps in unnoticed: unlike times,
//! they can be counted exactly.
//!
//! Both sides and their sessions run on one thread, so that runs repeat. What the two application tasks
//! allocate is counted apart from what the sessions do. Messages up to [`Frame::INLINE`] bytes cost none
//! anywhere; a larger one at most one on the way out, which is the application's own when it makes the message
//! from a slice; on the way in one below 512 bytes, and none from there on, where it shares the buffer it was read into
//! as long as the application keeps none (`kept.rs`).
//! Buffers that carry many messages are allocated now and then: [`SLACK`] takes that for none.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;

use purezmq::{Context, Frame, Message, PullSocket, PushSocket, RepSocket, ReqSocket};
use tokio::runtime::{Builder, Runtime};

/// Messages that are sent before counting begins: buffers have reached their sizes by then.
const WARM_UP: u64 = 4_000;

/// Messages that are counted.
const MESSAGES: u64 = 20_000;

/// Allocations per message that are taken for none.
const SLACK: f64 = 0.02;

/// Allocations for each message.
#[derive(Debug)]
struct Cost {
    /// The sender's, or the requester's, calls.
    sender: f64,
    /// The receiver's, or the replier's, calls.
    receiver: f64,
    /// All else: the sessions.
    sessions: f64,
}

impl Cost {
    fn total(&self) -> f64 {
        self.sender + self.receiver + self.sessions
    }
}

#[test]
fn inline_messages_allocate_nothing() {
    for place in places("inline") {
        for size in [0, 1, 16, Frame::INLINE] {
            for make in [shared, fresh] {
                let cost = push_pull(&place, size, make);
                println!("push and pull, {size} B over {place}: {cost:?}");
                assert!(cost.total() <= SLACK, "{size} B over {place}: {cost:?}");
            }
        }
    }
}

#[test]
fn larger_messages_allocate_at_most_once_on_each_side() {
    for place in places("larger") {
        for size in [Frame::INLINE + 1, 64, 256, 511, 512, 1024, 4096, 16_384] {
            for (make, own) in [(shared as Make, 0.0), (fresh, 1.0)] {
                let cost = push_pull(&place, size, make);
                println!("push and pull, {size} B over {place}: {cost:?}");
                assert!(
                    cost.sender <= own + SLACK,
                    "{size} B over {place}: {cost:?}"
                );
                let copied = if size < 512 { 1.0 } else { 0.0 };
                assert!(
                    cost.receiver + cost.sessions <= copied + SLACK,
                    "{size} B over {place}: {cost:?}"
                );
            }
        }
    }
}

/// The buffer of a body that does not come in one piece grows as its bytes arrive, as far as they have
/// arrived: now and then in two steps, once in two hundred.
#[test]
fn a_body_that_comes_in_pieces_has_a_buffer_of_its_own() {
    let cost = push_pull("tcp://127.0.0.1:*", 65_536, shared);
    println!("push and pull, 65536 B over tcp: {cost:?}");
    assert!(cost.sender <= SLACK, "{cost:?}");
    assert!(cost.receiver + cost.sessions <= 1.0 + SLACK, "{cost:?}");
}

/// What a round trip costs today, as `docs/performance.md` has it: the envelopes of a request and its reply stay in wire form,
/// and the buffer that a lone message takes goes back and forth.
#[test]
fn a_round_trip_allocates_nothing() {
    for place in places("round-trips") {
        for size in [16, 1024] {
            let cost = request_reply(&place, size);
            println!("request and reply, {size} B over {place}: {cost:?}");
            assert!(cost.total() <= SLACK, "{size} B over {place}: {cost:?}");
        }
    }
}

fn places(name: &str) -> [String; 2] {
    ["tcp://127.0.0.1:*".into(), format!("inproc://{name}")]
}

type Make = fn(&Message) -> Message;

/// A message that the application made once and sends again.
fn shared(prototype: &Message) -> Message {
    prototype.clone()
}

/// A message from a slice, as most applications send it.
fn fresh(prototype: &Message) -> Message {
    Message::from(&prototype[0][..])
}

fn push_pull(place: &str, size: usize, make: Make) -> Cost {
    let runtime = runtime();
    let context = Context::new();
    let (mut push, mut pull) = runtime.block_on(async {
        let mut pull = PullSocket::builder()
            .context(&context)
            .build()
            .expect("options");
        let endpoint = pull.bind(place).await.expect("a free place");
        let mut push = PushSocket::builder()
            .context(&context)
            .build()
            .expect("options");
        push.connect(endpoint).expect("a valid endpoint");
        (push, pull)
    });
    let prototype = Message::from(vec![7; size]);
    steady(
        &runtime,
        async |count| {
            for _ in 0..count {
                push.send(make(&prototype)).await.expect("a peer");
            }
        },
        async |count| {
            for _ in 0..count {
                assert_eq!(pull.recv().await.expect("a message")[0].len(), size);
            }
        },
    )
}

fn request_reply(place: &str, size: usize) -> Cost {
    let runtime = runtime();
    let context = Context::new();
    let (mut req, mut rep) = runtime.block_on(async {
        let mut rep = RepSocket::builder()
            .context(&context)
            .build()
            .expect("options");
        let endpoint = rep.bind(place).await.expect("a free place");
        let mut req = ReqSocket::builder()
            .context(&context)
            .build()
            .expect("options");
        req.connect(endpoint).expect("a valid endpoint");
        (req, rep)
    });
    let prototype = Message::from(vec![7; size]);
    steady(
        &runtime,
        async |count| {
            for _ in 0..count {
                req.send(prototype.clone()).await.expect("its turn");
                assert_eq!(req.recv().await.expect("a reply")[0].len(), size);
            }
        },
        async |count| {
            for _ in 0..count {
                let request = rep.recv().await.expect("a request");
                rep.send(request).await.expect("its turn");
            }
        },
    )
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Runs both sides while the time stands still: a task whose calls are far apart yields more often, and its batches are
/// smaller, so that a busy machine would count more of them.
fn while_time_stands_still(runtime: &Runtime, sides: impl Future) {
    runtime.block_on(async {
        tokio::time::pause();
        sides.await;
        tokio::time::resume();
    });
}

/// Warms both sides up, then counts.
fn steady(
    runtime: &Runtime,
    mut sender: impl AsyncFnMut(u64),
    mut receiver: impl AsyncFnMut(u64),
) -> Cost {
    while_time_stands_still(runtime, async {
        tokio::join!(sender(WARM_UP), receiver(WARM_UP));
    });
    let (sent, received) = (Cell::new(0), Cell::new(0));
    let all = allocation_counter::measure(|| {
        while_time_stands_still(runtime, async {
            tokio::join!(
                counted(sender(MESSAGES), &sent),
                counted(receiver(MESSAGES), &received)
            );
        });
    });
    let sessions = all.count_total - sent.get() - received.get();
    let each = |count: u64| count as f64 / MESSAGES as f64;
    Cost {
        sender: each(sent.get()),
        receiver: each(received.get()),
        sessions: each(sessions),
    }
}

/// Adds up the allocations of all polls of `work`.
async fn counted(work: impl Future, count: &Cell<u64>) {
    let mut work = std::pin::pin!(work);
    poll_fn(|context| {
        let mut poll = Poll::Pending;
        let info = allocation_counter::measure(|| poll = work.as_mut().poll(context).map(drop));
        count.set(count.get() + info.count_total);
        poll
    })
    .await;
}
