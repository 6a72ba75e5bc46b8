//! Waiting: the end of a context, threads that block, the descriptor of a socket, and many threads at once.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "a test is on the side of C"
)]

mod common;

use std::ffi::c_int;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use zmq::*;

#[test]
fn the_end_of_a_context_ends_calls_that_block() {
    let context = Context::new();
    let socket_types = [PULL, DEALER, SUB, PAIR, REP];
    let threads = socket_types.map(|socket_type| {
        let socket = context.socket(socket_type);
        std::thread::spawn(move || {
            let received = socket.recv(0);
            let after = (
                socket.send(b"a", DONTWAIT),
                zmq_errno(),
                socket.set(LINGER, 0),
            );
            (received, after)
        })
    });
    let poller = context.socket(PULL);
    let polls = std::thread::spawn(move || poller.polled());
    // It waits for all of them to be closed.
    assert_eq!(zmq_ctx_term(context.0), 0);
    for thread in threads {
        let (received, (_, _, set)) = thread.join().unwrap();
        assert_eq!(received, Err(errno::ETERM));
        assert_eq!(set, -1);
    }
    assert_eq!(polls.join().unwrap(), (-1, errno::ETERM));
    assert!(zmq_socket(context.0, PULL).is_null());
    assert_eq!(zmq_errno(), libc::EFAULT, "the context is gone");
}

#[test]
fn a_context_waits_for_what_was_sent_as_long_as_its_socket_lingers() {
    let context = Context::new();
    let push = context.socket(PUSH);
    push.set(LINGER, 300);
    // Nobody listens there.
    push.connect("tcp://127.0.0.1:9");
    assert_eq!(push.send(b"a", 0), 1);
    zmq_close(push.0);
    std::mem::forget(push);
    let start = std::time::Instant::now();
    assert_eq!(zmq_ctx_term(context.0), 0);
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(250), "{took:?}");
    std::mem::forget(context);
}

#[test]
fn what_was_shut_down_makes_no_sockets_and_ends_when_all_are_closed() {
    let context = Context::new();
    let pull = context.socket(PULL);
    assert_eq!(zmq_ctx_shutdown(context.0), 0);
    assert_eq!(pull.recv(0), Err(errno::ETERM));
    assert!(zmq_socket(context.0, PULL).is_null());
    assert_eq!(zmq_errno(), errno::ETERM);
    drop(pull);
    drop(context);
}

#[test]
fn the_descriptor_is_readable_when_something_has_happened() {
    let context = Context::new();
    let (push, pull) = (context.socket(PUSH), context.socket(PULL));
    let endpoint = pull.bind("tcp://127.0.0.1:*");
    let fd = pull.get(FD);
    assert_eq!(pull.get(FD), fd);
    assert_eq!(pull.get(EVENTS), 0);
    assert!(!is_readable(fd, Duration::ZERO), "looking clears it");
    push.connect(&endpoint);
    for round in 0..100 {
        assert_eq!(push.send(b"work", 0), 4);
        while pull.get(EVENTS) & POLLIN == 0 {
            assert!(is_readable(fd, SOON), "round {round}");
        }
        while pull.get(EVENTS) & POLLIN != 0 {
            assert_eq!(pull.recv(DONTWAIT).unwrap(), b"work");
        }
    }
}

/// As zeromq.js does: it asks what is ready once, and then waits for the descriptor, whatever it does meanwhile.
#[test]
fn the_descriptor_stays_readable_until_somebody_looks() {
    let context = Context::new();
    let (publisher, subscriber) = (context.socket(PUB), context.socket(SUB));
    let endpoint = publisher.bind("tcp://127.0.0.1:*");
    let fd = subscriber.get(FD);
    assert_eq!(subscriber.get(EVENTS), 0);
    subscriber.connect(&endpoint);
    assert!(is_readable(fd, SOON), "a connection was made");
    set_bytes(&subscriber, SUBSCRIBE, b"");
    assert_eq!(subscriber.get(LINGER), 0);
    assert_eq!(subscriber.get(FD), fd);
    assert!(is_readable(fd, Duration::ZERO), "nobody has looked");
    assert_eq!(subscriber.get(EVENTS), 0);
    // The subscription may take its time to arrive. It looks only when it is told to.
    let is_told = (0..1000).any(|_| {
        assert_eq!(publisher.send(b"news", 0), 4);
        is_readable(fd, Duration::from_millis(10)) && subscriber.get(EVENTS) & POLLIN != 0
    });
    assert!(is_told, "of a message");
    assert_eq!(subscriber.recv(DONTWAIT).unwrap(), b"news");
}

