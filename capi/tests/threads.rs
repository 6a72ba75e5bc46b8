//! Sockets and threads: what may be used from several at once, what may be handed over, and who may close.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "a test is on the side of C"
)]

mod common;

use std::ffi::c_int;
use std::sync::mpsc;

use common::*;
use zmq::*;

/// Passes sockets from thread to thread: each does a step with them, and is not there any more when the next one does.
fn handed_over(sockets: Vec<Socket>, steps: usize, step: impl Fn(usize, &[Socket]) + Sync) {
    let (tell, last) = mpsc::channel();
    let mut from = last;
    tell.send(sockets).unwrap();
    drop(tell);
    std::thread::scope(|scope| {
        for number in 0..steps {
            let (tell, next) = mpsc::channel();
            let step = &step;
            let before = std::mem::replace(&mut from, next);
            scope.spawn(move || {
                let sockets: Vec<Socket> = before.recv().unwrap();
                step(number, &sockets);
                tell.send(sockets).unwrap();
            });
        }
    });
    // The last one closes them: another thread than any of those.
    drop(from.recv().unwrap());
}

#[test]
fn a_socket_may_be_handed_from_thread_to_thread_at_any_point() {
    let context = Context::new();
    for endpoint in ["inproc://handed", "tcp://127.0.0.1:*"] {
        let (one, other) = (context.socket(DEALER), context.socket(DEALER));
        one.connect(&other.bind(endpoint));
        let sockets = vec![one, other];
        // A message takes four threads: its parts are sent by two, and received by two.
        handed_over(sockets, 64, |number, sockets| match number % 4 {
            0 => assert_eq!(sockets[0].send(&[number as u8], SNDMORE), 1),
            1 => assert_eq!(sockets[0].send(&[7; 2000], 0), 2000),
            2 => {
                assert_eq!(sockets[1].recv(0).unwrap(), [number as u8 - 2]);
                assert_eq!(sockets[1].get(RCVMORE), 1);
            }
            _ => {
                assert_eq!(sockets[1].recv(0).unwrap(), [7; 2000]);
                assert_eq!(sockets[1].get(RCVMORE), 0);
            }
        });
        let (one, other) = (context.socket(REQ), context.socket(REP));
        one.connect(&other.bind(endpoint));
        handed_over(vec![one, other], 64, |number, sockets| match number % 4 {
            0 => assert_eq!(sockets[0].send(b"question", 0), 8),
            1 => assert_eq!(sockets[1].recv(0).unwrap(), b"question"),
            2 => assert_eq!(sockets[1].send(b"answer", 0), 6),
            _ => assert_eq!(sockets[0].recv(0).unwrap(), b"answer"),
        });
    }
}

#[test]
fn who_closes_may_be_another_thread_while_a_third_ends_the_context() {
    for round in 0..50 {
        let context = Context::new();
        let sockets = [PULL, PUSH, DEALER, SUB, REP, ROUTER, PAIR].map(|one| context.socket(one));
        let waiting: Vec<_> = sockets
            .iter()
            .map(|socket| {
                let socket = Socket(socket.0);
                std::thread::spawn(move || {
                    let received = socket.recv(0);
                    std::mem::forget(socket);
                    received
                })
            })
            .collect();
        let ends = context.0 as usize;
        let end = std::thread::spawn(move || zmq_ctx_term(ends as *mut _));
        let closing = std::thread::spawn(move || {
            for socket in sockets {
                // The context may have ended before, or not.
                assert_eq!(zmq_close(socket.0), 0);
                std::mem::forget(socket);
            }
        });
        closing.join().unwrap();
        assert_eq!(end.join().unwrap(), 0, "round {round}");
        for thread in waiting {
            let errno = thread.join().unwrap().unwrap_err();
            let may = [errno::ETERM, libc::ENOTSOCK, libc::ENOTSUP];
            assert!(may.contains(&errno), "errno {errno} in round {round}");
        }
        std::mem::forget(context);
    }
}

