//! `pzmq push`, `pull`, `req` and all other socket types: messages from standard input to a socket, and from a socket to
//! standard output. One implementation: what a type can do, its [`Rules`] say.

mod command;
mod counted;
mod flow;
mod reply;
mod talk;
mod trouble;

use std::time::Duration;

use purezmq::options::{OptionId, Value};
use purezmq::{AnySocket, Capability, Context, Endpoint, OptionError, Rules, SocketType};

pub(crate) use self::command::Command;
use self::reply::Replies;
use self::talk::Talk;
use self::trouble::Trouble;
use crate::failure::Failure;
use crate::format::{Form, Format};
use crate::interrupt::{Interrupt, LINGER};
use crate::pace::Pace;
use crate::say;
use crate::sink::Sink;
use crate::socket_args::SocketArgs;
use crate::source::Source;
use crate::values::{Text, duration, escaped, size};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Messages to send, in place of standard input; with --format file, files
    #[arg(value_name = "MESSAGE")]
    messages: Vec<String>,
    #[command(flatten)]
    socket: SocketArgs,
    /// Subscribe to messages that begin so; may be given more than once (SUB: all by default)
    #[arg(long, value_name = "TOPIC", value_parser = escaped)]
    subscribe: Vec<Text>,
    /// Join this group; may be given more than once
    #[arg(long, value_name = "GROUP")]
    join: Vec<String>,
    /// How messages are read and written
    #[arg(
        long,
        short,
        value_enum,
        default_value = "lines",
        hide_possible_values = true
    )]
    #[arg(help = "How messages are read and written: lines, length, json, hex, file")]
    format: Form,
    /// Of lines: divide them into frames at this text (tabs are written by default)
    #[arg(long, short, value_name = "TEXT", value_parser = escaped)]
    delimiter: Option<Text>,
    /// How long a message that is read may be
    #[arg(long, value_name = "BYTES", default_value = "64M", value_parser = size)]
    max_size: usize,
    /// End after so many messages: received; or sent, if it only sends or asks
    #[arg(long, short = 'n', value_name = "NUMBER")]
    count: Option<u64>,
    /// Send a message each time so much has passed; those given begin anew
    #[arg(long, short, value_name = "TIME", value_parser = duration)]
    interval: Option<Duration>,
    /// Send so many messages a second; those given begin anew
    #[arg(long, value_name = "NUMBER", conflicts_with = "interval")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// End if nothing came, or nobody took a message, for so long
    #[arg(long, short, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// Before sending, wait for so many subscribers; 0 sends at once
    #[arg(long, value_name = "NUMBER")]
    #[arg(help = "Before sending, wait for so many subscribers; 0 sends at once [default: 1]")]
    wait: Option<usize>,
    /// Send each message back to where it came from
    #[arg(long, conflicts_with = "exec")]
    echo: bool,
    /// Answer each message with what a shell command makes of it
    #[arg(long, value_name = "COMMAND")]
    exec: Option<String>,
    /// How many commands may run at once
    #[arg(long, value_name = "NUMBER", default_value_t = 4, requires = "exec")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
}

pub(crate) fn run(socket_type: SocketType, args: Args) -> Result<(), Failure> {
    let rules = Rules::of(socket_type).expect("each command is a row");
    args.check(rules)?;
    crate::block_on(async {
        let mut interrupt = Interrupt::listen()?;
        let context = Context::new();
        let mut socket = args.socket.open(socket_type, &context).await?;
        args.limit(&mut socket)?;
        if let Some(count) = args.count.filter(|_| counted::is_work(rules)) {
            counted::hold_back(&mut socket, count)?;
        }
        args.subscribe(&mut socket, rules)?;
        let mut talk = args.talk(rules);
        let trouble = Trouble::default();
        let trouble_comes = trouble.comes(socket.monitor(), args.socket.connects());
        tokio::pin!(trouble_comes);
        let (socket, ended) = tokio::select! {
            ended = talk.run(socket, &mut interrupt) => ended,
            never = &mut trouble_comes => match never {},
        };
        let was_interrupted = matches!(ended, Err(Failure::Interrupted(_)));
        if was_interrupted {
            talk.sum_up();
        }
        // Somebody may have stopped to read what is written: a signal ends that, too.
        let (written, signal) = tokio::select! {
            written = talk.finish() => (written, None),
            signal = interrupt.next() => (Ok(()), Some(signal)),
        };
        let is_interrupted = was_interrupted || signal.is_some();
        if is_interrupted {
            talk.sum_up();
        }
        let ended = signal.map_or(ended, Err);
        let limit = match (&ended, args.timeout) {
            (Ok(()), limit) => limit,
            (Err(_), limit) => Some(limit.map_or(LINGER, |limit| limit.min(LINGER))),
        };
        let sum_up = || talk.sum_up();
        let heard: Option<&dyn Fn()> = if is_interrupted { None } else { Some(&sum_up) };
        let (report, signal) = tokio::select! {
            closed = interrupt.close(socket, limit, &context, heard) => closed?,
            never = &mut trouble_comes => match never {},
        };
        if report.unread > 0 && args.count.is_some_and(|count| count > 0) {
            counted::tell(report.unread);
        }
        let unsent = format!("messages left unsent: {}", report.unsent);
        let ended = match ended.and(written).and(signal.map_or(Ok(()), Err)) {
            Ok(()) if report.unsent == 0 => Ok(()),
            Ok(()) if limit.is_some() => Err(Failure::TimedOut(unsent)),
            Ok(()) => Err(Failure::Failed(unsent)),
            Err(signal @ Failure::Interrupted(_)) if report.unsent > 0 => {
                say(unsent);
                Err(signal)
            }
            other => other,
        };
        if let Err(Failure::TimedOut(_) | Failure::Failed(_)) = ended {
            trouble.tell_unreached();
        }
        ended
    })
}

