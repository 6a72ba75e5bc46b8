//! The context: sockets of one context can meet by inproc names, and may share I/O threads.

mod closing;
mod members;

use std::any::Any;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Sleep, timeout};

#[cfg(feature = "expose")]
pub(crate) use self::members::Look;
pub(crate) use self::members::{Attached, Member, Members};
use crate::error::{CloseReport, ContextReport};
use crate::inproc;
use crate::io_threads::{self, Begin, IoThreads, OfProcess};
use crate::logs;
use crate::runtime;
use crate::security::{Authenticator, Authority, PeerSelector};
use crate::state::Configs;
use crate::sync::Mutex;
use crate::transport::AnyTransport;
#[cfg(purezmq_simulation)]
use crate::transport::simulated::{Network, Simulated};

/// How long the drop of the last blocking socket waits for what was sent. A peer that is not there may never come, and a
/// program has to end.
const FLUSH: Duration = Duration::from_secs(5);

/// How long a runtime does not answer that is taken to be kept from running.
const NO_ANSWER: Duration = Duration::from_millis(250);

/// How long connections may still say goodbye when the time of `close` is over.
const AFTER_LINGER: Duration = Duration::from_millis(100);

/// A family of sockets that know each other's `inproc://` names.
///
/// Sockets made with `new()` share one context of the process, [`Context::global`]. Make another one to keep names apart, and
/// give it to [`Builder::context`](crate::socket::Builder::context). A context is cheap to clone, and ends
/// with its last socket.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use purezmq::{Context, PullSocket, PushSocket};
///
/// let context = Context::new();
/// let mut pull = PullSocket::builder().context(&context).build()?;
/// pull.bind("inproc://work").await?;
/// let mut push = PushSocket::builder().context(&context).build()?;
/// push.connect("inproc://work")?;
/// push.send("to do").await?;
/// assert_eq!(pull.recv().await?, "to do");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Context {
    names: Arc<inproc::Names>,
    io_threads: Option<Arc<IoThreads>>,
    authority: Arc<Authority>,
    members: Arc<Members>,
    configs: Arc<Configs>,
    /// The members of all contexts with this authority: two, of those that are not given a context.
    guarded: Arc<Mutex<Vec<Arc<Members>>>>,
    #[cfg(purezmq_simulation)]
    network: Option<Arc<dyn AnyTransport>>,
}

impl Context {
    /// Makes a context of its own.
    pub fn new() -> Self {
        let names = Arc::<inproc::Names>::default();
        let authority = Arc::new(Authority::new(Box::new(Arc::downgrade(&names))));
        let members = Arc::<Members>::default();
        Context {
            names,
            io_threads: None,
            authority,
            guarded: Arc::new(Mutex::new(vec![members.clone()])),
            members,
            configs: Arc::default(),
            #[cfg(purezmq_simulation)]
            network: None,
        }
    }

    /// Makes a context that runs the connections of its sockets on `count` threads of its own (at least one),
    /// instead of on the runtime in which `bind` and `connect` are called. Those calls then need no
    /// runtime, and neither do `send` and `recv`, which any executor can drive; only the timeouts of
    /// `send_timeout` and `recv_timeout` are tokio's. The threads end with the last of the context's
    /// connections.
    ///
    /// A message crosses a thread on its way, which costs time in which a lone message waits for a thread
    /// to wake; in return the connections live on whatever the application's threads do.
    ///
    /// ```
    /// use futures::executor::block_on;
    /// use purezmq::{Context, PullSocket, PushSocket};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let context = Context::with_io_threads(1)?;
    /// let mut pull = PullSocket::builder().context(&context).build()?;
    /// let endpoint = block_on(pull.bind("tcp://127.0.0.1:*"))?;
    /// let mut push = PushSocket::builder().context(&context).build()?;
    /// push.connect(&endpoint)?;
    /// block_on(push.send("no runtime here"))?;
    /// assert_eq!(block_on(pull.recv())?, "no runtime here");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The system refused a thread or its event queue.
    pub fn with_io_threads(count: usize) -> io::Result<Self> {
        Ok(Context {
            io_threads: Some(IoThreads::start(count.max(1), None)?),
            ..Context::new()
        })
    }

