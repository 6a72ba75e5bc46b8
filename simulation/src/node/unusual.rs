//! What applications do now and then: restart, connect elsewhere, sleep, change their minds; and how they end.

use std::time::Duration;

use purezmq::SocketType;
use rand::Rng;
use tokio::time::{Instant, sleep, timeout};

use super::calls::patiently;
use super::{Actor, Place, Stage, TOPICS};
use crate::plan::mark;
use crate::sockets::Socket;

impl Actor {
    pub(super) async fn do_something_unusual(&mut self) {
        match self.rng.random_range(0..14) {
            13 => self.drain().await,
            12 => self.be_away().await,
            10 | 11 if self.home.is_some() => self.end_runtime().await,
            9 => self.change_marks(),
            8 => self.divide(),
            0 => self.restart().await,
            1 => self.crash().await,
            2 => self.connect_anew().await,
            3 => self.bind_anew().await,
            4 | 5 if self.is_subscriber() => self.change_topics(),
            6 | 7 if self.plan.kind == SocketType::Stream => self.close_someone(),
            _ => {
                // Nothing is read meanwhile.
                let pause = self.rng.random_range(0..600);
                self.note("pause", pause, "does nothing for a while");
                self.rest(Duration::from_millis(pause)).await;
            }
        }
    }

    /// Sleeps until the time is over, or the trouble.
    async fn rest(&mut self, time: Duration) {
        tokio::select! {
            biased;
            () = self.shared.stages.end_of(Stage::Chaos) => {}
            () = sleep(time) => {}
        }
    }

    /// Another socket takes the place of this one, which is closed in one of several ways.
    async fn restart(&mut self) {
        self.audit();
        self.note("restart", 0, "makes itself another socket");
        let Some(socket) = self.socket.take() else {
            return;
        };
        match self.rng.random_range(0..4) {
            3 => self.close_in_time(socket).await,
            0 => drop(socket),
            1 => self.close(socket).await,
            _ => {
                let polls = self.rng.random_range(1..4);
                let closing = socket.together().close();
                patiently(polls, Duration::from_millis(10), closing).await;
            }
        }
        self.life += 1;
        self.begin().await;
    }

    /// The host loses power, and comes back after a while.
    async fn crash(&mut self) {
        self.audit();
        self.shared.network.crash(self.plan.host);
        if let Some(socket) = self.socket.take() {
            socket.together().set_linger(Duration::ZERO);
        }
        let pause = self.rng.random_range(0..800);
        self.rest(Duration::from_millis(pause)).await;
        self.shared.network.restart(self.plan.host);
        self.life += 1;
        self.begin().await;
    }

    /// Disconnects from a peer and connects again.
    async fn connect_anew(&mut self) {
        if self.plan.connects.is_empty() {
            return;
        }
        let peer = self.plan.connects[self.rng.random_range(0..self.plan.connects.len())];
        self.note("reconnect", peer.into(), "disconnects, and connects again");
        self.let_go(Place::Peer(peer)).await;
        self.connect(peer);
    }

    /// Lets go of one of its endpoints, goes on for a while, and comes back.
    async fn be_away(&mut self) {
        if self.shared.inproc.is_some() || self.known.places.is_empty() {
            return;
        }
        let at = self.rng.random_range(0..self.known.places.len());
        let mut places = self.known.places.iter().copied();
        let place = places.nth(at).expect("there are so many");
        self.note("away", at as u64, "lets go of an endpoint for a while");
        self.socket = self.socket.take().map(Socket::together);
        self.let_go(place).await;
        for _ in 0..self.rng.random_range(0..6) {
            if self.rng.random() {
                self.send().await;
            } else {
                self.receive().await;
            }
        }
        self.make(place).await;
    }

