//! Who never gets through its handshake, or takes long for it, or has much to say in it.

use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::raw::greeting;
use purezmq_endurance::Failure;

use crate::table::Bound::{AtMost, LikeLibzmq};
use crate::table::Table;
use crate::victim::{Does, Victim};
use crate::wire::{Flood, Peer, crowd, gather, talkative};

pub(super) fn garbage(table: &mut Table<'_>, count: usize) -> Result<(), Failure> {
    let what = format!("KiB kept of {count} connections");
    table.beside("PULL receives", [(&what, LikeLibzmq)], |who| {
        let victim = Victim::start(who, "PULL", Does::Receives)?;
        let failed = crowd(count, 8, |number| {
            let mut peer = Peer::connect(victim.port)?;
            // That it is thrown out is as it should be.
            let _ = match number % 3 {
                0 => peer.send(b"GET / HTTP/1.1\r\nHost: example\r\n\r\n"),
                1 => peer.send(&[0xff; 4096]),
                _ => peer.send(&[&greeting()[..], b"\x04\x05\x04NICE"].concat()),
            };
            peer.leave();
            Ok(())
        });
        if failed > 0 {
            return Err(format!("{failed} connections did not come about").into());
        }
        victim.settle()?;
        Ok([victim.grown()?])
    });
    Ok(())
}

/// What so many cost that say this and stay, what the process keeps when they have gone, and what the last of three such
/// waves adds: allocators divide things up anew with the second, and nothing is added then unless something was left behind.
fn unfinished(
    table: &mut Table<'_>,
    count: usize,
    says: &(impl Fn() -> Vec<u8> + Sync),
    what: &str,
) {
    let here = format!("KiB while {count} {what}");
    let figures = [
        (here.as_str(), LikeLibzmq),
        ("KiB when they have gone", LikeLibzmq),
        ("KiB more when as many have come once more", LikeLibzmq),
    ];
    table.beside("PULL receives", figures, |who| {
        let victim = Victim::start(who, "PULL", Does::Receives)?;
        let wave = || {
            let peers = gather(count, count, |_| {
                let mut peer = Peer::connect(victim.port)?;
                peer.send(&says())?;
                Ok(peer)
            })?;
            sleep(Duration::from_millis(1500));
            let here = victim.grown()?;
            drop(peers);
            victim.settle()?;
            Ok::<_, Failure>((here, victim.grown()?))
        };
        let (here, gone) = wave()?;
        let (_, again) = wave()?;
        let (_, once_more) = wave()?;
        Ok([here, gone, once_more - again])
    });
}

pub(super) fn silent(table: &mut Table<'_>, count: usize) -> Result<(), Failure> {
    unfinished(table, count, &Vec::new, "say nothing");
    Ok(())
}

pub(super) fn half(table: &mut Table<'_>, count: usize) -> Result<(), Failure> {
    let says = || {
        let ready = talkative("PUSH", 60_000);
        let almost = &ready[..ready.len() - 1];
        [&greeting()[..], almost].concat()
    };
    unfinished(table, count, &says, "stop in a READY");
    Ok(())
}

pub(super) fn properties(table: &mut Table<'_>, count: usize) -> Result<(), Failure> {
    let here = format!("KiB while {count} peers have 60 KB each");
    let gone = "KiB when they have gone";
    let figures = [(here.as_str(), LikeLibzmq), (gone, LikeLibzmq)];
    let ready = talkative("PUSH", 60_000);
    for does in [Does::Receives, Does::Nothing] {
        table.beside(&format!("PULL {}", does.text()), figures, |who| {
            let victim = Victim::start(who, "PULL", does)?;
            let peers = gather(count, count, |_| Peer::meet_with(victim.port, &ready))?;
            victim.here_and_gone(peers, Duration::from_millis(1500))
        });
    }
    Ok(())
}

pub(super) fn slow(table: &mut Table<'_>, count: usize) -> Result<(), Failure> {
    /// The limit.
    const LIMIT: u64 = 1000;
    let late = format!("ms beyond {LIMIT} that {count} may stay at most");
    let figures = [(late.as_str(), AtMost(50.0)), ("KiB then", LikeLibzmq)];
    table.beside("PULL receives", figures, |who| {
        let victim = Victim::start_with(who, "PULL", Does::Receives, LIMIT)?;
        let mut peers = Vec::new();
        for _ in 0..count {
            peers.push((Instant::now(), Peer::connect(victim.port)?));
        }
        let bytes = [&greeting()[..], &[6, 0, 0, 0, 0, 0, 0, 200, 0]].concat();
        let mut last = Duration::ZERO;
        let mut at = 0;
        while !peers.is_empty() {
            // One of them may not have been told yet that it is the next byte that is in vain.
            peers.retain_mut(|(since, peer)| {
                let byte = bytes.get(at).copied().unwrap_or_default();
                let stays = peer.send(&[byte]).is_ok() && !peer.has_been_closed();
                if !stays {
                    last = last.max(since.elapsed());
                }
                stays
            });
            at += 1;
            if at > 1000 {
                return Err("they stay for ever".into());
            }
            sleep(Duration::from_millis(10));
        }
        victim.settle()?;
        let late = last.as_secs_f64() * 1000.0 - LIMIT as f64;
        Ok([late, victim.grown()?])
    });
    Ok(())
}

/// Connections that greet and go, until they are told to stop.
pub(super) fn storm_of(port: u16, kind: &'static str, threads: usize) -> Flood {
    Flood::of(threads, move |stop| {
        while !stop.load(Ordering::Relaxed) {
            drop(Peer::meet(port, kind)?);
        }
        Ok(())
    })
}
