//! `pzmq ping`: is there a ZMTP peer, what is it, and how fast does it answer?
//!
//! It asks by ZMTP's PING, which a peer's library answers without its application. A peer that would send its own messages
//! to whoever connects is not entered: there, the time to its greeting is measured, over a new connection each.

use std::time::{Duration, Instant};

use purezmq::SocketType;
use purezmq::security::Security;
use purezmq::zmtp::PeerInfo;
use purezmq::zmtp::wire::greeting::Greeting;
use tokio::time::{Instant as Clock, sleep_until};

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::probe::{self, End, Guest, Link, Place};
use crate::socket_args::SecurityArgs;
use crate::tls_args::TlsArgs;
use crate::values::duration;

const EXAMPLES: &str = "Examples:
  pzmq ping tcp://localhost:5555
  pzmq ping tcp://localhost:5555 --count 10 --interval 100ms
  pzmq ping ipc:///run/service --server-key server.key
  pzmq ping wss://example.org/zmq --tls-ca ca.pem";

/// Ask a peer for signs of life: what it is, and how fast it answers
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where the peer is bound: tcp://, ipc://, tls+tcp://, ws://, wss://, vsock://
    endpoint: String,
    /// End after so many PINGs; without, Ctrl-C ends
    #[arg(long, short = 'n', value_name = "NUMBER")]
    count: Option<u64>,
    /// Time between two PINGs
    #[arg(long, short, value_name = "TIME", default_value = "1s", value_parser = duration)]
    interval: Duration,
    /// How long to wait for each answer
    #[arg(long, short, value_name = "TIME", default_value = "2s", value_parser = duration)]
    timeout: Duration,
    #[command(flatten)]
    security: SecurityArgs,
    #[command(flatten)]
    tls: TlsArgs,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let endpoint = probe::endpoint(&args.endpoint, &args.tls)?;
    let security = args.security.chosen()?.unwrap_or_default();
    let layered = probe::layered(&endpoint, &security, &args.tls)?;
    crate::block_on(async {
        let mut interrupt = Interrupt::listen()?;
        let places = match layered {
            Some(place) => vec![place],
            None => probe::places(&endpoint)
                .await
                .map_err(|error| Failure::of(format_args!("cannot resolve {endpoint}"), &error))?,
        };
        let mut series = Series::default();
        let ended = tokio::select! {
            ended = ping(&args, &places, &security, &mut series) => ended,
            signal = interrupt.next() => Err(signal),
        };
        if series.sent == 0 {
            return ended;
        }
        crate::print(format_args!("--- {endpoint}\n{}", series.summary()))?;
        match (ended, series.answers.is_empty()) {
            (Ok(()), true) => Err(Failure::TimedOut(format!("{endpoint} did not answer"))),
            (ended, _) => ended,
        }
    })
}

/// The peer, as it is asked.
struct Target {
    place: Place,
    security: Security,
    /// `None`: its greeting is what is asked for.
    guest: Option<Guest>,
}

async fn ping(
    args: &Args,
    places: &[Place],
    security: &Security,
    series: &mut Series,
) -> Result<(), Failure> {
    let target = find(args, places, security).await?;
    let mut link = None;
    let mut next = Clock::now();
    while args.count.is_none_or(|count| series.sent < count) {
        sleep_until(next).await;
        next += args.interval;
        series.sent += 1;
        let number = series.sent;
        match target.ask(&mut link, args.timeout).await {
            Ok(time) => {
                series.answers.push(time);
                crate::print(format_args!("{number}: {}\n", millis(time)))?;
            }
            Err(end) => {
                link = None;
                crate::print(format_args!("{number}: {end}\n"))?;
            }
        }
    }
    Ok(())
}

/// Finds out what is there, and says it.
async fn find(args: &Args, places: &[Place], security: &Security) -> Result<Target, Failure> {
    let mut failed = None;
    for place in places {
        match probe::meet(place, None, security, args.timeout).await {
            Ok((link, met)) => return describe(args, place, security, &link, met).await,
            Err(error) => failed = Some(Failure::of(format_args!("cannot reach {place}"), &error)),
        }
    }
    Err(failed.expect("there is a place"))
}

