//! What limits a queue beside its HWM: bytes and age. And the HWM when it is changed later.
//!
//! A queue can be counted exactly where nothing takes from it: towards an endpoint that nobody has bound yet.

use std::time::Duration;

use common::events::event;
use common::place::{Place, Transport};
use common::within;
use purezmq::error::SendError;
use purezmq::{
    Context, DealerSocket, MonitorEventKind as Kind, PairSocket, PubSocket, PullSocket, PushSocket,
    RouterSocket, SubSocket,
};

const TTL: Duration = Duration::from_secs(16);

/// The longest that a message lives.
const AT_MOST: Duration = Duration::from_secs(17);
const SECOND: Duration = Duration::from_secs(1);

fn is_full(sent: Result<(), SendError>) -> bool {
    matches!(sent, Err(SendError::Full(_)))
}

/// Sends until there is no room, and says how often that went well.
fn fill(push: &mut PushSocket, message: &[u8]) -> usize {
    (0..100_000)
        .take_while(|_| push.try_send(message.to_vec()).is_ok())
        .count()
}

// ---------------------------------------------------------------- bytes

#[tokio::test]
async fn a_queue_takes_messages_while_it_holds_less_than_its_bytes() {
    let mut push = PushSocket::builder()
        .send_hwm_bytes(10_000)
        .linger(Duration::ZERO)
        .build()
        .expect("options");
    push.connect("tcp://127.0.0.1:1").expect("connect");
    // 98 bytes and a header of two.
    assert_eq!(fill(&mut push, &[7; 98]), 100);
    assert_eq!(push.stats().queued_to_send, 100);
    assert!(is_full(push.try_send("")));
}

#[tokio::test]
async fn one_message_may_be_larger_than_the_limit() {
    let mut push = PushSocket::builder()
        .send_hwm_bytes(10)
        .linger(Duration::ZERO)
        .build()
        .expect("options");
    push.connect("tcp://127.0.0.1:1").expect("connect");
    assert_eq!(fill(&mut push, &[7; 100_000]), 1);
}

#[tokio::test]
async fn the_hwm_counts_beside_the_bytes() {
    let mut push = PushSocket::builder()
        .send_hwm(5)
        .send_hwm_bytes(10_000)
        .linger(Duration::ZERO)
        .build()
        .expect("options");
    push.connect("tcp://127.0.0.1:1").expect("connect");
    assert_eq!(fill(&mut push, b"x"), 5);
}

/// All arrives in order through queues that are often full, whatever the sizes and the transport.
async fn everything_gets_through(endpoint: &str, context: &Context) {
    const MESSAGES: usize = 3000;
    let mut pull = PullSocket::builder()
        .recv_hwm_bytes(3000)
        .context(context)
        .build()
        .expect("options");
    let endpoint = pull.bind(endpoint).await.expect("bind");
    let mut push = PushSocket::builder()
        .send_hwm_bytes(3000)
        .context(context)
        .build()
        .expect("options");
    push.connect(&endpoint).expect("connect");
    let size = |number: usize| (number * 7919) % 6000;
    let sending = async {
        for number in 0..MESSAGES {
            let message = [number.to_string().into_bytes(), vec![7; size(number)]];
            within("send", push.send(message)).await.expect("send");
        }
        push
    };
    let receiving = async {
        for number in 0..MESSAGES {
            let message = within("recv", pull.recv()).await.expect("recv");
            assert_eq!(message.get(0), Some(number.to_string().as_bytes()));
            assert_eq!(message.get(1).map(<[u8]>::len), Some(size(number)));
        }
    };
    let (push, ()) = tokio::join!(sending, receiving);
    assert_eq!(pull.stats().dropped.total(), 0);
    assert_eq!(push.stats().dropped.total(), 0);
}

#[tokio::test]
async fn queues_limited_by_bytes_lose_nothing_over_tcp() {
    everything_gets_through("tcp://127.0.0.1:*", &Context::new()).await;
}

#[tokio::test]
async fn queues_limited_by_bytes_lose_nothing_over_inproc() {
    everything_gets_through("inproc://bytes", &Context::new()).await;
}

#[tokio::test]
async fn a_receiver_stops_reading_at_its_bytes() {
    const BODY: usize = 1 << 20;
    let mut pull = PullSocket::builder()
        .recv_hwm_bytes(1)
        .recv_buffer(64 << 10)
        .build()
        .expect("options");
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.expect("bind");
    let mut push = PushSocket::builder()
        .send_buffer(64 << 10)
        .build()
        .expect("options");
    push.connect(&endpoint).expect("connect");
    for _ in 0..20 {
        push.send(vec![7; BODY]).await.expect("send");
    }
    for received in 0..20 {
        within("a message", pull.recv()).await.expect("recv");
        // One waits for the application, and the next is not read before that is gone.
        let stats = pull.stats();
        assert!(stats.queued_to_receive <= 1, "{stats:?}");
        assert!(stats.received.messages <= received + 2, "{stats:?}");
    }
}

