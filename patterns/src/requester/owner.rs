//! What a requester's handles and its task share, and the task: it sends what had no room at once, and takes what comes.

#[cfg(all(test, purezmq_loom))]
mod loom_tests;

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Sleep;
use zmtp::{Envelope, Message};

use super::asks::{Asked, Asks};
use super::error::{RequestError, RequesterError};
use super::requests::{Number, Requests, TimedOut};
use crate::context::Context;
use crate::coop::yield_to_others;
use crate::core::call::{CallTimeout, RecvOp};
use crate::core::{Core, Refusal};
use crate::error::RecvError;
use crate::runtime;
use crate::socket::Socket;
use crate::sync::Mutex;

/// Messages that are taken under one lock.
const BURST: usize = 64;

/// Bursts before the task yields.
const TURNS: usize = 16;

/// Frames that are as much work as another message.
const FRAMES_A_MESSAGE: usize = 16;

/// What requests wait for, unless they say otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Defaults {
    pub(super) timeout: Option<Duration>,
    pub(super) retries: u32,
    /// Each message ends in a frame for its envelope: the span that it belongs to, or an empty one.
    #[cfg(feature = "opentelemetry")]
    pub(super) traces: bool,
}

/// What all handles and requests of a requester hold. With the last one the socket is closed.
pub(super) struct Handle<P: Asks> {
    pub(super) shared: Arc<Shared<P>>,
    pub(super) defaults: Defaults,
    context: Context,
    affinity: u64,
}

pub(super) struct Shared<P: Asks> {
    state: Mutex<State<P>>,
    /// Told when nothing is under way any more, while it drains.
    idle: Notify,
}

pub(super) struct State<P: Asks> {
    /// Nothing once it has ended.
    socket: Option<Socket<P>>,
    pub(super) requests: Requests,
    draft: Envelope,
    asking: Asking,
    /// The task, and whether there is something for it that its socket does not wake it for.
    task: Waker,
    calls_task: bool,
    drains: bool,
    /// Why it has ended.
    end: Option<RequestError>,
}

/// Makes a requester's handle, and starts its task.
pub(super) fn start<P: Asks>(
    socket: Socket<P>,
    defaults: Defaults,
    most: usize,
) -> Result<Arc<Handle<P>>, RequesterError> {
    let runtime = socket.context_of().runtime(socket.options().affinity);
    let runtime = runtime.filter(|runtime| runtime::lacks(runtime, false).is_none());
    let runtime = runtime.ok_or(RequesterError::NoRuntime)?;
    let (handle, task) = make(socket, defaults, most);
    runtime.spawn(task);
    Ok(handle)
}

/// Makes a requester's handle, and its task.
pub(super) fn make<P: Asks>(
    socket: Socket<P>,
    defaults: Defaults,
    most: usize,
) -> (Arc<Handle<P>>, Task<P>) {
    let context = socket.context_of();
    let affinity = socket.options().affinity;
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            socket: Some(socket),
            requests: Requests::new(most),
            draft: Envelope::default(),
            asking: Asking {
                #[cfg(feature = "opentelemetry")]
                traces: defaults.traces,
            },
            task: Waker::noop().clone(),
            calls_task: false,
            drains: false,
            end: None,
        }),
        idle: Notify::new(),
    });
    let task = Task {
        shared: shared.clone(),
        woken: Vec::new(),
    };
    let handle = Handle {
        shared,
        defaults,
        context,
        affinity,
    };
    (Arc::new(handle), task)
}

impl<P: Asks> Handle<P> {
    /// Makes a timer, whatever executor polls it.
    pub(super) fn timer(&self, time: Duration) -> Sleep {
        self.context.timer(self.affinity, time)
    }
}

impl<P: Asks> Drop for Handle<P> {
    fn drop(&mut self) {
        let (_, socket) = self.shared.end(RequestError::Closed);
        drop(socket);
    }
}

impl<P: Asks> Shared<P> {
    /// Acts under the lock. Whoever has something to look at then is woken without it.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut State<P>) -> T) -> T {
        let mut state = self.state.lock();
        let done = act(&mut state);
        let task = std::mem::take(&mut state.calls_task).then(|| state.task.clone());
        let woken = std::mem::take(&mut state.requests.woken);
        let spent = std::mem::take(&mut state.requests.spent);
        let is_idle = state.drains && state.requests.is_idle();
        drop(state);
        drop(spent);
        if let Some(task) = task {
            task.wake();
        }
        for waker in woken {
            waker.wake();
        }
        if is_idle {
            self.idle.notify_waiters();
        }
        done
    }

    /// Acts on the socket, unless that has ended. Whatever is done to it, the task looks.
    pub(super) fn with_socket<T>(&self, act: impl FnOnce(&mut Socket<P>) -> T) -> Option<T> {
        self.with(|state| {
            state.calls_task = true;
            state.socket.as_mut().map(act)
        })
    }

    /// Refuses new requests from now on.
    pub(super) fn begin_drain(&self) {
        self.with(|state| {
            state.drains = true;
            state.requests.fail_places(&RequestError::Draining);
            state.calls_task = true;
        });
    }

    /// Waits until nothing is under way, and nothing waits.
    pub(super) async fn idle(&self) {
        loop {
            let mut idle = pin!(self.idle.notified());
            idle.as_mut().enable();
            if self.with(|state| state.requests.is_idle()) {
                return;
            }
            idle.await;
        }
    }

    /// Ends it, unless it has ended, and returns how many requests that left without an answer, and the socket, which is to
    /// be dropped without the lock.
    pub(super) fn end(&self, why: RequestError) -> (usize, Option<Socket<P>>) {
        self.with(|state| state.end(why))
    }
}

