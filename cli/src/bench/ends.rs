//! The ends of a run: plain loops over one socket, of the same shape as those of `bench-peer`. Without another peer, the
//! other end is a thread of this process, with a runtime of its own.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use purezmq::{
    Context, Message, PubSocket, PullSocket, PushSocket, RecvError, RepSocket, ReqSocket,
    SendError, SubSocket,
};
use tokio::task::JoinSet;

use super::meter::{Meter, Timer, check};
use super::result::Measured;
use super::watch::{Progress, Watch};
use super::{FanOut, RoundTrip, Source, Throughput, echoed, paced};
use crate::block_on;
use crate::failure::Failure;

/// How often it is asked whether all subscribers are there.
const ASKED: Duration = Duration::from_millis(1);

/// Makes the same message again and again: a clone counts a reference, and copies nothing that is not within the message.
pub(super) fn payload(size: usize) -> Message {
    Message::from(vec![b'x'; size])
}

pub(super) fn failed(error: impl std::error::Error) -> Failure {
    Failure::Failed(error.to_string())
}

/// Of the calls in the loops: a `?` costs the good case nothing.
impl From<RecvError> for Failure {
    #[cold]
    fn from(error: RecvError) -> Self {
        failed(error)
    }
}

impl From<SendError> for Failure {
    #[cold]
    fn from(error: SendError) -> Self {
        failed(error)
    }
}

