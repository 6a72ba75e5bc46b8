//! Dialling: keeps one connecting endpoint connected, for as long as the socket wants it.
//! Spawned by the core of a socket.
//!
//! The pipe belongs to the endpoint and outlives its connections ([R-CONN-3]), unless the socket asked for
//! `immediate`: then each connection has a pipe of its own ([R-CONN-2]). Every failure is followed by another
//! attempt after a back-off, with one exception: a peer that refused us with an ERROR command meant it, and one that does
//! not fit will not fit the next time, unless the option `reconnect_after_refusal` has it asked again. CURVE's clients ask
//! again in any case, if slowly. What is to be said of the end, the guard says.
//!
//! [R-CONN-3]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-conn-3
//! [R-CONN-2]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-conn-2

use std::io;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use zmtp::Incompatible;

use super::Session;
use super::backoff::Backoff;
use super::guard::{ConnectionGuard, EndpointGuard};
use super::handover;
use crate::error::{ConnectFailure, GoneReason};
use crate::monitor::{DisconnectReason, MonitorEventKind as Kind};
use crate::options::{Options, ReconnectStop};
use crate::pipe::{Deadline, OutgoingEnd, SessionPipe};
use crate::rng;
use crate::security::Access;
use crate::state::{Admitted, ConnectionPlace, PeerRecord, Unplaced};
use crate::transport::{self, ByteStream};

/// How long to wait, at least, after a refusal that anybody on the way can have made up.
const AFTER_UNPROVEN: Duration = Duration::from_secs(5);

/// And how long after many.
const AFTER_UNPROVEN_MAX: Duration = Duration::from_secs(60);

/// How an attempt ended.
enum Ended {
    /// The socket wants no more of it.
    Abandoned,
    /// The peer refused us for good, or does not fit.
    Refused(GoneReason),
    /// As the option `reconnect_stop` names it, for this reason.
    Stopped(String),
    /// Before the handshake was through, for this reason, if there is no other attempt.
    Early(String),
    /// After the handshake, for this reason, when the connection had stood for this long.
    Late(String, Duration),
}

/// Dials until the socket has no more use for it.
pub(crate) fn dial(
    mut pipe: Option<SessionPipe>,
    guard: EndpointGuard,
) -> impl Future<Output = ()> + Send {
    if let Some(pipe) = &mut pipe {
        pipe.set_lasting();
    }
    // Made before the task, which may go before it is polled, and lent: a future has room for what it is given twice.
    let mut dial = Dial { pipe, guard };
    async move { run(&mut dial).await }
}

async fn run(dial: &mut Dial) {
    let options = &dial.guard.shared.config.options;
    let mut backoff = options
        .reconnect_interval
        .map(|interval| Backoff::new(interval, options.reconnect_interval_max));
    let mut after_refusal = match options.reconnect_after_refusal {
        Some(interval) => Some(Backoff::new(interval, None)),
        // Anybody on the way can refuse in the name of a peer that has not proven to be itself.
        None if options.security.knows_peer() && backoff.is_some() => {
            Some(Backoff::new(AFTER_UNPROVEN, Some(AFTER_UNPROVEN_MAX)))
        }
        None => None,
    };
    let mut history = History::default();
    history.record.endpoint = Some(dial.guard.subject.endpoint().clone());
    dial.enter(&history);
    loop {
        let (backoff, gone) = match dial.attempt(&mut history).await {
            Ended::Abandoned => {
                dial.guard.let_go();
                break;
            }
            Ended::Stopped(last) => {
                dial.guard.gone(GoneReason::Stopped { last });
                break;
            }
            Ended::Refused(reason) => (&mut after_refusal, reason),
            Ended::Early(last) => (&mut backoff, GoneReason::NotReconnecting { last }),
            Ended::Late(last, time) => {
                for backoff in [&mut backoff, &mut after_refusal].into_iter().flatten() {
                    backoff.lasted(time);
                }
                (&mut backoff, GoneReason::NotReconnecting { last })
            }
        };
        let Some(backoff) = backoff else {
            dial.guard.gone(gone);
            break;
        };
        let delay = backoff.next_delay(&mut rng::rng());
        let draining = &dial.guard.shared.state.draining;
        if !dial.only_takes() {
            dial.guard.emit(Kind::ConnectRetried { delay });
            tokio::select! {
                biased;
                () = abandoned(&dial.guard, dial.pipe.as_mut()) => {
                    dial.guard.let_go();
                    break;
                }
                () = draining.begun(), if !draining.has_begun() => {}
                () = sleep(delay) => {}
            }
        }
        if dial.only_takes() {
            abandoned(&dial.guard, dial.pipe.as_mut()).await;
            dial.guard.let_go();
            break;
        }
    }
}

/// One endpoint to keep connected.
struct Dial {
    /// The endpoint's own, while no connection has it. Whatever ends this, it goes before the guard: who hears of the end finds
    /// the pipe's name free.
    pipe: Option<SessionPipe>,
    guard: EndpointGuard,
}