    /// Other high-water marks, at once.
    pub(super) fn change_marks(&mut self) {
        let settings = &mut self.plan.settings;
        (settings.send_hwm, settings.recv_hwm) = (mark(&mut self.rng), mark(&mut self.rng));
        settings.keep_what_is_heard(self.plan.kind);
        let (send, recv) = (settings.send_hwm, settings.recv_hwm);
        self.note("marks", send as u64, "has other high-water marks");
        self.note("marks", recv as u64, "for sending, and these for receiving");
        self.socket = self.socket.take().map(Socket::together);
        let settings = self.plan.settings.clone();
        self.socket().set_marks(&settings);
        self.note_marks();
    }

    /// Halves the socket, or puts it together again.
    fn divide(&mut self) {
        let is_divided: bool = self.rng.random();
        self.note(
            "divide",
            is_divided.into(),
            "has halves, or has them no more",
        );
        self.socket = self.socket.take().map(|socket| {
            if is_divided {
                socket.apart()
            } else {
                socket.together()
            }
        });
    }

    /// An inproc connection does not come back when its binder does ([R-INP-4]): the application sees to it, once
    /// nobody restarts any more.
    ///
    /// [R-INP-4]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-inp-4
    pub(super) fn mend(&mut self) {
        let is_time = Instant::now() >= self.mend_at;
        if self.shared.inproc.is_none() || self.is_mended || !is_time {
            return;
        }
        self.is_mended = true;
        for peer in self.plan.connects.clone() {
            let from = self.endpoint_of(peer);
            // One that has ended by itself is not there any more.
            let _ = self.socket().disconnect(from);
            self.connect(peer);
        }
    }

    /// Unbinds and binds again.
    async fn bind_anew(&mut self) {
        if !self.plan.binds {
            return;
        }
        self.socket = self.socket.take().map(Socket::together);
        self.note("rebind", 0, "unbinds, and binds again");
        self.let_go(Place::Own).await;
        self.bind().await;
    }

    /// Subscribes to something, or to something no more.
    pub(super) fn change_topics(&mut self) {
        let topic = TOPICS[self.rng.random_range(0..TOPICS.len())];
        self.note("topic", topic.len() as u64, topic);
        match self.topics.iter().position(|one| *one == topic) {
            // A group is joined once.
            Some(at) if self.plan.kind == SocketType::Dish || self.rng.random() => {
                self.topics.remove(at);
                self.socket().unsubscribe(topic);
            }
            _ => {
                self.topics.push(topic);
                self.socket().subscribe(topic);
            }
        }
        let mut topics = self.shared.topics.lock();
        topics.insert(self.plan.host, self.topics.clone());
    }

    /// All is well from now on: a REQ asks again and again, because it reads only then what has piled up, and behind
    /// that, which connections have ended. One whose answer is lost for good, and that may not ask again, begins anew.
    pub(super) async fn recover(&mut self) {
        if self.plan.kind != SocketType::Req {
            return;
        }
        let time = Duration::from_secs(1);
        let is_strict = !self.plan.settings.relaxed;
        while self.stage() == Stage::Heal {
            if is_strict && self.asking {
                self.get_answer_or_restart(time).await;
            }
            self.mend();
            self.renew_all().await;
            let letter = self.letter(false);
            // Its last endpoint may go while it waits.
            let sending = self.socket().send(None, letter.message);
            if let Ok(Ok(())) = timeout(time, sending).await {
                self.accepted += 1;
                self.asking = true;
                self.shared.book.sent(letter.name, None);
                let _ = timeout(time, self.receive_one()).await;
            }
            sleep(time / 2).await;
        }
        if is_strict && self.asking {
            self.get_answer_or_restart(time).await;
        }
    }

    async fn get_answer_or_restart(&mut self, time: Duration) {
        if timeout(time, self.receive_one()).await.is_err() {
            self.restart().await;
        }
    }

    /// Closes the socket: nothing is to be left.
    pub(super) async fn finish(&mut self) {
        self.audit();
        self.audit_at_rest();
        self.watch();
        let Some(socket) = self.socket.take() else {
            return;
        };
        if self.rng.random() {
            drop(socket);
        } else {
            self.close(socket).await;
        }
        self.hear_out().await;
    }
}
