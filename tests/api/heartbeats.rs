//! Who is busy is alive: heartbeats under queues of large messages, slow readers and full pipes, and while a call is kept that
//! nobody polls.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use common::events::{connected, ended};
use common::place::{Place, Transport};
use common::raw::RawPeer;
use common::within;
use futures::FutureExt;
use purezmq::security::{KeyPair, Security};
use purezmq::{
    DealerSocket, Monitor, MonitorEventKind, PairSocket, PubSocket, PullSocket, PushSocket,
    RouterSocket, SubSocket,
};
use socket2::SockRef;
use tokio::time::sleep;

const INTERVAL: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_secs(1);

/// What the system takes ahead, so that what is sent waits in the sender.
const BUFFER: usize = 64 * 1024;

/// Fails if a connection has ended.
fn assert_unbroken(monitor: &mut Monitor, what: &str) {
    while let Some(event) = monitor.recv().now_or_never() {
        let kind = event.expect("the socket is open").kind;
        assert!(
            !matches!(kind, MonitorEventKind::Disconnected(_)),
            "{what}: {kind:?}"
        );
    }
}

/// Sends a queue that takes far longer than interval and time-out to a reader that takes one message after the other,
/// and has both look for each other.
macro_rules! reader_is_alive {
    ($transport:expr, $sender:expr, $receiver:expr, $wrap:expr, |$s:ident, $r:ident| $prepare:block) => {
        async {
            const COUNT: u8 = 120;
            let what = concat!(stringify!($sender), " to ", stringify!($receiver));
            let place = Place::any($transport);
            let mut $s = $sender
                .send_hwm(0)
                .send_buffer(BUFFER)
                .heartbeat_interval(INTERVAL)
                .heartbeat_timeout(TIMEOUT)
                .build()
                .unwrap();
            let mut $r = $receiver
                .recv_hwm(2)
                .recv_buffer(BUFFER)
                .heartbeat_interval(INTERVAL)
                .heartbeat_timeout(TIMEOUT)
                .heartbeat_ttl(TIMEOUT)
                .build()
                .unwrap();
            let (mut told, mut heard) = ($s.monitor(), $r.monitor());
            let endpoint = $s.bind(&place.endpoint).await.unwrap();
            $r.connect(&endpoint).unwrap();
            connected(&mut told).await;
            connected(&mut heard).await;
            $prepare
            for number in 0..COUNT {
                $s.send($wrap(vec![number; 32 * 1024])).await.unwrap();
            }
            for number in 0..COUNT {
                let message = within(what, $r.recv()).await.unwrap();
                assert_eq!(message[0][0], number, "{what}");
                // The last ones are what the system holds: nothing tells how far that has come.
                if number < 100 {
                    sleep(Duration::from_millis(15)).await;
                }
            }
            assert_unbroken(&mut told, what);
            assert_unbroken(&mut heard, what);
        }
    };
}

