//! What a proxy has in its hands between its two ends.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "a test is on the side of C"
)]

mod common;

use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

use common::*;
use zmq::errno::ETERM;
use zmq::*;

const MESSAGES: u8 = 10;

fn is_readable_now(socket: &Socket) -> bool {
    socket.get(EVENTS) & POLLIN != 0
}

#[test]
fn what_finds_no_room_is_held_and_handed_over_in_the_end() {
    let context = Context::new();
    let (push, front) = (context.socket(PUSH), context.socket(PULL));
    let (back, pull) = (context.socket(PUSH), context.socket(PULL));
    let (steer, control) = (context.socket(PAIR), context.socket(PAIR));
    steer.set(RCVTIMEO, 20_000);
    back.set(SNDHWM, 1);
    pull.set(RCVHWM, 1);
    for (bound, connected, name) in [
        (&front, &push, "inproc://front"),
        (&back, &pull, "inproc://back"),
        (&control, &steer, "inproc://control"),
    ] {
        bound.bind(name);
        connected.connect(name);
    }
    // Before the proxy is there: who finds no room before it has taken any takes none.
    for number in 0..MESSAGES {
        assert_eq!(push.send(&[number], 0), 1);
    }
    let ends = [&front, &back, &control].map(|one| one.0 as usize);
    let proxy = std::thread::spawn(move || {
        let [front, back, control] = ends.map(|one| one as *mut c_void);
        zmq_proxy_steerable(front, back, null_mut(), control)
    });
    // It has taken one more than there is room for, and answers all the same.
    let taken = loop {
        assert!(steer.send(b"STATISTICS", 0) > 0);
        let counts = [(); 8].map(|()| steer.recv(0).unwrap());
        let counts = counts.map(|one| u64::from_ne_bytes(one.try_into().unwrap()));
        let (received, sent) = (counts[0], counts[6]);
        if received > sent {
            assert_eq!(received, sent + 1);
            break u8::try_from(received).unwrap();
        }
    };
    assert!(taken < MESSAGES);
    assert!(steer.send(b"TERMINATE", 0) > 0);
    // It may take more before it hears of its end, now that there is room.
    let mut next = 0;
    while !proxy.is_finished() || is_readable_now(&pull) {
        match pull.recv(DONTWAIT) {
            Ok(message) => {
                assert_eq!(message, [next]);
                next += 1;
            }
            Err(libc::EAGAIN) => std::thread::yield_now(),
            Err(errno) => panic!("errno {errno}"),
        }
    }
    assert!(next >= taken);
    assert_eq!(proxy.join().unwrap(), 0);
    // What it has not taken is where it was.
    for number in next..MESSAGES {
        assert_eq!(front.recv(DONTWAIT), Ok(vec![number]));
    }
    assert_eq!(pull.recv(DONTWAIT), Err(libc::EAGAIN));
}

#[test]
fn who_insists_on_a_peer_that_has_no_room_is_waited_for() {
    const ROUTING_ID: c_int = 5;
    const ROUTER_MANDATORY: c_int = 33;
    let context = Context::new();
    let (push, front) = (context.socket(PUSH), context.socket(PULL));
    let (back, dealer) = (context.socket(ROUTER), context.socket(DEALER));
    back.set(SNDHWM, 1);
    back.set(ROUTER_MANDATORY, 1);
    dealer.set(RCVHWM, 1);
    assert_eq!(set_bytes(&dealer, ROUTING_ID, b"d"), 0);
    front.bind("inproc://front");
    push.connect("inproc://front");
    back.bind("inproc://back");
    dealer.connect("inproc://back");
    for number in 0..MESSAGES {
        assert_eq!(push.send(b"d", SNDMORE), 1);
        assert_eq!(push.send(&[number], 0), 1);
    }
    let ends = [&front, &back].map(|one| one.0 as usize);
    let proxy = std::thread::spawn(move || {
        let [front, back] = ends.map(|one| one as *mut c_void);
        (zmq_proxy(front, back, null_mut()), zmq_errno())
    });
    dealer.set(RCVTIMEO, 20_000);
    for number in 0..MESSAGES {
        assert_eq!(dealer.recv(0), Ok(vec![number]));
    }
    drop((push, dealer));
    assert_eq!(zmq_ctx_shutdown(context.0), 0);
    assert_eq!(proxy.join().unwrap(), (-1, ETERM));
}
