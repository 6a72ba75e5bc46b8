//! A requester under loom (`loom_tests.rs`), over inproc: its task in one thread, requests in another, the server in a third.

use super::*;
use crate::loom_tests::{block_on, check_within};
use crate::requester::Request;
use crate::sockets::{Dealer, DealerSocket, RouterSocket};
use crate::sync::thread;

fn requester(context: &Context, most: usize) -> (Arc<Handle<Dealer>>, Task<Dealer>) {
    let mut dealer = DealerSocket::builder().context(context).build().unwrap();
    dealer.connect("inproc://server").unwrap();
    let defaults = Defaults {
        timeout: None,
        retries: 0,
    };
    make(dealer, defaults, most)
}

/// Each request has its answer, also one that waits for a place: caught that `turn` gave free places to nobody.
#[test]
fn requests_are_answered_also_those_that_wait_for_a_place() {
    check_within(2, || {
        let context = Context::new();
        let mut router = RouterSocket::builder().context(&context).build().unwrap();
        block_on(router.bind("inproc://server")).unwrap();
        let (handle, task) = requester(&context, 1);
        let server = thread::spawn(move || {
            for _ in 0..2 {
                let request = block_on(router.recv_message()).unwrap();
                block_on(router.send(request.respond("answer"))).unwrap();
            }
            router
        });
        let owner = thread::spawn(move || block_on(task));
        let first = Request::new(handle.clone(), "first".into());
        let second = Request::new(handle, "second".into());
        let both = block_on(async {
            let (mut first, mut second) = (first, second);
            let mut answers = 0;
            std::future::poll_fn(|cx| {
                for request in [&mut first, &mut second] {
                    if !request.is_over() && Pin::new(request).poll(cx).is_ready() {
                        answers += 1;
                    }
                }
                match answers {
                    2 => Poll::Ready(answers),
                    _ => Poll::Pending,
                }
            })
            .await
        });
        assert_eq!(both, 2);
        // The last handle is gone: so is the task.
        owner.join().unwrap();
        server.join().unwrap();
    });
}

/// A request that is dropped gives its place to the next one, whatever its answer does meanwhile.
#[test]
fn a_dropped_request_leaves_its_place_to_the_next_one() {
    check_within(2, || {
        let context = Context::new();
        let mut router = RouterSocket::builder().context(&context).build().unwrap();
        block_on(router.bind("inproc://server")).unwrap();
        let (handle, task) = requester(&context, 1);
        let server = thread::spawn(move || {
            for _ in 0..2 {
                let request = block_on(router.recv_message()).unwrap();
                block_on(router.send(request.respond("answer"))).unwrap();
            }
            router
        });
        let owner = thread::spawn(move || block_on(task));
        let mut dropped = Request::new(handle.clone(), "first".into());
        let mut cx = TaskContext::from_waker(Waker::noop());
        let _ = Pin::new(&mut dropped).poll(&mut cx);
        let second = Request::new(handle, "second".into());
        drop(dropped);
        assert_eq!(block_on(second).unwrap(), "answer");
        owner.join().unwrap();
        server.join().unwrap();
    });
}
