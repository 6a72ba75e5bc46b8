//! Ctrl-C and SIGTERM: how a command hears that it is to end.

use tokio::signal;

use crate::failure::Failure;

const SIGINT: u8 = 2;
const SIGTERM: u8 = 15;

/// Hears of signals from when it is made: they end nothing by themselves any more.
pub(crate) struct Interrupt {
    #[cfg(unix)]
    terminate: signal::unix::Signal,
    #[cfg(unix)]
    interrupt: signal::unix::Signal,
}

impl Interrupt {
    /// Begins to listen. Needs a runtime.
    pub(crate) fn listen() -> Result<Self, Failure> {
        #[cfg(unix)]
        {
            let listen = |kind| {
                signal::unix::signal(kind)
                    .map_err(|error| Failure::of("cannot listen to signals", &error))
            };
            Ok(Interrupt {
                terminate: listen(signal::unix::SignalKind::terminate())?,
                interrupt: listen(signal::unix::SignalKind::interrupt())?,
            })
        }
        #[cfg(not(unix))]
        Ok(Interrupt {})
    }

    /// Waits for the next one, and returns how the command ends by it. Cancel safe.
    pub(crate) async fn next(&mut self) -> Failure {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => Failure::Interrupted(SIGINT),
            _ = self.terminate.recv() => Failure::Interrupted(SIGTERM),
        }
        #[cfg(not(unix))]
        match signal::ctrl_c().await {
            Ok(()) => Failure::Interrupted(SIGINT),
            Err(_) => std::future::pending().await,
        }
    }
}
