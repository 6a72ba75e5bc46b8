//! Sending and receiving, with little patience: a call that waits is dropped after a few polls or milliseconds, and
//! has then done nothing.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use purezmq::{Frame, Message, RecvError, SendError, SocketType};
use rand::Rng;
use tokio::time::sleep;

use super::{Actor, Stage};
use crate::hostile::{self, Stamp, Who};
use crate::letter;
use crate::plan::Part;
use crate::sockets::{WELCOME, Whom};

/// Polls a future so often, and for so long, at most.
pub(super) async fn patiently<T>(
    mut polls: u32,
    time: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    let mut alarm = pin!(sleep(time));
    std::future::poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        polls -= 1;
        if polls == 0 {
            return Poll::Ready(None);
        }
        alarm.as_mut().poll(cx).map(|()| None)
    })
    .await
}

impl Actor {
    /// Sends something, if it can be sent soon.
    pub(super) async fn send(&mut self) {
        match self.plan.part {
            Part::Echo => self.send_back().await,
            _ => self.send_own().await,
        }
    }

    /// Whether it is to send something of its own now, if its part is to send.
    pub(super) fn may_send_own(&self) -> bool {
        let sends = match self.plan.part {
            Part::Sink | Part::Echo => false,
            Part::Both => self.plan.kind != SocketType::XSub || self.speaks_upstream(),
            Part::Source | Part::Asker | Part::Requester => true,
        };
        sends && self.stage() == Stage::Chaos && (!self.asking || self.plan.settings.relaxed)
    }

    async fn send_own(&mut self) {
        if !self.may_send_own() {
            return;
        }
        let letter = self.letter(true);
        if self.learns_whom() && letter.to.is_none() {
            self.unsent = Some(letter);
            return;
        }
        match self.send_now(letter.to.as_ref(), &letter.message).await {
            Sent::Yes => {
                self.asking = self.plan.kind == SocketType::Req;
                self.shared.book.sent(letter.name, None);
            }
            Sent::NotNow => self.unsent = Some(letter),
            Sent::Never => {}
        }
    }

    async fn send_back(&mut self) {
        let Some((to, message)) = self.echoes.pop_front() else {
            return;
        };
        match self.send_now(to.as_ref(), &message).await {
            Sent::Yes | Sent::Never => {}
            Sent::NotNow => self.put_back(to, message),
        }
    }

    async fn send_now(&mut self, to: Option<&Whom>, message: &Message) -> Sent {
        let message = message.clone();
        let sent = if self.rng.random_ratio(1, 3) {
            match self.socket().try_send(to, message) {
                Ok(()) => Ok(()),
                Err(error) if error.is_full() => return Sent::NotNow,
                Err(SendError::Gone { .. }) => {
                    self.expect_all_gone("try_send");
                    return Sent::NotNow;
                }
                Err(SendError::Unroutable { .. }) => return Sent::Never,
                Err(error) => Err(format!("{error:?}")),
            }
        } else {
            let polls = self.rng.random_range(1..8);
            let time = Duration::from_millis(self.rng.random_range(0..30));
            match patiently(polls, time, self.socket().send(to, message)).await {
                None => return Sent::NotNow,
                Some(Err(SendError::Gone { .. })) => {
                    self.expect_all_gone("send");
                    return Sent::NotNow;
                }
                Some(Err(SendError::Unroutable { .. })) => return Sent::Never,
                Some(sent) => sent.map_err(|error| format!("{error:?}")),
            }
        };
        match sent {
            Ok(()) => {
                self.accepted += 1;
                Sent::Yes
            }
            Err(error) => {
                self.fail(format_args!("send: {error}"));
                Sent::Never
            }
        }
    }

    /// Receives something, if it comes soon.
    pub(super) async fn receive(&mut self) {
        if self.has_enough_to_answer() {
            return sleep(Duration::from_millis(1)).await;
        }
        let polls = if self.stage() == Stage::Chaos {
            self.rng.random_range(1..8)
        } else {
            1000
        };
        let time = Duration::from_millis(self.rng.random_range(0..100));
        patiently(polls, time, self.receive_one()).await;
    }

    /// Receives one message; waits for ever if it is not this socket's turn.
    pub(super) async fn receive_one(&mut self) {
        let is_turn = match self.plan.kind {
            SocketType::Req => self.asking,
            SocketType::Rep => self.echoes.is_empty(),
            _ => true,
        };
        if !is_turn {
            return sleep(Duration::from_millis(20)).await;
        }
        let socket = self.socket.as_mut().expect("it is made in begin");
        match socket.recv().await {
            Ok((from, message)) => self.take(from, message),
            Err(RecvError::Gone(_)) => {
                self.expect_all_gone("recv");
                // The question went down with the endpoint.
                self.asking = false;
                sleep(Duration::from_millis(20)).await;
            }
            Err(error) => self.fail(format_args!("recv: {error}")),
        }
    }

