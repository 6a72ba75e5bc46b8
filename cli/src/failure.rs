//! How a command ends that did not do what it was asked: one line on standard error, and an exit code for scripts.

use std::error::Error;
use std::io;
use std::process::ExitCode;

/// The exit codes as the help of `pzmq` lists them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done, or whoever read the output has gone
  1    what was asked for did not work; of `doctor`: something is wrong
  2    the arguments cannot be read, or make no sense
  3    time-out: nothing came, nobody took it, no answer
  4    the input cannot be read: malformed JSON, broken hex, a line that is too long
  130  ended by Ctrl-C; 143: ended by SIGTERM";

/// Why a command ends. Each kind has an exit code; 2 is clap's, too, for arguments that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// What was asked for did not work.
    #[error("{0}")]
    Failed(String),
    /// The arguments can be read, and do not make sense.
    #[error("{0}")]
    Usage(String),
    /// What was looked for is wrong, and all of it has been said.
    #[error("something is wrong")]
    Told,
    /// It took longer than it was allowed to.
    #[error("{0}")]
    TimedOut(String),
    /// What was read is malformed.
    #[error("{0}")]
    Input(String),
    /// A signal ended the command, which has said all there is to say.
    #[error("ended by signal {0}")]
    Interrupted(u8),
    /// Whoever read standard output has gone: nothing is wrong, and nothing is left to do.
    #[error("nobody reads standard output")]
    OutputClosed,
}

impl Failure {
    /// Says that something failed: what was tried, and why it did not work.
    pub(crate) fn of(tried: impl std::fmt::Display, why: &(impl Error + ?Sized)) -> Self {
        Failure::Failed(format!("{tried}: {why}"))
    }

    /// Says why standard output takes nothing.
    pub(crate) fn output(why: &io::Error) -> Self {
        match why.kind() {
            io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::of("cannot write to standard output", why),
        }
    }

    /// Returns the exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Failure::OutputClosed => 0,
            Failure::Failed(_) | Failure::Told => 1,
            Failure::Usage(_) => 2,
            Failure::TimedOut(_) => 3,
            Failure::Input(_) => 4,
            Failure::Interrupted(signal) => 128 + signal,
        }
    }

    /// Writes the line, if there is anything to say, and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if !matches!(
            self,
            Failure::OutputClosed | Failure::Told | Failure::Interrupted(_)
        ) {
            crate::say(self);
        }
        ExitCode::from(self.code())
    }
}
