//! A network of hosts in memory: ports, connections, and what happens to them.
//!
//! All that takes time is an event in one queue, and [`Network::run`] makes events happen when they are due by tokio's
//! clock, which is paused. Delays, and how bytes are cut into pieces, come from the seed.

mod end;
mod faults;
mod host;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker, ready};
use std::time::Duration;

use parking_lot::Mutex;
use purezmq::Stream;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use end::End;
pub(crate) use host::{Host, address};

use crate::tap::Tap;
use crate::world::World;

/// How the network is today.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    /// The longest delay of a piece of a stream.
    pub(crate) delay: Duration,
    /// Bytes that are on their way in one direction of a connection at most.
    pub(crate) capacity: usize,
    /// Bytes that pass in a second in one direction of a connection, if that is limited.
    pub(crate) rate: Option<u64>,
    /// The largest piece that is written or read at once.
    pub(crate) piece: usize,
    /// Of so many reads and writes, one finds nothing though there is something.
    pub(crate) put_off: u32,
}

pub(crate) struct Network {
    world: Arc<World>,
    state: Mutex<State>,
}

pub(crate) struct State {
    rng: SmallRng,
    weather: Weather,
    ports: BTreeMap<SocketAddr, Queue>,
    connections: BTreeMap<u64, Connection>,
    requests: BTreeMap<u64, Request>,
    next: u64,
    events: BTreeMap<(Instant, u64), Event>,
    /// Wakes `run`.
    driver: Option<Waker>,
    /// Nothing goes from the one to the other.
    blocked: BTreeSet<(u8, u8)>,
    /// Hosts that have crashed.
    down: BTreeSet<u8>,
    /// What each host has sent and received in each of its lives, over connections that are gone.
    totals: BTreeMap<(u8, u32), Totals>,
    /// How often two hosts were connected, by connector and listener.
    met: BTreeMap<(u8, u8), u32>,
}

/// Whole messages that have passed a host's ends of connections.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) written: u64,
    pub(crate) read: u64,
    /// Connections that have ended.
    pub(crate) ended: u64,
}

/// Who listens at a port.
struct Queue {
    life: u32,
    waiting: VecDeque<(End, SocketAddr)>,
    acceptor: Option<Waker>,
    /// So many calls fail.
    failing: u32,
}

/// An attempt to connect that has not been answered.
struct Request {
    from: SocketAddr,
    to: SocketAddr,
    life: u32,
    answer: oneshot::Sender<io::Result<Stream>>,
}

/// Side 0 is the connector's.
struct Connection {
    hosts: [u8; 2],
    lives: [u32; 2],
    /// From side 0 to side 1, and back.
    ways: [Way; 2],
    sides: [Side; 2],
}

struct Way {
    /// Pieces with the times at which they arrive.
    pieces: VecDeque<(Instant, Vec<u8>)>,
    /// When the last one does.
    last: Instant,
    /// When the link has taken all that was written.
    free: Instant,
    arrived: VecDeque<u8>,
    /// Bytes in both.
    bytes: usize,
    /// The writer has closed it, and when the reader hears of it.
    closes: Option<Instant>,
    closed: bool,
    stalled: bool,
    written: Tap,
    read: Tap,
}

#[derive(Default)]
struct Side {
    gone: bool,
    /// The connection is reset, as this side sees it.
    cut: bool,
    cut_soon: bool,
    /// The other side has vanished without a word.
    deserted: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

enum Event {
    Arrive { connection: u64, way: usize },
    Cut { connection: u64, side: usize },
    Unstall { connection: u64, way: usize },
    Answer(u64),
}

impl Network {
    pub(crate) fn new(world: &Arc<World>, seed: u64, weather: Weather) -> Arc<Self> {
        Arc::new(Network {
            world: world.clone(),
            state: Mutex::new(State {
                rng: SmallRng::seed_from_u64(seed),
                weather,
                ports: BTreeMap::new(),
                connections: BTreeMap::new(),
                requests: BTreeMap::new(),
                next: 0,
                events: BTreeMap::new(),
                driver: None,
                blocked: BTreeSet::new(),
                down: BTreeSet::new(),
                totals: BTreeMap::new(),
                met: BTreeMap::new(),
            }),
        })
    }

