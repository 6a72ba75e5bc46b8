//! Applications that ask by a `Requester`: many requests at once, with time limits and without, some of which are sent
//! again, and some given up. Each gets its own answer, byte for byte, or is told why there is none; places, counters and
//! ends are checked as they are told. The servers are nodes as others.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::future::BoxFuture;
use purezmq::requester::RequesterStatistics;
use purezmq::{BindError, Context, Endpoint, Message, RequestError, Requester};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::book::Spread;
use crate::hazards;
use crate::letter::{self, Name};
use crate::network::{Host, address};
use crate::node::{Shared, Stage};
use crate::plan::{Node, one_of};
use crate::sockets;

/// Requests that are polled at a time, at most.
const MOST: usize = 12;

/// Requests that must be answered when all is well.
const QUIET: u32 = 5;

/// How long one may take then.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a drain or a close may take beyond its limit, and the clock's grain.
const AFTER: Duration = Duration::from_millis(105);

pub(crate) struct Asking {
    plan: Node,
    shared: Arc<Shared>,
    rng: SmallRng,
    requester: Option<Requester>,
    /// How many may be under way.
    most: usize,
    life: u8,
    written: u32,
    /// Requests that this requester has begun.
    begun: u64,
    asked: Vec<Asked>,
    /// It was closed while requests were under way.
    is_closed: bool,
    _handler: Option<JoinSet<()>>,
}

struct Asked {
    name: Name,
    question: Message,
    request: BoxFuture<'static, Outcome>,
}

type Outcome = Result<Message, RequestError>;

impl Asking {
    pub(crate) fn new(plan: Node, shared: &Arc<Shared>, seed: u64) -> Self {
        Asking {
            plan,
            shared: shared.clone(),
            rng: SmallRng::seed_from_u64(seed),
            requester: None,
            most: 1,
            life: 0,
            written: 0,
            begun: 0,
            asked: Vec::new(),
            is_closed: false,
            _handler: None,
        }
    }

    /// Lives through all stages.
    pub(crate) async fn run(mut self) {
        sleep(self.plan.late).await;
        self.begin().await;
        while self.stage() == Stage::Chaos {
            self.turn().await;
        }
        while self.stage() == Stage::Heal {
            self.settle(Duration::from_millis(100)).await;
        }
        // What was lost for good, and has no limit, is given up.
        self.asked.clear();
        for _ in 0..QUIET {
            self.ask_in_peace().await;
        }
        self.shared.stages.is_through();
        self.shared.stages.end_of(Stage::Quiet).await;
        self.finish().await;
    }

    fn stage(&self) -> Stage {
        self.shared.stages.now()
    }

    fn fail(&self, why: impl std::fmt::Display) {
        let (host, life) = (self.plan.host, self.life);
        let why = format!("host {host} (a requester, life {life}): {why}");
        self.shared.world.fail(why);
    }

    fn note(&self, what: &'static str, number: u64, words: &str) {
        let host = self.plan.host;
        let numbers = [host.into(), self.life.into(), number];
        self.shared
            .world
            .note(what, numbers, || format!("host {host} {words}"));
    }

    fn requester(&self) -> &Requester {
        self.requester.as_ref().expect("it is made in begin")
    }

    /// A requester, with its endpoints.
    async fn begin(&mut self) {
        let context = Context::simulated(Arc::new(Host {
            network: self.shared.network.clone(),
            number: self.plan.host,
            life: self.life.into(),
        }));
        let seed = self.rng.random();
        self._handler = hazards::guard(self.plan.gate, &context, &self.shared, seed);
        self.most = one_of(&mut self.rng, &[1, 2, 3, 10, 1000]);
        let builder = Requester::builder().max_under_way(self.most);
        let dealer = sockets::dealer(&context, &self.plan.settings);
        let requester = builder.build(dealer);
        self.requester = Some(requester.expect("it runs in a runtime"));
        (self.written, self.begun, self.is_closed) = (0, 0, false);
        self.note("open", self.most as u64, "has a requester");
        for peer in self.plan.connects.clone() {
            self.connect(peer);
        }
        if self.plan.binds {
            self.bind().await;
        }
    }

    fn connect(&self, peer: u8) {
        if let Err(error) = self.requester().connect(Endpoint::from(address(peer))) {
            self.fail(format_args!("connect to host {peer}: {error}"));
        }
    }

    /// Binds, when the socket before has let go of the address.
    async fn bind(&mut self) {
        let at = Endpoint::from(address(self.plan.host));
        let requester = self.requester().clone();
        for _ in 0..2000 {
            match requester.bind(at.clone()).await {
                Ok(_) => return,
                Err(BindError::AddressInUse { .. }) => {}
                Err(error) => return self.fail(format_args!("bind: {error}")),
            }
            sleep(Duration::from_millis(1)).await;
        }
        self.fail("the address does not become free");
    }

