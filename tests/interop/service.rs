//! The shape of a service that reports events of 2 KB to a sink, and has to live through the sink's outage:
//! a PUSH with an HWM of 25,000. What it pushes meanwhile waits, and comes in order when the sink is back.
//! Each side in turn is pyzmq's (`tests/peers/service.py`).

use std::ops::RangeInclusive;
use std::time::Duration;

use common::events::event;
use common::place::{Place, Transport};
use common::python::Program;
use common::within;
use purezmq::{Monitor, MonitorEventKind, PullSocket, PushSocket};
use serde_json::json;

const HWM: usize = 25_000;
const EVENT: usize = 2048;

trait Service: Sized {
    async fn start(endpoint: &str) -> Self;
    /// Pushes events with the numbers from `first` on.
    async fn push(&mut self, first: usize, count: usize);
    /// The same until there is no room; says how many.
    async fn fill(&mut self, first: usize) -> usize;
    async fn notice_the_outage(&mut self);
}

trait Sink: Sized {
    async fn start(endpoint: &str) -> Self;
    /// Takes so many events, whose numbers follow each other, and says the first number.
    async fn take(&mut self, count: usize) -> usize;
    async fn kill(self);
}

/// `room` is how much the service takes while nobody is there, after 1,000 events that went through.
async fn outage<S: Service, K: Sink>(room: RangeInclusive<usize>) {
    let place = Place::fixed(Transport::Tcp4);
    let mut service = S::start(&place.endpoint).await;
    let mut sink = K::start(&place.endpoint).await;
    service.push(0, 1000).await;
    assert_eq!(sink.take(1000).await, 0);
    sink.kill().await;
    service.notice_the_outage().await;
    let waiting = service.fill(1000).await;
    assert!(room.contains(&waiting), "{waiting} events waited");
    let mut sink = K::start(&place.endpoint).await;
    assert_eq!(sink.take(waiting).await, 1000, "none is lost");
    service.push(1000 + waiting, 10).await;
    assert_eq!(sink.take(10).await, 1000 + waiting);
}

#[tokio::test]
async fn our_service_with_their_sink() {
    outage::<OurService, Program>(HWM..=HWM).await;
}

#[tokio::test]
async fn their_service_with_our_sink() {
    // libzmq learns of what was read in steps of half the HWM.
    outage::<Program, PullSocket>(HWM - 1000..=HWM).await;
}

impl Service for Program {
    async fn start(endpoint: &str) -> Self {
        let mut program = Program::start("service.py");
        let order = json!({ "do": "service", "endpoint": endpoint, "hwm": HWM });
        program.call(order).await;
        program
    }

    async fn push(&mut self, first: usize, count: usize) {
        self.call(json!({ "do": "push", "first": first, "count": count }))
            .await;
    }

    async fn fill(&mut self, first: usize) -> usize {
        let count = self.call(json!({ "do": "fill", "first": first })).await;
        count.as_u64().expect("a number") as usize
    }

    async fn notice_the_outage(&mut self) {
        self.call(json!({ "do": "notice_the_outage" })).await;
    }
}

impl Sink for Program {
    async fn start(endpoint: &str) -> Self {
        let mut program = Program::start("service.py");
        program
            .call(json!({ "do": "sink", "endpoint": endpoint }))
            .await;
        program
    }

    async fn take(&mut self, count: usize) -> usize {
        let first = self.call(json!({ "do": "take", "count": count })).await;
        first.as_u64().expect("a number") as usize
    }

    async fn kill(self) {
        Program::kill(self).await;
    }
}

struct OurService {
    socket: PushSocket,
    monitor: Monitor,
}

fn numbered(number: usize) -> Vec<u8> {
    let mut event = vec![0; EVENT];
    event[..8].copy_from_slice(&(number as u64).to_le_bytes());
    event
}

impl Service for OurService {
    async fn start(endpoint: &str) -> Self {
        let builder = PushSocket::builder().send_hwm(HWM).linger(Duration::ZERO);
        let builder = builder.reconnect_interval(Duration::from_millis(20));
        let mut socket = builder.build().unwrap();
        let monitor = socket.monitor();
        socket.connect(endpoint).unwrap();
        OurService { socket, monitor }
    }

    async fn push(&mut self, first: usize, count: usize) {
        for number in first..first + count {
            let sent = self.socket.send(numbered(number));
            within("room", sent).await.unwrap();
        }
    }

    async fn fill(&mut self, first: usize) -> usize {
        let mut number = first;
        while self.socket.try_send(numbered(number)).is_ok() {
            number += 1;
        }
        number - first
    }

    async fn notice_the_outage(&mut self) {
        event(&mut self.monitor, "the outage", |kind| {
            matches!(kind, MonitorEventKind::Disconnected(_))
        })
        .await;
    }
}

impl Sink for PullSocket {
    async fn start(endpoint: &str) -> Self {
        let mut socket = PullSocket::new();
        socket.bind(endpoint).await.unwrap();
        socket
    }

    async fn take(&mut self, count: usize) -> usize {
        let mut first = None;
        for index in 0..count {
            let event = within("an event", self.recv()).await.unwrap();
            assert_eq!((event.len(), event[0].len()), (1, EVENT));
            let number = u64::from_le_bytes(event[0][..8].try_into().unwrap()) as usize;
            assert_eq!(number, *first.get_or_insert(number) + index);
        }
        first.expect("at least one")
    }

    async fn kill(self) {
        self.close().await;
    }
}
