//! `blocking::Poller`: a thread that waits for several sockets.

use std::time::{Duration, Instant};

use common::PATIENCE;
use purezmq::SocketType;
use purezmq::blocking::{
    DealerSocket, Interest, PairSocket, Poller, PubSocket, PullSocket, PushSocket, RepSocket,
    ReqSocket, RouterSocket, Socket, SubSocket, XPubSocket, XSubSocket,
};
use purezmq::capability::{Receives, Sends};
use purezmq::{Message, MonitorEventKind, RecvError, RouterEvent};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// A pair of sockets that are connected, the first bound.
macro_rules! linked {
    ($binds:ty, $connects:ty) => {{
        let (mut binds, mut connects) = (<$binds>::new(), <$connects>::new());
        let endpoint = binds.bind(ANY_PORT).expect("bind");
        connects.connect(&endpoint).expect("connect");
        (binds, connects)
    }};
}

/// Sends, and says that the receiver becomes readable by it, and is not any more when it has received.
fn becomes_readable<S, R>(mut sender: Socket<S>, receiver: Socket<R>)
where
    S: Sends<Sent = Message>,
    R: Receives<Received = Message>,
{
    let kind: SocketType = receiver.socket_type();
    let mut poller = Poller::new();
    let receiver = poller.add(receiver, Interest::READABLE);
    assert!(poller.wait(Duration::ZERO).is_empty(), "{kind}: too early");
    sender.send("hello").expect("send");
    let ready = poller.wait(PATIENCE);
    assert_eq!(ready.len(), 1, "{kind}");
    assert!(ready[0].is(receiver) && ready[0].readable && !ready[0].writable);
    // It is told again, and nothing is taken by that.
    assert_eq!(poller.wait(Duration::ZERO), ready, "{kind}");
    assert_eq!(poller[receiver].try_recv().expect("it is there"), "hello");
    assert!(poller.wait(Duration::ZERO).is_empty(), "{kind}: one only");
}

#[test]
fn every_type_that_receives_becomes_readable_by_a_message() {
    // R-POLL-1
    let (pull, push) = linked!(PullSocket, PushSocket);
    becomes_readable(push, pull);
    let (one, two) = linked!(PairSocket, PairSocket);
    becomes_readable(one, two);
    let (one, two) = linked!(DealerSocket, DealerSocket);
    becomes_readable(one, two);
    let (rep, req) = linked!(RepSocket, ReqSocket);
    becomes_readable(req, rep);
    let (mut publisher, mut sub) = linked!(PubSocket, SubSocket);
    sub.subscribe("h");
    assert!(publisher.wait_for_subscribers_within(1, PATIENCE));
    becomes_readable(publisher, sub);
    let (mut publisher, mut sub) = linked!(XPubSocket, XSubSocket);
    sub.subscribe("h");
    assert_eq!(publisher.recv().expect("a notice"), "\u{1}h");
    becomes_readable(publisher, sub);
    let (publisher, sub) = linked!(XPubSocket, XSubSocket);
    becomes_readable(sub, publisher);
}

#[test]
fn a_router_is_readable_by_messages_and_by_what_it_tells_of_peers() {
    for notify in [false, true] {
        let router = RouterSocket::builder().notify(notify).build();
        let mut router = router.expect("options");
        let mut monitor = router.monitor();
        let endpoint = router.bind(ANY_PORT).expect("bind");
        let mut poller = Poller::new();
        let router = poller.add(router, Interest::READABLE);
        let mut dealer = DealerSocket::new();
        dealer.connect(&endpoint).expect("connect");
        purezmq::blocking::wait(async {
            loop {
                let event = monitor.recv().await.expect("the socket is open");
                if matches!(event.kind, MonitorEventKind::HandshakeSucceeded) {
                    return;
                }
            }
        });
        if notify {
            assert!(poller.wait(PATIENCE)[0].is(router));
            let event = poller[router].try_recv().expect("it is there");
            assert!(matches!(event, RouterEvent::Connected(_)));
        }
        assert!(poller.wait(Duration::from_millis(20)).is_empty());
        dealer.send("hello").expect("send");
        assert!(poller.wait(PATIENCE)[0].is(router));
        let message = poller[router].try_recv_message().expect("it is there");
        assert_eq!(message.message, "hello");
        drop(dealer);
        if notify {
            assert!(poller.wait(PATIENCE)[0].is(router));
            let event = poller[router].try_recv().expect("it is there");
            assert!(matches!(event, RouterEvent::Disconnected(_)));
        }
        assert!(poller.wait(Duration::from_millis(20)).is_empty());
    }
}

#[test]
fn a_sub_is_not_readable_by_what_it_does_not_want() {
    let (mut publisher, mut sub) = linked!(PubSocket, SubSocket);
    sub.subscribe("a");
    assert!(publisher.wait_for_subscribers_within(1, PATIENCE));
    publisher.send("a first").expect("send");
    assert_eq!(sub.recv().expect("recv"), "a first");
    // Sent before the publisher hears that it is not wanted any more.
    publisher.send("a second").expect("send");
    sub.unsubscribe("a");
    let mut poller = Poller::new();
    poller.add(sub, Interest::READABLE);
    assert!(poller.wait(Duration::from_millis(50)).is_empty());
}

