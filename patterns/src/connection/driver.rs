//! The driver of a session and its pipe, while messages flow.
//!
//! It is driven by its task, and now and then by the socket's handle: when `send` finds the session at rest,
//! it sends the message itself, by the same code and on its own thread. That takes a wake-up and a task
//! switch out of the way of a lone message (in a runtime of several threads, a switch of threads), and
//! does not depend on when the sending task lets go of its thread. It is allowed once after each run of the
//! task: messages that follow each other closely find it used up and become a batch for the task. In a runtime of several
//! threads, so do messages for many peers (`coop.rs`).
//!
//! The other way round, a call that waits for the answer to such a message is woken by the stream itself, and takes what has
//! come (`alarm.rs`).
//!
//! Where the task is on an I/O thread, the stream may be lent to a thread that waits for lone messages, which takes them itself
//! (`session/lending.rs`).
//!
//! With `busy_poll`, a handle that waits for a message drives both directions in a loop for a while before it
//! parks.
//!
//! The lock is taken by the task for one poll, and by the handle only if it is free.

#[cfg(test)]
pub(super) mod tests;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker, ready};

use socket2::Socket;

use super::Turn;
use super::alarm::{Alarm, Arrival};
use super::flow::Flow;
use super::watch::Watch;
use crate::coop::{is_io_thread, let_run, note_driven, send_lone};
use crate::monitor::DisconnectReason;
use crate::pipe::{Drive, SessionPipe};
use crate::runtime::is_one_thread;
use crate::sync::Mutex;

/// Batches moved in one direction before others get a turn.
pub(super) const TURNS: usize = 16;

pub(super) struct Driver<F> {
    /// The task runs on an I/O thread, which does nothing else meanwhile.
    is_apart: bool,
    /// The task runs beside the application, on one of several threads of their runtime.
    is_beside: bool,
    /// What wakes the task, where a call of the same thread may come before it.
    alarm: Option<Arc<Alarm>>,
    /// Nothing once it is over.
    traffic: Mutex<Option<Traffic<F>>>,
}

struct Traffic<F> {
    session: Box<F>,
    pipe: SessionPipe,
    /// Wakes the driver's task, as does all that waits for the stream, whoever drives.
    task: Waker,
}

/// Moves messages until the socket is done with the peer or the connection ends. If the task goes before, `cut` gets what it
/// had.
pub(super) fn run<F: Flow>(
    session: Box<F>,
    pipe: SessionPipe,
    cut: impl FnOnce(Box<F>, SessionPipe) + Send + Unpin,
) -> impl Future<Output = (Box<F>, SessionPipe, Result<(), DisconnectReason>)> + Send {
    let mut driving = Driver::begin(session, pipe).run(cut);
    // An `async` block would keep what it awaits twice, for as long as the connection is there.
    poll_fn(move |cx| {
        let (ended, result) = ready!(Pin::new(&mut driving).poll(cx));
        let (session, pipe) = ended.expect("nobody else has the driver");
        Poll::Ready((session, pipe, result))
    })
}

/// What a driver leaves to its task, unless somebody else has finished it, and what it came to.
type Ended<F> = (Option<(Box<F>, SessionPipe)>, Result<(), DisconnectReason>);

/// A driver while its task runs.
struct Driven<F: Flow, C: FnOnce(Box<F>, SessionPipe)> {
    driver: Arc<Driver<F>>,
    watch: Watch,
    /// `None`: it is done.
    cut: Option<C>,
}

impl<F: Flow, C: FnOnce(Box<F>, SessionPipe)> Drop for Driven<F, C> {
    fn drop(&mut self) {
        if let Some(cut) = self.cut.take()
            && let Some((session, pipe)) = self.driver.end()
        {
            cut(session, pipe);
        }
    }
}

impl<F: Flow> Driver<F> {
    /// Makes the driver of a session and its pipe, which are not driven before it is run.
    pub(super) fn begin(mut session: Box<F>, mut pipe: SessionPipe) -> Arc<Self> {
        let is_apart = is_io_thread();
        let is_beside = !is_apart && !is_one_thread();
        let alarm = if is_apart || is_beside {
            None
        } else {
            let alarm = Alarm::new();
            let arrival = Arc::new(Arrival {
                alarm: alarm.clone(),
                caller: pipe.incoming.caller(),
            });
            session.hear_by(Some(arrival.into())).then_some(alarm)
        };
        let task = alarm
            .clone()
            .map_or_else(|| Waker::noop().clone(), Waker::from);
        Arc::new_cyclic(|driver: &Weak<Self>| {
            pipe.offer(driver);
            Driver {
                is_apart,
                is_beside,
                alarm,
                traffic: Mutex::new(Some(Traffic {
                    session,
                    pipe,
                    task,
                })),
            }
        })
    }

    /// Does what [`run`] does. `None`: somebody else has [finished](Self::finish) it.
    pub(super) fn run<C: FnOnce(Box<F>, SessionPipe) + Send + Unpin>(
        self: Arc<Self>,
        cut: C,
    ) -> impl Future<Output = Ended<F>> + Send + Unpin {
        let mut driven = Driven {
            driver: self,
            watch: Watch::default(),
            cut: Some(cut),
        };
        poll_fn(move |cx| {
            let result = ready!(driven.driver.poll(&mut driven.watch, cx));
            driven.cut = None;
            Poll::Ready((driven.driver.end(), result))
        })
    }

