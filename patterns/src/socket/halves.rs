//! The two halves of a socket that sends and receives, for two tasks or threads.
//!
//! A half is a core without the other direction (`life.rs` says who owns what). What sends and receives is the
//! same code as in the whole socket. Only XPUB is divided otherwise (`xpub_halves.rs`): its sending half has to
//! hear the subscriptions.

use thiserror::Error;

/// The halves belong to two different sockets. They come back.
#[derive(Error)]
#[error("these are halves of two different sockets")]
pub struct ReuniteError<S, R>(
    /// The sending half.
    pub S,
    /// The receiving half.
    pub R,
);

impl<S, R> std::fmt::Debug for ReuniteError<S, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReuniteError").finish_non_exhaustive()
    }
}

/// Writes what both halves have besides their direction. `$core` has the endpoints.
macro_rules! half {
    ($half:ident, |$this:ident| $core:expr) => {
        impl $crate::options::sealed::Sealed for $half {}

        impl ::std::fmt::Debug for $half {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.debug_struct(stringify!($half)).finish_non_exhaustive()
            }
        }

        impl $half {
            /// Connects the socket to an endpoint, for both halves.
            ///
            /// # Errors
            ///
            /// As the whole socket's `connect`.
            pub fn connect(
                &mut self,
                endpoint: impl $crate::endpoint::ToEndpoint,
            ) -> Result<(), $crate::error::ConnectError> {
                let $this = self;
                $core.connect(endpoint)
            }

            /// Ends all connections made to an endpoint, for both halves; the other one forgets what it has received
            /// from there when it is used next.
            ///
            /// # Errors
            ///
            /// The socket is not connected there.
            pub fn disconnect(
                &mut self,
                endpoint: impl $crate::endpoint::ToEndpoint,
            ) -> Result<(), $crate::error::DisconnectError> {
                let $this = self;
                $core.disconnect(endpoint)
            }

            /// Watches what happens to the socket's connections from now on.
            pub fn monitor(&self) -> $crate::monitor::Monitor {
                let $this = self;
                $core.monitor()
            }

            /// The socket's counters as they stand. What the other half has just taken may still be counted as queued.
            pub fn stats(&self) -> $crate::stats::SocketStats {
                let $this = self;
                $core.stats()
            }
        }
    };
}
pub(crate) use half;

/// Writes the halves of a socket with a core, and the receiving one's direction.
macro_rules! halves {
    (
        $socket:ident, $sender:ident<$send:ty>, $receiver:ident<$recv:ty>,
        $item:ty, $source:expr
    ) => {
        #[doc = concat!("The sending half of a [`", stringify!($socket), "`], made by its [`split`](", stringify!($socket), "::split).")]
        ///
        /// A half that is dropped leaves the socket open for the other one; when both are gone, it is closed, and
        /// lingers.
        pub struct $sender {
            core: Core<$send, $crate::routing::Absent>,
        }

        #[doc = concat!("The receiving half of a [`", stringify!($socket), "`], made by its [`split`](", stringify!($socket), "::split).")]
        ///
        /// A half that is dropped leaves the socket open for the other one; when both are gone, it is closed, and
        /// lingers.
        pub struct $receiver {
            core: Core<$crate::routing::Absent, $recv>,
        }

        impl $socket {
            /// Divides the socket into its two directions, which can be used from two tasks or threads at once
            /// without a lock. The sending half's `reunite` puts them together again.
            pub fn split(self) -> ($sender, $receiver) {
                let (sender, receiver) = self.core.split();
                ($sender { core: sender }, $receiver { core: receiver })
            }
        }

        $crate::socket::halves::half!($sender, |this| this.core);
        $crate::socket::halves::half!($receiver, |this| this.core);
        $crate::socket::traits::receives!($receiver, $item, |this| this.core, $source);

        impl $sender {
            /// The whole socket again.
            ///
            /// # Errors
            ///
            /// The halves belong to two different sockets. They come back.
            #[allow(clippy::result_large_err, reason = "the error is both arguments")]
            pub fn reunite(
                self,
                receiver: $receiver,
            ) -> Result<$socket, $crate::socket::ReuniteError<$sender, $receiver>> {
                match self.core.unsplit(receiver.core) {
                    Ok(core) => Ok($socket::from_core(core)),
                    Err((sender, receiver)) => Err($crate::socket::ReuniteError(
                        $sender { core: sender },
                        $receiver { core: receiver },
                    )),
                }
            }
        }

        $crate::socket::traits::splits!($socket, $sender, $receiver);

        impl $receiver {
            /// The next message; waits while there is none.
            ///
            /// # Errors
            ///
            /// `recv_timeout` passed.
            ///
            /// # Cancel safety
            ///
            /// A dropped future has taken no message.
            #[inline]
            pub fn recv(
                &mut self,
            ) -> impl Future<Output = Result<$item, $crate::error::RecvError>> {
                self.core.recv($source)
            }

            /// The next message, if one is there.
            ///
            /// # Errors
            ///
            /// No message is there.
            pub fn try_recv(&mut self) -> Result<$item, $crate::error::TryRecvError> {
                self.core.try_recv($source)
            }
        }
    };
}
pub(crate) use halves;

/// Writes the sending half's direction, for messages without a name.
macro_rules! sending_half {
    ($sender:ident, $socket:ident, $way:expr) => {
        $crate::socket::traits::sends!($sender, |this| this.core, $way);

        impl $sender {
            /// Sends a message as the whole socket does.
            ///
            /// # Errors
            ///
            /// As the whole socket's `send`. The message comes back.
            ///
            /// # Cancel safety
            ///
            /// A dropped future has not sent the message. To keep the message, use [`try_send`](Self::try_send).
            #[inline]
            pub fn send(
                &mut self,
                message: impl Into<::zmtp::Message>,
            ) -> impl Future<Output = Result<(), $crate::error::SendError>> {
                self.core.send(message.into(), $way)
            }

            /// Sends a message if that needs no waiting.
            ///
            /// # Errors
            ///
            /// As the whole socket's `try_send`. The message comes back.
            pub fn try_send(
                &mut self,
                message: impl Into<::zmtp::Message>,
            ) -> Result<(), $crate::error::TrySendError> {
                self.core.try_send(message.into(), $way)
            }
        }
    };
}
pub(crate) use sending_half;
