//! Three of the four doors through which a simulation takes the place of the system: the order in which tasks run, the
//! end of their runtime, and chance. The fourth, the network, is a transport (`transport/simulated.rs`). Only with
//! `--cfg purezmq_simulation`, for the simulation in this repository; no part of the API.
//!
//! The clock is tokio's, which a runtime can pause. What is said of a thread here holds for a simulation that runs
//! on a current-thread runtime: a thread simulates one world at a time, and threads that simulate none are as ever.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;
use fastrand::Rng;
use parking_lot::Mutex; // Not `sync`'s, which is for what loom models, and stands beside this.

/// What this thread's simulation decides by.
struct World {
    rng: Rng,
    last_id: u64,
    /// Of so many polls one is put off.
    put_off: u32,
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
    /// That which has been entered.
    static INSIDE: RefCell<Option<Runtime>> = const { RefCell::new(None) };
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

/// A runtime that a simulation can end: the tasks of what is bound and connected [inside](Runtime::inside) it are its
/// own, and so are those that they spawn. In truth all of them run on the one that simulates, by its clock.
#[derive(Clone, Default)]
pub struct Runtime(Arc<Mutex<Tasks>>);

#[derive(Default)]
struct Tasks {
    has_ended: bool,
    tasks: Vec<Weak<Task>>,
}

/// A task of a runtime that may end.
struct Task {
    /// Not here while it is polled, and when it is done or cut short.
    future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    waker: AtomicWaker,
}

/// While this is there, its thread is inside a runtime.
struct Entered(Option<Runtime>);

impl Drop for Entered {
    fn drop(&mut self) {
        INSIDE.replace(self.0.take());
    }
}

impl Runtime {
    /// Makes a call inside of it.
    pub fn enter<T>(&self, call: impl FnOnce() -> T) -> T {
        let _entered = Entered(INSIDE.replace(Some(self.clone())));
        call()
    }

    /// Polls a future inside of it.
    pub fn inside<F: Future>(&self, future: F) -> impl Future<Output = F::Output> {
        let mut future = Box::pin(future);
        std::future::poll_fn(move |cx| self.enter(|| future.as_mut().poll(cx)))
    }

    /// Ends it: its tasks are dropped where they are, in an order by chance, and it takes no others.
    pub fn end(&self) {
        let mut tasks = {
            let mut state = self.0.lock();
            state.has_ended = true;
            std::mem::take(&mut state.tasks)
        };
        in_world(|world| world.rng.shuffle(&mut tasks));
        for task in tasks.iter().filter_map(Weak::upgrade) {
            let future = task.future.lock().take();
            drop(future);
            task.waker.wake();
        }
    }

    fn has_ended(&self) -> bool {
        self.0.lock().has_ended
    }

    /// Makes a task of it.
    fn take(self, future: impl Future<Output = ()> + Send + 'static) -> impl Future<Output = ()> {
        let task = Arc::new(Task {
            future: Mutex::new(Some(Box::pin(future))),
            waker: AtomicWaker::new(),
        });
        let has_ended = {
            let mut state = self.0.lock();
            state.tasks.retain(|task| task.strong_count() > 0);
            state.tasks.push(Arc::downgrade(&task));
            state.has_ended
        };
        if has_ended {
            self.end();
        }
        std::future::poll_fn(move |cx| {
            task.waker.register(cx.waker());
            let future = task.future.lock().take();
            let Some(mut future) = future else {
                return Poll::Ready(());
            };
            let polled = self.enter(|| future.as_mut().poll(cx));
            if polled.is_pending() && !self.has_ended() {
                *task.future.lock() = Some(future);
                return Poll::Pending;
            }
            Poll::Ready(())
        })
    }
}

/// A task of the library: [`shuffled`], and of the runtime that the caller is inside of.
pub(crate) fn task(
    task: impl Future<Output = ()> + Send + 'static,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    match INSIDE.with_borrow(Clone::clone) {
        Some(runtime) => Box::pin(shuffled(runtime.take(task))),
        None => Box::pin(shuffled(task)),
    }
}