    /// One turn while things go wrong.
    async fn turn(&mut self) {
        if self.plan.restless > 0 && self.rng.random_ratio(1, self.plan.restless) {
            self.do_something_unusual().await;
        }
        match self.rng.random_range(0..10) {
            0..4 if self.asked.len() < MOST => self.ask().await,
            0..7 => {
                let time = Duration::from_millis(self.rng.random_range(0..40));
                self.settle(time).await;
            }
            7 => self.give_up(),
            8 => self.audit(),
            _ => {
                // Nobody polls them meanwhile, and none holds up another.
                let longest = self.plan.pause.as_millis() as u64;
                let pause = self.rng.random_range(1..=longest);
                sleep(Duration::from_millis(pause)).await;
            }
        }
    }

    fn write(&mut self, spread: Spread) -> (Name, Message) {
        let name = Name {
            host: self.plan.host,
            life: self.life,
            number: self.written,
        };
        self.written += 1;
        let frames = self.rng.random_range(1..=3);
        let sizes: Vec<usize> = (0..frames)
            .map(|_| match self.rng.random_range(0..20) {
                0 if !self.plan.small => self.rng.random_range(3000..=20_000),
                1..4 => self.rng.random_range(100..=1000),
                _ => self.rng.random_range(0..=80),
            })
            .collect();
        self.shared.book.write(name, spread);
        (name, letter::write(name, &sizes, &mut self.rng))
    }

    /// Begins a request.
    async fn ask(&mut self) {
        let retries = one_of(&mut self.rng, &[0, 0, 0, 1, 3]);
        let limit = one_of(
            &mut self.rng,
            &[None, Some(1), Some(20), Some(200), Some(2000)],
        );
        let spread = match retries {
            0 => Spread::One,
            _ => Spread::Repeated,
        };
        let (name, question) = self.write(spread);
        let handle = self.requester().clone();
        let request = handle
            .request(question.clone())
            .timeout(limit.map(Duration::from_millis))
            .retries(retries);
        let mut asked = Asked {
            name,
            question,
            request: Box::pin(request),
        };
        self.shared.book.sent(name, None);
        self.begun += 1;
        let polled = poll_fn(|cx| Poll::Ready(asked.request.as_mut().poll(cx))).await;
        match polled {
            Poll::Ready(outcome) => self.take(&asked.name, &asked.question, outcome),
            Poll::Pending => self.asked.push(asked),
        }
    }

    /// Drops a request, wherever it is.
    fn give_up(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let at = self.rng.random_range(0..self.asked.len());
        let asked = self.asked.swap_remove(at);
        let number = asked.name.number;
        self.note("give up", number.into(), "gives a request up");
    }

    /// Waits for so long, or until one is over.
    async fn settle(&mut self, time: Duration) {
        let mut over = Vec::new();
        let first = match self.asked.len() {
            0 => 0,
            all => self.rng.random_range(0..all),
        };
        let asked = &mut self.asked;
        asked.rotate_left(first);
        let one = poll_fn(|cx| {
            let mut at = 0;
            while at < asked.len() {
                match asked[at].request.as_mut().poll(cx) {
                    Poll::Ready(outcome) => over.push((asked.remove(at), outcome)),
                    Poll::Pending => at += 1,
                }
            }
            match over.is_empty() {
                true => Poll::Pending,
                false => Poll::Ready(()),
            }
        });
        let _ = timeout(time, one).await;
        for (asked, outcome) in over {
            self.take(&asked.name, &asked.question, outcome);
        }
    }

    /// A request is over.
    fn take(&self, name: &Name, question: &Message, outcome: Outcome) {
        match outcome {
            Ok(answer) if answer == *question => {
                let by = (self.plan.host, self.life);
                self.shared.book.received(*name, by, 1, None);
            }
            Ok(answer) => {
                let other = letter::read(&answer);
                self.fail(format_args!("{name} has the answer of {other:?}"));
            }
            Err(RequestError::Timeout { .. } | RequestError::Unsent { .. }) => {}
            Err(RequestError::Closed) if self.is_closed => {}
            Err(error) => self.fail(format_args!("{name} has no answer: {error}")),
        }
    }

    /// All requests are in one place, and the counters are what was on the network.
    fn audit(&self) {
        let requester = self.requester();
        let counted = requester.statistics();
        let RequesterStatistics {
            waiting,
            under_way,
            answered,
            timed_out,
            cancelled,
            failed,
            late,
            unasked,
            ..
        } = counted;
        let there = waiting + under_way;
        let sum = there as u64 + answered + timed_out + cancelled + failed;
        if sum != self.begun {
            let begun = self.begun;
            self.fail(format_args!("{begun} requests were begun: {counted:?}"));
        }
        if under_way > self.most || there > self.asked.len() {
            let (most, asked) = (self.most, self.asked.len());
            self.fail(format_args!(
                "{most} may be under way of {asked}: {counted:?}"
            ));
        }
        let Some(stats) = requester.stats() else {
            return;
        };
        if stats.dropped.discarded != late + unasked {
            self.fail(format_args!("{counted:?}, and {:?}", stats.dropped));
        }
        let totals = self.shared.network.totals(self.plan.host, self.life.into());
        if !self.shared.encrypted && stats.sent.messages != totals.written {
            let (sent, written) = (stats.sent.messages, totals.written);
            self.fail(format_args!("{sent} sent, and {written} written"));
        }
    }

