//! The command line, the same for all compared implementations.

use std::str::FromStr;

use crate::Failure;
use crate::meter::PROBE;
use crate::stamps::STAMP;

const USAGE: &str = "bench-peer ROLE (--connect ENDPOINT | --bind ENDPOINT) --size BYTES --count MESSAGES \
[--warmup MESSAGES] [--peers NUMBER] [--mode ct|ct-task|mt|io|busy|blocking] [--payload shared|copy] [--hwm MESSAGES] \
[--curve] [--tls FILE] [--sequence] [--sender NUMBER] [--rate MESSAGES] [--endless] [--probe] [--hold] [--timeout SECONDS]
ROLE: push pull pub sub lat-req (req) lat-rep (rep) inproc-thr inproc-lat conn-pull
      ask-requester ask-dealer ask-router fan-in-push fan-in-pull fan-out-push fan-out-pull
      echo-stream echo-tcp echo-dgram echo-udp echo-router echo-server
      echoed-tcp echoed-udp echoed-dealer echoed-client rustls-push rustls-pull version";

/// The first byte of a message says who of a fan sent it.
const LARGEST_FAN: usize = 256;

/// What the command line asks for.
pub(crate) enum Command {
    Version,
    Run(Args),
}

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) role: Role,
    /// The role as it was given: `rep` and `lat-rep` are one.
    pub(crate) role_name: String,
    /// Where; the inproc roles have no use for it.
    pub(crate) attach: Option<Attach>,
    /// Bytes of each message.
    pub(crate) size: usize,
    /// Messages that are measured.
    pub(crate) count: u64,
    /// Messages before those; at least one, since the clock starts with the last of them.
    pub(crate) warmup: u64,
    /// Subscribers, connections, messages or requests under way, or sockets on the wide side of a fan.
    pub(crate) peers: usize,
    pub(crate) mode: Mode,
    /// The mode as it was given.
    pub(crate) mode_name: String,
    pub(crate) payload: Payload,
    /// Both high-water marks; `None` leaves what the role starts with.
    pub(crate) hwm: Option<usize>,
    /// Connections are encrypted; whoever binds is the server.
    pub(crate) curve: bool,
    /// Where the certificate is, which whoever binds makes for the other side: endpoints are `tls+tcp://`.
    pub(crate) tls: Option<String>,
    /// Messages are numbered, and receivers check the numbers.
    pub(crate) sequence: bool,
    /// Which of several senders this is.
    pub(crate) sender: u64,
    /// Messages a second, dated; 0: as fast as possible.
    pub(crate) rate: u64,
    /// A pusher goes on until it is told to stop; a puller goes on after its report.
    pub(crate) endless: bool,
    /// A pusher sends probes until `GO`; a puller is ready once it has seen one.
    pub(crate) probe: bool,
    /// Stay until standard input ends.
    pub(crate) hold: bool,
    /// Seconds until the process is killed.
    pub(crate) timeout: u32,
}

#[derive(Clone, Debug)]
pub(crate) enum Attach {
    Bind(String),
    Connect(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Push,
    Pull,
    Pub,
    Sub,
    Requester,
    Replier,
    AskingRequester,
    AskingDealer,
    AskedRouter,
    InprocThroughput,
    InprocLatency,
    ConnectionPull,
    FanInPush,
    FanInPull,
    FanOutPush,
    FanOutPull,
    EchoStream,
    EchoTcp,
    EchoUdp,
    EchoDgram,
    EchoRouter,
    EchoServer,
    EchoedTcp,
    EchoedUdp,
    EchoedDealer,
    EchoedClient,
    RustlsPush,
    RustlsPull,
}

impl Role {
    fn is_fan(self) -> bool {
        matches!(
            self,
            Role::FanInPush | Role::FanInPull | Role::FanOutPush | Role::FanOutPull
        )
    }

    /// Sends until the driver says that it is enough.
    fn sends_without_end(self) -> bool {
        matches!(self, Role::FanInPush | Role::FanOutPush)
    }
}

/// Where tasks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// All on one thread, the role itself in `block_on`: `#[tokio::main(flavor = "current_thread")]`.
    CurrentThread,
    /// The same with the role in a task of its own.
    CurrentThreadTask,
    /// Two worker threads; the role in a task of its own.
    MultiThread,
    /// As `ct`, and a receiver asks its connections for 50 us before it sleeps.
    BusyPoll,
    /// The role on one thread, the connections on an I/O thread of the context.
    IoThread,
    /// The blocking sockets, without a runtime; the connections on an I/O thread of the context.
    Blocking,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// One message, cloned.
    Shared,
    /// A fresh buffer for each message.
    Copy,
}

