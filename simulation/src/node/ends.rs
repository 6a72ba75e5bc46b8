//! What ends beside connections: the runtime of the socket's endpoints, and endpoints that are gone. What the monitor
//! tells is checked against what has happened, and what calls say against what the monitor tells.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::FutureExt;
use purezmq::simulation::Runtime;
use purezmq::{
    DisconnectError, DisconnectReason, Endpoint, GoneReason, MonitorEvent, MonitorEventKind,
    RecvError, SendError, SocketType, UnbindError, zmtp,
};
use rand::Rng;
use tokio::task::unconstrained;
use tokio::time::{Instant, timeout};

use super::Actor;
use super::forms::GRAIN;
use crate::hazards::Gate;
use crate::plan::one_of;
use crate::sockets::Socket;

/// How long a close may take beyond its limit.
const AFTER_LINGER: Duration = Duration::from_millis(100);

/// One of a socket's endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Where it is bound.
    Own,
    /// Of a peer that it connects to.
    Peer(u8),
}

/// What an application knows of its socket's endpoints and connections.
#[derive(Default)]
pub(super) struct Known {
    /// Where it is bound and connected, as far as it has not let go of that.
    pub(super) places: BTreeSet<Place>,
    /// Those of them that are gone.
    pub(super) gone: BTreeSet<Place>,
    /// Its runtime has ended.
    runtime_ended: bool,
    /// Connections that have begun, whose handshake has ended, and that have ended.
    begun: u64,
    greeted: u64,
    ended: u64,
    /// The monitor was read too slowly.
    missed: bool,
}

impl Known {
    /// It has bound or connected.
    pub(super) fn begins(&mut self, place: Place) {
        self.places.insert(place);
        self.gone.remove(&place);
    }

    /// It has unbound or disconnected. Says whether that was gone before.
    pub(super) fn ends(&mut self, place: Place) -> bool {
        self.places.remove(&place);
        self.gone.remove(&place)
    }

    fn all_gone(&self) -> bool {
        !self.places.is_empty() && self.places == self.gone
    }
}

impl Actor {
    fn place_of(&self, endpoint: &Endpoint) -> Option<Place> {
        if *endpoint == self.endpoint_of(self.plan.host) {
            return Some(Place::Own);
        }
        let mut peers = self.plan.connects.iter();
        let peer = peers.find(|peer| *endpoint == self.endpoint_of(**peer));
        peer.map(|peer| Place::Peer(*peer))
    }

    /// Reads what the monitor has to tell.
    pub(super) fn watch(&mut self) {
        let Some(mut monitor) = self.monitor.take() else {
            return;
        };
        while let Some(Some(event)) = unconstrained(monitor.recv()).now_or_never() {
            self.hear(&event);
        }
        self.monitor = Some(monitor);
    }

    fn hear(&mut self, event: &MonitorEvent) {
        match &event.kind {
            MonitorEventKind::Accepted | MonitorEventKind::Connected => self.known.begun += 1,
            MonitorEventKind::HandshakeSucceeded | MonitorEventKind::HandshakeFailed(_) => {
                self.known.greeted += 1;
            }
            MonitorEventKind::Disconnected(reason) => {
                self.known.ended += 1;
                let is_silent =
                    matches!(reason, DisconnectReason::Protocol(zmtp::Error::Silent(_)));
                if self.shared.healthy && is_silent {
                    self.fail(format_args!("a healthy connection has ended: {reason}"));
                }
                if let DisconnectReason::TaskEnded(why) = reason {
                    self.check_reason(why);
                }
            }
            MonitorEventKind::Gone(gone) => {
                self.check_reason(&gone.reason);
                let Some(place) = self.place_of(&gone.endpoint) else {
                    return self.fail(format_args!("{gone}, and was never there"));
                };
                self.note("gone", place_number(place), &gone.to_string());
                if self.known.places.contains(&place) {
                    self.known.gone.insert(place);
                } else {
                    self.fail(format_args!("{gone}, and the socket has let go of it"));
                }
            }
            MonitorEventKind::Missed(_) => self.known.missed = true,
            _ => {}
        }
    }

