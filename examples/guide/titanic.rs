//! Titanic: requests that survive everything (RFC 9). Who asks gets a ticket, may end, and comes back for the answer later.
//! Between a request and its answer each program may be killed and started again. Type, in four terminals or more, in any
//! order:
//!
//!     cargo run --features titanic --example titanic
//!     cargo run --features titanic --example titanic_client -- request echo hello
//!     cargo run --example majordomo_broker
//!     cargo run --example majordomo_worker
//!
//! To break: kill all of them, and start them again. What was asked is in the file `titanic.redb` when the ticket is given out,
//! and is asked until it is answered: perhaps twice, as is a request whose ticket was lost on its way. So have services that
//! may be asked twice.
//!
//! Titanic is a worker of three services of majordomo, and a client of all others. Arguments are the broker's endpoint
//! (tcp://localhost:5555), the file, and the interval of its heartbeats (2500 ms). The store is a trait of five calls
//! (store/mod.rs). With the feature `nats` it may be a server of NATS with JetStream, `nats://localhost:4222` instead of the
//! file: then several machines may have a titanic each, any of them has the answers, and the next that is started asks what one
//! that has gone had still to ask.

use std::sync::Arc;
use std::time::Duration;

use guide::majordomo::{Client, Error, serve};
use guide::store::{RedbStore, Store};
use purezmq::Message;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use uuid::Uuid;

/// How long a service has to answer, before it is asked again.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let broker = argument("tcp://localhost:5555");
    let store = argument("titanic.redb");
    let heartbeat = Duration::from_millis(argument("2500").parse()?);

    #[cfg(feature = "nats")]
    if store.starts_with("nats://") {
        return run(
            guide::store::NatsStore::connect(&store).await?,
            &broker,
            heartbeat,
        )
        .await;
    }
    run(RedbStore::open(store)?, &broker, heartbeat).await
}

async fn run(store: impl Store, broker: &str, heartbeat: Duration) -> Result<(), Error> {
    let client = Client::connect(broker, PATIENCE, 1)?;
    let (to_ask, mut asked) = unbounded_channel();
    let left = store.ids().await?;
    println!("{} requests are kept", left.len());
    left.into_iter().try_for_each(|id| to_ask.send(id))?;
    let titanic = Arc::new(Titanic { store, to_ask });

    let asking = titanic.clone();
    tokio::spawn(async move {
        while let Some(id) = asked.recv().await {
            tokio::spawn(asking.clone().ask(id, client.clone()));
        }
    });
    tokio::try_join!(
        serve(broker, "titanic.request", heartbeat, |body| {
            coded(titanic.clone().request(body))
        }),
        serve(broker, "titanic.reply", heartbeat, |body| {
            coded(titanic.clone().reply(body))
        }),
        serve(broker, "titanic.close", heartbeat, |body| {
            coded(titanic.clone().close(body))
        }),
    )?;
    Ok(())
}

struct Titanic<S> {
    store: S,
    to_ask: UnboundedSender<Uuid>,
}

impl<S: Store> Titanic<S> {
    /// Takes a request, and gives out its ticket.
    async fn request(self: Arc<Self>, request: Message) -> Result<Message, Error> {
        let id = Uuid::new_v4();
        self.store.put(id, request).await?;
        self.to_ask.send(id)?;
        Ok(("200", id.to_string()).into())
    }

    /// Gives the answer to who has its ticket.
    async fn reply(self: Arc<Self>, ticket: Message) -> Result<Message, Error> {
        let Some(record) = self.store.get(id(&ticket)?).await? else {
            return Ok("400".into());
        };
        Ok(record.answer.unwrap_or_else(|| "300".into()))
    }

    /// Forgets a request and its answer.
    async fn close(self: Arc<Self>, ticket: Message) -> Result<Message, Error> {
        self.store.remove(id(&ticket)?).await?;
        Ok("200".into())
    }

    /// Asks the service until it has answered, or nobody wants the answer any more. What the store fails at is done by the
    /// next titanic.
    async fn ask(self: Arc<Self>, id: Uuid, client: Client) {
        if let Err(error) = self.try_ask(id, client).await {
            println!("{id}: {error}");
        }
    }

    async fn try_ask(&self, id: Uuid, client: Client) -> Result<(), Error> {
        while let Some(record) = self.store.get(id).await?
            && record.answer.is_none()
        {
            let mut body = record.request;
            let service = body.pop_front().unwrap_or_default();
            if let Ok(mut answer) = client.request(service, body).await {
                answer.push_front("200");
                self.store.put_answer(id, answer).await?;
            }
        }
        Ok(())
    }
}

fn id(ticket: &Message) -> Result<Uuid, Error> {
    Ok(ticket.as_str()?.parse()?)
}

/// Answers with the code of an error, if there is one.
async fn coded(answer: impl Future<Output = Result<Message, Error>>) -> Message {
    answer.await.unwrap_or_else(|error| {
        println!("{error}");
        "500".into()
    })
}
