//! What the sockets do: each scenario goes on for ever, and is dropped wherever it is when the run is over.
//!
//! All of them are paced, so that an hour of it costs a fraction of a core: a step, then a pause of random length.

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use purezmq::security::{KeyPair, Security};
use purezmq::{
    DealerSocket, Endpoint, PairSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket,
    RouterSocket, SubSocket, XPubSocket, XSubSocket, proxy,
};
use purezmq_endurance::Failure;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const ANY_PORT: &str = "tcp://127.0.0.1:*";
/// What is still unsent when a socket goes may be lost after this.
const LINGER: Duration = Duration::from_millis(100);
/// Longer than any answer takes that comes at all.
const PATIENCE: Duration = Duration::from_secs(10);

type Work = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// One of them.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) run: fn(Progress) -> Work,
}

macro_rules! scenarios {
    ($($name:literal => $run:ident,)+) => {
        pub(crate) const SCENARIOS: &[Scenario] = &[
            $(Scenario { name: $name, run: |progress| Box::pin($run(progress)) },)+
        ];
    };
}

scenarios! {
    "pipeline over tcp" => pipeline_over_tcp,
    "pipeline over ipc" => pipeline_over_ipc,
    "pipeline over inproc" => pipeline_over_inproc,
    "pipeline with CURVE" => curve,
    "slow reader" => slow_reader,
    "publish" => publish,
    "proxied publications" => proxied,
    "requests" => requests,
    "dealer and router" => dealer_and_router,
    "pairs" => pairs,
    "restarts" => restarts,
    "cancelled calls" => cancelled,
    "peers without manners" => rude_peers,
    "every type in each role" => every_role,
}

mod roles;
mod rude;

use self::roles::every_role;
use self::rude::rude_peers;

/// What a scenario reports to: a count of messages received.
#[derive(Clone)]
pub(crate) struct Progress {
    messages: Arc<AtomicU64>,
    pause: f64,
}

impl Progress {
    pub(crate) fn new(messages: Arc<AtomicU64>, pause: f64) -> Self {
        Progress { messages, pause }
    }

    fn count(&self, messages: u64) {
        self.messages.fetch_add(messages, Ordering::Relaxed);
    }

    /// Waits for so many milliseconds, at random.
    async fn pause(&self, range: Range<u64>) {
        sleep(Duration::from_millis(random(range)).mul_f64(self.pause)).await;
    }
}

fn random(range: Range<u64>) -> u64 {
    rand::random_range(range)
}

/// Sizes on both sides of every bound between ways to store a payload.
fn payload() -> Vec<u8> {
    const SIZES: [usize; 8] = [0, 16, 39, 40, 300, 2_000, 4_096, 50_000];
    vec![7; SIZES[random(0..SIZES.len() as u64) as usize]]
}

/// A socket with a short linger, and more options after that.
macro_rules! open {
    ($socket:ident $(, $option:ident = $value:expr)*) => {
        $socket::builder().linger(Some(LINGER)) $(.$option($value))* .build()?
    };
}

/// Binds a PULL, and has PUSH sockets come, send, and go: closed in good order, or dropped.
async fn pipeline(endpoint: String, progress: Progress) -> Result<(), Failure> {
    let mut pull = open!(PullSocket);
    let endpoint = pull.bind(endpoint.as_str()).await?;
    let mut pushers: JoinSet<Result<(), Failure>> = JoinSet::new();
    for _ in 0..4 {
        let (endpoint, progress) = (endpoint.clone(), progress.clone());
        pushers.spawn(async move {
            loop {
                let mut push = open!(PushSocket);
                push.connect(&endpoint)?;
                for _ in 0..random(1..200) {
                    push.send(payload()).await?;
                }
                progress.pause(0..60).await;
                if random(0..2) == 0 {
                    push.close().await;
                }
                progress.pause(0..40).await;
            }
        });
    }
    let receive = async {
        loop {
            pull.recv().await?;
            progress.count(1);
        }
    };
    alongside(receive, pushers).await
}

