//! The builder of every socket. Which options a socket has, the traits of `capability` say.

use std::fmt;
use std::marker::PhantomData;
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ipnet::IpNet;
use zmtp::mechanism::Config as Security;
#[cfg(feature = "socks")]
use zmtp::mechanism::Password;

use crate::capability::{
    Answers, Any, Conflates, ConflatesTopics, Datagrams, Greets, HearsSubscriptions, Identifies,
    Matches, NotesDepartures, NotesHiccups, PassesSubscriptions, Probes, Publishes, Raw, Receives,
    Requests, Routes, Sends, SubscribesByMessage, Zmtp,
};
use crate::context::Context;
use crate::core::{Pattern, check};
use crate::error::OptionError;
use crate::options::{OptionId, Options, Property, ReconnectStop, SlowSubscriber, Value};
use crate::rules::HasRules;
use crate::sealed::Sealed;

/// Makes a socket with other options than the defaults.
///
/// `PushSocket::builder()` and its sisters start one. Each option is one method, and an option
/// that means nothing to a socket type is not there for it: see [`capability`](crate::capability). The methods never
/// fail; [`build`](Builder::build) reports the first value that is out of range.
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
pub trait Open: Sealed + Sized {
    /// The socket's pattern.
    type Pattern: Pattern;

    /// Returns the context of sockets that are not given one.
    #[doc(hidden)]
    fn context() -> Context;

    /// Makes the socket.
    #[doc(hidden)]
    fn open(context: &Context, options: Options) -> Self;
}

impl<S: Open> Builder<S> {
    /// Begins with the socket type's defaults, in the process-wide context.
    pub(crate) fn new() -> Self {
        Builder {
            options: Options::of(<S::Pattern as HasRules>::RULES.socket_type),
            context: None,
            refused: None,
            socket: PhantomData,
        }
    }

    /// Begins with the options of a socket that is there already.
    pub(crate) fn changing(options: Options) -> Self {
        Builder {
            options,
            ..Self::new()
        }
    }

    /// Returns the options alone.
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

    /// The context that the socket belongs to: it knows the `inproc://` names, and who decides about peers. Default:
    /// [`Context::global`], which all sockets of the process share, blocking ones too.
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

    /// Sets an option that is a value, as [`Options::set`] does.
    ///
    /// ```
    /// use purezmq::PushSocket;
    /// use purezmq::options::OptionId;
    ///
    /// let send_hwm = OptionId::by_name("send_hwm").expect("there is one");
    /// let push = PushSocket::builder().set(send_hwm, 10).build()?;
    /// assert_eq!(push.options().get(send_hwm)?, 10.into());
    /// # Ok::<(), purezmq::error::OptionError>(())
    /// ```
    pub fn set(self, id: OptionId, value: impl Into<Value>) -> Self {
        self.apply(|options| options.set(id, value))
    }

    /// Changes the options. Remembers the first bad value; later ones are likely its consequences.
    fn apply(mut self, change: impl FnOnce(&mut Options) -> Result<(), OptionError>) -> Self {
        if let Err(error) = change(&mut self.options) {
            self.refused.get_or_insert(error);
        }
        self
    }
}

impl<S> fmt::Debug for Builder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("options", &self.options)
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}

macro_rules! define_builder {
    ($(
        $(#[doc = $doc:literal])+
        $(#[cfg($cfg:meta)])?
        $name:ident($argument:ident: $taken:ty = $converted:expr) -> $field:ty {
            default: $default:expr,
            $(none: $none:literal,)?
            zmq: ($($zmq_name:literal, $zmq_number:literal, $form:ident $(($absent:ident))?)?),
            unit: $unit:literal,
            allowed: $allowed:literal if $check:expr,
            $(stored: $stored:expr,)?
            on: $capability:ident,
            changed: $effect:ident,
        }
    )+) => {
        $(
            $(#[cfg($cfg)])?
            impl<S: Open<Pattern: $capability>> Builder<S> {
                $(#[doc = $doc])+
                #[doc = ""]
                #[doc = concat!(
                    "Allowed: ", $allowed, ". ",
                    $("In libzmq: `ZMQ_", $zmq_name, "` (", $zmq_number, "). ",)?
                    "A change takes effect ", effect!($effect), "."
                )]
                pub fn $name(self, $argument: $taken) -> Self {
                    let value: $field = $converted;
                    self.apply(|options| options.$name(value))
                }
            }
        )+
    };
}

each_option!(define_builder);
