//! High-water marks, rule by rule (`docs/rules.md`, R-HWM): how many messages a pipe takes, here and in libzmq.

use std::time::Duration;

use common::place::free_port;
use common::within;
use purezmq::{Context, PullSocket, PushSocket, XPubSocket, XSubSocket};

/// An endpoint at which nobody listens.
fn vacant() -> String {
    format!("tcp://127.0.0.1:{}", free_port())
}

/// Messages of `frames` frames that our PUSH takes without waiting, up to `most`.
fn accepted(push: &mut PushSocket, frames: usize, most: usize) -> usize {
    let message = || vec!["frame"; frames];
    (0..most)
        .take_while(|_| push.try_send(message()).is_ok())
        .count()
}

/// The same for libzmq's.
fn accepted_there(push: &zmq::Socket, frames: usize, most: usize) -> usize {
    let message = vec!["frame"; frames];
    (0..most)
        .take_while(|_| push.send_multipart(&message, zmq::DONTWAIT).is_ok())
        .count()
}

/// Two libzmq sockets of one context.
fn their_pair(send_hwm: i32, recv_hwm: i32) -> (zmq::Socket, zmq::Socket) {
    let context = zmq::Context::new();
    let push = context.socket(zmq::PUSH).expect("socket");
    let pull = context.socket(zmq::PULL).expect("socket");
    push.set_sndhwm(send_hwm).expect("option");
    pull.set_rcvhwm(recv_hwm).expect("option");
    push.set_linger(0).expect("option");
    (push, pull)
}

/// Two of ours.
fn our_pair(send_hwm: usize, recv_hwm: usize) -> (PushSocket, PullSocket) {
    let context = Context::new();
    let push = PushSocket::builder().context(&context).send_hwm(send_hwm);
    let pull = PullSocket::builder().context(&context).recv_hwm(recv_hwm);
    let push = push.linger(Duration::ZERO).build().expect("options");
    (push, pull.build().expect("options"))
}

/// Beyond any limit that is set here.
const MANY: usize = 5000;

#[tokio::test]
async fn limits_count_whole_messages_for_each_peer() {
    // R-HWM-1, R-HWM-2, R-HWM-8: a message is one, however many frames it has, and taken whole.
    for (hwm, peers, frames) in [
        (1, 1, 1),
        (1, 1, 1000),
        (5, 1, 1),
        (5, 1, 3),
        (5, 2, 1),
        (5, 3, 2),
        (0, 1, 1),
        (1000, 1, 1),
    ] {
        let mut push = PushSocket::builder()
            .send_hwm(hwm)
            .linger(Duration::ZERO)
            .build()
            .expect("options");
        let theirs = zmq::Context::new().socket(zmq::PUSH).expect("socket");
        theirs.set_sndhwm(hwm as i32).expect("option");
        theirs.set_linger(0).expect("option");
        for _ in 0..peers {
            push.connect(&*vacant()).expect("connect");
            theirs.connect(&vacant()).expect("connect");
        }
        let here = accepted(&mut push, frames, MANY);
        let there = accepted_there(&theirs, frames, MANY);
        assert_eq!(here, there, "{hwm} messages, {peers} peers");
        assert_eq!(here, if hwm == 0 { MANY } else { hwm * peers });
    }
    let mut unchanged = PushSocket::builder()
        .linger(Duration::ZERO)
        .build()
        .expect("options");
    unchanged.connect(&*vacant()).expect("connect");
    assert_eq!(accepted(&mut unchanged, 1, MANY), 1000, "the default");
}

#[tokio::test]
async fn an_inproc_pipe_takes_what_both_sides_allow() {
    // R-HWM-4
    for (send_hwm, recv_hwm) in [(4, 3), (1, 1), (10, 1), (0, 3), (4, 0), (0, 0)] {
        let (mut push, mut pull) = our_pair(send_hwm, recv_hwm);
        pull.bind("inproc://sum").await.expect("bind");
        push.connect("inproc://sum").expect("connect");
        let (their_push, their_pull) = their_pair(send_hwm as i32, recv_hwm as i32);
        their_pull.bind("inproc://sum").expect("bind");
        their_push.connect("inproc://sum").expect("connect");

        let here = accepted(&mut push, 1, MANY);
        assert_eq!(here, accepted_there(&their_push, 1, MANY));
        let sum = send_hwm + recv_hwm;
        let is_limited = send_hwm > 0 && recv_hwm > 0;
        assert_eq!(here, if is_limited { sum } else { MANY });
    }
}

