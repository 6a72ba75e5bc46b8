//! Listening: accepts connections for a bound endpoint, and gives each a session and a pipe of its own.
//! Spawned by `socket/core.rs`.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Session;
use super::door::{Door, Pass};
use crate::monitor::{DisconnectReason, MonitorEventKind as Kind, Subject};
use crate::peer::Peer;
use crate::pipe::Origin;
use crate::socket::Shared;
use crate::transport::{Listener, PeerAddress, Stream};

/// Pauses after a failed accept: the cause (no file descriptors left, say) needs time to pass.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Accepts until `ended`. The listener is closed when this returns.
pub(crate) async fn listen(
    shared: Arc<Shared>,
    listener: Listener,
    origin: Origin,
    ended: CancellationToken,
) {
    let subject = Subject::listener(&listener);
    let door = Door::new(&shared.options);
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
                let subject = subject.connection(&stream, peer.clone());
                shared.events.emit(&subject, Kind::Accepted);
                let (pass, lost) = match door.enter(&peer) {
                    Ok(entered) => entered,
                    Err(option) => {
                        let reason = DisconnectReason::Crowded { option };
                        fail(&shared, &subject, reason);
                        continue;
                    }
                };
                let session = serve(
                    shared.clone(),
                    subject,
                    (stream, peer),
                    (pass, lost),
                    origin,
                    ended.clone(),
                );
                shared.spawn(session, &Handle::current());
            }
            Err(error) => {
                let failed = Kind::AcceptFailed(Arc::new(error));
                shared.events.emit(&subject, failed);
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
    shared.events.emit(&subject, closed);
}

/// A connection ends before its handshake is through.
fn fail(shared: &Shared, subject: &Subject, reason: DisconnectReason) {
    if !matches!(reason, DisconnectReason::Local) {
        shared.ledger.handshake_failures.add(1);
    }
    let failed = Kind::HandshakeFailed(reason.clone());
    shared.events.emit(subject, failed);
    shared.events.emit(subject, Kind::Disconnected(reason));
}

/// The life of an accepted connection.
async fn serve(
    shared: Arc<Shared>,
    mut subject: Subject,
    (stream, peer): (Stream, PeerAddress),
    (pass, lost): (Pass, oneshot::Receiver<()>),
    origin: Origin,
    ended: CancellationToken,
) {
    let mut session = Session::new(stream, &shared);
    let greeted = tokio::select! {
        biased;
        () = ended.cancelled() => Err(DisconnectReason::Local),
        _ = lost => Err(DisconnectReason::Crowded { option: "max_handshakes" }),
        greeted = session.handshake(&shared, &peer) => greeted,
    };
    let info = match greeted {
        Ok(info) => info,
        Err(reason) => {
            drop(session);
            return fail(&shared, &subject, reason);
        }
    };
    pass.greeted();
    let known = Arc::new(Peer::new(peer, &info));
    let pipe = shared.pipe_for(origin, Some(&known));
    shared.ledger.know(pipe.id(), |entry| {
        entry.endpoint = Some(subject.endpoint().clone());
        entry.peer = Some(known);
        entry.is_connected = true;
    });
    subject.met(&info, pipe.name());
    drop(info);
    shared.events.emit(&subject, Kind::HandshakeSucceeded);
    let (pipe, reason) = session.run(&shared, pipe, &ended).await;
    shared.give_up(pipe);
    shared.ledger.expelled.add(reason.is_refusal().into());
    shared.events.emit(&subject, Kind::Disconnected(reason));
}