    /// Lets time pass on the network, for ever.
    pub(crate) async fn run(self: &Arc<Self>) {
        let mut alarm = pin!(sleep_until(Instant::now()));
        std::future::poll_fn(|cx| {
            loop {
                let mut state = self.state.lock();
                state.driver = Some(cx.waker().clone());
                let now = Instant::now();
                let Some((&(at, _), _)) = state.events.first_key_value() else {
                    return Poll::Pending;
                };
                if at > now {
                    drop(state);
                    alarm.as_mut().reset(at);
                    ready!(alarm.as_mut().poll(cx));
                    continue;
                }
                if let Some((_, event)) = state.events.pop_first() {
                    let answered = state.happen(self, event);
                    drop(state);
                    // An end that nobody takes closes here, which takes the lock.
                    drop(answered);
                }
            }
        })
        .await
    }

    /// Connections and ports that are still there.
    pub(crate) fn remains(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.connections.len(), state.ports.len())
    }

    /// What the present socket of a host has sent and received.
    pub(crate) fn totals(&self, host: u8, life: u32) -> Totals {
        let state = self.state.lock();
        let mut totals = state.totals.get(&(host, life)).copied().unwrap_or_default();
        for connection in state.connections.values() {
            for side in 0..2 {
                if (connection.hosts[side], connection.lives[side]) == (host, life) {
                    totals.written += connection.ways[side].written.messages;
                    totals.read += connection.ways[1 - side].read.messages;
                    totals.ended += u64::from(connection.sides[side].gone);
                }
            }
        }
        totals
    }

    /// How often the two have been connected.
    pub(crate) fn meetings(&self, one: u8, other: u8) -> u32 {
        let met = &self.state.lock().met;
        let of = |pair| met.get(&pair).copied().unwrap_or_default();
        of((one, other)) + of((other, one))
    }

    /// Whether all that was written on connections that are there has been read.
    pub(crate) fn is_quiet(&self) -> bool {
        let state = self.state.lock();
        state
            .connections
            .values()
            .all(|connection| connection.ways.iter().all(|way| way.bytes == 0))
    }
}

/// What is to be dropped without the lock.
type Answered = Option<io::Result<Stream>>;

impl State {
    /// A delay of the present weather.
    fn delay(&mut self) -> Duration {
        let longest = self.weather.delay.as_millis() as u64;
        Duration::from_millis(self.rng.random_range(0..=longest))
    }

    fn schedule(&mut self, at: Instant, event: Event) {
        self.next += 1;
        self.events.insert((at, self.next), event);
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }

    fn is_blocked(&self, from: u8, to: u8) -> bool {
        self.blocked.contains(&(from, to))
    }

    fn happen(&mut self, network: &Arc<Network>, event: Event) -> Answered {
        match event {
            Event::Arrive { connection, way } => self.arrive(&network.world, connection, way),
            Event::Cut { connection, side } => self.cut(&network.world, connection, side),
            Event::Unstall { connection, way } => {
                if let Some(one) = self.connections.get_mut(&connection) {
                    one.ways[way].stalled = false;
                }
                self.arrive(&network.world, connection, way);
            }
            Event::Answer(request) => return self.answer(network, request),
        }
        None
    }

    /// Hands over what is due in one direction, unless something holds it up.
    fn arrive(&mut self, world: &World, number: u64, way: usize) {
        let now = Instant::now();
        let Some(connection) = self.connections.get_mut(&number) else {
            return;
        };
        let (from, to) = (connection.hosts[way], connection.hosts[1 - way]);
        let is_held = self.blocked.contains(&(from, to));
        let side = &mut connection.sides[1 - way];
        let one = &mut connection.ways[way];
        if is_held || one.stalled || side.deserted {
            return;
        }
        if side.cut {
            one.pieces.clear();
            one.bytes = one.arrived.len();
            return;
        }
        let before = one.arrived.len();
        while one.pieces.front().is_some_and(|(at, _)| *at <= now) {
            let piece = one.pieces.pop_front();
            one.arrived
                .extend(piece.into_iter().flat_map(|(_, bytes)| bytes));
        }
        if one.pieces.is_empty() && one.closes.is_some_and(|at| at <= now) {
            one.closed = true;
        }
        let arrived = (one.arrived.len() - before) as u64;
        let is_closed = u64::from(one.closed);
        if let Some(reader) = side.reader.take() {
            reader.wake();
        }
        world.note(
            "arrive",
            [number, way as u64, arrived << 1 | is_closed],
            || {
                let closed = if is_closed == 1 { ", and the end" } else { "" };
                format!(
                    "{arrived} bytes from host {from} to host {to} on connection {number}{closed}"
                )
            },
        );
    }

