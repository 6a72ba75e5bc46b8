//! The sweeps with libzmq's sockets.

use std::sync::Mutex;
use std::thread::sleep;
use std::time::Duration;

use purezmq_endurance::Failure;
use zmq::{Context, Socket};

use super::{
    AT_A_TIME, Cost, MESSAGES, OF_EACH, ONCE, Sweep, WHILE, dead, is_settled, spent, tell_each,
    topic,
};

/// A context has room for 1,023 sockets, and the crate cannot raise that: over tcp, there are several.
const OF_A_CONTEXT: usize = 1_000;

/// Descriptors that a process may have open, by the usual limit, less a few.
const DESCRIPTORS: usize = 19_000;

const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// Says whether libzmq has room for so many.
pub(crate) fn can_follow(sweep: Sweep, number: usize) -> bool {
    match sweep {
        Sweep::LeaveInproc => number <= OF_A_CONTEXT,
        // A socket, and both ends of its connection.
        Sweep::LeaveTcp | Sweep::OneSubscriber | Sweep::OnePeer | Sweep::Requests => {
            3 * number <= DESCRIPTORS
        }
        Sweep::Connect
        | Sweep::Disconnect
        | Sweep::ConnectAndTry
        | Sweep::DisconnectTried
        | Sweep::Dial => number <= DESCRIPTORS,
        Sweep::Senders => true,
    }
}

/// How long a subscriber waits for one of the messages by which it learns that it is known, in milliseconds.
const A_PROBE: i64 = 5;

/// Waits until libzmq's threads have nothing to do, and says what was spent until then.
fn settled() -> Cost {
    loop {
        let before = spent();
        sleep(WHILE);
        if let Some(settled) = is_settled(before) {
            return settled;
        }
    }
}

/// Contexts that have room for any number of sockets.
struct Contexts {
    all: Vec<Context>,
    sockets: usize,
}

impl Contexts {
    fn new() -> Self {
        Contexts {
            all: vec![Context::new()],
            sockets: 0,
        }
    }

    fn socket(&mut self, kind: zmq::SocketType) -> Result<Socket, Failure> {
        if self.sockets == OF_A_CONTEXT {
            self.all.push(Context::new());
            self.sockets = 0;
        }
        self.sockets += 1;
        let context = self.all.last().ok_or("there is one")?;
        let socket = context.socket(kind)?;
        socket.set_linger(0)?;
        Ok(socket)
    }
}

fn bind(socket: &Socket, endpoint: &str) -> Result<String, Failure> {
    socket.bind(endpoint)?;
    Ok(socket.get_last_endpoint()?.map_err(|_| "no text")?)
}

/// Measures one sweep.
pub(crate) fn run(sweep: Sweep, number: usize) -> Result<(), Failure> {
    match sweep {
        Sweep::LeaveInproc => leave(sweep, "inproc://hub", number),
        Sweep::LeaveTcp => leave(sweep, ANY_PORT, number),
        Sweep::Connect | Sweep::Disconnect => endpoints(sweep, number),
        Sweep::ConnectAndTry | Sweep::DisconnectTried => tried_endpoints(sweep, number),
        Sweep::OneSubscriber => one_subscriber(number),
        Sweep::OnePeer => one_peer(number),
        Sweep::Requests => requests(number),
        Sweep::Senders => senders(number),
        Sweep::Dial => dial(number),
    }
}

fn leave(sweep: Sweep, endpoint: &str, number: usize) -> Result<(), Failure> {
    const HUBS: [(zmq::SocketType, zmq::SocketType); 4] = [
        (zmq::PUB, zmq::SUB),
        (zmq::PUSH, zmq::PULL),
        (zmq::DEALER, zmq::DEALER),
        (zmq::ROUTER, zmq::DEALER),
    ];
    let mut total = Cost::default();
    for (hub, peer) in HUBS {
        let mut contexts = Contexts::new();
        let hub = contexts.socket(hub)?;
        let at = bind(&hub, endpoint)?;
        let mut all = Vec::with_capacity(number);
        for _ in 0..number {
            let one = contexts.socket(peer)?;
            one.connect(&at)?;
            all.push(one);
            if all.len() % AT_A_TIME == 0 {
                settled();
            }
        }
        settled();
        let _ = hub.send("to one or to nobody", zmq::DONTWAIT);
        let since = spent();
        drop(all);
        settled();
        let _ = hub.send("next", zmq::DONTWAIT);
        total += settled() - since;
    }
    tell_each(sweep, total, number * HUBS.len())
}

fn endpoints(sweep: Sweep, number: usize) -> Result<(), Failure> {
    let mut total = Cost::default();
    for kind in [zmq::DEALER, zmq::SUB] {
        let socket = Contexts::new().socket(kind)?;
        let names: Vec<_> = (0..number).map(dead).collect();
        let since = spent();
        for name in &names {
            socket.connect(name)?;
        }
        drop(socket.recv_bytes(zmq::DONTWAIT));
        if sweep == Sweep::Connect {
            total += spent() - since;
            continue;
        }
        let since = spent();
        for name in &names {
            socket.disconnect(name)?;
        }
        drop(socket.recv_bytes(zmq::DONTWAIT));
        total += spent() - since;
    }
    tell_each(sweep, total, number * 2)
}

