//! Whole sockets and halves.

use std::fmt;

use thiserror::Error;

use super::Socket;
use crate::capability::Duplex;
use crate::core::{Access, Core, Pattern};

/// What part of a socket a handle is: [`Whole`], [`SendHalf`] or [`RecvHalf`]. Sealed.
#[allow(private_bounds, reason = "directions are made in this crate only")]
pub trait Direction: crate::sealed::Sealed + Send + Sync + 'static {
    /// The way to the core.
    #[doc(hidden)]
    type Handle<P: Pattern>: Access<P>;
    #[doc(hidden)]
    const SENDS: bool;
    #[doc(hidden)]
    const RECEIVES: bool;
}

/// A handle that may send.
pub trait SendSide: Direction {}

/// A handle that may receive.
pub trait RecvSide: Direction {}

/// A handle that may subscribe: a whole socket, the half of an XSUB that sends, either half of an XPUB.
pub trait SubscribesFor<P>: Direction {}

/// The whole socket.
#[derive(Clone, Copy, Debug)]
pub struct Whole;

/// The sending half of a socket, made by its [`split`](Socket::split).
///
/// A half that is dropped leaves the socket open for the other one; when both are gone, it is closed, and lingers.
#[derive(Clone, Copy, Debug)]
pub struct SendHalf;

/// The receiving half of a socket, made by its [`split`](Socket::split).
///
/// A half that is dropped leaves the socket open for the other one; when both are gone, it is closed, and lingers.
#[derive(Clone, Copy, Debug)]
pub struct RecvHalf;

macro_rules! directions {
    ($($direction:ident: $handle:ty, $sends:literal, $receives:literal;)*) => {
        $(
            impl crate::sealed::Sealed for $direction {}
            impl Direction for $direction {
                type Handle<P: Pattern> = $handle;
                const SENDS: bool = $sends;
                const RECEIVES: bool = $receives;
            }
        )*
    };
}
directions! {
    Whole: Core<P>, true, true;
    SendHalf: P::Half, true, false;
    RecvHalf: P::Half, false, true;
}

impl SendSide for Whole {}
impl SendSide for SendHalf {}
impl RecvSide for Whole {}
impl RecvSide for RecvHalf {}
impl<P> SubscribesFor<P> for Whole {}

impl<P: Duplex> Socket<P> {
    /// Divides the socket into its two directions, which can be used from two tasks or threads at once.
    /// [`reunite`](Socket::reunite) puts them together again.
    pub fn split(self) -> (Socket<P, SendHalf>, Socket<P, RecvHalf>) {
        self.divide()
    }
}

impl<P: Duplex> Socket<P, SendHalf> {
    /// Makes the whole socket again.
    ///
    /// # Errors
    ///
    /// The halves belong to two different sockets. They come back.
    #[allow(clippy::result_large_err, reason = "the error is both arguments")]
    pub fn reunite(
        self,
        receiver: Socket<P, RecvHalf>,
    ) -> Result<Socket<P>, ReuniteError<Self, Socket<P, RecvHalf>>> {
        self.rejoin(receiver)
    }
}

/// Whatever the pattern: an [`AnySocket`](super::AnySocket) asks its row whether it can be divided.
impl<P: Pattern> Socket<P> {
    pub(super) fn divide(self) -> (Socket<P, SendHalf>, Socket<P, RecvHalf>) {
        let (sender, receiver) = P::Half::split(self.handle);
        (Socket { handle: sender }, Socket { handle: receiver })
    }
}

impl<P: Pattern> Socket<P, SendHalf> {
    #[allow(clippy::result_large_err, reason = "the error is both arguments")]
    pub(super) fn rejoin(
        self,
        receiver: Socket<P, RecvHalf>,
    ) -> Result<Socket<P>, ReuniteError<Self, Socket<P, RecvHalf>>> {
        match P::Half::reunite(self.handle, receiver.handle) {
            Ok(handle) => Ok(Socket { handle }),
            Err((sender, receiver)) => Err(ReuniteError(
                Socket { handle: sender },
                Socket { handle: receiver },
            )),
        }
    }
}

/// The halves belong to two different sockets. They come back.
#[derive(Error)]
#[error("these are halves of two different sockets")]
pub struct ReuniteError<S, R>(
    /// The sending half.
    pub S,
    /// The receiving half.
    pub R,
);

impl<S, R> fmt::Debug for ReuniteError<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReuniteError").finish_non_exhaustive()
    }
}
