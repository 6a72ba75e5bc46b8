//! The commands of all socket types: one for each row of the library's [`RULES`], with the same arguments.

use clap::{ArgMatches, Args as _, FromArgMatches, Subcommand};
use purezmq::rules::{Datagrams, RULES};
use purezmq::{Capability, Rules, SocketType};

use super::{Args, answers, joins};

/// A socket type, and what is done with a socket of it.
pub(crate) struct Command {
    pub(crate) socket_type: SocketType,
    pub(crate) args: Args,
}

impl Command {
    /// Returns the names of all types' commands.
    pub(crate) fn names() -> Vec<String> {
        RULES.iter().map(name).collect()
    }
}

/// Returns the name of a type's command: `push`.
fn name(rules: &Rules) -> String {
    rules.socket_type.name().to_ascii_lowercase()
}

fn named(command: &str) -> Option<&'static Rules> {
    RULES.iter().find(|rules| name(rules) == command)
}

fn command(rules: &Rules) -> clap::Command {
    let own = name(rules);
    let peers = rules.socket_type.peers().iter();
    let peers: Vec<_> = peers.map(|peer| peer.name()).collect();
    let does = [("sends", rules.sends), ("receives", rules.receives)]
        .iter()
        .filter(|(_, what)| !what.is_empty())
        .map(|(does, what)| format!("{does} {what}"))
        .collect::<Vec<_>>()
        .join("; ");
    let kind = rules.socket_type;
    let about = format!("{kind}: {does} (talks to {})", peers.join(", "));
    let mut command = Args::augment_args(clap::Command::new(own))
        .about(about)
        .after_help(examples(rules))
        .arg_required_else_help(true)
        // They are many, and stand in a line of their own.
        .hide(true);
    let sends = rules.has(Capability::Sends);
    let unused = [
        (!rules.subscribes, "subscribe"),
        (!joins(rules), "join"),
        (!rules.publishes, "wait"),
        (!answers(rules), "echo"),
        (!answers(rules), "exec"),
        (!answers(rules), "jobs"),
        (!sends, "messages"),
        (!sends, "interval"),
        (!sends, "rate"),
    ];
    for (_, id) in unused.iter().filter(|(is_unused, _)| *is_unused) {
        command = command.mut_arg(id, |arg| arg.hide(true));
    }
    command
}

/// Returns examples for what the type can do.
fn examples(rules: &Rules) -> String {
    let own = name(rules);
    let (sends, receives) = (
        rules.has(Capability::Sends),
        rules.has(Capability::Receives),
    );
    let mut examples = Vec::new();
    match rules.datagrams {
        Datagrams::Never => {}
        Datagrams::Groups if sends => examples.push(format!(
            "pzmq {own} --connect udp://239.0.0.1:5555 --delimiter : news:hello"
        )),
        Datagrams::Groups => examples.push(format!("pzmq {own} --bind 'udp://*:5555' --join news")),
        Datagrams::Always => {
            examples.push(format!("pzmq {own} --bind 'udp://*:5555' --format json"));
        }
    }
    if joins(rules) {
        examples.push(format!(
            "pzmq {own} --connect tcp://localhost:5555 --join news"
        ));
    } else if rules.subscribes {
        examples.push(format!(
            "pzmq {own} --connect tcp://localhost:5555 --subscribe weather."
        ));
    }
    if rules.socket_type.takes_groups() {
        examples.push(format!(
            "pzmq {own} --connect tcp://localhost:5555 --delimiter : news:hello"
        ));
    } else if rules.has(Capability::Requests) {
        examples.push(format!(
            "pzmq {own} --connect tcp://localhost:5555 --timeout 2s hello"
        ));
    } else if answers(rules) {
        examples.push(format!("pzmq {own} --bind 'tcp://*:5555' --echo"));
        examples.push(format!(
            "pzmq {own} --bind 'tcp://*:5555' --exec 'tr a-z A-Z' --jobs 8"
        ));
    } else if sends {
        examples.push(format!(
            "tail -f log | pzmq {own} --connect tcp://localhost:5555"
        ));
    }
    if receives && !rules.has(Capability::Requests) {
        examples.push(format!(
            "pzmq {own} --bind 'tcp://*:5555' --count 1 --timeout 10s"
        ));
    }
    format!("Examples:\n  {}", examples.join("\n  "))
}

impl FromArgMatches for Command {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let (name, matches) = matches.subcommand().expect("there is a command");
        let rules = named(name).expect("it is the name of a type");
        Ok(Command {
            socket_type: rules.socket_type,
            args: Args::from_arg_matches(matches)?,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for Command {
    fn augment_subcommands(parent: clap::Command) -> clap::Command {
        parent.subcommands(RULES.iter().map(command))
    }

    fn augment_subcommands_for_update(parent: clap::Command) -> clap::Command {
        Self::augment_subcommands(parent)
    }

    fn has_subcommand(name: &str) -> bool {
        named(name).is_some()
    }
}
