//! Bad input: what each call answers to what makes no sense. The numbers are libzmq's (4.3.5); a row that the real library
//! answers in another way would be a mistake of this table.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "a test is on the side of C"
)]

mod common;

use std::ffi::{c_int, c_void};
use std::ptr::{null, null_mut};

use common::*;
use libc::{EAGAIN, EFAULT, EINVAL, ENODEV, ENOENT, ENOTSOCK, ENOTSUP, EPROTONOSUPPORT};
use zmq::errno::EFSM;
use zmq::*;

/// Checks a call that is to fail with that number.
macro_rules! fails {
    ($($call:expr => $errno:expr;)+) => {$({
        unsafe { *libc::__errno_location() = 0 };
        #[allow(unused_unsafe)]
        let failed = unsafe { $call } as isize;
        assert!(failed == -1 || failed == 0, "{} returned {failed}", stringify!($call));
        assert_eq!(zmq_errno(), $errno, "{}", stringify!($call));
    })+};
}

/// A pointer that is no handle of anything.
fn stranger() -> *mut c_void {
    static SOMETHING: [u64; 4] = [0; 4];
    SOMETHING.as_ptr().cast_mut().cast()
}

#[test]
fn what_is_no_socket_is_told_so() {
    let context = Context::new();
    let closed = context.socket(PAIR).0;
    let mut message = zmq_msg();
    for socket in [null_mut(), stranger(), closed, context.0] {
        let mut length = 4;
        fails! {
            zmq_close(socket) => ENOTSOCK;
            zmq_bind(socket, c"inproc://a".as_ptr()) => ENOTSOCK;
            zmq_connect(socket, c"inproc://a".as_ptr()) => ENOTSOCK;
            zmq_unbind(socket, c"inproc://a".as_ptr()) => ENOTSOCK;
            zmq_disconnect(socket, c"inproc://a".as_ptr()) => ENOTSOCK;
            zmq_setsockopt(socket, LINGER, (&raw const length).cast(), 4) => ENOTSOCK;
            zmq_getsockopt(socket, LINGER, stranger(), &raw mut length) => ENOTSOCK;
            zmq_send(socket, null(), 0, 0) => ENOTSOCK;
            zmq_send_const(socket, null(), 0, 0) => ENOTSOCK;
            zmq_recv(socket, null_mut(), 0, 0) => ENOTSOCK;
            zmq_msg_send(&raw mut message, socket, 0) => ENOTSOCK;
            zmq_msg_recv(&raw mut message, socket, 0) => ENOTSOCK;
            zmq_socket_monitor(socket, c"inproc://a".as_ptr(), 1) => ENOTSOCK;
        }
    }
    unsafe { zmq_msg_close(&raw mut message) };
}

fn zmq_msg() -> zmq_msg_t {
    let mut message = std::mem::MaybeUninit::uninit();
    unsafe {
        zmq_msg_init(message.as_mut_ptr());
        message.assume_init()
    }
}

#[test]
fn what_is_no_context_is_told_so() {
    let context = Context::new();
    let socket = context.socket(PAIR);
    for not_one in [null_mut(), stranger(), socket.0] {
        fails! {
            zmq_ctx_term(not_one) => EFAULT;
            zmq_ctx_shutdown(not_one) => EFAULT;
            zmq_ctx_set(not_one, 1, 1) => EFAULT;
            zmq_ctx_get(not_one, 1) => EFAULT;
            zmq_socket(not_one, PAIR) => EFAULT;
        }
    }
    fails! {
        zmq_init(-1) => EINVAL;
        zmq_socket(context.0, -1) => EINVAL;
        zmq_socket(context.0, 99) => EINVAL;
        zmq_ctx_set(context.0, 1, -1) => EINVAL;
        zmq_ctx_set(context.0, 2, 0) => EINVAL;
        zmq_ctx_set(context.0, 99, 0) => EINVAL;
        zmq_ctx_get(context.0, 99) => EINVAL;
    }
}

