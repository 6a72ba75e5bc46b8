//! A thread that waits for each of a connection's messages reads the stream itself, while they come one by one: it waits at the
//! stream, and what ends a wait ends that one, too.
#![cfg(target_os = "linux")]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "a test is on the side of C"
)]

mod common;

use std::ffi::c_int;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::*;
use zmq::*;

/// So many lone messages have the stream lent, if they come soon after each other.
const MANY: usize = 50;

/// A thread that answers until its socket fails, and says how.
struct Server {
    thread: JoinHandle<c_int>,
    handle: libc::pthread_t,
    /// Its number, as the system has it.
    number: libc::pid_t,
}

impl Server {
    fn start(rep: Socket) -> Self {
        let (tell, told) = channel();
        let thread = std::thread::spawn(move || {
            tell.send(unsafe { (libc::pthread_self(), libc::gettid()) })
                .unwrap();
            loop {
                match rep.recv(0) {
                    Ok(question) => assert_eq!(rep.send(&question, 0), 1),
                    Err(error) => return error,
                }
            }
        });
        let (handle, number) = told.recv().unwrap();
        Server {
            thread,
            handle,
            number,
        }
    }

    /// Asks until the server waits at the stream. `false`: this system does not say where it waits, and it was only asked
    /// often.
    fn is_asked_until_it_waits_at_the_stream(&self, req: &Socket) -> bool {
        let until = Instant::now() + SOON;
        while Instant::now() < until {
            for _ in 0..MANY {
                assert_eq!(req.send(b"?", 0), 1);
                assert_eq!(req.recv(0).unwrap(), b"?");
            }
            let soon = Instant::now() + Duration::from_millis(2);
            while Instant::now() < soon {
                match self.call() {
                    None => return false,
                    Some(call) if call == libc::SYS_ppoll.to_string() => return true,
                    Some(_) => {}
                }
            }
        }
        panic!("it never waits at the stream");
    }

    /// Returns the number of the system call that the thread is in, or `running`.
    fn call(&self) -> Option<String> {
        let path = format!("/proc/self/task/{}/syscall", self.number);
        let text = std::fs::read_to_string(path).ok()?;
        text.split_whitespace().next().map(str::to_owned)
    }
}

/// Makes a server, and who asks it, and has it wait at the stream.
fn asked(context: &Context, of_client: &Context, endpoint: &str) -> (Server, Socket) {
    let (rep, req) = (context.socket(REP), of_client.socket(REQ));
    let endpoint = rep.bind(endpoint);
    req.connect(&endpoint);
    let server = Server::start(rep);
    if !server.is_asked_until_it_waits_at_the_stream(&req) {
        eprintln!("SKIPPED: this system does not say where a thread waits");
    }
    (server, req)
}

/// An endpoint of ipc that nobody else has.
fn ipc(name: &str) -> String {
    format!("ipc://@capi-lent-{}-{name}", std::process::id())
}

#[test]
fn the_end_of_a_context_ends_a_wait_at_a_stream() {
    for endpoint in ["tcp://127.0.0.1:*", &ipc("end")] {
        let (context, of_client) = (Context::new(), Context::new());
        let (server, req) = asked(&context, &of_client, endpoint);
        assert_eq!(zmq_ctx_term(context.0), 0);
        std::mem::forget(context);
        assert_eq!(server.thread.join().unwrap(), errno::ETERM);
        drop(req);
    }
}

#[test]
fn a_signal_ends_a_wait_at_a_stream() {
    extern "C" fn nothing(_: c_int) {}
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(c_int) as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut());
    }
    for endpoint in ["tcp://127.0.0.1:*", &ipc("signal")] {
        let context = Context::new();
        let (server, _req) = asked(&context, &context, endpoint);
        // It may look whether the stream is still lent when the first one comes.
        while !server.thread.is_finished() {
            unsafe { libc::pthread_kill(server.handle, libc::SIGUSR1) };
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(server.thread.join().unwrap(), libc::EINTR);
    }
}

/// Two sockets of which the second has been sent many lone messages, and waited for each.
fn lent(context: &Context, endpoint: &str) -> (Socket, Socket) {
    let (push, pull) = (context.socket(PUSH), context.socket(PULL));
    push.connect(&pull.bind(endpoint));
    for _ in 0..MANY {
        assert_eq!(push.send(b"lone", 0), 4);
        assert_eq!(pull.recv(0).unwrap(), b"lone");
    }
    (push, pull)
}

#[test]
fn a_limit_is_kept_at_a_stream() {
    let context = Context::new();
    let (push, pull) = lent(&context, "tcp://127.0.0.1:*");
    pull.set(RCVTIMEO, 50);
    for _ in 0..3 {
        let start = Instant::now();
        assert_eq!(pull.recv(0), Err(libc::EAGAIN));
        assert!(start.elapsed() >= Duration::from_millis(50));
    }
    pull.set(RCVTIMEO, -1);
    assert_eq!(push.send(b"more", 0), 4);
    assert_eq!(pull.recv(0).unwrap(), b"more");
}

#[test]
fn who_waits_in_another_way_gets_what_comes() {
    let context = Context::new();
    for endpoint in ["tcp://127.0.0.1:*", &ipc("another")] {
        let (push, pull) = lent(&context, endpoint);
        for _ in 0..5 {
            assert_eq!(push.send(b"polled", 0), 6);
            assert_eq!(pull.polled().0, 1);
            assert_eq!(pull.recv(DONTWAIT).unwrap(), b"polled");
            for _ in 0..MANY {
                assert_eq!(push.send(b"lone", 0), 4);
                assert_eq!(pull.recv(0).unwrap(), b"lone");
            }
            assert_eq!(push.send(b"asked", 0), 5);
            let until = Instant::now() + SOON;
            let received = loop {
                match pull.recv(DONTWAIT) {
                    Err(libc::EAGAIN) if Instant::now() < until => std::thread::yield_now(),
                    received => break received,
                }
            };
            assert_eq!(received.unwrap(), b"asked");
        }
        let fd = pull.get(FD);
        for _ in 0..MANY {
            assert_eq!(push.send(b"told", 0), 4);
            while pull.get(EVENTS) & POLLIN == 0 {
                assert!(is_readable(fd, SOON));
            }
            assert_eq!(pull.recv(DONTWAIT).unwrap(), b"told");
        }
    }
}