/// Runs the other end in a thread of its own.
pub(super) fn beside<F>(end: impl FnOnce() -> F + Send + 'static) -> JoinHandle<Result<(), Failure>>
where
    F: Future<Output = Result<(), Failure>>,
{
    thread::spawn(move || {
        block_on(end()).inspect_err(|failure| {
            // Whoever measures would wait for what does not come.
            failure.report();
            std::process::exit(failure.code().into());
        })
    })
}

pub(super) fn joined(thread: JoinHandle<Result<(), Failure>>) -> Result<(), Failure> {
    match thread.join() {
        Ok(ended) => ended,
        Err(panicked) => std::panic::resume_unwind(panicked),
    }
}

// ---- throughput

pub(super) fn throughput(args: &Throughput) -> Result<Measured, Failure> {
    let (count, size) = (args.count, args.load.size);
    let warmup = args.load.warmup(count);
    let mut run = args.run();
    let progress = Progress::new(1);
    let watch = |missing| Watch::begin(&progress, warmup + count, args.output.timeout, missing);
    if let Some(echo) = &args.connect {
        run.peer = format!("echo at {echo}");
        let watch = watch("is there an echo?");
        let meter = Meter::new(size, warmup, count, &progress, 0);
        let meter = block_on(echoed::throughput(args, meter, warmup))?;
        drop(watch);
        return Ok(run.counted(vec![meter.readings()?]));
    }
    block_on(async {
        let context = Context::new();
        let mut pull = PullSocket::builder()
            .context(&context)
            .build()
            .map_err(failed)?;
        let endpoint = args
            .bind
            .as_deref()
            .unwrap_or(args.load.transport.endpoint());
        let endpoint = pull.bind(endpoint).await.map_err(failed)?;
        let meter = Meter::new(size, warmup, count, &progress, 0);
        let (meter, sender) = if args.bind.is_some() {
            crate::say(format_args!("waiting at {endpoint}"));
            run.peer = format!("whoever pushes to {endpoint}");
            // Somebody has to start the other end first: patience begins with what comes.
            let first = pull.recv().await.map_err(failed)?;
            let _watch = watch("the sender has stopped");
            (pull_all(&mut pull, meter, Some(first)).await?, None)
        } else {
            run.peer = format!("itself by {}", args.load.transport.name());
            let _watch = watch("the sender has stopped");
            let sender = beside(move || async move {
                let mut push = PushSocket::builder()
                    .context(&context)
                    .build()
                    .map_err(failed)?;
                push.connect(&endpoint).map_err(failed)?;
                push_all(&mut push, size, warmup + count).await?;
                push.close().await;
                Ok(())
            });
            (pull_all(&mut pull, meter, None).await?, Some(sender))
        };
        sender.map(joined).transpose()?;
        Ok(run.counted(vec![meter.readings()?]))
    })
}

/// Pushes messages to whoever counts them, as `throughput --bind` does.
pub(super) fn source(args: &Source) -> Result<(), Failure> {
    block_on(async {
        let mut push = PushSocket::new();
        push.connect(&args.connect).map_err(failed)?;
        let total = args.load.warmup(args.count) + args.count;
        push_all(&mut push, args.load.size, total).await?;
        push.close().await;
        Ok(())
    })
}

async fn push_all(push: &mut PushSocket, size: usize, total: u64) -> Result<(), Failure> {
    let payload = payload(size);
    for _ in 0..total {
        push.send(payload.clone()).await?;
    }
    Ok(())
}

async fn pull_all(
    pull: &mut PullSocket,
    mut meter: Meter,
    first: Option<Message>,
) -> Result<Meter, Failure> {
    if let Some(first) = first
        && meter.count(&first)
    {
        return Ok(meter);
    }
    loop {
        let message = pull.recv().await?;
        if meter.count(&message) {
            return Ok(meter);
        }
    }
}

// ---- round trips

pub(super) fn round_trip(args: &RoundTrip) -> Result<Measured, Failure> {
    let count = args.count;
    let warmup = args.load.warmup(count);
    let mut run = args.run();
    run.peer = match &args.connect {
        Some(echo) => format!("echo at {echo}"),
        None => format!("itself by {}", args.load.transport.name()),
    };
    let progress = Progress::new(1);
    let timer = Timer::new(warmup, count, &progress);
    let _watch = Watch::begin(
        &progress,
        warmup + count,
        args.output.timeout,
        "is there an echo?",
    );
    let context = Context::new();
    let timer = match args.rate {
        Some(rate) => block_on(paced::ask(args, context, rate, warmup + count, timer))?,
        None => block_on(ask(args, context, timer, warmup + count))?,
    };
    let time = timer.time();
    Ok(run.timed(time, &timer.times))
}

async fn ask(
    args: &RoundTrip,
    context: Context,
    mut timer: Timer,
    total: u64,
) -> Result<Timer, Failure> {
    let size = args.load.size;
    let mut request = ReqSocket::builder()
        .context(&context)
        .build()
        .map_err(failed)?;
    let answerer = match &args.connect {
        Some(echo) => {
            request.connect(echo).map_err(failed)?;
            None
        }
        None => {
            let endpoint = args.load.transport.endpoint();
            let endpoint = request.bind(endpoint).await.map_err(failed)?;
            Some(beside(move || async move {
                let mut reply = RepSocket::builder()
                    .context(&context)
                    .build()
                    .map_err(failed)?;
                reply.connect(&endpoint).map_err(failed)?;
                answer_all(reply, total).await
            }))
        }
    };
    let payload = payload(size);
    let mut began = Instant::now();
    loop {
        request.send(payload.clone()).await?;
        let reply = request.recv().await?;
        let now = Instant::now();
        check(&reply, size)?;
        if timer.count(now - began, now) {
            break;
        }
        began = now;
    }
    answerer.map(joined).transpose()?;
    Ok(timer)
}

async fn answer_all(mut reply: RepSocket, total: u64) -> Result<(), Failure> {
    for _ in 0..total {
        let request = reply.recv().await?;
        reply.send(request).await?;
    }
    reply.close().await;
    Ok(())
}

// ---- fan-out

pub(super) fn fan_out(args: &FanOut) -> Result<Measured, Failure> {
    let (count, size, subscribers) = (args.count, args.load.size, args.subscribers);
    let warmup = args.load.warmup(count);
    let mut run = args.run();
    let progress = Progress::new(subscribers);
    let total = (warmup + count).saturating_mul(subscribers as u64);
    let missing = match args.connect {
        Some(_) => "is there a publisher?",
        None => "the publisher has stopped",
    };
    let watch = Watch::begin(&progress, total, args.output.timeout, missing);
    let readings = block_on(async {
        let context = Context::new();
        let (endpoint, publisher) = match &args.connect {
            Some(endpoint) => {
                run.peer = format!("publisher at {endpoint}");
                (endpoint.parse().map_err(failed)?, None)
            }
            None => {
                run.peer = format!("itself by {}", args.load.transport.name());
                let (bound, endpoint) = tokio::sync::oneshot::channel();
                let at = args.load.transport.endpoint();
                let context = context.clone();
                let publisher = beside(move || async move {
                    // A publisher drops what a full pipe does not take, and nothing but deliveries counts here.
                    let publisher = PubSocket::builder().context(&context).send_hwm(0);
                    let mut publisher = publisher.build().map_err(failed)?;
                    let _ = bound.send(publisher.bind(at).await.map_err(failed)?);
                    publish_all(publisher, subscribers, size, warmup + count).await
                });
                let endpoint = endpoint.await;
                (
                    endpoint.expect("whoever could not bind has ended all"),
                    Some(publisher),
                )
            }
        };
        let mut tasks = JoinSet::new();
        for number in 0..subscribers {
            let mut subscriber = SubSocket::builder()
                .context(&context)
                .recv_hwm(0)
                .build()
                .map_err(failed)?;
            subscriber.subscribe("");
            subscriber.connect(&endpoint).map_err(failed)?;
            let meter = Meter::new(size, warmup, count, &progress, number);
            tasks.spawn(listen(subscriber, meter, publisher.is_some()));
        }
        let mut readings = vec![];
        while let Some(ended) = tasks.join_next().await {
            let meter = ended.map_err(failed)??;
            readings.push(meter.readings()?);
        }
        publisher.map(joined).transpose()?;
        Ok(readings)
    })?;
    drop(watch);
    Ok(run.counted(readings))
}

async fn publish_all(
    mut publisher: PubSocket,
    subscribers: usize,
    size: usize,
    total: u64,
) -> Result<(), Failure> {
    while publisher.subscriber_count() < subscribers {
        tokio::time::sleep(ASKED).await;
    }
    let payload = payload(size);
    for _ in 0..total {
        publisher.send(payload.clone()).await?;
    }
    publisher.close().await;
    Ok(())
}

/// Counts what is published, of one's own messages or of anybody's.
async fn listen(
    mut subscriber: SubSocket,
    mut meter: Meter,
    is_own: bool,
) -> Result<Meter, Failure> {
    loop {
        let message = subscriber.recv().await?;
        let is_last = if is_own {
            meter.count(&message)
        } else {
            meter.count_any()
        };
        if is_last {
            return Ok(meter);
        }
    }
}