#[test]
fn the_descriptor_tells_of_room() {
    let context = Context::new();
    let (push, pull) = (context.socket(PUSH), context.socket(PULL));
    push.set(SNDHWM, 2);
    pull.set(RCVHWM, 2);
    pull.bind("inproc://work");
    push.connect("inproc://work");
    let fd = push.get(FD);
    while push.send(b"work", DONTWAIT) == 4 {}
    assert_eq!(push.get(EVENTS) & POLLOUT, 0);
    while pull.recv(DONTWAIT).is_ok() {}
    while push.get(EVENTS) & POLLOUT == 0 {
        assert!(is_readable(fd, SOON));
    }
    assert_eq!(push.send(b"work", DONTWAIT), 4);
}

#[test]
fn a_limit_is_kept() {
    let context = Context::new();
    let pull = context.socket(PULL);
    pull.set(RCVTIMEO, 50);
    let start = std::time::Instant::now();
    assert_eq!(pull.recv(0), Err(libc::EAGAIN));
    assert!(start.elapsed() >= Duration::from_millis(50));
}

/// Interrupts a thread's wait until that ends, and returns what it said.
fn interrupted<T: Send + 'static>(wait: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, thread) = std::sync::mpsc::channel();
    let waits = std::thread::spawn(move || {
        tell.send(unsafe { libc::pthread_self() }).unwrap();
        wait()
    });
    let thread = thread.recv().unwrap();
    // It may not sleep yet when the first one comes.
    while !waits.is_finished() {
        unsafe { libc::pthread_kill(thread, libc::SIGUSR1) };
        std::thread::sleep(Duration::from_millis(1));
    }
    waits.join().unwrap()
}

/// As libzmq, which waits in poll(2): a handler that asks for what it interrupts to go on, as those of signal(3) do, makes no
/// difference.
#[test]
fn a_signal_ends_a_call_that_blocks() {
    extern "C" fn nothing(_: c_int) {}
    for flags in [0, libc::SA_RESTART] {
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = nothing as extern "C" fn(c_int) as usize;
            action.sa_flags = flags;
            libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut());
        }
        let context = Context::new();
        let pull = context.socket(PULL);
        assert_eq!(interrupted(move || pull.recv(0)), Err(libc::EINTR));
        let pull = context.socket(PULL);
        let polled = interrupted(move || pull.polled());
        assert_eq!(polled, (-1, libc::EINTR));
    }
}

#[test]
fn many_threads_make_and_close_sockets_until_their_context_ends() {
    let context = Arc::new(Context::new());
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let context = context.clone();
            std::thread::spawn(move || {
                let name = format!("inproc://{number}");
                for round in 0.. {
                    let pull = zmq_socket(context.0, PULL);
                    if pull.is_null() {
                        assert_eq!(zmq_errno(), errno::ETERM);
                        return round;
                    }
                    let pull = Socket(pull);
                    let push = zmq_socket(context.0, PUSH);
                    if push.is_null() {
                        continue;
                    }
                    let push = Socket(push);
                    let name = std::ffi::CString::new(name.as_str()).unwrap();
                    unsafe {
                        zmq_bind(pull.0, name.as_ptr());
                        zmq_connect(push.0, name.as_ptr());
                    }
                    push.send(b"a", DONTWAIT);
                    let _ = pull.recv(DONTWAIT);
                }
                0
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(zmq_ctx_shutdown(context.0), 0);
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(zmq_ctx_term(context.0), 0);
}
