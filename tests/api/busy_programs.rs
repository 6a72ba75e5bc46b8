//! A program that works between its calls, on the thread of its connections, does not keep what it has sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::until;
use futures::FutureExt;
use purezmq::{PushSocket, blocking};

/// Calls after which a task yields however closely they follow each other.
const AT_ONCE: usize = 1000;

/// Receives on a thread of its own until `end` comes, and counts.
fn receiver() -> (String, Arc<AtomicUsize>, thread::JoinHandle<()>) {
    let mut pull = blocking::PullSocket::new();
    let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap();
    let seen = Arc::<AtomicUsize>::default();
    let counted = seen.clone();
    let thread = thread::spawn(move || {
        while pull.recv().unwrap() != "end" {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (endpoint.to_string(), seen, thread)
}

#[test]
fn what_a_program_has_sent_leaves_while_it_works() {
    let (endpoint, seen, receiver) = receiver();
    let seen = || seen.load(Ordering::SeqCst);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        push.send("first").await.unwrap();
        until("a connection", || seen() == 1).await;
        // The next one is sent by the call itself, and what follows by the session, which has to have its turn.
        let all = 3;
        let mut sent = 0;
        while seen() < all {
            sent += 1;
            assert!(sent < AT_ONCE / 2, "{} of {sent} came", seen() - 1);
            push.send("work").await.unwrap();
            // It works.
            thread::sleep(Duration::from_micros(200));
        }
        push.send("end").await.unwrap();
        push.close().await;
    });
    receiver.join().unwrap();
}

/// Whoever sends now and then, and lets the thread go in between, finds each call ready.
#[test]
fn a_call_that_finds_all_sent_does_not_yield() {
    let (endpoint, seen, receiver) = receiver();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        push.send("first").await.unwrap();
        for sent in 1..200 {
            until("the one before", || seen.load(Ordering::SeqCst) == sent).await;
            let call = push.send("next").now_or_never();
            call.unwrap_or_else(|| panic!("call {sent} waits")).unwrap();
        }
        push.send("end").await.unwrap();
        push.close().await;
    });
    receiver.join().unwrap();
}
