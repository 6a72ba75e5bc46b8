//! The context: sockets of one context can meet by inproc names.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, MutexGuard};

use crate::transport::inproc::Name;

/// A family of sockets that know each other's `inproc://` names.
///
/// Sockets made with `new()` share one context of the process. Make another one to keep names apart, and
/// give it to [`Builder::context`](crate::options::Builder::context). A context is cheap to clone, and ends
/// with its last socket.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use patterns::{Context, PullSocket, PushSocket};
///
/// let context = Context::new();
/// let mut pull = PullSocket::builder().context(&context).build()?;
/// pull.bind("inproc://work").await?;
/// let mut push = PushSocket::builder().context(&context).build()?;
/// push.connect("inproc://work")?;
/// push.send("to do").await?;
/// assert_eq!(pull.recv().await?, "to do");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Context {
    names: Arc<Mutex<HashMap<Box<str>, Name>>>,
}

impl Context {
    /// A context of its own.
    pub fn new() -> Self {
        Context {
            names: Arc::default(),
        }
    }

    /// The context of all sockets that were not given one.
    pub fn global() -> Self {
        static GLOBAL: OnceLock<Context> = OnceLock::new();
        GLOBAL.get_or_init(Context::new).clone()
    }

    pub(crate) fn names(&self) -> MutexGuard<'_, HashMap<Box<str>, Name>> {
        self.names.lock()
    }
}

/// The same as [`Context::global`].
impl Default for Context {
    fn default() -> Self {
        Context::global()
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("names", &self.names().len())
            .finish()
    }
}
