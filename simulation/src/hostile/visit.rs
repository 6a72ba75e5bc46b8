//! The visits of one hostile peer, one after the other, and what it may be told in them.

use std::future::poll_fn;
use std::pin::Pin;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use purezmq::{Message, Network as _, SocketType, Stream};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{sleep, timeout};

use super::acts::Script;
use super::wire::{Reading, Role};
use super::{Hostile, Stamp, Who};
use crate::letter;
use crate::network::{Host, address};
use crate::node::{Shared, Stage};
use crate::sockets::WELCOME;

/// What it calls its lives, so that they are nobody's else.
const LIVES: u32 = 1_000_000;

/// How long it tries to say what it has to say.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

pub(super) struct Visitor {
    pub(super) plan: Hostile,
    pub(super) shared: Arc<Shared>,
    pub(super) rng: SmallRng,
    pub(super) visits: u32,
    who: Who,
    /// What it has subscribed to in this visit.
    topics: Vec<Vec<u8>>,
}

impl Visitor {
    pub(super) fn new(plan: Hostile, shared: Arc<Shared>, seed: u64) -> Self {
        Visitor {
            plan,
            shared,
            rng: SmallRng::seed_from_u64(seed),
            visits: 0,
            who: Who {
                user: None,
                name: None,
            },
            topics: Vec::new(),
        }
    }

    /// Comes again and again, until it has to be gone.
    pub(super) async fn run(mut self) {
        let shared = self.shared.clone();
        let stages = &shared.stages;
        let (stays, kind) = (self.plan.stays, self.plan.kind);
        let over = async {
            stages.end_of(Stage::Chaos).await;
            if stays {
                stages.end_of(Stage::Heal).await;
                stages.all_through().await;
                // A STREAM's honest peers get what is due to them while it is there.
                while kind == SocketType::Stream && shared.book.missing().0 > 0 {
                    sleep(Duration::from_millis(50)).await;
                }
            }
        };
        tokio::select! {
            biased;
            () = over => {}
            () = self.visit_for_ever() => {}
        }
        self.note("hostile", 0, "stays away");
    }

    pub(super) fn note(&self, what: &'static str, number: u64, words: &str) {
        let host = self.plan.host;
        let numbers = [host.into(), self.visits.into(), number];
        self.shared
            .world
            .note(what, numbers, || format!("host {host} {words}"));
    }

    pub(super) fn fail(&self, why: impl std::fmt::Display) {
        let Hostile { host, target, .. } = self.plan;
        let (visit, who) = (self.visits, &self.who);
        self.shared.world.fail(format!(
            "host {host}, hostile to host {target}, as {who} (visit {visit}): {why}"
        ));
    }

    async fn visit_for_ever(&mut self) {
        loop {
            let longest = self.plan.pause.as_millis() as u64;
            let pause = self.rng.random_range(1..=longest);
            sleep(Duration::from_millis(pause)).await;
            let Some(stream) = self.meet().await else {
                continue;
            };
            self.visits += 1;
            if self.plan.kind == SocketType::Stream {
                self.visit_stream(stream).await;
                continue;
            }
            self.who = self.plan.draw_who(&mut self.rng);
            let script = self.plan.draw_script(&mut self.rng, &self.who, self.visits);
            self.note("hostile", script.bytes.len() as u64, &{
                let (act, who) = (script.act, &self.who);
                let size = script.bytes.len();
                format!("comes as {who}: {act:?}, {size} bytes")
            });
            self.topics.clone_from(&script.topics);
            self.act(stream, &script).await;
        }
    }