#[cfg(feature = "draft")]
mod drafts {
    use std::ffi::c_void;
    use std::mem::MaybeUninit;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const SERVER: c_int = 12;
    const CLIENT: c_int = 13;
    const RADIO: c_int = 14;
    const DISH: c_int = 15;
    const GATHER: c_int = 16;
    const SCATTER: c_int = 17;
    const PEER: c_int = 19;
    const TYPE: c_int = 16;
    const THREAD_SAFE: c_int = 81;

    const THREADS: u32 = 4;
    const EACH: u32 = 200;

    /// Sends a number: to a peer with a number of its own, if it is not 0, or to the group.
    fn send(socket: &Socket, number: u32, peer: u32, flags: c_int) -> c_int {
        let mut message = MaybeUninit::<zmq_msg_t>::uninit();
        let at = message.as_mut_ptr();
        unsafe {
            assert_eq!(zmq_msg_init_size(at, 100), 0);
            let data = zmq_msg_data(at).cast::<u8>();
            data.write_bytes(0, 100);
            data.cast::<u32>().write_unaligned(number);
            if peer != 0 {
                assert_eq!(zmq_msg_set_routing_id(at, peer), 0);
            }
            if socket.is_of(RADIO) {
                assert_eq!(zmq_msg_set_group(at, c"all".as_ptr()), 0);
            }
            let sent = zmq_msg_send(at, socket.0, flags);
            zmq_msg_close(at);
            sent
        }
    }

    /// Receives a number, and whom it is from.
    fn recv(socket: &Socket, flags: c_int) -> Option<(u32, u32)> {
        let mut message = MaybeUninit::<zmq_msg_t>::uninit();
        let at = message.as_mut_ptr();
        unsafe {
            assert_eq!(zmq_msg_init(at), 0);
            let got = zmq_msg_recv(at, socket.0, flags);
            let received = (got == 100).then(|| {
                let number = zmq_msg_data(at).cast::<u32>().read_unaligned();
                (number, zmq_msg_routing_id(at))
            });
            zmq_msg_close(at);
            received
        }
    }

    impl Socket {
        /// Says whether it is of a type. Of no type, once its context has ended.
        fn is_of(&self, socket_type: c_int) -> bool {
            let (mut value, mut length): (c_int, usize) = (-1, 4);
            let (at, length) = ((&raw mut value).cast(), &raw mut length);
            unsafe { zmq_getsockopt(self.0, TYPE, at, length) == 0 && value == socket_type }
        }
    }