    /// The connection is reset, for one side.
    fn cut(&mut self, world: &World, number: u64, side: usize) {
        let Some(connection) = self.connections.get_mut(&number) else {
            return;
        };
        let host = connection.hosts[side];
        let forgets = self.rng.random();
        let one = &mut connection.sides[side];
        one.cut = true;
        let wakers = [one.reader.take(), one.writer.take()];
        let way = &mut connection.ways[1 - side];
        way.pieces.clear();
        if forgets {
            way.arrived.clear();
        }
        way.bytes = way.arrived.len();
        wakers.into_iter().flatten().for_each(Waker::wake);
        world.note("reset", [number, side as u64, u64::from(forgets)], || {
            format!("host {host}'s end of connection {number}")
        });
    }

    /// Decides about an attempt to connect that has reached its target.
    fn answer(&mut self, network: &Arc<Network>, number: u64) -> Answered {
        let request = self.requests.get(&number)?;
        let (from, to) = (number_of(request.from), number_of(request.to));
        let is_lost = self.is_blocked(from, to) || self.is_blocked(to, from);
        if (is_lost || self.down.contains(&to)) && !request.answer.is_closed() {
            // It is tried again when something changes.
            return None;
        }
        let request = self.requests.remove(&number)?;
        if request.answer.is_closed() {
            return None;
        }
        let Some(queue) = self.ports.get_mut(&request.to) else {
            network
                .world
                .note("refuse", [number, from.into(), to.into()], || {
                    format!("host {to} does not listen to host {from}")
                });
            let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
            return request.answer.send(Err(refused)).err();
        };
        let hosts = [from, to];
        let connection = Connection {
            hosts,
            lives: [request.life, queue.life],
            ways: [Way::new(), Way::new()],
            sides: [Side::default(), Side::default()],
        };
        self.connections.insert(number, connection);
        *self.met.entry((from, to)).or_default() += 1;
        network
            .world
            .note("connect", [number, from.into(), to.into()], || {
                format!("host {from} to host {to}: connection {number}")
            });
        let ends = [0, 1].map(|side| End::new(network, number, side));
        let [connector, acceptor] = ends;
        queue.waiting.push_back((acceptor, request.from));
        if let Some(waiting) = queue.acceptor.take() {
            waiting.wake();
        }
        request.answer.send(Ok(Stream::other(connector))).err()
    }

    /// Lets all that was held up try again.
    fn resume(&mut self) {
        let now = Instant::now();
        let held: Vec<u64> = self.requests.keys().copied().collect();
        for request in held {
            let at = now + self.delay();
            self.schedule(at, Event::Answer(request));
        }
        let connections: Vec<u64> = self.connections.keys().copied().collect();
        for connection in connections {
            for way in 0..2 {
                let at = now + self.delay();
                self.schedule(at, Event::Arrive { connection, way });
            }
        }
    }
}

impl Queue {
    fn of(life: u32) -> Self {
        Queue {
            life,
            waiting: VecDeque::new(),
            acceptor: None,
            failing: 0,
        }
    }
}

impl Way {
    fn new() -> Self {
        Way {
            pieces: VecDeque::new(),
            last: Instant::now(),
            free: Instant::now(),
            arrived: VecDeque::new(),
            bytes: 0,
            closes: None,
            closed: false,
            stalled: false,
            written: Tap::default(),
            read: Tap::default(),
        }
    }
}

/// A host's number is the last part of its address.
fn number_of(address: SocketAddr) -> u8 {
    match address {
        SocketAddr::V4(address) => address.ip().octets()[3],
        SocketAddr::V6(_) => 0,
    }
}
