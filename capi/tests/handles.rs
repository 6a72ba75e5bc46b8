//! Pointers that were never handles. The only test of its program: the neighbours of a handle are handles of whatever else
//! runs in the process.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "a test is on the side of C"
)]

mod common;

use std::ffi::c_void;
use std::ptr::null;

use common::*;
use libc::ENOTSOCK;
use zmq::*;

#[test]
fn pointers_that_were_never_handles_are_refused_and_not_looked_at() {
    let context = Context::new();
    let socket = context.socket(PAIR);
    let mut odd = vec![1, 7, 4096, usize::MAX, usize::MAX - 15, isize::MAX as usize];
    for real in [context.0 as usize, socket.0 as usize] {
        odd.extend([real + 1, real + 8, real + 16, real - 16, real ^ (1 << 40)]);
    }
    for number in odd {
        let pointer = number as *mut c_void;
        if pointer == socket.0 || pointer == context.0 {
            continue;
        }
        assert_eq!(
            (zmq_close(pointer), zmq_errno()),
            (-1, ENOTSOCK),
            "{number:#x}"
        );
        assert_eq!(
            (zmq_ctx_term(pointer), zmq_errno()),
            (-1, libc::EFAULT),
            "{number:#x}"
        );
        let sent = unsafe { zmq_send(pointer, null(), 0, DONTWAIT) };
        assert_eq!((sent, zmq_errno()), (-1, ENOTSOCK), "{number:#x}");
        assert_eq!(
            (zmq_timers_execute(pointer), zmq_errno()),
            (-1, libc::EFAULT)
        );
        assert_eq!(zmq_atomic_counter_value(pointer), -1);
    }
    socket.bind("inproc://still-there");
}
