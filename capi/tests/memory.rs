//! What passing messages on asks of the system. The only test of its program: page faults are counted for a whole process.
#![cfg(target_env = "gnu")]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "a test is on the side of C"
)]

mod common;

use std::mem::MaybeUninit;
use std::sync::mpsc;

use common::*;
use zmq::*;

const MESSAGES: usize = 900;
const ROUNDS: usize = 60;
const PAGE: usize = 4096;

fn page_faults() -> usize {
    let mut used = MaybeUninit::<libc::rusage>::uninit();
    unsafe {
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, used.as_mut_ptr()), 0);
        used.assume_init().ru_minflt.try_into().unwrap()
    }
}

#[test]
fn a_neighbour_that_has_read_all_does_not_give_the_memory_of_its_messages_to_the_system() {
    for length in [1000, 2000] {
        let context = Context::new();
        let (push, pull) = (context.socket(PUSH), context.socket(PULL));
        pull.bind("inproc://memory");
        push.connect("inproc://memory");
        let (done, go) = mpsc::channel();
        // Made by one thread and freed by another, all at once, as it is when a receiver catches up.
        let sender = std::thread::spawn(move || {
            let push = push;
            while go.recv().is_ok() {
                for _ in 0..MESSAGES {
                    let mut message = MaybeUninit::<zmq_msg_t>::uninit();
                    let at = message.as_mut_ptr();
                    unsafe {
                        assert_eq!(zmq_msg_init_size(at, length), 0);
                        zmq_msg_data(at).cast::<u8>().write_bytes(1, length);
                        assert!(zmq_msg_send(at, push.0, 0) >= 0);
                    }
                }
            }
        });
        let round = || {
            done.send(()).unwrap();
            // Until the last one has come, none is freed.
            let mut all: Vec<_> = (0..MESSAGES)
                .map(|_| {
                    let mut message = MaybeUninit::<zmq_msg_t>::uninit();
                    let at = message.as_mut_ptr();
                    assert_eq!(unsafe { zmq_msg_init(at) }, 0);
                    assert!(unsafe { zmq_msg_recv(at, pull.0, 0) } >= 0);
                    message
                })
                .collect();
            for message in &mut all {
                assert_eq!(unsafe { zmq_msg_close(message.as_mut_ptr()) }, 0);
            }
        };
        for _ in 0..10 {
            round();
        }
        let before = page_faults();
        for _ in 0..ROUNDS {
            round();
        }
        let faults = page_faults() - before;
        drop(done);
        sender.join().unwrap();
        let anew = ROUNDS * MESSAGES * length / PAGE;
        assert!(
            faults < anew / 10,
            "{faults} page faults for messages that fill {anew} pages"
        );
    }
}
