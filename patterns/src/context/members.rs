//! The sockets of a context: each is entered when it is made. Of those that are held, the last handle's end is theirs, or
//! the context's; those that have ended may still linger, and `Context::flush`, `Context::close` and the last of the
//! blocking sockets wait for them.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Context;
use super::closing::Closing;
use crate::rules::Rules;
use crate::security::PeerSelector;
use crate::state::State;
use crate::stats::{EndpointStats, MemberStats};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// Entries of sockets that are done may be as many as those of sockets that are there or linger, and these.
const SLACK: usize = 16;

/// A socket that is held: what its handles share.
pub(crate) trait Member: Send + Sync {
    /// Ends the socket under its handles, whose calls fail from now on. What was sent lingers, for as long as the socket
    /// does, and no longer than `limit`. A second call makes that shorter, if it does.
    fn end(&self, limit: Duration);
}

/// What a socket is bound and connected to. Held without the socket: whoever looks keeps nothing from ending.
pub(crate) trait Attached: Send + Sync {
    /// Returns what has become of each endpoint.
    fn stats(&self) -> Vec<EndpointStats>;
}

/// One for each context.
#[derive(Default)]
pub(crate) struct Members {
    sockets: Mutex<Sockets>,
    /// Handles of blocking sockets that are there.
    blocking: AtomicUsize,
}

#[derive(Default)]
struct Sockets {
    known: Vec<Entry>,
    /// With so many, it is time to look which are done.
    look_at: usize,
    /// The context is closed, or about to be.
    closing: Option<Arc<Closing>>,
}

struct Entry {
    number: u64,
    attached: Weak<dyn Attached>,
    /// Kept by its handles.
    member: Weak<dyn Member>,
    /// Kept by them, and by the socket's tasks.
    state: Weak<State>,
    rules: &'static Rules,
    /// The drop of a blocking socket has waited for it. None does so twice.
    is_waited_for: bool,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// All sockets and all their peers.
    All,
    /// All sockets. Peers are counted.
    #[cfg_attr(
        not(feature = "expose"),
        expect(dead_code, reason = "who looks in asks for it")
    )]
    WithoutPeers,
    /// The socket of this number, and its peers.
    #[cfg_attr(
        not(feature = "expose"),
        expect(dead_code, reason = "who looks in asks for it")
    )]
    One(u64),
}

/// What a context that closes knows of a socket of its.
pub(super) struct Found {
    member: Weak<dyn Member>,
    pub(super) state: Arc<State>,
    pub(super) rules: &'static Rules,
}

impl Members {
    /// Enters a socket. `false`: the context is closed.
    pub(crate) fn enter(
        &self,
        member: Weak<dyn Member>,
        attached: Weak<dyn Attached>,
        state: &Arc<State>,
        rules: &'static Rules,
    ) -> bool {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let mut sockets = self.sockets.lock();
        if sockets.closing.is_some() {
            return false;
        }
        sockets.known.push(Entry {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            attached,
            member,
            state: Arc::downgrade(state),
            rules,
            is_waited_for: false,
        });
        if sockets.known.len() >= sockets.look_at {
            sockets
                .known
                .retain(|one| one.is_held() || one.lingers().is_some());
            sockets.look_at = 2 * sockets.known.len() + SLACK;
        }
        true
    }

    /// Returns whether the context is closed, or about to be.
    pub(super) fn are_closed(&self) -> bool {
        self.sockets.lock().closing.is_some()
    }

    /// Lets no more sockets in. The first call begins to close those that are there.
    pub(super) fn close(&self) -> Arc<Closing> {
        let mut sockets = self.sockets.lock();
        if let Some(closing) = &sockets.closing {
            return closing.clone();
        }
        let known = std::mem::take(&mut sockets.known);
        let found = known.into_iter().filter_map(|one| {
            let state = match one.is_held() {
                true => one.state.upgrade(),
                false => one.lingers(),
            };
            Some(Found {
                state: state?,
                member: one.member,
                rules: one.rules,
            })
        });
        let closing = Arc::new(Closing::new(found.collect()));
        sockets.closing = Some(closing.clone());
        closing
    }

    /// Returns the sockets that have ended, and linger.
    pub(super) fn lingering(&self) -> Vec<Arc<State>> {
        let sockets = self.sockets.lock();
        if let Some(closing) = &sockets.closing {
            return closing.lingering();
        }
        let ended = sockets.known.iter().filter(|one| !one.is_held());
        ended.filter_map(Entry::lingers).collect()
    }

    /// Returns all sockets: those that are held, and those that linger.
    fn all(&self) -> Vec<Arc<State>> {
        let sockets = self.sockets.lock();
        match &sockets.closing {
            Some(closing) => closing.lingering(),
            None => {
                let known = sockets.known.iter();
                known.filter_map(|one| one.state.upgrade()).collect()
            }
        }
    }

