//! A window into a running process: `Context::expose` answers whoever asks at an endpoint with what the context's sockets
//! have counted, as JSON, and publishes the same. `pzmq top` and `pzmq web` look through it.
//!
//! ```text
//!   whoever asks ─ REQ ──► REP ──► answers.rs ──► Context::stats: counters that are kept anyway
//!   whoever looks ─ SUB ──► PUB ──┘   made anew ten times a second at most, however many ask
//! ```
//!
//! # The questions
//!
//! A question is one frame of text; anything else is answered with `{"error": "..."}`.
//!
//! | question | answer |
//! |---|---|
//! | `snapshot`, or an empty frame | a [`Snapshot`] of all sockets and all of their peers |
//! | `sockets` | the same without peers: a few hundred bytes a socket, however many peers it has |
//! | `socket NUMBER` | the same of one socket, with its peers; of none, if it has ended |
//!
//! The stream ([`Exposed::publish`]) has messages of two frames: `snapshot`, and what that question is answered with.
//!
//! Rates are not in it: whoever asks twice computes them, from what was counted and [`Snapshot::micros`].
//!
//! # Who may look
//!
//! Whoever can reach the endpoint, unless its socket says otherwise: it sees names, endpoints, addresses, and users of peers,
//! and no message. [`Context::expose`] is for the loopback interface and `ipc://`; with [`Context::expose_by`] the socket is
//! the application's, with CURVE, TLS or whatever else sockets have.

mod answers;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use zmtp::Message;

use self::answers::Answers;
use crate::context::Context;
use crate::endpoint::{Endpoint, ToEndpoint};
use crate::error::{BindError, OptionError, RecvError, SendError};
use crate::runtime;
use crate::sockets::all::{PubSocket, RepSocket};
use crate::stats::MemberStats;

/// The version of the [`Snapshot`]'s form. Fields may be added without a new one; one that means something else, or is not
/// there any more, is a new version.
pub const SCHEMA: u32 = 1;

/// What the first frame of the stream's messages says.
pub const TOPIC: &str = "snapshot";

/// How often the stream has a message.
const INTERVAL: Duration = Duration::from_secs(1);

/// The longest question that is read.
const LONGEST_QUESTION: usize = 256;

/// How long an answer that is under way may still leave.
const LINGER: Duration = Duration::from_secs(1);

/// What a process tells of itself. As JSON it has a field for each here.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// [`SCHEMA`] of who has made it.
    pub schema: u32,
    /// Who has made it.
    pub process: Process,
    /// When it was made: microseconds since the process has exposed itself, by a clock that is never set. Rates are
    /// differences of counters by differences of this.
    pub micros: u64,
    /// When it was made: milliseconds since 1970, by the system's clock.
    pub unix_millis: u64,
    /// The sockets, oldest first: also that which answers, and that which publishes.
    pub sockets: Vec<MemberStats>,
}

/// The process that tells of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Process {
    /// Its number in its system.
    pub id: u32,
    /// What its program is called, if the system tells.
    pub program: Option<String>,
    /// The version of this library in it.
    pub library: String,
}

/// A context cannot be exposed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExposeError {
    /// The context is closed.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The endpoint cannot be bound: another one may.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// No tokio runtime with timers is running here, and the context has no I/O threads.
    #[error("no tokio runtime with timers is running here")]
    NoRuntime,
}

/// Holds a context exposed: made by [`Context::expose`]. Dropped, its sockets are closed, soon after.
#[derive(Debug)]
#[must_use = "it ends with this"]
pub struct Exposed {
    context: Context,
    answers: Arc<Answers>,
    runtime: Handle,
    endpoint: Option<Endpoint>,
    tasks: Vec<JoinHandle<()>>,
}

