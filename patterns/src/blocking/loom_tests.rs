//! A thread that blocks, under loom (`loom_tests.rs`).

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::Parker;
use crate::loom_tests::check;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{AtomicWaker, thread};

/// A thread that parks is unparked, whenever its future becomes ready.
///
/// Seen to fail: `Parker::park` that forgets that it was woken before.
#[test]
fn a_parked_thread_is_woken() {
    check(|| {
        let ready = Arc::new((AtomicBool::new(false), AtomicWaker::default()));
        let waiting = {
            let ready = ready.clone();
            thread::spawn(move || {
                let future = poll_fn(|cx| {
                    ready.1.register(cx.waker());
                    if ready.0.load(Ordering::Acquire) {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                });
                Parker::new().wait(pin!(future));
            })
        };
        ready.0.store(true, Ordering::Release);
        ready.1.wake();
        waiting.join().unwrap();
    });
}
