//! An echo, and messages that go to one and come back.

use purezmq::{Context, DealerSocket, Endpoint, Message, RouterSocket};

use super::ends::{failed, payload};
use super::meter::{Meter, wrong};
use super::{Echo, Throughput};
use crate::block_on;
use crate::failure::Failure;
use crate::interrupt::Interrupt;

/// Sends back what comes, to whoever it came from, until there was enough or a signal comes.
pub(super) fn echo(args: &Echo) -> Result<(), Failure> {
    block_on(async {
        // What does not fit waits: an answer that is dropped is a round trip without an end.
        let mut router = RouterSocket::builder()
            .mandatory(true)
            .build()
            .map_err(failed)?;
        let mut interrupt = Interrupt::listen()?;
        let endpoint = router.bind(&args.bind).await.map_err(failed)?;
        crate::say(format_args!("echo at {endpoint}"));
        let ended = tokio::select! {
            ended = echo_all(&mut router, args.count.unwrap_or(u64::MAX)) => ended,
            signal = interrupt.next() => Err(signal),
        };
        router.close().await;
        ended
    })
}

/// Connects to whoever asks, and sends back so many messages.
pub(super) async fn echo_at(
    context: Context,
    endpoint: Endpoint,
    count: u64,
) -> Result<(), Failure> {
    let router = RouterSocket::builder().context(&context).mandatory(true);
    let mut router = router.build().map_err(failed)?;
    router.connect(&endpoint).map_err(failed)?;
    echo_all(&mut router, count).await?;
    router.close().await;
    Ok(())
}

async fn echo_all(router: &mut RouterSocket, count: u64) -> Result<(), Failure> {
    for _ in 0..count {
        let event = router.recv().await.map_err(failed)?;
        if let Some(routed) = event.into_message() {
            // Whoever asked may have gone.
            let _ = router.send(routed).await;
        }
    }
    Ok(())
}

/// A request as a REP takes it, too: behind an empty frame.
pub(super) fn request(payload: Message) -> Message {
    let mut request = payload;
    request.push_front(Vec::new());
    request
}

/// Checks that an answer is as long as its request.
#[inline(always)]
pub(super) fn check(answer: &Message, size: usize) -> Result<(), Failure> {
    if answer.len() == 2 && answer.byte_len() == size {
        return Ok(());
    }
    Err(wrong(answer, size))
}

/// Keeps a number of messages under way, by a DEALER: as many are sent as have come back.
pub(super) async fn throughput(
    args: &Throughput,
    mut meter: Meter,
    warmup: u64,
) -> Result<Meter, Failure> {
    let context = Context::new();
    let mut dealer = DealerSocket::builder()
        .context(&context)
        .build()
        .map_err(failed)?;
    let echo = args.connect.as_deref().unwrap_or_default();
    dealer.connect(echo).map_err(failed)?;
    let request = request(payload(args.load.size));
    let mut unsent = warmup + args.count;
    let mut room = args.window;
    let mut answers = Vec::new();
    loop {
        let now = room.min(usize::try_from(unsent).unwrap_or(usize::MAX));
        for _ in 0..now {
            dealer.send(request.clone()).await.map_err(failed)?;
        }
        unsent -= now as u64;
        room = dealer
            .recv_many(&mut answers, args.window)
            .await
            .map_err(failed)?;
        for answer in answers.drain(..) {
            check(&answer, args.load.size)?;
            if meter.count_any() {
                return Ok(meter);
            }
        }
    }
}