impl<P: Asks> State<P> {
    fn end(&mut self, why: RequestError) -> (usize, Option<Socket<P>>) {
        self.calls_task = true;
        let why = self.end.get_or_insert(why);
        let before = self.requests.statistics();
        self.requests.fail_all(why);
        (before.under_way + before.waiting, self.socket.take())
    }

    /// Returns why no new request is taken.
    fn refuses(&self) -> Result<(), RequestError> {
        match &self.end {
            Some(why) => Err(why.clone()),
            None if self.drains => Err(RequestError::Draining),
            None => Ok(()),
        }
    }

    /// Begins a request: sends it, if that can be done at once.
    pub(super) fn begin(
        &mut self,
        mut body: Message,
        waker: &Waker,
    ) -> Result<Number, RequestError> {
        self.refuses()?;
        if self.requests.is_clear() {
            let number = self.requests.next_number();
            let Some(socket) = &mut self.socket else {
                return Err(RequestError::Closed);
            };
            let (draft, asking) = (&mut self.draft, self.asking);
            let sent = socket
                .handle
                .try_now(|core| asking.ask(core, draft, number, &mut body));
            match sent {
                Poll::Ready(Ok(asked)) => {
                    self.requests.enter_asked(number, asked, waker);
                    return Ok(number);
                }
                Poll::Ready(Err(refusal)) => return Err(failed(refusal)),
                Poll::Pending => {}
            }
        }
        let number = self.requests.enter_waiting(Some(body), waker);
        self.calls_task |= self.requests.has_queued();
        Ok(number)
    }

    /// Begins to wait for a place for a request that is yet to come.
    #[cfg(feature = "tower")]
    pub(super) fn reserve(&mut self, waker: &Waker) -> Result<Number, RequestError> {
        self.refuses()?;
        Ok(self.requests.enter_waiting(None, waker))
    }

    /// Has a request sent that has a place.
    #[cfg(feature = "tower")]
    pub(super) fn fill(
        &mut self,
        number: Number,
        body: Message,
        waker: &Waker,
    ) -> Result<(), RequestError> {
        self.requests.fill(number, body, waker)?;
        self.calls_task = true;
        Ok(())
    }

    /// Gives a place back that no request has used.
    #[cfg(feature = "tower")]
    pub(super) fn give_back(&mut self, number: Number) {
        self.requests.give_back(number);
        self.calls_task |= self.requests.has_queued();
    }

    /// Sends a request once more.
    pub(super) fn repeat(&mut self, number: Number, body: Message) {
        self.requests.repeat(number, body);
        self.calls_task |= self.requests.has_queued();
    }

    /// Forgets a request that nobody waits for.
    pub(super) fn cancel(&mut self, number: Number) {
        if self.requests.cancel(number) {
            self.count_discarded(1);
        }
        self.calls_task |= self.requests.has_queued();
    }

    /// Gives a request up whose time is over.
    pub(super) fn time_out(&mut self, number: Number) -> Option<Result<Message, TimedOut>> {
        let outcome = self.requests.time_out(number);
        self.calls_task |= self.requests.has_queued();
        outcome
    }

    fn count_discarded(&self, messages: usize) {
        if let Some(socket) = &self.socket {
            let stats = &socket.handle.shared.state.stats;
            stats.discarded.add(messages);
        }
    }

    /// Does a share of the task's work.
    fn turn(&mut self, cx: &mut TaskContext<'_>) -> Turn<P> {
        if !self.task.will_wake(cx.waker()) {
            self.task = cx.waker().clone();
        }
        if self.end.is_some() {
            return Turn::Over(None);
        }
        self.requests.admit();
        if self.send_queued(cx) {
            return Turn::Over(self.end(RequestError::ContextClosed).1);
        }
        let State {
            socket,
            requests,
            draft,
            ..
        } = self;
        let Some(socket) = socket else {
            return Turn::Over(None);
        };
        let mut answers = Answers { requests, draft };
        match socket.poll_recv_of(cx, &mut answers, &mut CallTimeout::endless()) {
            Poll::Ready(Ok(())) => Turn::More,
            Poll::Ready(Err(RecvError::Gone(last))) => {
                self.requests.fail_asked(&RequestError::Gone(last));
                // Those that waited behind them are told when they are to be sent.
                self.requests.admit();
                match self.requests.has_queued() {
                    true => Turn::More,
                    false => Turn::Idle,
                }
            }
            Poll::Ready(Err(RecvError::ContextClosed)) => {
                Turn::Over(self.end(RequestError::ContextClosed).1)
            }
            // The application has it drain, by `with`.
            Poll::Ready(Err(_)) => Turn::Over(self.end(RequestError::Closed).1),
            Poll::Pending => Turn::Idle,
        }
    }

