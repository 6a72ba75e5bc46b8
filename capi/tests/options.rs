//! What options are taken as libzmq takes them, and what becomes of it.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "a test is on the side of C"
)]

mod common;

use std::io::{Read, Write};

use common::*;
use libc::{EAGAIN, EINVAL, ENODEV, ENOENT};
use zmq::*;

const ROUTING_ID: i32 = 5;
const ROUTER_RAW: i32 = 41;
const ZAP_DOMAIN: i32 = 55;
const SOCKS_PROXY: i32 = 68;
const SOCKS_USERNAME: i32 = 99;
const XPUB_VERBOSE: i32 = 40;
const XPUB_VERBOSER: i32 = 78;
const BINDTODEVICE: i32 = 92;
const METADATA: i32 = 95;

#[test]
fn names_that_begin_with_a_zero_are_names() {
    let context = Context::new();
    let (router, dealer) = (context.socket(ROUTER), context.socket(DEALER));
    let name = 7u32.to_be_bytes();
    assert_eq!(set_bytes(&dealer, ROUTING_ID, &name), 0);
    let endpoint = router.bind("tcp://127.0.0.1:*");
    dealer.connect(&endpoint);
    assert_eq!(dealer.send(b"hello", 0), 5);
    assert_eq!(router.recv(0).unwrap(), name);
    assert_eq!(router.recv(0).unwrap(), b"hello");
    assert_eq!(router.send(&name, SNDMORE), 4);
    assert_eq!(router.send(b"answer", 0), 6);
    assert_eq!(dealer.recv(0).unwrap(), b"answer");
    // Such ones are made up by sockets, for peers without names.
    assert_eq!(set_bytes(&dealer, ROUTING_ID, &[0, 1, 2, 3, 4]), -1);
    assert_eq!(zmq_errno(), EINVAL);
}

#[test]
fn what_nothing_can_be_made_of_is_kept_and_nothing_is_connected_with_it() {
    let context = Context::new();
    let rows: [(i32, &[u8], &[u8], i32); 4] = [
        (BINDTODEVICE, &[b'a'; 16], b"lo", ENODEV),
        (SOCKS_PROXY, b"no proxy", b"localhost:1", EINVAL),
        (ZAP_DOMAIN, &[0xff, 0xfe], b"global", EINVAL),
        (SOCKS_USERNAME, &[0xff], b"joe", EINVAL),
    ];
    for (option, odd, usable, errno) in rows {
        let socket = context.socket(DEALER);
        assert_eq!(set_bytes(&socket, option, odd), 0, "{option}");
        assert_eq!(get_bytes(&socket, option), [odd, &[0]].concat());
        assert_eq!(connect_error(&socket, "tcp://127.0.0.1:1"), errno);
        assert_eq!(bind_error(&socket, "tcp://127.0.0.1:*"), errno);
        // There it says nothing.
        socket.bind(&format!("inproc://{option}"));
        // A value of no length that an option has is another thing.
        assert_eq!(
            set_bytes(&socket, option, &[b'a'; 300]),
            -(i32::from(option != SOCKS_PROXY))
        );
        assert_eq!(set_bytes(&socket, option, usable), 0);
        assert_eq!(connect_error(&socket, "tcp://127.0.0.1:1"), 0, "{option}");
    }
}

#[test]
fn properties_have_names_of_their_own() {
    let context = Context::new();
    let (dealer, stream) = (context.socket(DEALER), context.socket(STREAM));
    for wrong in [
        &b"name"[..],
        b"name:value",
        b"X-name",
        b"X-name:",
        b"X-:a",
        b":value",
    ] {
        for socket in [&dealer, &stream] {
            assert_eq!(set_bytes(socket, METADATA, wrong), -1, "{wrong:?}");
            assert_eq!(zmq_errno(), EINVAL);
        }
    }
    assert_eq!(set_bytes(&dealer, METADATA, b"X-name:value"), 0);
}

/// [R-ROUTER-13].
///
/// [R-ROUTER-13]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-router-13
#[test]
fn a_raw_router_talks_to_who_speaks_nothing() {
    let context = Context::new();
    let router = context.socket(ROUTER);
    // What was set before holds for what it becomes.
    assert_eq!(router.set(RCVTIMEO, 20_000), 0);
    assert_eq!(router.set(ROUTER_RAW, 1), 0);
    assert_eq!(router.get(16), ROUTER, "its type is what it was made as");
    let endpoint = router.bind("tcp://127.0.0.1:*");
    let address = endpoint.strip_prefix("tcp://").unwrap();
    let mut client = std::net::TcpStream::connect(address).unwrap();
    client.write_all(b"hello").unwrap();
    let name = router.recv(0).unwrap();
    assert_eq!(router.recv(0).unwrap(), b"", "somebody has come");
    assert_eq!(router.recv(0).unwrap(), name);
    assert_eq!(router.recv(0).unwrap(), b"hello");
    assert_eq!(router.send(&name, SNDMORE), name.len() as i32);
    assert_eq!(router.send(b"answer", 0), 6);
    let mut answer = [0; 6];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"answer");
    // An empty frame ends the connection.
    assert_eq!(router.send(&name, SNDMORE), name.len() as i32);
    assert_eq!(router.send(b"", 0), 0);
    assert_eq!(client.read(&mut answer).unwrap(), 0);
    // One that is used stays what it is.
    assert_eq!(router.set(ROUTER_RAW, 0), -1);
    assert_eq!(zmq_errno(), EINVAL);
}

