//! The end of a context: all of its sockets end, wherever they are held and whatever they wait for. What was sent lingers
//! within the limit, what is left is told, and nothing begins any more.

use std::future::poll_fn;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use common::place::{Place, Role, Transport};
use common::within;
use futures::{SinkExt, StreamExt};
use purezmq::blocking::{self, wait};
use purezmq::options::Options;
use purezmq::rules::{PeerNaming, Protocol, RULES};
use purezmq::{
    AnySocket, BindError, Capability, ConnectError, Context, ContextReport, DealerSocket,
    DisconnectError, Message, OptionError, PairSocket, Proxy, PubSocket, PullSocket, PushSocket,
    RecvError, ReserveError, RouterSocket, SendError, SocketType, SubSocket, UnbindError,
    XPubSocket, XSubSocket, proxy,
};

const LIMIT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(60);

/// Where a socket of the context meets a peer, which for inproc is of the same context.
fn places() -> [(Place, bool); 3] {
    let mut inproc = Place::any(Transport::Tcp4);
    inproc.endpoint = "inproc://here".to_owned();
    [
        (Place::fixed(Transport::Tcp4), false),
        (Place::fixed(Transport::Ipc), false),
        (inproc, true),
    ]
}

fn any(socket_type: SocketType, context: &Context) -> AnySocket {
    AnySocket::new(socket_type, context).expect("it is built")
}

async fn begin(socket: &mut AnySocket, place: &Place, role: Role) {
    match role {
        Role::WeBind => drop(socket.bind(&place.endpoint).await.expect("bind")),
        Role::WeConnect => socket.connect(&place.endpoint).expect("connect"),
    }
}

/// Every call that could do something fails, and says why.
async fn says_so(socket: &mut AnySocket, endpoint: &str) {
    let rules = socket.rules();
    if rules.has(Capability::Sends) {
        // To a peer, by its name, number or address, or to a group.
        let is_addressed = rules.naming == PeerNaming::ByRoutingId
            || rules.naming == PeerNaming::ByNumber
            || rules.has_datagrams_only()
            || rules.socket_type.takes_groups();
        let message = match is_addressed {
            true => Message::from(["peer", "x"]),
            false => Message::from("x"),
        };
        for sent in [socket.send(message.clone()).await, socket.try_send(message)] {
            match sent {
                Err(SendError::ContextClosed(message)) => assert_eq!(message, Message::from("x")),
                other => panic!("{other:?}"),
            }
        }
    }
    if rules.has(Capability::Receives) {
        for received in [socket.recv().await, socket.try_recv()] {
            assert_eq!(received, Err(RecvError::ContextClosed));
        }
    }
    let bound = socket.bind(endpoint).await;
    assert!(matches!(bound, Err(BindError::ContextClosed { .. })));
    let unbound = socket.unbind(endpoint).await;
    assert!(matches!(unbound, Err(UnbindError::ContextClosed { .. })));
    let connected = socket.connect(endpoint);
    assert!(matches!(connected, Err(ConnectError::ContextClosed { .. })));
    let disconnected = socket.disconnect(endpoint);
    assert!(matches!(
        disconnected,
        Err(DisconnectError::ContextClosed { .. })
    ));
}

