//! What one who is there can make a victim hold.

use std::time::Duration;

use common::raw::short_frame;
use purezmq_endurance::Failure;

use crate::table::Bound::LikeLibzmq;
use crate::table::Table;
use crate::victim::{Does, Victim, peer_of};
use crate::wire::{Peer, gather, subscription};

/// The header of a long frame.
fn header(flags: u8, size: u64) -> Vec<u8> {
    [&[flags | 2][..], &size.to_be_bytes()].concat()
}

pub(super) fn announced(table: &mut Table<'_>, count: usize) -> Result<(), Failure> {
    let here = format!("KiB while {count} announce 256 MiB");
    let gone = "KiB when they have gone";
    let figures = [(here.as_str(), LikeLibzmq), (gone, LikeLibzmq)];
    table.beside("PULL receives", figures, |who| {
        let victim = Victim::start(who, "PULL", Does::Receives)?;
        let peers = gather(count, count, |_| {
            let mut peer = Peer::meet(victim.port, "PUSH")?;
            peer.send(&[&header(0, 256 << 20)[..], &[b'x'; 1000]].concat())?;
            Ok(peer)
        })?;
        victim.here_and_gone(peers, Duration::from_millis(1500))
    });
    Ok(())
}

pub(super) fn frames(table: &mut Table<'_>, count: usize) -> Result<(), Failure> {
    let here = format!("KiB while {count} frames come");
    let gone = "KiB when the peer has gone";
    let figures = [(here.as_str(), LikeLibzmq), (gone, LikeLibzmq)];
    for kind in ["PULL", "REP", "SUB", "ROUTER", "PAIR", "PUSH"] {
        table.beside(&format!("{kind} unused"), figures, |who| {
            let victim = Victim::start(who, kind, Does::Nothing)?;
            let mut peer = Peer::meet(victim.port, peer_of(who, kind)?)?;
            let flood = b"\x01\x01x".repeat(1000);
            for _ in 0..count / 1000 {
                // Whoever is thrown out stays out.
                if peer.send(&flood).is_err() {
                    break;
                }
            }
            victim.here_and_gone(peer, Duration::from_millis(500))
        });
    }
    Ok(())
}

pub(super) fn large(table: &mut Table<'_>, count: usize) -> Result<(), Failure> {
    let here = format!("KiB while {count} MiB come");
    let gone = "KiB when the peer has gone";
    let figures = [(here.as_str(), LikeLibzmq), (gone, LikeLibzmq)];
    for kind in ["PUSH", "SCATTER", "PUB"] {
        table.beside(&format!("{kind} sends"), figures, |who| {
            let victim = Victim::start(who, kind, Does::Sends)?;
            let mut peer = Peer::meet(victim.port, peer_of(who, kind)?)?;
            let mut sent = peer.send(&header(0, (count as u64) << 20)).is_ok();
            for _ in 1..count {
                sent = sent && peer.send(&[b'x'; 1 << 20]).is_ok();
            }
            victim.here_and_gone(peer, Duration::from_millis(300))
        });
    }
    Ok(())
}

pub(super) fn pings(table: &mut Table<'_>, count: usize) -> Result<(), Failure> {
    let here = format!("KiB while {count} PINGs come");
    let figures = [
        (here.as_str(), LikeLibzmq),
        ("KiB when the peer has gone", LikeLibzmq),
    ];
    table.beside("PULL receives", figures, |who| {
        let victim = Victim::start(who, "PULL", Does::Receives)?;
        let mut peer = Peer::meet(victim.port, "PUSH")?;
        peer.set_write_patience(Duration::from_millis(500))?;
        let flood = b"\x04\x17\x04PING\0\0sixteen bytes: a".repeat(100);
        for _ in 0..count / 100 {
            if peer.send(&flood).is_err() {
                break;
            }
        }
        victim.here_and_gone(peer, Duration::from_millis(300))
    });
    Ok(())
}

pub(super) fn deaf(table: &mut Table<'_>, count: usize) -> Result<(), Failure> {
    let here = format!("KiB while {count} do not read for 4 s");
    let figures = [
        (here.as_str(), LikeLibzmq),
        ("KiB when they have gone", LikeLibzmq),
    ];
    for kind in ["PUB", "XPUB"] {
        table.beside(&format!("{kind} publishes"), figures, |who| {
            let victim = Victim::start(who, kind, Does::Publishes)?;
            let peers = gather(count, count, |_| {
                let mut peer = Peer::meet(victim.port, "SUB")?;
                let nonsense = short_frame(b"\x02what?");
                peer.send(&[subscription(b""), nonsense].concat())?;
                Ok(peer)
            })?;
            victim.here_and_gone(peers, Duration::from_secs(4))
        });
    }
    Ok(())
}