    /// A connection with the target, or one that is meant for it.
    async fn meet(&mut self) -> Option<Stream> {
        let target = self.plan.target;
        let as_host = |number| Host {
            network: self.shared.network.clone(),
            number,
            life: LIVES + u32::from(self.plan.host),
        };
        if self.plan.waits {
            let host = as_host(target);
            let listening = host.bind(address(target)).ok()?;
            let accepting = poll_fn(|cx| listening.poll_accept(cx));
            let time = Duration::from_millis(self.rng.random_range(1..200));
            let accepted = timeout(time, accepting).await;
            drop(listening);
            let Ok(Ok((stream, _))) = accepted else {
                // Whose address it is may have it.
                sleep(Duration::from_millis(20)).await;
                return None;
            };
            return Some(stream);
        }
        let host = as_host(self.plan.host);
        let connecting = host.connect(address(target));
        timeout(PATIENCE, connecting).await.ok()?.ok()
    }

    /// Resets what it has of connections.
    pub(super) fn reset(&self) {
        let life = LIVES + u32::from(self.plan.host);
        self.shared.network.reset_of(life);
    }

    /// Says what there is to say, reads what comes meanwhile and for a while after that, and goes.
    async fn act(&self, mut stream: Stream, script: &Script) {
        let mut reading = Reading::default();
        let mut left: &[u8] = &script.bytes;
        let mut alarm = pin!(sleep(PATIENCE));
        let mut buffer = vec![0; 4096];
        let mut is_said = false;
        poll_fn(|cx| {
            while !left.is_empty() {
                match Pin::new(&mut stream).poll_write(cx, left) {
                    Poll::Ready(Ok(size)) => left = &left[size..],
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => break,
                }
            }
            if left.is_empty() && !is_said {
                is_said = true;
                let until = tokio::time::Instant::now() + script.stays;
                alarm.as_mut().reset(until);
            }
            loop {
                if !script.reads {
                    break;
                }
                let mut read = ReadBuf::new(&mut buffer);
                match Pin::new(&mut stream).poll_read(cx, &mut read) {
                    Poll::Ready(Ok(())) if !read.filled().is_empty() => {
                        for frames in reading.pass(read.filled()) {
                            self.judge(frames);
                        }
                    }
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => break,
                }
            }
            alarm.as_mut().poll(cx)
        })
        .await;
    }

    /// It was told something. What is another's it must not be told.
    fn judge(&self, frames: Vec<Vec<u8>>) {
        if self.plan.role == Role::Curve {
            return;
        }
        let plan = &self.plan;
        if let Some(stamp) = Stamp::of(frames.iter().map(Vec::as_slice)) {
            let is_own = stamp.from == (plan.host, self.visits);
            if plan.is_echo && !is_own && (plan.by_connection || !stamp.is_of(&self.who)) {
                self.fail(format_args!("the answer to {stamp:?} came"));
            }
            return;
        }
        let suffixes = (0..frames.len()).map(|at| Message::from(frames[at..].to_vec()));
        let Some(name) = suffixes.filter_map(|one| letter::read(&one).ok()).next() else {
            return self.judge_strange(&frames);
        };
        if plan.is_echo {
            let asker = plan.honest.iter().find(|(host, _)| *host == name.host);
            let is_it = asker.is_some_and(|(_, who)| *who == self.who);
            if plan.by_connection || !is_it {
                self.fail(format_args!("the answer to {name} came"));
            }
            return;
        }
        let is_radio = plan.kind == SocketType::Radio;
        let publishes = is_radio || matches!(plan.kind, SocketType::Pub | SocketType::XPub);
        let is_for_it = |topic: &Vec<u8>| match is_radio {
            true => frames[0] == *topic,
            false => frames[0].starts_with(topic),
        };
        if publishes && !plan.waits && !self.topics.iter().any(is_for_it) {
            self.fail(format_args!("{name} came, which it has not subscribed to"));
        }
        self.shared.book.taken_away(name, plan.host);
    }

    /// What is no message of an honest application.
    fn judge_strange(&self, frames: &[Vec<u8>]) {
        let is_subscription = matches!(frames[0].first(), Some(0 | 1));
        let is_known = frames[0].is_empty() || frames[0] == WELCOME.as_bytes();
        if !is_subscription && !is_known {
            self.fail(format_args!("nobody has sent {frames:?}"));
        }
    }
}
