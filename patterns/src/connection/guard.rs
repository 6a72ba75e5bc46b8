//! What is left when a task of an endpoint goes, whatever ended it: that it is done, its runtime's end, or a panic in
//! something that the application had it call.
//!
//! A task's guard is made before the task, and goes with it. All that has to be said of the end is said by the guard's
//! drop, and nowhere else: what was unsent is counted, the monitor is told, and an endpoint that the socket has not let
//! go of is *gone*: the socket knows it, and connecting or binding makes it anew.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::listen::Listening;
use crate::error::{EndpointGone, GoneReason};
use crate::logs;
use crate::monitor::{DisconnectReason, MonitorEventKind as Kind, Subject};
use crate::peer::Peer;
use crate::pipe::{Origin, Outstanding, PipeId, SessionPipe};
use crate::state::{Shared, Unplaced};
use crate::sync::atomic::{AtomicBool, Ordering};

/// Returns why a task goes that is not done.
fn cut_short() -> GoneReason {
    if std::thread::panicking() {
        GoneReason::Panicked
    } else {
        GoneReason::RuntimeEnded
    }
}

/// Held by the task of an endpoint.
pub(crate) struct EndpointGuard {
    pub(super) shared: Shared,
    /// What its events are about.
    pub(super) subject: Subject,
    pub(super) origin: Origin,
    /// The socket has let go of the endpoint, or is closed.
    pub(super) ended: CancellationToken,
    /// The pipe that outlives connections.
    pipe: Option<Outstanding>,
    /// Of a bound endpoint.
    listening: Option<Arc<Listening>>,
    /// How the task came to its end, if it did.
    done: Option<Done>,
    /// Another task goes on with the endpoint, and says what is to be said.
    has_moved: bool,
}

/// How the task of an endpoint came to its end.
enum Done {
    /// The socket wants no more of it.
    LetGo,
    Gone(GoneReason),
}

impl EndpointGuard {
    /// Guards the task of a connecting endpoint.
    pub(crate) fn connecting(
        shared: &Shared,
        subject: Subject,
        origin: Origin,
        ended: &CancellationToken,
        pipe: Option<&SessionPipe>,
    ) -> Self {
        EndpointGuard {
            shared: shared.clone(),
            subject,
            origin,
            ended: ended.clone(),
            pipe: pipe.map(SessionPipe::outstanding),
            listening: None,
            done: None,
            has_moved: false,
        }
    }

    /// Guards the task of a bound endpoint.
    pub(crate) fn listening(
        shared: &Shared,
        listening: &Arc<Listening>,
        origin: Origin,
        ended: &CancellationToken,
    ) -> Self {
        let subject = listening.subject().clone();
        let mut guard = Self::connecting(shared, subject, origin, ended, None);
        guard.listening = Some(listening.clone());
        guard
    }

    /// Guards a bound endpoint's one pipe, too.
    pub(super) fn with_pipe(mut self, pipe: Outstanding) -> Self {
        self.pipe = Some(pipe);
        self
    }

    pub(super) fn emit(&self, kind: Kind) {
        self.shared.state.events.emit(&self.subject, kind);
    }

    /// Returns whether the task goes though it is not done, and the socket has let go of the endpoint.
    pub(super) fn is_cut_short_lingering(&self) -> bool {
        self.done.is_none() && self.ended.is_cancelled()
    }

    /// Makes the guard of another task, which goes on with the endpoint.
    pub(super) fn hand_over(&mut self, pipe: &SessionPipe) -> Self {
        self.has_moved = true;
        let (shared, subject) = (&self.shared, self.subject.clone());
        Self::connecting(shared, subject, self.origin, &self.ended, Some(pipe))
    }

    /// Notes that the task is done, since the socket wants no more of the endpoint.
    pub(super) fn let_go(&mut self) {
        self.done = Some(Done::LetGo);
    }

    /// Notes that the task is done, and the endpoint gone.
    pub(super) fn gone(&mut self, reason: GoneReason) {
        self.done = Some(Done::Gone(reason));
    }

    /// Notes that the endpoint is gone, and logs it.
    fn note_gone(&self, reason: GoneReason, unsent: usize) {
        let state = &self.shared.state;
        let (endpoint, socket) = (self.subject.endpoint(), state.events.name());
        let socket = socket.as_deref();
        let socket_type = self.shared.config.rules.socket_type;
        if unsent == 0 && reason == GoneReason::RuntimeEnded {
            // A program that ends has its sockets and their tasks dropped in whatever order.
            tracing::debug!(target: logs::ENDPOINT, %socket_type, socket, %endpoint, %reason, "endpoint is gone");
        } else {
            tracing::warn!(target: logs::ENDPOINT, %socket_type, socket, %endpoint, unsent, %reason, "endpoint is gone");
        }
        if self.listening.is_none()
            && let Some(names) = &state.peer_names
        {
            names.release(self.origin);
        }
        let gone = Arc::new(EndpointGone::new(endpoint.clone(), reason));
        state.liveness.note_gone(self.origin, gone.clone());
        self.emit(Kind::Gone(gone));
    }
}

impl Drop for EndpointGuard {
    fn drop(&mut self) {
        if self.has_moved {
            return;
        }
        if let Some(listening) = &self.listening {
            // The task may go before it has ever run.
            listening.send_now();
        }
        let unsent = self.pipe.take().map_or(0, Outstanding::give_up);
        let is_wanted = !self.ended.is_cancelled();
        if is_wanted {
            self.shared.count_given_up(unsent);
        }
        match self.done.take() {
            Some(Done::LetGo) if is_wanted => self.note_gone(GoneReason::Replaced, unsent),
            Some(Done::Gone(reason)) if is_wanted => self.note_gone(reason, unsent),
            None if is_wanted => self.note_gone(cut_short(), unsent),
            None => warn_unsent(
                &self.shared,
                &self.subject,
                unsent,
                &cut_short().to_string(),
            ),
            Some(_) => tell_linger_over(&self.shared, &self.subject, unsent),
        }
        match &self.listening {
            Some(listening) => listening.close(&self.shared),
            None => self.emit(Kind::Closed),
        }
        if is_wanted {
            // Last: whoever hears of it may bind or connect at once.
            self.shared.state.look_again();
        }
    }
}

