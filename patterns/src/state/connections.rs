//! The living connections of a socket: who is at their other ends, and the way to end them. For `disconnect_peer`.
//!
//! A connection is *arriving* until its handshake is through: nobody knows yet who comes. Whoever is to be disconnected
//! meanwhile is noted with it, and sent away when that is known: so nobody slips in on a decision that was made
//! before. Peers by inproc have no connection, and are not here.

use std::sync::Arc;

use slab::Slab;

use super::State;
use crate::peer::Peer;
use crate::pipe::{Ender, Ending, SessionPipe};
use crate::security::PeerSelector;
use crate::sync::Mutex;

/// One for each socket.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<Slab<Living>>);

/// A connection.
#[derive(Debug)]
enum Living {
    /// Who is not let in any more.
    Arriving(Vec<Arc<PeerSelector>>),
    Known(Arc<Peer>, Ender),
}

/// A connection's place among the others, held by whoever serves it.
pub(crate) struct ConnectionPlace {
    state: Arc<State>,
    key: usize,
}

impl Connections {
    /// Ends the connections of the peers that are selected, and returns how many those are.
    pub(crate) fn end(&self, selector: PeerSelector) -> usize {
        let selector = Arc::new(selector);
        let mut connections = self.0.lock();
        let endings = connections
            .iter_mut()
            .filter_map(|(_, living)| match living {
                Living::Arriving(unwanted) => {
                    if !unwanted.contains(&selector) {
                        unwanted.push(selector.clone());
                    }
                    None
                }
                Living::Known(peer, ender) => {
                    let is_selected = selector.selects(peer, ender.name().as_ref());
                    is_selected.then(|| ender.end()).flatten()
                }
            });
        let endings: Vec<Ending> = endings.collect();
        drop(connections);
        let count = endings.len();
        for ending in endings {
            ending.tell();
        }
        count
    }
}

impl ConnectionPlace {
    /// Begins with a connection whose handshake is still to come.
    pub(crate) fn arriving(state: &Arc<State>) -> Self {
        let key = state
            .connections
            .0
            .lock()
            .insert(Living::Arriving(Vec::new()));
        ConnectionPlace {
            state: state.clone(),
            key,
        }
    }

    /// Notes who has come, before it is served by that pipe. Who has been disconnected meanwhile is to end at once.
    pub(crate) fn known(&self, peer: &Arc<Peer>, pipe: &SessionPipe) {
        let ender = pipe.ender();
        let name = ender.name();
        let mut connections = self.state.connections.0.lock();
        let living = &mut connections[self.key];
        if let Living::Arriving(unwanted) = living
            && unwanted
                .iter()
                .any(|selector| selector.selects(peer, name.as_ref()))
        {
            // Its task is the caller.
            drop(ender.end());
        }
        *living = Living::Known(peer.clone(), ender);
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.state.connections.0.lock().remove(self.key);
    }
}
