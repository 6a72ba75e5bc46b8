//! Worlds of relays: publishers, proxies in a chain, and subscribers that change their minds by the dozen while
//! publications flow.
//!
//! ```text
//! publishers ──► XSUB proxy XPUB ──► (XSUB proxy XPUB ──►) subscribers
//! ```
//! Whatever has happened, each publisher ends up with the topics of the subscribers that are there, and no other.

mod doors;
mod joined;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use parking_lot::Mutex;
use purezmq::options::{OptionId, Options};
use purezmq::{AnySocket, Context, Endpoint, SocketType};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::time::{sleep, timeout};

use self::joined::Form;
use crate::book::Spread;
use crate::letter::{self, Name};
use crate::network::{Host, address};
use crate::node::{Shared, Stage};
use crate::plan::one_of;

/// Distinct topics.
const TOPICS: u32 = 40;

/// How long a publisher may take to know what is subscribed to, when all is well.
const SETTLING: Duration = Duration::from_secs(10);

/// Which hosts there are, and how the relays are made.
#[derive(Clone, Debug)]
pub(crate) struct Relays {
    publishers: Vec<u8>,
    /// Each with a host for its XSUB and one for its XPUB.
    chain: Vec<(u8, u8)>,
    subscribers: Vec<u8>,
    form: Form,
    /// What a relay's XPUB keeps.
    recv_hwm: usize,
    send_hwm: usize,
    /// Publications that come at once, now and then.
    flood: u32,
    no_drop: bool,
    verboser: bool,
    /// Publishers bind, and the first relay connects.
    publishers_bind: bool,
    /// Publishers read what is subscribed to.
    publishers_read: bool,
    /// Subscribers are XSUB.
    extended: bool,
    /// Of so many turns of a relay or subscriber, one is a restart. 0: none.
    restless: u32,
}

impl Relays {
    pub(crate) fn draw(rng: &mut SmallRng) -> Self {
        let mut hosts = 1..;
        let mut take = |count: usize| hosts.by_ref().take(count).collect::<Vec<u8>>();
        let publishers = take(rng.random_range(1..=2));
        let relays = rng.random_range(1..=2);
        let chain = (0..relays)
            .map(|_| {
                let two = take(2);
                (two[0], two[1])
            })
            .collect();
        let subscribers = take(rng.random_range(1..=4));
        // An XSUB tells every subscription and the last end only (R-SUB-3), so only the last XPUB may tell all.
        let verboser = relays == 1 && rng.random_ratio(1, 3);
        Relays {
            publishers,
            chain,
            subscribers,
            form: one_of(
                rng,
                &[Form::Function, Form::Steered, Form::Written, Form::Halves],
            ),
            recv_hwm: one_of(rng, &[1, 2, 5, 30, 1000]),
            send_hwm: one_of(rng, &[10, 10, 1000]),
            flood: one_of(rng, &[5, 40, 300]),
            no_drop: rng.random_ratio(1, 4),
            verboser,
            publishers_bind: rng.random(),
            publishers_read: rng.random(),
            extended: rng.random(),
            restless: one_of(rng, &[0, 30, 200]),
        }
    }

    pub(crate) fn hosts(&self) -> u8 {
        self.subscribers.last().copied().unwrap_or_default()
    }

    /// What runs on the hosts.
    pub(crate) fn actors(
        &self,
        shared: &Arc<Shared>,
        rng: &mut SmallRng,
    ) -> Vec<BoxFuture<'static, ()>> {
        let wanted: Arc<Wanted> = Arc::default();
        let mut make = |host| Relay {
            plan: self.clone(),
            shared: shared.clone(),
            wanted: wanted.clone(),
            rng: SmallRng::seed_from_u64(rng.random()),
            host,
            life: 0,
        };
        let mut actors: Vec<BoxFuture<'static, ()>> = Vec::new();
        for &host in &self.publishers {
            actors.push(Box::pin(make(host).publish()));
        }
        for at in 0..self.chain.len() {
            actors.push(Box::pin(make(self.chain[at].0).relay(at)));
        }
        for &host in &self.subscribers {
            actors.push(Box::pin(make(host).subscribe()));
        }
        actors
    }
}