impl Context {
    /// Answers whoever asks at an endpoint with what the context's sockets have counted ([`expose`](crate::expose) says
    /// what can be asked), until the handle is dropped. The endpoint's socket is a REP of this context, called `expose`; it
    /// has no security: bind it to the loopback interface or to `ipc://`, or see [`expose_by`](Self::expose_by).
    ///
    /// The sockets that are looked at do nothing for it. A snapshot is made when somebody asks, and at most ten times a
    /// second.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use purezmq::expose::Snapshot;
    /// use purezmq::{Context, PullSocket, ReqSocket};
    ///
    /// let context = Context::new();
    /// let mut pull = PullSocket::builder().context(&context).name("work").build()?;
    /// pull.bind("tcp://127.0.0.1:*").await?;
    /// let exposed = context.expose("tcp://127.0.0.1:*").await?;
    ///
    /// let mut req = ReqSocket::new();
    /// req.connect(exposed.endpoint().expect("it is bound"))?;
    /// req.send("snapshot").await?;
    /// let snapshot: Snapshot = serde_json::from_slice(&req.recv().await?[0])?;
    /// assert_eq!(snapshot.sockets[0].stats.name.as_deref(), Some("work"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The endpoint cannot be bound, the context is closed, or there is no runtime.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has exposed nothing.
    pub async fn expose(&self, endpoint: impl ToEndpoint) -> Result<Exposed, ExposeError> {
        let mut socket = RepSocket::builder()
            .context(self)
            .name("expose")
            .max_message_size(LONGEST_QUESTION)
            .linger(LINGER)
            .build()?;
        socket.bind(endpoint).await?;
        self.expose_by(socket)
    }

    /// Does the same by a socket of the application's, which is bound, or connected to a broker, with whatever security and
    /// other options it is to have. It may be of another context; give it a `max_message_size`, since what is asked is short.
    ///
    /// # Errors
    ///
    /// There is no runtime.
    pub fn expose_by(&self, socket: RepSocket) -> Result<Exposed, ExposeError> {
        let runtime = self.runtime(0);
        let runtime = runtime.filter(|runtime| runtime::lacks(runtime, false).is_none());
        let runtime = runtime.ok_or(ExposeError::NoRuntime)?;
        let answers = Arc::new(Answers::of(self));
        let endpoint = socket.last_endpoint();
        let task = runtime.spawn(answer(socket, answers.clone()));
        Ok(Exposed {
            context: self.clone(),
            answers,
            runtime,
            endpoint,
            tasks: vec![task],
        })
    }
}

impl Exposed {
    /// Returns where it is to be asked: the endpoint that was bound last.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
    }

    /// Publishes a snapshot once a second as well, while anybody is subscribed: at an endpoint of its own, which is returned,
    /// by a PUB of the context that is called `expose`.
    ///
    /// # Errors
    ///
    /// The endpoint cannot be bound, or the context is closed.
    ///
    /// # Cancel safety
    ///
    /// A dropped future publishes nothing.
    pub async fn publish(&mut self, endpoint: impl ToEndpoint) -> Result<Endpoint, ExposeError> {
        let mut socket = PubSocket::builder()
            .context(&self.context)
            .name("expose")
            .linger(LINGER)
            .build()?;
        let bound = socket.bind(endpoint).await?;
        self.publish_by(socket, INTERVAL);
        Ok(bound)
    }

    /// Does the same by a socket of the application's, and each `interval`: a tenth of a second at least.
    pub fn publish_by(&mut self, socket: PubSocket, interval: Duration) {
        let publishing = publish(socket, self.answers.clone(), interval);
        self.tasks.push(self.runtime.spawn(publishing));
    }

    /// Ends it, and waits until its sockets are closed.
    ///
    /// # Cancel safety
    ///
    /// It is ended by the first poll; a dropped future only doesn't wait.
    pub async fn close(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            // It was cut short, or has ended before.
            let _ = task.await;
        }
    }
}

impl Drop for Exposed {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Answers, until nobody can ask any more.
async fn answer(mut socket: RepSocket, answers: Arc<Answers>) {
    loop {
        let question = match socket.recv().await {
            Ok(question) => question,
            Err(RecvError::Timeout) => continue,
            Err(_) => return,
        };
        let answer = answers.to(&question);
        if let Err(SendError::ContextClosed(_)) = socket.send(answer).await {
            return;
        }
    }
}

/// Publishes, while anybody is subscribed.
async fn publish(mut socket: PubSocket, answers: Arc<Answers>, interval: Duration) {
    let mut ticks = tokio::time::interval(interval.max(answers::LEAST_AGE));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        socket.wait_for_subscribers(1).await;
        let mut message = Message::from(TOPIC);
        message.push_back(answers.snapshot());
        if let Err(SendError::ContextClosed(_) | SendError::Gone { .. }) =
            socket.send(message).await
        {
            return;
        }
    }
}
