//! Traffic between two hosts that goes on whatever happens to the link, with the time at which it was last seen to
//! arrive.
//!
//! One end is *active*: PUSH, PUB, REQ, DEALER. It sends all the time. The other takes what comes (PULL, SUB) or
//! sends it back (REP, ROUTER). A flow has arrived where a one-way message is received, or a reply. Either end can be
//! ours or libzmq's, and either end binds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use purezmq::capability::{Receives, Sends};
use purezmq::socket::Socket;
use purezmq::{
    DealerSocket, Message, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket,
    SubSocket,
};
use tokio::time::{sleep, timeout};

use crate::hosts::Host;

/// Between two messages. A partition of 30 seconds fills no queue of a thousand.
const PACE: Duration = Duration::from_millis(50);
/// How long one who asks waits before asking again.
const ANSWER: Duration = Duration::from_millis(250);
/// As both implementations are set. Ours makes delays of one to two intervals at random, so does libzmq.
pub(crate) const RECONNECT: Duration = Duration::from_millis(250);
/// How long a request for a connection may go unanswered.
pub(crate) const CONNECT: Duration = Duration::from_millis(250);
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);
/// What a test may wait for traffic after the heal: the longest delay between attempts, and a heartbeat.
pub(crate) const RESUMED: Duration = RECONNECT.saturating_mul(2).saturating_add(HEARTBEAT);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    Pipeline,
    Publish,
    Requests,
    Dealing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Ours,
    Libzmq,
}

/// One flow, and where its ends are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) pattern: Pattern,
    pub(crate) active: Who,
    pub(crate) passive: Who,
    pub(crate) active_binds: bool,
}

impl Plan {
    /// Every pattern, with us and libzmq as either end, bound and connected; libzmq with itself is not our matter.
    pub(crate) fn all() -> Vec<Plan> {
        let mut plans = Vec::new();
        for pattern in [
            Pattern::Pipeline,
            Pattern::Publish,
            Pattern::Requests,
            Pattern::Dealing,
        ] {
            for (active, passive) in [
                (Who::Ours, Who::Libzmq),
                (Who::Libzmq, Who::Ours),
                (Who::Ours, Who::Ours),
            ] {
                for active_binds in [false, true] {
                    plans.push(Plan {
                        pattern,
                        active,
                        passive,
                        active_binds,
                    });
                }
            }
        }
        plans
    }

    pub(crate) fn name(&self) -> String {
        let (active, passive) = match self.pattern {
            Pattern::Pipeline => ("PUSH", "PULL"),
            Pattern::Publish => ("PUB", "SUB"),
            Pattern::Requests => ("REQ", "REP"),
            Pattern::Dealing => ("DEALER", "ROUTER"),
        };
        let bound = |binds| if binds { "bound" } else { "connected" };
        format!(
            "{active} {:?} {}, {passive} {:?} {}",
            self.active,
            bound(self.active_binds),
            self.passive,
            bound(!self.active_binds)
        )
    }
}

/// When the flow last arrived, in microseconds since `start`; and whether it goes on.
#[derive(Clone)]
pub(crate) struct Arrivals {
    start: Instant,
    last: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

impl Arrivals {
    fn new(start: Instant) -> Self {
        Arrivals {
            start,
            last: Arc::default(),
            ended: Arc::default(),
        }
    }

    fn stamp(&self) {
        let now = u64::try_from(self.start.elapsed().as_micros()).expect("not for that long");
        self.last.store(now, Ordering::Release);
    }

    fn go_on(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
    }

    /// When something arrived last.
    pub(crate) fn last(&self) -> Instant {
        self.start + Duration::from_micros(self.last.load(Ordering::Acquire))
    }

    /// Waits for the first arrival after `since`, and says how long after.
    pub(crate) async fn after(&self, since: Instant) -> Duration {
        loop {
            if let Some(passed) = self
                .last()
                .checked_duration_since(since)
                .filter(|d| !d.is_zero())
            {
                return passed;
            }
            sleep(Duration::from_millis(2)).await;
        }
    }
}

/// A flow that runs until this is dropped.
pub(crate) struct Flow {
    pub(crate) plan: Plan,
    pub(crate) arrivals: Arrivals,
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.arrivals.ended.store(true, Ordering::Relaxed);
    }
}

impl Flow {
    /// Starts both ends. Whoever binds does so at `bind`; the other connects to `connect`.
    pub(crate) fn start(plan: Plan, active: &Host, passive: &Host, endpoint: &str) -> Flow {
        let arrivals = Arrivals::new(Instant::now());
        for (is_active, who, host) in [(true, plan.active, active), (false, plan.passive, passive)]
        {
            let end = End {
                pattern: plan.pattern,
                is_active,
                binds: plan.active_binds == is_active,
                endpoint: endpoint.to_owned(),
                arrivals: arrivals.clone(),
            };
            match who {
                Who::Ours => drop(host.spawn(end.ours())),
                Who::Libzmq => drop(host.thread(move || end.libzmq())),
            }
        }
        Flow { plan, arrivals }
    }
}

/// One end of a flow.
struct End {
    pattern: Pattern,
    is_active: bool,
    binds: bool,
    endpoint: String,
    arrivals: Arrivals,
}