/// Held by whoever serves a connection.
pub(super) struct ConnectionGuard {
    pub(super) shared: Shared,
    /// What its events are about.
    pub(super) subject: Subject,
    /// Of a pipe that ends with the connection.
    pub(super) pipe: Option<Outstanding>,
    /// Its handshake is through.
    pub(super) greeted: bool,
    pub(super) origin: Origin,
    /// Of the end; or another task goes on with the connection.
    told: AtomicBool,
}

impl ConnectionGuard {
    pub(super) fn new(shared: &Shared, mut subject: Subject, origin: Origin) -> Self {
        shared.state.events.begin_span(&mut subject);
        ConnectionGuard {
            shared: shared.clone(),
            subject,
            pipe: None,
            greeted: false,
            origin,
            told: AtomicBool::new(false),
        }
    }

    /// Makes the guard of another task, which goes on with the connection after its handshake.
    pub(super) fn hand_over(&self, pipe: &SessionPipe) -> Self {
        self.told.store(true, Ordering::Relaxed);
        pipe.hand_over();
        ConnectionGuard {
            shared: self.shared.clone(),
            subject: self.subject.clone(),
            pipe: Some(pipe.outstanding()),
            greeted: true,
            origin: self.origin,
            told: AtomicBool::new(false),
        }
    }

    pub(super) fn emit(&self, kind: Kind) {
        self.shared.state.events.emit(&self.subject, kind);
    }

    /// Writes down who the peer of an accepted connection is.
    pub(super) fn enter(&self, pipe: PipeId, peer: &Arc<Peer>) {
        self.shared.state.stats.update(pipe, |entry| {
            entry.endpoint = Some(self.subject.endpoint().clone());
            entry.peer = Some(peer.clone());
            entry.is_connected = true;
        });
    }

    /// Tells that the socket has no place for the peer, and how it is to wait for its name.
    ///
    /// # Errors
    /// It is not to wait: PAIR has its peer ([R-PAIR-1]), or the name is for somebody else for good.
    ///
    /// [R-PAIR-1]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-pair-1
    pub(super) fn ignore(&self, unplaced: Unplaced) -> Result<(), DisconnectReason> {
        if self.shared.is_exclusive() {
            return Err(DisconnectReason::Occupied);
        }
        if unplaced == Unplaced::Tied {
            return Err(DisconnectReason::NameTied);
        }
        self.shared.state.stats.duplicates.add(1);
        self.emit(Kind::Ignored);
        Ok(())
    }

    /// Ends the connection, whose session and pipe have been dropped.
    pub(super) fn end(mut self, reason: DisconnectReason) {
        let unsent = self.end_pipe();
        if self.shared.state.has_ended() {
            match &reason {
                DisconnectReason::Local => tell_linger_over(&self.shared, &self.subject, unsent),
                reason => warn_unsent(&self.shared, &self.subject, unsent, &reason.to_string()),
            }
        }
        self.tell(reason);
    }

    /// Ends the connection's own pipe, if it has one. Returns what was unsent of it.
    fn end_pipe(&mut self) -> usize {
        let unsent = self.pipe.take().map_or(0, |pipe| {
            // What the peer has said of itself goes with it; what was counted stays.
            self.shared
                .state
                .stats
                .update(pipe.id(), |record| record.peer = None);
            pipe.give_up()
        });
        self.shared.state.tidy();
        unsent
    }

    /// Tells of the end. It counts as expelled if we expelled the peer; before the handshake was through, as a failure of
    /// that, unless we ended it.
    fn tell(&mut self, reason: DisconnectReason) {
        self.told.store(true, Ordering::Relaxed);
        let stats = &self.shared.state.stats;
        if self.greeted {
            stats.expelled.add(reason.is_refusal().into());
        } else {
            let is_failure = !reason.is_of_this_side();
            stats.handshake_failures.add(is_failure.into());
            self.emit(Kind::HandshakeFailed(reason.clone()));
        }
        self.emit(Kind::Disconnected(reason));
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        if !self.told.load(Ordering::Relaxed) {
            let unsent = self.end_pipe();
            self.shared.count_given_up(unsent);
            warn_unsent(
                &self.shared,
                &self.subject,
                unsent,
                &cut_short().to_string(),
            );
            self.tell(DisconnectReason::TaskEnded(cut_short()));
        }
    }
}

/// Warns of messages that go with their task.
fn warn_unsent(shared: &Shared, subject: &Subject, unsent: usize, reason: &str) {
    if unsent > 0 {
        let endpoint = subject.endpoint();
        let (socket, socket_type) = (shared.state.events.name(), shared.config.rules.socket_type);
        let (socket, peer) = (
            socket.as_deref(),
            subject.peer().map(tracing::field::display),
        );
        tracing::warn!(target: logs::ENDPOINT, %socket_type, socket, %endpoint, peer, unsent, reason, "messages are given up");
    }
}

/// Tells of messages that were not sent while a socket lingered: a socket that was dropped has no other way to say so.
fn tell_linger_over(shared: &Shared, subject: &Subject, unsent: usize) {
    match shared.state.linger.get() {
        // That is what was asked for.
        Some(Duration::ZERO) => {}
        _ => warn_unsent(shared, subject, unsent, "the time to linger is over"),
    }
}
