//! Listening: accepts connections for a bound endpoint, and gives each a session and a pipe of its own.
//! Spawned by `socket/core.rs`.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Session;
use crate::endpoint::Endpoint;
use crate::monitor::MonitorEventKind as Kind;
use crate::pipe::Origin;
use crate::routing_id::RoutingId;
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
    let endpoint = listener.endpoint().clone();
    shared.events.emit(&endpoint, None, Kind::Listening);
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
                shared.events.emit(&endpoint, Some(&peer), Kind::Accepted);
                let session = serve(
                    shared.clone(),
                    endpoint.clone(),
                    (stream, peer),
                    origin,
                    ended.clone(),
                );
                shared.tasks.spawn(session);
            }
            Err(error) => {
                shared
                    .events
                    .emit(&endpoint, None, Kind::AcceptFailed(Arc::new(error)));
                tokio::select! {
                    biased;
                    () = ended.cancelled() => break,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
    drop(listener);
    shared.events.emit(&endpoint, None, Kind::Closed);
}

/// The life of an accepted connection.
async fn serve(
    shared: Arc<Shared>,
    endpoint: Endpoint,
    (stream, peer): (Stream, PeerAddress),
    origin: Origin,
    ended: CancellationToken,
) {
    let mut session = Session::new(stream, &shared);
    let greeted = tokio::select! {
        biased;
        () = ended.cancelled() => return,
        greeted = session.handshake(&shared.options) => greeted,
    };
    let info = match greeted {
        Ok(info) => info,
        Err(reason) => {
            shared.ledger.handshake_failures.add(1);
            shared
                .events
                .emit(&endpoint, Some(&peer), Kind::HandshakeFailed(reason));
            return;
        }
    };
    let pipe = shared.pipe_for(origin, &info.routing_id);
    shared.ledger.know(pipe.id(), |known| {
        known.endpoint = Some(endpoint.clone());
        known.address = Some(peer.clone());
        known.announced = RoutingId::from(&info.routing_id[..]);
    });
    shared
        .events
        .emit(&endpoint, Some(&peer), Kind::HandshakeSucceeded);
    let (pipe, reason) = session.run(&shared, pipe, &ended).await;
    shared.give_up(pipe);
    shared
        .events
        .emit(&endpoint, Some(&peer), Kind::Disconnected(reason));
}
