//! Endpoints of datagrams: a task each, with one mailbox, one pipe and one session. There are no connections, and so nobody
//! is accepted, greeted or lost.
//!
//! ```text
//! mod.rs        what a bound and a connecting endpoint's task does
//! session.rs    moves messages between pipe and mailbox
//! ```
//!
//! A bound mailbox is closed by whoever lets go of the endpoint, as a listener is: its address is free when `unbind`, or the
//! socket's drop, returns. Only if the system has no room for what has yet to be sent from there, its task lingers first. What
//! is left of a runtime's end is sent as far as the system takes it at once, which with datagrams is nearly always all of it.

mod session;

use std::sync::Arc;
use std::task::{Context, Waker};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use zmtp::datagram::Form;

use self::session::DatagramSession;
use super::backoff::Backoff;
use super::dial::lingered;
use super::driver::Driver;
use super::guard::EndpointGuard;
use super::listen::{Listening, Post};
use crate::error::GoneReason;
use crate::monitor::{MonitorEventKind as Kind, Subject};
use crate::pipe::{Origin, SessionPipe};
use crate::rng;
use crate::rules::{Capability, Datagrams};
use crate::state::Shared;
use crate::transport::{self, Mailbox};

/// A bound mailbox, with the session that has it.
struct Bound(Arc<Driver<DatagramSession>>);

impl Post for Bound {
    fn close(&self) -> bool {
        self.0.finish(
            |session, pipe, cx| {
                session.stop_hearing();
                session.send_now(pipe, cx)
            },
            leave,
        )
    }

    fn send_now(&self) {
        self.0.finish(
            |session, pipe, cx| {
                session.send_now(pipe, cx);
                false
            },
            leave,
        );
    }

    fn stop_hearing(&self) {
        self.0.finish(
            |session, _, _| {
                session.stop_hearing();
                false
            },
            leave,
        );
    }
}

/// Leaves what was not sent in the pipe, where it is counted.
fn leave(mut session: Box<DatagramSession>, mut pipe: SessionPipe) {
    session.give_back(&mut pipe);
}

/// Leaves it, once what can be sent at once is sent: the task goes before it is done.
fn leave_cut_short(mut session: Box<DatagramSession>, mut pipe: SessionPipe) {
    if !std::thread::panicking() {
        session.send_now(&mut pipe, &mut Context::from_waker(Waker::noop()));
    }
    leave(session, pipe);
}

/// Returns what datagrams of this socket have in them.
fn form(shared: &Shared) -> Form {
    match shared.config.rules.datagrams {
        Datagrams::Always => Form::Addressed,
        Datagrams::Groups | Datagrams::Never => Form::Grouped,
    }
}

/// Makes the session of a mailbox and a pipe.
fn begin(
    mailbox: Arc<dyn Mailbox>,
    pipe: SessionPipe,
    hears: bool,
    shared: &Shared,
) -> Arc<Driver<DatagramSession>> {
    let session = DatagramSession::new(mailbox, form(shared), hears, shared);
    Driver::begin(Box::new(session), pipe)
}

/// Writes down where a pipe leads. There is no peer to be told of.
fn enter(shared: &Shared, pipe: &SessionPipe, subject: &Subject) {
    let endpoint = subject.endpoint().clone();
    let stats = &shared.state.stats;
    stats.update(pipe.id(), |entry| entry.endpoint = Some(endpoint));
}

/// Begins to hear, and to send, by a mailbox that is bound. Returns what closes it, and its task.
pub(crate) fn serve(
    mailbox: Arc<dyn Mailbox>,
    shared: &Shared,
    origin: Origin,
    ended: &CancellationToken,
) -> (Arc<Listening>, impl Future<Output = ()> + Send + use<>) {
    let subject = Subject::listener(mailbox.endpoint(), mailbox.fd());
    let pipe = shared.pipe(origin);
    enter(shared, &pipe, &subject);
    let outstanding = pipe.outstanding();
    let hears = shared.config.rules.has(Capability::Receives);
    let driver = begin(mailbox, pipe, hears, shared);
    let listening = Listening::with_post(Bound(driver.clone()), subject);
    let guard = EndpointGuard::listening(shared, &listening, origin, ended);
    let guard = guard.with_pipe(outstanding);
    (listening, drive(guard, driver))
}

/// Goes on until nothing is left to be done.
async fn drive(mut guard: EndpointGuard, driver: Arc<Driver<DatagramSession>>) {
    let (ended, _) = driver.run(leave_cut_short).await;
    if let Some((session, pipe)) = ended {
        leave(session, pipe);
    }
    guard.let_go();
}

/// Sends to an endpoint until the socket has no more use for it.
pub(crate) fn connect(pipe: SessionPipe, guard: EndpointGuard) -> impl Future<Output = ()> + Send {
    enter(&guard.shared, &pipe, &guard.subject);
    // Made before the task, which may go before it is polled.
    run(Connecting { pipe, guard })
}

/// An endpoint that has no mailbox yet.
struct Connecting {
    pipe: SessionPipe,
    guard: EndpointGuard,
}

async fn run(mut connecting: Connecting) {
    let Some(mailbox) = connecting.open().await else {
        return;
    };
    let Connecting { pipe, guard } = connecting;
    let driver = begin(mailbox, pipe, false, &guard.shared);
    drive(guard, driver).await;
}

impl Connecting {
    /// Tries until there is a mailbox: the name may have no address yet, or the address no route. `None`: the endpoint has
    /// come to its end.
    async fn open(&mut self) -> Option<Arc<dyn Mailbox>> {
        let Connecting { pipe, guard } = self;
        let shared = guard.shared.clone();
        let options = &shared.config.options;
        let mut backoff = options
            .reconnect_interval
            .map(|interval| Backoff::new(interval, options.reconnect_interval_max));
        loop {
            let opening =
                transport::connect_mailbox(guard.subject.endpoint(), options, shared.network());
            let opened = tokio::select! {
                biased;
                () = lingered(&mut pipe.outgoing) => {
                    guard.let_go();
                    return None;
                }
                opened = opening => opened,
            };
            let failure = match opened {
                Ok(mailbox) => return Some(mailbox),
                Err(failure) => failure,
            };
            let last = failure.to_string();
            guard.emit(Kind::ConnectFailed(failure));
            let Some(backoff) = &mut backoff else {
                guard.gone(GoneReason::NotReconnecting { last });
                return None;
            };
            let delay = backoff.next_delay(&mut rng::rng());
            guard.emit(Kind::ConnectRetried { delay });
            tokio::select! {
                biased;
                () = lingered(&mut pipe.outgoing) => {
                    guard.let_go();
                    return None;
                }
                () = sleep(delay) => {}
            }
        }
    }
}
