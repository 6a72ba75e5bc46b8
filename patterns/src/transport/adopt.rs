//! [`OpenListener`]: a listening socket that somebody else has made, for the sockets' `adopt`. Each transport says in
//! its own file which sockets of the standard library it takes over.

use std::fmt::Debug;
use std::io;

use super::{Listener, bind_error};
use crate::endpoint::Endpoint;
use crate::error::BindError;
use crate::options::Options;

/// A socket of the system that listens already, to be given to a socket's `adopt`. Made from a
/// [`TcpListener`](std::net::TcpListener) or, on Unix, a `UnixListener` of the standard library, which both can be made
/// from a file descriptor; or, with the feature `ws`, from a web server's `WsUpgrades`.
#[derive(Debug)]
pub struct OpenListener(Box<dyn Adopt>);

/// A listening socket that a transport can take over.
pub(super) trait Adopt: Debug + Send + Sync + 'static {
    /// Returns where it listens.
    fn endpoint(&self) -> Result<Endpoint, BindError>;
    /// Takes it over, inside of a runtime.
    fn adopt(self: Box<Self>, endpoint: Endpoint, options: &Options) -> io::Result<Listener>;
}

impl<L: Adopt> From<L> for OpenListener {
    fn from(listener: L) -> Self {
        OpenListener(Box::new(listener))
    }
}

impl OpenListener {
    /// Returns where it listens.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, BindError> {
        self.0.endpoint()
    }

    /// Takes it over, at `endpoint`. Inside of a runtime.
    pub(super) fn adopt(
        self,
        endpoint: Endpoint,
        options: &Options,
    ) -> Result<Listener, BindError> {
        let adopted = self.0.adopt(endpoint.clone(), options);
        adopted.map_err(|source| bind_error(&endpoint, source))
    }
}

/// Names the error of a listener that cannot say where it listens.
pub(super) fn nameless(endpoint: &str, source: io::Error) -> BindError {
    match endpoint.parse() {
        Ok(endpoint) => BindError::Io { endpoint, source },
        Err(error) => BindError::Endpoint(error),
    }
}