    fn check_reason(&self, reason: &GoneReason) {
        let may_be = match reason {
            GoneReason::RuntimeEnded => self.known.runtime_ended,
            GoneReason::Panicked => self.plan.gate == Gate::Function,
            GoneReason::Refused { .. } => self.shared.refuses,
            GoneReason::NotReconnecting { .. } => self.plan.settings.reconnect_interval.is_none(),
            _ => true,
        };
        if !may_be {
            self.fail(format_args!("something has ended: {reason}"));
        }
    }

    /// A call says that nothing is left: so the monitor has told.
    pub(super) fn expect_all_gone(&mut self, call: &str) {
        self.watch();
        if !self.known.all_gone() && !self.known.missed {
            let Known { places, gone, .. } = &self.known;
            self.fail(format_args!(
                "{call} says that all is gone, and of {places:?} only {gone:?} are"
            ));
        }
    }

    /// The runtime of its endpoints ends. All of that is told at once: by the monitor, and by calls that would wait.
    pub(super) async fn end_runtime(&mut self) {
        if self.home.is_none() {
            return;
        }
        self.note("runtime", 0, "loses the runtime of its endpoints");
        self.watch();
        self.known.runtime_ended = true;
        if let Some(home) = self.home.replace(Runtime::default()) {
            home.end();
        }
        self.watch();
        let Known {
            places,
            gone,
            begun,
            greeted,
            ended,
            missed,
            ..
        } = &self.known;
        if *missed {
            return;
        }
        if places != gone {
            self.fail(format_args!(
                "the runtime of {places:?} has ended, and the monitor tells of {gone:?}"
            ));
        }
        if begun != ended || begun != greeted {
            self.fail(format_args!(
                "{begun} connections have begun, {greeted} are said to be greeted or not, {ended} to have ended"
            ));
        }
        self.audit();
        if self.known.all_gone() {
            self.expect_no_waiting().await;
        }
    }

    /// Nothing is left to wait for: no call waits.
    async fn expect_no_waiting(&mut self) {
        let soon = Duration::from_millis(50);
        let (_, receives) = self.socket().directions();
        let is_turn = match self.plan.kind {
            SocketType::Req => self.asking,
            SocketType::Rep => self.echoes.is_empty(),
            _ => true,
        };
        loop {
            if !(receives && is_turn) {
                break;
            }
            match timeout(soon, self.socket().recv()).await {
                Ok(Ok((from, message))) => {
                    self.take(from, message);
                    if matches!(self.plan.kind, SocketType::Req | SocketType::Rep) {
                        return;
                    }
                }
                Ok(Err(RecvError::Gone(_))) => {
                    self.asking = false;
                    break;
                }
                Ok(Err(error)) => return self.fail(format_args!("recv: {error}")),
                Err(_) => return self.fail("recv waits, and nothing is left to wait for"),
            }
        }
        if !self.socket().waits() || self.asking {
            return;
        }
        let letter = self.letter(true);
        let socket = self.socket.as_mut().expect("it is made in begin");
        let sending = socket.send(letter.to.as_ref(), letter.message.clone());
        match timeout(soon, sending).await {
            Ok(Err(SendError::Gone { .. })) => self.unsent = Some(letter),
            Ok(Err(error)) => self.fail(format_args!("send: {error}")),
            Ok(Ok(())) => self.fail("a message is taken, and nothing is left to send it to"),
            Err(_) => self.fail("send waits, and nothing is left to wait for"),
        }
    }

    /// While things go wrong, an application does not see at once to what is gone.
    pub(super) async fn look_after_endpoints(&mut self) {
        if self.rng.random_ratio(1, 8) {
            self.watch();
        }
        if !self.known.gone.is_empty() && self.rng.random_ratio(1, 6) {
            self.renew_all().await;
        }
    }

