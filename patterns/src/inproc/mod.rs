//! inproc: two sockets of one context, joined by one pipe. No ZMTP, no session, no task.
//!
//! The pipe exists from `connect` on, so that connecting before binding works and messages wait in it
//! ([R-INP-1]); binding the name gives the binder its ends. Socket types are not compared ([R-CONN-19]), and
//! nothing reconnects: when one side goes, the pipe ends ([R-INP-4]).
//!
//! [R-INP-1]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-inp-1
//! [R-CONN-19]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-conn-19
//! [R-INP-4]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-inp-4

mod zap;

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use crate::endpoint::{Endpoint, InprocName};
use crate::error::BindError;
use crate::peer::Peer;
use crate::pipe::{self, Origin, PipeId, Unbound};
use crate::security::ZAP_NAME;
use crate::state::{Applicant, Config, Shared, State, Unplaced};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// The names of a context.
#[derive(Default)]
pub(crate) struct Names {
    known: Mutex<HashMap<Box<str>, Name>>,
    /// With so many, it is time to look which nobody has or waits for any more.
    sweep_at: AtomicUsize,
    /// A ZAP handler is there, or was.
    had_handler: AtomicBool,
}

/// Names that nobody has any more may be as many as those that somebody has, and these.
const SLACK: usize = 64;

/// What is known of a name.
enum Name {
    /// A socket is bound to it.
    Bound {
        config: Arc<Config>,
        binder: Weak<State>,
        origin: Origin,
    },
    /// Sockets have connected to it and wait.
    Awaited(Vec<(Shared, Unbound)>),
}

impl Names {
    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Name>> {
        self.known.lock()
    }

    /// Forgets the names that nobody has or waits for any more, now and then.
    fn sweep(&self, names: &mut HashMap<Box<str>, Name>) {
        if names.len() < self.sweep_at.load(Ordering::Relaxed).max(SLACK) {
            return;
        }
        names.retain(|_, name| match name {
            Name::Bound { binder, .. } => binder.strong_count() > 0,
            Name::Awaited(waiting) => {
                waiting.retain(|(_, pipe)| !pipe.is_abandoned());
                !waiting.is_empty()
            }
        });
        let sweep_at = 2 * names.len() + SLACK;
        self.sweep_at.store(sweep_at, Ordering::Relaxed);
    }

    /// Returns how many names are bound or awaited.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Counts the messages of sockets that have ended which wait for somebody to bind a name.
    pub(crate) fn left_behind(&self) -> usize {
        let names = self.lock();
        let waiting = names.values().filter_map(|name| match name {
            Name::Awaited(waiting) => Some(waiting),
            Name::Bound { .. } => None,
        });
        let ended = waiting
            .flatten()
            .filter(|(connector, _)| connector.state.has_ended());
        ended.map(|(_, pipe)| pipe.unsent()).sum()
    }

    /// Returns whether a socket is bound to a name.
    fn is_bound(&self, name: &str) -> bool {
        let names = self.lock();
        matches!(names.get(name), Some(Name::Bound { binder, .. }) if binder.strong_count() > 0)
    }
}

/// Binds a name and joins those who wait for it.
pub(crate) fn bind(
    all: &Names,
    binder: &Shared,
    name: &InprocName,
    origin: Origin,
) -> Result<(), BindError> {
    let bound = Name::Bound {
        config: binder.config.clone(),
        binder: Arc::downgrade(&binder.state),
        origin,
    };
    let mut names = all.lock();
    let waiting = match names.get_mut(name.as_str()) {
        Some(Name::Bound { binder: other, .. }) if other.strong_count() > 0 => {
            return Err(BindError::AddressInUse {
                endpoint: Endpoint::new(InprocName::SCHEME, name.clone()),
            });
        }
        _ => names.insert(name.as_str().into(), bound),
    };
    drop(names);
    if name.as_str() == ZAP_NAME {
        all.had_handler.store(true, Ordering::Relaxed);
    }
    if let Some(Name::Awaited(waiting)) = waiting {
        // Who has gone and left nothing is nobody's peer: it would have a name, or the only place.
        let waiting = waiting.into_iter().filter(|(_, pipe)| !pipe.is_abandoned());
        for (connector, pipe) in waiting {
            join(&connector, pipe, (binder, origin), name);
        }
    }
    Ok(())
}