/// Goes on until one of them fails.
async fn alongside(
    first: impl Future<Output = Result<(), Failure>>,
    mut others: JoinSet<Result<(), Failure>>,
) -> Result<(), Failure> {
    tokio::select! {
        ended = first => ended,
        Some(ended) = others.join_next() => ended?,
    }
}

async fn pipeline_over_tcp(progress: Progress) -> Result<(), Failure> {
    pipeline(ANY_PORT.to_owned(), progress).await
}

async fn pipeline_over_ipc(progress: Progress) -> Result<(), Failure> {
    pipeline("ipc://*".to_owned(), progress).await
}

async fn pipeline_over_inproc(progress: Progress) -> Result<(), Failure> {
    pipeline("inproc://soak pipeline".to_owned(), progress).await
}

/// Encrypted connections, each with a new pair of keys; now and then one that has the wrong key of the server.
async fn curve(progress: Progress) -> Result<(), Failure> {
    let (server, stranger) = (KeyPair::generate(), KeyPair::generate());
    let mut pull = open!(
        PullSocket,
        security = Security::curve_server(server.clone())
    );
    let endpoint = pull.bind(ANY_PORT).await?;
    loop {
        let key = if random(0..8) == 0 {
            *stranger.public()
        } else {
            *server.public()
        };
        let client = Security::curve_client(KeyPair::generate(), key);
        let mut push = open!(PushSocket, security = client);
        push.connect(&endpoint)?;
        let sent = random(1..100);
        for _ in 0..sent {
            push.send(payload()).await?;
        }
        if key == *server.public() {
            for _ in 0..sent {
                timeout(PATIENCE, pull.recv()).await??;
                progress.count(1);
            }
        }
        progress.pause(5..60).await;
    }
}

/// A receiver that cannot keep up, with small marks on both sides: the sender waits, or gives up and goes on.
async fn slow_reader(progress: Progress) -> Result<(), Failure> {
    let mut pull = open!(PullSocket, recv_hwm = 10);
    let endpoint = pull.bind(ANY_PORT).await?;
    let mut senders: JoinSet<Result<(), Failure>> = JoinSet::new();
    let pace = progress.clone();
    senders.spawn(async move {
        let mut push = open!(PushSocket, send_hwm = 10);
        push.connect(&endpoint)?;
        loop {
            // Cancelled again and again while it waits for room.
            let _ = timeout(Duration::from_millis(2), push.send(vec![1; 60_000])).await;
            pace.pause(0..4).await;
        }
    });
    let receive = async {
        loop {
            pull.recv().await?;
            progress.count(1);
            progress.pause(5..20).await;
        }
    };
    alongside(receive, senders).await
}

/// A publisher whose subscribers come, change their minds, read slowly or not at all, and go.
async fn publish(progress: Progress) -> Result<(), Failure> {
    let mut publisher = open!(PubSocket, send_hwm = 100);
    let endpoint = publisher.bind(ANY_PORT).await?;
    let mut subscribers: JoinSet<Result<(), Failure>> = JoinSet::new();
    for number in 0..6 {
        let (endpoint, progress) = (endpoint.clone(), progress.clone());
        subscribers.spawn(async move {
            loop {
                let mut subscriber = open!(SubSocket);
                subscriber.connect(&endpoint)?;
                for _ in 0..random(5..50) {
                    let topic = format!("topic {}", random(0..50));
                    subscriber.subscribe(&topic);
                    if random(0..3) == 0 {
                        subscriber.unsubscribe(&topic);
                    }
                    // The last one does not read.
                    while number < 5
                        && timeout(Duration::from_millis(5), subscriber.recv())
                            .await
                            .is_ok()
                    {
                        progress.count(1);
                    }
                    progress.pause(0..20).await;
                }
            }
        });
    }
    let work = async {
        loop {
            for number in 0..50 {
                let mut message = format!("topic {number} ").into_bytes();
                message.extend(payload());
                publisher.send(message).await?;
            }
            progress.pause(20..40).await;
        }
    };
    alongside(work, subscribers).await
}