impl Args {
    /// Refuses what the socket type has no use for.
    fn check(&self, rules: &Rules) -> Result<(), Failure> {
        let sends = rules.has(Capability::Sends);
        let given = [
            (!sends && !self.messages.is_empty(), "a message to send"),
            (!sends && self.interval.is_some(), "--interval"),
            (!sends && self.rate.is_some(), "--rate"),
            (
                !self.subscribe.is_empty() && !rules.subscribes,
                "--subscribe",
            ),
            (!self.join.is_empty() && !joins(rules), "--join"),
            (self.wait.is_some() && !rules.publishes, "--wait"),
            (self.echo && !answers(rules), "--echo"),
            (self.exec.is_some() && !answers(rules), "--exec"),
        ];
        if let Some((_, what)) = given.iter().find(|(is_wrong, _)| *is_wrong) {
            let kind = rules.socket_type;
            return Err(Failure::Usage(format!("a {kind} has no use for {what}")));
        }
        if (self.echo || self.exec.is_some()) && !self.messages.is_empty() {
            let why = "--echo and --exec make the answers: there is no use for a message to send";
            return Err(Failure::Usage(why.to_owned()));
        }
        if self
            .delimiter
            .as_ref()
            .is_some_and(|text| text.0.is_empty())
        {
            return Err(Failure::Usage("--delimiter is empty".to_owned()));
        }
        Ok(())
    }

    /// Lets no call wait for longer than `--timeout`.
    fn limit(&self, socket: &mut AnySocket) -> Result<(), Failure> {
        let Some(limit) = self.timeout else {
            return Ok(());
        };
        let mut options = socket.options();
        let usage = |error: OptionError| Failure::Usage(format!("--timeout: {error}"));
        for name in ["send_timeout", "recv_timeout"] {
            let id = OptionId::by_name(name).expect("an option");
            if options.has(id) {
                options.set(id, Value::Duration(limit)).map_err(usage)?;
            }
        }
        socket.set_options(options).map_err(usage)
    }

    fn subscribe(&self, socket: &mut AnySocket, rules: &Rules) -> Result<(), Failure> {
        for group in &self.join {
            let joined = socket.join(group);
            joined.map_err(|error| Failure::Usage(format!("--join {group}: {error}")))?;
        }
        let by_message = rules.has(Capability::SubscribesByMessage);
        if self.subscribe.is_empty() && rules.has(Capability::Subscribes) && !by_message {
            socket.subscribe("");
        }
        for topic in &self.subscribe {
            socket.subscribe(&topic.0);
        }
        Ok(())
    }

    fn talk(&self, rules: &'static Rules) -> Talk {
        let format = Format {
            form: self.format,
            delimiter: self.delimiter.clone().map(|text| text.0),
            max_size: self.max_size,
        };
        let replies = match &self.exec {
            Some(command) => Some(Replies::exec(command, format.clone(), self.jobs, rules)),
            None => self.echo.then(|| Replies::echo(rules)),
        };
        let rate = self.rate.map(|rate| Duration::from_secs(1) / rate);
        let interval = self.interval.or(rate);
        // What only sends, or asks, counts what it sends.
        let counts_sent = !rules.has(Capability::Receives) || rules.has(Capability::Requests);
        let repeats = interval.is_some() || self.count.is_some() && counts_sent;
        let sends = rules.has(Capability::Sends) && replies.is_none();
        Talk {
            rules,
            source: sends.then(|| match self.messages.is_empty() {
                true => Source::standard_input(format.clone()),
                false => Source::given(format.clone(), self.messages.clone(), repeats),
            }),
            sink: Sink::standard_output(format),
            replies,
            pace: Pace::new(interval),
            count: self.count,
            timeout: self.timeout,
            wait: match self.has_subscribers(rules) {
                true => self.wait.unwrap_or(1),
                false => 0,
            },
            tally: talk::Tally::new(),
        }
    }

    /// Returns whether peers tell what they want: not those that datagrams reach.
    fn has_subscribers(&self, rules: &Rules) -> bool {
        let is_told = |endpoint: &str| {
            let endpoint = endpoint.parse::<Endpoint>();
            endpoint.is_ok_and(|endpoint| endpoint.udp().is_none())
        };
        rules.publishes && self.socket.endpoints().any(is_told)
    }
}

/// Returns whether the type receives what is for groups.
fn joins(rules: &Rules) -> bool {
    rules.socket_type.sends_groups()
}

/// Returns whether the type can answer what it receives.
fn answers(rules: &Rules) -> bool {
    let talks = rules.has(Capability::Sends) && rules.has(Capability::Receives);
    talks
        && rules.has(Capability::Zmtp)
        && !rules.has(Capability::Requests)
        && !rules.publishes
        && !rules.subscribes
}
