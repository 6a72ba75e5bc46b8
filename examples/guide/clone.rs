//! Clone: a map that is kept by a server, and of which each client has a copy, or one of a subtree. A client that joins in
//! the middle misses nothing, and neither does one that was cut off, was too slow, or had its server killed. Type:
//!
//!     cargo run --example clone -- server tcp://*:5561 tcp://*:5562 tcp://*:5563
//!     cargo run --example clone -- client tcp://localhost:5561 tcp://localhost:5562 tcp://localhost:5563 /
//!     cargo run --example clone -- client tcp://localhost:5561 tcp://localhost:5562 tcp://localhost:5563 /fruit/
//!
//! Type `/fruit/apple green` into a client to change the map of all, `/fruit/apple` to remove the entry, `?` to see the copy.
//!
//! ```text
//!   client ── DEALER ── subtree ─────────► ROUTER ── server     snapshots: the whole subtree, in one message
//!          ── SUB ◄──── key, number, value ── XPUB              updates: each has the next number
//!          ── PUSH ──── key, value ─────────► PULL              changes that clients want
//! ```
//!
//! When a subscription counts, the publisher says so to that subscriber alone, by a message of one frame. From there on
//! no update is missed, and the client asks for a snapshot: updates that come meanwhile are kept, and those above the
//! snapshot's number applied. Every new connection begins so. A subscriber that would have to miss an update is
//! disconnected instead (`slow_subscriber`), comes back, and is told again. A snapshot is one message, so it has all or is not
//! there; the option `max_frames` allows it 32,768 entries, or more.
//!
//! To break: kill the server and start it again: it begins with nothing, and so do its clients. Stop a client with Ctrl-Z
//! under many changes, and let it go on. For a map that outlives its server, have it write what it applies to a file.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use purezmq::options::SlowSubscriber;
use purezmq::{
    DealerSocket, Message, PullSocket, PushSocket, RouterSocket, SubSocket, XPubEvent, XPubSocket,
};
use tokio::io::{AsyncBufReadExt, BufReader};

type Outcome = Result<(), Box<dyn Error>>;
type Map = BTreeMap<Vec<u8>, Vec<u8>>;

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["server", snapshots, updates, changes] => server(snapshots, updates, changes).await,
        ["client", snapshots, updates, changes, subtree] => {
            client(snapshots, updates, changes, subtree).await
        }
        _ => Err("server|client SNAPSHOTS UPDATES CHANGES, and of a client its SUBTREE".into()),
    }
}

/// Applies a change: an empty value removes the entry.
fn apply(map: &mut Map, key: &[u8], value: &[u8]) {
    match value.is_empty() {
        true => map.remove(key),
        false => map.insert(key.to_vec(), value.to_vec()),
    };
}

/// Reads a number of eight octets. What is none counts as 0.
fn number(frame: Option<&[u8]>) -> u64 {
    let octets = frame.and_then(|frame| frame.try_into().ok());
    u64::from_be_bytes(octets.unwrap_or_default())
}

async fn server(snapshots: &str, updates: &str, changes: &str) -> Outcome {
    let mut requests = RouterSocket::new();
    let mut publisher = XPubSocket::builder()
        .verbose(true)
        .slow_subscriber(SlowSubscriber::Disconnect)
        .build()?;
    let mut collector = PullSocket::new();
    let snapshots = requests.bind(snapshots).await?;
    let updates = publisher.bind(updates).await?;
    let changes = collector.bind(changes).await?;
    println!("snapshots at {snapshots}, updates at {updates}, changes at {changes}");

    let (mut map, mut last) = (Map::new(), 0_u64);
    loop {
        tokio::select! {
            // Who has subscribed is told before its queue fills.
            biased;
            event = publisher.recv_event() => {
                if let XPubEvent::Subscribed { topic, subscriber } = event? {
                    // One that has gone meanwhile comes back and subscribes again.
                    let _ = publisher.send_to(subscriber, topic).await;
                }
            }
            request = requests.recv_message() => {
                let request = request?;
                let subtree = request.message.get(1).unwrap_or_default();
                let mut snapshot = Message::from(request.message.get(0).unwrap_or_default());
                snapshot.push_back(last.to_be_bytes());
                for (key, value) in map.range(subtree.to_vec()..) {
                    if !key.starts_with(subtree) {
                        break;
                    }
                    snapshot.push_back(key);
                    snapshot.push_back(value);
                }
                requests.send(request.reply(snapshot)).await?;
            }
            change = collector.recv() => {
                let change = change?;
                let (Some(key), Some(value)) = (change.frame(0), change.frame(1)) else {
                    continue;
                };
                last += 1;
                apply(&mut map, key, value);
                let number = last.to_be_bytes();
                publisher.send([&key[..], &number[..], &value[..]]).await?;
            }
        }
    }
}