/// What each subscriber that is there has subscribed to, and how often.
#[derive(Default)]
struct Wanted(Mutex<BTreeMap<u8, BTreeMap<String, u32>>>);

impl Wanted {
    fn all(&self) -> BTreeSet<String> {
        let wanted = self.0.lock();
        wanted
            .values()
            .flat_map(|its| its.keys().cloned())
            .collect()
    }

    /// How many subscribers want what begins so.
    fn count(&self, topic: &str) -> usize {
        let wanted = self.0.lock();
        let wants = |its: &&BTreeMap<String, u32>| its.keys().any(|one| topic.starts_with(one));
        wanted.values().filter(wants).count()
    }
}

/// One host of such a world.
struct Relay {
    plan: Relays,
    shared: Arc<Shared>,
    wanted: Arc<Wanted>,
    rng: SmallRng,
    host: u8,
    life: u8,
}

fn at(host: u8) -> Endpoint {
    Endpoint::from(address(host))
}

/// The topic with this number: some begin with others.
fn topic(number: u32) -> String {
    format!("t{number}")
}

impl Relay {
    fn stage(&self) -> Stage {
        self.shared.stages.now()
    }

    fn fail(&self, why: impl std::fmt::Display) {
        self.shared.world.fail(format!("host {}: {why}", self.host));
    }

    fn note(&self, what: &'static str, number: u64, words: &str) {
        let host = self.host;
        let numbers = [host.into(), self.life.into(), number];
        self.shared
            .world
            .note(what, numbers, || format!("host {host} {words}"));
    }

    fn open(&self, host: u8, kind: SocketType, change: impl FnOnce(&mut Options)) -> AnySocket {
        let context = Context::simulated(Arc::new(Host {
            network: self.shared.network.clone(),
            number: host,
            life: self.life.into(),
        }));
        let mut options = Options::of(kind);
        set(
            &mut options,
            "reconnect_interval",
            Duration::from_millis(50),
        );
        set(
            &mut options,
            "reconnect_interval_max",
            Duration::from_millis(400),
        );
        set(&mut options, "connect_timeout", Duration::from_secs(1));
        set(&mut options, "handshake_timeout", Duration::from_secs(2));
        set(&mut options, "linger", Duration::ZERO);
        change(&mut options);
        AnySocket::with_options(kind, &context, options).expect("the options are right")
    }

    async fn bind(&self, socket: &mut AnySocket, host: u8) {
        for _ in 0..2000 {
            if socket.bind(at(host)).await.is_ok() {
                return;
            }
            sleep(Duration::from_millis(1)).await;
        }
        self.fail("the address does not become free");
    }

    /// A while, or until the trouble is over.
    async fn pause(&mut self, longest: u64) {
        let time = Duration::from_millis(self.rng.random_range(0..=longest));
        tokio::select! {
            biased;
            () = self.shared.stages.end_of(Stage::Chaos) => {}
            () = sleep(time) => {}
        }
    }

    fn is_restless(&mut self) -> bool {
        self.plan.restless > 0 && self.rng.random_ratio(1, self.plan.restless)
    }

