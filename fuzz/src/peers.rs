//! Two connections that talk to each other, by any network: bytes come in any pieces, late, and, if the input says so,
//! changed.

use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use zmtp::mechanism::Config as Mechanism;
use zmtp::{Batch, Config, Engine, Event, Heartbeat, Message, SocketType};

use crate::curve;
use crate::input::{Cuts, Input};
use crate::observe::{Watched, bytes_of};

/// One side, with what it has sent and the other has not got.
struct Side {
    watched: Watched,
    wire: BytesMut,
    /// What waits for the handshake.
    queue: Batch,
    sent: Vec<Message>,
}

impl Side {
    fn new(config: Config, now: Instant) -> Self {
        Self {
            watched: Watched::new(config, Ok(()), now),
            wire: BytesMut::new(),
            queue: Batch::new(),
            sent: Vec::new(),
        }
    }

    /// Writes what there is to write.
    fn flush(&mut self) {
        let control = self.watched.connection.control().split();
        self.wire.extend_from_slice(&control);
        if self.watched.seen.end.is_none() && self.watched.connection.is_ready() {
            self.watched.connection.encode(&mut self.queue);
            self.wire.extend_from_slice(&bytes_of(&self.queue));
            self.queue = Batch::new();
        }
    }

    fn send(&mut self, message: Message) {
        self.queue.push(&message, 64);
        self.sent.push(message);
    }
}

/// Who may talk to whom.
const PAIRS: [(SocketType, SocketType); 9] = [
    (SocketType::Push, SocketType::Pull),
    (SocketType::Dealer, SocketType::Router),
    (SocketType::Req, SocketType::Rep),
    (SocketType::Pair, SocketType::Pair),
    (SocketType::Sub, SocketType::Pub),
    (SocketType::XSub, SocketType::XPub),
    (SocketType::Dish, SocketType::Radio),
    (SocketType::Client, SocketType::Server),
    (SocketType::Push, SocketType::Pub),
];

/// Two peers.
pub(crate) fn peers(data: &[u8]) {
    let mut input = Input::new(data);
    let mut now = Instant::now();
    let kinds = input.pick(&PAIRS);
    let fits = kinds.0.accepts(kinds.1);
    let mechanism = input.byte() % 3;
    let (heartbeats, seed) = (input.flag(), input.byte());
    let mut cuts = Cuts::new(seed);
    let mut sides = [(kinds.0, false), (kinds.1, true)].map(|(kind, is_server)| {
        let mut config = Config::new(kind);
        config.routing_id = format!("id{}", seed).into();
        config.authenticate = is_server;
        if heartbeats {
            config.heartbeat = Some(Heartbeat::every(Duration::from_secs(1)));
        }
        config.mechanism = match (mechanism, is_server) {
            (0, _) => Mechanism::Null,
            (1, false) => Mechanism::plain_client("joe", "secret").unwrap(),
            (1, true) => Mechanism::PlainServer,
            (_, false) => curve::client_side(),
            (_, true) => curve::server_side(),
        };
        config.random = if is_server {
            curve::server_draws()
        } else {
            curve::client_draws()
        };
        Side::new(config, now)
    });
    let mut changed = false;
    let mut waited = false;
    while !input.is_empty() {
        let op = input.byte();
        let from = usize::from(op >> 7);
        match op % 8 {
            0..=2 => {
                let most = usize::from(input.byte()).pow(1 + u32::from(op % 8));
                pass(&mut sides, from, most, &mut cuts, now);
            }
            3 | 4 => {
                let mut message = Message::new();
                for _ in 0..=input.byte() % 3 {
                    message.push_back(input.piece().repeat(1 + usize::from(op >> 3 & 3) * 40));
                }
                // What a DISH sends are names of groups, which have a length of their own.
                if from == 0 && kinds.0 == SocketType::Dish {
                    continue;
                }
                sides[from].send(message);
            }
            5 => {
                now += Duration::from_millis(u64::from(input.word()));
                waited = true;
                for side in &mut sides {
                    let result = side.watched.connection.handle_timeout(now);
                    side.watched.note(result);
                }
            }
            6 => {
                sides[from].flush();
                let at = usize::from(input.word());
                let len = sides[from].wire.len();
                if len > 0 {
                    sides[from].wire[at % len] ^= 1 << (op >> 3 & 7);
                    changed = true;
                }
            }
            _ => sides[from].send(Message::from(&[1, op][..])),
        }
    }
    // Whatever is under way arrives.
    for _ in 0..12 {
        for from in [0, 1] {
            pass(&mut sides, from, usize::MAX, &mut cuts, now);
        }
    }
    let alive = sides.iter().all(|side| side.watched.seen.end.is_none());
    for (here, there) in [(0, 1), (1, 0)] {
        let (sent, got) = (&sides[here].sent, &sides[there].watched.seen);
        let ready = got
            .events
            .iter()
            .any(|event| matches!(event, Event::Ready(_)));
        if mechanism == 2 {
            // Nobody without the keys can put words into a peer's mouth.
            assert!(sent.starts_with(&got.messages));
        }
        if !changed && !waited {
            assert_eq!(ready, fits);
            assert!(got.end.is_none() || !fits, "{:?}", got.end);
        }
        if !changed && alive {
            assert_eq!(&got.messages, sent);
        }
    }
}

/// At most so many bytes go from one side to the other.
fn pass(sides: &mut [Side; 2], from: usize, most: usize, cuts: &mut Cuts, now: Instant) {
    sides[from].flush();
    let len = most.min(sides[from].wire.len());
    let bytes = sides[from].wire.split_to(len);
    let there = &mut sides[1 - from];
    there.watched.give(bytes.chunk(), cuts, 1 + most % 5, now);
}
