//! The end of a context: its sockets end, whoever holds them, and what is left of each is counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::members::{Found, drive, ended};
use crate::error::{ContextReport, LeftAtPeer};
use crate::pipe::PipeId;
use crate::rules::Rules;
use crate::state::{LeftInPipe, State};
use crate::sync::Mutex;

/// One for each context that closes. All calls of `Context::close` share it.
pub(crate) struct Closing {
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// None once it is through.
    sockets: Vec<Ending>,
    /// Once it is through.
    report: Option<ContextReport>,
}

/// A socket that ends.
#[derive(Clone)]
struct Ending {
    socket: Arc<Found>,
    /// What was left of its pipes before: not for want of time.
    before: Arc<HashMap<PipeId, LeftInPipe>>,
}

impl Closing {
    pub(super) fn new(found: Vec<Found>) -> Self {
        let sockets = found.into_iter().map(|socket| Ending {
            before: Arc::new(socket.state.stats.left().collect()),
            socket: Arc::new(socket),
        });
        Closing {
            progress: Mutex::new(Progress {
                sockets: sockets.collect(),
                report: None,
            }),
        }
    }

    fn sockets(&self) -> Vec<Ending> {
        self.progress.lock().sockets.clone()
    }

    /// Has the sockets end within `limit`. Called again, it may make that shorter.
    pub(super) fn hurry(&self, limit: Duration) {
        for one in self.sockets() {
            one.socket.end(limit);
        }
    }

    /// Waits until all have ended.
    pub(super) async fn ended(&self) {
        ended(&self.lingering()).await;
    }

    /// Writes what was sent, as far as the system takes it at once.
    pub(super) fn drive(&self) {
        drive(&self.lingering());
    }

    /// Returns those that may not have ended yet.
    pub(super) fn lingering(&self) -> Vec<Arc<State>> {
        let sockets = self.sockets();
        sockets.iter().map(|one| one.socket.state.clone()).collect()
    }

    /// Says what is left, which is settled by the first call.
    pub(super) fn report(&self) -> ContextReport {
        let mut progress = self.progress.lock();
        if let Some(report) = &progress.report {
            return report.clone();
        }
        let sockets = std::mem::take(&mut progress.sockets);
        let mut report = ContextReport::default();
        for one in &sockets {
            one.add_to(&mut report);
        }
        progress.report = Some(report.clone());
        drop(progress);
        drop(sockets);
        report
    }
}

impl Ending {
    /// Adds what is left now and was not before.
    fn add_to(&self, report: &mut ContextReport) {
        let Rules {
            socket_type,
            publishes,
            ..
        } = *self.socket.rules;
        for (id, left) in self.socket.state.stats.left() {
            let before = self.before.get(&id);
            let since = |after: usize, before: Option<usize>| {
                after.saturating_sub(before.unwrap_or_default())
            };
            let unsent = left.queued_to_send + since(left.unsent, before.map(|left| left.unsent));
            let unread = match publishes {
                true => 0,
                false => {
                    left.queued_to_receive + since(left.unread, before.map(|left| left.unread))
                }
            };
            if unsent + unread == 0 {
                continue;
            }
            report.unsent += unsent;
            report.unread += unread;
            report.peers.push(LeftAtPeer {
                socket_type,
                endpoint: left.endpoint,
                address: left.address,
                routing_id: left.routing_id,
                unsent,
                unread,
            });
        }
    }
}