/// Every type, over tcp, ipc and inproc, bound and connected, with a peer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_on_a_socket_of_a_closed_context_says_so() {
    // A STREAM has a notice of its peer to give before.
    for rules in RULES.iter().filter(|rules| rules.speaks == Protocol::Zmtp) {
        for role in [Role::WeBind, Role::WeConnect] {
            for (place, is_inproc) in places() {
                println!("{} {role:?} {}", rules.socket_type, place.endpoint);
                let context = Context::new();
                let elsewhere = match is_inproc {
                    true => context.clone(),
                    false => Context::new(),
                };
                let mut others = RULES.iter().map(|rules| rules.socket_type);
                let other = others.find(|other| rules.socket_type.accepts(*other));
                let mut peer = any(other.expect("there is one for each"), &elsewhere);
                let mut socket = any(rules.socket_type, &context);
                match role {
                    Role::WeBind => {
                        begin(&mut socket, &place, Role::WeBind).await;
                        begin(&mut peer, &place, Role::WeConnect).await;
                    }
                    Role::WeConnect => {
                        begin(&mut peer, &place, Role::WeBind).await;
                        begin(&mut socket, &place, Role::WeConnect).await;
                    }
                }
                let report = within("close", context.close(LONG)).await;
                assert_eq!(report, ContextReport::default());
                assert!(context.is_closed());
                says_so(&mut socket, &place.endpoint).await;
                if is_inproc {
                    says_so(&mut peer, &place.endpoint).await;
                }
                let report = within("close", socket.close()).await;
                assert_eq!(report.unsent, 0);
                // The address is free.
                if role == Role::WeBind && !is_inproc {
                    let mut next = any(rules.socket_type, &elsewhere);
                    begin(&mut next, &place, Role::WeBind).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_closed_context_has_no_more_sockets() {
    let context = Context::new();
    let report = within("close", context.close(LIMIT)).await;
    assert_eq!(report, ContextReport::default());
    let built = PullSocket::builder().context(&context).build();
    assert_eq!(built.err(), Some(OptionError::ContextClosed));
    let built = blocking::PullSocket::builder().context(&context).build();
    assert_eq!(built.err(), Some(OptionError::ContextClosed));
    let options = Options::of(SocketType::Pull);
    assert!(AnySocket::with_options(SocketType::Pull, &context, options).is_err());
    for rules in RULES {
        // Where no error can be returned, the calls fail.
        says_so(&mut any(rules.socket_type, &context), "tcp://127.0.0.1:1").await;
    }
}

/// Polls once, which is not enough.
async fn waits<F: Future + Unpin>(mut future: F) -> F {
    poll_fn(|cx| {
        assert!(std::pin::Pin::new(&mut future).poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    future
}

/// Who waits at that moment is woken: whole sockets, halves, shared senders in their line, sinks, streams.
#[tokio::test]
async fn calls_that_wait_when_the_context_closes_fail() {
    let context = Context::new();
    let dealer = || {
        let dealer = DealerSocket::builder().context(&context);
        dealer.build().expect("options")
    };
    let (mut whole, mut sends, mut reserves) = (dealer(), dealer(), dealer());
    let (mut sender, mut receiver) = dealer().split();
    let (mut to_sink, from_stream) = (dealer(), dealer());
    let (shared, pair) = (dealer().into_shared(), PairSocket::builder());
    let mut pair = pair.context(&context).build().expect("options");
    let xpub = XPubSocket::builder().context(&context).build();
    let (mut xpub_sender, mut xpub_receiver) = xpub.expect("options").split();
    let publisher = PubSocket::builder().context(&context).build();
    let mut publisher = publisher.expect("options");
    let mut sink = to_sink.sink();
    let mut stream = from_stream.into_stream();

    let recv = waits(Box::pin(whole.recv())).await;
    let send = waits(Box::pin(sends.send("x"))).await;
    let reserve = waits(Box::pin(reserves.reserve())).await;
    let half_send = waits(Box::pin(sender.send("x"))).await;
    let half_recv = waits(Box::pin(receiver.recv())).await;
    let sink_send = waits(sink.send(Message::from("x"))).await;
    let stream_next = waits(stream.next()).await;
    let first = waits(Box::pin(shared.send("first"))).await;
    let second = waits(Box::pin(shared.send("second"))).await;
    let pair_recv = waits(Box::pin(pair.recv())).await;
    let notice = waits(Box::pin(xpub_receiver.recv())).await;
    let subscribers = waits(Box::pin(xpub_sender.wait_for_subscribers(1))).await;
    let others = waits(Box::pin(publisher.wait_for_subscribers(1))).await;

    within("close", context.close(LIMIT)).await;
    let closed = |sent: Result<(), SendError>| {
        assert!(matches!(sent, Err(SendError::ContextClosed(_))), "{sent:?}");
    };
    assert_eq!(within("recv", recv).await, Err(RecvError::ContextClosed));
    closed(within("send", send).await);
    let reserved = within("reserve", reserve).await.err();
    assert_eq!(reserved, Some(ReserveError::ContextClosed));
    closed(within("half's send", half_send).await);
    let received = within("half's recv", half_recv).await;
    assert_eq!(received, Err(RecvError::ContextClosed));
    closed(within("sink", sink_send).await);
    let next = within("stream", stream_next).await;
    assert_eq!(next, Some(Err(RecvError::ContextClosed)));
    closed(within("shared sender", first).await);
    closed(within("second in the line", second).await);
    let received = within("pair", pair_recv).await;
    assert_eq!(received, Err(RecvError::ContextClosed));
    assert!(matches!(
        within("xpub", notice).await,
        Err(RecvError::ContextClosed)
    ));
    within("half's subscribers", subscribers).await;
    within("subscribers", others).await;
}

/// In threads of their own, which are woken; closed from a thread without a runtime.
#[test]
fn blocking_calls_that_wait_when_the_context_closes_fail() {
    let context = Context::with_io_threads(1).expect("a thread");
    let mut pull = blocking::PullSocket::builder()
        .context(&context)
        .build()
        .expect("options");
    let mut monitor = pull.monitor();
    pull.bind("tcp://127.0.0.1:*").expect("bind");
    let push = blocking::PushSocket::builder().context(&context).build();
    let mut push = push.expect("options");
    let (began, begins) = std::sync::mpsc::channel();
    let waiting = began.clone();
    let receiving = thread::spawn(move || {
        waiting.send(()).expect("somebody listens");
        (pull.recv(), pull)
    });
    let sending = thread::spawn(move || {
        began.send(()).expect("somebody listens");
        push.send("x")
    });
    begins.iter().take(2).for_each(drop);
    let others: Vec<_> = (0..3)
        .map(|_| {
            let context = context.clone();
            thread::spawn(move || blocking::close(&context, LONG))
        })
        .collect();
    let report = blocking::close(&context, LONG);
    assert_eq!(report, ContextReport::default());
    for other in others {
        assert_eq!(other.join().expect("no panic"), report);
    }
    let (received, pull) = receiving.join().expect("no panic");
    assert_eq!(received, Err(RecvError::ContextClosed));
    let sent = sending.join().expect("no panic");
    assert!(matches!(sent, Err(SendError::ContextClosed(_))), "{sent:?}");
    drop(pull);
    while wait(monitor.recv()).is_some() {}
}

/// Held or dropped: what was sent leaves when the peer comes in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_leaves_before_the_context_is_closed() {
    for transport in [Transport::Tcp4, Transport::Ipc] {
        for is_dropped in [false, true] {
            let place = Place::fixed(transport);
            let context = Context::new();
            let mut held = Vec::new();
            for _ in 0..3 {
                let push = PushSocket::builder().context(&context).build();
                let mut push = push.expect("options");
                push.connect(place.endpoint.as_str()).expect("connect");
                push.send("in time").await.expect("send");
                held.push(push);
            }
            if is_dropped {
                held.clear();
            }
            let closing = tokio::spawn({
                let context = context.clone();
                async move { context.close(LONG).await }
            });
            let mut pull = PullSocket::new();
            pull.bind(place.endpoint.as_str()).await.expect("bind");
            for _ in 0..3 {
                let message = within("a message", pull.recv()).await;
                assert_eq!(message.expect("recv"), "in time");
            }
            let report = within("close", closing).await.expect("no panic");
            assert_eq!(report, ContextReport::default());
        }
    }
}

/// By endpoint and peer; each call gets the same report, and a shorter limit holds for all.
#[tokio::test]
async fn what_does_not_leave_in_time_is_told() {
    let (one, two) = (Place::fixed(Transport::Tcp4), Place::fixed(Transport::Ipc));
    let context = Context::new();
    let mut push = PushSocket::builder().context(&context).build().unwrap();
    push.connect(one.endpoint.as_str()).expect("connect");
    for _ in 0..2 {
        push.send("held").await.expect("send");
    }
    let mut dealer = DealerSocket::builder().context(&context).build().unwrap();
    dealer.connect(two.endpoint.as_str()).expect("connect");
    dealer.send("dropped").await.expect("send");
    drop(dealer);
    let mut pair = PairSocket::builder().context(&context).build().unwrap();
    pair.connect("inproc://nobody").expect("connect");
    pair.send("inproc").await.expect("send");
    let (mut sender, receiver) = {
        let dealer = DealerSocket::builder().context(&context).build();
        dealer.expect("options").split()
    };
    sender.connect(one.endpoint.as_str()).expect("connect");
    sender.send("half").await.expect("send");
    drop(sender);

    let long = waits(Box::pin(context.close(LONG))).await;
    let report = within("a shorter limit", context.close(LIMIT)).await;
    assert_eq!(report.unsent, 5);
    assert_eq!(report.unread, 0);
    assert_eq!(report.peers.len(), 4, "{report:?}");
    let of = |socket_type, endpoint: &str| {
        let found = report.peers.iter().find(|peer| {
            let at = peer.endpoint.as_ref().map(ToString::to_string);
            peer.socket_type == socket_type && at.as_deref() == Some(endpoint)
        });
        found.map(|peer| peer.unsent)
    };
    assert_eq!(of(SocketType::Push, &one.endpoint), Some(2));
    assert_eq!(of(SocketType::Dealer, &two.endpoint), Some(1));
    assert_eq!(of(SocketType::Dealer, &one.endpoint), Some(1));
    assert_eq!(of(SocketType::Pair, "inproc://nobody"), Some(1));
    assert_eq!(within("the longer limit", long).await, report);
    assert_eq!(within("once more", context.close(LONG)).await, report);
    drop((push, pair, receiver));
}

/// A socket's own linger time is kept if it is shorter than the limit.
#[tokio::test]
async fn closing_a_context_does_not_make_a_socket_linger_longer() {
    let place = Place::fixed(Transport::Tcp4);
    let context = Context::new();
    let push = PushSocket::builder().context(&context).linger(LIMIT);
    let mut push = push.build().expect("options");
    push.connect(place.endpoint.as_str()).expect("connect");
    push.send("never").await.expect("send");
    let report = within("close", context.close(Duration::from_secs(3600))).await;
    assert_eq!(report.unsent, 1);
}

/// A dropped future has closed the context all the same.
#[tokio::test]
async fn a_context_is_closed_by_the_first_poll() {
    let context = Context::new();
    let mut pull = PullSocket::builder().context(&context).build().unwrap();
    let place = Place::fixed(Transport::Tcp4);
    let mut push = PushSocket::builder().context(&context).build().unwrap();
    push.connect(place.endpoint.as_str()).expect("connect");
    push.send("unsent").await.expect("send");
    drop(waits(Box::pin(context.close(LONG))).await);
    assert_eq!(pull.recv().await, Err(RecvError::ContextClosed));
    assert_eq!(within("close", context.close(LIMIT)).await.unsent, 1);
}

#[tokio::test]
async fn what_was_not_received_is_told() {
    for transport in [Transport::Tcp4, Transport::Ipc] {
        let place = Place::any(transport);
        let context = Context::new();
        let mut pull = PullSocket::builder().context(&context).build().unwrap();
        let bound = pull.bind(place.endpoint.as_str()).await.expect("bind");
        let mut push = PushSocket::new();
        push.connect(&bound).expect("connect");
        for number in 0..10 {
            push.send(number.to_string()).await.expect("send");
        }
        assert_eq!(within("recv", pull.recv()).await.unwrap(), "0");
        while pull.stats().queued_to_receive < 9 {
            tokio::task::yield_now().await;
        }
        // The handle says what it has received when it is used next: here before the report.
        let closing = waits(Box::pin(context.close(LONG))).await;
        assert_eq!(pull.recv().await, Err(RecvError::ContextClosed));
        let report = within("close", closing).await;
        assert_eq!((report.unsent, report.unread), (0, 9));
        assert_eq!(report.peers[0].socket_type, SocketType::Pull);
        assert_eq!(report.peers[0].endpoint.as_ref(), Some(&bound));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxies_end_with_the_context() {
    let context = Context::new();
    let router = RouterSocket::builder().context(&context).build();
    let dealer = DealerSocket::builder().context(&context).build();
    let (mut front, mut back) = (router.expect("options"), dealer.expect("options"));
    let place = Place::any(Transport::Tcp4);
    let at = front.bind(place.endpoint.as_str()).await.expect("bind");
    back.bind("inproc://workers").await.expect("bind");
    let mut broker = Proxy::new(front, back);
    let broker = tokio::spawn(async move { broker.run().await });
    let xsub = XSubSocket::builder().context(&context).build();
    // Of two contexts, one is enough.
    let (xsub, elsewhere) = (xsub.expect("options"), XPubSocket::new());
    let forwarder = tokio::spawn(proxy(xsub, elsewhere));
    let mut client = DealerSocket::new();
    client.connect(&at).expect("connect");
    client.send("a question").await.expect("send");
    let report = within("close", context.close(LIMIT)).await;
    assert_eq!(report.unsent, 0);
    within("the broker", broker).await.expect("no panic");
    within("the forwarder", forwarder).await.expect("no panic");
}

/// A subscriber that stays in a closed context costs its publisher nothing.
#[tokio::test]
async fn peers_of_a_closed_context_go_on() {
    let context = Context::new();
    let mut publisher = PubSocket::new();
    let place = Place::any(Transport::Tcp4);
    let bound = publisher.bind(place.endpoint.as_str()).await.expect("bind");
    let mut gone = SubSocket::builder().context(&context).build().unwrap();
    gone.subscribe("");
    gone.connect(&bound).expect("connect");
    let mut stays = SubSocket::new();
    stays.subscribe("");
    stays.connect(&bound).expect("connect");
    within("both", publisher.wait_for_subscribers(2)).await;
    within("close", context.close(LIMIT)).await;
    while publisher.subscriber_count() > 1 {
        tokio::task::yield_now().await;
    }
    publisher.send("news").await.expect("send");
    assert_eq!(within("news", stays.recv()).await.unwrap(), "news");
    assert_eq!(gone.recv().await, Err(RecvError::ContextClosed));
}
