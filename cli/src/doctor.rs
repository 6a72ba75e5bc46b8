//! `pzmq doctor`: why can't these two talk? Looks at a peer step by step, from its name to its queues, and tells of each
//! step in a sentence.

mod foreign;
mod handshake;
mod queues;
mod subscriptions;

use std::cell::Cell;
use std::io;
use std::time::Duration;

use purezmq::security::Security;
use purezmq::{Endpoint, SocketType};

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::probe::{self, Place};
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
