//! [`Version`]: which ZMTP a connection speaks (RFC 37, "Version Negotiation").

use std::fmt;

/// Names a version of ZMTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// libzmq 2.x.
    V1_0,
    /// libzmq 3.x.
    V2_0,
    /// libzmq 4.0 to 4.2.
    V3_0,
    /// libzmq 4.3 and later, and us.
    V3_1,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_0 => "1.0",
            Self::V2_0 => "2.0",
            Self::V3_0 => "3.0",
            Self::V3_1 => "3.1",
        })
    }
}
