//! `pzmq`: ZeroMQ sockets from the command line, and a window into running systems.
//!
//! Each command is a module with its `Args`, which clap reads, and a `run`. What they share: the arguments that make a
//! socket (`socket_args`), how arguments are read (`values`), signals (`interrupt`), and how a command ends (`failure`).
//! Everything stands on `purezmq`'s public interface.

mod bench;
mod command;
mod doctor;
mod failure;
mod format;
mod generate;
mod interrupt;
mod keygen;
mod logs;
mod pace;
mod ping;
mod pipes;
mod probe;
mod proxy;
mod record;
mod recording;
mod replay;
mod sink;
mod socket;
mod socket_args;
mod source;
mod tap;
mod tls_args;
mod top;
mod values;
mod watch;
mod web;

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::failure::Failure;

/// ZeroMQ sockets from the command line, and a window into running systems
#[derive(Parser)]
#[command(name = "pzmq", version, arg_required_else_help = true, after_help = after_help())]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Log what the library does to standard error; -vv and -vvv say more
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Socket(socket::Command),
    Bench(bench::Args),
    Keygen(keygen::Args),
    Record(record::Args),
    Replay(replay::Args),
    Tap(tap::Args),
    Ping(ping::Args),
    Doctor(doctor::Args),
    Proxy(proxy::Args),
    Top(top::Args),
    Web(web::Args),
    Completions(generate::CompletionsArgs),
    Man(generate::ManArgs),
}

const EXAMPLES: &str = "Examples:
  pzmq sub --connect tcp://localhost:5555 --subscribe weather.
  echo hello | pzmq push --connect tcp://localhost:5555
  pzmq rep --bind 'tcp://*:5555' --exec 'tr a-z A-Z'";

fn after_help() -> String {
    let sockets = socket::Command::names().join(" ");
    format!(
        "Sockets, of which `pzmq push --help` and so on tells more:\n  {sockets}\n\n{EXAMPLES}\n\n{}",
        failure::EXIT_CODES
    )
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(shown) => return show(&shown),
    };
    logs::begin(cli.verbose);
    let ended = match cli.command {
        Command::Socket(command) => socket::run(command.socket_type, command.args),
        Command::Bench(args) => bench::run(args),
        Command::Keygen(args) => keygen::run(args),
        Command::Ping(args) => ping::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Proxy(args) => proxy::run(args),
        Command::Top(args) => top::run(args),
        Command::Web(args) => web::run(args),
        Command::Completions(args) => generate::completions(args, Cli::command()),
        Command::Man(args) => generate::man(args, Cli::command()),
        Command::Record(args) => record::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Tap(args) => tap::run(args),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Shows help, the version, or what is wrong with the arguments.
fn show(shown: &clap::Error) -> ExitCode {
    let printed = shown.print().and_then(|()| std::io::stdout().flush());
    match printed {
        Err(error) if !shown.use_stderr() => Failure::output(&error).report(),
        _ => u8::try_from(shown.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from),
    }
}

/// Runs a command's future on a runtime of its own, on this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::of("cannot start a runtime", &error))?;
    runtime.block_on(future)
}

/// Writes to standard output, at once.
pub(crate) fn print(what: impl Display) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    write!(output, "{what}")
        .and_then(|()| output.flush())
        .map_err(|error| Failure::output(&error))
}

/// Writes a line to standard error. That nobody reads it is no reason to end.
pub(crate) fn say(what: impl Display) {
    let _ = writeln!(std::io::stderr(), "pzmq: {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands of a text of help, as a shell takes them apart.
    fn examples(help: &str) -> Vec<Vec<String>> {
        let lines = help.lines().filter_map(|line| line.strip_prefix("  "));
        lines
            .filter_map(|line| {
                let (_, rest) = line.split_once("pzmq ")?;
                // What follows two blanks is said of it.
                let command = rest.split("  ").next()?;
                let command = command.split(['<', '>']).next()?;
                Some(words(command))
            })
            .collect()
    }

    fn words(command: &str) -> Vec<String> {
        let (mut words, mut word, mut is_quoted) = (Vec::new(), String::new(), false);
        for byte in command.trim().chars() {
            match byte {
                '\'' => is_quoted = !is_quoted,
                ' ' if !is_quoted => words.push(std::mem::take(&mut word)),
                '*' if !is_quoted => panic!("a shell takes this for names of files: {command}"),
                other => word.push(other),
            }
        }
        words.push(word);
        words
    }

    /// Those of the README are run, by `tests/commands/readme.rs`.
    #[test]
    fn each_example_of_each_help_is_understood() {
        let mut tool = Cli::command();
        tool.build();
        let mut understood = 0;
        for command in std::iter::once(&tool).chain(tool.get_subcommands()) {
            let help = command.get_after_help().map(ToString::to_string);
            for example in examples(&help.unwrap_or_default()) {
                let arguments = std::iter::once("pzmq".to_owned()).chain(example.clone());
                let parsed = Cli::try_parse_from(arguments);
                assert!(
                    parsed.is_ok(),
                    "pzmq {example:?}: {}",
                    parsed.err().unwrap()
                );
                understood += 1;
            }
        }
        assert!(understood > 60, "only {understood}");
    }
}