async fn whoever_reads_all_the_time_is_alive(transport: Transport) {
    let same = |payload: Vec<u8>| payload;
    let keys = KeyPair::generate();
    let client = Security::curve_client(KeyPair::generate(), *keys.public());
    tokio::join!(
        reader_is_alive!(
            transport,
            PushSocket::builder(),
            PullSocket::builder(),
            same,
            |_push, _pull| {}
        ),
        reader_is_alive!(
            transport,
            DealerSocket::builder(),
            DealerSocket::builder(),
            same,
            |_one, _other| {}
        ),
        reader_is_alive!(
            transport,
            PairSocket::builder(),
            PairSocket::builder(),
            same,
            |_one, _other| {}
        ),
        reader_is_alive!(
            transport,
            RouterSocket::builder(),
            DealerSocket::builder().routing_id("reader"),
            |payload| ("reader", payload),
            |_router, _dealer| {}
        ),
        reader_is_alive!(
            transport,
            PubSocket::builder(),
            SubSocket::builder(),
            same,
            |publisher, sub| {
                sub.subscribe("");
                within("a subscriber", publisher.wait_for_subscribers(1)).await;
            }
        ),
        reader_is_alive!(
            transport,
            PushSocket::builder().security(Security::curve_server(keys)),
            PullSocket::builder().security(client),
            same,
            |_push, _pull| {}
        ),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_all_the_time_is_alive_over_tcp() {
    whoever_reads_all_the_time_is_alive(Transport::Tcp4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_all_the_time_is_alive_over_ipc() {
    whoever_reads_all_the_time_is_alive(Transport::Ipc).await;
}

/// A PUSH with heartbeats, connected to a peer that the system holds little for.
async fn push_to_raw(timeout: Duration) -> (PushSocket, Monitor, RawPeer) {
    let mut push = PushSocket::builder()
        .send_hwm(0)
        .send_buffer(BUFFER)
        .linger(Duration::ZERO)
        .heartbeat_interval(INTERVAL)
        .heartbeat_timeout(timeout)
        .build()
        .unwrap();
    let mut monitor = push.monitor();
    let endpoint = push.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::connect(&endpoint).await;
    SockRef::from(&peer.stream)
        .set_recv_buffer_size(BUFFER)
        .unwrap();
    peer.shake_hands("PULL").await;
    connected(&mut monitor).await;
    (push, monitor, peer)
}

#[tokio::test]
async fn a_ping_waits_for_the_end_of_a_message_and_not_of_the_queue() {
    const COUNT: usize = 200;
    let (mut push, _monitor, mut peer) = push_to_raw(Duration::from_secs(60)).await;
    for _ in 0..COUNT {
        push.send(vec![7; 64 * 1024]).await.unwrap();
    }
    // By then it is due, by the same runtime's clock.
    sleep(3 * INTERVAL).await;
    let mut before = None;
    let mut messages = 0;
    while messages < COUNT {
        let flags = peer.receive(1).await[0];
        if flags == 0x04 {
            let len = peer.receive(1).await[0];
            let command = peer.receive(usize::from(len)).await;
            assert_eq!(command[..5], *b"\x04PING");
            before.get_or_insert(messages);
            continue;
        }
        assert_eq!(flags, 0x02, "a large frame, the only one of its message");
        let len = peer.receive(8).await;
        assert_eq!(len[..], (64 * 1024_u64).to_be_bytes());
        let payload = peer.receive(64 * 1024).await;
        assert!(payload.iter().all(|&byte| byte == 7));
        messages += 1;
    }
    let before = before.expect("a PING among the messages");
    assert!(before < COUNT / 2, "the PING came after {before} messages");
}

#[tokio::test]
async fn one_message_may_take_longer_than_the_time_out() {
    let (mut push, mut monitor, mut peer) = push_to_raw(TIMEOUT).await;
    push.send(vec![7; 16 << 20]).await.unwrap();
    let mut left = 9 + (16 << 20);
    while left > 0 {
        let piece = peer.receive(left.min(BUFFER)).await;
        left -= piece.len();
        sleep(Duration::from_millis(8)).await;
    }
    assert_unbroken(&mut monitor, "while the message was on its way");
    // Now the PING can be answered, and is not.
    let reason = format!("{:?}", ended(&mut monitor).await);
    assert!(reason.contains("Silent"), "{reason}");
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_given_up() {
    let (mut push, mut monitor, _peer) = push_to_raw(INTERVAL).await;
    push.send(vec![7; 16 << 20]).await.unwrap();
    let reason = format!("{:?}", ended(&mut monitor).await);
    assert!(reason.contains("Silent"), "{reason}");
}

#[tokio::test]
async fn who_does_not_read_does_not_judge() {
    // By the own interval, and by the time to live that the peer has announced: a tenth of a second.
    for (own, ping) in [
        (Some(INTERVAL), &b""[..]),
        (None, &b"\x04\x07\x04PING\x00\x01"[..]),
    ] {
        let mut pull = PullSocket::builder()
            .recv_hwm(1)
            .heartbeat_interval(own)
            .build()
            .unwrap();
        let mut monitor = pull.monitor();
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut peer = RawPeer::connect(&endpoint).await;
        peer.shake_hands("PUSH").await;
        connected(&mut monitor).await;
        peer.send(&[ping, b"\x00\x01a\x00\x01b\x00\x01c"].concat())
            .await;
        // That it is not noticed meanwhile is what is asserted.
        sleep(5 * INTERVAL).await;
        assert_unbroken(&mut monitor, "while the pipe was full");
        for expected in ["a", "b", "c"] {
            assert_eq!(within("a message", pull.recv()).await.unwrap(), expected);
        }
        let reason = format!("{:?}", ended(&mut monitor).await);
        assert!(reason.contains("Silent"), "{reason}");
    }
}

/// A call that waits for the answer to what was just sent is woken by the stream itself. Kept and not polled, it keeps nothing
/// from being read and answered.
#[tokio::test]
async fn a_call_that_is_kept_and_not_polled_keeps_no_ping_waiting() {
    const PING: &[u8] = b"\x04\x07\x04PING\0\0";
    const PONG: &[u8] = b"\x04\x05\x04PONG";
    let mut dealer = DealerSocket::new();
    let mut monitor = dealer.monitor();
    let endpoint = dealer.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut peer = RawPeer::connect(&endpoint).await;
    peer.shake_hands("DEALER").await;
    connected(&mut monitor).await;
    // So often that the session's task is not woken for it any more.
    for turn in 0..100 {
        dealer.send([turn]).await.unwrap();
        let frame = [0, 1, turn];
        assert_eq!(peer.receive(3).await, frame);
        let (answer, ()) = tokio::join!(dealer.recv(), peer.send(&frame));
        assert_eq!(answer.unwrap(), [turn]);
    }
    dealer.send("?").await.unwrap();
    assert_eq!(peer.receive(3).await, b"\0\x01?");
    let mut answer = pin!(dealer.recv());
    let once = poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx)));
    assert!(once.await.is_pending());
    for _ in 0..3 {
        peer.send(PING).await;
        assert_eq!(within("a PONG", peer.receive(PONG.len())).await, PONG);
    }
    peer.send(&[b"\0\x01!", PING].concat()).await;
    assert_eq!(within("a PONG", peer.receive(PONG.len())).await, PONG);
    assert_eq!(within("the answer", answer).await.unwrap(), "!");
}