/// Makes one of our sockets with the options that both implementations have, and binds or connects it.
macro_rules! open {
    ($socket:ident, $end:expr $(, $option:ident)*) => {{
        let mut socket = $socket::builder()
            .linger(Duration::ZERO)
            .reconnect_interval(RECONNECT)
            .reconnect_interval_max(None)
            .connect_timeout(CONNECT)
            .heartbeat_interval(HEARTBEAT)
            $(.$option(true))*
            .build()
            .expect("options");
        if $end.binds {
            socket.bind(&$end.endpoint).await.expect("bind");
        } else {
            socket.connect(&$end.endpoint).expect("connect");
        }
        socket
    }};
}

impl End {
    async fn ours(self) {
        match (self.pattern, self.is_active) {
            (Pattern::Pipeline, true) => talk(open!(PushSocket, self), &self.arrivals).await,
            (Pattern::Publish, true) => talk(open!(PubSocket, self), &self.arrivals).await,
            (Pattern::Requests, true) => {
                ask(open!(ReqSocket, self, relaxed, correlate), &self.arrivals).await;
            }
            (Pattern::Dealing, true) => ask(open!(DealerSocket, self), &self.arrivals).await,
            (Pattern::Pipeline, false) => listen(open!(PullSocket, self), &self.arrivals).await,
            (Pattern::Publish, false) => {
                let mut subscriber = open!(SubSocket, self);
                subscriber.subscribe("");
                listen(subscriber, &self.arrivals).await;
            }
            (Pattern::Requests, false) => echo(open!(RepSocket, self), &self.arrivals).await,
            (Pattern::Dealing, false) => echo(open!(RouterSocket, self), &self.arrivals).await,
        }
    }

    fn libzmq(self) {
        let kind = match (self.pattern, self.is_active) {
            (Pattern::Pipeline, true) => zmq::PUSH,
            (Pattern::Publish, true) => zmq::PUB,
            (Pattern::Requests, true) => zmq::REQ,
            (Pattern::Dealing, true) => zmq::DEALER,
            (Pattern::Pipeline, false) => zmq::PULL,
            (Pattern::Publish, false) => zmq::SUB,
            (Pattern::Requests, false) => zmq::REP,
            (Pattern::Dealing, false) => zmq::ROUTER,
        };
        let socket = zmq::Context::new().socket(kind).expect("libzmq socket");
        self.open_libzmq(&socket, kind).expect("libzmq options");
        let answers = [zmq::REP, zmq::ROUTER].contains(&kind);
        let listens = [zmq::PULL, zmq::SUB].contains(&kind);
        let is_asker = [zmq::REQ, zmq::DEALER].contains(&kind);
        while self.arrivals.go_on() {
            if listens {
                if socket.recv_multipart(0).is_ok() {
                    self.arrivals.stamp();
                }
            } else if answers {
                if let Ok(frames) = socket.recv_multipart(0) {
                    let _ = socket.send_multipart(frames, zmq::DONTWAIT);
                }
            } else {
                let _ = socket.send("traffic", zmq::DONTWAIT);
                let mut flags = 0;
                while is_asker && socket.recv_multipart(flags).is_ok() {
                    self.arrivals.stamp();
                    flags = zmq::DONTWAIT;
                }
                std::thread::sleep(PACE);
            }
        }
    }

    fn open_libzmq(&self, socket: &zmq::Socket, kind: zmq::SocketType) -> zmq::Result<()> {
        let milliseconds = |time: Duration| i32::try_from(time.as_millis()).expect("short times");
        socket.set_linger(0)?;
        socket.set_reconnect_ivl(milliseconds(RECONNECT))?;
        socket.set_connect_timeout(milliseconds(CONNECT))?;
        socket.set_heartbeat_ivl(milliseconds(HEARTBEAT))?;
        socket.set_rcvtimeo(milliseconds(ANSWER))?;
        if kind == zmq::REQ {
            socket.set_req_relaxed(true)?;
            socket.set_req_correlate(true)?;
        }
        if kind == zmq::SUB {
            socket.set_subscribe(b"")?;
        }
        if self.binds {
            socket.bind(&self.endpoint)
        } else {
            socket.connect(&self.endpoint)
        }
    }
}

async fn talk<P: Sends<Sent = Message>>(mut socket: Socket<P>, arrivals: &Arrivals) {
    while arrivals.go_on() {
        // A full queue is no reason to wait: the next message comes soon.
        let _ = socket.try_send("traffic");
        sleep(PACE).await;
    }
}

async fn listen<P: Receives>(mut socket: Socket<P>, arrivals: &Arrivals) {
    while arrivals.go_on() {
        if timeout(ANSWER, socket.recv())
            .await
            .is_ok_and(|received| received.is_ok())
        {
            arrivals.stamp();
        }
    }
}

async fn ask<P: Sends<Sent = Message> + Receives>(mut socket: Socket<P>, arrivals: &Arrivals) {
    while arrivals.go_on() {
        let _ = socket.try_send("traffic");
        if timeout(ANSWER, socket.recv())
            .await
            .is_ok_and(|received| received.is_ok())
        {
            arrivals.stamp();
        }
        // After a partition there are answers to all that was asked meanwhile.
        while socket.try_recv().is_ok() {
            arrivals.stamp();
        }
        sleep(PACE).await;
    }
}

async fn echo<P: Sends + Receives>(mut socket: Socket<P>, arrivals: &Arrivals) {
    while arrivals.go_on() {
        if let Ok(Ok(request)) = timeout(ANSWER, socket.recv()).await {
            let answer: Message = request.into();
            let _ = socket.try_send(answer);
        }
    }
}
