//! Draining, byte for byte: what is said to whom, and what is heard.

use std::time::Duration;

use common::events::{connected, event};
use common::place::{Place, Transport};
use common::raw::{RawPeer, greeting, short_frame};
use common::{until, within};
use purezmq::options::{OptionId, Options, Value};
use purezmq::{
    AnySocket, Context, DealerSocket, Endpoint, Monitor, MonitorEventKind, PullSocket, PushSocket,
    RecvError, SocketType,
};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// No test waits for this.
const LONG: Duration = Duration::from_secs(3600);

/// READY with the property that announces the commands.
fn ready_that_understands(kind: &str) -> Vec<u8> {
    let mut body = b"\x05READY\x0bSocket-Type\0\0\0".to_vec();
    body.push(kind.len() as u8);
    body.extend(kind.as_bytes());
    body.extend(b"\x07X-Drain\0\0\0\x011");
    let mut command = vec![0x04, body.len() as u8];
    command.extend(body);
    command
}

/// A peer that has been accepted, and has said nothing yet.
async fn accepted(endpoint: &Endpoint, monitor: &mut Monitor) -> RawPeer {
    let peer = RawPeer::connect(endpoint).await;
    event(monitor, "accepted", |kind| {
        matches!(kind, MonitorEventKind::Accepted)
    })
    .await;
    peer
}

#[tokio::test]
async fn what_goes_over_the_wire() {
    let mut pull = PullSocket::new();
    let endpoint = pull.bind(ANY_PORT).await.unwrap();
    let mut monitor = pull.monitor();
    let mut peer = RawPeer::connect(&endpoint).await;
    peer.send(&greeting()).await;
    peer.send(&ready_that_understands("PUSH")).await;
    peer.receive(64).await;
    let theirs = ready_that_understands("PULL");
    assert_eq!(peer.receive(theirs.len()).await, theirs);
    connected(&mut monitor).await;
    pull.drain(LONG);
    assert_eq!(peer.receive(8).await, b"\x04\x06\x05DRAIN");
    peer.send(&short_frame(b"under way")).await;
    assert_eq!(within("it comes", pull.recv()).await.unwrap(), "under way");
    assert_eq!(pull.try_recv(), Err(RecvError::Empty));
    peer.send(b"\x04\x08\x07DRAINED").await;
    assert_eq!(within("over", pull.recv()).await, Err(RecvError::Drained));

    // The other way: what was sent before goes ahead of the answer.
    let mut push = PushSocket::new();
    let endpoint = push.bind(ANY_PORT).await.unwrap();
    let mut monitor = push.monitor();
    let mut peer = RawPeer::connect(&endpoint).await;
    peer.send(&greeting()).await;
    peer.send(&ready_that_understands("PULL")).await;
    peer.receive(64 + ready_that_understands("PUSH").len())
        .await;
    connected(&mut monitor).await;
    push.send("last").await.unwrap();
    peer.send(b"\x04\x06\x05DRAIN").await;
    assert_eq!(peer.receive(6).await, short_frame(b"last"));
    assert_eq!(peer.receive(10).await, b"\x04\x08\x07DRAINED");
    assert!(push.try_send("more").is_err());
}

#[tokio::test]
async fn who_has_not_announced_it_is_sent_no_command() {
    let mut pull = PullSocket::new();
    let endpoint = pull.bind(ANY_PORT).await.unwrap();
    let mut peer = RawPeer::connect(&endpoint).await;
    let mut monitor = pull.monitor();
    peer.shake_hands("PUSH").await;
    connected(&mut monitor).await;
    // One that says the command all the same is not heard.
    peer.send(b"\x04\x06\x05DRAIN").await;
    peer.send(&short_frame(b"work")).await;
    pull.drain(LONG);
    assert_eq!(within("it comes", pull.recv()).await.unwrap(), "work");
    assert_eq!(within("quiet", pull.recv()).await, Err(RecvError::Drained));
    pull.close().await;
    let mut bytes = Vec::new();
    let ended = tokio::io::AsyncReadExt::read_to_end(&mut peer.stream, &mut bytes);
    within("the end", ended).await.unwrap();
    assert_eq!(bytes, b"");
}

#[tokio::test]
async fn a_handshake_that_is_under_way_is_waited_for() {
    let mut pull = PullSocket::new();
    let endpoint = pull.bind(ANY_PORT).await.unwrap();
    let mut monitor = pull.monitor();
    let mut peer = accepted(&endpoint, &mut monitor).await;
    // One that says nothing is not waited for.
    let _silent = accepted(&endpoint, &mut monitor).await;
    peer.send(&greeting()).await;
    peer.receive(64).await;
    let own = ready_that_understands("PULL");
    peer.receive(own.len()).await;
    pull.drain(LONG);
    assert_eq!(pull.try_recv(), Err(RecvError::Empty));
    peer.send(&ready_that_understands("PUSH")).await;
    peer.send(&short_frame(b"work")).await;
    assert_eq!(within("it comes", pull.recv()).await.unwrap(), "work");
    assert_eq!(peer.receive(8).await, b"\x04\x06\x05DRAIN");
    peer.send(b"\x04\x08\x07DRAINED").await;
    assert_eq!(within("over", pull.recv()).await, Err(RecvError::Drained));
}