impl Args {
    pub(crate) fn total(&self) -> u64 {
        self.warmup + self.count
    }

    /// Messages that a pusher sends.
    pub(crate) fn sends(&self) -> u64 {
        if self.endless { u64::MAX } else { self.total() }
    }

    pub(crate) fn transport(&self) -> &str {
        match &self.attach {
            Some(Attach::Bind(endpoint) | Attach::Connect(endpoint)) => {
                endpoint.split("://").next().unwrap_or_default()
            }
            None => "inproc",
        }
    }
}

impl FromStr for Role {
    type Err = Failure;

    fn from_str(name: &str) -> Result<Self, Failure> {
        Ok(match name {
            "push" => Role::Push,
            "pull" => Role::Pull,
            "pub" => Role::Pub,
            "sub" => Role::Sub,
            "req" | "lat-req" => Role::Requester,
            "rep" | "lat-rep" => Role::Replier,
            "ask-requester" => Role::AskingRequester,
            "ask-dealer" => Role::AskingDealer,
            "ask-router" => Role::AskedRouter,
            "inproc-thr" => Role::InprocThroughput,
            "inproc-lat" => Role::InprocLatency,
            "conn-pull" => Role::ConnectionPull,
            "fan-in-push" => Role::FanInPush,
            "fan-in-pull" => Role::FanInPull,
            "fan-out-push" => Role::FanOutPush,
            "fan-out-pull" => Role::FanOutPull,
            "echo-stream" => Role::EchoStream,
            "echo-tcp" => Role::EchoTcp,
            "echo-udp" => Role::EchoUdp,
            "echo-dgram" => Role::EchoDgram,
            "echo-router" => Role::EchoRouter,
            "echo-server" => Role::EchoServer,
            "echoed-tcp" => Role::EchoedTcp,
            "echoed-udp" => Role::EchoedUdp,
            "echoed-dealer" => Role::EchoedDealer,
            "echoed-client" => Role::EchoedClient,
            "rustls-push" => Role::RustlsPush,
            "rustls-pull" => Role::RustlsPull,
            other => return Err(format!("unknown role {other}\n{USAGE}").into()),
        })
    }
}

impl FromStr for Mode {
    type Err = Failure;

    fn from_str(name: &str) -> Result<Self, Failure> {
        match name {
            "" | "ct" => Ok(Mode::CurrentThread),
            "ct-task" => Ok(Mode::CurrentThreadTask),
            "mt" => Ok(Mode::MultiThread),
            "io" => Ok(Mode::IoThread),
            "busy" => Ok(Mode::BusyPoll),
            "blocking" => Ok(Mode::Blocking),
            other => Err(format!("unknown mode {other}").into()),
        }
    }
}

impl FromStr for Payload {
    type Err = Failure;

    fn from_str(name: &str) -> Result<Self, Failure> {
        match name {
            "shared" => Ok(Payload::Shared),
            "copy" => Ok(Payload::Copy),
            other => Err(format!("unknown payload {other}").into()),
        }
    }
}

