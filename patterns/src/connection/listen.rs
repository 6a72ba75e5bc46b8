//! Listening: accepts connections for a bound endpoint, and gives each a session and a pipe of its own.
//! Spawned by the core of a socket, which has the listener, too, to close it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Session;
use super::admission::{ConnectionLimiter, Permit};
use super::filter::kept_out_by;
use super::guard::{ConnectionGuard, EndpointGuard};
use crate::monitor::{DisconnectReason, MonitorEventKind as Kind, Subject};
use crate::peer_address::PeerAddress;
use crate::security::Access;
use crate::state::{Admitted, ConnectionPlace, Shared};
use crate::sync::Mutex;
use crate::transport::{ByteStream, Listener, Stream, reachable_from_other_hosts};

/// Pauses after a failed accept: the cause (no file descriptors left, say) needs time to pass.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What is bound: a listener, which the endpoint's task accepts from, or a mailbox. Whoever lets go of the endpoint closes it:
/// so its address is free when `unbind` returns, or the socket's drop, however busy the task's runtime is, and whether or not
/// it still runs.
pub(crate) struct Listening {
    /// Nothing once it is closed.
    open: Mutex<Option<Open>>,
    subject: Subject,
}

enum Open {
    Listener(Listener),
    Post(Box<dyn Post>),
}

/// A mailbox that is bound, with the session that has it.
pub(super) trait Post: Send + Sync {
    /// Sends what is queued, and closes the mailbox. `false`: something is left that the system has no room for now; the
    /// task sends it, and nothing more is heard.
    fn close(&self) -> bool;
    /// Sends what is queued, as far as the system takes it.
    fn send_now(&self);
    /// Takes nothing more of what comes. What is sent goes out.
    fn stop_hearing(&self);
}

impl Listening {
    pub(crate) fn new(listener: Listener) -> Arc<Self> {
        Arc::new(Listening {
            subject: Subject::listener(listener.endpoint(), listener.fd()),
            open: Mutex::new(Some(Open::Listener(listener))),
        })
    }

    /// Makes one of a mailbox, whose task is another one than below.
    pub(super) fn with_post(post: impl Post + 'static, subject: Subject) -> Arc<Self> {
        Arc::new(Listening {
            open: Mutex::new(Some(Open::Post(Box::new(post)))),
            subject,
        })
    }

    /// Returns what its events are about.
    pub(crate) fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Waits for the next connection. `None`: it is closed.
    async fn accept(&self) -> Option<io::Result<(Stream, PeerAddress)>> {
        std::future::poll_fn(|cx| match &*self.open.lock() {
            Some(Open::Listener(listener)) => listener.poll_accept(cx).map(Some),
            Some(Open::Post(_)) | None => std::task::Poll::Ready(None),
        })
        .await
    }

    /// Closes it, if it is not closed yet, and tells. A mailbox with something yet to be sent is closed when that is done.
    pub(crate) fn close(&self, shared: &Shared) {
        let mut place = self.open.lock();
        let closed = match place.take() {
            None => return,
            Some(Open::Listener(listener)) => {
                drop(place);
                match listener.close() {
                    Ok(()) => Kind::Closed,
                    Err(error) => Kind::CloseFailed(Arc::new(error)),
                }
            }
            Some(Open::Post(post)) => {
                if !post.close() {
                    *place = Some(Open::Post(post));
                    return;
                }
                drop(place);
                Kind::Closed
            }
        };
        shared.state.events.emit(&self.subject, closed);
    }

    /// Sends what a mailbox's pipe has, as far as the system takes it.
    pub(super) fn send_now(&self) {
        if let Some(Open::Post(post)) = &*self.open.lock() {
            post.send_now();
        }
    }

    /// Takes nothing more of what comes: a listener is closed, and a mailbox hears nothing, as it may have yet to send.
    pub(crate) fn stop_accepting(&self, shared: &Shared) {
        if let Some(Open::Post(post)) = &*self.open.lock() {
            return post.stop_hearing();
        }
        self.close(shared);
    }
}