#[test]
fn endpoints_that_cannot_be() {
    let context = Context::new();
    let (pair, stream) = (context.socket(PAIR), context.socket(STREAM));
    fails! {
        zmq_bind(pair.0, null()) => EINVAL;
        zmq_bind(pair.0, c"".as_ptr()) => EINVAL;
        zmq_bind(pair.0, c"tcp:127.0.0.1:1".as_ptr()) => EINVAL;
        zmq_bind(pair.0, c"nothing://a".as_ptr()) => EPROTONOSUPPORT;
        zmq_bind(pair.0, c"tcp://nosuchinterface:1".as_ptr()) => ENODEV;
        zmq_connect(pair.0, null()) => EINVAL;
        zmq_connect(pair.0, c"tcp://localhost".as_ptr()) => EINVAL;
        zmq_connect(pair.0, c"tcp://localhost:0".as_ptr()) => EINVAL;
        zmq_connect(pair.0, c"nothing://a".as_ptr()) => EPROTONOSUPPORT;
        zmq_unbind(pair.0, c"tcp://127.0.0.1:1".as_ptr()) => ENOENT;
        zmq_disconnect(pair.0, c"inproc://a".as_ptr()) => ENOENT;
        zmq_bind(stream.0, c"inproc://a".as_ptr()) => zmq::errno::ENOCOMPATPROTO;
        zmq_socket_monitor(pair.0, c"tcp://127.0.0.1:1".as_ptr(), 1) => EPROTONOSUPPORT;
        zmq_socket_monitor(pair.0, c"inproc://a".as_ptr(), 0x1_0000) => EINVAL;
    }
}

