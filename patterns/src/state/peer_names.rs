//! Which peers a socket takes, and under which names: for ROUTER, which sends by name, for SERVER, which sends by number,
//! and for PAIR, which has one peer.
//!
//! It is decided once, at the handshake, by the session, for both halves of the socket: a name belongs to
//! one connection at a time. PAIR is the case in which all peers have the same name.
//!
//! What a connection has sent comes under its name, also when it has ended, for as long as no other connection takes that
//! name. Then what is still unread, and what else comes of a connection that is still there, comes under a made-up one
//! ([026](../../../docs/decisions/026-whose-answer.md)); such a connection has its name back as soon as nobody has it, and
//! ends if that takes too long.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::time::Instant;

use super::name_ties::NameTies;
use crate::options::Options;
use crate::peer::Peer;
use crate::pipe::{Origin, PeerName, PipeId};
use crate::rng;
use crate::routing_id::{Identity, PeerId, RoutingId};
use crate::rules::{PeerNaming, Rules};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// The names of a socket's peers.
pub(crate) struct PeerNames {
    names: Mutex<Names>,
    /// There is only one name.
    exclusive: bool,
    /// Names are made up, whatever peers call themselves ([R-SERVER-1]).
    ///
    /// [R-SERVER-1]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-server-1
    by_number: bool,
    /// A newcomer takes a name from whoever has it ([R-ROUTER-4]).
    ///
    /// [R-ROUTER-4]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-router-4
    handover: AtomicBool,
    /// A name is for the user or key that had it first.
    tied: AtomicBool,
}

struct Names {
    held: HashMap<RoutingId, Holder>,
    /// All places, by the endpoints that their peers came by, and their numbers.
    places: BTreeMap<(Origin, u64), Weak<NameClaim>>,
    /// Names given to peers that are yet to be reached.
    reserved: HashMap<RoutingId, Origin>,
    reserved_for: FxHashMap<Origin, RoutingId>,
    /// Who waits for a name that another one has.
    waiting: HashMap<RoutingId, Vec<(PipeId, Waker)>>,
    ties: NameTies,
    /// How long a connection stays whose name another one has taken.
    handover_limit: Option<Duration>,
    /// The next name for a peer without one.
    next: u32,
    claims: u64,
}

/// Who has a name, or had it last and has left what is not read yet.
struct Holder {
    pipe: PipeId,
    identity: Identity,
    /// Tells the holder's place from those that it had before.
    number: u64,
    claim: Weak<NameClaim>,
    /// Its connection has ended: the name is free.
    has_left: bool,
}

/// A peer's place among the others.
pub(crate) struct NameClaim {
    names: Arc<PeerNames>,
    origin: Origin,
    number: u64,
    name: Mutex<Current>,
}

/// The name that a claim is for.
struct Current {
    name: RoutingId,
    /// The one that another connection has taken.
    lost: Option<Box<Lost>>,
}

/// A name that another connection has taken.
struct Lost {
    name: RoutingId,
    /// When the connection that had it ends, unless it has it back.
    ends_at: Option<Instant>,
}

impl Current {
    fn new(name: RoutingId) -> Self {
        Current { name, lost: None }
    }
}

/// A peer has its place.
pub(crate) struct Placed {
    pub(crate) claim: Arc<NameClaim>,
    /// Another connection had the name before, and is known by a made-up one from now on.
    pub(crate) before: Option<Renamed>,
}

/// A connection that has lost its name to another one.
pub(crate) struct Renamed {
    pub(crate) pipe: PipeId,
    /// The made-up name.
    pub(crate) name: RoutingId,
    /// The connection is still there.
    pub(crate) is_there: bool,
    /// Until then.
    pub(crate) ends_at: Option<Instant>,
    /// Dropped by whoever gets this, without the lock.
    pub(crate) claim: Option<Arc<NameClaim>>,
}

/// Why a peer has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unplaced {
    /// Another connection has the name.
    Taken,
    /// The name is another user's.
    Tied,
}

