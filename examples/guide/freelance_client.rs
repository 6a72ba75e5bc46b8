//! Freelance: a client that knows several servers, and needs no broker. There are three ways to choose one. Type, in three
//! terminals or more, in any order:
//!
//!     cargo run --example freelance_server -- tcp://*:5555 one
//!     cargo run --example freelance_server -- tcp://*:5556 two
//!     cargo run --example freelance_client -- failover 1000 10 tcp://localhost:5555 tcp://localhost:5556
//!
//! `failover` asks one after the other, until one answers: the least work, and slow while the first is dead. `shotgun` asks
//! all, and takes the first answer: as quick as the quickest, at the price of all. `tracked` knows who is there, asks one of
//! those, and goes on at once when that one dies. Further arguments are how long to wait for an answer, how much to ask, and
//! where.
//!
//! To break: kill servers, in the middle of things, or have one be late. A fourth way, with less to write, is
//! freelance_requester.

use std::time::Duration;

use purezmq::{DealerSocket, Message, ReqSocket, Requester, RouterEvent, RouterSocket, RoutingId};
use tokio::task::JoinSet;
use tokio::time::timeout;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().ok_or("the first lines say what to type");
    let model = argument()?;
    let limit = Duration::from_millis(argument()?.parse()?);
    let count: u32 = argument()?.parse()?;
    let questions = (1..=count).map(|number| format!("Hello {number}"));
    let servers = arguments.collect();
    match model.as_str() {
        "failover" => failover(servers, limit, questions).await,
        "shotgun" => shotgun(servers, limit, questions).await,
        "tracked" => tracked(servers, limit, questions).await,
        _ => Err("there are failover, shotgun and tracked".into()),
    }
}

/// Asks one server after the other, each by a new socket. The one that answers is the first to be asked the next time.
async fn failover(
    mut servers: Vec<String>,
    limit: Duration,
    questions: impl Iterator<Item = String>,
) -> Result<()> {
    for question in questions {
        let mut answer = Err("no server answers");
        for _ in 0..servers.len() {
            let builder = ReqSocket::builder().recv_timeout(limit);
            let mut socket = builder.linger(Duration::ZERO).build()?;
            socket.connect(servers[0].as_str())?;
            socket.send(question.as_str()).await?;
            if let Ok(said) = socket.recv().await {
                answer = Ok(said);
                break;
            }
            println!("no answer from {}", servers[0]);
            servers.rotate_left(1);
        }
        println!("{question}: {}", answer?.as_str()?);
    }
    Ok(())
}

/// Asks all servers at once, each by a requester of its own.
async fn shotgun(
    servers: Vec<String>,
    limit: Duration,
    questions: impl Iterator<Item = String>,
) -> Result<()> {
    let mut requesters = Vec::new();
    for server in servers {
        let builder = Requester::builder().timeout(limit);
        let requester = builder.build(DealerSocket::new())?;
        requester.connect(server)?;
        requesters.push(requester);
    }
    for question in questions {
        let asked = requesters.iter().map(|one| one.request(question.as_str()));
        let mut asked: JoinSet<_> = asked.map(IntoFuture::into_future).collect();
        let first = loop {
            match asked.join_next().await.ok_or("no server answers")?? {
                Ok(answer) => break answer,
                Err(_) => continue,
            }
        };
        println!("{question}: {}", first.as_str()?);
        // Dropped with the set, the other requests are withdrawn, or their answers dropped.
    }
    Ok(())
}

/// Asks one of the servers that are there.
async fn tracked(
    servers: Vec<String>,
    limit: Duration,
    questions: impl Iterator<Item = String>,
) -> Result<()> {
    // `notify` tells who comes and goes; with heartbeats also of those that vanish without a word.
    let builder = RouterSocket::builder().notify(true).immediate(true);
    let mut router = builder.heartbeat_interval(Duration::from_secs(1)).build()?;
    for server in servers {
        router.connect_as(server.as_str(), server.as_str())?;
    }
    let mut tracked = Tracked {
        router,
        there: Vec::new(),
    };
    for question in questions {
        println!(
            "{question}: {}",
            tracked.ask(&question, limit).await?.as_str()?
        );
    }
    Ok(())
}

struct Tracked {
    router: RouterSocket,
    /// The servers that are there, by their endpoints: the one that is to be asked next in front.
    there: Vec<RoutingId>,
}

impl Tracked {
    async fn ask(&mut self, question: &str, limit: Duration) -> Result<Message> {
        loop {
            let Some(server) = self.there.first().cloned() else {
                self.hear(None, question).await?;
                continue;
            };
            // What stands in front of the empty frame comes back: so an answer says what it answers.
            self.router
                .send_to(&server, [question, "", question])
                .await?;
            match timeout(limit, self.hear(Some(&server), question)).await {
                Ok(Ok(Some(answer))) => return Ok(answer),
                Ok(Ok(None)) => println!("gone: {}", server.escape_ascii()),
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    println!("no answer from {}", server.escape_ascii());
                    self.there.rotate_left(1);
                }
            }
        }
    }

    /// Waits for the answer, or until this server has gone; or, if it is none, until there is one.
    async fn hear(&mut self, asked: Option<&RoutingId>, question: &str) -> Result<Option<Message>> {
        loop {
            match self.router.recv().await? {
                RouterEvent::Message(mut said)
                    if said.message.first() == Some(question.as_bytes()) =>
                {
                    said.message.pop_front();
                    said.message.pop_front();
                    return Ok(Some(said.message));
                }
                // Late: nobody waits for it any more.
                RouterEvent::Message(_) => {}
                RouterEvent::Connected(server) => {
                    self.there.push(server);
                    if asked.is_none() {
                        return Ok(None);
                    }
                }
                RouterEvent::Disconnected(server) => {
                    self.there.retain(|other| *other != server);
                    if asked == Some(&server) {
                        return Ok(None);
                    }
                }
            }
        }
    }
}
