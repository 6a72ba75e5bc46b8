//! `pzmq`: ZeroMQ sockets from the command line, and a window into running systems.
//!
//! Each command is a module with its `Args`, which clap reads, and a `run`. What they share: the arguments that make a
//! socket (`socket_args`), and how a command ends (`failure`). Everything stands on `purezmq`'s public interface.

mod failure;
mod keygen;
mod socket_args;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// ZeroMQ sockets from the command line, and a window into running systems
#[derive(Parser)]
#[command(name = "pzmq", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Keygen(keygen::Args),
}

fn main() -> ExitCode {
    let ended = match Cli::parse().command {
        Command::Keygen(args) => keygen::run(args),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