    /// Has threads send numbers by one socket while as many receive them by another: each number comes, once.
    fn talk(from: &Socket, to: &Socket, peer: u32) {
        let all = (THREADS * EACH) as usize;
        let taken = AtomicUsize::new(0);
        let mut came = std::thread::scope(|scope| {
            for thread in 0..THREADS {
                scope.spawn(move || {
                    for number in 0..EACH {
                        assert_eq!(send(from, thread * EACH + number, peer, 0), 100);
                        // What else a thread may ask meanwhile.
                        assert_eq!(from.get(THREAD_SAFE), 1);
                    }
                });
            }
            let receiving: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        let mut came = Vec::new();
                        while taken.fetch_add(1, Ordering::Relaxed) < all {
                            came.push(recv(to, 0).expect("a message").0);
                        }
                        came
                    })
                })
                .collect();
            let each = receiving.into_iter().map(|thread| thread.join().unwrap());
            each.flatten().collect::<Vec<_>>()
        });
        came.sort_unstable();
        assert!(came.into_iter().eq(0..all as u32));
    }

    #[test]
    fn sockets_of_thread_safe_types_may_be_used_from_many_threads_at_once() {
        let context = Context::new();
        for endpoint in ["inproc://shared", "tcp://127.0.0.1:*"] {
            let (client, server) = (context.socket(CLIENT), context.socket(SERVER));
            client.set(RCVTIMEO, SOON.as_millis() as c_int);
            client.connect(&server.bind(endpoint));
            talk(&client, &server, 0);
            assert_eq!(send(&client, 5, 0, 0), 100);
            let (number, peer) = recv(&server, 0).unwrap();
            assert_eq!(number, 5);
            talk(&server, &client, peer);
            drop((client, server));

            let (scatter, gather) = (context.socket(SCATTER), context.socket(GATHER));
            scatter.connect(&gather.bind(endpoint));
            talk(&scatter, &gather, 0);
            drop((scatter, gather));

            let (one, other) = (context.socket(CHANNEL), context.socket(CHANNEL));
            one.connect(&other.bind(endpoint));
            talk(&one, &other, 0);
            talk(&other, &one, 0);
            drop((one, other));

            let (one, other) = (context.socket(PEER), context.socket(PEER));
            let bound = std::ffi::CString::new(other.bind(endpoint)).unwrap();
            let peer = unsafe { zmq_connect_peer(one.0, bound.as_ptr()) };
            assert_ne!(peer, 0);
            talk(&one, &other, peer);
            assert_eq!(send(&one, 5, peer, 0), 100);
            let (_, peer) = recv(&other, 0).unwrap();
            talk(&other, &one, peer);
            drop((one, other));

            let (radio, dish) = (context.socket(RADIO), context.socket(DISH));
            assert_eq!(unsafe { zmq_join(dish.0, c"all".as_ptr()) }, 0);
            dish.connect(&radio.bind(endpoint));
            // Heard from when the group has come.
            let mut first = None;
            while first.is_none() {
                assert_eq!(send(&radio, u32::MAX, 0, 0), 100);
                std::thread::yield_now();
                first = recv(&dish, DONTWAIT);
            }
            dish.set(RCVTIMEO, 200);
            while recv(&dish, 0).is_some() {}
            dish.set(RCVTIMEO, -1);
            talk(&radio, &dish, 0);
        }
    }

    #[test]
    fn the_end_of_a_context_ends_the_calls_of_all_threads_on_one_socket() {
        let context = Context::new();
        let (client, server) = (context.socket(CLIENT), context.socket(SERVER));
        // Options cannot be set at the end, when its context is shut down: what is unsent would linger for ever.
        client.set(LINGER, 0);
        client.connect(&server.bind("tcp://127.0.0.1:*"));
        let ended = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|number| {
                    let (client, server) = (&client, &server);
                    scope.spawn(move || match number % 2 {
                        0 => {
                            while send(client, 1, 0, 0) == 100 {}
                            zmq_errno()
                        }
                        _ => {
                            while recv(server, 0).is_some() {}
                            zmq_errno()
                        }
                    })
                })
                .collect();
            assert!(recv(&server, 0).is_some());
            assert_eq!(zmq_ctx_shutdown(context.0), 0);
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect::<Vec<_>>()
        });
        assert_eq!(ended, [errno::ETERM; 8]);
    }

    #[test]
    fn a_poller_waits_for_a_socket_that_others_use() {
        let context = Context::new();
        let (client, server) = (context.socket(CLIENT), context.socket(SERVER));
        client.connect(&server.bind("inproc://polled"));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..EACH {
                    assert_eq!(send(&client, number, 0, 0), 100);
                }
            });
            let mut poller = zmq_poller_new();
            let user_data = 7 as *mut c_void;
            assert_eq!(zmq_poller_add(poller, server.0, user_data, 1), 0);
            let mut came = 0;
            while came < EACH {
                let mut event = MaybeUninit::<zmq_poller_event_t>::uninit();
                let waited = unsafe { zmq_poller_wait(poller, event.as_mut_ptr(), -1) };
                assert_eq!(waited, 0);
                let event = unsafe { event.assume_init() };
                assert_eq!((event.socket, event.user_data), (server.0, user_data));
                while let Some((number, _)) = recv(&server, DONTWAIT) {
                    assert_eq!(number, came);
                    came += 1;
                }
            }
            assert_eq!(unsafe { zmq_poller_destroy(&raw mut poller) }, 0);
        });
    }
}
