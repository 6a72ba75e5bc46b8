//! A requester under loom (`loom_tests.rs`), over inproc: its task in one thread, requests in another, the server in a third.

use super::*;
use crate::loom_tests::{block_on, check_within};
use crate::requester::Request;
use crate::requester::statistics::RequesterStatistics;
use crate::sockets::{Dealer, DealerSocket, RouterSocket};
use crate::sync::thread;
use crate::sync::thread::JoinHandle;

/// A server, and a requester with one place that is connected to it.
fn both() -> (RouterSocket, Arc<Handle<Dealer>>, Task<Dealer>) {
    let context = Context::new();
    let mut router = RouterSocket::builder().context(&context).build().unwrap();
    block_on(router.bind("inproc://server")).unwrap();
    let mut dealer = DealerSocket::builder().context(&context).build().unwrap();
    dealer.connect("inproc://server").unwrap();
    let defaults = Defaults {
        timeout: None,
        retries: 0,
    };
    let (handle, task) = make(dealer, defaults, 1);
    (router, handle, task)
}

/// Takes as many requests as there are to be, and answers those that it is told to.
fn answering<const N: usize>(
    mut router: RouterSocket,
    requests: [bool; N],
) -> JoinHandle<RouterSocket> {
    thread::spawn(move || {
        for answers in requests {
            let request = block_on(router.recv_message()).unwrap();
            if answers {
                block_on(router.send(request.respond("answer"))).unwrap();
            }
        }
        router
    })
}

/// Polls a request once: it is sent, or in the line.
fn begun(request: &mut Request) {
    let mut cx = TaskContext::from_waker(Waker::noop());
    assert!(Pin::new(request).poll(&mut cx).is_pending());
}

fn counted(handle: &Handle<Dealer>) -> RequesterStatistics {
    handle.shared.with(|state| state.requests.statistics())
}

/// Each request has its answer, also one that waits for a place; and the task ends with the last handle.
///
/// Seen to fail: `turn` that gives free places to nobody.
#[test]
fn requests_are_answered_also_those_that_wait_for_a_place() {
    check_within(2, || {
        let (router, handle, task) = both();
        let server = answering(router, [true, true]);
        let owner = thread::spawn(move || block_on(task));
        let mut first = Request::new(handle.clone(), "first".into());
        let second = Request::new(handle, "second".into());
        begun(&mut first);
        assert_eq!(block_on(second).unwrap(), "answer");
        // It was before the second one, whose place it has left.
        assert_eq!(block_on(first).unwrap(), "answer");
        owner.join().unwrap();
        server.join().unwrap();
    });
}

/// A request that is dropped while its answer comes is counted once, and its place goes to the next one.
///
/// Seen to fail: `cancel` that does not call the task to who has the place now; `leave` that keeps the place of one
/// that was asked.
#[test]
fn a_request_that_is_dropped_while_it_is_answered_leaves_its_place_to_the_next() {
    for is_answered in [true, false] {
        check_within(2, move || drop_one_of_two(is_answered));
    }
}

fn drop_one_of_two(is_answered: bool) {
    let (router, handle, task) = both();
    let server = answering(router, [is_answered, true]);
    let owner = thread::spawn(move || block_on(task));
    let mut dropped = Request::new(handle.clone(), "first".into());
    begun(&mut dropped);
    let mut second = Request::new(handle.clone(), "second".into());
    begun(&mut second);
    drop(dropped);
    assert_eq!(block_on(second).unwrap(), "answer");
    let counted = counted(&handle);
    assert_eq!((counted.under_way, counted.waiting), (0, 0));
    // It was answered, and nobody took that; or its answer came too late, or never.
    assert_eq!(counted.answered + counted.cancelled, 2);
    drop(handle);
    owner.join().unwrap();
    server.join().unwrap();
}

/// A request that begins while the runtime ends hears of it: it is told, or refused.
///
/// Seen to fail: `with` that wakes nobody; a task that goes and does not say so; `refuses` that does not look for the end.
#[test]
fn a_request_that_begins_while_the_task_ends_is_told() {
    check_within(3, || {
        let (router, handle, task) = both();
        let ending = thread::spawn(move || drop(task));
        // One has the place, or is refused; the other one waits for it, or is refused.
        let mut first = Request::new(handle.clone(), "first".into());
        let mut cx = TaskContext::from_waker(Waker::noop());
        let polled = Pin::new(&mut first).poll(&mut cx);
        let second = block_on(Request::new(handle, "second".into()));
        assert_eq!(second, Err(RequestError::RuntimeEnded));
        let first = match polled {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => block_on(first),
        };
        assert_eq!(first, Err(RequestError::RuntimeEnded));
        ending.join().unwrap();
        drop(router);
    });
}

/// The last handle goes while an answer comes: the task ends, and the server, whose answer comes too late, does not wait.
///
/// Seen to fail: `end` that does not call the task.
#[test]
fn the_task_ends_with_the_last_handle_while_an_answer_comes() {
    check_within(2, || {
        let (router, handle, task) = both();
        let server = answering(router, [true]);
        let owner = thread::spawn(move || block_on(task));
        let mut request = Request::new(handle.clone(), "question".into());
        begun(&mut request);
        drop(handle);
        drop(request);
        owner.join().unwrap();
        server.join().unwrap();
    });
}
