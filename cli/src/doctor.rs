//! `pzmq doctor`: why can't these two talk? Looks at a peer step by step, from its name to its queues, and tells of each
//! step in a sentence.

mod foreign;
mod queues;

use std::cell::Cell;
use std::io;
use std::time::Duration;

use purezmq::security::Security;
use purezmq::zmtp::wire::greeting::{self, Greeting};
use purezmq::zmtp::{Error, Incompatible, PeerInfo};
use purezmq::{Capability, Context, Endpoint, Rules, SocketType};

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::probe::{self, End, Guest, Link, Place};
use crate::socket_args::SecurityArgs;
use crate::tls_args::TlsArgs;
use crate::values::{Text, duration, escaped};

const EXAMPLES: &str = "Examples:
  pzmq doctor tcp://localhost:5555
  pzmq doctor tcp://localhost:5555 --type sub --subscribe weather.
  pzmq doctor tcp://localhost:5555 --type req --curve me.key_secret --server-key server.key
  pzmq doctor wss://example.org/zmq --type sub --tls-ca ca.pem";

/// Find out why a socket cannot talk to a peer, step by step
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where the peer is bound: tcp://, ipc://, tls+tcp://, ws://, wss://, vsock://
    endpoint: String,
    /// The type of your socket: sub, push, req, ...
    #[arg(long = "type", value_name = "TYPE", value_parser = socket_type)]
    own: Option<SocketType>,
    /// What your socket subscribes to; may be given more than once
    #[arg(long, value_name = "TOPIC", value_parser = escaped)]
    subscribe: Vec<Text>,
    /// How long to wait for each answer, and for a publication
    #[arg(long, short, value_name = "TIME", default_value = "3s", value_parser = duration)]
    timeout: Duration,
    #[command(flatten)]
    security: SecurityArgs,
    #[command(flatten)]
    tls: TlsArgs,
}

fn socket_type(text: &str) -> Result<SocketType, String> {
    let found = text.to_ascii_uppercase().parse();
    found.map_err(|_| "there is no such socket type".to_owned())
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let endpoint = probe::endpoint(&args.endpoint, &args.tls)?;
    let security = args.security.chosen()?.unwrap_or_default();
    let layered = probe::layered(&endpoint, &security, &args.tls)?;
    crate::block_on(async {
        let mut interrupt = Interrupt::listen()?;
        let doctor = Doctor {
            args: &args,
            endpoint,
            security,
            layered,
            is_wrong: Cell::new(false),
        };
        tokio::select! {
            ended = doctor.look() => ended?,
            signal = interrupt.next() => return Err(signal),
        }
        match doctor.is_wrong.get() {
            true => Err(Failure::Told),
            false => Ok(()),
        }
    })
}

struct Doctor<'a> {
    args: &'a Args,
    endpoint: Endpoint,
    security: Security,
    /// What the library dials, if there is something between the system's connection and ZMTP.
    layered: Option<Place>,
    is_wrong: Cell<bool>,
}