#[test]
fn req_and_rep_are_ready_in_their_turn() {
    // R-REQ-11
    let (rep, req) = linked!(RepSocket, ReqSocket);
    let both = Interest::READABLE | Interest::WRITABLE;
    let mut poller = Poller::new();
    let (rep, req) = (poller.add(rep, both), poller.add(req, both));
    let turn = |poller: &mut Poller| {
        let ready = poller.wait(PATIENCE);
        assert_eq!(ready.len(), 1, "one at a time: {ready:?}");
        let who = if ready[0].is(req) { "req" } else { "rep" };
        (who, ready[0].readable, ready[0].writable)
    };
    assert_eq!(turn(&mut poller), ("req", false, true));
    poller[req].try_send("question").expect("its turn");
    assert_eq!(turn(&mut poller), ("rep", true, false));
    poller[rep].try_recv().expect("its turn");
    assert_eq!(turn(&mut poller), ("rep", false, true));
    poller[rep].try_send("answer").expect("its turn");
    assert_eq!(turn(&mut poller), ("req", true, false));
    poller[req].try_recv().expect("its turn");
    assert_eq!(turn(&mut poller), ("req", false, true));
}

#[test]
fn a_full_socket_is_writable_when_there_is_room_again() {
    let pull = PullSocket::builder().recv_hwm(1).build().expect("options");
    let push = PushSocket::builder().send_hwm(1).build().expect("options");
    let (mut pull, mut push) = (pull, push);
    let endpoint = pull.bind("inproc://poller-room").expect("bind");
    push.connect(&endpoint).expect("connect");
    let mut poller = Poller::new();
    let push = poller.add(push, Interest::WRITABLE);
    let mut sent = 0;
    while !poller.wait(Duration::ZERO).is_empty() {
        poller[push].try_send("x").expect("there is room");
        sent += 1;
    }
    assert!(poller[push].try_send("x").is_err());
    let taking = std::thread::spawn(move || {
        for _ in 0..sent {
            pull.recv().expect("recv");
        }
        pull
    });
    assert!(poller.wait(PATIENCE)[0].is(push));
    poller[push].try_send("x").expect("there is room");
    taking.join().expect("it has received");
}

#[test]
fn sockets_take_turns_in_being_told_first() {
    let mut poller = Poller::new();
    let mut keys = Vec::new();
    let mut sources = Vec::new();
    for _ in 0..3 {
        let (pull, mut push) = linked!(PullSocket, PushSocket);
        for _ in 0..10 {
            push.send("x").expect("send");
        }
        keys.push(poller.add(pull, Interest::READABLE));
        sources.push(push);
    }
    while poller.wait(PATIENCE).len() < 3 {}
    let mut served = [0; 3];
    for _ in 0..9 {
        let ready = poller.wait(PATIENCE);
        let first = keys.iter().position(|key| ready[0].is(*key));
        served[first.expect("one of them")] += 1;
    }
    assert_eq!(served, [3, 3, 3]);
}

#[test]
fn sockets_are_added_changed_and_removed() {
    let (pull, mut push) = linked!(PullSocket, PushSocket);
    let mut poller = Poller::new();
    assert!(poller.is_empty());
    let first = poller.add(pull, Interest::NONE);
    push.send("hello").expect("send");
    assert!(
        poller.wait(Duration::from_millis(20)).is_empty(),
        "it rests"
    );
    poller.modify(first, Interest::READABLE);
    assert!(poller.wait(PATIENCE)[0].is(first));
    let mut pull = poller.remove(first);
    assert!(poller.is_empty() && poller.get(first).is_none());
    assert_eq!(pull.recv().expect("recv"), "hello");
    // Whoever takes its place is somebody else.
    let second = poller.add(pull, Interest::READABLE);
    assert!(poller.get(first).is_none() && poller.get(second).is_some());
    assert!(first != second);
}

#[test]
fn halves_are_waited_for_as_well() {
    let (dealer, mut other) = linked!(DealerSocket, DealerSocket);
    let (sender, receiver) = dealer.split();
    let mut poller = Poller::new();
    let both = Interest::READABLE | Interest::WRITABLE;
    let (sender, receiver) = (poller.add(sender, both), poller.add(receiver, both));
    let ready = poller.wait(PATIENCE);
    assert!(ready.len() == 1 && ready[0].is(sender) && !ready[0].readable);
    poller.modify(sender, Interest::NONE);
    other.send("hello").expect("send");
    let ready = poller.wait(PATIENCE);
    assert!(ready.len() == 1 && ready[0].is(receiver) && !ready[0].writable);
}

/// What would fail at once is ready: nobody waits for it for ever.
#[test]
fn a_socket_whose_endpoints_are_gone_is_ready() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let dealer = DealerSocket::builder().reconnect_interval(None).build();
    let mut dealer = dealer.expect("options");
    dealer.connect(format!("tcp://{address}")).expect("connect");
    let mut poller = Poller::new();
    let dealer = poller.add(dealer, Interest::READABLE);
    let ready = poller.wait(PATIENCE);
    assert!(ready.len() == 1 && ready[0].is(dealer));
    let received = poller[dealer].try_recv();
    assert!(matches!(received, Err(RecvError::Gone(_))), "{received:?}");
}

#[test]
fn a_limit_and_an_alarm_end_the_wait() {
    let mut poller = Poller::new();
    poller.add(PullSocket::new(), Interest::READABLE);
    let limit = Duration::from_millis(30);
    let begin = Instant::now();
    assert!(poller.wait(limit).is_empty());
    assert!(begin.elapsed() >= limit);
    // Before it waits, and while it does.
    poller.alarm().ring();
    assert!(poller.wait(None).is_empty());
    let alarm = poller.alarm();
    let ringing = std::thread::spawn(move || alarm.ring());
    assert!(poller.wait(None).is_empty());
    ringing.join().expect("it rings");
}
