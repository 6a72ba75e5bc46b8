//! The ready-worker broker: a proxy for requests whose workers are given one at a time, when they are ready.
//!
//! ```text
//!   clients ──► ROUTER    Broker    ROUTER ◄── READY ─── workers
//!           ◄──                            ─── request ──►   the one that has been ready for longest
//!                                          ◄── answer ───    which says that it is ready again
//! ```

mod workers;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;
use zmtp::Message;

use self::workers::{Request, Said, Workers};
use super::steering::{ProxyHandle, ProxyStatistics, State};
use super::{BURST, TURNS};
use crate::blocking;
use crate::coop::yield_to_others;
use crate::core::call::CallTimeout;
use crate::error::{CloseReport, OptionError, SendError};
use crate::routing_id::RoutingId;
use crate::sockets::{Routed, RouterEvent, RouterSocket};
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Joins clients and workers, and gives each worker one request at a time: a slow one holds up nobody. The next request
/// goes to the worker that has been ready for longest. Requests wait at the clients while none is ready.
///
/// **Clients** are REQ or DEALER sockets. **Workers** are DEALER, REQ or ROUTER sockets that say that they are ready by a
/// message of one frame, `READY`, or of one empty frame. With the option `probe_router` a socket says that of itself
/// whenever it is connected, again after a reconnection: a DEALER with it needs no code for it. A worker receives
/// `[client, "", body...]`, and sends `[client, "", answer...]`, which says that it is ready again. (To a REQ, an empty
/// frame is in front of both, which the socket sees to; REQ sockets are stuck when a broker goes with their answer.)
///
/// **A worker that goes with a request in hand**, because its connection ends or its heartbeats do
/// ([`heartbeat_interval`](crate::socket::Builder::heartbeat_interval) of [`workers`](Self::workers)), may have carried it
/// out. So the request is lost, counted, and its client told if there is something to
/// [tell](Self::tell_lost); unless it may be [repeated](Self::repeat_lost): then another worker is given it.
///
/// **Draining.** A worker that [drains](crate::Socket::drain) is given nothing more, and let go when it has answered; the
/// [handle](Self::handle) drains the broker: clients hear that it takes no new requests, those that it has are answered,
/// and [`run`](Self::run) ends.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use purezmq::{Broker, DealerSocket, Message, ReqSocket, Routed};
///
/// let mut broker = Broker::new();
/// let front = broker.clients().bind("tcp://127.0.0.1:*").await?;
/// let back = broker.workers().bind("tcp://127.0.0.1:*").await?;
/// let handle = broker.handle();
/// let running = tokio::spawn(async move {
///     broker.run().await;
///     broker.close().await
/// });
///
/// let mut worker = DealerSocket::builder().probe_router(true).build()?;
/// worker.connect(&back)?;
/// let mut client = ReqSocket::new();
/// client.connect(&front)?;
/// client.send("question").await?;
/// let request = Routed::from(worker.recv().await?);
/// worker.send(Message::from(request.respond("answer"))).await?;
/// assert_eq!(client.recv().await?, "answer");
///
/// handle.drain(Duration::from_secs(10));
/// let [clients, workers] = running.await?;
/// assert_eq!((clients.unread, workers.unread), (0, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Broker {
    clients: RouterSocket,
    workers: RouterSocket,
    known: Workers,
    /// Requests whose workers went, and that are to be repeated: before all others.
    again: VecDeque<Request>,
    /// Taken from a client, and not given to a worker yet.
    to_worker: Option<Request>,
    /// What has no room at its client yet.
    to_clients: VecDeque<Routed>,
    repeats: u32,
    told: Option<Message>,
    handle: BrokerHandle,
    /// The clients' socket has been told to drain; when that is over at the latest.
    drains: Option<std::pin::Pin<Box<Sleep>>>,
}

/// Steers a [`Broker`], from any task or thread. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct BrokerHandle {
    steering: ProxyHandle,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    ready: AtomicUsize,
    busy: AtomicUsize,
    lost: AtomicU64,
    repeated: AtomicU64,
    unasked: AtomicU64,
}

/// What a broker has done, and has to do it with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerStatistics {
    /// Requests and answers, and what workers say: the frontend is the clients' side.
    pub traffic: ProxyStatistics,
    /// Workers that wait for a request.
    pub ready: usize,
    /// Workers that have one in hand.
    pub busy: usize,
    /// Requests that went with their workers.
    pub lost: u64,
    /// Requests that another worker was given after theirs had gone.
    pub repeated: u64,
    /// Answers that nobody waited for, and other messages of workers that make no sense.
    pub unasked: u64,
}

impl BrokerHandle {
    /// Stops taking requests and answers, soon. They wait in the sockets' pipes, up to the high-water marks.
    pub fn pause(&self) {
        self.steering.pause();
    }

