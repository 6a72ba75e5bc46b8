//! Draining: tells the peer that the socket takes no new work, hears the same of the peer, and says when no more work goes
//! to it (`zmtp::Event::Drain`). All of it when the session goes to rest, and now and then while it is busy.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use zmtp::{Event, PeerInfo};

use super::Session;
use crate::pipe::{Coming, Rest, SessionPipe};
use crate::rules::{Rules, Work};
use crate::state::{Greeting, Shared};

/// How often a peer that is sent nothing more is told so again, while what it has sent is in front of its end and somebody
/// waits to send to the next connection. Nothing else would be written to it, and say that it has gone.
const AGAIN: Duration = Duration::from_secs(1);

/// What a session knows of it.
#[derive(Default)]
pub(super) struct Draining {
    /// The socket waits for this handshake, should it drain: the peer may take it for the beginning of work.
    pub(super) greeting: Option<Greeting>,
    /// The peer has come here. One that says its first word when the socket drains already is not let in: nobody would read
    /// what it sends once it is.
    comes: bool,
    /// The peer sends answers.
    peer_answers: bool,
    /// The socket does.
    answers: bool,
    /// The peer has been told, or cannot be.
    told: bool,
    /// The peer waits to hear that no more work comes.
    owes: bool,
    /// When the peer may be told again that no more work comes.
    again_at: Option<Instant>,
}

impl Draining {
    /// Returns whether there is something for the task, which nothing else wakes.
    pub(super) fn needs_task(&self) -> bool {
        self.owes
    }
}

impl Session {
    /// Notes that the peer has come here, before the handshake.
    pub(in crate::connection) fn comes(&mut self) {
        self.draining.comes = true;
    }

    /// Notes that the peer has spoken. `false`: it is too late for that.
    pub(super) fn has_spoken(&mut self, shared: &Shared) -> bool {
        let draining = &mut self.draining;
        if draining.greeting.is_none() {
            draining.greeting = shared.greeting(draining.comes);
        }
        draining.greeting.is_some()
    }

    /// Notes what the peer is.
    pub(super) fn meet(&mut self, shared: &Shared, info: &PeerInfo) {
        let peer = info.socket_type.and_then(Rules::of);
        self.draining.peer_answers = peer.is_some_and(|peer| peer.work == Work::Answers);
        self.draining.answers = shared.config.rules.work == Work::Answers;
    }

    /// Begins the traffic of a connection.
    pub(super) fn begin_drain(&mut self, shared: &Shared, pipe: &SessionPipe) {
        pipe.begin_drain(shared.state.draining.has_begun());
        self.draining.greeting = None;
    }

    /// Hears what has been read that is no message. Whoever has read it does so, before it takes the messages: the next call
    /// knows that the peer drains that has said so behind its answer.
    #[inline]
    pub(super) fn hear_drain(&mut self, pipe: &SessionPipe) {
        if self.engine.has_event() {
            self.hear_events(pipe);
        }
    }

    #[cold]
    fn hear_events(&mut self, pipe: &SessionPipe) {
        while let Some(event) = self.engine.poll_event() {
            match event {
                Event::Drain => {
                    pipe.peer_drains();
                    // Whoever answers cannot say that it has no answer left.
                    self.draining.owes = !self.draining.answers;
                }
                Event::Drained => pipe.set_coming(Coming::Nothing),
                _ => {}
            }
        }
    }

    /// Says and hears what is to be said and heard, and writes it.
    pub(super) fn poll_drain(
        &mut self,
        rest: &Rest,
        pipe: &SessionPipe,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let tells = rest.drains && !self.draining.told;
        if !self.engine.has_event() && !tells && !self.draining.owes {
            return Poll::Ready(Ok(()));
        }
        self.see_to_drain(tells, pipe);
        if self.mid_batch {
            return Poll::Pending;
        }
        self.poll_control(cx)
    }

    /// Returns when [`say_drained_again`](Self::say_drained_again) is due.
    pub(super) fn drained_again_at(&self) -> Option<Instant> {
        self.draining.again_at
    }

    /// Finds out whether a peer that drains is still there, if that is seen no other way.
    pub(super) fn say_drained_again(&mut self, now: Instant, pipe: &SessionPipe) {
        if self.draining.again_at.is_none_or(|due| due > now) {
            return;
        }
        self.draining.again_at = Some(now + AGAIN);
        if pipe.incoming.room() == 0 && pipe.outgoing.is_awaited() {
            self.engine.drained();
        }
    }

    #[cold]
    fn see_to_drain(&mut self, tells: bool, pipe: &SessionPipe) {
        self.hear_drain(pipe);
        if tells {
            self.draining.told = true;
            if !self.engine.drain() && !self.draining.peer_answers {
                pipe.set_coming(Coming::Perhaps);
            }
        }
        if self.draining.owes
            && self.batch.is_empty()
            && self.rest.is_none()
            && pipe.outgoing.unsent() == 0
        {
            self.draining.owes = false;
            self.draining.again_at = Some(Instant::now() + AGAIN);
            self.engine.drained();
        }
    }
}
