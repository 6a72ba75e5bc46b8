//! The sockets: each is a row of this table.
//!
//! | socket | send | receive | twist | mute |
//! |---|---|---|---|---|
//! | [`ReqSocket`] | load balance | last peer | lockstep, envelope | waits |
//! | [`RepSocket`] | to the asker | fair queue | lockstep, envelope | drops |
//! | [`PubSocket`] | fan-out | subscriptions only | | drops |
//! | [`SubSocket`] | subscriptions only | fair queue | filter | |
//! | [`PushSocket`] | load balance | - | | waits |
//! | [`PullSocket`] | - | fair queue | | |
//! | [`DealerSocket`] | load balance | fair queue | | waits |
//! | [`RouterSocket`] | by name | fair queue | names apart | drops, or error |
//! | [`XPubSocket`] | fan-out | fair queue | gives subscriptions | drops |
//! | [`XSubSocket`] | everyone | fair queue | takes subscriptions | drops |
//! | [`PairSocket`] | the peer | the peer | | waits |

mod adapters;
mod call;
mod core;
mod dealer;

mod halves;

mod endpoint_table;
#[cfg(all(test, purezmq_loom))]
mod loom_tests;
mod pair;
mod pipeline;
mod pubsub;
mod reqrep;
mod router;

mod shared_sender;
mod traits;
mod xpub;
mod xpub_halves;
mod xsub;

pub use adapters::{MessageSink, Messages, Permit};
pub use dealer::{DealerReceiver, DealerSender, DealerSocket};
pub use halves::ReuniteError;
pub use pair::{PairReceiver, PairSender, PairSocket};
pub use pipeline::{PullSocket, PushSocket};
pub use pubsub::{PubSocket, SubSocket};
pub use reqrep::{RepSocket, ReqSocket};
pub use router::{Notice, Routed, RouterReceiver, RouterSender, RouterSocket};
pub use shared_sender::SharedSender;
pub(crate) use traits::Polled;
pub use traits::{Feeding, Flowing, Hears, Socket, SocketRecv, SocketSend, Splits};
pub use xpub::XPubSocket;
pub use xpub_halves::{XPubReceiver, XPubSender};
pub use xsub::{XSubReceiver, XSubSender, XSubSocket};

pub(crate) use self::core::Core;

