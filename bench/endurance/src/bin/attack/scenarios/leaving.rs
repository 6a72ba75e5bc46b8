//! What stays of who has gone: peers, their messages, their subscriptions.

use std::thread::sleep;
use std::time::Duration;

use common::raw::{ready, short_frame};
use common::roles::{Role, each_role};
use purezmq_endurance::Failure;

use crate::Who;
use crate::table::Bound::{AtMost, LikeLibzmq, LikeLibzmqs};
use crate::table::Table;
use crate::victim::{Does, NEWS, Victim, peer_of};
use crate::wire::{Peer, crowd, gather, subscription};

/// Every type by its name, in each role.
fn each() -> impl Iterator<Item = (&'static str, Does)> {
    each_role().map(|(rules, role)| {
        let does = match role {
            Role::Sends => Does::Sends,
            Role::Receives => Does::Receives,
            Role::Nothing => Does::Nothing,
        };
        (rules.socket_type.name(), does)
    })
}

/// What is still held when so many peers have come, said this, and gone.
fn come_and_go(
    who: Who,
    kind: &str,
    does: Does,
    count: usize,
    says: &(impl Fn(usize) -> Vec<u8> + Sync),
) -> Result<f64, Failure> {
    let victim = Victim::start(who, kind, does)?;
    let peer_type = peer_of(who, kind)?;
    // A PAIR takes one peer at a time, and may turn the next one away. libzmq's may leave it hanging, too: a few have to do.
    let is_pair = matches!(peer_type, "PAIR" | "CHANNEL");
    let (count, at_once) = match (is_pair, who) {
        (false, _) => (count, 8),
        (true, Who::Purezmq) => (count, 1),
        (true, Who::Libzmq) => (count.min(50), 1),
    };
    let failed = crowd(count, at_once, |number| {
        let mut peer = Peer::connect(victim.port)?;
        if is_pair {
            peer.set_patience(Duration::from_millis(100))?;
        }
        peer.shake_hands(&ready(peer_type))?;
        peer.send(&says(number))?;
        peer.leave();
        Ok(())
    });
    if failed > count / 10 && !is_pair {
        return Err(format!("{failed} of {count} peers did not come about").into());
    }
    let settled = victim.settle();
    if !(is_pair && who == Who::Libzmq) {
        settled?;
    }
    if (kind, does) == ("XPUB", Does::Sends) {
        // It waits a thousand sends for an application that may yet receive, and a pause of a millisecond may last two.
        sleep(Duration::from_millis(3000));
    }
    victim.grown()
}

/// A subscription, from who subscribes.
fn greets(kind: &str) -> Vec<u8> {
    match kind {
        "PUB" | "XPUB" => subscription(b"news"),
        _ => Vec::new(),
    }
}

pub(super) fn departed(table: &mut Table<'_>, count: usize) -> Result<(), Failure> {
    for (kind, does) in each() {
        let victim = format!("{kind} {}", does.text());
        let what = format!("KiB kept of {count} peers");
        let says = |_| greets(kind);
        table.beside(&victim, [(&what, LikeLibzmq)], |who| {
            Ok([come_and_go(who, kind, does, count, &says)?])
        });
    }
    Ok(())
}

pub(super) fn left(table: &mut Table<'_>, count: usize) -> Result<(), Failure> {
    for (kind, does) in each() {
        let victim = format!("{kind} {}", does.text());
        let what = format!("KiB kept of {count} peers' 10 messages each");
        let message = match kind {
            "REP" => [&[1, 0][..], &short_frame(&[b'x'; 100])].concat(),
            "SUB" => short_frame(&[b"wanted".as_slice(), &[b'x'; 94]].concat()),
            _ => short_frame(&[b'x'; 100]),
        };
        let says = |_| [greets(kind), message.repeat(10)].concat();
        // libzmq's PAIR hears the first peer, and no other one.
        let (theirs, bound) = match kind {
            "PAIR" | "CHANNEL" => ("DEALER", LikeLibzmqs("DEALER")),
            _ => (kind, LikeLibzmq),
        };
        table.beside(&victim, [(&what, bound)], |who| {
            let kind = if who == Who::Libzmq { theirs } else { kind };
            Ok([come_and_go(who, kind, does, count, &says)?])
        });
    }
    Ok(())
}