/// What it would send after READY nobody would read. Refused, it keeps that for another.
#[tokio::test]
async fn who_speaks_only_when_the_socket_drains_is_not_let_in() {
    for waits in [true, false] {
        let mut pull = PullSocket::new();
        let endpoint = pull.bind(ANY_PORT).await.unwrap();
        let mut monitor = pull.monitor();
        let mut peer = accepted(&endpoint, &mut monitor).await;
        pull.drain(LONG);
        if waits {
            assert_eq!(within("over", pull.recv()).await, Err(RecvError::Drained));
        }
        peer.send(&greeting()).await;
        peer.send(&ready_that_understands("PUSH")).await;
        peer.send(&short_frame(b"work")).await;
        event(&mut monitor, "it is refused", |kind| {
            matches!(kind, MonitorEventKind::HandshakeFailed { .. })
        })
        .await;
        let mut bytes = Vec::new();
        // A greeting at most: who is told READY may send.
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut peer.stream, &mut bytes).await;
        assert!(bytes.len() <= 64, "{bytes:?}");
        assert_eq!(pull.close().await.unread, 0);
    }
}

/// The system tells the task of nothing that a handle has read before it.
#[tokio::test]
async fn what_a_handle_reads_on_its_way_is_seen_to() {
    let mut push = PushSocket::new();
    let endpoint = push.bind(ANY_PORT).await.unwrap();
    let mut monitor = push.monitor();
    let mut peer = RawPeer::connect(&endpoint).await;
    peer.send(&greeting()).await;
    peer.send(&ready_that_understands("PULL")).await;
    let theirs = ready_that_understands("PUSH").len();
    peer.receive(64 + theirs).await;
    connected(&mut monitor).await;
    // Without a word to the runtime: it is there when the next message is sent, and after a while that is looked at.
    let drain = b"\x04\x06\x05DRAIN";
    assert_eq!(peer.stream.try_write(drain).unwrap(), drain.len());
    std::thread::sleep(Duration::from_millis(10));
    push.try_send("last").unwrap();
    assert_eq!(peer.receive(6).await, short_frame(b"last"));
    assert_eq!(peer.receive(10).await, b"\x04\x08\x07DRAINED");
}

/// What nobody reads stands in front of the peer's end, and nothing is sent that would find out: whoever waits to send is
/// connected to the next peer all the same.
#[tokio::test]
async fn a_drained_peers_end_is_seen_behind_what_nobody_reads() {
    for (asks, answers) in [
        (SocketType::Dealer, SocketType::Dealer),
        (SocketType::Req, SocketType::Router),
        (SocketType::Pair, SocketType::Pair),
        (SocketType::Client, SocketType::Server),
        (SocketType::Channel, SocketType::Channel),
    ] {
        for transport in [Transport::Tcp4, Transport::Ipc] {
            println!("{asks} {transport:?}");
            let place = Place::fixed(transport);
            let context = Context::new();
            let mut options = Options::of(asks);
            let mut set = |name, value: Value| {
                let id = OptionId::by_name(name).unwrap();
                if options.has(id) {
                    options.set(id, value).unwrap();
                }
            };
            set("recv_hwm", 1_usize.into());
            set("relaxed", true.into());
            set("correlate", true.into());
            set("reconnect_interval", Duration::from_millis(5).into());
            let mut asker = AnySocket::with_options(asks, &context, options).unwrap();
            let mut old = AnySocket::new(answers, &context).unwrap();
            old.bind(&place.endpoint).await.unwrap();
            asker.connect(&place.endpoint).unwrap();
            asker.send("question").await.unwrap();
            let question = within("a question", old.recv()).await.unwrap();
            old.drain(LONG);
            assert_eq!(within("all", old.recv()).await, Err(RecvError::Drained));
            for _ in 0..5 {
                within("an answer", old.send(question.clone()))
                    .await
                    .unwrap();
            }
            within("close", old.close()).await;
            let mut new = AnySocket::new(answers, &context).unwrap();
            within("the address is free", async {
                while new.bind(&place.endpoint).await.is_err() {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            within("send", asker.send("again")).await.unwrap();
            let again = within("it", new.recv()).await.unwrap();
            assert_eq!(again.last(), Some(&b"again"[..]));
        }
    }
}

/// What is at hand of a peer that cannot be told is left at the limit, whichever call asks for it, and whatever is sent
/// between.
#[tokio::test]
async fn nothing_is_received_beyond_the_limit_by_who_sends_or_does_not_wait() {
    for waits in [true, false] {
        let mut dealer = DealerSocket::new();
        let endpoint = dealer.bind(ANY_PORT).await.unwrap();
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.shake_hands("DEALER").await;
        peer.send(&short_frame(b"work").repeat(100)).await;
        until("all is here", || dealer.stats().queued_to_receive == 100).await;
        assert_eq!(within("the first", dealer.recv()).await.unwrap(), "work");
        dealer.drain(Duration::ZERO);
        if waits {
            let late = within("the limit", dealer.recv()).await;
            assert_eq!(late, Err(RecvError::Drained));
        }
        for _ in 0..10 {
            within("an answer", dealer.send("done")).await.unwrap();
            assert_eq!(dealer.try_recv(), Err(RecvError::Drained));
            let late = within("the limit", dealer.recv()).await;
            assert_eq!(late, Err(RecvError::Drained));
        }
        assert_eq!(within("closed", dealer.close()).await.unread, 99);
    }
}
