//! A yardstick that is not ZeroMQ: zenoh, two peers with one TCP connection that both are told of: no router, no scouting.
//!
//! PUSH and PULL are a publisher and a subscriber that nothing is lost between: the publisher waits for room. PUB and SUB
//! are the same with many subscribers, each with a session, and so a connection, of its own. REQ and REP are a querier and
//! a queryable; in mode `ping` a publisher and a subscriber on each side, as in zenoh's own example of a ping-pong.
//! Subscribers and queryables are called back by zenoh's own runtime, which has several threads: there is no mode `ct`.

use common::*;
use std::sync::mpsc::{channel, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use zenoh::bytes::ZBytes;
use zenoh::pubsub::Publisher;
use zenoh::qos::CongestionControl;
use zenoh::query::ConsolidationMode;
use zenoh::{Config, Session, Wait};

const NAME: &str = "zenoh";
const VERSION: &str = env!("RIVAL_VERSION");
const KEY: &str = "bench/there";
/// The way back of mode `ping`.
const BACK: &str = "bench/back";
/// The mode in which round trips are two messages instead of a query.
const PING: &str = "ping";

fn session(a: &Args) -> Session {
    attaching();
    let place = format!("[\"{}\"]", a.endpoint().replace("://", "/"));
    let (listen, connect) = if a.is_bind() {
        (place.as_str(), "[]")
    } else {
        ("[]", place.as_str())
    };
    let mut config = Config::default();
    for (key, value) in [
        ("mode", "\"peer\""),
        ("scouting/multicast/enabled", "false"),
        ("scouting/gossip/enabled", "false"),
        // Opening would take half a second, in case somebody else is found.
        ("open/return_conditions/connect_scouted", "false"),
        ("listen/endpoints", listen),
        ("connect/endpoints", connect),
    ] {
        config.insert_json5(key, value).unwrap();
    }
    zenoh::open(config).wait().unwrap()
}

/// Makes a publisher that waits for room instead of dropping messages. `alone`: each message is sent by itself at once.
fn publisher<'a>(session: &'a Session, key: &'static str, alone: bool) -> Publisher<'a> {
    let builder = session
        .declare_publisher(key)
        .congestion_control(CongestionControl::Block);
    builder.express(alone).wait().unwrap()
}

/// Waits until the other side's subscriber or queryable is known here: what is sent before goes nowhere.
fn until(matching: impl Fn() -> bool) {
    while !matching() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn main() {
    let a = Args::parse(NAME, VERSION);
    let ctl = Ctl::start(&a);
    match a.role.as_str() {
        "push" | "pub" => send(&a, &ctl),
        "pull" => receive(&a),
        "sub" => subscribers(&a),
        "lat-rep" | "rep" => reply(&a, &ctl),
        "lat-req" | "req" => request(&a),
        r => die(&format!("{r}: not in the zenoh peer")),
    }
    std::process::exit(0);
}

fn send(a: &Args, ctl: &Ctl) {
    let session = session(a);
    let publisher = publisher(&session, KEY, false);
    if a.role == "pub" {
        ready();
        while !ctl.go() {
            publisher.put([0; PROBE]).wait().unwrap();
            std::thread::sleep(Duration::from_millis(5));
        }
    } else {
        until(|| publisher.matching_status().wait().unwrap().matching());
    }
    let mut source = Source::<ZBytes>::new(a);
    let u0 = Usage::now();
    for _ in 0..a.total() {
        publisher.put(source.wait()).wait().unwrap();
    }
    ctl.hold_blocking();
    sender_report(a, NAME, VERSION, u0);
}

fn receive(a: &Args) {
    let session = session(a);
    let (tx, done) = channel();
    let (mut meter, all) = (Meter::new(a), a.clone());
    let subscriber = session.declare_subscriber(KEY).callback_mut(move |sample| {
        if meter.msg(&sample.payload().to_bytes()) {
            meter.report(&all, NAME, VERSION);
            let _ = tx.send(());
        }
    });
    let _subscriber = subscriber.wait().unwrap();
    ready();
    done.recv().unwrap();
}

fn subscribers(a: &Args) {
    let meter = Arc::new(Mutex::new(SubMeter::new(a)));
    let (tx, done) = channel();
    let sessions: Vec<_> = (0..a.peers).map(|_| session(a)).collect();
    for (i, session) in sessions.iter().enumerate() {
        let (meter, tx) = (Arc::clone(&meter), tx.clone());
        let subscriber = session.declare_subscriber(KEY).callback(move |sample| {
            if meter.lock().unwrap().msg(i, &sample.payload().to_bytes()) {
                let _ = tx.send(());
            }
        });
        subscriber.background().wait().unwrap();
    }
    let mut before = 0;
    loop {
        let all = done.recv_timeout(Duration::from_secs(3)).is_ok();
        let now = meter.lock().unwrap().progress();
        if all || (now > 0 && now == before) {
            break;
        }
        before = now;
    }
    meter.lock().unwrap().report(a, NAME, VERSION);
}

/// Counts answers, and says when all have been given.
fn counted(a: &Args, tx: Sender<()>) -> impl FnMut() {
    let mut left = a.total();
    move || {
        left -= 1;
        if left == 0 {
            let _ = tx.send(());
        }
    }
}

fn reply(a: &Args, ctl: &Ctl) {
    let session = session(a);
    let (tx, done) = channel();
    let mut answered = counted(a, tx);
    if a.mode == PING {
        // The callback has to own what it answers by.
        let back = session.clone();
        let back = back
            .declare_publisher(BACK)
            .congestion_control(CongestionControl::Block);
        let back = back.express(true).wait().unwrap();
        let subscriber = session.declare_subscriber(KEY).callback_mut(move |sample| {
            back.put(sample.payload().clone()).wait().unwrap();
            answered();
        });
        subscriber.background().wait().unwrap();
    } else {
        let queryable = session
            .declare_queryable(KEY)
            .complete(true)
            .callback_mut(move |query| {
                let data = query.payload().cloned().unwrap_or_default();
                query.reply(KEY, data).express(true).wait().unwrap();
                answered();
            });
        queryable.background().wait().unwrap();
    }
    ready();
    done.recv().unwrap();
    ctl.hold_blocking();
}

fn request(a: &Args) {
    let session = session(a);
    if a.mode == PING {
        let answers = session.declare_subscriber(BACK).wait().unwrap();
        let there = publisher(&session, KEY, true);
        until(|| there.matching_status().wait().unwrap().matching());
        return trips(a, |data| {
            there.put(data).wait().unwrap();
            answers.recv().unwrap().payload().clone()
        });
    }
    // Without a consolidation the answer is handed on at once, and not once it is known that there is no other.
    let querier = session
        .declare_querier(KEY)
        .consolidation(ConsolidationMode::None)
        .express(true);
    let querier = querier.wait().unwrap();
    until(|| querier.matching_status().wait().unwrap().matching());
    trips(a, |data| {
        let answer = querier.get().payload(data).wait().unwrap().recv().unwrap();
        answer.result().unwrap().payload().clone()
    });
}

fn trips(a: &Args, mut trip: impl FnMut(ZBytes) -> ZBytes) {
    let mut source = Source::new(a);
    let mut lat = Lat::new(a);
    loop {
        let data = source.next();
        lat.begin();
        let answer = trip(data);
        if lat.end(&answer.to_bytes()) {
            break;
        }
    }
    lat.report(a, NAME, VERSION);
}
