//! The part of an endpoint after `ipc://`.

use std::fmt;
use std::path::Path;

use super::{Address, EndpointError};

/// The address part of an `ipc://` endpoint: a socket file, a Linux abstract name, or the
/// wildcard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IpcEndpoint(IpcName);

/// The three forms, for the transport.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum IpcName {
    /// A socket file; 1 to 107 bytes, no NUL.
    Path(String),
    /// The name in Linux's abstract namespace, without `@`; at least one byte.
    Abstract(String),
    /// `*`: a file of our own choice.
    Wildcard,
}

impl IpcEndpoint {
    /// What stands before `://`.
    pub(crate) const SCHEME: &'static str = "ipc";

    /// The longest path, or abstract name with its `@`, in bytes: a Unix socket address has
    /// room for 108, and the last is a NUL.
    pub const MAX_LEN: usize = 107;

    pub(crate) fn parse(text: &str) -> Result<Self, EndpointError> {
        if text.is_empty() || text == "@" {
            return Err(EndpointError::EmptyName { transport: "ipc" });
        }
        if text.len() > Self::MAX_LEN {
            return Err(EndpointError::NameTooLong {
                transport: "ipc",
                length: text.len(),
                limit: Self::MAX_LEN,
            });
        }
        if let Some(name) = text.strip_prefix('@') {
            if cfg!(any(target_os = "linux", target_os = "android")) {
                return Ok(IpcEndpoint(IpcName::Abstract(name.to_owned())));
            }
            return Err(EndpointError::AbstractUnsupported {
                name: name.to_owned(),
            });
        }
        if text == "*" {
            return Ok(IpcEndpoint(IpcName::Wildcard));
        }
        if text.contains('\0') {
            return Err(EndpointError::NulInPath {
                path: text.to_owned(),
            });
        }
        Ok(IpcEndpoint(IpcName::Path(text.to_owned())))
    }

    /// Returns the socket file, unless this is an abstract name or the wildcard.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            IpcName::Path(path) => Some(Path::new(path)),
            _ => None,
        }
    }

    /// Returns the name in Linux's abstract namespace, without the `@`.
    pub fn abstract_name(&self) -> Option<&str> {
        match &self.0 {
            IpcName::Abstract(name) => Some(name),
            _ => None,
        }
    }

    /// Says whether this is `ipc://*`.
    pub fn is_wildcard(&self) -> bool {
        self.0 == IpcName::Wildcard
    }

    /// Returns whichever of the three forms it is.
    #[cfg(unix)]
    pub(crate) fn name(&self) -> &IpcName {
        &self.0
    }

    /// Checks whether one can connect there: the wildcard is for binding only.
    pub(crate) fn check_connect(&self) -> Result<(), EndpointError> {
        if !self.is_wildcard() {
            return Ok(());
        }
        Err(EndpointError::NotConnectable {
            endpoint: format!("ipc://{self}"),
            part: "path *",
            allowed: "name the path that bind returned (* is for binding only)",
        })
    }
}

impl Address for IpcEndpoint {
    fn is_definite(&self) -> bool {
        !self.is_wildcard()
    }
}

impl fmt::Display for IpcEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            IpcName::Path(path) => f.write_str(path),
            IpcName::Abstract(name) => write!(f, "@{name}"),
            IpcName::Wildcard => f.write_str("*"),
        }
    }
}