    /// Makes anew what is gone.
    pub(super) async fn renew_all(&mut self) {
        self.watch();
        for place in self.known.gone.clone() {
            self.note("renew", place_number(place), "makes anew what is gone");
            if self.rng.random() {
                self.let_go(place).await;
            }
            self.make(place).await;
        }
    }

    /// Connects or binds.
    pub(super) async fn make(&mut self, place: Place) {
        match place {
            Place::Own => self.bind().await,
            Place::Peer(peer) => self.connect(peer),
        }
    }

    /// Disconnects or unbinds. What was gone says so, and nothing else.
    pub(super) async fn let_go(&mut self, place: Place) {
        self.watch();
        let was_gone = self.known.ends(place);
        let missed = self.known.missed;
        let (is_gone, wrong) = match place {
            Place::Own => {
                let at = self.endpoint_of(self.plan.host);
                let waiting = self.waiting();
                let unbound = self.socket().unbind(at).await;
                let left = self.waiting();
                if left < waiting {
                    self.fail(format_args!(
                        "{waiting} messages waited before the unbind, and {left} after it"
                    ));
                }
                match unbound {
                    Ok(()) => (false, None),
                    Err(UnbindError::Gone(_)) => (true, None),
                    Err(error) => (false, Some(error.to_string())),
                }
            }
            Place::Peer(peer) => {
                self.may_miss = true;
                let from = self.endpoint_of(peer);
                match self.socket().disconnect(from) {
                    Ok(()) => (false, None),
                    Err(DisconnectError::Gone(_)) => (true, None),
                    Err(error) => (false, Some(error.to_string())),
                }
            }
        };
        if let Some(wrong) = wrong {
            self.fail(format_args!("letting go of {place:?}: {wrong}"));
        } else if is_gone != was_gone && !missed {
            self.fail(format_args!(
                "letting go of {place:?}: it was {}gone, and the monitor has told otherwise",
                if is_gone { "" } else { "not " }
            ));
        }
    }

    /// How many messages wait to be received that are still to be had when their peer is gone.
    fn waiting(&mut self) -> usize {
        if self.shared.inproc.is_some() || self.is_publisher() {
            return 0;
        }
        self.socket().stats().queued_to_receive
    }

    /// Closes the socket, whatever it has left, within a limit. Its connections have ended then.
    pub(super) async fn close_in_time(&mut self, socket: Socket) {
        let limit = Duration::from_millis(one_of(&mut self.rng, &[0, 1, 20, 200]));
        let begun = Instant::now();
        let closing = socket.close_within(limit);
        let most = limit.min(self.plan.settings.linger) + AFTER_LINGER;
        if timeout(most + GRAIN, closing).await.is_err() {
            return self.fail(format_args!("a close within {limit:?} takes longer"));
        }
        self.note(
            "closed",
            begun.elapsed().as_millis() as u64,
            "has closed its socket in time",
        );
        self.hear_out().await;
    }

    /// The socket is closed: the monitor tells all of it, to the end.
    pub(super) async fn hear_out(&mut self) {
        let Some(mut monitor) = self.monitor.take() else {
            return;
        };
        let all = async {
            while let Some(event) = monitor.recv().await {
                self.hear(&event);
            }
        };
        if timeout(Duration::from_secs(10), all).await.is_err() {
            return self.fail("the monitor of a closed socket does not end");
        }
        let Known {
            begun,
            greeted,
            ended,
            missed,
            ..
        } = self.known;
        if !missed && (begun != ended || begun != greeted) {
            self.fail(format_args!(
                "{begun} connections have begun, {greeted} are said to be greeted or not, {ended} to have ended"
            ));
        }
    }
}

fn place_number(place: Place) -> u64 {
    match place {
        Place::Own => 0,
        Place::Peer(peer) => peer.into(),
    }
}
