//! Many requests under way: by a `Requester`, and by a DEALER that does the same by hand; and a ROUTER that answers both.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use purezmq::{DealerSocket, Message, Requester, RouterSocket};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::source::Source;
use super::{attach, receives, sends, stay};
use crate::Failure;
use crate::args::Args;
use crate::control::Control;
use crate::meter::Throughput;
use crate::report::ready;

fn dealer(args: &Args) -> Result<DealerSocket, Failure> {
    let builder = sends(DealerSocket::builder(), args, None);
    Ok(receives(builder, args, None).build()?)
}

/// As many tasks as peers were asked for, each with one request under way.
pub(super) async fn by_requester(args: Arc<Args>) -> Result<(), Failure> {
    let mut dealer = dealer(&args)?;
    attach!(dealer, args);
    // Nor does the DEALER look at the clock.
    let builder = Requester::builder().timeout(None);
    let requester = builder.max_under_way(args.peers).build(dealer)?;
    let begun = Arc::new(AtomicU64::new(0));
    let meter = Arc::new(Mutex::new(Throughput::new(&args)));
    let mut tasks = JoinSet::new();
    for _ in 0..args.peers {
        let (requester, begun, meter) = (requester.clone(), begun.clone(), meter.clone());
        let (source, total) = (Source::new(&args), args.total());
        tasks.spawn(async move {
            while begun.fetch_add(1, Ordering::Relaxed) < total {
                let answer = requester.request(source.next()).await?;
                meter.lock().await.count(&answer)?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    meter.lock().await.report(&args);
    Ok(())
}

/// One task, and as many requests under way as peers were asked for. Each has a number, as a requester's.
pub(super) async fn by_hand(args: &Args) -> Result<(), Failure> {
    let mut dealer = dealer(args)?;
    attach!(dealer, args);
    let source = Source::new(args);
    let mut meter = Throughput::new(args);
    let mut begun = 0;
    let request = |begun: u64| {
        let mut request = source.next();
        request.push_front("");
        request.push_front(&(begun as u32).to_ne_bytes()[..]);
        request
    };
    while begun < args.total().min(args.peers as u64) {
        dealer.send(request(begun)).await?;
        begun += 1;
    }
    loop {
        let mut answer: Message = dealer.recv().await?;
        answer.pop_front();
        answer.pop_front();
        if meter.count(&answer)? {
            meter.report(args);
            return Ok(());
        }
        if begun < args.total() {
            dealer.send(request(begun)).await?;
            begun += 1;
        }
    }
}

/// Sends back what it gets.
pub(super) async fn answer(args: &Args, mut control: Control) -> Result<(), Failure> {
    let builder = sends(RouterSocket::builder(), args, None);
    let mut router = receives(builder, args, None).build()?;
    attach!(router, args);
    ready();
    for _ in 0..args.total() {
        let request = router.recv_message().await?;
        router.send(request).await?;
    }
    stay!(router, control);
    Ok(())
}