/// Writes the part of a socket's API that is the same for all: making it, its endpoints, its end.
macro_rules! common_methods {
    ($socket:ident, $socket_type:ident) => {
        impl $crate::options::sealed::Sealed for $socket {}

        impl $crate::options::Open for $socket {
            fn defaults() -> $crate::options::Options {
                $crate::options::Options::of(::zmtp::SocketType::$socket_type)
            }

            fn open(context: &$crate::context::Context, options: $crate::options::Options) -> Self {
                Self::from_core($crate::socket::Core::new(
                    ::zmtp::SocketType::$socket_type,
                    context,
                    options,
                ))
            }
        }

        impl Default for $socket {
            fn default() -> Self {
                Self::new()
            }
        }

        impl ::std::fmt::Debug for $socket {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.debug_struct(stringify!($socket))
                    .field("last_endpoint", &self.last_endpoint())
                    .finish_non_exhaustive()
            }
        }

        impl $socket {
            /// A socket with the default options, in the context that all such sockets share.
            pub fn new() -> Self {
                Self::builder()
                    .build()
                    .expect("the default options are within their ranges")
            }

            /// A socket with options of its own.
            pub fn builder() -> $crate::options::Builder<Self> {
                $crate::options::Builder::new()
            }

            /// Listens at an endpoint and returns it with all wildcards resolved: the form to connect to and
            /// to unbind. Peers are accepted in the background from now on. A socket may bind and
            /// connect any number of endpoints.
            ///
            /// # Errors
            ///
            /// The endpoint is malformed, in use, not of this machine, or refused by the system. The socket
            /// is as it was before.
            ///
            /// # Cancel safety
            ///
            /// A dropped future has not bound anything.
            pub async fn bind(
                &mut self,
                endpoint: impl $crate::endpoint::ToEndpoint,
            ) -> Result<$crate::endpoint::Endpoint, $crate::error::BindError> {
                self.core.bind(endpoint).await
            }

            /// Listens with a socket of the system that is listening already, as systemd passes one to a service, or
            /// a parent to its child. From then on it is as if [`bind`](Self::bind) had made it, but options of
            /// the listening socket itself (`backlog`, `bind_device`) are its maker's, and a socket file stays.
            /// In libzmq: `ZMQ_USE_FD` (89).
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")]
            /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
            #[doc = concat!("use purezmq::", stringify!($socket), ";")]
            ///
            /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
            #[doc = concat!("let mut socket = ", stringify!($socket), "::new();")]
            /// let endpoint = socket.adopt(listener).await?;
            /// assert!(endpoint.to_string().starts_with("tcp://127.0.0.1:"));
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            ///
            /// No runtime is running, the listener has no address, or the system refuses it.
            ///
            /// # Cancel safety
            ///
            /// A dropped future has closed the listener, or adopted it.
            pub async fn adopt(
                &mut self,
                listener: impl Into<$crate::OpenListener>,
            ) -> Result<$crate::endpoint::Endpoint, $crate::error::BindError> {
                self.core.adopt(listener.into()).await
            }

            /// Connects to an endpoint in the background, and reconnects whenever the connection is lost.
            /// Returns at once; the peer need not be there yet. Needs a running tokio runtime, except
            /// for `inproc://`.
            ///
            /// # Errors
            ///
            /// The endpoint is malformed or a wildcard, or no runtime is running. Everything else is tried
            /// again until it works; [`monitor`](Self::monitor) tells about it.
            pub fn connect(
                &mut self,
                endpoint: impl $crate::endpoint::ToEndpoint,
            ) -> Result<(), $crate::error::ConnectError> {
                self.core.connect(endpoint)
            }

            /// Stops listening at an endpoint (as [`bind`](Self::bind) returned it) and closes the
            /// connections that were accepted there. Messages queued for them are sent within the linger
            /// time, in the background. When this returns, the address is free.
            ///
            /// # Errors
            ///
            /// The socket is not bound there.
            ///
            /// # Cancel safety
            ///
            /// The endpoint goes also if the future is dropped once it has been polled.
            pub async fn unbind(
                &mut self,
                endpoint: impl $crate::endpoint::ToEndpoint,
            ) -> Result<(), $crate::error::UnbindError> {
                self.core.unbind(endpoint).await
            }

            /// Ends all connections made to an endpoint. Messages queued for it are sent within the linger
            /// time, in the background; messages received from it and not read yet are dropped.
            ///
            /// # Errors
            ///
            /// The socket is not connected there.
            pub fn disconnect(
                &mut self,
                endpoint: impl $crate::endpoint::ToEndpoint,
            ) -> Result<(), $crate::error::DisconnectError> {
                self.core.disconnect(endpoint)
            }

            /// The endpoint of the last successful `bind` (resolved) or `connect` (as given).
            pub fn last_endpoint(&self) -> Option<&$crate::endpoint::Endpoint> {
                self.core.last_endpoint()
            }

            /// How long unsent messages are still tried after the socket or an endpoint of it is closed.
            /// `None`: until they are sent. Takes effect for all that closes later.
            pub fn set_linger(&mut self, linger: Option<::std::time::Duration>) {
                self.core.set_linger(linger);
            }

            /// Changes options of the socket. `change` gets them as they are now, and has the same methods as the
            /// socket's [`builder`](Self::builder). Which changes take effect at once, which for peers that come
            /// later, and which for endpoints that are bound or connected later,
            /// [`options::TABLE`]($crate::options::TABLE) says for each option.
            ///
            /// # Errors
            ///
            /// A value is out of range, or another context is given. Nothing is changed then.
            pub fn set_options(
                &mut self,
                change: impl FnOnce($crate::options::Builder<Self>) -> $crate::options::Builder<Self>,
            ) -> Result<(), $crate::error::OptionError> {
                let options = self.core.shared.config.options.clone();
                let changed = change($crate::options::Builder::changing(options));
                self.core
                    .set_options(changed.into_options(&self.core.context())?);
                Ok(())
            }

            /// Watches what happens to the socket's connections from now on.
            pub fn monitor(&self) -> $crate::monitor::Monitor {
                self.core.monitor()
            }

            /// The socket's counters as they stand: messages and bytes, queues, drops, for the socket and for each of
            /// its peers.
            pub fn stats(&self) -> $crate::stats::SocketStats {
                self.core.stats()
            }

            /// Closes the socket, waits until its messages are sent or the linger time is over, and says
            /// what was left. Dropping the socket does the same in the background.
            ///
            /// # Cancel safety
            ///
            /// The socket is closed by the first poll; a dropped future only doesn't wait for the rest.
            pub async fn close(self) -> $crate::error::Closed {
                self.core.close().await
            }
        }

        impl $crate::socket::Socket for $socket {
            fn bind(
                &mut self,
                endpoint: impl $crate::endpoint::ToEndpoint,
            ) -> impl Future<Output = Result<$crate::endpoint::Endpoint, $crate::error::BindError>>
            {
                $socket::bind(self, endpoint)
            }

            fn unbind(
                &mut self,
                endpoint: impl $crate::endpoint::ToEndpoint,
            ) -> impl Future<Output = Result<(), $crate::error::UnbindError>> {
                $socket::unbind(self, endpoint)
            }

            fn close(self) -> impl Future<Output = $crate::error::Closed> {
                $socket::close(self)
            }
        }
    };
}
pub(crate) use common_methods;
