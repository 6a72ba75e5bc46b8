//! The context: sockets of one context can meet by inproc names, and may share I/O threads.

mod lingering;

use std::io;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Sleep, timeout};

pub(crate) use self::lingering::Lingering;
use crate::error::CloseReport;
use crate::inproc;
use crate::io_threads::IoThreads;
use crate::logs;
use crate::security::{Authenticator, Authority};
use crate::transport::AnyTransport;
#[cfg(purezmq_simulation)]
use crate::transport::simulated::{Network, Simulated};

/// How long the drop of the last blocking socket waits for what was sent. A peer that is not there may never come, and a
/// program has to end.
const FLUSH: Duration = Duration::from_secs(5);

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
    lingering: Arc<Lingering>,
    #[cfg(purezmq_simulation)]
    network: Option<Arc<dyn AnyTransport>>,
}

impl Context {
    /// Makes a context of its own.
    pub fn new() -> Self {
        let names = Arc::<inproc::Names>::default();
        let authority = Arc::new(Authority::new(Box::new(names.clone())));
        Context {
            names,
            io_threads: None,
            authority,
            lingering: Arc::default(),
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
            io_threads: Some(IoThreads::start(count.max(1))?),
            ..Context::new()
        })
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

    /// Lets `authenticator` decide which peers may come in to the sockets of this context, from the next connection
    /// on, in place of the one before. [`security`](crate::security) tells which sockets ask, and has an example.
    pub fn set_authenticator(&self, authenticator: impl Authenticator) {
        self.authority.set(Some(Arc::new(authenticator)));
    }

    /// Takes the authenticator away: the next connections find none.
    pub fn remove_authenticator(&self) {
        self.authority.set(None);
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
    /// A program that ends takes with it what has not been sent. Without async code,
    /// [`blocking::wait`](crate::blocking::wait) waits for this.
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
        let sockets = self.lingering.all();
        let limit = self.timer(0, limit);
        tokio::select! {
            biased;
            () = lingering::ended(&sockets) => {}
            () = limit => {}
        }
        CloseReport {
            unsent: lingering::left(&sockets) + self.names.left_behind(),
            unread: 0,
        }
    }

    /// Returns the sockets that have ended, for one that does.
    pub(crate) fn lingering(&self) -> &Lingering {
        &self.lingering
    }

    /// Makes a timer, which belongs to the runtime in which sockets with this affinity have their tasks, whatever executor
    /// polls it. Where there is none, it is that of the blocking sockets.
    pub(crate) fn timer(&self, affinity: u64, time: Duration) -> Sleep {
        let runtime = self.runtime(affinity);
        let runtime = runtime.or_else(|| Context::global_with_io_thread().runtime(0));
        let _inside = runtime.as_ref().map(Handle::enter);
        tokio::time::sleep(time)
    }

    /// Returns the context of all sockets that were not given one. A process that was forked from one that had sockets
    /// has another than that.
    pub fn global() -> Self {
        static GLOBAL: OnceLock<Box<OfProcess>> = OnceLock::new();
        OfProcess::find(&GLOBAL, std::process::id(), Context::new)
    }

    /// Returns the context of all blocking sockets that were not given one: with an I/O thread.
    pub(crate) fn global_with_io_thread() -> Self {
        static GLOBAL: OnceLock<Box<OfProcess>> = OnceLock::new();
        OfProcess::find(&GLOBAL, std::process::id(), || {
            Context::with_io_threads(1).expect("the system has another thread")
        })
    }

    /// Returns the context's inproc names.
    pub(crate) fn names(&self) -> &inproc::Names {
        &self.names
    }
}

/// The shared context of one process. A process that is forked gets none of the other's threads, and its locks as they
/// were: so it makes a context of its own, and touches nothing of the one that it has inherited.
struct OfProcess {
    process: u32,
    context: Context,
    /// That of a process forked from this one, as that process sees it.
    forked: OnceLock<Box<OfProcess>>,
}

impl OfProcess {
    /// Returns the context of the process with that number, which is made first if there is none.
    fn find(first: &OnceLock<Box<OfProcess>>, process: u32, make: impl Fn() -> Context) -> Context {
        let mut place = first;
        loop {
            match place.get() {
                Some(known) if known.process == process => return known.context.clone(),
                Some(parent) => place = &parent.forked,
                None => {
                    // Another thread may be faster: then its context is found, and this one ends.
                    let _ = place.set(Box::new(OfProcess {
                        process,
                        context: make(),
                        forked: OnceLock::new(),
                    }));
                }
            }
        }
    }
}

/// A blocking socket's hold on its context. When the last one of a context is dropped, it waits for what the context's
/// sockets have sent: the I/O threads end with the program.
pub(crate) struct Flush {
    context: Context,
    /// Where it was made: in a process that is forked, nobody sends.
    process: u32,
}

impl Flush {
    pub(crate) fn of(context: Context) -> Self {
        context.lingering.blocking_begins();
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
        let sockets = self.context.lingering.blocking_ends();
        let (false, Some(threads)) = (sockets.is_empty(), &self.context.io_threads) else {
            return;
        };
        // This may be the end of a thread, whose thread-locals are gone: a runtime cannot be entered here.
        let (done, is_done) = mpsc::channel();
        threads.pick(0).spawn(async move {
            let _ = timeout(FLUSH, lingering::ended(&sockets)).await;
            let _ = done.send(lingering::left(&sockets));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_has_its_own_shared_context() {
        let first = OnceLock::new();
        let names = |process| OfProcess::find(&first, process, Context::new).names;
        let (parent, child, grandchild) = (names(1), names(2), names(3));
        assert!(!Arc::ptr_eq(&parent, &child));
        assert!(!Arc::ptr_eq(&child, &grandchild));
        assert!(Arc::ptr_eq(&parent, &names(1)));
        assert!(Arc::ptr_eq(&child, &names(2)));
        assert!(Arc::ptr_eq(&grandchild, &names(3)));
    }
}
