//! What a context's end does to every call, what the end of a socket does to calls that wait on it in other threads, and what
//! signals do to calls that block.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "a test is on the side of C"
)]

mod common;

use std::ffi::{c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::*;
use libc::{EINTR, ENOTSOCK};
use zmq::errno::ETERM;
use zmq::*;

#[test]
fn after_the_end_of_its_context_each_call_on_a_socket_says_so() {
    let last = if cfg!(feature = "draft") {
        CHANNEL
    } else {
        STREAM
    };
    for socket_type in 0..=last {
        let context = Context::new();
        let (socket, other) = (context.socket(socket_type), context.socket(PAIR));
        assert_eq!(zmq_ctx_shutdown(context.0), 0);
        let (mut number, mut length) = (1, 4usize);
        let value: *mut c_void = (&raw mut number).cast();
        let length = &raw mut length;
        let mut message = std::mem::MaybeUninit::uninit();
        unsafe { zmq_msg_init(message.as_mut_ptr()) };
        let at = message.as_mut_ptr();
        let mut item = zmq_pollitem_t {
            socket: socket.0,
            fd: 0,
            events: 3,
            revents: 0,
        };
        let item = &raw mut item;
        let s = socket.0;
        let mut poller = zmq_poller_new();
        assert_eq!(zmq_poller_add(poller, s, null_mut(), 1), 0);
        let mut event = std::mem::MaybeUninit::<zmq_poller_event_t>::uninit();
        let event = event.as_mut_ptr();
        let mut part = libc::iovec {
            iov_base: value,
            iov_len: 4,
        };
        let part = &raw mut part;
        let mut parts = 1usize;
        let parts = &raw mut parts;
        let calls: [(&str, &mut dyn FnMut() -> c_int); 22] = [
            ("bind", &mut || unsafe {
                zmq_bind(s, c"tcp://127.0.0.1:*".as_ptr())
            }),
            ("bind", &mut || unsafe {
                zmq_bind(s, c"inproc://a".as_ptr())
            }),
            ("connect", &mut || unsafe {
                zmq_connect(s, c"tcp://127.0.0.1:1".as_ptr())
            }),
            ("unbind", &mut || unsafe {
                zmq_unbind(s, c"inproc://a".as_ptr())
            }),
            ("disconnect", &mut || unsafe {
                zmq_disconnect(s, c"inproc://a".as_ptr())
            }),
            ("setsockopt", &mut || unsafe {
                zmq_setsockopt(s, LINGER, value, 4)
            }),
            ("getsockopt", &mut || unsafe {
                zmq_getsockopt(s, LINGER, value, length)
            }),
            ("EVENTS", &mut || unsafe {
                zmq_getsockopt(s, EVENTS, value, length)
            }),
            ("FD", &mut || unsafe {
                zmq_getsockopt(s, FD, value, length)
            }),
            ("send", &mut || unsafe { zmq_send(s, null(), 0, 0) }),
            ("send_const", &mut || unsafe {
                zmq_send_const(s, null(), 0, DONTWAIT)
            }),
            ("recv", &mut || unsafe { zmq_recv(s, null_mut(), 0, 0) }),
            ("msg_send", &mut || unsafe { zmq_msg_send(at, s, 0) }),
            ("msg_recv", &mut || unsafe { zmq_msg_recv(at, s, DONTWAIT) }),
            ("poll", &mut || unsafe { zmq_poll(item, 1, -1) }),
            ("ppoll", &mut || unsafe { zmq_ppoll(item, 1, -1, null()) }),
            ("poller_wait", &mut || unsafe {
                zmq_poller_wait(poller, event, -1)
            }),
            ("sendiov", &mut || unsafe { zmq_sendiov(s, part, 1, 0) }),
            ("recviov", &mut || unsafe { zmq_recviov(s, part, parts, 0) }),
            ("proxy", &mut || zmq_proxy(s, other.0, null_mut())),
            ("proxy_steerable", &mut || {
                zmq_proxy_steerable(s, other.0, null_mut(), null_mut())
            }),
            ("device", &mut || zmq_device(1, s, other.0)),
        ];
        for (name, call) in calls {
            assert_eq!(
                (call(), zmq_errno()),
                (-1, ETERM),
                "{name} of type {socket_type}"
            );
        }
        let monitored = unsafe { zmq_socket_monitor(s, c"inproc://m".as_ptr(), 1) };
        assert_eq!((monitored, zmq_errno()), (-1, ETERM));
        assert!(zmq_socket(context.0, socket_type).is_null());
        assert_eq!(zmq_errno(), ETERM);
        unsafe {
            zmq_msg_close(at);
            assert_eq!(zmq_poller_destroy(&raw mut poller), 0);
        }
        // Options of a context, and the end of a socket, are no such calls.
        assert_eq!(zmq_ctx_get(context.0, 1), 1);
        assert_eq!(zmq_close(socket.0), 0);
        std::mem::forget(socket);
    }
}

/// Has a call begin in a thread. Returns its thread's number, and where its result comes.
fn begun(
    call: impl FnOnce() -> c_int + Send + 'static,
) -> (libc::pthread_t, mpsc::Receiver<(c_int, c_int)>) {
    let (tell, begins) = mpsc::channel();
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || {
        tell.send(unsafe { libc::pthread_self() }).unwrap();
        let returned = call();
        done.send((returned, zmq_errno())).unwrap();
    });
    (begins.recv().unwrap(), result)
}

