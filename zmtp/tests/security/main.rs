//! Two connections in memory with NULL and PLAIN: who decides when, and what becomes of traffic (RFC 24, 27, 37).

#[cfg(feature = "curve")]
mod curve;

use std::io::IoSlice;
use std::time::{Duration, Instant};

use purezmq_zmtp::mechanism::{self, Admission, Credentials, PlainClient, Refusal};
use purezmq_zmtp::{
    Batch, Config, Connection, Engine, Error, Event, Message, Metadata, PeerInfo, SocketType,
};

const SECOND: Duration = Duration::from_secs(1);

struct Pair {
    client: Connection,
    server: Connection,
    now: Instant,
}

/// Both sides' configurations, for sockets of these types.
fn plain(client: SocketType, server: SocketType) -> (Config, Config) {
    let mut client = Config::new(client);
    let credentials = PlainClient::new("admin", "secret").unwrap();
    client.mechanism = mechanism::Config::PlainClient(credentials);
    let mut server = Config::new(server);
    server.mechanism = mechanism::Config::PlainServer;
    (client, server)
}

impl Pair {
    fn new((client, server): (Config, Config)) -> Self {
        let now = Instant::now();
        Self {
            client: Connection::new(client, now),
            server: Connection::new(server, now),
            now,
        }
    }

    /// Carries control bytes both ways until both are silent.
    fn exchange(&mut self) -> Result<(), Error> {
        loop {
            let to_server = self.client.control().split();
            let to_client = self.server.control().split();
            if to_server.is_empty() && to_client.is_empty() {
                return Ok(());
            }
            self.server.feed(&to_server, self.now)?;
            self.client.feed(&to_client, self.now)?;
        }
    }

    /// What the server is asked.
    fn asked(&mut self) -> Credentials {
        self.exchange().unwrap();
        match self.server.poll_event() {
            Some(Event::Authenticate(credentials)) => credentials,
            other => panic!("{other:?}"),
        }
    }

    fn answer(&mut self, answer: Result<Admission, Refusal>) -> Result<(), Error> {
        self.server.authenticated(answer, self.now)
    }

    /// Carries messages from the client to the server.
    fn carry(&mut self, messages: &[Message]) -> Vec<Message> {
        let mut batch = batch_of(messages);
        self.client.encode(&mut batch);
        self.server.feed(&wire(&batch), self.now).unwrap();
        pop_all(self.server.take_messages())
    }
}

fn info(connection: &mut Connection) -> PeerInfo {
    match connection.poll_event() {
        Some(Event::Ready(info)) => info,
        other => panic!("{other:?}"),
    }
}

fn batch_of(messages: &[Message]) -> Batch {
    let mut batch = Batch::new();
    for message in messages {
        batch.push(message, 1000);
    }
    batch
}

fn wire(batch: &Batch) -> Vec<u8> {
    let mut slices = vec![IoSlice::new(&[]); 4096];
    let used = batch.io_slices(&mut slices);
    slices[..used]
        .iter()
        .flat_map(|slice| slice.to_vec())
        .collect()
}

fn pop_all(mut batch: Batch) -> Vec<Message> {
    std::iter::from_fn(|| batch.pop()).collect()
}

fn sample() -> [Message; 5] {
    [
        Message::from("one"),
        Message::from([&b"two"[..], &[b'x'; 100_000], b""]),
        Message::from(vec![b'y'; 40_000]),
        Message::from(""),
        Message::from(vec![b'z'; 3_000_000]),
    ]
}

#[test]
fn plain_asks_who_may_come_in_before_it_says_welcome() {
    let mut pair = Pair::new(plain(SocketType::Push, SocketType::Pull));
    let credentials = Credentials::Plain {
        username: "admin".into(),
        password: "secret".into(),
    };
    assert_eq!(pair.asked(), credentials);
    assert!(pair.server.control().is_empty());
    pair.answer(Ok(Admission::default())).unwrap();
    assert_eq!(&pair.server.control()[3..], b"WELCOME");
    pair.exchange().unwrap();
    assert_eq!(info(&mut pair.client).mechanism, "PLAIN");
    assert_eq!(info(&mut pair.server).socket_type, Some(SocketType::Push));
    assert_eq!(pair.carry(&sample()), sample());
}

#[test]
fn null_says_ready_only_after_the_decision_if_it_asks() {
    let mut server = Config::new(SocketType::Pull);
    server.authenticate = true;
    let mut pair = Pair::new((Config::new(SocketType::Push), server));
    assert_eq!(pair.asked(), Credentials::Null);
    assert!(!pair.client.is_ready() && !pair.server.is_ready());
    pair.answer(Ok(Admission::default())).unwrap();
    pair.exchange().unwrap();
    assert!(pair.client.is_ready() && pair.server.is_ready());
}

#[test]
fn an_admission_gives_the_peer_a_name_and_properties() {
    let (mut client, server) = plain(SocketType::Dealer, SocketType::Router);
    client.metadata.push("X-Rank", "general").unwrap();
    client.metadata.push("X-Shoe", "42").unwrap();
    let mut pair = Pair::new((client, server));
    pair.asked();
    let mut metadata = Metadata::new();
    metadata.push("x-rank", "private").unwrap();
    let user_id = "joe".to_owned();
    pair.answer(Ok(Admission { user_id, metadata })).unwrap();
    pair.exchange().unwrap();
    let info = info(&mut pair.server);
    assert_eq!(info.user_id, "joe");
    assert_eq!(info.properties.get("X-Rank"), Some(&b"private"[..]));
    assert_eq!(info.properties.get("X-Shoe"), Some(&b"42"[..]));
    assert_eq!(info.properties.len(), 4);
}

#[test]
fn a_temporary_refusal_is_silence() {
    let mut pair = Pair::new(plain(SocketType::Push, SocketType::Pull));
    pair.asked();
    let refusal = Refusal::Temporary;
    assert_eq!(pair.answer(Err(refusal)), Err(Error::Denied(refusal)));
    assert!(pair.server.control().is_empty());
}

#[test]
fn the_handshakes_limits_hold_while_somebody_decides() {
    let (client, mut server) = plain(SocketType::Push, SocketType::Pull);
    server.handshake_timeout = Some(SECOND);
    let mut pair = Pair::new((client, server));
    pair.asked();
    let late = pair.server.handle_timeout(pair.now + SECOND);
    assert!(matches!(late, Err(Error::Silent(_))), "{late:?}");
}
