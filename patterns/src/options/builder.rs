//! The builder of every socket. Which options a socket has, the traits of `capability` say.

use std::fmt;
use std::marker::PhantomData;

use super::Options;
use crate::context::Context;
use crate::core::Pattern;
use crate::error::OptionError;
use crate::rules::HasRules;

/// Makes a socket with other options than the defaults.
///
/// `PushSocket::builder()` and its sisters start one. Each option is one method, and an option
/// that means nothing to a socket type is not there for it: see [`capability`](crate::capability). The methods never fail; [`build`](Builder::build) reports the first value that
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

/// A socket that [`Builder`] can make. Sealed: implemented by the sockets of this library.
pub trait Open: sealed::Sealed + Sized {
    /// The socket's pattern.
    type Pattern: Pattern;

    /// Returns the context of sockets that are not given one.
    #[doc(hidden)]
    fn context() -> Context;

    /// Makes the socket.
    #[doc(hidden)]
    fn open(context: &Context, options: Options) -> Self;
}

pub(crate) mod sealed {
    /// Keeps [`Open`](super::Open) to this crate.
    pub trait Sealed {}
}

impl<S: Open> Builder<S> {
    /// A builder with the socket type's defaults, in the process-wide context.
    pub(crate) fn new() -> Self {
        Builder {
            options: Options::of(<S::Pattern as HasRules>::RULES.socket_type),
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
    pub(crate) fn into_options(self) -> Result<Options, OptionError> {
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
pub(crate) fn check(options: &Options, context: &Context) -> Result<(), OptionError> {
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