#[test]
fn a_socket_that_is_closed_ends_calls_that_wait_for_it_in_other_threads() {
    let context = Context::new();
    type Call = fn(usize) -> c_int;
    let calls: [(c_int, Call); 3] = [
        (PULL, |socket| unsafe {
            zmq_recv(socket as *mut c_void, null_mut(), 0, 0)
        }),
        (PUSH, |socket| unsafe {
            zmq_send(socket as *mut c_void, null(), 0, 0)
        }),
        (PULL, |socket| {
            let mut item = zmq_pollitem_t {
                socket: socket as *mut c_void,
                fd: 0,
                events: 1,
                revents: 0,
            };
            unsafe { zmq_poll(&raw mut item, 1, -1) }
        }),
    ];
    for (socket_type, call) in calls {
        let socket = context.socket(socket_type);
        let handle = socket.0 as usize;
        let (_, result) = begun(move || call(handle));
        // It may wait already or not: both are to end so.
        assert_eq!(zmq_close(socket.0), 0);
        assert_eq!(zmq_close(socket.0), -1);
        assert_eq!(zmq_errno(), ENOTSOCK);
        std::mem::forget(socket);
        assert_eq!(result.recv_timeout(SOON).unwrap(), (-1, ENOTSOCK));
    }
}

/// Has signals of one kind do nothing but interrupt.
fn interrupt_by(signal: c_int) {
    extern "C" fn nothing(_: c_int) {}
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(c_int) as usize;
        libc::sigaction(signal, &raw const action, null_mut());
    }
}

/// Sends a thread signals until the call in it has ended. Returns what it has come to.
fn interrupted(
    (thread, result): (libc::pthread_t, mpsc::Receiver<(c_int, c_int)>),
) -> (c_int, c_int) {
    let until = Instant::now() + SOON;
    // It may not sleep yet when the first one comes.
    loop {
        unsafe { libc::pthread_kill(thread, libc::SIGUSR2) };
        match result.recv_timeout(Duration::from_millis(2)) {
            Ok(done) => return done,
            Err(_) => assert!(Instant::now() < until, "no signal ends it"),
        }
    }
}

#[test]
fn a_signal_ends_each_call_that_waits_and_it_may_be_made_again() {
    interrupt_by(libc::SIGUSR2);
    let context = Context::new();
    let (pull, push) = (context.socket(PULL), context.socket(PUSH));
    let (pulls, pushes) = (pull.0 as usize, push.0 as usize);
    assert_eq!(
        interrupted(begun(move || unsafe {
            zmq_recv(pulls as *mut c_void, null_mut(), 0, 0)
        })),
        (-1, EINTR)
    );
    assert_eq!(
        interrupted(begun(move || unsafe {
            zmq_send(pushes as *mut c_void, null(), 0, 0)
        })),
        (-1, EINTR)
    );
    let poll = move || {
        let mut item = zmq_pollitem_t {
            socket: pulls as *mut c_void,
            fd: 0,
            events: 1,
            revents: 0,
        };
        unsafe { zmq_poll(&raw mut item, 1, -1) }
    };
    assert_eq!(interrupted(begun(poll)), (-1, EINTR));
    let ppoll = move || {
        let mut item = zmq_pollitem_t {
            socket: pulls as *mut c_void,
            fd: 0,
            events: 1,
            revents: 0,
        };
        unsafe { zmq_ppoll(&raw mut item, 1, -1, null()) }
    };
    assert_eq!(interrupted(begun(ppoll)), (-1, EINTR));
    let poller = move || {
        let mut poller = zmq_poller_new();
        assert_eq!(
            zmq_poller_add(poller, pulls as *mut c_void, null_mut(), 1),
            0
        );
        let mut event = std::mem::MaybeUninit::<zmq_poller_event_t>::uninit();
        let waited = unsafe { zmq_poller_wait(poller, event.as_mut_ptr(), -1) };
        let errno = zmq_errno();
        unsafe {
            assert_eq!(zmq_poller_destroy(&raw mut poller), 0);
            *libc::__errno_location() = errno;
        }
        waited
    };
    assert_eq!(interrupted(begun(poller)), (-1, EINTR));
    let proxy = move || zmq_proxy(pulls as *mut c_void, pushes as *mut c_void, null_mut());
    assert_eq!(interrupted(begun(proxy)), (-1, EINTR));
    let ends = context.0 as usize;
    let term = move || zmq_ctx_term(ends as *mut c_void);
    assert_eq!(interrupted(begun(term)), (-1, EINTR));
    // It has begun, and goes on when it is called again.
    assert_eq!(pull.recv(0), Err(ETERM));
    let (_, result) = begun(term);
    drop((pull, push));
    assert_eq!(result.recv_timeout(SOON).unwrap().0, 0);
    std::mem::forget(context);
}