    /// Makes a context with I/O threads of its own, as [`with_io_threads`](Self::with_io_threads) does. Each calls `begin`
    /// with its number, from 0 on, when it starts: to take a name, a priority, or its place among the processors. What that
    /// returns is dropped by the same thread, as the last it does.
    ///
    /// # Errors
    ///
    /// The system refused a thread or its event queue.
    pub fn with_prepared_io_threads<T: 'static>(
        count: usize,
        begin: impl Fn(usize) -> T + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let begin: Begin = Arc::new(move |number| Box::new(begin(number)) as Box<dyn Any>);
        Ok(Context {
            io_threads: Some(IoThreads::start(count.max(1), Some(&begin))?),
            ..Context::new()
        })
    }

    /// Returns the runtime of one of its I/O threads, each in turn: for tasks of the application's that go with the sockets.
    /// `None`: it has no I/O threads.
    pub fn io_runtime(&self) -> Option<Handle> {
        self.io_threads.as_ref().map(|threads| threads.pick(0))
    }

    /// Makes the context of a simulated host: its `tcp://` endpoints are on that network.
    #[cfg(purezmq_simulation)]
    #[doc(hidden)]
    pub fn simulated(network: Arc<dyn Network>) -> Self {
        Context {
            network: Some(Arc::new(Simulated(network))),
            ..Context::new()
        }
    }

    /// Returns the network to use in place of the system's.
    pub(crate) fn network(&self) -> Option<Arc<dyn AnyTransport>> {
        #[cfg(purezmq_simulation)]
        return self.network.clone();
        #[cfg(not(purezmq_simulation))]
        None
    }

    /// Lets `authenticator` decide which peers may come in to the sockets of this context, in place of the one before.
    /// It is asked about every peer that says who it is after this call, whenever that has connected; connections whose
    /// peers have come in stay. [`security`](crate::security) tells which sockets ask, and has an example.
    pub fn set_authenticator(&self, authenticator: impl Authenticator) {
        self.authority.set(Arc::new(authenticator));
    }

    /// Takes the authenticator away: who says who it is from now on finds none, and [`security`](crate::security) tells
    /// what that means. It also says that a ZAP handler that has gone is not to come again: without this call, sockets
    /// that would have asked it let nobody in.
    pub fn remove_authenticator(&self) {
        self.authority.remove();
    }

    /// Ends the living connections of a peer on all sockets of this context, and returns how many there were: for one whose
    /// password or key is revoked, after the authenticator has been told. Each socket does as by
    /// [`Socket::disconnect_peer`](crate::Socket::disconnect_peer): also a peer whose handshake is under way is sent away,
    /// what has come is still to be received, what cannot be sent any more is counted. Sockets that have been dropped and
    /// linger are among them. Peers by inproc have no connection, and stay.
    ///
    /// All sockets that were not given a context have one authenticator, that of [`global`](Self::global). So they count as
    /// one here: with that context, and with [`blocking::context`](crate::blocking::context), it is async and blocking ones
    /// alike. No runtime is needed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use purezmq::security::{PlainUsers, Security};
    /// use purezmq::{Context, PeerSelector, PullSocket, PushSocket};
    ///
    /// let context = Context::new();
    /// context.set_authenticator(PlainUsers::from_iter([("joe", "secret"), ("eve", "hidden")]));
    /// let server = || PullSocket::builder().context(&context).security(Security::plain_server());
    /// let (mut jobs, mut results) = (server().build()?, server().build()?);
    /// # let security = Security::plain_client("eve", "hidden")?;
    /// # let client = || PushSocket::builder().security(security.clone()).build();
    /// # let (mut one, mut other) = (client()?, client()?);
    /// # one.connect(jobs.bind("tcp://127.0.0.1:*").await?)?;
    /// # other.connect(results.bind("tcp://127.0.0.1:*").await?)?;
    /// # one.send("one").await?;
    /// # other.send("other").await?;
    /// jobs.recv().await?;
    /// results.recv().await?; // eve has come to both
    ///
    /// context.set_authenticator(PlainUsers::from_iter([("joe", "secret")]));
    /// assert_eq!(context.disconnect_peer(PeerSelector::user("eve")), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn disconnect_peer(&self, peer: impl Into<PeerSelector>) -> usize {
        let selector = peer.into();
        let guarded = self.guarded.lock().clone();
        let ended = guarded
            .iter()
            .map(|members| members.disconnect_peer(&selector));
        ended.sum()
    }

    /// Returns who decides about the peers of the context's sockets.
    pub(crate) fn authority(&self) -> Arc<Authority> {
        self.authority.clone()
    }

    /// Returns whether there is a thread for each bit.
    pub(crate) fn has_threads(&self, affinity: u64) -> bool {
        let threads = self.io_threads.as_ref();
        affinity == 0 || threads.is_some_and(|threads| threads.has(affinity))
    }

    /// Returns the context's own threads, if it has any.
    pub(crate) fn io_threads(&self) -> Option<Arc<IoThreads>> {
        self.io_threads.clone()
    }

    /// Returns what its sockets share that are set up alike.
    pub(crate) fn configs(&self) -> Arc<Configs> {
        self.configs.clone()
    }

    /// Returns whether connections run on threads of the context's own.
    pub(crate) fn has_io_threads(&self) -> bool {
        self.io_threads.is_some()
    }

    /// Returns where the tasks of another endpoint run, which has to be one of those threads if there are any. `None`: there
    /// is no runtime here.
    pub(crate) fn runtime(&self, affinity: u64) -> Option<Handle> {
        match &self.io_threads {
            Some(threads) => Some(threads.pick(affinity)),
            None => Handle::try_current().ok(),
        }
    }

    /// Waits until the sockets of this context that were closed or dropped have sent what they had, each for its linger
    /// time, but no longer than `limit`. Returns how many messages those that lingered when this was called have not
    /// sent: they may still be sent while the program runs. Those for an inproc name that nobody has bound are not waited
    /// for. Sockets that are held are left as they are: drop them before.
    ///
    /// A program that ends takes with it what has not been sent; the end of a runtime waits for a second. Without async
    /// code, [`blocking::wait`](crate::blocking::wait) waits for this. [`close`](Self::close) ends the sockets that are
    /// held, too.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// use purezmq::{Context, PushSocket};
    ///
    /// let mut push = PushSocket::new();
    /// push.connect("tcp://127.0.0.1:9")?;
    /// push.send("nobody is there").await?;
    /// drop(push);
    /// let report = Context::global().flush(Duration::from_millis(10)).await;
    /// assert_eq!(report.unsent, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// A dropped future only doesn't wait.
    pub async fn flush(&self, limit: Duration) -> CloseReport {
        let sockets = self.members.lingering();
        let limit = self.timer(0, limit);
        tokio::select! {
            biased;
            () = members::ended(&sockets) => {}
            () = stuck() => members::drive(&sockets),
            () = limit => {}
        }
        CloseReport {
            unsent: members::left(&sockets) + self.names.left_behind(),
            unread: 0,
        }
    }

    /// Ends all sockets of this context, wherever they are held, and those that were dropped and linger. Each lingers for
    /// its own time, all together for `limit`. Returns what was left then, at most a tenth of a second later.
    ///
    /// From the first poll on, nothing begins in this context, and every call on a socket of its fails: `send`, `recv`,
    /// `bind`, `connect` and so on with an error named `ContextClosed`, also those that are waiting at that moment, in
    /// whatever task or thread. [`build`](crate::socket::Builder::build) fails, and a socket made by `new` is one whose
    /// calls do. A proxy returns. Messages that have come and were not received are not to be had any more.
    /// (libzmq: `zmq_ctx_shutdown` and `zmq_ctx_term`, but nobody has to drop a socket before.)
    ///
    /// It may be called from any task, several times, and at once: all calls wait for the same end, within the shortest
    /// of their limits, and get the same report.
    ///
    /// The [`global`](Self::global) context is that of all sockets of the process that were not given another, those of
    /// libraries among them: closing it is for the end of a program. Blocking sockets have another,
    /// [`blocking::context`](crate::blocking::context); [`blocking::close`](crate::blocking::close) is this call for
    /// programs without async code.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// use purezmq::{Context, PushSocket, SendError};
    ///
    /// let context = Context::new();
    /// let mut push = PushSocket::builder().context(&context).build()?;
    /// push.connect("tcp://127.0.0.1:9")?;
    /// push.send("nobody is there").await?;
    /// let report = context.close(Duration::from_millis(10)).await;
    /// assert_eq!(report.unsent, 1);
    /// assert_eq!(report.peers[0].endpoint, push.last_endpoint());
    /// assert!(matches!(push.send("more").await, Err(SendError::ContextClosed(_))));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// The context is closed by the first poll; a dropped future only doesn't wait for the rest.
    pub async fn close(&self, limit: Duration) -> ContextReport {
        let closing = self.members.close();
        closing.hurry(limit);
        let over = self.timer(0, limit.saturating_add(AFTER_LINGER));
        tokio::select! {
            biased;
            () = closing.ended() => {}
            () = stuck() => closing.drive(),
            () = over => {}
        }
        closing.report()
    }

    /// Returns whether the context has been [closed](Self::close), or is being closed.
    pub fn is_closed(&self) -> bool {
        self.members.are_closed()
    }

    /// Returns the context's sockets.
    pub(crate) fn members(&self) -> &Members {
        &self.members
    }

    /// Makes a timer, which belongs to the runtime in which sockets with this affinity have their tasks, whatever executor
    /// polls it. Where there is none, it is that of the blocking sockets.
    pub(crate) fn timer(&self, affinity: u64, time: Duration) -> Sleep {
        // One that this thread keeps from running has no timers either.
        let has_timers = self.has_io_threads() || runtime::blocked().is_none();
        let runtime = has_timers.then(|| self.runtime(affinity)).flatten();
        let runtime = runtime.or_else(|| Context::global_with_io_thread().runtime(0));
        let _inside = runtime.as_ref().map(Handle::enter);
        tokio::time::sleep(time)
    }

    /// Returns the context of all sockets that were not given one, blocking ones too: they have its names and its
    /// authenticator, and an I/O thread of their own. A process that was forked from one that had sockets has another
    /// than that.
    pub fn global() -> Self {
        static GLOBAL: OnceLock<Box<OfProcess<Context>>> = OnceLock::new();
        let found = OfProcess::find(&GLOBAL, std::process::id(), || Ok(Context::new()));
        found.unwrap_or_else(|never: Infallible| match never {})
    }

    /// Returns what blocking sockets have that were not given a context: the global one, with an I/O thread.
    pub(crate) fn global_with_io_thread() -> Self {
        static GLOBAL: OnceLock<Box<OfProcess<Context>>> = OnceLock::new();
        let found = OfProcess::find(&GLOBAL, std::process::id(), || {
            io_threads::of_process().map(|threads| {
                let global = Context::global();
                // They are closed, and waited for, by themselves.
                let members = Arc::<Members>::default();
                global.guarded.lock().push(members.clone());
                Context {
                    io_threads: Some(threads),
                    members,
                    ..global
                }
            })
        });
        found.expect("the system has another thread")
    }

    /// Returns the context's inproc names.
    pub(crate) fn names(&self) -> &inproc::Names {
        &self.names
    }
}

