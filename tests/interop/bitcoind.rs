//! The shape of bitcoind's notifications: a PUB sends a topic, a body and a counter; its subscriber finds
//! out by the counters what it missed and when the node was restarted; the last message has megabytes and
//! is sent right before the node exits. Each side in turn is pyzmq's (`tests/peers/bitcoind.py`).

use std::collections::HashMap;
use std::time::Duration;

use common::PATIENCE;
use common::place::{Place, Transport};
use common::python::Program;
use purezmq::{PubSocket, SubSocket};
use serde_json::json;
use tokio::time::timeout;

/// How long the subscriber waits before the node publishes once more.
const QUIET: Duration = Duration::from_millis(50);

/// What the subscriber hears of.
const TOPICS: [&str; 2] = ["hashblock", "rawblock"];

trait Node: Sized {
    async fn start(endpoint: &str, hwm: usize) -> Self;
    /// Publishes to a topic `count` times, each with the topic's next number.
    async fn publish(&mut self, topic: &str, size: usize, count: usize);
    /// Exits in good order.
    async fn finish(self);
    async fn kill(self);
}

struct Block {
    topic: String,
    size: usize,
    counter: u32,
}

trait Subscriber: Sized {
    async fn start(endpoint: &str, topics: &[&str], hwm: usize) -> Self;
    async fn next(&mut self, patience: Duration) -> Option<Block>;
}

/// What a subscriber makes of the counters.
#[derive(Debug, Default)]
struct Watch {
    last: HashMap<String, u32>,
    seen: usize,
    missed: usize,
    restarts: usize,
}

impl Watch {
    fn see(&mut self, block: &Block) {
        self.seen += 1;
        match self.last.insert(block.topic.clone(), block.counter) {
            Some(last) if block.counter <= last => self.restarts += 1,
            Some(last) => self.missed += (block.counter - last - 1) as usize,
            None => {}
        }
    }

    /// Publishes until the subscriber hears a round whole, and reads on to where the node is now. Says how
    /// many of each topic that took.
    ///
    /// A round may be heard in part: its first message goes before the node knows of the subscription, or
    /// while its queue is full. Nothing would tell how many of that topic were missed.
    async fn find(&mut self, node: &mut impl Node, subscriber: &mut impl Subscriber) -> usize {
        let end = tokio::time::Instant::now() + PATIENCE;
        let mut published = 0;
        loop {
            assert!(tokio::time::Instant::now() < end, "never heard of the node");
            // The size tells it from what was sent before.
            let mark = 1000 + published;
            for topic in TOPICS {
                node.publish(topic, mark, 1).await;
            }
            published += 1;
            let mut heard = 0;
            while let Some(block) = subscriber.next(QUIET).await {
                self.see(&block);
                heard += usize::from(block.size == mark);
                if heard == TOPICS.len() {
                    return published;
                }
            }
        }
    }
}

async fn session<N: Node, S: Subscriber>() {
    let place = Place::fixed(Transport::Tcp4);
    let mut watch = Watch::default();
    let mut subscriber = S::start(&place.endpoint, &TOPICS, 10).await;

    let mut node = N::start(&place.endpoint, 1000).await;
    watch.find(&mut node, &mut subscriber).await;
    watch.seen = 0;
    // So many that who finds the node's next life late still sees its counters start over.
    for _ in 0..100 {
        node.publish("hashtx", 32, 5).await;
        node.publish("hashblock", 32, 1).await;
        node.publish("rawblock", 100_000, 1).await;
    }
    while watch.seen < 200 {
        let block = subscriber.next(PATIENCE).await;
        watch.see(&block.expect("the next block"));
    }
    assert_eq!((watch.missed, watch.restarts), (0, 0), "{watch:?}");

    node.kill().await;
    let mut node = N::start(&place.endpoint, 10).await;
    watch.find(&mut node, &mut subscriber).await;
    assert_eq!(watch.missed, 0, "{watch:?}");
    assert_eq!(watch.restarts, 2, "one for each topic: {watch:?}");

    // More than all queues and the kernel's buffers hold, and nobody reads.
    watch.seen = 0;
    node.publish("rawblock", 100_000, 500).await;
    let more = watch.find(&mut node, &mut subscriber).await;
    assert!(watch.missed > 0, "{watch:?}");
    assert_eq!(
        watch.seen + watch.missed,
        500 + 2 * more,
        "each is seen or missed"
    );

    node.publish("rawblock", 6_000_000, 1).await;
    let (last, ()) = tokio::join!(subscriber.next(PATIENCE), node.finish());
    assert_eq!(last.expect("the last message").size, 6_000_000);
}