#[test]
fn options_that_cannot_be_set_or_read() {
    let context = Context::new();
    let socket = context.socket(PAIR);
    let set = |option, value: &[u8]| unsafe {
        zmq_setsockopt(socket.0, option, value.as_ptr().cast(), value.len())
    };
    let int = |number: c_int| number.to_ne_bytes();
    let mut buffer = [0u8; 300];
    let mut get = |option, mut length: usize| unsafe {
        zmq_getsockopt(
            socket.0,
            option,
            buffer.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    fails! {
        set(LINGER, &int(-2)) => EINVAL;
        set(LINGER, &[0; 3]) => EINVAL;
        set(LINGER, &[0; 8]) => EINVAL;
        set(SNDHWM, &int(-1)) => EINVAL;
        set(4, &int(0)) => EINVAL;
        set(5, &[]) => EINVAL;
        set(5, &[1; 256]) => EINVAL;
        set(SUBSCRIBE, b"a") => EINVAL;
        set(FD, &int(1)) => EINVAL;
        set(31, &int(2)) => EINVAL;
        set(34, &int(2)) => EINVAL;
        set(42, &int(2)) => EINVAL;
        set(48, &[0; 31]) => EINVAL;
        set(55, &[]) => EINVAL;
        set(33, &int(1)) => EINVAL;
        set(76, &int(6_553_600)) => EINVAL;
        set(3, &int(0)) => EINVAL;
        set(1000, &int(0)) => EINVAL;
        get(LINGER, 3) => EINVAL;
        get(LINGER, 8) => EINVAL;
        get(22, 4) => EINVAL;
        get(33, 4) => EINVAL;
        get(SUBSCRIBE, 4) => EINVAL;
        get(1000, 4) => EINVAL;
        get(LAST_ENDPOINT, 0) => EINVAL;
        zmq_setsockopt(socket.0, LINGER, null(), 4) => EINVAL;
        zmq_getsockopt(socket.0, LINGER, stranger(), null_mut()) => EINVAL;
    }
}

#[test]
fn calls_out_of_turn_and_against_the_type() {
    let context = Context::new();
    let [req, rep, push, pull, publisher, subscriber] =
        [REQ, REP, PUSH, PULL, PUB, SUB].map(|socket_type| context.socket(socket_type));
    req.connect("inproc://nobody");
    fails! {
        zmq_recv(req.0, null_mut(), 0, 0) => EFSM;
        zmq_send(rep.0, null(), 0, 0) => EFSM;
        zmq_recv(push.0, null_mut(), 0, 0) => ENOTSUP;
        zmq_send(pull.0, null(), 0, 0) => ENOTSUP;
        zmq_recv(publisher.0, null_mut(), 0, 0) => ENOTSUP;
        zmq_send(subscriber.0, null(), 0, 0) => ENOTSUP;
        zmq_send(push.0, null(), 0, DONTWAIT) => EAGAIN;
        zmq_recv(pull.0, null_mut(), 0, DONTWAIT) => EAGAIN;
    }
    assert_eq!(req.send(b"question", 0), 8);
    fails! {
        zmq_send(req.0, null(), 0, 0) => EFSM;
    }
}

#[test]
fn polling_of_nothing_and_of_what_is_none() {
    let context = Context::new();
    let mut item = zmq_pollitem_t {
        socket: stranger(),
        fd: 0,
        events: 1,
        revents: 0,
    };
    fails! {
        zmq_poll(null_mut(), 1, 0) => EFAULT;
        zmq_poll(null_mut(), -1, 0) => EINVAL;
        zmq_poll(&raw mut item, 1, 0) => ENOTSOCK;
        zmq_proxy(null_mut(), null_mut(), null_mut()) => EFAULT;
    }
    assert_eq!(unsafe { zmq_poll(null_mut(), 0, 1) }, 0);
    drop(context);
}

#[test]
fn messages_that_are_none() {
    let mut none = zmq_msg();
    unsafe { zmq_msg_close(&raw mut none) };
    let mut one = zmq_msg();
    for message in [null_mut(), &raw mut none] {
        fails! {
            zmq_msg_close(message) => EFAULT;
            zmq_msg_data(message) => EFAULT;
            zmq_msg_get(message, 1) => EFAULT;
            zmq_msg_move(message, &raw mut one) => EFAULT;
            zmq_msg_move(&raw mut one, message) => EFAULT;
            zmq_msg_copy(message, &raw mut one) => EFAULT;
            zmq_msg_copy(&raw mut one, message) => EFAULT;
        }
    }
    fails! {
        zmq_msg_get(&raw const one, 99) => EINVAL;
        zmq_msg_set(&raw mut one, 1, 1) => EINVAL;
        zmq_msg_gets(&raw const one, null()) => EINVAL;
        zmq_msg_gets(&raw const one, c"Nothing".as_ptr()) => EINVAL;
        zmq_msg_init_size(&raw mut none, usize::MAX) => libc::ENOMEM;
    }
    unsafe { zmq_msg_close(&raw mut one) };
}

#[test]
fn what_libzmq_ends_the_program_for_is_an_answer_here() {
    const PLAIN_SERVER: c_int = 44;
    const PLAIN_USERNAME: c_int = 45;
    const PLAIN_PASSWORD: c_int = 46;
    const ZAP_DOMAIN: c_int = 55;
    const CONNECT_ROUTING_ID: c_int = 61;
    const ZAP_ENFORCE_DOMAIN: c_int = 93;
    // Memory that is nowhere.
    let mut one = zmq_msg();
    fails! {
        zmq_msg_init_data(&raw mut one, null_mut(), 5, None, null_mut()) => EINVAL;
    }
    unsafe { zmq_msg_close(&raw mut one) };
    let context = Context::new();
    // Two peers by one name.
    let router = context.socket(ROUTER);
    for (number, answer) in [0, libc::EADDRINUSE].into_iter().enumerate() {
        let peer = context.socket(DEALER);
        let endpoint = peer.bind(&format!("inproc://peer-{number}"));
        assert_eq!(set_bytes(&router, CONNECT_ROUTING_ID, b"name"), 0);
        assert_eq!(connect_error(&router, &endpoint), answer);
    }
    // Asking for a domain without one; and a ZAP handler that is none. Nobody comes in.
    let plain = |domain: &[u8]| {
        let (server, client) = (context.socket(PULL), context.socket(PUSH));
        assert_eq!(server.set(PLAIN_SERVER, 1), 0);
        assert_eq!(server.set(ZAP_ENFORCE_DOMAIN, 1), 0);
        if !domain.is_empty() {
            assert_eq!(set_bytes(&server, ZAP_DOMAIN, domain), 0);
        }
        assert_eq!(set_bytes(&client, PLAIN_USERNAME, b"user"), 0);
        assert_eq!(set_bytes(&client, PLAIN_PASSWORD, b"word"), 0);
        client.connect(&server.bind("tcp://127.0.0.1:*"));
        assert_eq!(client.send(b"hello", 0), 5);
        server.set(RCVTIMEO, 300);
        server.recv(0)
    };
    assert_eq!(plain(b""), Err(EAGAIN), "no domain, no handler");
    let publisher = context.socket(PUB);
    publisher.bind("inproc://zeromq.zap.01");
    assert_eq!(plain(b"global"), Err(EAGAIN), "nobody answers");
}

#[test]
fn helpers_that_are_given_nonsense() {
    let mut buffer = [0u8; 64];
    let to = buffer.as_mut_ptr();
    fails! {
        zmq_z85_encode(to.cast(), to, 3) => EINVAL;
        zmq_z85_decode(to, c"abcd".as_ptr()) => EINVAL;
        zmq_z85_decode(to, c"".as_ptr()) => EINVAL;
        zmq_z85_decode(to, c"~~~~~".as_ptr()) => EINVAL;
        zmq_curve_public(to.cast(), c"short".as_ptr()) => EINVAL;
        zmq_timers_destroy(null_mut()) => EFAULT;
        zmq_timers_execute(stranger()) => EFAULT;
        zmq_timers_cancel(null_mut(), 1) => EFAULT;
    }
    let timers = zmq_timers_new();
    fails! {
        zmq_timers_add(timers, 1, None, null_mut()) => EFAULT;
        zmq_timers_cancel(timers, 1) => EINVAL;
        zmq_timers_reset(timers, 1) => EINVAL;
        zmq_timers_set_interval(timers, 1, 1) => EINVAL;
    }
    let mut timers = timers;
    assert_eq!(unsafe { zmq_timers_destroy(&raw mut timers) }, 0);
    assert!(timers.is_null());
}
