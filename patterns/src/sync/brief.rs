//! A lock for what is held briefly and often: each lane of a pipe has one, which is taken and given back for each message.
//!
//! A lock that wakes whoever waits for it asks, each time that it is given back, whether somebody does: an atomic operation
//! that reads and writes, as dear as the one that took it. Nobody is woken by this one, and giving it back is a plain write:
//! a message of 64 bytes costs its sender a seventh less (docs/decisions/037). Whoever finds it taken looks again: soon, as
//! it is not held for long; then after letting other threads run, since who has it may wait for this core; and
//! then from time to time, asleep, so that even a thread that never lets others run does not wait for ever.
//!
//! So nothing of ours that waits is done under it.

use std::hint::spin_loop;
use std::thread;
use std::time::Duration;

use spin::mutex::SpinMutex;
pub(crate) use spin::mutex::SpinMutexGuard as BriefGuard;

/// So often it is looked at before others may run: after one pause of the processor, and then after twice as many each time.
const LOOKS: u32 = 7;

/// So often it is looked at before this thread sleeps.
const TURNS: u32 = 27;

/// How long it sleeps. The system adds about as much.
const NAP: Duration = Duration::from_micros(50);

/// How often a thread that goes in step with another one keeps off first, and for how many pauses of the processor: together
/// as long as some dozens of pushes.
const TRIES: usize = 4;
const PAUSES: u32 = 64;

/// A mutual exclusion that is held briefly.
pub(crate) struct BriefMutex<T>(SpinMutex<T>);

impl<T> BriefMutex<T> {
    pub(crate) fn new(value: T) -> Self {
        BriefMutex(SpinMutex::new(value))
    }

    #[inline(always)]
    pub(crate) fn lock(&self) -> BriefGuard<'_, T> {
        match self.0.try_lock() {
            Some(guard) => guard,
            None => self.wait(),
        }
    }

    /// Locks it for a thread that goes in step with another one. While that one has the lock, this one keeps off: who asks for
    /// it again and again takes its line of the cache from the other at each push, which costs more than the push. Meanwhile
    /// more comes.
    #[inline]
    pub(crate) fn lock_in_step(&self) -> BriefGuard<'_, T> {
        match self.0.try_lock() {
            Some(guard) => guard,
            None => self.wait_in_step(),
        }
    }

    #[cold]
    fn wait_in_step(&self) -> BriefGuard<'_, T> {
        for _ in 0..TRIES {
            pause(PAUSES);
            if let Some(guard) = self.0.try_lock() {
                return guard;
            }
        }
        self.lock()
    }

    #[cold]
    fn wait(&self) -> BriefGuard<'_, T> {
        let mut looks = 0;
        loop {
            match looks {
                0..LOOKS => pause(1 << looks),
                LOOKS..TURNS => thread::yield_now(),
                _ => thread::sleep(NAP),
            }
            looks = (looks + 1).min(TURNS);
            // To read it leaves its line of the cache where it is.
            if !self.0.is_locked()
                && let Some(guard) = self.0.try_lock()
            {
                return guard;
            }
        }
    }
}

/// Lets the processor pause so often.
fn pause(times: u32) {
    for _ in 0..times {
        spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn one_has_it_at_a_time() {
        const EACH: usize = 20_000;
        let count = BriefMutex::new(0);
        let counted = || {
            for _ in 0..EACH {
                let mut count = count.lock();
                let before = *count;
                std::hint::black_box(&mut count);
                *count = before + 1;
            }
        };
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(counted);
            }
        });
        assert_eq!(*count.lock(), 3 * EACH);
    }

    #[test]
    fn who_finds_it_taken_gets_it_when_it_is_given_back() {
        let lock = BriefMutex::new(1);
        let mut held = lock.lock();
        assert!(lock.0.try_lock().is_none());
        let (begins, has_begun) = mpsc::channel();
        thread::scope(|scope| {
            let waits = scope.spawn(|| {
                begins.send(()).expect("the holder listens");
                *lock.lock()
            });
            has_begun.recv().expect("it says so");
            assert!(!waits.is_finished());
            *held = 2;
            drop(held);
            assert_eq!(waits.join().expect("it gets it"), 2);
        });
    }
}