    /// Publishes, and then sees to it that it knows who wants what.
    async fn publish(mut self) {
        let kind = if self.plan.publishers_read {
            SocketType::XPub
        } else {
            SocketType::Pub
        };
        let send_hwm = self.plan.send_hwm;
        let mut socket = self.open(self.host, kind, |options| {
            set(options, "send_hwm", send_hwm)
        });
        if self.plan.publishers_bind {
            self.bind(&mut socket, self.host).await;
        } else {
            let to = at(self.plan.chain[0].0);
            socket.connect(to).expect("it can be connected");
        }
        let mut known = BTreeSet::new();
        let mut number = 0;
        while self.stage() == Stage::Chaos {
            for _ in 0..one_of(&mut self.rng, &[1, 1, 5, self.plan.flood]) {
                self.send(&mut socket, &mut number, None).await;
            }
            hear(&mut socket, &mut known);
            self.pause(50).await;
        }
        self.shared.stages.end_of(Stage::Heal).await;
        let settled = timeout(SETTLING, async {
            loop {
                hear(&mut socket, &mut known);
                let wanted = self.wanted.all();
                if wanted.is_empty() && !self.plan.publishers_bind {
                    // Who reconnects and wants nothing says nothing.
                    return;
                }
                let is_known = !self.plan.publishers_read || known == wanted;
                if is_known && socket.topics_count() == wanted.len() {
                    return;
                }
                sleep(Duration::from_millis(50)).await;
            }
        });
        if settled.await.is_err() {
            let wanted = self.wanted.all();
            let lost = wanted.difference(&known).count();
            let kept = known.difference(&wanted).count();
            let count = socket.topics_count();
            self.fail(format_args!(
                "{} topics are wanted, and {count} known; of {} told, {kept} are not wanted, and {lost} are missing",
                wanted.len(),
                known.len()
            ));
        }
        for _ in 0..5 {
            let name = topic(self.rng.random_range(0..TOPICS));
            let due = self.wanted.count(&name);
            self.send(&mut socket, &mut number, Some((name, due))).await;
            sleep(Duration::from_millis(50)).await;
        }
        self.shared.stages.is_through();
        self.shared.stages.end_of(Stage::Quiet).await;
        socket.close().await;
    }

    /// Sends a message of some topic, to nobody in particular, or of this one, to so many.
    async fn send(
        &mut self,
        socket: &mut AnySocket,
        number: &mut u32,
        certain: Option<(String, usize)>,
    ) {
        let name = Name {
            host: self.host,
            life: self.life,
            number: *number,
        };
        *number += 1;
        let size = self.rng.random_range(0..50);
        let mut message = letter::write(name, &[size], &mut self.rng);
        let (topic, due) = match certain {
            Some((topic, due)) => (topic, Some(due)),
            None => (topic(self.rng.random_range(0..TOPICS)), None),
        };
        message.push_front(topic);
        self.shared.book.write(name, Spread::All);
        match timeout(Duration::from_secs(5), socket.send(message)).await {
            Ok(Ok(())) => self.shared.book.sent(name, due),
            Ok(Err(error)) => self.fail(format_args!("send: {error}")),
            Err(_) => self.fail("a publisher's send waits"),
        }
    }

    /// Runs a proxy, and now and then another one in its place.
    async fn relay(mut self, place: usize) {
        self.shared.stages.is_through();
        while self.stage() < Stage::End {
            let (front_host, back_host) = self.plan.chain[place];
            let mut front = self.open(front_host, SocketType::XSub, |_| {});
            let plan = &self.plan;
            let mut back = self.open(back_host, SocketType::XPub, |options| {
                set(options, "recv_hwm", plan.recv_hwm);
                set(options, "send_hwm", plan.send_hwm);
                set(options, "no_drop", plan.no_drop);
                set(options, "verboser", plan.verboser);
            });
            self.bind(&mut back, back_host).await;
            if place > 0 {
                let before = at(self.plan.chain[place - 1].1);
                front.connect(before).expect("it can be connected");
            } else if self.plan.publishers_bind {
                for &publisher in &self.plan.publishers {
                    front.connect(at(publisher)).expect("it can be connected");
                }
            } else {
                self.bind(&mut front, front_host).await;
            }
            let shared = self.shared.clone();
            let stages = &shared.stages;
            let mut restart = Duration::from_secs(1000);
            if self.stage() == Stage::Chaos && self.plan.restless > 0 {
                restart = Duration::from_millis(self.rng.random_range(0..2000));
            }
            let over = async {
                tokio::select! {
                    biased;
                    () = stages.end_of(Stage::Chaos) => {
                        stages.end_of(Stage::Heal).await;
                        stages.end_of(Stage::Quiet).await;
                    }
                    () = sleep(restart) => {}
                }
            };
            let moving = self
                .plan
                .form
                .join(front, back, self.rng.random(), &self.shared);
            tokio::select! {
                biased;
                () = over => {}
                () = moving => self.fail("a proxy has ended"),
            }
            self.note("relay", place as u64, "has another proxy, or none any more");
            self.life += 1;
        }
    }

