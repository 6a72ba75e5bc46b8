//! The handle of a proxy under loom (`loom_tests.rs`).

use std::future::poll_fn;
use std::task::Poll;

use super::{ProxyHandle, State};
use crate::loom_tests::{block_on, check};
use crate::sync::thread;

/// A proxy that is paused and then terminated ends, and can run again.
///
/// Seen to fail: `poll` that watches only after it has read the state; `ProxyHandle::set` that wakes before it stores.
#[test]
fn a_proxy_hears_what_its_handle_says() {
    check(|| {
        let handle = ProxyHandle::default();
        let proxy = {
            let handle = handle.clone();
            thread::spawn(move || {
                block_on(poll_fn(|cx| {
                    handle.watch(cx);
                    match handle.state() {
                        State::Running | State::Paused => Poll::Pending,
                        State::Terminating | State::Draining => {
                            handle.ended();
                            Poll::Ready(())
                        }
                    }
                }));
            })
        };
        handle.pause();
        handle.terminate();
        // A late word changes nothing.
        handle.resume();
        proxy.join().unwrap();
        assert!(handle.state() == State::Running);
    });
}