/// XSUB and XPUB joined by a proxy, publishers on one side and subscribers on the other, both of which come and go.
async fn proxied(progress: Progress) -> Result<(), Failure> {
    let (mut front, mut back) = (open!(XSubSocket), open!(XPubSocket));
    let (in_, out) = (front.bind(ANY_PORT).await?, back.bind(ANY_PORT).await?);
    let mut others: JoinSet<Result<(), Failure>> = JoinSet::new();
    let pace = progress.clone();
    others.spawn(async move {
        loop {
            let mut publisher = open!(PubSocket);
            publisher.connect(&in_)?;
            publisher.wait_for_subscribers(1).await;
            for number in 0..random(10..200) {
                publisher
                    .send([format!("{}", number % 10).as_str(), "news"])
                    .await?;
                pace.pause(0..3).await;
            }
        }
    });
    for _ in 0..3 {
        let (endpoint, progress) = (out.clone(), progress.clone());
        others.spawn(async move {
            loop {
                let mut subscriber = open!(SubSocket);
                subscriber.subscribe(random(0..10).to_string());
                subscriber.subscribe("1");
                subscriber.connect(&endpoint)?;
                for _ in 0..random(1..30) {
                    subscriber.recv().await?;
                    progress.count(1);
                }
            }
        });
    }
    let proxy = async {
        proxy(front, back).await;
        Ok(())
    };
    alongside(proxy, others).await
}

/// REQ and REP: askers that wait, askers that lose their patience, askers that go before the answer is there.
async fn requests(progress: Progress) -> Result<(), Failure> {
    let mut rep = open!(RepSocket);
    let endpoint = rep.bind(ANY_PORT).await?;
    let mut askers: JoinSet<Result<(), Failure>> = JoinSet::new();
    for _ in 0..3 {
        let (endpoint, progress) = (endpoint.clone(), progress.clone());
        askers.spawn(async move {
            loop {
                let mut req = open!(ReqSocket, relaxed = true, correlate = true);
                req.connect(&endpoint)?;
                for _ in 0..random(1..40) {
                    req.send(payload()).await?;
                    if random(0..4) == 0 {
                        let _ = timeout(Duration::from_micros(300), req.recv()).await;
                    } else {
                        timeout(PATIENCE, req.recv()).await??;
                        progress.count(1);
                    }
                    progress.pause(0..5).await;
                }
                req.send("never mind the answer").await?;
            }
        });
    }
    let serve = async {
        loop {
            let request = rep.recv().await?;
            rep.send(request).await?;
        }
    };
    alongside(serve, askers).await
}

/// DEALER and ROUTER with many requests under way, names that are taken over, and the ROUTER in two halves.
async fn dealer_and_router(progress: Progress) -> Result<(), Failure> {
    let mut router = open!(RouterSocket, handover = true);
    let endpoint = router.bind(ANY_PORT).await?;
    let (mut answers, mut requests) = router.split();
    let mut dealers: JoinSet<Result<(), Failure>> = JoinSet::new();
    for number in 0..3 {
        let (endpoint, progress) = (endpoint.clone(), progress.clone());
        dealers.spawn(async move {
            loop {
                // Two of the three have the same name.
                let name = format!("dealer {}", number / 2);
                let mut dealer = open!(DealerSocket, routing_id = &name);
                dealer.connect(&endpoint)?;
                let sent = random(1..50);
                for _ in 0..sent {
                    dealer.send(payload()).await?;
                }
                for _ in 0..sent {
                    if timeout(Duration::from_millis(50), dealer.recv())
                        .await
                        .is_err()
                    {
                        break;
                    }
                    progress.count(1);
                }
                progress.pause(10..60).await;
            }
        });
    }
    let serve = async {
        loop {
            let request = requests.recv_message().await?;
            answers.send(request).await?;
        }
    };
    alongside(serve, dealers).await
}