pub(super) fn flooded(table: &mut Table<'_>, count: usize) -> Result<(), Failure> {
    /// Of 1 KiB each.
    const MESSAGES: usize = 2048;
    for kind in [
        "PUSH", "SCATTER", "DEALER", "ROUTER", "PAIR", "XSUB", "PULL",
    ] {
        let does = match kind {
            "PULL" => Does::Nothing,
            _ => Does::Sends,
        };
        let count = if kind == "PAIR" { 1 } else { count };
        let here = format!("KiB while {count} peers flood it");
        let gone = "KiB when they have gone".to_owned();
        let figures = [(here.as_str(), LikeLibzmq), (gone.as_str(), LikeLibzmq)];
        table.beside(&format!("{kind} {}", does.text()), figures, |who| {
            let victim = Victim::start(who, kind, does)?;
            let peer_type = peer_of(who, kind)?;
            let size = 1024_u64.to_be_bytes();
            let message = [&[2][..], &size, &[b'x'; 1024]].concat();
            let flood = message.repeat(32);
            let peers = gather(count, count, |_| {
                let mut peer = Peer::meet(victim.port, peer_type)?;
                peer.set_write_patience(Duration::from_millis(300))?;
                for _ in 0..MESSAGES / 32 {
                    // Who is not read is held up, and that is well.
                    if peer.send(&flood).is_err() {
                        break;
                    }
                }
                Ok(peer)
            })?;
            sleep(Duration::from_millis(1500));
            let here = victim.grown()?;
            drop(peers);
            // Who is not read is not seen to go.
            let _ = victim.settle();
            Ok([here, victim.grown()?])
        });
    }
    Ok(())
}

/// All different, and not in the order of a trie.
fn topic(number: usize) -> Vec<u8> {
    let digits: String = format!("{number:09}").chars().rev().collect();
    format!("sensor/{digits}/temperature").into_bytes()
}

/// A subscriber to so many topics, all of which have been heard when this returns.
fn subscriber(port: u16, topics: std::ops::Range<usize>) -> std::io::Result<Peer> {
    let mut peer = Peer::meet(port, "SUB")?;
    let mut bytes = Vec::new();
    for number in topics {
        bytes.extend(subscription(&topic(number)));
        if bytes.len() > 60_000 {
            peer.send(&bytes)?;
            bytes.clear();
        }
    }
    bytes.extend(subscription(NEWS.as_bytes()));
    peer.send(&bytes)?;
    peer.message()?;
    Ok(peer)
}

pub(super) fn topics(table: &mut Table<'_>, count: usize) -> Result<(), Failure> {
    for kind in ["PUB", "XPUB"] {
        let late = format!("ms of a send while {count} topics end");
        let here = format!("KiB while a peer has {count} topics");
        let figures = [
            (here.as_str(), LikeLibzmq),
            (late.as_str(), AtMost(50.0)),
            ("KiB then", LikeLibzmq),
        ];
        table.beside(&format!("{kind} sends"), figures, |who| {
            let mut victim = Victim::start(who, kind, Does::Sends)?;
            let peer = subscriber(victim.port, 0..count)?;
            let here = victim.grown()?;
            victim.late()?;
            peer.leave();
            victim.settle()?;
            sleep(Duration::from_millis(1500));
            Ok([here, victim.late()?, victim.grown()?])
        });
    }
    Ok(())
}

pub(super) fn subscribers(table: &mut Table<'_>, count: usize) -> Result<(), Failure> {
    const EACH: usize = 2000;
    for kind in ["PUB", "XPUB"] {
        let here = format!("KiB while {count} peers have {EACH} topics each");
        let figures = [
            (here.as_str(), LikeLibzmq),
            ("KiB when they have gone", LikeLibzmq),
        ];
        table.beside(&format!("{kind} sends"), figures, |who| {
            let victim = Victim::start(who, kind, Does::Sends)?;
            let peers = gather(count, count, |number| {
                subscriber(victim.port, number * EACH..(number + 1) * EACH)
            })?;
            let here = victim.grown()?;
            drop(peers);
            victim.settle()?;
            sleep(Duration::from_millis(1500));
            Ok([here, victim.grown()?])
        });
    }
    Ok(())
}