/// Accepts until the socket lets go of the endpoint.
pub(crate) async fn listen(mut guard: EndpointGuard, listening: Arc<Listening>) {
    let limiter = ConnectionLimiter::new(&guard.shared.config.options);
    let mut pause = FIRST_PAUSE;
    let requires = guard.shared.config.options.require_authentication;
    let access = match guard.subject.endpoint() {
        endpoint if requires && reachable_from_other_hosts(endpoint) => Access::Guarded,
        _ => Access::Open,
    };
    loop {
        let accepted = tokio::select! {
            biased;
            () = guard.ended.cancelled() => break,
            accepted = listening.accept() => accepted,
        };
        match accepted {
            None => {
                // Of a socket that drains: those who came stay.
                guard.ended.cancelled().await;
                break;
            }
            Some(Ok((stream, peer))) => {
                pause = FIRST_PAUSE;
                let (local, fd) = (stream.local_address(), stream.fd());
                let subject = guard.subject.connection(peer.clone(), local, fd);
                let connection = ConnectionGuard::new(&guard.shared, subject, guard.origin);
                connection.emit(Kind::Accepted);
                if let Some(option) = kept_out_by(&guard.shared.config.options, &peer) {
                    connection.end(DisconnectReason::KeptOut { option });
                    continue;
                }
                let (permit, lost) = match limiter.enter(&peer) {
                    Ok(entered) => entered,
                    Err(option) => {
                        connection.end(DisconnectReason::TooManyConnections { option });
                        continue;
                    }
                };
                let arrival = Arrival {
                    stream,
                    peer,
                    access,
                    permit: Box::new(permit),
                    lost,
                    ended: guard.ended.clone(),
                    guard: connection,
                };
                let serving = serve(Box::new(arrival));
                let shared = &guard.shared;
                shared.spawn(guard.origin, serving, &Handle::current());
            }
            Some(Err(error)) => {
                guard.emit(Kind::AcceptFailed(Arc::new(error)));
                tokio::select! {
                    biased;
                    () = guard.ended.cancelled() => break,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
    guard.let_go();
}

/// A connection that has been accepted.
struct Arrival {
    stream: Stream,
    peer: PeerAddress,
    access: Access,
    /// In a box of its own: with it, the task would be in the next larger class of sizes.
    permit: Box<Permit>,
    /// Somebody else needs the place in the limiter.
    lost: oneshot::Receiver<&'static str>,
    ended: CancellationToken,
    guard: ConnectionGuard,
}

/// Returns what is in a box, which is gone then. A `*` would keep it until the end of the scope.
#[allow(clippy::boxed_local)] // That it ends here is the point.
fn unbox<T>(boxed: Box<T>) -> T {
    *boxed
}

/// Serves an accepted connection to its end. There may be ten thousand of them at rest, so the future is kept small: what
/// it begins with comes in a box, since arguments of an async function stay in it beside what is made of them, and
/// what only the handshake needs is given back with that.
async fn serve(arrival: Box<Arrival>) {
    let Arrival {
        stream,
        peer,
        access,
        permit,
        lost,
        ended,
        mut guard,
    } = unbox(arrival);
    let place = ConnectionPlace::arriving(&guard.shared.state);
    let mut session = Session::new(stream, &guard.shared);
    let greeting = async {
        if !guard.shared.has_place() {
            // Told READY, it would send what it has.
            return Err(DisconnectReason::Occupied);
        }
        if guard.shared.state.draining.has_begun() {
            return Err(DisconnectReason::Local);
        }
        session.comes();
        session.pays(permit.toll());
        let greeted = tokio::select! {
            biased;
            () = ended.cancelled() => Err(DisconnectReason::Local),
            option = lost => Err(DisconnectReason::TooManyConnections {
                option: option.unwrap_or("max_handshakes"),
            }),
            greeted = session.handshake(&guard.shared, access, &peer) => greeted,
        };
        let info = greeted?;
        permit.greeted();
        let known = session.peer(&guard.shared, peer, &info);
        let (mut pipe, admitted) = guard.shared.pipe_for(guard.origin, Some(&known));
        guard.pipe = Some(pipe.outstanding());
        place.known(&known, &pipe);
        guard.greeted = true;
        guard.subject.met(&info, pipe.name());
        guard.enter(pipe.id(), &known);
        guard.emit(Kind::HandshakeSucceeded);
        match admitted {
            Ok(Admitted { took_over: true }) => guard.emit(Kind::HandedOver),
            Ok(Admitted { took_over: false }) => {}
            Err(unplaced) => {
                guard.ignore(unplaced)?;
                let who = (guard.origin, &known);
                Box::pin(session.wait_for_name(&guard.shared, &mut pipe, who, &ended)).await?;
                guard.enter(pipe.id(), &known);
                guard.emit(Kind::LetIn);
            }
        }
        Ok(pipe)
    };
    let pipe = match Box::pin(greeting).await {
        Ok(pipe) => pipe,
        Err(reason) => {
            guard.subject.refused(session.refused());
            // Others may have its place among those who shake hands.
            permit.greeted();
            let breaking_off = async move {
                session.break_off(&ended).await;
                drop(session);
                guard.end(reason);
            };
            return Box::pin(breaking_off).await;
        }
    };
    // In a box, too: a stranger who says nothing gets no room for it.
    let (pipe, reason) = Box::pin(session.run(&guard, pipe)).await;
    drop(pipe);
    guard.end(reason);
}
