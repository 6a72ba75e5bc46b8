//! What honest peers get, and how late calls come back, while others send as fast as they can.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::raw::short_frame;
use purezmq_endurance::Failure;

use super::handshakes::storm_of;
use crate::Who;
use crate::table::Bound::{AtMost, HalfOfLibzmq, Shown};
use crate::table::Table;
use crate::victim::{Does, NEWS, Victim, WANTED, kin, peer_of};
use crate::wire::{Flood, Peer, is_late, subscription, unsubscription};

/// Until all are at it.
const WARM_UP: Duration = Duration::from_millis(500);
/// For so long the first message is waited for.
const LONGEST: Duration = Duration::from_secs(10);
/// For so long it is counted.
const SECONDS: u64 = 3;

/// How late a call may be, in milliseconds.
const LATE: f64 = 50.0;

/// Honest clients that ask, each after it has got its answer, or tries again for as long as there is none.
struct Askers {
    answers: Arc<AtomicU64>,
    _flood: Flood,
}

impl Askers {
    fn begin(port: u16, peers: usize) -> Askers {
        let answers = Arc::new(AtomicU64::new(0));
        let counted = answers.clone();
        let question = [&[1, 0][..], &short_frame(b"an honest question")].concat();
        let flood = Flood::of(peers, move |stop| {
            let mut peer = Peer::meet(port, "REQ")?;
            peer.set_patience(Duration::from_millis(500))?;
            while !stop.load(Ordering::Relaxed) {
                peer.send(&question)?;
                // The delimiter, and the answer.
                for _ in 0..2 {
                    message(&mut peer, || stop.load(Ordering::Relaxed))?;
                }
                counted.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        Askers {
            answers,
            _flood: flood,
        }
    }

    /// Answers a second.
    fn count(&self) -> f64 {
        sleep(WARM_UP);
        let before = self.answers.load(Ordering::Relaxed);
        sleep(Duration::from_secs(SECONDS));
        (self.answers.load(Ordering::Relaxed) - before) as f64 / SECONDS as f64
    }
}

/// The next message, however long that takes, unless it is not waited for any more.
fn message(peer: &mut Peer, is_over: impl Fn() -> bool) -> io::Result<()> {
    loop {
        match peer.message() {
            Err(error) if is_late(&error) && !is_over() => {}
            other => return other.map(drop),
        }
    }
}

/// Messages a second that the victim receives.
fn received(victim: &mut Victim) -> Result<f64, Failure> {
    sleep(WARM_UP);
    let before = victim.received()?;
    sleep(Duration::from_secs(SECONDS));
    Ok((victim.received()? - before) / SECONDS as f64)
}

/// What a type throws away: the peer that sends it, and its bytes.
fn unwanted(kind: &str) -> Vec<u8> {
    match kin(kind) {
        "PULL" => [&[1, 1, b'x'][..], &short_frame(b"y")].concat(),
        _ => short_frame(b"no use for it"),
    }
}

pub(super) fn discarded(table: &mut Table<'_>, count: usize) -> Result<(), Failure> {
    let late = format!("ms that a limit of 200 is late, {count} attackers");
    for (kind, does) in [
        ("SUB", Does::Receives),
        ("REP", Does::Answers),
        ("REQ", Does::Receives),
        ("GATHER", Does::Receives),
    ] {
        let victim = format!("{kind} {}", does.text());
        let figures = [(late.as_str(), AtMost(LATE))];
        table.beside(&victim, figures, |who| {
            let mut victim = Victim::start(who, kind, does)?;
            let peer_type = peer_of(who, kind)?;
            let _flood = Flood::begin(victim.port, peer_type, &unwanted(kind), count);
            sleep(WARM_UP);
            victim.late()?;
            sleep(Duration::from_secs(SECONDS));
            Ok([victim.late()?])
        });
    }
    let honest = "honest publications received a second";
    table.beside("SUB receives", [(honest, HalfOfLibzmq)], |who| {
        let mut victim = Victim::start(who, "SUB", Does::Receives)?;
        let _flood = Flood::begin(victim.port, "PUB", &unwanted("SUB"), count);
        let wanted = short_frame(WANTED.as_bytes());
        let _honest = Flood::begin(victim.port, "PUB", &wanted, 1);
        Ok([received(&mut victim)?])
    });
    let honest = "answers a second to four honest REQ";
    table.beside("REP answers", [(honest, HalfOfLibzmq)], |who| {
        let victim = Victim::start(who, "REP", Does::Answers)?;
        let _flood = Flood::begin(victim.port, "REQ", &unwanted("REP"), count);
        Ok([Askers::begin(victim.port, 4).count()])
    });
    Ok(())
}

pub(super) fn subscribing(table: &mut Table<'_>, count: usize) -> Result<(), Failure> {
    let late = format!("ms that a send takes, {count} attackers");
    let honest = "honest publications received a second";
    // An XPUB that never receives waits for a thousand sends before it hears beyond what it keeps.
    let first = "ms until an honest subscriber hears the first";
    let figures = [
        (late.as_str(), AtMost(LATE)),
        (honest, HalfOfLibzmq),
        (first, Shown),
    ];
    for kind in ["PUB", "XPUB"] {
        table.beside(&format!("{kind} sends"), figures, |who| {
            let mut victim = Victim::start(who, kind, Does::Sends)?;
            let flood = [subscription(b"a"), unsubscription(b"a")].concat();
            let _flood = Flood::begin(victim.port, "SUB", &flood, count);
            let heard = Arc::new(AtomicU64::new(0));
            let counted = heard.clone();
            let port = victim.port;
            let _honest = Flood::of(1, move |stop| {
                let mut peer = Peer::meet(port, "SUB")?;
                peer.send(&subscription(NEWS.as_bytes()))?;
                peer.set_patience(Duration::from_millis(500))?;
                while !stop.load(Ordering::Relaxed) {
                    message(&mut peer, || stop.load(Ordering::Relaxed))?;
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
            let begun = Instant::now();
            while heard.load(Ordering::Relaxed) == 0 && begun.elapsed() < LONGEST {
                sleep(Duration::from_millis(1));
            }
            let first = begun.elapsed().as_secs_f64() * 1000.0;
            sleep(WARM_UP);
            victim.late()?;
            let before = heard.load(Ordering::Relaxed);
            sleep(Duration::from_secs(SECONDS));
            let heard = heard.load(Ordering::Relaxed) - before;
            Ok([victim.late()?, heard as f64 / SECONDS as f64, first])
        });
    }
    Ok(())
}

pub(super) fn tiny(table: &mut Table<'_>, count: usize) -> Result<(), Failure> {
    let honest = "messages received a second";
    table.beside("PULL receives", [(honest, HalfOfLibzmq)], |who| {
        let mut victim = Victim::start(who, "PULL", Does::Receives)?;
        let _flood = Flood::begin(victim.port, "PUSH", &short_frame(b""), count);
        Ok([received(&mut victim)?])
    });
    let honest = "answers a second to four honest REQ";
    table.beside("ROUTER answers", [(honest, HalfOfLibzmq)], |who| {
        let victim = Victim::start(who, "ROUTER", Does::Answers)?;
        // They do not read what they are answered, either.
        let _flood = Flood::begin(victim.port, "DEALER", &short_frame(b""), count);
        Ok([Askers::begin(victim.port, 4).count()])
    });
    Ok(())
}

pub(super) fn storm(table: &mut Table<'_>, count: usize) -> Result<(), Failure> {
    let honest = format!("answers a second to four honest REQ, {count} attackers");
    for kind in ["REP", "ROUTER"] {
        let victim = format!("{kind} answers");
        table.beside(&victim, [(&honest, HalfOfLibzmq)], |who: Who| {
            let victim = Victim::start(who, kind, Does::Answers)?;
            let _storm = storm_of(victim.port, "REQ", count);
            Ok([Askers::begin(victim.port, 4).count()])
        });
    }
    Ok(())
}
