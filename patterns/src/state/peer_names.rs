//! Which peers a socket takes, and under which names: for ROUTER, which sends by name, and for PAIR, which
//! has one peer.
//!
//! It is decided once, at the handshake, by the session, for both halves of the socket: a name belongs to
//! one pipe at a time. PAIR is the case in which all peers have the same name.

use std::collections::HashMap;
use std::sync::Arc;

use crate::options::Options;
use crate::pipe::{Origin, PeerName, PipeId};
use crate::rng;
use crate::routing_id::RoutingId;
use crate::rules::{PeerNaming, Rules};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// The names of a socket's peers.
pub(crate) struct PeerNames {
    names: Mutex<Names>,
    /// There is only one name.
    exclusive: bool,
    /// A newcomer takes a name from whoever has it (R-ROUTER-4).
    handover: AtomicBool,
}

struct Names {
    held: HashMap<RoutingId, Holder>,
    /// Names given to peers that are yet to be reached.
    reserved: HashMap<RoutingId, Origin>,
    /// The next name for a peer without one.
    next: u32,
    claims: u64,
}

struct Holder {
    pipe: PipeId,
    origin: Origin,
    /// Tells the holder's place from those that it had before.
    claim: u64,
}

/// A peer's place among the others, given up when dropped.
pub(crate) struct NameClaim {
    names: Arc<PeerNames>,
    name: RoutingId,
    claim: u64,
}

impl PeerNames {
    /// Returns the names of a socket whose type has any.
    pub(crate) fn new(rules: &Rules, options: &Options) -> Option<Arc<Self>> {
        let exclusive = match rules.naming {
            PeerNaming::Exclusive => true,
            PeerNaming::ByRoutingId => false,
            PeerNaming::Anonymous => return None,
        };
        let names = Names {
            held: HashMap::new(),
            reserved: HashMap::new(),
            next: rng::rng().u32(..),
            claims: 0,
        };
        Some(Arc::new(PeerNames {
            names: Mutex::new(names),
            exclusive,
            handover: AtomicBool::new(options.handover),
        }))
    }

    pub(crate) fn set_options(&self, options: &Options) {
        self.handover.store(options.handover, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Names> {
        self.names.lock()
    }

    /// Gives a name to a peer that calls itself `announced`, and was known as `before` when it was here last.
    /// `None`: its name is taken.
    pub(crate) fn claim(
        self: &Arc<Self>,
        pipe: PipeId,
        origin: Origin,
        announced: &[u8],
        before: Option<&RoutingId>,
    ) -> Option<NameClaim> {
        let mut names = self.lock();
        let name = if self.exclusive {
            RoutingId::default()
        } else {
            names.name_of(origin, announced, before)
        };
        let is_elsewhere = |by: &Origin| *by != origin;
        if names.reserved.get(&name).is_some_and(is_elsewhere) {
            return None;
        }
        let other = names.held.get(&name).is_some_and(|one| one.pipe != pipe);
        if other && !self.handover.load(Ordering::Relaxed) {
            return None;
        }
        names.claims += 1;
        let claim = names.claims;
        let holder = Holder {
            pipe,
            origin,
            claim,
        };
        names.held.insert(name.clone(), holder);
        Some(NameClaim {
            names: self.clone(),
            name,
            claim,
        })
    }

    /// Returns whether another peer may come, whoever it is.
    pub(crate) fn has_place(&self) -> bool {
        !self.exclusive || self.handover.load(Ordering::Relaxed) || self.lock().held.is_empty()
    }

    /// Keeps a name for the peer of an endpoint. `false`: it is taken (R-ROUTER-9).
    pub(crate) fn reserve(&self, name: &RoutingId, origin: Origin) -> bool {
        let mut names = self.lock();
        if names.held.contains_key(name) || names.reserved.contains_key(name) {
            return false;
        }
        names.reserved.insert(name.clone(), origin);
        true
    }

    /// Returns whether the peer of an endpoint has its name before it is reached.
    pub(crate) fn knows(&self, origin: Origin) -> bool {
        self.exclusive || self.lock().reserved.values().any(|by| *by == origin)
    }

    /// Frees the names of an endpoint's peers: it goes, though what was sent to them may linger.
    pub(crate) fn release(&self, origin: Origin) {
        let mut names = self.lock();
        names.reserved.retain(|_, by| *by != origin);
        names.held.retain(|_, holder| holder.origin != origin);
    }
}

impl Names {
    /// Returns the name given to the peer here, or that it gives itself, or that it had, or a new one.
    fn name_of(
        &mut self,
        origin: Origin,
        announced: &[u8],
        before: Option<&RoutingId>,
    ) -> RoutingId {
        if let Some((name, _)) = self.reserved.iter().find(|(_, by)| **by == origin) {
            return name.clone();
        }
        if !announced.is_empty() {
            return RoutingId::from(announced);
        }
        if let Some(before) = before {
            return before.clone();
        }
        loop {
            let name = RoutingId::generated(self.next);
            self.next = self.next.wrapping_add(1);
            if !self.held.contains_key(&name) {
                return name;
            }
        }
    }
}

impl PeerName for NameClaim {
    fn name(&self) -> &RoutingId {
        &self.name
    }
}

impl Drop for NameClaim {
    fn drop(&mut self) {
        let mut names = self.names.lock();
        if let Some(holder) = names.held.get(&self.name)
            && holder.claim == self.claim
        {
            names.held.remove(&self.name);
        }
    }
}