    async fn do_something_unusual(&mut self) {
        self.audit();
        match self.rng.random_range(0..6) {
            0 => {
                // With the last handle and the last request, in either order.
                if self.rng.random() {
                    self.asked.clear();
                }
                self.requester = None;
                self.asked.clear();
            }
            1 => self.close().await,
            2 => self.drain().await,
            3 => {
                self.shared.network.crash(self.plan.host);
                self.requester()
                    .with(|dealer| dealer.set_linger(Some(Duration::ZERO)));
                self.requester = None;
                self.asked.clear();
                let pause = Duration::from_millis(self.rng.random_range(0..800));
                sleep(pause).await;
                self.shared.network.restart(self.plan.host);
            }
            4 if !self.plan.connects.is_empty() => {
                let peer = one_of(&mut self.rng, &self.plan.connects);
                self.note("reconnect", peer.into(), "disconnects, and connects again");
                let from = Endpoint::from(address(peer));
                if let Err(error) = self.requester().disconnect(from) {
                    self.fail(format_args!("disconnect: {error}"));
                }
                return self.connect(peer);
            }
            _ => {
                let pause = self.rng.random_range(0..600);
                return sleep(Duration::from_millis(pause)).await;
            }
        }
        self.note("restart", 0, "makes itself another requester");
        self.life += 1;
        self.begin().await;
    }

    /// Closes it: whoever has no answer is told at once.
    async fn close(&mut self) {
        let requester = self.requester().clone();
        let before = requester.statistics();
        self.is_closed = true;
        let linger = self.plan.settings.linger;
        let Ok(report) = timeout(linger + AFTER, requester.close()).await else {
            return self.fail("a close takes longer than it lingers");
        };
        if report.unanswered != before.waiting + before.under_way {
            self.fail(format_args!("{report:?}, of {before:?}"));
        }
        self.expect_all_over().await;
        self.audit();
        if !matches!(requester.request("?").await, Err(RequestError::Closed)) {
            self.fail("a closed requester takes a request");
        }
    }

    /// Drains it: what is asked is answered, or its time is over.
    async fn drain(&mut self) {
        let limit = Duration::from_millis(one_of(&mut self.rng, &[0, 20, 300]));
        self.note("drain", limit.as_millis() as u64, "drains its requester");
        let requester = self.requester().clone();
        // What is not polled has no time limit: so they are, meanwhile.
        self.is_closed = true;
        let until = Instant::now() + limit + self.plan.settings.linger + AFTER;
        let draining = tokio::spawn(async move { requester.drain(limit).await });
        while !draining.is_finished() && Instant::now() < until {
            self.settle(Duration::from_millis(5)).await;
        }
        if !draining.is_finished() {
            draining.abort();
            return self.fail(format_args!("a drain within {limit:?} takes longer"));
        }
        self.expect_all_over().await;
    }

    /// Nothing is left to wait for.
    async fn expect_all_over(&mut self) {
        self.settle(Duration::from_millis(1)).await;
        if !self.asked.is_empty() {
            let left = self.asked.len();
            self.asked.clear();
            self.fail(format_args!("{left} requests of a closed requester wait"));
        }
    }

    /// A request that must be answered.
    async fn ask_in_peace(&mut self) {
        let (name, question) = self.write(Spread::One);
        let request = self.requester().request(question.clone()).timeout(None);
        self.shared.book.sent(name, Some(2));
        self.begun += 1;
        match timeout(PATIENCE, request).await {
            Err(_) => self.fail(format_args!("{name} waits for ever")),
            Ok(outcome @ Ok(_)) => self.take(&name, &question, outcome),
            Ok(Err(error)) => self.fail(format_args!("{name} has no answer: {error}")),
        }
        let pause = self.rng.random_range(0..40);
        sleep(Duration::from_millis(pause)).await;
    }

    async fn finish(mut self) {
        self.audit();
        let requester = self.requester().clone();
        let counted = self.requester().statistics();
        if counted.waiting + counted.under_way > 0 {
            self.fail(format_args!(
                "places are taken, and nobody asks: {counted:?}"
            ));
        }
        match self.rng.random_range(0..3) {
            0 => self.requester = None,
            1 => {
                let _report = requester.close().await;
            }
            _ => {
                // There is nothing to wait for.
                let draining = requester.drain(PATIENCE);
                let most = self.plan.settings.linger + AFTER;
                if timeout(most, draining).await.is_err() {
                    self.fail("an idle requester drains for long");
                }
            }
        }
    }
}
