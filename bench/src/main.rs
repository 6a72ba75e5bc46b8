//! `bench-peer`: PureZMQ behind the command line that all compared implementations share, so that one driver
//! can pair and compare them. `README.md` beside `Cargo.toml` says how to run it.
//!
//! ```text
//!   args.rs ──► main.rs ──► roles/ ──► meter.rs ──► report.rs ──► one JSON line
//!                             ▲
//!                  control.rs ┘  GO and end of standard input
//! ```
//!
//! Roles use nothing but the public API, in plain loops of `send` and `recv`: what is measured is what every
//! user gets.

mod args;
mod control;
mod meter;
mod process;
mod report;
mod roles;
mod stamps;

use std::process::ExitCode;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use crate::args::{Command, Mode};
use crate::control::Control;

/// Anything that ends a run early, told on standard error.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench-peer: {failure}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Failure> {
    let args = match args::parse(std::env::args().skip(1))? {
        Command::Version => {
            report::print(&report::Version::default());
            return Ok(());
        }
        Command::Run(args) => Arc::new(args),
    };
    process::started();
    process::stop_after(args.timeout);
    let control = Control::listen(args.hold);
    if args.mode == Mode::Blocking {
        return roles::blocking::run(&args, control);
    }
    let runtime = runtime(args.mode)?;
    let role = roles::run(args.clone(), control);
    let result = match args.mode {
        Mode::CurrentThread | Mode::IoThread | Mode::BusyPoll | Mode::Blocking => {
            runtime.block_on(role)
        }
        // The thread in `block_on` is none of the workers: a role that stayed on it would cross threads
        // with each message.
        Mode::MultiThread | Mode::CurrentThreadTask => {
            runtime.block_on(async { tokio::spawn(role).await })?
        }
    };
    // Whatever had to arrive has arrived, or the role would not have ended.
    runtime.shutdown_background();
    result
}

fn runtime(mode: Mode) -> std::io::Result<Runtime> {
    match mode {
        Mode::MultiThread => Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build(),
        Mode::CurrentThread
        | Mode::CurrentThreadTask
        | Mode::IoThread
        | Mode::BusyPoll
        | Mode::Blocking => Builder::new_current_thread().enable_all().build(),
    }
}
