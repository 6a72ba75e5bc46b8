//! Ctrl-C and SIGTERM: how a command hears that it is to end.

use std::pin::pin;
use std::time::Duration;

use purezmq::{AnySocket, CloseReport, Context};
use tokio::signal;

use crate::failure::Failure;

/// How long what was sent may still leave after Ctrl-C.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

const SIGINT: u8 = 2;
const SIGTERM: u8 = 15;

/// Begins to listen to a signal, which ends nothing by itself any more. Needs a runtime.
#[cfg(unix)]
pub(crate) fn listen(kind: signal::unix::SignalKind) -> Result<signal::unix::Signal, Failure> {
    signal::unix::signal(kind).map_err(|error| Failure::of("cannot listen to signals", &error))
}

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
            Ok(Interrupt {
                terminate: listen(signal::unix::SignalKind::terminate())?,
                interrupt: listen(signal::unix::SignalKind::interrupt())?,
            })
        }
        #[cfg(not(unix))]
        Ok(Interrupt {})
    }

    /// Closes a socket, and says what was left of what it had sent. A signal meanwhile is told to `heard`, leaves the rest a
    /// moment to leave, and is returned; a second one ends that, too. Without `heard`, there was a first one before.
    pub(crate) async fn close(
        &mut self,
        socket: AnySocket,
        limit: Option<Duration>,
        context: &Context,
        heard: Option<&dyn Fn()>,
    ) -> Result<(CloseReport, Option<Failure>), Failure> {
        let mut closed = pin!(async {
            match limit {
                Some(limit) => socket.close_within(limit).await,
                None => socket.close().await,
            }
        });
        let signal = tokio::select! {
            report = &mut closed => return Ok((report, None)),
            signal = self.next() => signal,
        };
        match heard {
            Some(heard) => heard(),
            None => return Err(signal),
        }
        tokio::select! {
            (report, _) = async { tokio::join!(&mut closed, context.close(LINGER)) } => Ok((report, Some(signal))),
            signal = self.next() => Err(signal),
        }
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