    /// Returns what the sockets have counted that are asked for: of those that are held, and those that linger. Nobody else is
    /// held up by this, but for the moment in which one of them is looked at.
    pub(super) fn stats(&self, what: Look) -> Vec<MemberStats> {
        let sockets = self.sockets.lock();
        let asked = sockets.known.iter().filter(|one| match what {
            Look::All | Look::WithoutPeers => true,
            Look::One(number) => one.number == number,
        });
        let known = asked.filter_map(|one| {
            let is_ended = !one.is_held();
            let state = match is_ended {
                true => one.lingers(),
                false => one.state.upgrade(),
            };
            Some((
                one.number,
                is_ended,
                state?,
                one.attached.clone(),
                one.rules,
            ))
        });
        let known: Vec<_> = known.collect();
        drop(sockets);
        let stats = known.into_iter();
        let stats = stats.map(|(number, is_ended, state, attached, rules)| {
            let (mut stats, peers) = match what {
                Look::WithoutPeers => state.stats.counted(),
                Look::All | Look::One(_) => {
                    let stats = state.stats.snapshot();
                    let peers = stats.peers.len();
                    (stats, peers)
                }
            };
            stats.name = state.events.name().as_deref().map(str::to_owned);
            stats.endpoints = attached.upgrade().map_or_else(Vec::new, |one| one.stats());
            let (send_hwm, recv_hwm) = state.hwms();
            MemberStats {
                number,
                socket_type: rules.socket_type,
                is_ended,
                send_hwm,
                recv_hwm,
                peers,
                stats,
            }
        });
        stats.collect()
    }

    /// Ends the connections of the peers that are selected, of all sockets, and returns how many those are.
    pub(super) fn disconnect_peer(&self, selector: &PeerSelector) -> usize {
        let sockets = self.all();
        let ended = sockets
            .iter()
            .map(|state| state.connections.end(selector.clone()));
        ended.sum()
    }

    /// Returns those that have something to send, each of them once only.
    fn unsent(&self) -> Vec<Arc<State>> {
        let mut sockets = self.sockets.lock();
        let known = sockets.known.iter_mut();
        let ended = known.filter(|one| !one.is_held() && !one.is_waited_for);
        let lingering = ended.filter_map(|one| {
            one.is_waited_for = true;
            one.lingers()
        });
        lingering.filter(|state| state.left() > 0).collect()
    }

    /// Counts another handle of a blocking socket.
    pub(super) fn blocking_begins(&self) {
        self.blocking.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one less. If it was the last, returns what there is to wait for.
    pub(super) fn blocking_ends(&self) -> Vec<Arc<State>> {
        match self.blocking.fetch_sub(1, Ordering::AcqRel) {
            1 => self.unsent(),
            _ => Vec::new(),
        }
    }
}

impl Context {
    /// Returns what each of the context's sockets has counted, oldest first: those that are held, wherever that is, and those
    /// that were dropped and linger. As for [`disconnect_peer`](Self::disconnect_peer), all sockets that were not given a
    /// context count as of one. A closed context has none.
    ///
    /// It disturbs nobody: sockets count anyway, and each is looked at for a moment, without its handle. It costs about a
    /// microsecond for each peer.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use purezmq::{Context, PullSocket, SocketType};
    ///
    /// let context = Context::new();
    /// let mut pull = PullSocket::builder().context(&context).name("work").build()?;
    /// let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
    ///
    /// let all = context.stats();
    /// assert_eq!(all.len(), 1);
    /// assert_eq!((all[0].socket_type, all[0].recv_hwm, all[0].peers), (SocketType::Pull, 1000, 0));
    /// assert_eq!(all[0].stats.name.as_deref(), Some("work"));
    /// assert_eq!(all[0].stats.endpoints[0].endpoint, Some(endpoint));
    /// drop(pull);
    /// assert!(context.stats().iter().all(|one| one.is_ended), "it has gone, or its tasks are about to");
    /// # Ok(())
    /// # }
    /// ```
    pub fn stats(&self) -> Vec<MemberStats> {
        self.look(Look::All)
    }

    /// Returns the same of what is asked for.
    pub(crate) fn look(&self, what: Look) -> Vec<MemberStats> {
        let families = self.guarded.lock().clone();
        let mut all: Vec<_> = families.iter().flat_map(|one| one.stats(what)).collect();
        all.sort_by_key(|one| one.number);
        all
    }
}

impl Found {
    /// Ends the socket, or has it end sooner.
    pub(super) fn end(&self, limit: Duration) {
        match self.member.upgrade() {
            Some(member) => member.end(limit),
            // It has ended, or does at this moment, and lingers.
            None => self.state.hurry(limit),
        }
    }
}

impl Entry {
    fn is_held(&self) -> bool {
        self.member.strong_count() > 0
    }

    fn lingers(&self) -> Option<Arc<State>> {
        let state = self.state.upgrade()?;
        state.tasks.run().then_some(state)
    }
}

/// Waits until those sockets have sent what they had, or their times to linger are over.
pub(super) async fn ended(sockets: &[Arc<State>]) {
    for state in sockets {
        state.tasks.ended().await;
    }
}

/// Writes what those sockets have sent, as far as the system takes it at once: their runtimes do not run.
pub(super) fn drive(sockets: &[Arc<State>]) {
    for state in sockets {
        state.stats.drive();
    }
}

/// Counts what those sockets have not sent.
pub(super) fn left(sockets: &[Arc<State>]) -> usize {
    sockets.iter().map(|state| state.left()).sum()
}