fn tried_endpoints(sweep: Sweep, number: usize) -> Result<(), Failure> {
    let mut total = Cost::default();
    for kind in [zmq::DEALER, zmq::SUB] {
        let socket = Contexts::new().socket(kind)?;
        socket.set_reconnect_ivl(i32::try_from(ONCE.as_millis())?)?;
        let names: Vec<_> = (0..number).map(dead).collect();
        let since = spent();
        for name in &names {
            socket.connect(name)?;
        }
        drop(socket.recv_bytes(zmq::DONTWAIT));
        let tried = settled();
        if sweep == Sweep::ConnectAndTry {
            total += tried - since;
            continue;
        }
        let since = spent();
        for name in &names {
            socket.disconnect(name)?;
        }
        drop(socket.recv_bytes(zmq::DONTWAIT));
        total += settled() - since;
    }
    tell_each(sweep, total, number * 2)
}

fn one_subscriber(number: usize) -> Result<(), Failure> {
    let mut contexts = Contexts::new();
    let hub = contexts.socket(zmq::PUB)?;
    // It looks for room only now and then, and until then takes what was read long ago for what waits, and drops.
    hub.set_sndhwm(0)?;
    let at = bind(&hub, ANY_PORT)?;
    let mut all = Vec::with_capacity(number);
    for at_topic in 0..number {
        let one = contexts.socket(zmq::SUB)?;
        let topic = topic(at_topic);
        one.set_subscribe(topic.as_bytes())?;
        one.connect(&at)?;
        // On a busy machine it is not heard of within any time, and what is sent before would be waited for in vain.
        while one.poll(zmq::POLLIN, A_PROBE)? == 0 {
            hub.send(&topic, 0)?;
        }
        all.push(one);
    }
    settled();
    for one in &all {
        while one.poll(zmq::POLLIN, 0)? != 0 {
            one.recv_bytes(0)?;
        }
    }
    let topics: Vec<_> = (0..number).map(topic).collect();
    let since = spent();
    let mut sent = 0;
    while sent < MESSAGES {
        for at in 0..number * OF_EACH {
            hub.send(&topics[at % number], 0)?;
        }
        for at in 0..number * OF_EACH {
            all[at % number].recv_bytes(0)?;
        }
        sent += number * OF_EACH;
    }
    tell_each(Sweep::OneSubscriber, spent() - since, sent)
}

fn one_peer(number: usize) -> Result<(), Failure> {
    let mut contexts = Contexts::new();
    let hub = contexts.socket(zmq::ROUTER)?;
    let all = dealers(&hub, &mut contexts, number)?;
    let names: Vec<_> = (0..number).map(topic).collect();
    let since = spent();
    let mut sent = 0;
    while sent < MESSAGES {
        for at in 0..number * OF_EACH {
            hub.send(&names[at % number], zmq::SNDMORE)?;
            hub.send("answer", 0)?;
        }
        for at in 0..number * OF_EACH {
            all[at % number].recv_bytes(0)?;
        }
        sent += number * OF_EACH;
    }
    tell_each(Sweep::OnePeer, spent() - since, sent)
}

fn requests(number: usize) -> Result<(), Failure> {
    let mut contexts = Contexts::new();
    let hub = contexts.socket(zmq::ROUTER)?;
    let all = dealers(&hub, &mut contexts, number)?;
    let since = spent();
    let mut answered = 0;
    while answered < MESSAGES {
        for one in &all {
            one.send("request", 0)?;
        }
        for _ in 0..number {
            let request = hub.recv_multipart(0)?;
            hub.send_multipart(request, 0)?;
        }
        for one in &all {
            one.recv_bytes(0)?;
        }
        answered += number;
    }
    tell_each(Sweep::Requests, spent() - since, answered)
}

fn dealers(hub: &Socket, contexts: &mut Contexts, number: usize) -> Result<Vec<Socket>, Failure> {
    hub.set_router_mandatory(true)?;
    let at = bind(hub, ANY_PORT)?;
    let mut all = Vec::with_capacity(number);
    for name in 0..number {
        let one = contexts.socket(zmq::DEALER)?;
        one.set_identity(topic(name).as_bytes())?;
        one.connect(&at)?;
        one.send("here", 0)?;
        hub.recv_multipart(0)?;
        all.push(one);
    }
    Ok(all)
}

/// Threads, since it has no tasks, that lock what they share.
fn senders(number: usize) -> Result<(), Failure> {
    let mut contexts = Contexts::new();
    let pull = contexts.socket(zmq::PULL)?;
    let push = contexts.socket(zmq::PUSH)?;
    push.connect(&bind(&pull, ANY_PORT)?)?;
    let push = Mutex::new(push);
    let all = MESSAGES / number * number;
    let since = spent();
    std::thread::scope(|scope| {
        for _ in 0..number {
            scope.spawn(|| {
                for _ in 0..MESSAGES / number {
                    let Ok(push) = push.lock() else {
                        return;
                    };
                    if push.send(&[0_u8; 16][..], 0).is_err() {
                        return;
                    }
                }
            });
        }
        for _ in 0..all {
            pull.recv_bytes(0)?;
        }
        tell_each(Sweep::Senders, spent() - since, all)
    })
}

fn dial(number: usize) -> Result<(), Failure> {
    let push = Contexts::new().socket(zmq::PUSH)?;
    for at in 0..number {
        push.connect(&dead(at))?;
    }
    sleep(Duration::from_secs(1));
    let since = spent();
    sleep(Duration::from_secs(1));
    tell_each(Sweep::Dial, spent() - since, number)
}
