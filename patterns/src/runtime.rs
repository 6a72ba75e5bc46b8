//! What the runtime that is running here can do: asked by `bind` and `connect`, before tasks are given to it, and by calls
//! that wait, whether they keep it from running.
//!
//! tokio says that a runtime has no timers, or no I/O, by a panic, in whatever asks for them; there is no other way to
//! know. So they are asked for here, and the panic is caught, where otherwise it would be met by the task that dials or
//! listens. The program's panic hook tells of it before the error does: replacing the hook is not for a library. To ask
//! for I/O costs four system calls: a thread that makes many endpoints asks once.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::runtime::{Handle, Id, RuntimeFlavor};

thread_local! {
    /// This thread waits in [`blocking`].
    static WAITS: Cell<bool> = const { Cell::new(false) };
    /// The runtime that was asked last on this thread and lacks nothing. tokio counts runtimes up: no other one comes to
    /// have its number.
    static COMPLETE: Cell<Option<Id>> = const { Cell::new(None) };
}

/// Calls `wait`, which blocks this thread while it polls a future.
#[inline(always)]
pub(crate) fn blocking<T>(wait: impl FnOnce() -> T) -> T {
    struct Before(bool);

    impl Drop for Before {
        fn drop(&mut self) {
            WAITS.set(self.0);
        }
    }

    let _before = Before(WAITS.replace(true));
    wait()
}

/// Returns the runtime that may be blocked by whoever polls the future that asks: it runs on one thread, and that may be
/// this one.
pub(crate) fn blocked() -> Option<Handle> {
    if !WAITS.get() {
        return None;
    }
    let runtime = Handle::try_current().ok()?;
    (runtime.runtime_flavor() == RuntimeFlavor::CurrentThread).then_some(runtime)
}

/// Returns whether the task that asks shares its thread with all others of its runtime. (A model has no runtime, and says so
/// for the sake of what happens there.)
pub(crate) fn is_one_thread() -> bool {
    cfg!(purezmq_loom)
        || Handle::try_current()
            .is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::CurrentThread)
}

/// Returns what a runtime lacks of what an endpoint's tasks need: `timers`, or with `by_system` also `I/O`.
pub(crate) fn lacks(runtime: &Handle, by_system: bool) -> Option<&'static str> {
    if std::thread::panicking() {
        // It could not be caught.
        return None;
    }
    let id = Some(runtime.id());
    if COMPLETE.get() == id {
        return None;
    }
    let _inside = runtime.enter();
    if !answers(ask_for_timer) {
        return Some("timers");
    }
    if by_system && !answers(ask_for_io) {
        return Some("I/O");
    }
    if by_system {
        COMPLETE.set(id);
    }
    None
}

fn answers(ask: fn()) -> bool {
    catch_unwind(AssertUnwindSafe(ask)).is_ok()
}

fn ask_for_timer() {
    drop(tokio::time::sleep(Duration::ZERO));
}

#[cfg(unix)]
fn ask_for_io() {
    let _ = tokio::net::UnixDatagram::unbound();
}

#[cfg(not(unix))]
fn ask_for_io() {
    if let Ok(socket) = std::net::UdpSocket::bind(("127.0.0.1", 0))
        && socket.set_nonblocking(true).is_ok()
    {
        let _ = tokio::net::UdpSocket::from_std(socket);
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn what_a_runtime_lacks_is_told() {
        for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
            builder.worker_threads(1);
            let none = builder.build().unwrap();
            assert_eq!(lacks(none.handle(), true), Some("timers"));
            assert_eq!(lacks(none.handle(), false), Some("timers"));
            let timers = builder.enable_time().build().unwrap();
            assert_eq!(lacks(timers.handle(), true), Some("I/O"));
            assert_eq!(lacks(timers.handle(), false), None);
            let all = builder.enable_all().build().unwrap();
            assert_eq!(lacks(all.handle(), true), None);
            assert_eq!(lacks(all.handle(), true), None);
            // That one has everything says nothing of the others.
            assert_eq!(lacks(none.handle(), true), Some("timers"));
            assert_eq!(lacks(timers.handle(), true), Some("I/O"));
        }
    }
}
