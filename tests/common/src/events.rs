//! Waiting for what a socket's monitor says.

use purezmq::{DisconnectReason, Monitor, MonitorEvent, MonitorEventKind};

use super::within;

/// Awaits the first event that `wanted` accepts, and returns it. Earlier ones are dropped.
pub async fn event(
    monitor: &mut Monitor,
    what: &str,
    mut wanted: impl FnMut(&MonitorEventKind) -> bool,
) -> MonitorEvent {
    within(what, async {
        loop {
            let event = monitor.recv().await.expect("the socket is open");
            if wanted(&event.kind) {
                return event;
            }
        }
    })
    .await
}

/// Awaits the end of a handshake.
pub async fn connected(monitor: &mut Monitor) {
    event(monitor, "a handshake", |kind| {
        matches!(kind, MonitorEventKind::HandshakeSucceeded)
    })
    .await;
}

/// Awaits the next failed handshake or ended connection, and says why.
pub async fn ended(monitor: &mut Monitor) -> DisconnectReason {
    let is_end = |kind: &MonitorEventKind| matches!(kind, MonitorEventKind::Disconnected(_));
    match event(monitor, "an ended connection", is_end).await.kind {
        MonitorEventKind::Disconnected(reason) => reason,
        other => unreachable!("{other:?} is none"),
    }
}