/// Connects to a name, now or when it is bound, by the pipe that this returns. `None`: the socket has no place for another
/// peer.
pub(crate) fn connect(
    names: &Names,
    connector: &Shared,
    name: &InprocName,
    origin: Origin,
) -> Option<PipeId> {
    let pipe = pipe::to_name(&connector.party(origin));
    let id = pipe.id();
    connector.state.stats.update(id, |known| {
        known.endpoint = Some(Endpoint::new(InprocName::SCHEME, name.clone()));
    });
    if let Some(peer_names) = &connector.state.peer_names
        && peer_names.knows(origin)
    {
        let applicant = Applicant {
            pipe: id,
            origin,
            peer: None,
            before: None,
        };
        let Ok(placed) = peer_names.claim(applicant) else {
            pipe.refuse();
            return None;
        };
        let (place, _) = connector.place(id, placed);
        pipe.name_binder(place, connector.config.options.notify);
    }
    let all = names;
    let mut names = all.lock();
    all.sweep(&mut names);
    let known = names
        .entry(name.as_str().into())
        .or_insert_with(|| Name::Awaited(Vec::new()));
    let bound = match known {
        Name::Bound {
            config,
            binder,
            origin,
        } => binder.upgrade().map(|state| {
            let config = config.clone();
            (Shared { config, state }, *origin)
        }),
        Name::Awaited(waiting) => {
            // Now and then, so that one more costs the same however many wait.
            if waiting.len() == waiting.capacity() {
                waiting.retain(|(_, pipe)| !pipe.is_abandoned());
                waiting.reserve(waiting.len() + 1);
            }
            waiting.push((connector.clone(), pipe));
            return Some(id);
        }
    };
    match bound {
        Some((binder, origin)) => {
            drop(names);
            join(connector, pipe, (&binder, origin), name);
        }
        // The binder has gone without a word: the name is free again.
        None => *known = Name::Awaited(vec![(connector.clone(), pipe)]),
    }
    Some(id)
}

fn join(connector: &Shared, pipe: Unbound, (binder, origin): (&Shared, Origin), name: &InprocName) {
    let [connecting, bound] = [(connector, binder), (binder, connector)].map(|(one, other)| {
        let announced = one.config.options.routing_id.as_deref().unwrap_or_default();
        let is_lasting = !other.config.options.same_connection;
        let socket_type = one.config.rules.socket_type;
        let properties = one.config.options.told_properties();
        Arc::new(Peer::inproc(socket_type, announced, properties, is_lasting))
    });
    // Each side decides whether it takes the other, as sessions do after a handshake.
    let claim = |one: &Shared, other: &Peer, origin: Origin| match &one.state.peer_names {
        None => Ok(None),
        Some(peer_names) => {
            let placed = peer_names.claim(Applicant {
                pipe: pipe.id(),
                origin,
                peer: Some(other),
                before: None,
            })?;
            Ok(Some(one.place(pipe.id(), placed).0))
        }
    };
    let claimed = claim(connector, &bound, pipe.origin())
        .and_then(|binder_place| Ok((binder_place, claim(binder, &connecting, origin)?)));
    let (binder_place, connector_place) = match claimed {
        Ok(claimed) => claimed,
        Err(Unplaced::Taken | Unplaced::Tied) => {
            pipe.refuse();
            return;
        }
    };
    if let Some(place) = binder_place {
        pipe.name_binder(place, connector.config.options.notify);
    }
    let pipe = pipe.join(&binder.party(origin));
    for (one, peer) in [(connector, &bound), (binder, &connecting)] {
        one.state.stats.update(pipe.id(), |known| {
            known.endpoint = Some(Endpoint::new(InprocName::SCHEME, name.clone()));
            known.peer = Some(peer.clone());
            known.is_connected = true;
        });
    }
    pipe.set_peers(connecting, bound);
    if let Some(place) = connector_place {
        pipe.name_connector(place, binder.config.options.notify);
    }
    let words = |one: &Shared| one.config.words(true);
    pipe.set_words(words(connector), words(binder));
    // As a connection does, the pipe begins with what either side has to say first.
    connector.begin(|first| pipe.begin_connector(first));
    binder.begin(|first| pipe.begin_binder(first));
    for one in [connector, binder] {
        if one.state.draining.has_begun() {
            one.state.stats.drain_one(pipe.id());
        }
    }
    pipe.catch_up();
}

/// Frees a name. The pipes made by it live on ([R-CONN-16]).
///
/// [R-CONN-16]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-conn-16
pub(crate) fn unbind(names: &Names, binder: &Shared, name: &InprocName) {
    let mut names = names.lock();
    if let Some(Name::Bound { binder: bound, .. }) = names.get(name.as_str())
        && std::ptr::eq(bound.as_ptr(), Arc::as_ptr(&binder.state))
    {
        names.remove(name.as_str());
    }
}