    /// Ends it if `is_done` says that nothing is left to be done: `left` gets what it had, and its task ends. Otherwise the
    /// task goes on: then `false`.
    pub(super) fn finish(
        &self,
        is_done: impl FnOnce(&mut F, &mut SessionPipe, &mut Context<'_>) -> bool,
        left: impl FnOnce(Box<F>, SessionPipe),
    ) -> bool {
        let mut place = self.traffic.lock();
        let Some(traffic) = place.as_mut() else {
            return true;
        };
        let task = traffic.task.clone();
        let mut cx = Context::from_waker(&task);
        let is_done = is_done(&mut traffic.session, &mut traffic.pipe, &mut cx);
        drop(place);
        let taken = if is_done { self.end() } else { None };
        task.wake();
        if let Some((session, pipe)) = taken {
            left(session, pipe);
        }
        is_done
    }

    pub(super) fn poll(
        &self,
        watch: &mut Watch,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), DisconnectReason>> {
        if let Some(alarm) = &self.alarm {
            watch.poll_end(alarm, cx);
            if !alarm.begin_poll(cx.waker()) {
                // A call has taken what this was woken for.
                watch.note_in_vain(alarm, cx);
                return Poll::Pending;
            }
            watch.note_needed();
        }
        if self.is_beside {
            let_run();
        }
        match &mut *self.traffic.lock() {
            // Somebody has finished it.
            None => Poll::Ready(Ok(())),
            Some(Traffic {
                session,
                pipe,
                task,
            }) => {
                if self.alarm.is_none() {
                    task.clone_from(cx.waker());
                }
                session.poll_traffic(pipe, &mut Context::from_waker(task))
            }
        }
    }

    /// Takes what it drives away from it.
    fn end(&self) -> Option<(Box<F>, SessionPipe)> {
        let traffic = self.traffic.lock().take()?;
        let Traffic {
            mut session,
            mut pipe,
            ..
        } = traffic;
        session.hear_by(None);
        pipe.withdraw();
        Some((session, pipe))
    }

    /// Drives the driver from a handle: `turn` says what came of it, or nothing where the task has to look.
    /// `false`: nothing did, or somebody else is driving.
    fn driven(
        &self,
        turn: impl FnOnce(&mut F, &mut SessionPipe, &mut Context<'_>) -> Option<bool>,
    ) -> bool {
        let mut traffic = self.traffic.try_lock();
        let Some(Some(traffic)) = traffic.as_deref_mut() else {
            return false;
        };
        note_driven();
        let mut cx = Context::from_waker(&traffic.task);
        turn(&mut traffic.session, &mut traffic.pipe, &mut cx).unwrap_or_else(|| {
            traffic.task.wake_by_ref();
            false
        })
    }
}

impl<F: Flow> Driver<F> {
    /// Sends what is queued, as far as it goes without waiting. Returns `false` if the task has to be woken.
    fn send(&self) -> bool {
        self.driven(|session, pipe, cx| {
            for _ in 0..TURNS {
                match session.poll_send(pipe, cx) {
                    Poll::Ready(Ok(Turn::Moved)) => {}
                    Poll::Ready(Ok(Turn::MovedAll)) | Poll::Pending => {
                        return (!session.needs_task()).then_some(true);
                    }
                    // The task will come to the same end, and knows what to do.
                    Poll::Ready(Ok(Turn::Finished) | Err(_)) => return None,
                }
            }
            // The rest is the task's.
            None
        })
    }
}

impl<F: Flow> Drive for Driver<F> {
    fn drive(&self) -> bool {
        if let Some(alarm) = &self.alarm {
            alarm.note_talk();
        }
        self.send()
    }

    fn drive_next(&self) -> bool {
        match self.is_beside {
            true => send_lone(std::ptr::from_ref(self).addr(), || self.drive()),
            false => self.drive(),
        }
    }

    /// An I/O thread is woken once for all that is queued, and sends it while the application goes on. On one core it gets
    /// its turn when the application waits; a sender that did its work would send less at a time.
    fn relieve(&self) {
        if !self.is_apart {
            self.send();
        }
    }

    fn send_on(&self) {
        if !self.is_apart && !self.is_beside {
            self.send();
        }
    }

    fn bring(&self) -> bool {
        self.driven(F::bring)
    }

    fn hear(&self) {
        self.driven(|session, pipe, cx| {
            if let Some(alarm) = &self.alarm
                && !alarm.look()
            {
                return Some(true);
            }
            pipe.incoming.set_asked(true);
            let heard = session.hear(pipe, cx);
            pipe.incoming.set_asked(false);
            heard
        });
    }

    fn lend(&self) -> Option<Arc<Socket>> {
        if !self.is_apart {
            return None;
        }
        let mut traffic = self.traffic.lock();
        let traffic = traffic.as_mut()?;
        if let Some(socket) = traffic.session.lent() {
            return Some(socket);
        }
        let lent = traffic.session.lend();
        if lent.is_some() || traffic.session.needs_task() {
            // It looks from time to time whether the stream is read.
            traffic.task.wake_by_ref();
        }
        lent
    }

    fn read_lent(&self) -> bool {
        self.driven(F::read_lent)
    }

    fn want_back(&self) {
        if let Some(traffic) = self.traffic.lock().as_mut()
            && traffic.session.want_back()
        {
            traffic.task.wake_by_ref();
        }
    }

    fn exchange(&self) -> bool {
        self.driven(F::exchange)
    }
}
