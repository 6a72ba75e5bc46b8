//! The main job in a few seconds: request-reply, publish-subscribe and a pipeline, over TCP and over
//! a Unix socket; then a peer in a process of its own that is killed and started again. Type:
//!
//!     cargo run --example quickstart

use std::error::Error;
use std::process::Stdio;
use std::time::{Duration, Instant};

use purezmq::{
    Endpoint, Monitor, MonitorEventKind, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket,
    SubSocket,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    // This program starts itself again as the peer that gets killed.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [task, answers_at, news_at] = &arguments[..]
        && task == "peer"
    {
        return peer(answers_at, news_at).await;
    }

    let started = Instant::now();
    for (transport, wildcard) in [("TCP", "tcp://127.0.0.1:*"), ("a Unix socket", "ipc://*")] {
        println!("Over {transport}:");
        request_reply(wildcard).await?;
        publish_subscribe(wildcard).await?;
        pipeline(wildcard).await?;
    }
    killed_and_restarted().await?;
    println!("All done in {:.1} s.", started.elapsed().as_secs_f64());
    Ok(())
}

/// A server that answers in capitals, and a client that asks it.
async fn request_reply(wildcard: &str) -> Outcome<()> {
    async fn serve(mut server: RepSocket) -> Outcome<()> {
        loop {
            let request = server.recv().await?;
            server.send(request.as_str()?.to_uppercase()).await?;
        }
    }

    let mut server = RepSocket::new();
    let endpoint = server.bind(wildcard).await?;
    let serving = tokio::spawn(serve(server));
    let mut client = ReqSocket::new();
    client.connect(&endpoint)?;
    for request in ["hello", "how are you?"] {
        client.send(request).await?;
        let reply = client.recv().await?;
        println!("  request-reply      {request:?} -> {:?}", reply.as_str()?);
    }
    serving.abort();
    Ok(())
}