#[tokio::test]
async fn an_inproc_pipe_without_a_peer_takes_what_its_own_side_allows() {
    // R-HWM-5
    let (mut push, mut pull) = our_pair(4, 3);
    push.connect("inproc://later").expect("connect");
    let (their_push, their_pull) = their_pair(4, 3);
    their_push.connect("inproc://later").expect("connect");
    assert_eq!(accepted(&mut push, 1, MANY), 4);
    assert_eq!(accepted_there(&their_push, 1, MANY), 4);

    pull.bind("inproc://later").await.expect("bind");
    their_pull.bind("inproc://later").expect("bind");
    // libzmq goes on to be mute until enough is read; here the room that has come can be used.
    assert_eq!(accepted(&mut push, 1, MANY), 3);
    assert_eq!(accepted_there(&their_push, 1, MANY), 0);
    for _ in 0..7 {
        within("all of them", pull.recv()).await.expect("recv");
    }
}

#[tokio::test]
async fn a_mute_sender_hears_of_room_at_the_low_water_mark() {
    // R-HWM-7
    for (send_hwm, recv_hwm) in [(4, 4), (5, 2), (1, 1), (50, 50), (3, 100)] {
        let (mut push, mut pull) = our_pair(send_hwm, recv_hwm);
        pull.bind("inproc://low-water").await.expect("bind");
        push.connect("inproc://low-water").expect("connect");
        let (their_push, their_pull) = their_pair(send_hwm as i32, recv_hwm as i32);
        their_pull.bind("inproc://low-water").expect("bind");
        their_push.connect("inproc://low-water").expect("connect");

        let hwm = send_hwm + recv_hwm;
        assert_eq!(accepted(&mut push, 1, MANY), hwm);
        assert_eq!(accepted_there(&their_push, 1, MANY), hwm);
        let mut here = 0;
        while push.try_send("one more").is_err() {
            pull.try_recv().expect("queued");
            here += 1;
        }
        let mut there = 0;
        // Asked for events, libzmq hears at once what the reader has to say; in `send` only now and then.
        while !their_push
            .get_events()
            .expect("events")
            .contains(zmq::POLLOUT)
        {
            their_pull.recv_bytes(zmq::DONTWAIT).expect("queued");
            there += 1;
        }
        assert_eq!(here, there, "{send_hwm} + {recv_hwm}");
        assert_eq!(here, hwm.div_ceil(2));
    }
}

#[tokio::test]
async fn a_limit_that_is_changed_counts_for_pipes_that_are_there() {
    // R-HWM-9
    for (before, after) in [(5, 8), (8, 5), (5, 0)] {
        let mut push = PushSocket::builder()
            .send_hwm(before)
            .linger(Duration::ZERO)
            .build()
            .expect("options");
        push.connect(&*vacant()).expect("connect");
        let theirs = zmq::Context::new().socket(zmq::PUSH).expect("socket");
        theirs.set_sndhwm(before as i32).expect("option");
        theirs.set_linger(0).expect("option");
        theirs.connect(&vacant()).expect("connect");
        assert_eq!(accepted(&mut push, 1, 3), 3);
        assert_eq!(accepted_there(&theirs, 1, 3), 3);

        push.set_options(|options| options.send_hwm(after))
            .expect("in range");
        theirs.set_sndhwm(after as i32).expect("option");
        let here = accepted(&mut push, 1, MANY);
        assert_eq!(here, accepted_there(&theirs, 1, MANY));
        assert_eq!(here, if after == 0 { MANY } else { after - 3 });
    }
}

#[tokio::test]
async fn subscriptions_are_queued_beyond_the_limit() {
    // R-HWM-11: libzmq drops those that a pipe has no room for, and the subscriber never hears the topic.
    const TOPICS: usize = 1000;
    let context = Context::new();
    for endpoint in ["tcp://127.0.0.1:*", "inproc://subscriptions"] {
        let xpub = XPubSocket::builder().context(&context).recv_hwm(1);
        let mut xpub = xpub.build().expect("options");
        let endpoint = xpub.bind(endpoint).await.expect("bind");
        let xsub = XSubSocket::builder().context(&context).send_hwm(1);
        let mut xsub = xsub.build().expect("options");
        xsub.connect(&endpoint).expect("connect");
        for topic in 0..TOPICS {
            xsub.send(format!("\x01{topic}")).await.expect("send");
        }
        let mut heard = std::collections::BTreeSet::new();
        while heard.len() < TOPICS {
            let notice = within("a subscription", xpub.recv()).await.expect("recv");
            assert!(heard.insert(notice[0].to_vec()), "each once");
        }
    }
}