    /// Goes on after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.steering.resume();
    }

    /// Ends [`run`](Broker::run), soon, or the next one if none is running. Requests that workers have in hand are
    /// answered to nobody, unless it runs again.
    pub fn terminate(&self) {
        self.steering.terminate();
    }

    /// Ends [`run`](Broker::run), or the next one, without losing what is under way: takes no new requests, and waits for
    /// the answers to those that came. After `limit` it ends anyway.
    pub fn drain(&self, limit: Duration) {
        self.steering.drain(limit);
    }

    /// Returns what has been done so far.
    pub fn statistics(&self) -> BrokerStatistics {
        let counts = &self.counts;
        BrokerStatistics {
            traffic: self.steering.statistics(),
            ready: counts.ready.load(Ordering::Relaxed),
            busy: counts.busy.load(Ordering::Relaxed),
            lost: counts.lost.load(Ordering::Relaxed),
            repeated: counts.repeated.load(Ordering::Relaxed),
            unasked: counts.unasked.load(Ordering::Relaxed),
        }
    }
}

impl Default for Broker {
    fn default() -> Self {
        Broker::new()
    }
}

impl Broker {
    /// Makes one of two new sockets, in the context that all such sockets share. It is to be bound, or connected, by
    /// [`clients`](Self::clients) and [`workers`](Self::workers), and does nothing before it [runs](Self::run).
    pub fn new() -> Self {
        let sockets = (RouterSocket::new(), RouterSocket::new());
        Broker::of(sockets.0, sockets.1).expect("the options are within their ranges")
    }

    /// Makes one of two sockets with options of their own, which have no endpoints yet. The workers' socket is given the
    /// options `notify` and `mandatory`, which it needs. [Blocking](crate::blocking) ones are given by their
    /// [`into_inner`](crate::blocking::Socket::into_inner).
    ///
    /// # Errors
    ///
    /// None that is known of.
    pub fn of(clients: RouterSocket, mut workers: RouterSocket) -> Result<Self, OptionError> {
        workers.set_options(|options| options.notify(true).mandatory(true))?;
        Ok(Broker {
            clients,
            workers,
            known: Workers::default(),
            again: VecDeque::new(),
            to_worker: None,
            to_clients: VecDeque::new(),
            repeats: 0,
            told: None,
            handle: BrokerHandle::default(),
            drains: None,
        })
    }

    /// Gives a request whose worker has gone to another one, at most `times` times, before all others. Only for requests
    /// that may be carried out twice. Default: 0.
    #[must_use]
    pub fn repeat_lost(self, times: u32) -> Self {
        Broker {
            repeats: times,
            ..self
        }
    }

    /// Answers a request that went with its worker, and is not repeated, with this message. Default: it is not answered.
    #[must_use]
    pub fn tell_lost(self, answer: impl Into<Message>) -> Self {
        Broker {
            told: Some(answer.into()),
            ..self
        }
    }

    /// Returns the clients' socket: to bind it, and for its statistics and monitor. The broker receives from it.
    pub fn clients(&mut self) -> &mut RouterSocket {
        &mut self.clients
    }

    /// Returns the workers' socket: to bind it, and for its statistics and monitor. The broker receives from it.
    pub fn workers(&mut self) -> &mut RouterSocket {
        &mut self.workers
    }

    /// Returns a handle that steers the broker from anywhere. Cheap to clone.
    pub fn handle(&self) -> BrokerHandle {
        self.handle.clone()
    }