impl Drop for Dial {
    fn drop(&mut self) {
        if self.guard.is_cut_short_lingering()
            && let Some(pipe) = self.pipe.take_if(|pipe| pipe.outgoing.unsent() > 0)
        {
            go_on(pipe, &mut self.guard);
        }
    }
}

/// Has the endpoint dialled anew where it may outlive its runtime.
fn go_on(pipe: SessionPipe, guard: &mut EndpointGuard) {
    let Some(home) = handover::home(&guard.shared, &pipe) else {
        return;
    };
    let ticket = handover::begin(&home, guard.subject.endpoint(), &pipe);
    let guard = guard.hand_over(&pipe);
    let (shared, origin) = (guard.shared.clone(), guard.origin);
    let dial = dial(Some(pipe), guard);
    let going_on = async move {
        dial.await;
        drop(ticket);
    };
    shared.spawn(origin, going_on, &home);
}

/// What is known of the endpoint's connections.
#[derive(Default)]
struct History {
    reached: bool,
    record: PeerRecord,
}

impl Dial {
    /// Writes down what is known.
    fn enter(&self, history: &History) {
        if let Some(pipe) = &self.pipe {
            enter(&self.guard, pipe, history);
        }
    }

    /// Returns whether a connection would bring new work, which the socket takes none of, and carry nothing else.
    fn only_takes(&self) -> bool {
        let pipe = self.pipe.as_ref();
        self.guard.shared.state.draining.has_begun()
            && pipe.is_none_or(|pipe| pipe.outgoing.unsent() == 0)
    }

    /// Makes one connection: reaches the peer, greets it, moves messages.
    async fn attempt(&mut self, history: &mut History) -> Ended {
        let (pipe, guard) = (&mut self.pipe, &self.guard);
        let EndpointGuard {
            shared,
            subject,
            origin,
            ended,
            ..
        } = guard;
        let delayed = || guard.emit(Kind::ConnectDelayed);
        // In boxes: what the longest part of a connection's life does not need shall not take memory for all of it.
        let (options, network) = (&shared.config.options, shared.network());
        let connect = transport::connect(subject.endpoint(), options, network, &delayed);
        let connect = Box::pin(connect);
        let reached = tokio::select! {
            biased;
            () = abandoned(guard, pipe.as_mut()) => return Ended::Abandoned,
            reached = connect => reached,
        };
        let (stream, peer) = match reached {
            Ok(reached) => reached,
            Err(failure) => {
                let is_stopped = is_refused(&failure) && stops(options, ReconnectStop::Refused);
                // Nobody asks for its text where another attempt follows, as it does after most.
                let is_last = is_stopped || options.reconnect_interval.is_none();
                let last = match is_last {
                    true => failure.to_string(),
                    false => String::new(),
                };
                guard.emit(Kind::ConnectFailed(failure));
                return match is_stopped {
                    true => Ended::Stopped(last),
                    false => Ended::Early(last),
                };
            }
        };
        let subject = subject.connection(peer.clone(), stream.local_address(), stream.fd());
        let mut connection = ConnectionGuard::new(shared, subject, *origin);
        connection.emit(Kind::Connected);
        let place = ConnectionPlace::arriving(&shared.state);
        let mut session = Session::new(stream, shared);
        let greeted = tokio::select! {
            biased;
            () = abandoned(guard, pipe.as_mut()) => Err(DisconnectReason::Local),
            greeted = Box::pin(session.handshake(shared, Access::Open, &peer)) => greeted,
        };
        let info = match greeted {
            Ok(info) => info,
            Err(reason) => {
                connection.subject.refused(session.refused());
                Box::pin(session.break_off(ended)).await;
                drop(session);
                if !matches!(reason, DisconnectReason::Local) {
                    history.record.handshake_failures += 1;
                    self.enter(history);
                }
                connection.end(reason.clone());
                return match reason {
                    DisconnectReason::Local => Ended::Abandoned,
                    reason if stops(options, ReconnectStop::HandshakeFailed) => {
                        Ended::Stopped(reason.to_string())
                    }
                    DisconnectReason::Protocol(zmtp::Error::Refused { reason }) => {
                        Ended::Refused(GoneReason::Refused { reason })
                    }
                    DisconnectReason::Protocol(error) if will_never_fit(&error) => {
                        let reason = error.to_string();
                        Ended::Refused(GoneReason::Incompatible { reason })
                    }
                    reason => Ended::Early(reason.to_string()),
                };
            }
        };
        let peer = session.peer(shared, peer, &info);
        history.record.peer = Some(peer.clone());
        history.record.is_connected = true;
        if std::mem::replace(&mut history.reached, true) {
            history.record.reconnects += 1;
            shared.state.stats.reconnects.add(1);
        }
        // What lingers needs no place, and has given up its own.
        let is_wanted = !ended.is_cancelled();
        let mut admitted = Err(Unplaced::Taken);
        let kept = pipe.take_if(|pipe| {
            admitted = match is_wanted {
                true => shared.admit(pipe, *origin, Some(&peer)),
                false => Ok(shared.let_in(pipe, Some(&peer), None)),
            };
            admitted.is_ok()
        });
        if ended.is_cancelled()
            && is_wanted
            && let Some(names) = &shared.state.peer_names
        {
            // It was let go of meanwhile.
            names.release(*origin);
        }
        let is_kept = kept.is_some();
        // With `immediate`, or for a peer that the socket has no place for, one of its own.
        let mut lent = match kept {
            Some(kept) => kept,
            None => {
                let (own, is_admitted) = shared.pipe_for(*origin, Some(&peer));
                admitted = is_admitted;
                own
            }
        };
        connection.pipe = (!is_kept).then(|| lent.outstanding());
        place.known(&peer, &lent);
        enter(guard, &lent, history);
        connection.subject.met(&info, lent.name());
        connection.greeted = true;
        connection.emit(Kind::HandshakeSucceeded);
        let begun = Instant::now();
        let placed = match admitted {
            Ok(Admitted { took_over }) => {
                if took_over {
                    connection.emit(Kind::HandedOver);
                }
                Ok(())
            }
            Err(unplaced) => match connection.ignore(unplaced) {
                Ok(()) => {
                    let who = (*origin, &peer);
                    let name = session.wait_for_name(shared, &mut lent, who, ended);
                    let named = Box::pin(name).await;
                    if named.is_ok() {
                        enter(guard, &lent, history);
                        connection.emit(Kind::LetIn);
                    }
                    named
                }
                refused => refused,
            },
        };
        let (mut lent, reason) = match placed {
            Ok(()) => session.run(&connection, lent).await,
            Err(reason) => {
                drop(session);
                (lent, reason)
            }
        };
        drop(place);
        lent.outgoing.begin_again();
        history.record.is_connected = false;
        if is_kept {
            enter(guard, &lent, history);
            shared.state.drain_changed();
            *pipe = Some(lent);
        } else {
            drop(lent);
        }
        let last = reason.to_string();
        let local = matches!(reason, DisconnectReason::Local);
        connection.end(reason);
        if local {
            Ended::Abandoned
        } else if stops(&guard.shared.config.options, ReconnectStop::Disconnected) {
            Ended::Stopped(last)
        } else {
            Ended::Late(last, begun.elapsed())
        }
    }
}

