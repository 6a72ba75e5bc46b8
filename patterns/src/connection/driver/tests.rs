//! Who drives, and who is woken, in place of a session that counts what it is asked.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::*;
use crate::pipe::Popped;
use crate::pipe::tests::Socket;

/// Counts how often it is to send, how often its task looks, and how often a call takes what has come.
#[derive(Default)]
pub(in crate::connection) struct Counts {
    sent: AtomicUsize,
    looked: AtomicUsize,
    heard: AtomicUsize,
}

/// With what is woken by its stream.
pub(in crate::connection) struct Counted(
    pub(in crate::connection) Arc<Counts>,
    pub(in crate::connection) Arc<Mutex<Option<Waker>>>,
);

impl Counts {
    pub(in crate::connection) fn looked(&self) -> usize {
        self.looked.load(Ordering::Relaxed)
    }
}

impl Flow for Counted {
    fn poll_traffic(
        &mut self,
        _: &mut SessionPipe,
        _: &mut Context<'_>,
    ) -> Poll<Result<(), DisconnectReason>> {
        self.0.looked.fetch_add(1, Ordering::Relaxed);
        Poll::Pending
    }

    fn poll_send(&mut self, _: &mut SessionPipe, _: &mut Context<'_>) -> Poll<io::Result<Turn>> {
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
        drop(driver.poll(
            &mut Watch::default(),
            &mut Context::from_waker(Waker::noop()),
        ));
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
    let poll = || {
        drop(driver.poll(
            &mut Watch::default(),
            &mut Context::from_waker(Waker::noop()),
        ))
    };
    let seen = || (counts.looked(), counts.heard.load(Ordering::Relaxed));
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

/// Counts how often a task is woken, and tells.
#[derive(Default)]
struct Wakes {
    count: AtomicUsize,
    told: Notify,
}

impl std::task::Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.told.notify_one();
    }
}

/// A task that was woken in vain again and again is woken for nothing that a call is woken for, until a clock rings: then it
/// sees to what that call has left.
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    ignore = "the system has no clock for it"
)]
#[tokio::test]
async fn what_a_watched_call_leaves_is_the_tasks_soon() {
    let (socket, counts, stream) = (Socket::new(1), Arc::<Counts>::default(), Arc::default());
    let session = Box::new(Counted(counts.clone(), Arc::clone(&stream)));
    let driver = Driver::begin(session, socket.pipe());
    let (_writer, mut reader) = socket.ends();
    let (wakes, mut watch) = (Arc::<Wakes>::default(), Watch::default());
    let woken = || wakes.count.load(Ordering::Relaxed);
    let task = Waker::from(wakes.clone());
    let mut poll = || {
        drop(driver.poll(&mut watch, &mut Context::from_waker(&task)));
        watch.lasts()
    };
    let mut arrives = |is_taken: bool| {
        driver.drive();
        assert!(matches!(reader.pop(), Popped::Empty));
        reader.stay();
        assert!(socket.readers.park(Waker::noop()), "nothing has come");
        stream.lock().clone().expect("it hears by a waker").wake();
        if is_taken {
            assert!(matches!(reader.pop(), Popped::Empty));
        }
    };
    poll();
    let mut answers = 0;
    loop {
        arrives(true);
        answers += 1;
        assert_eq!(woken(), answers, "the task is woken, too");
        if poll() {
            break;
        }
    }
    assert_eq!(counts.looked(), 1, "and in vain");
    arrives(true);
    arrives(false);
    assert_eq!(woken(), answers, "calls are woken alone");
    let is_woken = async {
        while woken() == answers {
            wakes.told.notified().await;
        }
    };
    let limit = Duration::from_secs(10);
    tokio::time::timeout(limit, is_woken)
        .await
        .expect("a clock rings");
    assert!(!poll(), "the watch has ended");
    assert_eq!(counts.looked(), 2, "it has come for what was left");
    arrives(false);
    assert_eq!(woken(), answers + 2);
}
