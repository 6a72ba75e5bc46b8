//! Dialling: keeps one connecting endpoint connected, for as long as the socket wants it.
//! Spawned by the core of a socket.
//!
//! The pipe belongs to the endpoint and outlives its connections (R-CONN-3), unless the socket asked for
//! `immediate`: then each connection has a pipe of its own (R-CONN-2). Every failure is followed by another
//! attempt after a back-off, with one exception: a peer that refused us with an ERROR command meant it.

use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::{Session, tell_ended, tell_failed};
use crate::endpoint::Endpoint;
use crate::monitor::{DisconnectReason, MonitorEventKind as Kind, Subject};
use crate::pipe::{Deadline, Origin, OutgoingEnd, SessionPipe};
use crate::rng;
use crate::state::{PeerRecord, Shared};
use crate::transport::{self, ByteStream};

/// One endpoint to keep connected.
pub(crate) struct Dial {
    pub(crate) shared: Shared,
    pub(crate) endpoint: Endpoint,
    /// What its events are about.
    pub(crate) subject: Subject,
    pub(crate) origin: Origin,
    /// The socket has disconnected the endpoint or is closed.
    pub(crate) ended: CancellationToken,
}

/// How an attempt ended.
enum Ended {
    /// The socket wants no more of it.
    Abandoned,
    /// The peer refused us for good.
    Refused,
    /// Before the handshake was through.
    Early,
    /// After the handshake.
    Late,
}

/// Dials until the socket has no more use for it.
pub(crate) async fn dial(dial: Dial, mut pipe: Option<SessionPipe>) {
    if let Some(pipe) = &mut pipe {
        pipe.set_lasting();
    }
    let options = &dial.shared.config.options;
    let mut backoff = options
        .reconnect_interval
        .map(|interval| Backoff::new(interval, options.reconnect_interval_max));
    let mut history = History::default();
    history.record.endpoint = Some(dial.endpoint.clone());
    dial.enter(pipe.as_ref(), &history);
    loop {
        match dial.attempt(&mut pipe, &mut history).await {
            Ended::Abandoned | Ended::Refused => break,
            Ended::Early => {}
            Ended::Late => {
                if let Some(backoff) = &mut backoff {
                    backoff.restart();
                }
            }
        }
        let Some(delay) = backoff
            .as_mut()
            .map(|backoff| backoff.next_delay(&mut rng::rng()))
        else {
            break;
        };
        dial.emit(Kind::ConnectRetried { delay });
        tokio::select! {
            biased;
            () = dial.abandoned(pipe.as_mut()) => break,
            () = sleep(delay) => {}
        }
    }
    if let Some(pipe) = pipe {
        dial.shared.give_up(pipe);
    }
    dial.emit(Kind::Closed);
}

/// What is known of the endpoint's connections.
#[derive(Default)]
struct History {
    reached: bool,
    record: PeerRecord,
}

impl Dial {
    /// Writes down what is known.
    fn enter(&self, pipe: Option<&SessionPipe>, history: &History) {
        if let Some(pipe) = pipe {
            let known = history.record.clone();
            self.shared
                .state
                .stats
                .update(pipe.id(), |entry| *entry = known);
        }
    }

    fn emit(&self, kind: Kind) {
        self.shared.state.events.emit(&self.subject, kind);
    }

    /// Makes one connection: reaches the peer, greets it, moves messages.
    async fn attempt(&self, pipe: &mut Option<SessionPipe>, history: &mut History) -> Ended {
        let events = &self.shared.state.events;
        let delayed = || self.emit(Kind::ConnectDelayed);
        // In boxes: what the longest part of a connection's life does not need shall not take memory for all of it.
        let (options, network) = (&self.shared.config.options, self.shared.network());
        let connect = transport::connect(&self.endpoint, options, network, &delayed);
        let connect = Box::pin(connect);
        let reached = tokio::select! {
            biased;
            () = self.abandoned(pipe.as_mut()) => return Ended::Abandoned,
            reached = connect => reached,
        };
        let (stream, peer) = match reached {
            Ok(reached) => reached,
            Err(failure) => {
                self.emit(Kind::ConnectFailed(failure));
                return Ended::Early;
            }
        };
        let mut subject =
            self.subject
                .connection(peer.clone(), stream.local_address(), stream.fd());
        events.emit(&subject, Kind::Connected);
        let mut session = Session::new(stream, &self.shared);
        let greeted = tokio::select! {
            biased;
            () = self.abandoned(pipe.as_mut()) => Err(DisconnectReason::Local),
            greeted = Box::pin(session.handshake(&self.shared, &peer)) => greeted,
        };
        let info = match greeted {
            Ok(info) => info,
            Err(reason) => {
                drop(session);
                if !matches!(reason, DisconnectReason::Local) {
                    history.record.handshake_failures += 1;
                    self.enter(pipe.as_ref(), history);
                }
                tell_failed(&self.shared, &subject, reason.clone());
                return match reason {
                    DisconnectReason::Local => Ended::Abandoned,
                    DisconnectReason::Protocol(zmtp::Error::Refused { .. }) => Ended::Refused,
                    _ => Ended::Early,
                };
            }
        };
        let peer = session.peer(peer, &info);
        history.record.peer = Some(peer.clone());
        history.record.is_connected = true;
        if std::mem::replace(&mut history.reached, true) {
            history.record.reconnects += 1;
            self.shared.state.stats.reconnects.add(1);
        }
        let kept = pipe.take_if(|pipe| self.shared.admit(pipe, self.origin, Some(&peer)));
        let is_kept = kept.is_some();
        // With `immediate`, or for a peer that the socket has no place for, one of its own.
        let lent = kept.unwrap_or_else(|| self.shared.pipe_for(self.origin, Some(&peer)));
        self.enter(Some(&lent), history);
        subject.met(&info, lent.name());
        events.emit(&subject, Kind::HandshakeSucceeded);
        let (lent, reason) = session.run(&self.shared, lent, &self.ended).await;
        history.record.is_connected = false;
        if is_kept {
            self.enter(Some(&lent), history);
            *pipe = Some(lent);
        } else {
            self.shared.give_up(lent);
        }
        let local = matches!(reason, DisconnectReason::Local);
        tell_ended(&self.shared, &subject, reason);
        if local { Ended::Abandoned } else { Ended::Late }
    }

    /// Waits until nobody wants the endpoint connected: the socket is done with it, and either nothing is
    /// left to send or the time to linger is over.
    async fn abandoned(&self, pipe: Option<&mut SessionPipe>) {
        match pipe {
            None => self.ended.cancelled().await,
            Some(pipe) => lingered(&mut pipe.outgoing).await,
        }
    }
}

async fn lingered(outgoing: &mut OutgoingEnd) {
    std::future::poll_fn(|cx| outgoing.poll_closing(cx)).await;
    let deadline = outgoing.linger();
    loop {
        // Messages that expire need not be waited for.
        let look_again = outgoing.expire();
        if outgoing.unsent() == 0 {
            return;
        }
        let expired = async {
            match look_again {
                Some(soon) => sleep(soon).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = expired => {}
            () = passed(deadline) => return,
        }
    }
}

async fn passed(deadline: Option<Deadline>) {
    match deadline {
        Some(Deadline::At(end)) => sleep_until(end).await,
        Some(Deadline::Never) | None => std::future::pending().await,
    }
}