/// Becomes ready if whoever polls this future keeps the runtime here from running, by [`blocking::wait`](crate::blocking::wait):
/// what is waited for will not happen.
pub(crate) async fn stuck() {
    if let Some(runtime) = runtime::blocked()
        && let Ok(threads) = io_threads::of_process()
    {
        let answer = runtime.spawn(async {});
        let inside = threads.pick(0);
        let limit = {
            let _inside = inside.enter();
            tokio::time::sleep(NO_ANSWER)
        };
        if tokio::select! { biased; _ = answer => false, () = limit => true } {
            return;
        }
    }
    std::future::pending().await
}

/// A blocking socket's hold on its context. When the last one of a context is dropped, it waits for what the context's
/// sockets have sent: the I/O threads end with the program.
pub(crate) struct Flush {
    context: Context,
    /// Where it was made: in a process that is forked, nobody sends.
    pub(crate) process: u32,
}

impl Flush {
    pub(crate) fn of(context: Context) -> Self {
        context.members.blocking_begins();
        Flush {
            context,
            process: std::process::id(),
        }
    }
}

impl Clone for Flush {
    fn clone(&self) -> Self {
        Flush::of(self.context.clone())
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            return;
        }
        let sockets = self.context.members.blocking_ends();
        let (false, Some(threads)) = (sockets.is_empty(), &self.context.io_threads) else {
            return;
        };
        // This may be the end of a thread, whose thread-locals are gone: a runtime cannot be entered here.
        let (done, is_done) = mpsc::channel();
        threads.pick(0).spawn(async move {
            let _ = timeout(FLUSH, members::ended(&sockets)).await;
            let _ = done.send(members::left(&sockets));
        });
        // Longer than that, should this be the very thread: then nobody is served by it meanwhile.
        if let Ok(unsent @ 1..) = is_done.recv_timeout(FLUSH + Duration::from_secs(1)) {
            tracing::warn!(
                target: logs::CONTEXT,
                unsent,
                "the last blocking socket is dropped, and what was sent has not left"
            );
        }
    }
}

/// A context of its own, as [`Context::new`] makes it. The shared one is [`Context::global`].
impl Default for Context {
    fn default() -> Self {
        Context::new()
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("names", &self.names.len())
            .field("io_threads", &self.io_threads)
            .finish()
    }
}
