//! Dialling: keeps one connecting endpoint connected, for as long as the socket wants it.
//! Spawned by `socket/core.rs`.
//!
//! The pipe belongs to the endpoint and outlives its connections (R-CONN-3), unless the socket asked for
//! `immediate`: then each connection has a pipe of its own (R-CONN-2). Every failure is followed by another
//! attempt after a back-off, with one exception: a peer that refused us with an ERROR command meant it.

use std::sync::Arc;

use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use zmtp::PeerInfo;

use super::Session;
use super::backoff::Backoff;
use crate::endpoint::Endpoint;
use crate::monitor::{DisconnectReason, MonitorEventKind as Kind};
use crate::pipe::{Deadline, Origin, OutgoingEnd, SessionPipe};
use crate::routing_id::RoutingId;
use crate::socket::{Peer, Shared};
use crate::transport::{self, PeerAddress};

/// One endpoint to keep connected.
pub(crate) struct Dial {
    pub(crate) shared: Arc<Shared>,
    pub(crate) endpoint: Endpoint,
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
    let options = &dial.shared.options;
    let mut backoff = options
        .reconnect_interval
        .map(|interval| Backoff::new(interval, options.reconnect_interval_max));
    let mut history = History::default();
    history.peer.endpoint = Some(dial.endpoint.clone());
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
            .map(|backoff| backoff.next_delay(&mut rand::rng()))
        else {
            break;
        };
        dial.emit(None, Kind::ConnectRetried { delay });
        tokio::select! {
            biased;
            () = dial.abandoned(pipe.as_mut()) => break,
            () = sleep(delay) => {}
        }
    }
    if let Some(pipe) = pipe {
        dial.shared.give_up(pipe);
    }
    dial.emit(None, Kind::Closed);
}

/// What is known of the endpoint's connections.
#[derive(Default)]
struct History {
    reached: bool,
    peer: Peer,
}

impl Dial {
    /// Writes down what is known.
    fn enter(&self, pipe: Option<&SessionPipe>, history: &History) {
        if let Some(pipe) = pipe {
            let peer = history.peer.clone();
            self.shared.ledger.know(pipe.id(), |known| *known = peer);
        }
    }

    fn emit(&self, peer: Option<&PeerAddress>, kind: Kind) {
        self.shared.events.emit(&self.endpoint, peer, kind);
    }

    /// One connection: reach the peer, greet it, move messages.
    async fn attempt(&self, pipe: &mut Option<SessionPipe>, history: &mut History) -> Ended {
        let opened = tokio::select! {
            biased;
            () = self.abandoned(pipe.as_mut()) => return Ended::Abandoned,
            opened = self.open(history) => opened,
        };
        let (session, peer, info) = match opened {
            Ok(opened) => opened,
            Err(ended) => {
                self.enter(pipe.as_ref(), history);
                return ended;
            }
        };
        history.peer.address = Some(peer.clone());
        history.peer.announced = RoutingId::from(&info.routing_id[..]);
        if std::mem::replace(&mut history.reached, true) {
            history.peer.reconnects += 1;
            self.shared.ledger.reconnects.add(1);
        }
        let announced = &info.routing_id;
        let kept = pipe.take_if(|pipe| self.shared.admit(pipe, self.origin, announced));
        let reason = match kept {
            Some(kept) => {
                self.enter(Some(&kept), history);
                let (kept, reason) = session.run(&self.shared, kept, &self.ended).await;
                history.peer.address = None;
                self.enter(Some(&kept), history);
                *pipe = Some(kept);
                reason
            }
            // With `immediate`, or for a peer that the socket has no place for.
            None => {
                let own = self.shared.pipe_for(self.origin, announced);
                self.enter(Some(&own), history);
                let (own, reason) = session.run(&self.shared, own, &self.ended).await;
                self.shared.give_up(own);
                reason
            }
        };
        let local = matches!(reason, DisconnectReason::Local);
        self.emit(Some(&peer), Kind::Disconnected(reason));
        if local { Ended::Abandoned } else { Ended::Late }
    }

    /// Connects and greets.
    async fn open(&self, history: &mut History) -> Result<(Session, PeerAddress, PeerInfo), Ended> {
        let options = &self.shared.options;
        let (stream, peer) = match transport::connect(&self.endpoint, options).await {
            Ok(connected) => connected,
            Err(failure) => {
                self.emit(None, Kind::ConnectFailed(failure));
                return Err(Ended::Early);
            }
        };
        self.emit(Some(&peer), Kind::Connected);
        let mut session = Session::new(stream, &self.shared);
        match session.handshake(options).await {
            Ok(info) => {
                self.emit(Some(&peer), Kind::HandshakeSucceeded);
                Ok((session, peer, info))
            }
            Err(reason) => {
                history.peer.handshake_failures += 1;
                self.shared.ledger.handshake_failures.add(1);
                let refused = matches!(
                    &reason,
                    DisconnectReason::Protocol(zmtp::Error::Refused { .. })
                );
                self.emit(Some(&peer), Kind::HandshakeFailed(reason));
                Err(if refused {
                    Ended::Refused
                } else {
                    Ended::Early
                })
            }
        }
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
    if outgoing.unsent() == 0 {
        return;
    }
    match outgoing.linger() {
        Some(Deadline::At(end)) => sleep_until(end).await,
        Some(Deadline::Never) | None => std::future::pending().await,
    }
}