    /// A message was received.
    pub(super) fn take(&mut self, from: Option<Whom>, message: Message) {
        if self.plan.kind == SocketType::Stream {
            return self.take_bytes(from, &message);
        }
        self.received += 1;
        self.asking = false;
        if self.plan.kind == SocketType::XPub
            && let Some([what @ (0 | 1), topic @ ..]) = message.first()
        {
            if self.plan.settings.manual {
                self.grant(*what == 1, topic);
            }
            return;
        }
        if let Some(stamp) = hostile::stamp_of(&message) {
            return self.take_hostile(&stamp, from, message);
        }
        let is_probe = self.plan.kind == SocketType::Router && message.iter().eq([b""; 1]);
        if is_probe || (self.is_subscriber() && message == WELCOME) {
            return;
        }
        let mut letter = message.clone();
        if self.plan.delimits {
            letter.pop_front();
        }
        let topic = if self.is_subscriber() {
            letter.pop_front()
        } else {
            None
        };
        if let (SocketType::Dish, Some(group)) = (self.plan.kind, &topic)
            && !self.topics.iter().any(|one| **group == *one.as_bytes())
        {
            self.fail(format_args!(
                "something for {group:?} came, which it has not joined"
            ));
        }
        if self.plan.enveloped {
            while letter.pop_front().is_some_and(|frame| !frame.is_empty()) {}
        }
        self.read(&letter, topic);
        if self.plan.part == Part::Echo {
            self.echoes.push_back((from, message));
        }
    }

    /// Enters a message that was received into the book.
    pub(super) fn read(&mut self, letter: &Message, topic: Option<Frame>) {
        match letter::read(letter) {
            Err(why) => self.fail(format_args!("received {why}")),
            Ok(name) => {
                let pipes = self.pipes_from(name.host);
                let is_by_topic = self.plan.settings.conflate_topics;
                let topic = topic
                    .filter(|_| is_by_topic)
                    .map(|topic| topic.as_slice().to_vec());
                let by = (self.plan.host, self.life);
                self.shared.book.received(name, by, pipes, topic);
            }
        }
    }

    /// A message of a hostile peer. Whoever answers answers it, too.
    fn take_hostile(&mut self, stamp: &Stamp, from: Option<Whom>, message: Message) {
        let is_asked = stamp.asks || self.plan.kind == SocketType::Rep;
        if self.plan.part == Part::Echo && is_asked {
            self.echoes.push_back((from, message));
        } else if self.plan.part == Part::Asker
            && stamp.asks
            && !stamp.is_of(&Who::honest(&self.plan))
        {
            self.fail(format_args!("the answer to {stamp:?} came"));
        }
    }

    /// Through how many pipes messages of a host's socket may have come.
    fn pipes_from(&self, host: u8) -> usize {
        let lasts = !self.plan.settings.immediate;
        if lasts && self.plan.connects.contains(&host) {
            // All connections share it.
            1
        } else if self.shared.inproc.is_some() {
            usize::MAX
        } else {
            let meetings = self.shared.network.meetings(host, self.plan.host);
            meetings.max(1) as usize
        }
    }

    /// A manual XPUB does what its subscriber has asked for.
    fn grant(&mut self, subscribes: bool, topic: &[u8]) {
        let topic = String::from_utf8_lossy(topic).into_owned();
        if subscribes {
            self.socket().subscribe(&topic);
        } else {
            self.socket().unsubscribe(&topic);
        }
    }

    /// Sends until there is no room: exactly as much as the high-water marks say, if nobody has been there to take
    /// any of it.
    pub(super) fn fill(&mut self) {
        let settings = &self.plan.settings;
        let is_plain = settings.send_hwm_bytes.is_none()
            && settings.send_ttl.is_none()
            && !settings.conflate
            && !settings.immediate
            && self.shared.inproc.is_none();
        let waits = matches!(
            self.plan.kind,
            SocketType::Push
                | SocketType::Scatter
                | SocketType::Dealer
                | SocketType::Pair
                | SocketType::Client
                | SocketType::Channel
        );
        if !is_plain || !waits || !(1..=100).contains(&settings.send_hwm) {
            return;
        }
        loop {
            let letter = self.letter(false);
            match self.socket().try_send(None, letter.message.clone()) {
                Ok(()) => {
                    self.accepted += 1;
                    self.shared.book.sent(letter.name, None);
                }
                Err(_) => {
                    self.unsent = Some(letter);
                    break;
                }
            }
        }
        let life = self.life.into();
        let written = self.shared.network.totals(self.plan.host, life).written;
        let due = self.plan.connects.len() * self.plan.settings.send_hwm;
        let is_alone = self.plan.connects.len() == self.plan.peers.len();
        if written == 0 && is_alone && self.accepted != due as u64 {
            self.fail(format_args!(
                "{} messages fit where {due} are to fit",
                self.accepted
            ));
        }
    }
}

enum Sent {
    Yes,
    NotNow,
    Never,
}