/// Writes down what is known of a pipe's other end.
fn enter(guard: &EndpointGuard, pipe: &SessionPipe, history: &History) {
    let known = history.record.clone();
    let stats = &guard.shared.state.stats;
    stats.update(pipe.id(), |entry| *entry = known);
}

/// Waits until nobody wants the endpoint connected: the socket is done with it, and either nothing is left to send or the
/// time to linger is over.
async fn abandoned(guard: &EndpointGuard, pipe: Option<&mut SessionPipe>) {
    match pipe {
        None => guard.ended.cancelled().await,
        Some(pipe) => lingered(&mut pipe.outgoing).await,
    }
}

/// Returns whether the option `reconnect_stop` names an end.
fn stops(options: &Options, end: ReconnectStop) -> bool {
    options.reconnect_stop.contains(&end)
}

/// Returns whether nobody listens at the peer's address.
fn is_refused(failure: &ConnectFailure) -> bool {
    matches!(failure, ConnectFailure::Io { source, .. } if source.kind() == io::ErrorKind::ConnectionRefused)
}

/// Returns whether a peer speaks ZMTP, and does not fit. Garbage may look like a mechanism that nobody knows, or an old
/// version.
fn will_never_fit(error: &zmtp::Error) -> bool {
    let is_name = |name: &str| {
        let is_legal = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit() || b"-_.+".contains(&c);
        !name.is_empty() && name.bytes().all(is_legal)
    };
    match error {
        zmtp::Error::Incompatible(Incompatible::Mechanism { peer, .. }) => is_name(peer),
        zmtp::Error::Incompatible(Incompatible::SocketType { .. } | Incompatible::Role) => true,
        _ => false,
    }
}

/// Waits until the socket is done with a pipe, and either nothing is left to send or the time to linger is over.
pub(super) async fn lingered(outgoing: &mut OutgoingEnd) {
    std::future::poll_fn(|cx| outgoing.poll_closing(cx)).await;
    if outgoing.unsent() > 0 {
        // In a box: its timers would be in every task, and few linger.
        Box::pin(linger(outgoing)).await;
    }
}

/// Waits until nothing is left to send or the time to linger is over.
async fn linger(outgoing: &mut OutgoingEnd) {
    loop {
        let deadline = outgoing.linger();
        // Messages that expire need not be waited for.
        let look_again = outgoing.expire();
        if outgoing.unsent() == 0 {
            return;
        }
        // The task is woken when the time becomes shorter.
        let hurried = std::future::poll_fn(|_| match outgoing.linger() == deadline {
            true => Poll::Pending,
            false => Poll::Ready(()),
        });
        let expired = async {
            match look_again {
                Some(soon) => sleep(soon).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = hurried => {}
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
