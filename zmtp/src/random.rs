//! [`Random`]: where keys and nonces come from. The only thing besides bytes and times that a connection is
//! given from outside.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "curve")]
use zeroize::Zeroizing;

type Fill = dyn Fn(&mut [u8]) + Send + Sync;

/// Gives random bytes for CURVE's keys and nonces. Default: the operating system's.
#[derive(Clone, Default)]
pub struct Random(Option<Arc<Fill>>);

impl Random {
    /// Uses a source of one's own, which fills the slice it is given.
    ///
    /// For tests and simulations that must give the same bytes each time. What it gives is all that keeps
    /// connections secret: guessable bytes are as good as no encryption.
    #[must_use]
    pub fn new(fill: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(fill)))
    }

    /// Returns `N` new random bytes, wiped from memory when they are dropped.
    #[cfg(feature = "curve")]
    pub(crate) fn bytes<const N: usize>(&self) -> Zeroizing<[u8; N]> {
        let mut bytes = Zeroizing::new([0; N]);
        match &self.0 {
            Some(fill) => fill(&mut bytes[..]),
            None => dryoc::rng::copy_randombytes(&mut bytes[..]),
        }
        bytes
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "Random(own)",
            None => "Random(system)",
        })
    }
}