/// A peer that asks for its place.
#[derive(Clone, Copy)]
pub(crate) struct Applicant<'a> {
    pub(crate) pipe: PipeId,
    pub(crate) origin: Origin,
    /// Who it is; nobody yet, if it is still to be reached.
    pub(crate) peer: Option<&'a Peer>,
    /// The name by which the pipe's peer was known when it was here last.
    pub(crate) before: Option<&'a RoutingId>,
}

impl Applicant<'_> {
    fn identity(&self) -> Identity {
        self.peer.map_or(Identity::ANY, |peer| peer.identity)
    }

    /// Returns what it calls itself, if anything.
    fn announced(&self) -> Option<&RoutingId> {
        self.peer.and_then(|peer| peer.routing_id.as_ref())
    }
}

impl PeerNames {
    /// Returns the names of a socket whose type has any.
    pub(crate) fn new(rules: &Rules, options: &Options) -> Option<Arc<Self>> {
        if rules.naming == PeerNaming::Anonymous {
            return None;
        }
        let names = Names {
            held: HashMap::new(),
            places: BTreeMap::new(),
            reserved: HashMap::new(),
            reserved_for: FxHashMap::default(),
            waiting: HashMap::new(),
            ties: NameTies::default(),
            handover_limit: options.handover_limit,
            next: rng::rng().u32(..),
            claims: 0,
        };
        Some(Arc::new(PeerNames {
            names: Mutex::new(names),
            exclusive: rules.naming == PeerNaming::Exclusive,
            by_number: rules.naming == PeerNaming::ByNumber,
            handover: AtomicBool::new(options.handover),
            tied: AtomicBool::new(options.tied_names),
        }))
    }

    pub(crate) fn set_options(&self, options: &Options) {
        self.handover.store(options.handover, Ordering::Relaxed);
        self.tied.store(options.tied_names, Ordering::Relaxed);
        self.lock().handover_limit = options.handover_limit;
    }