#[test]
fn a_router_that_was_raw_speaks_again() {
    let context = Context::new();
    let (router, dealer) = (context.socket(ROUTER), context.socket(DEALER));
    assert_eq!(router.set(ROUTER_RAW, 1), 0);
    assert_eq!(router.set(ROUTER_RAW, 0), 0);
    let endpoint = router.bind("tcp://127.0.0.1:*");
    dealer.connect(&endpoint);
    assert_eq!(dealer.send(b"hello", 0), 5);
    router.recv(0).unwrap();
    assert_eq!(router.recv(0).unwrap(), b"hello");
    let rep = context.socket(REP);
    assert_eq!(rep.set(ROUTER_RAW, 1), -1);
    assert_eq!(zmq_errno(), EINVAL);
}

#[test]
fn who_is_told_of_every_end_of_a_subscription_is_told_of_every_begin() {
    const XSUB: i32 = 10;
    let context = Context::new();
    for (option, begins) in [(XPUB_VERBOSER, 2), (XPUB_VERBOSE, 2), (0, 1)] {
        let (publisher, subscriber) = (context.socket(XPUB), context.socket(XSUB));
        if option != 0 {
            assert_eq!(publisher.set(option, 1), 0);
        }
        let name = format!("inproc://{option}");
        publisher.bind(&name);
        subscriber.connect(&name);
        for _ in 0..2 {
            assert_eq!(subscriber.send(b"\x01a", 0), 2);
        }
        for _ in 0..begins {
            assert_eq!(publisher.recv(0).unwrap(), b"\x01a");
        }
        assert_eq!(publisher.recv(DONTWAIT), Err(EAGAIN));
    }
}

#[test]
fn what_nothing_can_be_called_is_not_there() {
    let context = Context::new();
    let socket = context.socket(PAIR);
    for (endpoint, errno) in [
        (c"tcp://127.0.0.1", ENOENT),
        (c"tcp://*", ENOENT),
        (c"tcp://a b:1", ENOENT),
        (c"tcp://127.0.0.1:65536", ENOENT),
        (c"ipc://@", ENOENT),
        (c"://", EINVAL),
        (c"ws://", EINVAL),
        (c"nothing", EINVAL),
        (c"nothing://a", libc::EPROTONOSUPPORT),
        (c"udp://127.0.0.1:5", errno::ENOCOMPATPROTO),
    ] {
        let ended = unsafe { zmq_disconnect(socket.0, endpoint.as_ptr()) };
        assert_eq!((ended, zmq_errno()), (-1, errno), "{endpoint:?}");
        let ended = unsafe { zmq_unbind(socket.0, endpoint.as_ptr()) };
        assert_eq!((ended, zmq_errno()), (-1, errno), "{endpoint:?}");
    }
    // A name that is none is an interface that is not there.
    assert_eq!(bind_error(&socket, "tcp://a b:1"), ENODEV);
    assert_eq!(bind_error(&socket, "tcp://::1:80"), ENODEV, "without IPv6");
}

#[cfg(feature = "draft")]
#[test]
fn where_a_socket_is_bound_by_websocket_has_a_path() {
    let context = Context::new();
    let (rep, req) = (context.socket(REP), context.socket(REQ));
    let endpoint = rep.bind("ws://127.0.0.1:*");
    assert!(endpoint.ends_with('/'), "{endpoint}");
    req.connect(&endpoint);
    assert_eq!(req.send(b"a", 0), 1);
    assert_eq!(rep.recv(0).unwrap(), b"a");
    let endpoint = std::ffi::CString::new(endpoint).unwrap();
    assert_eq!(unsafe { zmq_unbind(rep.0, endpoint.as_ptr()) }, 0);
}

#[test]
fn counters_say_whether_they_are_at_zero() {
    let counter = zmq_atomic_counter_new();
    zmq_atomic_counter_set(counter, 2);
    assert_eq!(zmq_atomic_counter_dec(counter), 1);
    assert_eq!(zmq_atomic_counter_dec(counter), 0);
    assert_eq!(zmq_atomic_counter_dec(counter), 1, "it is below");
    let mut counter = counter;
    unsafe { zmq_atomic_counter_destroy(&raw mut counter) };
}
