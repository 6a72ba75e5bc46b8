//! What keeps a socket from its peers: why handshakes fail is said at once, and which endpoints were never reached when it ends
//! in failure.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;

use purezmq::{DisconnectReason, Endpoint, Monitor, MonitorEventKind};

use crate::say;

/// How many reasons are told at most: a peer that makes up ever new ones does not fill a terminal.
const MANY_REASONS: usize = 16;

/// What has become of the endpoints that are connected to, as far as anything has: why the last attempt failed, or `None` of
/// what was reached.
#[derive(Default)]
pub(super) struct Trouble(RefCell<BTreeMap<String, Option<String>>>);

impl Trouble {
    /// Watches a socket. Whoever waits for a peer that does not let it in should know why: each reason is said once. That
    /// somebody came and went before a handshake is told of those only that we came to.
    pub(super) async fn comes(&self, mut monitor: Monitor, ours: Vec<Endpoint>) -> Infallible {
        let mut told = HashSet::new();
        while let Some(event) = monitor.recv().await {
            let Some(place) = &event.endpoint else {
                continue;
            };
            match &event.kind {
                MonitorEventKind::ConnectFailed(why) => self.failed(place, &why.to_string()),
                MonitorEventKind::Connected => {
                    self.0.borrow_mut().insert(place.to_string(), None);
                }
                MonitorEventKind::HandshakeFailed(reason) => {
                    let has_left =
                        matches!(reason, DisconnectReason::Peer | DisconnectReason::Io(_));
                    if has_left && !ours.contains(place) {
                        continue;
                    }
                    let line = format!("{place}: the handshake failed: {reason}");
                    if told.len() < MANY_REASONS && told.insert(line.clone()) {
                        say(line);
                    }
                }
                _ => {}
            }
        }
        std::future::pending().await
    }

    fn failed(&self, place: &Endpoint, why: &str) {
        let mut all = self.0.borrow_mut();
        let known = all
            .entry(place.to_string())
            .or_insert_with(|| Some(String::new()));
        if let Some(known) = known {
            why.clone_into(known);
        }
    }

    /// Says which endpoints were never reached, and why.
    pub(super) fn tell_unreached(&self) {
        for (place, why) in self.0.borrow().iter() {
            if let Some(why) = why {
                say(format_args!("{place} was never reached: {why}"));
            }
        }
    }
}