impl Doctor<'_> {
    fn ok(&self, what: impl std::fmt::Display) -> Result<(), Failure> {
        crate::print(format_args!("ok     {what}\n"))
    }

    fn note(&self, what: impl std::fmt::Display) -> Result<(), Failure> {
        crate::print(format_args!("note   {what}\n"))
    }

    fn wrong(&self, what: impl std::fmt::Display) -> Result<(), Failure> {
        self.is_wrong.set(true);
        crate::print(format_args!("WRONG  {what}\n"))
    }

    /// Looks until something is wrong, or all is well.
    async fn look(&self) -> Result<(), Failure> {
        let Some(places) = self.names().await? else {
            return Ok(());
        };
        let Some(place) = self.reach(&places).await? else {
            return Ok(());
        };
        let Some(place) = self.open(place).await? else {
            return Ok(());
        };
        let Some(peer) = self.meet(&place).await? else {
            return Ok(());
        };
        self.subscriptions(&place, peer).await?;
        self.queues(&places).await
    }

    async fn names(&self) -> Result<Option<Vec<Place>>, Failure> {
        match probe::places(&self.endpoint).await {
            Ok(places) if places.is_empty() => Ok(self.layered.clone().map(|place| vec![place])),
            Ok(places) => {
                let listed: Vec<_> = places.iter().map(Place::to_string).collect();
                self.ok(format_args!("{} is {}", self.endpoint, listed.join(", ")))?;
                Ok(Some(places))
            }
            Err(error) => {
                self.wrong(format_args!(
                    "the name in {} does not resolve ({error}): check its spelling, and this machine's DNS",
                    self.endpoint
                ))?;
                Ok(None)
            }
        }
    }

    async fn reach(&self, places: &[Place]) -> Result<Option<Place>, Failure> {
        let mut failures = Vec::new();
        for place in places {
            match probe::dial(place, self.args.timeout).await {
                Ok(_) => {
                    self.ok(format_args!("{place} takes connections"))?;
                    return Ok(Some(place.clone()));
                }
                Err(error) => failures.push((place, error)),
            }
        }
        for (place, error) in failures {
            match error.kind() {
                io::ErrorKind::ConnectionRefused => self.wrong(format_args!(
                    "nobody listens at {place}: the port is wrong, the peer is not running, or it is bound to another address"
                ))?,
                io::ErrorKind::NotFound => self.wrong(format_args!(
                    "there is no {place}: the path is wrong, or the peer is not running"
                ))?,
                io::ErrorKind::TimedOut => self.wrong(format_args!(
                    "{place} does not answer: the address is wrong, or a firewall drops what is sent there"
                ))?,
                _ => self.wrong(format_args!("{place} cannot be reached: {error}"))?,
            }
        }
        Ok(None)
    }

    /// Has the transport shake hands, if it has a handshake of its own: TLS, WebSocket.
    async fn open(&self, reached: Place) -> Result<Option<Place>, Failure> {
        let place = match (&self.layered, &reached) {
            (None, _) | (_, Place::Other(_)) => return Ok(Some(reached)),
            (Some(layered), _) => layered,
        };
        let opened = probe::dial(place, self.args.timeout).await;
        let (name, hint) = match self.endpoint.transport() {
            "tls+tcp" => (
                "TLS",
                "is there a TLS server, has its certificate this name, and does --tls-ca vouch for it?",
            ),
            "wss" => (
                "TLS and WebSocket",
                "is there a TLS server whose certificate --tls-ca vouches for, and a socket at this path, with the same mechanism?",
            ),
            _ => (
                "WebSocket",
                "is there a socket at this path, with the same mechanism?",
            ),
        };
        match opened {
            Ok(_) => {
                self.ok(format_args!("{name}: the handshake is through"))?;
                Ok(Some(place.clone()))
            }
            Err(error) => {
                self.wrong(format_args!(
                    "{name}: the handshake failed ({error}): {hint}"
                ))?;
                Ok(None)
            }
        }
    }

    /// Shakes hands. Returns the peer's type, if there is more to look at.
    async fn meet(&self, place: &Place) -> Result<Option<SocketType>, Failure> {
        let met = probe::meet(place, self.args.own, &self.security, self.args.timeout).await;
        let (link, met) = match met {
            Ok(done) => done,
            Err(error) => {
                self.wrong(format_args!("{place} cannot be reached any more: {error}"))?;
                return Ok(None);
            }
        };
        let Some(greeting) = link.greeting() else {
            let first = link.first().to_vec();
            // One that has time for one connection only has it for the next question.
            drop(link);
            let is_silent = matches!(met, Err(End::Silent));
            self.old_or_foreign(place, &first, is_silent).await?;
            return Ok(None);
        };
        let (major, minor) = (greeting.major, greeting.minor);
        self.ok(format_args!("it speaks ZMTP {major}.{minor}"))?;
        if !self.mechanism(&greeting, &met)? || !self.credentials(&link, &met)? {
            return Ok(None);
        }
        match met {
            Ok(info) => self.fits(info.socket_type),
            Err(end) => match Guest::told(&end) {
                Some(peer) => self.fits(Some(peer)),
                None => {
                    self.unfit(&end)?;
                    Ok(None)
                }
            },
        }
    }

    /// Says what speaks there, if it is not ZMTP 3.
    async fn old_or_foreign(
        &self,
        place: &Place,
        first: &[u8],
        is_silent: bool,
    ) -> Result<(), Failure> {
        if let Some(what) = foreign::named(first) {
            return self.wrong(format_args!("{place} {what}"));
        }
        if first.is_empty() {
            return match foreign::ask(place, self.args.timeout).await {
                Some(what) => self.wrong(format_args!("{place} {what}")),
                None if is_silent => self.wrong(format_args!(
                    "{place} takes connections and says nothing: a ZMTP peer greets at once, so this is none, or it hangs"
                )),
                None => self.wrong(format_args!(
                    "{place} closes the connection without a greeting: it is no ZMTP peer, or keeps this address out"
                )),
            };
        }
        let version = match greeting::identify(first) {
            greeting::Peer::V1 if foreign::is_identity(first) => "1.0 (ZeroMQ 2)",
            greeting::Peer::Revision0 => "1.0 (ZeroMQ 2)",
            greeting::Peer::V2 => "2.0 (ZeroMQ 3)",
            _ => {
                return self.wrong(format_args!(
                    "{place} speaks no ZMTP: it begins with {:?}",
                    String::from_utf8_lossy(first)
                ));
            }
        };
        let what = format!("{place} speaks ZMTP {version}, which is too old");
        match self.security.allows_downgrade() {
            true => self.note(format_args!(
                "{what} to tell its socket type, or to have security: whether it fits, nobody can check"
            )),
            false => self.wrong(format_args!(
                "{what} for {}: it has no security at all",
                self.security.name()
            )),
        }
    }

    fn mechanism(&self, greeting: &Greeting, met: &Result<PeerInfo, End>) -> Result<bool, Failure> {
        let (theirs, ours) = (probe::mechanism(greeting), self.security.name());
        let is_other = matches!(
            met,
            Err(End::Protocol(Error::Incompatible(
                Incompatible::Mechanism { .. }
            )))
        );
        if is_other || theirs != ours {
            let hint = match theirs.as_str() {
                "NULL" => "leave --plain and --curve out, or give the peer a mechanism",
                "PLAIN" => "give --plain USER:PASSWORD",
                "CURVE" => "give --server-key, and --curve if it wants to know who you are",
                _ => "this tool does not speak it",
            };
            self.wrong(format_args!(
                "the mechanisms differ: the peer wants {theirs}, and this side speaks {ours}: {hint}"
            ))?;
            return Ok(false);
        }
        if theirs != "NULL" && greeting.as_server && self.security.is_server() {
            self.wrong(format_args!(
                "both sides are {theirs} servers: one has to be the client"
            ))?;
            return Ok(false);
        }
        self.ok(format_args!("both sides speak {theirs}"))?;
        Ok(true)
    }

    /// Says whether the peer believes who we are, and is who we believe.
    fn credentials(&self, link: &Link, met: &Result<PeerInfo, End>) -> Result<bool, Failure> {
        let has_answered = link.heard() > greeting::GREETING;
        let status = met.as_ref().err().and_then(End::status);
        let wrong = match (met, status) {
            (_, Some(reason)) => Some(match self.security.name() {
                "NULL" => format!(
                    "the peer refuses this address ({reason}): its ZAP handler does not let it in"
                ),
                "PLAIN" => format!(
                    "the peer refuses the name or the password ({reason}): its ZAP handler does not know them"
                ),
                _ => format!(
                    "the server key is right, and the peer refuses ours ({reason}): its ZAP handler has no entry for it"
                ),
            }),
            (Err(End::Closed | End::Silent), _) if self.security.encrypts() && !has_answered => {
                Some(
                    "the peer could not read our HELLO: --server-key is not its public key"
                        .to_owned(),
                )
            }
            (Err(End::Protocol(Error::Violation(violation))), _) if self.security.encrypts() => {
                Some(format!("the keys do not fit: {violation}"))
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            self.wrong(wrong)?;
            return Ok(false);
        }
        if met.is_ok() && self.security.name() != "NULL" {
            self.ok("the peer has let us in")?;
        }
        Ok(true)
    }

    /// Says whether the socket types fit. Returns the peer's type if there is more to look at.
    fn fits(&self, peer: Option<SocketType>) -> Result<Option<SocketType>, Failure> {
        let Some(peer) = peer else {
            self.note("the peer does not say which socket type it is")?;
            return Ok(None);
        };
        let fitting: Vec<_> = peer.peers().iter().map(|kind| kind.name()).collect();
        let fitting = fitting.join(", ");
        match self.args.own {
            None => self.ok(format_args!("it is a {peer}, which talks to {fitting}"))?,
            Some(own) if own.accepts(peer) => {
                self.ok(format_args!("it is a {peer}, which talks to {own}"))?;
            }
            Some(own) => {
                self.wrong(format_args!(
                    "the socket types do not fit: the peer is a {peer}, which talks to {fitting}, and not to {own}"
                ))?;
                return Ok(None);
            }
        }
        Ok(Some(peer))
    }

    /// Says what is left that may be wrong with a handshake that failed.
    fn unfit(&self, end: &End) -> Result<(), Failure> {
        let kind = match self.args.own {
            Some(own) => format!("a {own} does not fit it"),
            None => "its socket type is another one than was tried (give --type)".to_owned(),
        };
        match end {
            End::Closed => self.wrong(format_args!(
                "the peer closed the connection in the handshake: {kind}, or its ZAP handler lets nobody in for now"
            )),
            other => self.wrong(format_args!("the handshake failed: {other}")),
        }
    }

    /// Says whether somebody has subscribed to what there is.
    async fn subscriptions(&self, place: &Place, peer: SocketType) -> Result<(), Failure> {
        let Some(own) = self.args.own.and_then(Rules::of) else {
            return Ok(());
        };
        if own.has(Capability::Subscribes) {
            return self.listen().await;
        }
        let hears = own.publishes && Rules::of(peer).is_some_and(|rules| rules.subscribes);
        if !hears {
            return Ok(());
        }
        let (own, limit) = (Some(own.socket_type), self.args.timeout);
        let heard = match probe::meet(place, own, &self.security, limit).await {
            Ok((mut link, Ok(_))) => link.message(self.args.timeout).await,
            _ => return Ok(()),
        };
        match heard {
            Ok(topic) => {
                let topic = topic.payload().get(1..).unwrap_or_default();
                self.ok(format_args!(
                    "it has subscribed, to \"{}\" among others",
                    topic.escape_ascii()
                ))
            }
            Err(_) => self.wrong(format_args!(
                "the {peer} has not subscribed to anything, or its program does not receive: it gets nothing of what is published"
            )),
        }
    }

    /// Subscribes, and says what comes.
    async fn listen(&self) -> Result<(), Failure> {
        let first = match self.first_publication(&self.args.subscribe).await? {
            Some(first) => first,
            None if self.args.subscribe.is_empty() => {
                return self.note(format_args!(
                    "nothing was published in {} s: give --timeout to listen for longer",
                    self.args.timeout.as_secs_f64()
                ));
            }
            None => return self.other_topics().await,
        };
        if self.args.subscribe.is_empty() {
            return self.wrong(format_args!(
                "a subscriber gets nothing until it subscribes: give --subscribe; it publishes \"{first}\", for one"
            ));
        }
        self.ok(format_args!(
            "it publishes what was subscribed to: \"{first}\", for one"
        ))
    }

    async fn other_topics(&self) -> Result<(), Failure> {
        let topics = self.args.subscribe.iter();
        let topics: Vec<_> = topics
            .map(|topic| format!("\"{}\"", topic.0.escape_ascii()))
            .collect();
        let topics = topics.join(" or ");
        match self.first_publication(&[]).await? {
            Some(other) => self.wrong(format_args!(
                "it publishes nothing that begins with {topics}, but \"{other}\", for one: the topic is wrong"
            )),
            None => self.note(format_args!("nothing was published in time, with {topics} or without")),
        }
    }

    /// Returns the first frame of the first message that comes of these topics; of all, if there are none.
    async fn first_publication(&self, topics: &[Text]) -> Result<Option<String>, Failure> {
        let failed = |error: &dyn std::error::Error| Failure::of("cannot subscribe", error);
        let mut options = purezmq::options::Options::of(SocketType::Sub);
        options.set_security(self.security.clone());
        self.args.tls.set(&mut options)?;
        let context = Context::new();
        let socket = purezmq::AnySocket::with_options(SocketType::Sub, &context, options);
        let mut socket = socket.map_err(|error| failed(&error))?;
        if topics.is_empty() {
            socket.subscribe("");
        }
        for topic in topics {
            socket.subscribe(&topic.0);
        }
        socket
            .connect(&self.endpoint)
            .map_err(|error| failed(&error))?;
        let received = tokio::time::timeout(self.args.timeout, socket.recv()).await;
        Ok(match received {
            Ok(Ok(message)) => {
                let first = message.first().unwrap_or_default();
                let cut = &first[..first.len().min(40)];
                Some(cut.escape_ascii().to_string())
            }
            _ => None,
        })
    }

    /// Says whether somebody's queue is full, as far as this machine's system shows it.
    async fn queues(&self, places: &[Place]) -> Result<(), Failure> {
        let addresses: Vec<_> = places
            .iter()
            .filter_map(|place| match place {
                Place::Tcp(address) => Some(*address),
                _ => None,
            })
            .collect();
        let Some(stuck) = queues::stuck(&addresses).await else {
            return self.note("what waits in its connections cannot be seen here");
        };
        for one in &stuck {
            self.wrong(one)?;
        }
        match stuck.is_empty() {
            true => self.ok("nothing waits in its connections, as far as this machine shows"),
            false => Ok(()),
        }
    }
}