/// Pairs that meet over inproc and tcp, talk, and part.
async fn pairs(progress: Progress) -> Result<(), Failure> {
    loop {
        for endpoint in ["inproc://soak pair", ANY_PORT] {
            let (mut one, mut other) = (open!(PairSocket), open!(PairSocket));
            let bound = one.bind(endpoint).await?;
            other.connect(&bound)?;
            for _ in 0..random(1..50) {
                other.send(payload()).await?;
                timeout(PATIENCE, one.recv()).await??;
                progress.count(1);
            }
            one.close().await;
            progress.pause(5..40).await;
        }
    }
}

/// Clients stay, and what they are connected to is closed and comes back at the same port, with heartbeats.
async fn restarts(progress: Progress) -> Result<(), Failure> {
    let second = Duration::from_secs(1);
    let mut endpoint: Option<Endpoint> = None;
    let mut clients: JoinSet<Result<(), Failure>> = JoinSet::new();
    loop {
        let mut rep = open!(RouterSocket, heartbeat_interval = Some(second));
        let bound = match &endpoint {
            None => rep.bind(ANY_PORT).await?,
            Some(known) => rep.bind(known).await?,
        };
        if endpoint.is_none() {
            for _ in 0..3 {
                clients.spawn(ask_again_and_again(bound.clone(), progress.clone()));
            }
        }
        endpoint = Some(bound);
        let serve = async {
            loop {
                let request = rep.recv_message().await?;
                rep.send(request).await?;
            }
        };
        let life = Duration::from_millis(random(300..2_000));
        tokio::select! {
            served = serve => return served,
            Some(ended) = clients.join_next() => return ended?,
            () = sleep(life) => {}
        }
        rep.close().await;
        progress.pause(0..300).await;
    }
}

async fn ask_again_and_again(endpoint: Endpoint, progress: Progress) -> Result<(), Failure> {
    let interval = Duration::from_millis(20);
    let mut dealer = open!(
        DealerSocket,
        reconnect_interval = Some(interval),
        reconnect_interval_max = Some(interval * 10),
        heartbeat_interval = Some(Duration::from_secs(1))
    );
    dealer.connect(&endpoint)?;
    loop {
        dealer.send(payload()).await?;
        // An answer that was lost with its connection never comes.
        if timeout(Duration::from_millis(100), dealer.recv())
            .await
            .is_ok()
        {
            progress.count(1);
        }
        progress.pause(0..20).await;
    }
}

/// `recv` and `send` given up after no time, or a little, on sockets whose peers work at their own pace; nothing may
/// be lost by it, nor come twice.
async fn cancelled(progress: Progress) -> Result<(), Failure> {
    let mut pull = open!(PullSocket, recv_hwm = 5);
    let endpoint = pull.bind(ANY_PORT).await?;
    let mut senders: JoinSet<Result<(), Failure>> = JoinSet::new();
    let pace = progress.clone();
    senders.spawn(async move {
        let mut push = open!(PushSocket, send_hwm = 5);
        push.connect(&endpoint)?;
        let mut number = 0_u64;
        loop {
            let patience = Duration::from_micros(random(0..500));
            if let Ok(sent) = timeout(patience, push.send(number.to_be_bytes())).await {
                sent?;
                number += 1;
            }
            pace.pause(0..3).await;
        }
    });
    let receive = async {
        let mut expected = 0_u64;
        loop {
            let patience = Duration::from_micros(random(0..500));
            if let Ok(message) = timeout(patience, pull.recv()).await {
                let message = message?;
                let number = message.iter().next().unwrap_or_default();
                if number != expected.to_be_bytes() {
                    return Err(format!("message {expected} was lost, or came twice").into());
                }
                expected += 1;
                progress.count(1);
            }
            progress.pause(0..2).await;
        }
    };
    alongside(receive, senders).await
}
