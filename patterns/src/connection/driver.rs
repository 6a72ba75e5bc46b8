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

use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use socket2::Socket;

use super::Turn;
use super::alarm::{Alarm, Arrival};
use super::flow::Flow;
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
    cut: impl FnOnce(Box<F>, SessionPipe) + Send,
) -> impl Future<Output = (Box<F>, SessionPipe, Result<(), DisconnectReason>)> + Send {
    let driving = Driver::begin(session, pipe).run(cut);
    async move {
        let (ended, result) = driving.await;
        let (session, pipe) = ended.expect("nobody else has the driver");
        (session, pipe, result)
    }
}

/// What a driver leaves to its task, unless somebody else has finished it, and what it came to.
type Ended<F> = (Option<(Box<F>, SessionPipe)>, Result<(), DisconnectReason>);

/// A driver while its task runs.
struct Driven<F: Flow, C: FnOnce(Box<F>, SessionPipe)> {
    driver: Arc<Driver<F>>,
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
    pub(super) fn run<C: FnOnce(Box<F>, SessionPipe) + Send>(
        self: Arc<Self>,
        cut: C,
    ) -> impl Future<Output = Ended<F>> + Send {
        let mut driven = Driven {
            driver: self,
            cut: Some(cut),
        };
        std::future::poll_fn(move |cx| {
            let result = std::task::ready!(driven.driver.poll(cx));
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

    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<(), DisconnectReason>> {
        if let Some(alarm) = &self.alarm
            && !alarm.begin_poll(cx.waker())
        {
            // A call has taken what this was woken for.
            return Poll::Pending;
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

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::pipe::Popped;
    use crate::pipe::tests::Socket;

    /// Counts how often it is to send, how often its task looks, and how often a call takes what has come.
    #[derive(Default)]
    struct Counts {
        sent: AtomicUsize,
        looked: AtomicUsize,
        heard: AtomicUsize,
    }

    /// With what is woken by its stream.
    struct Counted(Arc<Counts>, Arc<Mutex<Option<Waker>>>);

    impl Flow for Counted {
        fn poll_traffic(
            &mut self,
            _: &mut SessionPipe,
            _: &mut Context<'_>,
        ) -> Poll<Result<(), DisconnectReason>> {
            self.0.looked.fetch_add(1, Ordering::Relaxed);
            Poll::Pending
        }

        fn poll_send(
            &mut self,
            _: &mut SessionPipe,
            _: &mut Context<'_>,
        ) -> Poll<io::Result<Turn>> {
            self.0.sent.fetch_add(1, Ordering::Relaxed);
            Poll::Pending
        }

        fn hear_by(&mut self, waker: Option<Waker>) -> bool {
            *self.1.lock() = waker;
            true
        }

        fn hear(&mut self, _: &mut SessionPipe, _: &mut Context<'_>) -> Option<bool> {
            self.0.heard.fetch_add(1, Ordering::Relaxed);
            Some(true)
        }

        fn exchange(&mut self, _: &mut SessionPipe, _: &mut Context<'_>) -> Option<bool> {
            Some(false)
        }
    }

    /// Begins a session, asks it for something, and returns how often it has sent.
    fn sent_when_asked(ask: fn(&Driver<Counted>)) -> usize {
        let (socket, counts) = (Socket::new(1), Arc::<Counts>::default());
        let session = Box::new(Counted(counts.clone(), Arc::default()));
        ask(&Driver::begin(session, socket.pipe()));
        counts.sent.load(Ordering::Relaxed)
    }

    #[test]
    fn a_full_pipe_is_relieved_by_its_sender_unless_an_io_thread_has_the_session() {
        assert_eq!(sent_when_asked(Driver::relieve), 1);
        let on_io_thread = || {
            crate::coop::become_io_thread();
            (
                sent_when_asked(Driver::relieve),
                sent_when_asked(|driver| {
                    driver.drive();
                }),
            )
        };
        let counts = std::thread::spawn(on_io_thread).join().expect("it counts");
        assert_eq!(counts, (0, 1), "a lone message still goes at once");
    }

    #[test]
    fn a_task_of_the_same_thread_is_left_no_message_that_finds_it_at_rest() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime");
        let _inside = runtime.enter();
        let both = |driver: &Driver<_>| _ = (driver.drive_next(), driver.drive_next());
        assert_eq!(sent_when_asked(both), 2);
    }

    #[test]
    fn a_thread_that_is_held_long_sends_what_no_other_thread_does() {
        assert_eq!(sent_when_asked(Driver::send_on), 0, "others are there");
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime");
        let _inside = runtime.enter();
        assert_eq!(sent_when_asked(Driver::send_on), 1);
    }

    #[test]
    fn a_session_beside_its_application_lets_that_go_on_behind_a_stream() {
        let poll = || {
            let session = Box::new(Counted(Arc::default(), Arc::default()));
            let driver = Driver::begin(session, Socket::new(1).pipe());
            crate::coop::note_stream();
            drop(driver.poll(&mut Context::from_waker(Waker::noop())));
            crate::coop::has_streamed()
        };
        assert!(!poll(), "it lets others run");
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime");
        let _inside = runtime.enter();
        assert!(poll(), "the application waits for this thread");
    }

    #[test]
    fn what_is_to_leave_at_once_is_left_to_no_task() {
        let sent = sent_when_asked(|driver| {
            driver.drive_next();
            driver.drive();
            driver.drive();
        });
        assert_eq!(sent, 3, "the first is a lone message");
    }

    /// What comes to a call that has just sent something is taken by that call, and the task need not look again. What comes to
    /// others is the task's, and so is what the call leaves.
    #[test]
    fn the_task_looks_at_what_no_call_has_taken() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime");
        let _inside = runtime.enter();
        let (socket, counts, stream) = (Socket::new(1), Arc::<Counts>::default(), Arc::default());
        let session = Box::new(Counted(counts.clone(), Arc::clone(&stream)));
        let driver = Driver::begin(session, socket.pipe());
        let (_writer, mut reader) = socket.ends();
        let arrives = || {
            let waker = stream.lock().clone().expect("it hears by a waker");
            waker.wake();
        };
        let poll = || drop(driver.poll(&mut Context::from_waker(Waker::noop())));
        let seen = || {
            (
                counts.looked.load(Ordering::Relaxed),
                counts.heard.load(Ordering::Relaxed),
            )
        };
        poll();
        assert!(matches!(reader.pop(), Popped::Empty));
        arrives();
        assert!(!socket.readers.has_events(), "nobody talks");
        poll();
        assert_eq!(seen(), (2, 0));
        driver.drive();
        arrives();
        assert!(socket.readers.has_events());
        assert!(matches!(reader.pop(), Popped::Empty));
        poll();
        assert_eq!(seen(), (2, 1), "the call has taken it");
        arrives();
        poll();
        assert_eq!(seen(), (3, 1), "nobody else came");
        driver.drive();
        arrives();
        poll();
        assert!(matches!(reader.pop(), Popped::Empty));
        assert_eq!(seen(), (4, 1), "the task has taken it");
    }
}
