//! What belongs to a whole process: what a fork inherits, and signals that nobody has asked for. One after the other, in one
//! test: the others' threads would be in the way.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "a test is on the side of C"
)]

mod common;

use std::ffi::c_int;
use std::time::Instant;

use common::*;
use zmq::*;

#[test]
fn of_a_process() {
    a_child_may_close_what_it_has_inherited_and_make_its_own();
    a_peer_that_has_gone_is_no_signal();
}

/// Waits for a child, and returns with what it has ended.
fn ended(child: libc::pid_t) -> c_int {
    let until = Instant::now() + SOON;
    let mut status = 0;
    while unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) } == 0 {
        if Instant::now() > until {
            unsafe { libc::kill(child, libc::SIGKILL) };
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    match libc::WIFEXITED(status) {
        true => libc::WEXITSTATUS(status),
        false => -libc::WTERMSIG(status),
    }
}

fn a_child_may_close_what_it_has_inherited_and_make_its_own() {
    let context = Context::new();
    let (pull, push) = (context.socket(PULL), context.socket(PUSH));
    let endpoint = pull.bind("tcp://127.0.0.1:*");
    push.connect(&endpoint);
    assert_eq!(push.send(b"before", 0), 6);
    assert_eq!(pull.recv(0).unwrap(), b"before");
    let child = unsafe { libc::fork() };
    if child == 0 {
        let right =
            zmq_close(push.0) == 0 && zmq_close(pull.0) == 0 && zmq_ctx_term(context.0) == 0 && {
                let own = zmq_ctx_new();
                let socket = zmq_socket(own, PUSH);
                let text = std::ffi::CString::new(endpoint.as_str()).unwrap();
                (unsafe { zmq_connect(socket, text.as_ptr()) }) == 0
                    && unsafe { zmq_send(socket, c"child".as_ptr().cast(), 5, 0) } == 5
                    && zmq_close(socket) == 0
                    && zmq_ctx_term(own) == 0
            };
        unsafe { libc::_exit(if right { 0 } else { 1 }) };
    }
    assert_eq!(pull.recv(0).unwrap(), b"child");
    assert_eq!(ended(child), 0);
    // The parent's are as they were.
    assert_eq!(push.send(b"after", 0), 5);
    assert_eq!(pull.recv(0).unwrap(), b"after");
}

fn a_peer_that_has_gone_is_no_signal() {
    // Rust's own start has it ignored.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let context = Context::new();
    let folder = std::env::temp_dir().join(format!("capi-{}", std::process::id()));
    let ipc = format!("ipc://{}", folder.display());
    for place in ["tcp://127.0.0.1:*", &ipc] {
        let push = context.socket(PUSH);
        assert_eq!(push.set(28, 20_000), 0);
        let endpoint = push.bind(place);
        for _ in 0..20 {
            let pull = context.socket(PULL);
            pull.connect(&endpoint);
            // So many that some are on their way when it goes.
            for _ in 0..200 {
                assert!(push.send(&[0; 2000], DONTWAIT) > 0 || zmq_errno() == libc::EAGAIN);
            }
            drop(pull);
            for _ in 0..200 {
                push.send(&[0; 2000], DONTWAIT);
            }
        }
    }
    // A STREAM writes to whoever has come, and gone.
    let stream = context.socket(STREAM);
    let endpoint = stream.bind("tcp://127.0.0.1:*");
    for _ in 0..20 {
        let client = std::net::TcpStream::connect(endpoint.trim_start_matches("tcp://")).unwrap();
        let name = stream.recv(0).unwrap();
        assert_eq!(stream.recv(0).unwrap(), b"");
        drop(client);
        for _ in 0..100 {
            if stream.send(&name, SNDMORE | DONTWAIT) < 0 {
                break;
            }
            stream.send(&[0; 2000], DONTWAIT);
        }
        assert_eq!(stream.recv(0).unwrap(), name, "it has gone");
        assert_eq!(stream.recv(0).unwrap(), b"");
    }
}