    /// Sends what waits for a peer that has room. `true`: the socket's context is closed.
    fn send_queued(&mut self, cx: &mut TaskContext<'_>) -> bool {
        let asking = self.asking;
        let State {
            socket,
            requests,
            draft,
            ..
        } = self;
        let Some(socket) = socket else {
            return false;
        };
        for _ in 0..BURST {
            let Some((number, body)) = requests.first_queued() else {
                return false;
            };
            let ask = |core: &mut Core<P>| asking.ask(core, draft, number, body);
            match socket.handle.poll_send(cx, ask) {
                Poll::Ready(Ok(asked)) => requests.was_asked(number, asked),
                Poll::Ready(Err(Refusal::ContextClosed)) => return true,
                Poll::Ready(Err(refusal)) => requests.fail(number, failed(refusal)),
                Poll::Pending => return false,
            }
        }
        // There may be more.
        self.calls_task |= self.requests.has_queued();
        false
    }
}

/// How requests are asked.
#[derive(Clone, Copy)]
struct Asking {
    #[cfg(feature = "opentelemetry")]
    traces: bool,
}

impl Asking {
    /// Queues a request to one peer: [`Asks::ask`].
    fn ask<P: Asks>(
        self,
        core: &mut Core<P>,
        draft: &mut Envelope,
        number: Number,
        body: &mut Message,
    ) -> Poll<Result<Asked, Refusal>> {
        #[cfg(feature = "opentelemetry")]
        if self.traces
            && let Some(span) = body.pop_back()
        {
            let asked = P::ask(core, draft, number, &span, body);
            if asked.is_pending() {
                body.push_back(span);
            }
            return asked;
        }
        P::ask(core, draft, number, b"", body)
    }
}

/// What a share of the task's work came to.
enum Turn<P: Asks> {
    /// There may be more.
    More,
    /// Whatever comes wakes the task.
    Idle,
    /// It has ended. The socket is to be dropped without the lock.
    Over(Option<Socket<P>>),
}

/// Takes a burst of what has come.
struct Answers<'a> {
    requests: &'a mut Requests,
    draft: &'a mut Envelope,
}

impl<P: Asks> RecvOp<P> for Answers<'_> {
    type Item = ();

    fn take(&mut self, core: &mut Core<P>) -> Poll<Result<(), Refusal>> {
        let (mut work, mut discarded) = (0, 0);
        while work < BURST
            && let Some(came) = P::take(core, self.draft)
        {
            work += 1 + came.frames / FRAMES_A_MESSAGE;
            let is_answer = self.requests.settle(came, |pipe| P::has(core, pipe));
            discarded += usize::from(!is_answer);
        }
        core.count_served(work);
        if discarded > 0 {
            core.shared.state.stats.discarded.add(discarded);
        }
        match work {
            0 => Poll::Pending,
            _ => Poll::Ready(Ok(())),
        }
    }
}

fn failed(refusal: Refusal) -> RequestError {
    match refusal {
        Refusal::Gone(last) => RequestError::Gone(last),
        Refusal::Multipart => RequestError::Multipart,
        Refusal::ContextClosed => RequestError::ContextClosed,
        Refusal::State(_)
        | Refusal::Unroutable
        | Refusal::Unsupported
        | Refusal::Group(_)
        | Refusal::Datagram(_)
        | Refusal::Drained => RequestError::Closed,
    }
}

/// The requester's task. If it goes before the requester has ended, its runtime has.
pub(super) struct Task<P: Asks> {
    shared: Arc<Shared<P>>,
    /// Kept for its buffer.
    woken: Vec<Waker>,
}

impl<P: Asks> Future for Task<P> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let this = self.get_mut();
        for _ in 0..TURNS {
            let turn = this.shared.with(|state| {
                let turn = state.turn(cx);
                std::mem::swap(&mut this.woken, &mut state.requests.woken);
                turn
            });
            for waker in this.woken.drain(..) {
                waker.wake();
            }
            match turn {
                Turn::More => {}
                Turn::Idle => return Poll::Pending,
                Turn::Over(socket) => {
                    drop(socket);
                    return Poll::Ready(());
                }
            }
        }
        yield_to_others(cx);
        Poll::Pending
    }
}

impl<P: Asks> Drop for Task<P> {
    fn drop(&mut self) {
        let (_, socket) = self.shared.end(RequestError::RuntimeEnded);
        drop(socket);
    }
}
