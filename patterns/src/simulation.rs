//! Two of the three doors through which a simulation takes the place of the system: the order in which tasks run, and
//! chance. The third, the network, is a transport (`transport/simulated.rs`). Only with `--cfg purezmq_simulation`, for
//! the simulation in this repository; no part of the API.
//!
//! The clock is tokio's, which a runtime can pause. What is said of a thread here holds for a simulation that runs
//! on a current-thread runtime: a thread simulates one world at a time, and threads that simulate none are as ever.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use fastrand::Rng;

/// What this thread's simulation decides by.
struct World {
    rng: Rng,
    last_id: u64,
    /// Of so many polls one is put off.
    put_off: u32,
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// Lets chance on this thread follow from a seed from now on, and puts off one of `put_off` polls of tasks; 0: none.
pub fn begin(seed: u64, put_off: u32) {
    let world = World {
        rng: Rng::with_seed(seed),
        last_id: 0,
        put_off,
    };
    WORLD.with_borrow_mut(|current| *current = Some(world));
}

/// Ends what [`begin`] began.
pub fn end() {
    WORLD.with_borrow_mut(|current| *current = None);
}

fn in_world<T>(act: impl FnOnce(&mut World) -> T) -> Option<T> {
    WORLD.with_borrow_mut(|current| current.as_mut().map(act))
}

/// The next number of a pipe.
pub(crate) fn next_id() -> Option<u64> {
    in_world(|world| {
        world.last_id += 1;
        world.last_id
    })
}

/// A source of random numbers that follows from the seed, if there is one.
pub(crate) fn rng() -> Rng {
    in_world(|world| world.rng.fork()).unwrap_or_default()
}

/// A task some of whose polls are put off to the end of the runtime's queue, so that tasks run in other orders than
/// that in which they were woken. Now and then it is polled without having been woken, too.
pub fn shuffled<F: Future>(task: F) -> impl Future<Output = F::Output> {
    let mut task = Box::pin(task);
    std::future::poll_fn(move |cx| {
        if is_put_off(cx) {
            return Poll::Pending;
        }
        let polled = Pin::new(&mut task).poll(cx);
        if polled.is_pending() {
            // The waker is called for nothing, and the poll finds nothing.
            is_put_off(cx);
        }
        polled
    })
}

/// Whether chance has it that the task is polled later. Then its waker has been called.
fn is_put_off(cx: &Context<'_>) -> bool {
    let put_off = in_world(|world| world.put_off > 0 && world.rng.u32(..world.put_off) == 0);
    let put_off = put_off.unwrap_or(false);
    if put_off {
        cx.waker().wake_by_ref();
    }
    put_off
}
