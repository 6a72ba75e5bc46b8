//! The part of an endpoint after `inproc://`.

use std::fmt;
use std::sync::Arc;

use super::{Address, EndpointError};

/// The name of an `inproc://` endpoint: 1 to 256 bytes, compared whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InprocName(Arc<str>);

impl InprocName {
    /// What stands before `://`.
    pub(crate) const SCHEME: &'static str = "inproc";

    /// The longest name, in bytes (the limit that libzmq documents).
    pub const MAX_LEN: usize = 256;

    pub(crate) fn parse(name: &str) -> Result<Self, EndpointError> {
        let transport = Self::SCHEME;
        if name.is_empty() {
            return Err(EndpointError::EmptyName { transport });
        }
        if name.len() > Self::MAX_LEN {
            return Err(EndpointError::NameTooLong {
                transport,
                length: name.len(),
                limit: Self::MAX_LEN,
            });
        }
        Ok(InprocName(name.into()))
    }

    /// Returns the name, without `inproc://`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Address for InprocName {}

impl fmt::Display for InprocName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
