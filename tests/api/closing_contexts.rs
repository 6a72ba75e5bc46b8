//! A context that closes under way: under traffic, and while its sockets begin and end.

use std::time::Duration;

use common::place::{Place, Transport};
use common::{until, within};
use purezmq::{AnySocket, Context, DealerSocket, PullSocket, PushSocket, SendError};

const LIMIT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(60);

/// Under traffic, from a worker of the runtime: whatever has been accepted has arrived, or is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_silently_when_a_context_closes_under_traffic() {
    for transport in [Transport::Tcp4, Transport::Ipc] {
        let place = Place::any(transport);
        let mut pull = PullSocket::new();
        let bound = pull.bind(place.endpoint.as_str()).await.expect("bind");
        let context = Context::new();
        let senders: Vec<_> = (0..4)
            .map(|_| {
                let push = PushSocket::builder().context(&context).build();
                let mut push = push.expect("options");
                push.connect(&bound).expect("connect");
                tokio::spawn(async move {
                    for accepted in 0.. {
                        match push.send("traffic").await {
                            Ok(()) => {}
                            Err(SendError::ContextClosed(_)) => return accepted,
                            Err(other) => panic!("{other:?}"),
                        }
                    }
                    unreachable!()
                })
            })
            .collect();
        for _ in 0..1000 {
            within("traffic", pull.recv()).await.expect("recv");
        }
        let mut received = 1000;
        let mut closing = tokio::spawn(async move { context.close(LONG).await });
        let report = loop {
            tokio::select! {
                biased;
                report = &mut closing => break report.expect("no panic"),
                message = within("traffic", pull.recv()) => drop(message.expect("recv")),
            }
            received += 1;
        };
        // What is in flight ends with its connections.
        let rest = async {
            loop {
                let stats = pull.stats();
                let is_over = stats.peers.is_empty() && stats.queued_to_receive == 0;
                match pull.try_recv() {
                    Ok(_) => received += 1,
                    Err(_) if is_over => return,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        within("the rest", rest).await;
        let mut accepted = 0;
        for sender in senders {
            accepted += within("a sender", sender).await.expect("no panic");
        }
        assert_eq!(accepted, received + report.unsent);
    }
}

/// Whatever a socket is at when the context closes: being made, bound, connected, divided, dropped. Nothing hangs, and no
/// task is left, though sockets are held.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_that_begin_while_the_context_closes_end() {
    let metrics = tokio::runtime::Handle::current().metrics();
    for round in 0..40 {
        let context = Context::new();
        let peers: Vec<_> = (0..3)
            .map(|number| {
                let context = context.clone();
                tokio::spawn(async move {
                    let mut held = Vec::new();
                    loop {
                        match one_life(&context, number, &mut held).await {
                            Ok(()) => tokio::task::yield_now().await,
                            Err(what) => return (what, held),
                        }
                    }
                })
            })
            .collect();
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        within("close", context.close(LIMIT)).await;
        let mut all = Vec::new();
        for peer in peers {
            all.push(within("a peer", peer).await.expect("no panic"));
        }
        until("all tasks", || metrics.num_alive_tasks() == 0).await;
        drop(all);
    }
}

/// Uses sockets in all ways, and keeps them. `Err`: the context is closed.
async fn one_life(
    context: &Context,
    number: usize,
    held: &mut Vec<AnySocket>,
) -> Result<(), String> {
    let is_closed = |error: &dyn std::error::Error| {
        let text = error.to_string();
        assert!(text.contains("context is closed"), "{text}");
        text
    };
    let pull = PullSocket::builder().context(context).build();
    let mut pull = pull.map_err(|error| is_closed(&error))?;
    let bound = pull.bind("tcp://127.0.0.1:*").await;
    let bound = bound.map_err(|error| is_closed(&error))?;
    let dealer = DealerSocket::builder().context(context).build();
    let mut dealer = dealer.map_err(|error| is_closed(&error))?;
    let push = PushSocket::builder().context(context).build();
    let mut push = push.map_err(|error| is_closed(&error))?;
    let connected = push.connect(&bound);
    connected.map_err(|error| is_closed(&error))?;
    let connected = dealer.connect(format!("inproc://{number}").as_str());
    connected.map_err(|error| is_closed(&error))?;
    let (mut sender, receiver) = dealer.split();
    let sent = sender.try_send("x");
    sent.map_err(|error| is_closed(&error))?;
    let sent = push.send("x").await;
    sent.map_err(|error| is_closed(&error))?;
    let received = pull.recv().await;
    received.map_err(|error| is_closed(&error))?;
    held.extend([pull.into(), push.into(), receiver.into()]);
    held.truncate(20);
    Ok(())
}
