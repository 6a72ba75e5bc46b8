//! Many tasks ask by one socket, and each gets its own answer, in whatever order they come. A server that answers the last
//! question first is in this program. Type:
//!
//!     cargo run --example requester
//!
//! Another server can be asked: give its endpoint. Any REP will do, or a ROUTER that sends the envelope back.

use std::error::Error;
use std::time::Duration;

use purezmq::{DealerSocket, Requester, RouterSocket};
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let requester = Requester::builder()
        .timeout(Duration::from_secs(2))
        .retries(3)
        .build(DealerSocket::new())?;
    match std::env::args().nth(1) {
        Some(server) => requester.connect(server)?,
        None => {
            let mut router = RouterSocket::new();
            requester.connect(router.bind("tcp://127.0.0.1:*").await?)?;
            tokio::spawn(serve(router));
        }
    }

    let mut tasks = JoinSet::new();
    for number in 1..=10 {
        let requester = requester.clone();
        tasks.spawn(async move {
            let answer = requester.request(format!("Hello {number}")).await?;
            println!("Hello {number}: {}", answer.as_str()?);
            Ok::<_, Box<dyn Error + Send + Sync>>(())
        });
    }
    while let Some(asked) = tasks.join_next().await {
        asked??;
    }
    let report = requester.drain(Duration::from_secs(1)).await;
    println!(
        "{} answered, {} unanswered",
        requester.statistics().answered,
        report.unanswered
    );
    Ok(())
}

/// Answers as many questions as are there, the last one first.
async fn serve(mut router: RouterSocket) -> Result<(), Box<dyn Error + Send + Sync>> {
    loop {
        let mut requests = vec![router.recv_message().await?];
        while let Ok(request) = router.try_recv_message() {
            requests.push(request);
        }
        for request in requests.iter().rev() {
            let question = request.body().next().unwrap_or_default();
            let answer = format!("{} to you, too", String::from_utf8_lossy(question));
            router.send(request.respond(answer)).await?;
        }
    }
}