// ---------------------------------------------------------------- age

#[tokio::test(start_paused = true)]
async fn messages_that_waited_too_long_are_dropped_and_counted() {
    let place = Place::fixed(Transport::Tcp4);
    let mut push = PushSocket::builder()
        .send_ttl(TTL)
        .build()
        .expect("options");
    push.connect(place.endpoint.as_str()).expect("connect");
    push.send("old").await.expect("send");
    tokio::time::sleep(TTL / 2).await;
    push.send("young").await.expect("send");
    tokio::time::sleep(TTL / 2 - SECOND).await;
    assert_eq!(push.stats().queued_to_send, 2, "none is too old");
    tokio::time::sleep(2 * SECOND).await;
    let stats = push.stats();
    assert_eq!((stats.queued_to_send, stats.dropped.expired), (1, 1));
    let mut pull = PullSocket::new();
    pull.bind(place.endpoint.as_str()).await.expect("bind");
    assert_eq!(pull.recv().await.expect("recv"), "young");
    assert_eq!(push.stats().dropped.expired, 1);
}

#[tokio::test(start_paused = true)]
async fn messages_sent_one_after_the_other_expire_one_after_the_other() {
    let mut push = PushSocket::builder()
        .send_ttl(TTL)
        .linger(Duration::ZERO)
        .build()
        .expect("options");
    push.connect("tcp://127.0.0.1:1").expect("connect");
    let mut sent = 0;
    for second in 0..60u64 {
        push.send("tick").await.expect("send");
        sent += 1;
        let queued = push.stats().queued_to_send as u64;
        let (least, most) = (TTL.as_secs(), AT_MOST.as_secs() + 1);
        assert!(
            (least.min(sent)..=most.min(sent)).contains(&queued),
            "{queued} after {second} s"
        );
        assert_eq!(push.stats().dropped.expired, sent - queued);
        tokio::time::sleep(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_waits_goes_on_when_messages_expire() {
    let context = Context::new();
    for endpoint in ["tcp://127.0.0.1:1", "inproc://nobody"] {
        let mut dealer = DealerSocket::builder()
            .send_hwm(3)
            .send_ttl(TTL)
            .linger(Duration::ZERO)
            .context(&context)
            .build()
            .expect("options");
        dealer.connect(endpoint).expect("connect");
        let start = tokio::time::Instant::now();
        for _ in 0..4 {
            dealer.send("x").await.expect("send");
        }
        let waited = start.elapsed();
        assert!(waited >= TTL && waited <= AT_MOST + SECOND, "{waited:?}");
        assert_eq!(dealer.stats().dropped.expired, 3);

        let mut pair = PairSocket::builder()
            .send_hwm(3)
            .send_ttl(TTL)
            .send_timeout(TTL / 2)
            .linger(Duration::ZERO)
            .context(&context)
            .build()
            .expect("options");
        pair.connect(endpoint).expect("connect");
        for _ in 0..3 {
            pair.send("x").await.expect("send");
        }
        let sent = pair.send("x").await;
        assert!(matches!(sent, Err(SendError::Timeout(_))));
        tokio::time::sleep(TTL).await;
        pair.try_send("x").expect("there is room again");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_back_from_a_connection_keeps_its_age() {
    let place = Place::fixed(Transport::Tcp4);
    let mut push = PushSocket::builder()
        .send_ttl(TTL)
        .send_buffer(4096)
        .build()
        .expect("options");
    push.connect(place.endpoint.as_str()).expect("connect");
    for _ in 0..100 {
        push.send(vec![7; 2000]).await.expect("send");
    }
    let pull = PullSocket::builder()
        .recv_hwm(1)
        .recv_buffer(4096)
        .build()
        .expect("options");
    let mut pull = pull;
    pull.bind(place.endpoint.as_str()).await.expect("bind");
    pull.recv().await.expect("the first");
    let mut monitor = push.monitor();
    pull.close().await;
    event(&mut monitor, "the end", |kind| {
        matches!(kind, Kind::Disconnected(_))
    })
    .await;
    assert!(push.stats().queued_to_send > 0, "some were taken back");
    tokio::time::sleep(AT_MOST).await;
    let stats = push.stats();
    assert_eq!(stats.queued_to_send, 0);
    assert!(stats.dropped.expired > 0, "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn closing_does_not_wait_for_what_expires() {
    let mut push = PushSocket::builder()
        .send_ttl(TTL)
        .build()
        .expect("options");
    push.connect("tcp://127.0.0.1:1").expect("connect");
    push.send("never arrives").await.expect("send");
    let start = tokio::time::Instant::now();
    push.close().await;
    assert!(start.elapsed() <= AT_MOST + SECOND, "it lingers for ever");
}

#[tokio::test(start_paused = true)]
async fn subscriptions_do_not_expire() {
    let context = Context::new();
    let mut xsub = purezmq::XSubSocket::builder()
        .send_ttl(TTL)
        .context(&context)
        .build()
        .expect("options");
    let mut xpub = purezmq::XPubSocket::builder()
        .context(&context)
        .build()
        .expect("options");
    xpub.bind("inproc://slow").await.expect("bind");
    xsub.connect("inproc://slow").expect("connect");
    xsub.send("a message").await.expect("send");
    xsub.subscribe("topic");
    xsub.send("another one").await.expect("send");
    tokio::time::sleep(2 * TTL).await;
    assert_eq!(xpub.recv().await.expect("recv"), "\x01topic");
    assert!(xpub.try_recv().is_err());
    assert_eq!(xsub.stats().dropped.expired, 2);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_was_mute_gets_what_comes_after_the_old_has_expired() {
    let context = Context::new();
    let mut publisher = PubSocket::builder()
        .send_hwm(2)
        .send_ttl(TTL)
        .context(&context)
        .build()
        .expect("options");
    publisher.bind("inproc://news").await.expect("bind");
    let mut sub = SubSocket::builder()
        .recv_hwm(2)
        .context(&context)
        .build()
        .expect("options");
    sub.subscribe("");
    sub.connect("inproc://news").expect("connect");
    for number in 0..6 {
        publisher.send(number.to_string()).await.expect("send");
    }
    assert_eq!(publisher.dropped(), 2);
    tokio::time::sleep(AT_MOST).await;
    publisher.send("fresh").await.expect("send");
    assert_eq!(sub.recv().await.expect("recv"), "fresh");
    assert_eq!(publisher.stats().dropped.expired, 4);
}

// ---------------------------------------------------------------- the HWM, changed

/// R-HWM-9
#[tokio::test]
async fn a_raised_hwm_makes_room_at_once() {
    let mut push = PushSocket::builder()
        .send_hwm(3)
        .linger(Duration::ZERO)
        .build()
        .expect("options");
    push.connect("tcp://127.0.0.1:1").expect("connect");
    assert_eq!(fill(&mut push, b"x"), 3);
    push.set_options(|options| options.send_hwm(10))
        .expect("in range");
    assert_eq!(fill(&mut push, b"x"), 7);
    push.set_options(|options| options.send_hwm(0))
        .expect("in range");
    assert_eq!(fill(&mut push, b"x"), 100_000);
}

#[tokio::test]
async fn a_lowered_hwm_keeps_what_is_queued_and_takes_no_more() {
    let place = Place::fixed(Transport::Tcp4);
    let mut push = PushSocket::builder().send_hwm(10).build().expect("options");
    push.connect(place.endpoint.as_str()).expect("connect");
    assert_eq!(fill(&mut push, b"x"), 10);
    push.set_options(|options| options.send_hwm(4))
        .expect("in range");
    assert!(is_full(push.try_send("x")));
    assert_eq!(push.stats().queued_to_send, 10);
    let mut pull = PullSocket::new();
    pull.bind(place.endpoint.as_str()).await.expect("bind");
    for _ in 0..10 {
        within("a message", pull.recv()).await.expect("recv");
    }
    drop(pull);
    assert_eq!(push.stats().queued_to_send, 0);
    within("room", push.send("x")).await.expect("send");
}

#[tokio::test]
async fn each_side_of_an_inproc_pipe_changes_its_part_of_the_sum() {
    let context = Context::new();
    let mut router = RouterSocket::builder()
        .recv_hwm(2)
        .context(&context)
        .build()
        .expect("options");
    router.bind("inproc://sum").await.expect("bind");
    let mut push = DealerSocket::builder()
        .send_hwm(3)
        .context(&context)
        .build()
        .expect("options");
    push.connect("inproc://sum").expect("connect");
    let mut fill = |most: usize| (0..most).take_while(|_| push.try_send("x").is_ok()).count();
    assert_eq!(fill(100), 5);
    router
        .set_options(|options| options.recv_hwm(20))
        .expect("in range");
    assert_eq!(fill(100), 18);
    push.set_options(|options| options.send_hwm(13))
        .expect("in range");
    let more = (0..100).take_while(|_| push.try_send("x").is_ok()).count();
    assert_eq!(more, 10);
}
