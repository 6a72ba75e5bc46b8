//! Attack: what peers that cannot be trusted cost, PureZMQ's figure beside libzmq's in the same test. `scripts/attack` builds
//! and starts it.
//!
//! ```text
//! scenarios.rs   the attacks by name; their files have them by what they are after: memory, time
//! victim.rs      the socket that is attacked, ours or libzmq's, in a process of its own (this program once more)
//! wire.rs        the attackers' and honest peers' side: ZMTP by hand, on plain TCP sockets
//! table.rs       one line for each figure, and whether it keeps its bound
//! ```
//!
//! Everything is on the loopback interface, and bounded in number and time. Exits with 1 if a figure is over its bound.

mod scenarios;
mod table;
mod victim;
mod wire;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use purezmq_endurance::Failure;

use crate::scenarios::SCENARIOS;
use crate::table::Table;
use crate::victim::Does;

/// Whose socket is attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Who {
    Purezmq,
    Libzmq,
}

impl Who {
    fn name(self) -> &'static str {
        match self {
            Who::Purezmq => "purezmq",
            Who::Libzmq => "libzmq",
        }
    }
}

/// Attacks a socket in every way that is known, and prints what it costs beside what it costs libzmq.
#[derive(Parser)]
struct Args {
    /// Only this attack. `list` names them all.
    name: Option<String>,
    /// How many of what the attack is made of: peers, bytes, subscriptions. `list` has the defaults.
    count: Option<usize>,
    /// Only rows whose victim begins so, as in `PUSH` or `PUSH sends`.
    #[arg(long, default_value = "")]
    victim: String,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What another process does; nobody types these.
#[derive(Subcommand)]
enum Part {
    /// The socket that is attacked.
    #[command(hide = true)]
    Target {
        who: Who,
        /// Its type.
        kind: String,
        does: Does,
        /// The time for a handshake, in milliseconds.
        handshake_timeout: u64,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = match &args.part {
        Some(Part::Target {
            who,
            kind,
            does,
            handshake_timeout,
        }) => victim::run(*who, kind, *does, *handshake_timeout).map(|()| true),
        None => attack(&args),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("attack: {error}");
            ExitCode::FAILURE
        }
    }
}

/// All of them, or the one that is named. Says whether every figure keeps its bound.
fn attack(args: &Args) -> Result<bool, Failure> {
    if args.name.as_deref() == Some("list") {
        for scenario in SCENARIOS {
            let (name, count, about) = (scenario.name, scenario.count, scenario.about);
            println!("{name:14} {count:>9} {about}");
        }
        return Ok(true);
    }
    let named = args.name.as_deref();
    let chosen: Vec<_> = SCENARIOS
        .iter()
        .filter(|scenario| named.is_none_or(|name| name == scenario.name))
        .collect();
    if chosen.is_empty() {
        return Err("no such attack; `list` names them all".into());
    }
    let mut table = Table::new(&args.victim);
    for scenario in chosen {
        table.begin(scenario.name);
        (scenario.run)(&mut table, args.count.unwrap_or(scenario.count))?;
    }
    Ok(table.end())
}
