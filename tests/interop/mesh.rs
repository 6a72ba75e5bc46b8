//! The shape of a mesh node: a DEALER for each of 200 peers, heartbeats, a limit to the size of messages. One
//! peer exceeds the limit and loses its connection, all fall silent for a while and come back. Each side in
//! turn is pyzmq's (`tests/peers/mesh.py`); a process that is stopped is silent without closing anything.

use std::time::Duration;

use common::events::{connected, event};
use common::place::{Place, Transport};
use common::python::Program;
use common::within;
use purezmq::{DealerSocket, DisconnectReason, Monitor, MonitorEventKind, RouterSocket};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::task::JoinHandle;

const PEERS: usize = 200;
const LIMIT: usize = 100_000;
const INTERVAL: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_secs(4);

fn signal(program: &Program, signal: Signal) {
    let id = Pid::from_raw(program.id() as i32).expect("a process has an id");
    kill_process(id, signal).expect("signal");
}

fn is_too_large(kind: &MonitorEventKind) -> bool {
    matches!(
        kind,
        MonitorEventKind::Disconnected(DisconnectReason::Protocol(_))
    )
}

fn is_lost(kind: &MonitorEventKind) -> bool {
    matches!(kind, MonitorEventKind::Disconnected(_))
}

// ---------------------------------------------------------------- our hub

struct OurHub {
    task: JoinHandle<()>,
    monitor: Monitor,
}

impl OurHub {
    async fn start(endpoint: &str) -> OurHub {
        let builder = RouterSocket::builder()
            .handover(true)
            .linger(Duration::ZERO);
        let builder = builder.max_message_size(LIMIT);
        let builder = builder
            .heartbeat_interval(INTERVAL)
            .heartbeat_timeout(TIMEOUT);
        let mut socket = builder.build().unwrap();
        let monitor = socket.monitor();
        socket.bind(endpoint).await.unwrap();
        let task = tokio::spawn(async move {
            loop {
                let message = socket.recv_message().await.unwrap();
                socket.send(message).await.unwrap();
            }
        });
        OurHub { task, monitor }
    }
}

impl Drop for OurHub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn our_hub_with_their_peers() {
    let place = Place::fixed(Transport::Tcp4);
    let mut hub = OurHub::start(&place.endpoint).await;
    let mut peers = Program::start("mesh.py");
    let order =
        json!({ "do": "peers", "endpoint": place.endpoint, "limit": LIMIT, "count": PEERS });
    peers.call(order).await;
    assert_eq!(
        peers.call(json!({ "do": "ask", "text": "hello" })).await,
        true
    );
    for _ in 0..PEERS {
        connected(&mut hub.monitor).await;
    }

    peers
        .call(json!({ "do": "exceed", "number": 7, "size": LIMIT + 1 }))
        .await;
    event(&mut hub.monitor, "the end of one", is_too_large).await;
    connected(&mut hub.monitor).await;
    assert_eq!(
        peers.call(json!({ "do": "ask", "text": "again" })).await,
        true
    );

    signal(&peers, Signal::STOP);
    for _ in 0..PEERS {
        event(&mut hub.monitor, "the silence of all", is_lost).await;
    }
    signal(&peers, Signal::CONT);
    for _ in 0..PEERS {
        connected(&mut hub.monitor).await;
    }
    assert_eq!(
        peers.call(json!({ "do": "ask", "text": "back" })).await,
        true
    );
}

// ---------------------------------------------------------------- our peers

struct OurPeers {
    sockets: Vec<(DealerSocket, Monitor)>,
}

impl OurPeers {
    fn start(endpoint: &str) -> OurPeers {
        let sockets = (0..PEERS).map(|number| {
            let builder = DealerSocket::builder()
                .routing_id(format!("peer {number}"))
                .linger(Duration::ZERO)
                .max_message_size(LIMIT)
                .heartbeat_interval(INTERVAL)
                .heartbeat_timeout(TIMEOUT)
                .handshake_timeout(TIMEOUT)
                .reconnect_interval(Duration::from_millis(50))
                .reconnect_interval_max(None);
            let mut socket = builder.build().unwrap();
            let monitor = socket.monitor();
            socket.connect(endpoint).unwrap();
            (socket, monitor)
        });
        OurPeers {
            sockets: sockets.collect(),
        }
    }

    /// Every peer sends the text with its number, and gets it back.
    async fn ask(&mut self, text: &str) {
        for (number, (socket, _)) in self.sockets.iter_mut().enumerate() {
            socket.send(format!("{text} {number}")).await.unwrap();
        }
        for (number, (socket, _)) in self.sockets.iter_mut().enumerate() {
            let echo = within("an echo", socket.recv()).await.unwrap();
            assert_eq!(echo, format!("{text} {number}"));
        }
    }

    async fn all_connect(&mut self) {
        for (_, monitor) in &mut self.sockets {
            connected(monitor).await;
        }
    }
}

#[tokio::test]
async fn their_hub_with_our_peers() {
    let place = Place::fixed(Transport::Tcp4);
    let mut hub = Program::start("mesh.py");
    let order = json!({ "do": "hub", "endpoint": place.endpoint, "limit": LIMIT });
    hub.call(order).await;
    let mut peers = OurPeers::start(&place.endpoint);
    peers.ask("hello").await;
    peers.all_connect().await;

    let (greedy, monitor) = &mut peers.sockets[7];
    greedy.send(vec![0; LIMIT + 1]).await.unwrap();
    event(monitor, "the end of one", is_lost).await;
    connected(monitor).await;
    peers.ask("again").await;

    signal(&hub, Signal::STOP);
    for (_, monitor) in &mut peers.sockets {
        event(monitor, "the silence of the hub", is_lost).await;
    }
    signal(&hub, Signal::CONT);
    peers.all_connect().await;
    peers.ask("back").await;
}