    fn lock(&self) -> MutexGuard<'_, Names> {
        self.names.lock()
    }

    /// Gives a peer its name.
    pub(crate) fn claim(self: &Arc<Self>, who: Applicant<'_>) -> Result<Placed, Unplaced> {
        let handover = self.handover.load(Ordering::Relaxed);
        self.claim_under(&mut self.lock(), who, handover)
    }

    /// Gives a peer its name as soon as nobody has it; until then, `waker` is woken when it may be free.
    pub(crate) fn claim_free(
        self: &Arc<Self>,
        who: Applicant<'_>,
        waker: &Waker,
    ) -> Result<Placed, Unplaced> {
        let mut names = self.lock();
        let placed = self.claim_under(&mut names, who, false);
        if let (Err(Unplaced::Taken), Some(name)) = (&placed, who.announced()) {
            let waiting = names.waiting.entry(name.clone()).or_default();
            match waiting.iter_mut().find(|one| one.0 == who.pipe) {
                Some(known) => known.1.clone_from(waker),
                None => waiting.push((who.pipe, waker.clone())),
            }
        }
        placed
    }

    /// Forgets one that waited for a name.
    pub(crate) fn stop_waiting(&self, pipe: PipeId, name: &RoutingId) {
        self.lock().stop_waiting(pipe, name);
    }

    /// Gives a connection the name back that it has lost, if nobody has it; until then, `waker` is woken when it may be
    /// free. Returns the name, and whose messages have come under it since.
    pub(crate) fn take_back(
        &self,
        claim: &NameClaim,
        pipe: PipeId,
        waker: &Waker,
    ) -> Option<(RoutingId, Option<Renamed>)> {
        let mut names = self.lock();
        let mut current = claim.name.lock();
        let lost = current.lost.as_deref()?.name.clone();
        let holder = names.held.get(&current.name)?;
        if holder.number != claim.number || holder.has_left {
            return None;
        }
        let is_held = names.held.get(&lost).is_some_and(|one| !one.has_left);
        if is_held || names.reserved.contains_key(&lost) {
            let waiting = names.waiting.entry(lost).or_default();
            waiting.push((pipe, waker.clone()));
            return None;
        }
        let holder = names.held.remove(&current.name)?;
        *current = Current::new(lost.clone());
        drop(current);
        let before = names.held.remove(&lost);
        let before = before.map(|before| names.rename(before));
        names.held.insert(lost.clone(), holder);
        Some((lost, before))
    }

    fn claim_under(
        self: &Arc<Self>,
        names: &mut Names,
        who: Applicant<'_>,
        handover: bool,
    ) -> Result<Placed, Unplaced> {
        let Applicant { pipe, origin, .. } = who;
        let identity = who.identity();
        let name = if self.exclusive {
            RoutingId::default()
        } else {
            names.name_of(who, !self.by_number)
        };
        let is_elsewhere = |by: &Origin| *by != origin;
        if names.reserved.get(&name).is_some_and(is_elsewhere) {
            return Err(Unplaced::Taken);
        }
        let holder = names.held.get(&name);
        if holder.is_some_and(|one| one.pipe != pipe && !one.has_left) && !handover {
            return Err(Unplaced::Taken);
        }
        if self.tied.load(Ordering::Relaxed)
            && let (Some(peer), Some(_)) = (who.peer, who.announced())
        {
            let held = &names.held;
            let is_held = |name: &RoutingId| held.get(name).is_some_and(|one| !one.has_left);
            if !names.ties.tie(&name, peer.owner, is_held) {
                return Err(Unplaced::Tied);
            }
        }
        if let Some(holder) = names.held.get_mut(&name)
            && holder.pipe == pipe
            && (holder.identity == identity || holder.identity == Identity::ANY)
            && let Some(claim) = holder.claim.upgrade()
        {
            // Who was here before comes back, or is reached at last.
            holder.has_left = false;
            holder.identity = identity;
            *claim.name.lock() = Current::new(name.of(identity));
            let before = None;
            return Ok(Placed { claim, before });
        }
        let before = names.held.remove(&name);
        let before = before.and_then(|before| (!self.exclusive).then(|| names.rename(before)));
        names.claims += 1;
        let claim = Arc::new(NameClaim {
            names: self.clone(),
            origin,
            number: names.claims,
            name: Mutex::new(Current::new(name.clone().of(identity))),
        });
        let holder = Holder {
            pipe,
            identity,
            number: claim.number,
            claim: Arc::downgrade(&claim),
            has_left: false,
        };
        let place = (origin, holder.number);
        names.places.insert(place, holder.claim.clone());
        names.held.insert(name, holder);
        Ok(Placed { claim, before })
    }

    /// Returns whether another peer may come, whoever it is.
    pub(crate) fn has_place(&self) -> bool {
        let is_there = |holder: &Holder| !holder.has_left;
        !self.exclusive
            || self.handover.load(Ordering::Relaxed)
            || !self.lock().held.values().any(is_there)
    }

    /// Makes up a number for a peer that is yet to be reached. `None`: peers have no numbers.
    pub(crate) fn next_number(&self) -> Option<PeerId> {
        if !self.by_number {
            return None;
        }
        PeerId::of(&self.lock().make_up())
    }

    /// Keeps a name for the peer of an endpoint. `false`: it is taken ([R-ROUTER-9]).
    ///
    /// [R-ROUTER-9]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-router-9
    pub(crate) fn reserve(&self, name: &RoutingId, origin: Origin) -> bool {
        let mut names = self.lock();
        let is_held = names.held.get(name).is_some_and(|one| !one.has_left);
        if is_held || names.reserved.contains_key(name) {
            return false;
        }
        names.reserved.insert(name.name_only(), origin);
        names.reserved_for.insert(origin, name.name_only());
        true
    }

    /// Returns whether the peer of an endpoint has its name before it is reached.
    pub(crate) fn knows(&self, origin: Origin) -> bool {
        self.exclusive || self.lock().reserved_for.contains_key(&origin)
    }

    /// Frees the names of an endpoint's peers: it goes, though what was sent to them may linger.
    pub(crate) fn release(&self, origin: Origin) {
        let mut free = Vec::new();
        let mut names = self.lock();
        if let Some(name) = names.reserved_for.remove(&origin) {
            names.reserved.remove(&name);
            free.push(name);
        }
        let places = names.places.range((origin, 0)..=(origin, u64::MAX));
        let claims: Vec<_> = places.filter_map(|(_, claim)| claim.upgrade()).collect();
        for claim in &claims {
            let name = claim.name();
            if let Some(holder) = names.held.get_mut(&name)
                && holder.number == claim.number
                && !std::mem::replace(&mut holder.has_left, true)
            {
                free.push(name);
            }
        }
        let waiting: Vec<Waker> = free.iter().flat_map(|name| names.wake(name)).collect();
        drop(names);
        // Without the lock: each may be the last of its claim.
        drop(claims);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Names {
    /// Returns the name given to the peer here, or that it gives itself if that matters, or that it had, or a new one.
    fn name_of(&mut self, who: Applicant<'_>, takes_announced: bool) -> RoutingId {
        if let Some(name) = self.reserved_for.get(&who.origin) {
            return name.clone();
        }
        if takes_announced && let Some(announced) = who.announced() {
            return announced.clone();
        }
        if let Some(before) = who.before
            && [who.identity(), Identity::ANY].contains(&before.whose())
        {
            return before.clone();
        }
        self.make_up()
    }

    /// Makes up a name that nobody has. Its number is not zero, which stands for nobody where names are numbers.
    fn make_up(&mut self) -> RoutingId {
        loop {
            let number = self.next;
            self.next = number.wrapping_add(1);
            let name = RoutingId::generated(number);
            let is_free = !self.held.contains_key(&name) && !self.reserved.contains_key(&name);
            if number != 0 && is_free {
                return name;
            }
        }
    }

    /// Gives a made-up name to one that has lost its own.
    fn rename(&mut self, holder: Holder) -> Renamed {
        let name = self.make_up().of(holder.identity);
        let limit = self.handover_limit.filter(|_| !holder.has_left);
        let ends_at = limit.and_then(|limit| Instant::now().checked_add(limit));
        let renamed = Renamed {
            pipe: holder.pipe,
            name: name.clone(),
            is_there: !holder.has_left,
            ends_at,
            claim: holder.claim.upgrade(),
        };
        if let Some(claim) = &renamed.claim {
            let mut current = claim.name.lock();
            let lost = std::mem::replace(&mut current.name, name.clone());
            current.lost = Some(Box::new(Lost {
                name: lost,
                ends_at,
            }));
            drop(current);
            self.held.insert(name, holder);
        }
        renamed
    }

    fn stop_waiting(&mut self, pipe: PipeId, name: &RoutingId) {
        if let Some(waiting) = self.waiting.get_mut(name) {
            waiting.retain(|one| one.0 != pipe);
            if waiting.is_empty() {
                self.waiting.remove(name);
            }
        }
    }

    /// Takes those who wait for a name, to be woken without the lock.
    fn wake(&mut self, name: &RoutingId) -> Vec<Waker> {
        let waiting = self.waiting.remove(name).unwrap_or_default();
        waiting.into_iter().map(|one| one.1).collect()
    }
}

impl NameClaim {
    /// Ends the claim, or only its connection.
    fn give_up(&self, is_last: bool) {
        let mut names = self.names.lock();
        if is_last {
            names.places.remove(&(self.origin, self.number));
        }
        let current = self.name.lock();
        let name = current.name.clone();
        let lost = current.lost.as_ref().map(|lost| lost.name.clone());
        drop(current);
        let Some(holder) = names.held.get_mut(&name) else {
            return;
        };
        if holder.number != self.number {
            return;
        }
        let pipe = holder.pipe;
        let was_there = !std::mem::replace(&mut holder.has_left, true);
        if is_last {
            names.held.remove(&name);
        }
        if let Some(lost) = lost {
            names.stop_waiting(pipe, &lost);
        }
        let waiting = if was_there {
            names.wake(&name)
        } else {
            Vec::new()
        };
        drop(names);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl PeerName for NameClaim {
    fn name(&self) -> RoutingId {
        self.name.lock().name.clone()
    }

    fn leave(&self) {
        self.give_up(false);
    }

    fn ends_at(&self) -> Option<Instant> {
        self.name.lock().lost.as_ref()?.ends_at
    }
}

impl Drop for NameClaim {
    fn drop(&mut self) {
        self.give_up(true);
    }
}
