//! Round trips at a fixed rate. Requests are sent when they are due, whether earlier ones are answered or not, and a time
//! counts from when its request was due: so a stall shows in the times of all that should have happened meanwhile
//! (coordinated omission is what hides it).

use std::time::{Duration, Instant};

use purezmq::{Context, DealerSocket, Message, RecvError, SendError};

use super::RoundTrip;
use super::echoed::{check, echo_at, request};
use super::ends::{beside, failed, joined, payload};
use super::meter::Timer;
use crate::failure::Failure;

/// A timer of the runtime is as exact as this. What is due sooner is waited for by looking at the clock.
const EXACT: Duration = Duration::from_millis(2);

/// Asks so many times, and times the answers, which come in the order of the requests.
pub(super) async fn ask(
    args: &RoundTrip,
    context: Context,
    rate: f64,
    total: u64,
    mut timer: Timer,
) -> Result<Timer, Failure> {
    let mut dealer = DealerSocket::builder()
        .context(&context)
        .build()
        .map_err(failed)?;
    let answerer = match &args.connect {
        Some(echo) => {
            dealer.connect(echo).map_err(failed)?;
            None
        }
        None => {
            let endpoint = args.load.transport.endpoint();
            let endpoint = dealer.bind(endpoint).await.map_err(failed)?;
            Some(beside(move || echo_at(context, endpoint, total + 1)))
        }
    };
    let size = args.load.size;
    let stamped = |number: u64| {
        let mut payload = vec![b'x'; size];
        for (to, from) in payload.iter_mut().zip(number.to_be_bytes()) {
            *to = from;
        }
        request(Message::from(payload))
    };
    // The connection is there before the clock starts.
    dealer.send(request(payload(size))).await.map_err(failed)?;
    dealer.recv().await.map_err(failed)?;

    let started = Instant::now();
    let due = |number: u64| started + Duration::from_secs_f64(number as f64 / rate);
    let mut answered = 0_u64;
    let mut answer = |answer: Message| {
        check(&answer, size)?;
        let now = Instant::now();
        let stamp = &answered.to_be_bytes()[..size.min(8)];
        if !answer.last().is_some_and(|last| last.starts_with(stamp)) {
            return Err(Failure::Failed(format!(
                "answer {answered} did not come, or not in its turn"
            )));
        }
        answered += 1;
        Ok(timer.count(now.saturating_duration_since(due(answered - 1)), now))
    };
    let mut sent = 0;
    'all: loop {
        while sent < total && due(sent) <= Instant::now() {
            match dealer.try_send(stamped(sent)) {
                Ok(()) => sent += 1,
                // Still due: the time that it waits here counts.
                Err(SendError::Full(_)) => break,
                Err(error) => return Err(failed(error)),
            }
        }
        loop {
            match dealer.try_recv() {
                Ok(message) => {
                    if answer(message)? {
                        break 'all;
                    }
                }
                Err(RecvError::Empty) => break,
                Err(error) => return Err(failed(error)),
            }
        }
        let left = due(sent).saturating_duration_since(Instant::now());
        if sent == total {
            if answer(dealer.recv().await.map_err(failed)?)? {
                break;
            }
        } else if left > EXACT {
            tokio::select! {
                message = dealer.recv() => if answer(message.map_err(failed)?)? { break },
                () = tokio::time::sleep(left - EXACT) => {}
            }
        } else {
            tokio::task::yield_now().await;
        }
    }
    answerer.map(joined).transpose()?;
    Ok(timer)
}
