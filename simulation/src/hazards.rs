//! What can go wrong beside the network, and what must not: runtimes that end, authenticators and ZAP handlers that
//! refuse and panic, dialling that ends; and links that are slow, on which nothing is to break. `plan` draws them.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use purezmq::security::{Admission, AuthRequest, Credentials, Decision, Refusal};
use purezmq::{AnySocket, Context, Message, SocketType};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::node::{Shared, Stage};
use crate::plan::{Plan, one_of};

/// Who decides about the peers of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// All may come in.
    Open,
    /// An authenticator, which refuses, fails and panics now and then while things go wrong.
    Function,
    /// A ZAP handler, which does so, too.
    Handler,
}

/// With what the simulated application panics on purpose.
pub(crate) struct OnPurpose;

/// Lets some things end that do not end otherwise.
pub(crate) fn endanger(plan: &mut Plan, rng: &mut SmallRng) {
    let has_homes = rng.random();
    let gate = one_of(rng, &[Gate::Open, Gate::Function, Gate::Handler]);
    // A REQ begins anew when its answer is lost, also when all else is well: who gives up then is not to be blamed.
    let may_give_up = plan.nodes.iter().all(|node| node.kind != SocketType::Req) && rng.random();
    for node in &mut plan.nodes {
        let settings = &mut node.settings;
        node.has_home = has_homes;
        if may_give_up && rng.random() {
            settings.reconnect_interval = None;
        }
        if gate != Gate::Open && rng.random_ratio(2, 3) {
            node.gate = gate;
            settings.zap_domain = rng.random();
        }
        if rng.random_ratio(1, 3) {
            settings.reconnect_after_refusal =
                Some(Duration::from_millis(rng.random_range(1..300)));
        }
        if gate != Gate::Open && settings.handshake_timeout.is_none() {
            // A handler that panics answers no more.
            settings.handshake_timeout = Some(Duration::from_millis(500));
        }
    }
}

/// Makes the links slow and the messages large. Nothing breaks, and everybody looks for each other.
pub(crate) fn slow_down(plan: &mut Plan, rng: &mut SmallRng) {
    let weather = &mut plan.weather;
    let rate = one_of(rng, &[10_000, 40_000]);
    weather.rate = Some(rate);
    weather.capacity = one_of(rng, &[1000, 4000]);
    weather.piece = one_of(rng, &[500, 3000]);
    plan.faults_every = Duration::ZERO;
    plan.chaos = Duration::from_millis(rng.random_range(3000..12_000));
    plan.healthy = true;
    // What the buffers of both ways take to empty, and some.
    let empties = Duration::from_millis(1000 * weather.capacity as u64 / rate);
    let timeout = 2 * (empties + weather.delay) + Duration::from_millis(300);
    for node in &mut plan.nodes {
        (node.small, node.large, node.restless) = (false, true, 0);
        let settings = &mut node.settings;
        let interval = Duration::from_millis(one_of(rng, &[50, 200, 700]));
        // One side that asks and one that only answers is another case than two that ask.
        settings.heartbeat = rng.random_ratio(2, 3).then_some(interval);
        settings.heartbeat_timeout = Some(timeout);
        let ttl = timeout + Duration::from_millis(800);
        settings.heartbeat_ttl = rng.random::<bool>().then_some(ttl);
        // What is not read is not answered.
        (settings.recv_hwm, settings.recv_hwm_bytes) = (0, None);
        settings.send_hwm = rng.random_range(1..=10);
        settings.handshake_timeout = None;
        settings.write_timeout = None;
        settings.slow_subscriber = purezmq::options::SlowSubscriber::DropNewest;
        settings.connect_timeout = Duration::from_secs(3);
    }
}

/// What is behind a gate: the same for the authenticator and the handler.
#[derive(Clone)]
struct Keeper {
    shared: Arc<Shared>,
    rng: Arc<Mutex<SmallRng>>,
}

impl Keeper {
    /// Decides about a user, or panics.
    async fn decide(&self, user: String) -> Decision {
        if self.shared.stages.now() > Stage::Chaos {
            return Ok(Admission::user(user));
        }
        let drawn = self.rng.lock().random_range(0..20);
        match drawn {
            0..2 => Err(Refusal::Denied),
            2 => Err(Refusal::Temporary),
            3 => Err(Refusal::Internal),
            4..6 => std::panic::panic_any(OnPurpose),
            6..9 => {
                let pause = self.rng.lock().random_range(0..100);
                sleep(Duration::from_millis(pause)).await;
                Ok(Admission::user(format!("late {user}")))
            }
            _ => Ok(Admission::user(user)),
        }
    }
}

/// Sets up who decides about the peers of a host's context. What is returned has to be kept for as long as the context's
/// sockets.
pub(crate) fn guard(
    gate: Gate,
    context: &Context,
    shared: &Arc<Shared>,
    seed: u64,
) -> Option<JoinSet<()>> {
    let keeper = Keeper {
        shared: shared.clone(),
        rng: Arc::new(Mutex::new(SmallRng::seed_from_u64(seed))),
    };
    match gate {
        Gate::Open => {
            context.set_authenticator(|request: AuthRequest| async move {
                Ok(Admission::user(user_of(&request)))
            });
            None
        }
        Gate::Function => {
            context.set_authenticator(move |request: AuthRequest| {
                let keeper = keeper.clone();
                async move { keeper.decide(user_of(&request)).await }
            });
            None
        }
        Gate::Handler => {
            let mut tasks = JoinSet::new();
            tasks.spawn(keep_serving(context.clone(), keeper));
            Some(tasks)
        }
    }
}

/// As whom a peer is let in: as it calls itself, or as joe.
fn user_of(request: &AuthRequest) -> String {
    match &request.credentials {
        Credentials::Plain { username, .. } => String::from_utf8_lossy(username).into_owned(),
        _ => "joe".to_owned(),
    }
}

/// A ZAP handler that is there again when it has panicked.
async fn keep_serving(context: Context, keeper: Keeper) {
    loop {
        let mut serving = JoinSet::new();
        serving.spawn(serve(context.clone(), keeper.clone()));
        let _panicked = serving.join_next().await;
        let pause = keeper.rng.lock().random_range(0..50);
        if keeper.shared.stages.now() == Stage::Chaos {
            sleep(Duration::from_millis(pause)).await;
        }
    }
}

async fn serve(context: Context, keeper: Keeper) {
    let mut handler = AnySocket::new(SocketType::Rep, &context).expect("it is built");
    if handler.bind("inproc://zeromq.zap.01").await.is_err() {
        return;
    }
    while let Ok(question) = handler.recv().await {
        let frame = |at| question.iter().nth(at).unwrap_or_default();
        let user = match frame(5) {
            b"PLAIN" => String::from_utf8_lossy(frame(6)).into_owned(),
            _ => "joe".to_owned(),
        };
        let (status, user) = match keeper.decide(user).await {
            Ok(admission) => ("200", admission.user_id),
            Err(Refusal::Temporary) => ("300", String::new()),
            Err(Refusal::Denied) => ("400", String::new()),
            Err(_) => ("500", String::new()),
        };
        let id = frame(1);
        let answer = Message::from([
            "1.0".as_bytes(),
            id,
            status.as_bytes(),
            b"",
            user.as_bytes(),
            b"",
        ]);
        let _ = handler.send(answer).await;
    }
}