/// Reads the words after the program's name.
pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Command, Failure> {
    let role_name = words.next().ok_or(USAGE)?;
    if matches!(role_name.as_str(), "version" | "--version") {
        return Ok(Command::Version);
    }
    let mut args = Args {
        role: role_name.parse()?,
        role_name,
        attach: None,
        size: 64,
        count: 100_000,
        warmup: 0,
        peers: 1,
        mode: Mode::CurrentThread,
        mode_name: String::new(),
        payload: Payload::Shared,
        hwm: None,
        curve: false,
        tls: None,
        sequence: false,
        sender: 0,
        rate: 0,
        endless: false,
        probe: false,
        hold: false,
        timeout: 60,
    };
    let mut warmup = None;
    while let Some(name) = words.next() {
        let switch = match name.as_str() {
            "--hold" => Some(&mut args.hold),
            "--curve" => Some(&mut args.curve),
            "--sequence" => Some(&mut args.sequence),
            "--endless" => Some(&mut args.endless),
            "--probe" => Some(&mut args.probe),
            _ => None,
        };
        if let Some(switch) = switch {
            *switch = true;
            continue;
        }
        let value = words
            .next()
            .ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--bind" => args.attach = Some(Attach::Bind(value)),
            "--connect" => args.attach = Some(Attach::Connect(value)),
            "--size" => args.size = number(&name, &value)?,
            "--count" => args.count = number(&name, &value)?,
            "--warmup" => warmup = Some(number(&name, &value)?),
            "--peers" => args.peers = number(&name, &value)?,
            "--mode" => {
                args.mode = value.parse()?;
                args.mode_name = value;
            }
            "--payload" => args.payload = value.parse()?,
            "--hwm" => args.hwm = Some(number(&name, &value)?),
            "--tls" => args.tls = Some(value),
            "--sender" => args.sender = number(&name, &value)?,
            "--rate" => args.rate = number(&name, &value)?,
            "--timeout" => args.timeout = number(&name, &value)?,
            _ => return Err(format!("unknown option {name}\n{USAGE}").into()),
        }
    }
    args.warmup = warmup.unwrap_or(args.count / 10).max(1);
    args.sequence |= args.rate > 0;
    match args.role {
        Role::InprocThroughput | Role::InprocLatency => args.attach = None,
        _ if args.attach.is_none() => return Err("--bind or --connect is missing".into()),
        Role::EchoedTcp if args.size == 0 => return Err("--size of a stream: at least 1".into()),
        Role::RustlsPush | Role::RustlsPull if args.tls.is_none() => {
            return Err(format!("{} needs --tls", args.role_name).into());
        }
        _ if args.sequence && args.size < STAMP => {
            return Err(format!("--size of numbered messages: at least {STAMP}").into());
        }
        _ if args.sender >= LARGEST_FAN as u64 => {
            return Err(format!("--sender: less than {LARGEST_FAN}").into());
        }
        _ if (args.endless || args.probe) && !args.hold => {
            return Err("--endless and --probe need --hold".into());
        }
        role if role.sends_without_end() && !args.hold => {
            return Err(format!("{} needs --hold", args.role_name).into());
        }
        role if role.is_fan() && !(1..=LARGEST_FAN).contains(&args.peers) => {
            return Err(format!("--peers of a fan: 1 to {LARGEST_FAN}").into());
        }
        role if role.is_fan() && (args.size == 0 || args.size == PROBE) => {
            return Err(format!("--size of a fan: neither 0 nor {PROBE}").into());
        }
        _ => {}
    }
    Ok(Command::Run(args))
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T, Failure> {
    value
        .parse()
        .map_err(|_| format!("{name} {value}: not a number in range").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Result<Args, String> {
        match parse(line.split_whitespace().map(str::to_owned)) {
            Ok(Command::Run(args)) => Ok(args),
            Ok(Command::Version) => Err("version".into()),
            Err(failure) => Err(failure.to_string()),
        }
    }

    #[test]
    fn reads_every_option() {
        let args = args(
            "pull --bind tcp://127.0.0.1:5555 --size 16 --count 1000 --warmup 10 --peers 3 --mode mt \
             --payload copy --hwm 7 --curve --tls c --sequence --sender 2 --rate 50 --endless --probe --hold --timeout 9",
        )
        .unwrap();
        assert_eq!(args.role, Role::Pull);
        assert_eq!(args.transport(), "tcp");
        assert_eq!((args.size, args.total(), args.peers), (16, 1010, 3));
        assert_eq!(
            (args.mode, args.payload),
            (Mode::MultiThread, Payload::Copy)
        );
        assert_eq!((args.hwm, args.hold, args.timeout), (Some(7), true, 9));
        assert_eq!(args.tls.as_deref(), Some("c"));
        assert!(args.curve && args.sequence && args.endless && args.probe);
        assert_eq!((args.sender, args.rate), (2, 50));
    }

    #[test]
    fn warms_up_with_a_tenth() {
        assert_eq!(args("inproc-thr --count 1000").unwrap().warmup, 100);
        assert_eq!(args("inproc-thr --count 1").unwrap().warmup, 1);
        assert_eq!(args("inproc-thr --count 5 --warmup 0").unwrap().warmup, 1);
    }

    #[test]
    fn says_what_is_wrong() {
        for (line, part) in [
            ("", "ROLE"),
            ("juggle", "unknown role juggle"),
            ("push", "--bind or --connect"),
            ("push --bind", "--bind needs a value"),
            ("push --bind tcp://*:1 --size x", "--size x"),
            ("push --bind tcp://*:1 --mode warp", "unknown mode warp"),
            ("push --bind tcp://*:1 --speed 9", "unknown option --speed"),
            ("push --bind tcp://*:1 --rate 9 --size 15", "at least 16"),
            ("push --bind tcp://*:1 --probe", "need --hold"),
            ("rustls-pull --bind tls+tcp://127.0.0.1:1", "needs --tls"),
            ("push --bind tcp://*:1 --sender 256", "less than 256"),
            ("fan-in-push --connect tcp://127.0.0.1:1", "needs --hold"),
            ("fan-in-pull --bind tcp://*:1 --peers 257", "1 to 256"),
            (
                "fan-out-pull --connect tcp://127.0.0.1:1 --size 3",
                "--size",
            ),
        ] {
            let failure = args(line).unwrap_err();
            assert!(failure.contains(part), "{line}: {failure}");
        }
    }
}