async fn describe(
    args: &Args,
    place: &Place,
    security: &Security,
    link: &Link,
    met: Result<PeerInfo, End>,
) -> Result<Target, Failure> {
    let is_silent = matches!(met, Err(End::Silent));
    let Some(greeting) = link.greeting() else {
        return Err(match (is_silent, link.first().is_empty()) {
            (true, true) => {
                Failure::TimedOut(format!("{place} takes connections, and says nothing"))
            }
            _ => Failure::Failed(format!(
                "{place} speaks no ZMTP 3: `pzmq doctor` looks closer"
            )),
        });
    };
    let (kind, info) = match met {
        Ok(info) => (info.socket_type, Some(info)),
        Err(end) => match Guest::told(&end) {
            Some(kind) => (Some(kind), None),
            None => return Err(Failure::Failed(format!("{place}: {end}"))),
        },
    };
    let guest = kind.map(Guest::of);
    let info = match (info, &guest) {
        (None, Some(guest)) if !guest.would_disturb => {
            meet_as(args, place, security, guest.own).await.ok()
        }
        (info, _) => info,
    };
    introduce(args, place, &greeting, guest.as_ref(), info.as_ref())?;
    Ok(Target {
        place: place.clone(),
        security: security.clone(),
        // PING came with 3.1.
        guest: guest.filter(|guest| !guest.would_disturb && !greeting.is_3_0()),
    })
}

async fn meet_as(
    args: &Args,
    place: &Place,
    security: &Security,
    own: SocketType,
) -> Result<PeerInfo, End> {
    let (_, met) = probe::meet(place, Some(own), security, args.timeout).await?;
    met
}

/// Says what the peer has said of itself.
fn introduce(
    args: &Args,
    place: &Place,
    greeting: &Greeting,
    guest: Option<&Guest>,
    info: Option<&PeerInfo>,
) -> Result<(), Failure> {
    let mechanism = crate::probe::mechanism(greeting);
    let kind = guest.map_or("unknown type", |guest| guest.peer.name());
    let (major, minor) = (greeting.major, greeting.minor);
    let endpoint = &args.endpoint;
    let at = match place {
        Place::Other(_) => String::new(),
        place => format!(" ({place})"),
    };
    crate::print(format_args!(
        "{endpoint}{at}: {kind}, ZMTP {major}.{minor}, {mechanism}\n"
    ))?;
    let properties = info
        .map(|info| info.properties.iter())
        .into_iter()
        .flatten();
    for (name, value) in properties.filter(|(_, value)| !value.is_empty()) {
        crate::print(format_args!("  {name}: {}\n", value.escape_ascii()))?;
    }
    match guest {
        Some(guest) if !guest.would_disturb && !greeting.is_3_0() => Ok(()),
        _ => crate::print(format_args!(
            "  (nobody comes in just to ask: what follows are the times to its greeting)\n"
        )),
    }
}

impl Target {
    async fn ask(&self, link: &mut Option<Link>, limit: Duration) -> Result<Duration, End> {
        let Some(guest) = &self.guest else {
            let began = Instant::now();
            let stream = probe::dial(&self.place, limit).await?;
            // Before it knows what this is, it has greeted.
            let mut link = Link::new(stream, SocketType::Req, self.security.clone());
            link.greet(limit).await?;
            return Ok(began.elapsed());
        };
        if link.is_none() {
            let stream = probe::dial(&self.place, limit).await?;
            let mut new = Link::new(stream, guest.own, self.security.clone());
            new.meet(limit).await?;
            *link = Some(new);
        }
        link.as_mut().expect("just made").ping(limit).await
    }
}

/// What came of the questions.
#[derive(Default)]
struct Series {
    sent: u64,
    answers: Vec<Duration>,
}

impl Series {
    fn summary(&mut self) -> String {
        self.answers.sort_unstable();
        let answered = self.answers.len();
        let lost = 100.0 * (1.0 - answered as f64 / self.sent as f64);
        let sent = self.sent;
        let mut summary = format!("{sent} sent, {answered} answered, {lost:.0}% lost\n");
        if let Some(last) = answered.checked_sub(1) {
            let at = |share: f64| millis(self.answers[(share * last as f64).round() as usize]);
            summary += &format!(
                "min {}, median {}, 90% {}, 99% {}, max {}\n",
                at(0.0),
                at(0.5),
                at(0.9),
                at(0.99),
                at(1.0)
            );
        }
        summary
    }
}

fn millis(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}
