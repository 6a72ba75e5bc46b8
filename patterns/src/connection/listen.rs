//! Listening: accepts connections for a bound endpoint, and gives each a session and a pipe of its own.
//! Spawned by the core of a socket.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::admission::{ConnectionLimiter, Permit};
use super::{Session, tell_ended, tell_failed};
use crate::monitor::{DisconnectReason, MonitorEventKind as Kind, Subject};
use crate::peer_address::PeerAddress;
use crate::pipe::Origin;
use crate::state::Shared;
use crate::transport::{ByteStream, Listener, Stream};

/// Pauses after a failed accept: the cause (no file descriptors left, say) needs time to pass.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Accepts until `ended`. The listener is closed when this returns.
pub(crate) async fn listen(
    shared: Shared,
    listener: Listener,
    origin: Origin,
    ended: CancellationToken,
) {
    let subject = Subject::listener(listener.endpoint(), listener.fd());
    let limiter = ConnectionLimiter::new(&shared.config.options);
    let mut pause = FIRST_PAUSE;
    loop {
        let accepted = tokio::select! {
            biased;
            () = ended.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                pause = FIRST_PAUSE;
                let subject = subject.connection(peer.clone(), stream.local_address(), stream.fd());
                shared.state.events.emit(&subject, Kind::Accepted);
                let (permit, lost) = match limiter.enter(&peer) {
                    Ok(entered) => entered,
                    Err(option) => {
                        let reason = DisconnectReason::TooManyConnections { option };
                        tell_failed(&shared, &subject, reason);
                        continue;
                    }
                };
                let arrival = Arrival {
                    shared: shared.clone(),
                    subject,
                    stream,
                    peer,
                    permit,
                    lost,
                    origin,
                    ended: ended.clone(),
                };
                shared.spawn(serve(Box::new(arrival)), &Handle::current());
            }
            Err(error) => {
                let failed = Kind::AcceptFailed(Arc::new(error));
                shared.state.events.emit(&subject, failed);
                tokio::select! {
                    biased;
                    () = ended.cancelled() => break,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
    let closed = match listener.close() {
        Ok(()) => Kind::Closed,
        Err(error) => Kind::CloseFailed(Arc::new(error)),
    };
    shared.state.events.emit(&subject, closed);
}

/// A connection that has been accepted.
struct Arrival {
    shared: Shared,
    subject: Subject,
    stream: Stream,
    peer: PeerAddress,
    permit: Permit,
    /// Somebody else needs the place in the limiter.
    lost: oneshot::Receiver<()>,
    origin: Origin,
    ended: CancellationToken,
}

/// Returns what is in a box, which is gone then. A `*` would keep it until the end of the scope.
#[allow(clippy::boxed_local)] // That it ends here is the point.
fn unbox<T>(boxed: Box<T>) -> T {
    *boxed
}

/// Serves an accepted connection to its end. There may be ten thousand of them at rest, so the future is kept small: what
/// it begins with comes in a box, since arguments of an async function stay in it beside what is made of them, and
/// what only the handshake needs is given back with that.
async fn serve(arrival: Box<Arrival>) {
    let Arrival {
        shared,
        mut subject,
        stream,
        peer,
        permit,
        lost,
        origin,
        ended,
    } = unbox(arrival);
    let mut session = Session::new(stream, &shared);
    let greeting = async {
        let greeted = tokio::select! {
            biased;
            () = ended.cancelled() => Err(DisconnectReason::Local),
            _ = lost => Err(DisconnectReason::TooManyConnections { option: "max_handshakes" }),
            greeted = session.handshake(&shared, &peer) => greeted,
        };
        let info = greeted?;
        permit.greeted();
        let known = session.peer(peer, &info);
        let pipe = shared.pipe_for(origin, Some(&known));
        shared.state.stats.update(pipe.id(), |entry| {
            entry.endpoint = Some(subject.endpoint().clone());
            entry.peer = Some(known);
            entry.is_connected = true;
        });
        subject.met(&info, pipe.name());
        Ok(pipe)
    };
    let pipe = match Box::pin(greeting).await {
        Ok(pipe) => pipe,
        Err(reason) => {
            drop(session);
            return tell_failed(&shared, &subject, reason);
        }
    };
    shared.state.events.emit(&subject, Kind::HandshakeSucceeded);
    let (pipe, reason) = session.run(&shared, pipe, &ended).await;
    shared.give_up(pipe);
    tell_ended(&shared, &subject, reason);
}
