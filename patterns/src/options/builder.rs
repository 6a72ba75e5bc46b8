//! The builder of every socket, and the traits that say which options a socket has.

use std::fmt;
use std::marker::PhantomData;

use super::Options;
use crate::context::Context;
use crate::error::OptionError;

/// Makes a socket with other options than the defaults.
///
/// `PushSocket::builder()` and its sisters start one. Each option is one method, and an option
/// that means nothing to a socket type is not there for it: see [`Sends`], [`Receives`] and their
/// sisters. The methods never fail; [`build`](Builder::build) reports the first value that
/// is out of range.
///
/// ```
/// use purezmq::PushSocket;
/// use std::time::Duration;
///
/// let push = PushSocket::builder()
///     .send_hwm(10_000)
///     .linger(Duration::from_secs(2))
///     .send_timeout(None)
///     .build()?;
/// # drop(push);
/// # Ok::<(), purezmq::error::OptionError>(())
/// ```
#[must_use = "a builder makes no socket before build() is called"]
pub struct Builder<S> {
    options: Options,
    context: Option<Context>,
    refused: Option<OptionError>,
    socket: PhantomData<fn() -> S>,
}

/// A socket type that [`Builder`] can make. Sealed: implemented by the sockets of this library.
pub trait Open: sealed::Sealed + Sized {
    /// The options that a socket of this type starts with.
    #[doc(hidden)]
    fn defaults() -> Options {
        Options::default()
    }

    /// The context of sockets that are not given one.
    #[doc(hidden)]
    fn context() -> Context {
        Context::global()
    }

    /// Makes the socket.
    #[doc(hidden)]
    fn open(context: &Context, options: Options) -> Self;
}

/// A socket that sends messages, and so has a high-water mark and a timeout for it.
///
/// ```compile_fail,E0599
/// // A PULL socket only receives.
/// let pull = purezmq::PullSocket::builder().send_hwm(10).build();
/// ```
pub trait Sends: Open {}

/// A socket that receives messages, and so has a high-water mark and a timeout for it, and a
/// limit to their size.
///
/// ```compile_fail,E0599
/// // A PUSH socket only sends.
/// let push = purezmq::PushSocket::builder().recv_hwm(10).build();
/// ```
pub trait Receives: Open {}

/// A socket that tells its peers who it is: REQ, REP, DEALER and ROUTER.
///
/// ```compile_fail,E0599
/// // Subscribers are nobody in particular.
/// let sub = purezmq::SubSocket::builder().routing_id("me").build();
/// ```
pub trait Identifies: Open {}

/// A socket whose requests wait for replies: REQ.
///
/// ```compile_fail,E0599
/// // A REP socket asks nobody.
/// let rep = purezmq::RepSocket::builder().relaxed(true).build();
/// ```
pub trait Requests: Open {}

/// A socket that can make itself known to a ROUTER: REQ, DEALER and ROUTER.
///
/// ```compile_fail,E0599
/// // A REP socket waits to be asked.
/// let rep = purezmq::RepSocket::builder().probe_router(true).build();
/// ```
pub trait Probes: Open {}

/// A socket that sends to peers by their routing ids: ROUTER.
///
/// ```compile_fail,E0599
/// // A DEALER sends to the next peer, whoever it is.
/// let dealer = purezmq::DealerSocket::builder().mandatory(true).build();
/// ```
pub trait Routes: Open {}

/// A socket that sends each message to all who subscribed to it: PUB and XPUB.
///
/// ```compile_fail,E0599
/// // A PUSH socket never drops anything.
/// let push = purezmq::PushSocket::builder().no_drop(true).build();
/// ```
pub trait Publishes: Open {}

/// A socket that compares messages with subscriptions: PUB, XPUB and SUB.
///
/// ```compile_fail,E0599
/// // An XSUB socket passes on all that comes.
/// let xsub = purezmq::XSubSocket::builder().invert_matching(true).build();
/// ```
pub trait Matches: Open {}

/// A socket that gives its peers' subscriptions to the application: XPUB.
///
/// ```compile_fail,E0599
/// // A PUB socket keeps them to itself.
/// let publisher = purezmq::PubSocket::builder().verbose(true).build();
/// ```
pub trait HearsSubscriptions: Open {}

/// A socket whose messages may be subscriptions: XPUB and XSUB.
///
/// ```compile_fail,E0599
/// // A SUB socket subscribes by a method.
/// let sub = purezmq::SubSocket::builder().only_first_subscribe(true).build();
/// ```
pub trait PassesSubscriptions: Open {}

/// A socket that can keep the newest message alone: PUSH, PULL, PUB, SUB and DEALER.
///
/// ```compile_fail,E0599
/// // A reply must not take the place of another one.
/// let router = purezmq::RouterSocket::builder().conflate(true).build();
/// ```
pub trait Conflates: Open {}

/// A socket that can keep the newest message of each topic alone: PUB, XPUB, SUB and XSUB.
///
/// ```compile_fail,E0599
/// // The first frame of work to be done is no topic.
/// let push = purezmq::PushSocket::builder().conflate_topics(true).build();
/// ```
pub trait ConflatesTopics: Open {}

pub(crate) mod sealed {
    /// Keeps [`Open`](super::Open) to this crate.
    pub trait Sealed {}
}

impl<S: Open> Builder<S> {
    /// A builder with the socket type's defaults, in the process-wide context.
    pub(crate) fn new() -> Self {
        Builder {
            options: S::defaults(),
            context: None,
            refused: None,
            socket: PhantomData,
        }
    }

    /// The options of a socket that is there already.
    pub(crate) fn changing(options: Options) -> Self {
        Builder {
            options,
            ..Self::new()
        }
    }

    /// The options alone.
    pub(crate) fn into_options(self, context: &Context) -> Result<Options, OptionError> {
        if let Some(refused) = self.refused {
            return Err(refused);
        }
        if self.context.is_some() {
            return Err(OptionError::Value {
                option: "context",
                value: "another one".to_owned(),
                allowed: "the one that the socket was made in",
            });
        }
        check(&self.options, context)?;
        Ok(self.options)
    }

    /// The context that the socket belongs to: it knows the `inproc://` names. Default: the one
    /// that all sockets of the process share, and for blocking sockets one that all of them share.
    pub fn context(mut self, context: &Context) -> Self {
        self.context = Some(context.clone());
        self
    }

    /// Makes the socket. It is neither bound nor connected yet.
    ///
    /// # Errors
    /// [`OptionError`] names the first option that was given a value out of its range, the value,
    /// and the range.
    pub fn build(self) -> Result<S, OptionError> {
        if let Some(refused) = self.refused {
            return Err(refused);
        }
        let context = self.context.unwrap_or_else(S::context);
        check(&self.options, &context)?;
        Ok(S::open(&context, self.options))
    }

    /// Changes the options. Remembers the first bad value; later ones are likely its consequences.
    pub(super) fn apply(
        mut self,
        change: impl FnOnce(&mut Options) -> Result<(), OptionError>,
    ) -> Self {
        if let Err(error) = change(&mut self.options) {
            self.refused.get_or_insert(error);
        }
        self
    }
}

/// Says whether the context has what the options ask for.
fn check(options: &Options, context: &Context) -> Result<(), OptionError> {
    if context.has_threads(options.affinity) {
        return Ok(());
    }
    Err(OptionError::Value {
        option: "affinity",
        value: format!("{:#b}", options.affinity),
        allowed: "0, or bits of I/O threads that the context has",
    })
}

impl<S> fmt::Debug for Builder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("options", &self.options)
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}