#[tokio::test]
async fn our_node_with_their_subscriber() {
    session::<OurNode, Program>().await;
}

#[tokio::test]
async fn their_node_with_our_subscriber() {
    session::<Program, SubSocket>().await;
}

impl Node for Program {
    async fn start(endpoint: &str, hwm: usize) -> Self {
        let mut program = Program::start("bitcoind.py");
        let order = json!({ "do": "node", "endpoint": endpoint, "hwm": hwm });
        program.call(order).await;
        program
    }

    async fn publish(&mut self, topic: &str, size: usize, count: usize) {
        let order = json!({ "do": "publish", "topic": topic, "size": size, "count": count });
        self.call(order).await;
    }

    async fn finish(mut self) {
        self.call(json!({ "do": "finish" })).await;
    }

    async fn kill(self) {
        Program::kill(self).await;
    }
}

impl Subscriber for Program {
    async fn start(endpoint: &str, topics: &[&str], hwm: usize) -> Self {
        let mut program = Program::start("bitcoind.py");
        let order =
            json!({ "do": "subscriber", "endpoint": endpoint, "topics": topics, "hwm": hwm });
        program.call(order).await;
        program
    }

    async fn next(&mut self, patience: Duration) -> Option<Block> {
        let order = json!({ "do": "next", "patience": patience.as_millis() });
        let block = self.call(order).await;
        let number = |index: usize| block[index].as_u64().expect("a number");
        block[0].as_str().map(|topic| Block {
            topic: topic.to_owned(),
            size: number(1) as usize,
            counter: number(2) as u32,
        })
    }
}

struct OurNode {
    socket: PubSocket,
    counters: HashMap<String, u32>,
}

impl Node for OurNode {
    async fn start(endpoint: &str, hwm: usize) -> Self {
        let mut socket = PubSocket::builder().send_hwm(hwm).build().unwrap();
        socket.bind(endpoint).await.unwrap();
        OurNode {
            socket,
            counters: HashMap::new(),
        }
    }

    async fn publish(&mut self, topic: &str, size: usize, count: usize) {
        for _ in 0..count {
            let counter = self.counters.entry(topic.to_owned()).or_default();
            let number = counter.to_le_bytes();
            *counter += 1;
            let message = [topic.as_bytes(), &vec![0; size], &number];
            self.socket.send(message).await.unwrap();
        }
    }

    async fn finish(self) {
        assert_eq!(self.socket.close().await.unsent, 0);
    }

    async fn kill(mut self) {
        self.socket.set_linger(Some(Duration::ZERO));
        self.socket.close().await;
    }
}

impl Subscriber for SubSocket {
    async fn start(endpoint: &str, topics: &[&str], hwm: usize) -> Self {
        let builder = SubSocket::builder().recv_hwm(hwm);
        let builder = builder.reconnect_interval(Duration::from_millis(20));
        let mut socket = builder.build().unwrap();
        for topic in topics {
            socket.subscribe(topic);
        }
        socket.connect(endpoint).unwrap();
        socket
    }

    async fn next(&mut self, patience: Duration) -> Option<Block> {
        let message = timeout(patience, self.recv()).await.ok()?.unwrap();
        assert_eq!(message.len(), 3);
        Some(Block {
            topic: str::from_utf8(&message[0]).unwrap().to_owned(),
            size: message[1].len(),
            counter: u32::from_le_bytes(message[2][..].try_into().unwrap()),
        })
    }
}
