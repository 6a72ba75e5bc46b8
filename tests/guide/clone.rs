//! Clone: a client joins while the map changes, is stopped for a while, or has its server killed; in the end its copy is what
//! the server has.

use std::collections::BTreeMap;
use std::time::Duration;

use common::example::{Example, Folder};
use common::within;
use purezmq::PushSocket;
use rustix::process::Signal;

/// Where a server is.
struct Places([String; 3]);

impl Places {
    fn new(folder: &Folder) -> Places {
        Places(["snapshots", "updates", "changes"].map(|name| folder.ipc(name)))
    }

    async fn server(&self) -> Example {
        let [snapshots, updates, changes] = &self.0;
        let mut server = Example::start("clone", &["server", snapshots, updates, changes]);
        server.says("snapshots at").await;
        server
    }

    fn client(&self, subtree: &str) -> Example {
        let [snapshots, updates, changes] = &self.0;
        Example::start("clone", &["client", snapshots, updates, changes, subtree])
    }

    fn changer(&self) -> Changer {
        let mut socket = PushSocket::new();
        socket.connect(self.0[2].as_str()).unwrap();
        Changer {
            socket,
            map: BTreeMap::new(),
            count: 0,
        }
    }
}

/// Changes the map, and knows what it should be.
struct Changer {
    socket: PushSocket,
    map: BTreeMap<String, String>,
    count: usize,
}

impl Changer {
    async fn change(&mut self, key: String, value: String) {
        self.count += 1;
        self.socket.send([&key, &value]).await.unwrap();
        match value.is_empty() {
            true => self.map.remove(&key),
            false => self.map.insert(key, value),
        };
    }

    /// Changes 250 entries of two subtrees again and again, and removes some.
    async fn change_many(&mut self, times: usize) {
        for _ in 0..times {
            let number = self.count;
            let key = format!(
                "/{}/{}",
                if number.is_multiple_of(2) { "a" } else { "b" },
                number % 250
            );
            let is_removed = number.is_multiple_of(7);
            let value = if is_removed {
                String::new()
            } else {
                format!("{number:0200}")
            };
            self.change(key, value).await;
        }
    }

    /// Waits until a client has all of a subtree, and compares it.
    async fn compare(&self, client: &mut Example, subtree: &str) {
        let entries = self.map.iter().filter(|(key, _)| key.starts_with(subtree));
        let expected: Vec<_> = entries
            .map(|(key, value)| format!("{key} {value}"))
            .collect();
        let end = format!("{} entries, at number {}", expected.len(), self.count);
        within("the whole map", async {
            loop {
                client.types("?\n").await;
                let mut lines = Vec::new();
                while !lines.last().is_some_and(|line: &String| {
                    line.contains(" entries, at number ") && !line.contains("snapshot")
                }) {
                    lines.push(client.line().await);
                }
                if lines.pop() == Some(end.clone()) {
                    assert_eq!(lines[lines.len() - expected.len()..], expected);
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_client_that_joins_in_the_middle_misses_nothing() {
    let folder = Folder::new();
    let places = Places::new(&folder);
    let _server = places.server().await;
    let mut changer = places.changer();
    changer.change_many(3000).await;
    let (mut all, mut some) = (places.client("/"), places.client("/a/"));
    changer.change_many(10_000).await;
    changer.change("/a/end".into(), "1".into()).await;
    changer.compare(&mut all, "/").await;
    changer.compare(&mut some, "/a/").await;
}

#[tokio::test]
async fn a_client_that_was_stopped_takes_a_new_snapshot() {
    let folder = Folder::new();
    let places = Places::new(&folder);
    let _server = places.server().await;
    let mut changer = places.changer();
    let mut client = places.client("/");
    client.says("a snapshot of 0 entries").await;
    changer.change("/a/begin".into(), "1".into()).await;
    client.says("number 1: /a/begin 1").await;
    client.signal(Signal::STOP);
    changer.change_many(10_000).await;
    // The server has them all, and has let go of who stands still: another client shows it.
    changer.compare(&mut places.client("/"), "/").await;
    client.signal(Signal::CONT);
    client.says("a snapshot of").await;
    changer.compare(&mut client, "/").await;
}

#[tokio::test]
async fn clients_of_a_server_that_was_killed_begin_again_with_the_next_one() {
    let folder = Folder::new();
    let places = Places::new(&folder);
    let server = places.server().await;
    let mut one = places.client("/");
    one.says("a snapshot of 0 entries, at number 0").await;
    one.types("/fruit/apple green\n").await;
    one.says("number 1: /fruit/apple green").await;
    let mut other = places.client("/fruit/");
    other.says("a snapshot of 1 entries, at number 1").await;

    server.kill().await;
    let _server = places.server().await;
    for client in [&mut one, &mut other] {
        client.says("a snapshot of 0 entries, at number 0").await;
    }
    other.types("/fruit/pear yellow\n").await;
    one.says("number 1: /fruit/pear yellow").await;
    one.types("/fruit/pear\n").await;
    other.says("number 2: /fruit/pear ").await;
}