/// What a client knows.
#[derive(Default)]
struct Replica {
    map: Map,
    /// The number of the newest change in the map.
    last: u64,
    /// How often a snapshot was asked for: the answer to the last time counts.
    asked: u64,
    /// What was published since, while the snapshot is on its way.
    kept: Option<Vec<Message>>,
}

impl Replica {
    /// Takes a snapshot, and what was published after it.
    fn begin(&mut self, snapshot: &Message) {
        if number(snapshot.get(0)) != self.asked {
            return;
        }
        let Some(kept) = self.kept.take() else {
            return; // It was asked for twice, and this is the second answer.
        };
        self.map.clear();
        self.last = number(snapshot.get(1));
        let mut entries = snapshot.iter().skip(2);
        while let (Some(key), Some(value)) = (entries.next(), entries.next()) {
            apply(&mut self.map, key, value);
        }
        println!(
            "a snapshot of {} entries, at number {}",
            self.map.len(),
            self.last
        );
        for update in &kept {
            self.update(update);
        }
    }

    fn update(&mut self, update: &Message) {
        let [key, of, value] = [0, 1, 2].map(|frame| update.get(frame).unwrap_or_default());
        if number(Some(of)) <= self.last {
            return;
        }
        self.last = number(Some(of));
        apply(&mut self.map, key, value);
        let [key, value] = [key, value].map(String::from_utf8_lossy);
        println!("number {}: {key} {value}", self.last);
    }

    fn show(&self) {
        for (key, value) in &self.map {
            let [key, value] = [key, value].map(|text| String::from_utf8_lossy(text));
            println!("{key} {value}");
        }
        println!("{} entries, at number {}", self.map.len(), self.last);
    }
}

async fn client(snapshots: &str, updates: &str, changes: &str, subtree: &str) -> Outcome {
    let mut requests = DealerSocket::new();
    let mut updated = SubSocket::new();
    let mut changer = PushSocket::new();
    updated.subscribe(subtree);
    requests.connect(snapshots)?;
    updated.connect(updates)?;
    changer.connect(changes)?;

    let mut replica = Replica::default();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut is_typed = true;
    // A request, or its answer, may go with a connection. Then it is made again.
    let mut again = tokio::time::interval(Duration::from_secs(2));
    loop {
        tokio::select! {
            update = updated.recv() => {
                let update = update?;
                match &mut replica.kept {
                    // The subscription counts from here on.
                    _ if update.len() == 1 => {
                        replica.kept = Some(Vec::new());
                        replica.asked += 1;
                        again.reset_immediately();
                    }
                    Some(kept) => kept.push(update),
                    None => replica.update(&update),
                }
            }
            _ = again.tick(), if replica.kept.is_some() => {
                // Without room, the next time will do.
                let _ = requests.try_send([&replica.asked.to_be_bytes()[..], subtree.as_bytes()]);
            }
            snapshot = requests.recv() => replica.begin(&snapshot?),
            line = lines.next_line(), if is_typed => match line? {
                Some(line) if line == "?" => replica.show(),
                Some(line) => {
                    let (key, value) = line.split_once(' ').unwrap_or((&line, ""));
                    changer.send([key, value]).await?;
                }
                None => is_typed = false,
            },
        }
    }
}