    /// Hands out requests until the broker is told to terminate, or has been drained. It can be run again then.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has lost no message; run it again to go on.
    pub async fn run(&mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    /// The same, blocking this thread. For sockets whose connections run on I/O threads.
    pub fn run_blocking(&mut self) {
        blocking::wait(self.run());
    }

    /// Closes the clients' socket and then the workers', as [`Socket::close`](crate::Socket::close) does. A request in hand
    /// is dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has closed both sockets, and does not wait.
    pub async fn close(self) -> [CloseReport; 2] {
        let clients = self.clients.close().await;
        [clients, self.workers.close().await]
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.handle.steering.watch(cx);
        for _ in 0..TURNS {
            match self.handle.steering.state() {
                State::Running => {}
                State::Paused => return Poll::Pending,
                State::Draining if self.begin_drain(cx) => {}
                State::Draining | State::Terminating => {
                    self.handle.steering.ended();
                    return Poll::Ready(());
                }
            }
            let heard = self.hear_workers(cx);
            let given = self.give_requests(cx);
            self.count();
            if !heard && !given {
                if self.drains.is_some() && self.is_drained() {
                    self.handle.steering.ended();
                    return Poll::Ready(());
                }
                return Poll::Pending;
            }
        }
        yield_to_others(cx);
        Poll::Pending
    }

    /// Has the clients' socket drain, if it does not yet. `false`: the limit is over.
    fn begin_drain(&mut self, cx: &mut Context<'_>) -> bool {
        let clients = &mut self.clients;
        let limit = self.handle.steering.limit();
        let timer = self.drains.get_or_insert_with(|| {
            clients.drain(limit);
            Box::pin(clients.handle.timer(limit))
        });
        timer.as_mut().poll(cx).is_pending()
    }

    /// Returns whether nothing more comes, and what came is answered, given that there is nothing to be moved.
    fn is_drained(&self) -> bool {
        let is_empty =
            self.to_worker.is_none() && self.again.is_empty() && self.to_clients.is_empty();
        is_empty && self.known.count().1 == 0 && self.clients.handle.is_drained()
    }

    /// Takes a burst of what workers say. `false`: there is nothing more now.
    fn hear_workers(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..BURST {
            if !self.answer_clients(cx) {
                return false;
            }
            let polled = self.workers.poll_recv(cx, &mut CallTimeout::endless());
            // That was heard on the way.
            for name in self.workers.take_draining() {
                if self.known.drains(&name) {
                    self.workers.dismiss(&name);
                }
            }
            let Poll::Ready(Ok(event)) = polled else {
                return false;
            };
            match event {
                RouterEvent::Connected(name) => self.known.connected(name),
                RouterEvent::Disconnected(name) => {
                    let lost = self.known.disconnected(&name);
                    self.lose(lost);
                }
                RouterEvent::Message(said) => {
                    self.handle
                        .steering
                        .meters()
                        .back()
                        .0
                        .add(said.message.byte_len());
                    self.hear(said);
                }
            }
        }
        true
    }

    fn hear(&mut self, said: Routed) {
        let (heard, lost) = self.known.hear(&said.peer, said.message);
        self.lose(lost);
        match heard {
            Said::Ready => {}
            Said::Answer(answer) => self.to_clients.push_back(Routed::from(answer)),
            Said::Nothing => more(&self.handle.counts.unasked),
        }
        if self.known.is_draining(&said.peer) && self.known.drains(&said.peer) {
            self.workers.dismiss(&said.peer);
        }
    }

    /// Sees to a request that went with its worker.
    fn lose(&mut self, lost: Option<Request>) {
        let Some(mut request) = lost else {
            return;
        };
        if request.tried < self.repeats {
            request.tried += 1;
            more(&self.handle.counts.repeated);
            self.again.push_back(request);
            return;
        }
        more(&self.handle.counts.lost);
        if let Some(told) = &self.told {
            let answer = Routed::from(request.message).respond(told.clone());
            self.to_clients.push_back(answer);
        }
    }

    /// Sends the clients what there is for them. `false`: there is no room.
    fn answer_clients(&mut self, cx: &mut Context<'_>) -> bool {
        while let Some(answer) = self.to_clients.pop_front() {
            let size = answer.message.byte_len();
            let mut answer = Some(answer);
            // Nobody waits for one that cannot be sent: the socket counts it.
            let sent = self
                .clients
                .poll_send(cx, &mut answer, &mut CallTimeout::endless());
            if let Some(answer) = answer {
                self.to_clients.push_front(answer);
            }
            if sent.is_pending() {
                return false;
            }
            self.handle.steering.meters().back().1.add(size);
        }
        true
    }

    /// Gives a burst of requests to workers. `false`: there is nothing more, or nobody, now.
    fn give_requests(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..BURST {
            if self.to_worker.is_none() {
                // One that drains has to know whether anything is left.
                if !self.known.any_ready() && self.drains.is_none() {
                    return false;
                }
                self.to_worker = self.again.pop_front().or_else(|| self.take_request(cx));
            }
            let Some(request) = &self.to_worker else {
                return false;
            };
            let Some(name) = self.known.next() else {
                return false;
            };
            let message = self.known.addressed(&name, request);
            let size = message.byte_len();
            match self.workers.try_send(Routed::from((name.clone(), message))) {
                Ok(()) => {
                    self.handle.steering.meters().there().1.add(size);
                    if let Some(request) = self.to_worker.take() {
                        self.known.given(&name, request);
                    }
                }
                // It has gone, or does not read: it is ready no more, and another one is asked.
                Err(SendError::Full(_)) => self.workers.dismiss(&name),
                Err(_) => {}
            }
        }
        true
    }

    fn take_request(&mut self, cx: &mut Context<'_>) -> Option<Request> {
        loop {
            let event = self.clients.poll_recv(cx, &mut CallTimeout::endless());
            match event {
                Poll::Ready(Ok(RouterEvent::Message(request))) => {
                    let message = Message::from(request);
                    self.handle
                        .steering
                        .meters()
                        .there()
                        .0
                        .add(message.byte_len());
                    return Some(Request { message, tried: 0 });
                }
                // If its owner has it told of clients, that is nothing to the broker.
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) | Poll::Pending => return None,
            }
        }
    }

    /// Shows how many workers there are.
    fn count(&self) {
        let (ready, busy) = self.known.count();
        self.handle.counts.ready.store(ready, Ordering::Relaxed);
        self.handle.counts.busy.store(busy, Ordering::Relaxed);
    }
}

/// Only the broker's own task adds.
fn more(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

/// What a broker asks of its workers' socket.
impl RouterSocket {
    /// Returns the peers that have said that they drain, each once or more.
    fn take_draining(&mut self) -> Vec<RoutingId> {
        self.handle.sender.take_draining()
    }

    /// Closes the connection of a peer, once what was sent to it is through.
    fn dismiss(&mut self, peer: &RoutingId) {
        self.handle.sender.dismiss(peer);
    }
}