/// A publisher, and two subscribers that each want something else.
async fn publish_subscribe(wildcard: &str) -> Outcome<()> {
    // A publisher does not wait for subscribers. Those below join between two rounds of news.
    async fn publish(mut publisher: PubSocket) -> Outcome<()> {
        loop {
            for item in ["weather.sea calm", "sports a draw", "weather.land sunny"] {
                publisher.send(item).await?;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    let mut publisher = PubSocket::new();
    let endpoint = publisher.bind(wildcard).await?;
    let publishing = tokio::spawn(publish(publisher));
    for topics in [&["weather"][..], &["sports", "weather.sea"]] {
        let mut subscriber = SubSocket::new();
        for topic in topics {
            subscriber.subscribe(topic);
        }
        subscriber.connect(&endpoint)?;
        let (one, two) = (subscriber.recv().await?, subscriber.recv().await?);
        println!(
            "  publish-subscribe  {topics:?} hears {:?}, {:?}",
            one.as_str()?,
            two.as_str()?
        );
    }
    publishing.abort();
    Ok(())
}

/// Work for three workers, whose results come together again.
async fn pipeline(wildcard: &str) -> Outcome<()> {
    const WORKERS: usize = 3;
    const TASKS: u64 = 3_000;

    async fn work(name: usize, mut tasks: PullSocket, mut results: PushSocket) -> Outcome<()> {
        results.send("ready").await?;
        loop {
            let task: u64 = tasks.recv().await?.as_str()?.parse()?;
            results
                .send([name.to_string(), task.pow(2).to_string()])
                .await?;
        }
    }

    let (mut ventilator, mut sink) = (PushSocket::new(), PullSocket::new());
    let tasks_at = ventilator.bind(wildcard).await?;
    let results_at = sink.bind(wildcard).await?;
    let mut workers = Vec::new();
    for name in 0..WORKERS {
        let (mut tasks, mut results) = (PullSocket::new(), PushSocket::new());
        tasks.connect(&tasks_at)?;
        results.connect(&results_at)?;
        workers.push(tokio::spawn(work(name, tasks, results)));
    }
    for _ in 0..WORKERS {
        sink.recv().await?;
    }

    let ventilating = tokio::spawn(async move {
        for task in 1..=TASKS {
            ventilator.send(task.to_string()).await?;
        }
        Outcome::Ok(ventilator)
    });
    let (mut sum, mut shares) = (0, [0; WORKERS]);
    for _ in 0..TASKS {
        let result = sink.recv().await?;
        let frames: Vec<&str> = result
            .iter()
            .map(std::str::from_utf8)
            .collect::<Result<_, _>>()?;
        shares[frames[0].parse::<usize>()?] += 1;
        sum += frames[1].parse::<u64>()?;
    }
    ventilating.await??;
    println!("  pipeline           1² + ... + {TASKS}² = {sum}, by three workers: {shares:?}");
    for worker in workers {
        worker.abort();
    }
    Ok(())
}

/// A peer in another process dies without a word and is started again at the same endpoints. The
/// sockets here stay what they are: no code of theirs deals with it.
async fn killed_and_restarted() -> Outcome<()> {
    println!("A peer is killed and started again:");
    let (mut child, answers_at, news_at) = start_peer("tcp://127.0.0.1:*", "ipc://*").await?;
    let mut client = ReqSocket::new();
    let mut connection = client.monitor();
    client.connect(&answers_at)?;
    let mut subscriber = SubSocket::new();
    subscriber.subscribe("news");
    subscriber.connect(&news_at)?;

    for incarnation in 1..=3 {
        client.send("who are you?").await?;
        let reply = client.recv().await?;
        // News of a peer that is dead by now may still be waiting.
        let news = loop {
            let news = subscriber.recv().await?;
            if news.as_str()?.ends_with(reply.as_str()?) {
                break news;
            }
        };
        println!(
            "  peer {incarnation}             answers {:?}, publishes {:?}",
            reply.as_str()?,
            news.as_str()?
        );
        if incarnation < 3 {
            child.kill().await?; // SIGKILL
            disconnected(&mut connection).await;
            println!("  killed             the connection is lost");
            child = start_peer(&answers_at.to_string(), &news_at.to_string())
                .await?
                .0;
        }
    }
    child.kill().await?;
    Ok(())
}

async fn disconnected(connection: &mut Monitor) {
    while let Some(event) = connection.recv().await {
        if matches!(event.kind, MonitorEventKind::Disconnected(_)) {
            return;
        }
    }
}

/// Starts this program as the peer; returns it with the endpoints that it says it is bound to.
async fn start_peer(answers_at: &str, news_at: &str) -> Outcome<(Child, Endpoint, Endpoint)> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["peer", answers_at, news_at])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no standard output")?).lines();
    let mut endpoint = async || -> Outcome<Endpoint> {
        Ok(lines
            .next_line()
            .await?
            .ok_or("the peer has ended")?
            .parse()?)
    };
    Ok((child, endpoint().await?, endpoint().await?))
}

/// The other process: answers requests and publishes news, until it is killed.
async fn peer(answers_at: &str, news_at: &str) -> Outcome<()> {
    let name = format!("process {}", std::process::id());
    let (mut answers, mut news) = (RepSocket::new(), PubSocket::new());
    println!("{}", answers.bind(answers_at).await?);
    println!("{}", news.bind(news_at).await?);
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    // Nobody is left behind should the first process be stopped: then this input ends.
    let mut input = tokio::io::stdin();
    let mut byte = [0];
    let mut first_process_gone = std::pin::pin!(input.read(&mut byte));
    loop {
        tokio::select! {
            request = answers.recv() => {
                request?;
                answers.send(name.as_str()).await?;
            }
            _ = tick.tick() => news.send(format!("news from {name}")).await?,
            _ = &mut first_process_gone => return Ok(()),
        }
    }
}
