//! How a command ends that did not do what it was asked: one line on standard error, and an exit code for scripts.

use std::error::Error;
use std::process::ExitCode;

/// Why a command ends. Each kind has an exit code, which the help of `pzmq` lists; 2 is clap's, for arguments that cannot be
/// read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// What was asked for did not work.
    #[error("{0}")]
    Failed(String),
    /// The arguments can be read, and do not make sense.
    #[error("{0}")]
    Usage(String),
}

impl Failure {
    /// Says that something failed: what was tried, and why it did not work.
    pub(crate) fn of(tried: impl std::fmt::Display, why: &(impl Error + ?Sized)) -> Self {
        Failure::Failed(format!("{tried}: {why}"))
    }

    /// Writes the line, and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("pzmq: {self}");
        ExitCode::from(match self {
            Failure::Failed(_) => 1,
            Failure::Usage(_) => 2,
        })
    }
}
