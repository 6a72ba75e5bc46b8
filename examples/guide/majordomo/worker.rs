//! The worker's side.

use std::convert::Infallible;
use std::time::Duration;

use purezmq::{DealerSocket, Message};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

use super::{Error, LIVENESS, WorkerMessage, split_address};

/// Offers a service at a broker, and has each request answered by `handler`, in a task of its own. Heartbeats go on meanwhile.
/// Never returns without an error. Dropped, it answers no more.
///
/// # Errors
///
/// This is no endpoint, or `handler` panics.
pub async fn serve<F, A>(
    broker: &str,
    service: &str,
    heartbeat: Duration,
    handler: F,
) -> Result<Infallible, Error>
where
    F: Fn(Message) -> A,
    A: Future<Output = Message> + Send + 'static,
{
    let ready = || WorkerMessage::Ready(service.into());
    // Without linger: what a broker that has gone was still to hear is for no other one.
    let builder = DealerSocket::builder().linger(Duration::ZERO);
    let mut socket = builder.build()?;
    socket.connect(broker)?;
    socket.send(ready()).await?;

    let mut work = JoinSet::new();
    let mut heard = Instant::now();
    let mut beats = interval(heartbeat);
    loop {
        tokio::select! {
            message = socket.recv() => {
                let mut message = message?;
                heard = Instant::now();
                split_address(&mut message);
                match WorkerMessage::parse(message) {
                    Some(WorkerMessage::Request(client, body)) => {
                        let answer = handler(body);
                        work.spawn(async { WorkerMessage::Reply(client, answer.await) });
                    }
                    Some(WorkerMessage::Disconnect) => socket.send(ready()).await?,
                    _ => {}
                }
            }
            Some(reply) = work.join_next() => socket.send(reply?).await?,
            _ = beats.tick() => {
                if heard.elapsed() > heartbeat * LIVENESS {
                    socket.disconnect(broker)?;
                    socket.connect(broker)?;
                    socket.send(ready()).await?;
                    heard = Instant::now();
                }
                socket.send(WorkerMessage::Heartbeat).await?;
            }
        }
    }
}