    /// Subscribes to this and that, takes it back, and leaves without a word.
    async fn subscribe(mut self) {
        let kind = if self.plan.extended {
            SocketType::XSub
        } else {
            SocketType::Sub
        };
        let last = self.plan.chain[self.plan.chain.len() - 1].1;
        let mut socket = self.open(self.host, kind, |_| {});
        socket.connect(at(last)).expect("it can be connected");
        self.wanted.0.lock().insert(self.host, BTreeMap::new());
        while self.stage() == Stage::Chaos {
            if self.is_restless() {
                self.note("restart", 0, "is another subscriber");
                self.wanted.0.lock().insert(self.host, BTreeMap::new());
                drop(socket);
                self.pause(200).await;
                self.life += 1;
                socket = self.open(self.host, kind, |_| {});
                socket.connect(at(last)).expect("it can be connected");
            }
            match self.rng.random_range(0..4) {
                0 => self.change(&mut socket, true),
                1 => self.change(&mut socket, false),
                2 => self.pause(60).await,
                _ => {
                    let time = Duration::from_millis(self.rng.random_range(0..20));
                    let _ = timeout(time, async {
                        loop {
                            self.receive(&mut socket).await;
                        }
                    })
                    .await;
                }
            }
        }
        self.shared.stages.is_through();
        let shared = self.shared.clone();
        let stages = &shared.stages;
        while self.stage() < Stage::End {
            let now = self.stage();
            tokio::select! {
                biased;
                () = self.receive(&mut socket) => {}
                () = stages.end_of(now) => {}
            }
        }
        socket.close().await;
    }

    async fn receive(&mut self, socket: &mut AnySocket) {
        let message = match socket.recv().await {
            Ok(message) => message,
            Err(error) => {
                self.fail(format_args!("recv: {error}"));
                return sleep(Duration::from_millis(20)).await;
            }
        };
        let mut letter = message;
        letter.pop_front();
        match letter::read(&letter) {
            Ok(name) => {
                let by = (self.host, self.life);
                self.shared.book.received(name, by, usize::MAX, None);
            }
            Err(why) => self.fail(format_args!("received {why}")),
        }
    }

    /// A storm: up to a few dozen subscriptions, or their ends.
    fn change(&mut self, socket: &mut AnySocket, begin: bool) {
        let mut wanted = self.wanted.0.lock();
        let its = wanted.entry(self.host).or_default();
        let count = one_of(&mut self.rng, &[1, 3, 30, 60]);
        for _ in 0..count {
            let topic = topic(self.rng.random_range(0..TOPICS));
            if begin {
                // A repeated subscription is told, and its end is not (R-SUB-3), so those who hear all would count wrong.
                if !(self.plan.verboser && its.contains_key(&topic)) {
                    socket.subscribe(&topic);
                    *its.entry(topic).or_default() += 1;
                }
            } else if let Some(times) = its.get_mut(&topic) {
                socket.unsubscribe(&topic);
                *times -= 1;
                if *times == 0 {
                    its.remove(&topic);
                }
            }
        }
        drop(wanted);
        self.note("topics", count, "changes its mind");
    }
}

fn set(options: &mut Options, name: &str, value: impl Into<purezmq::options::Value>) {
    let id = OptionId::by_name(name).expect("an option");
    options
        .set(id, value.into())
        .expect("the options are within their ranges");
}

/// Hears what an XPUB is told.
fn hear(socket: &mut AnySocket, known: &mut BTreeSet<String>) {
    while let Ok(notice) = socket.try_recv() {
        if let Some([what, topic @ ..]) = notice.first() {
            let topic = String::from_utf8_lossy(topic).into_owned();
            if *what == 1 {
                known.insert(topic);
            } else {
                known.remove(&topic);
            }
        }
    }
}
