//! Many connections of one process to one receiver, which take turns: what many to one costs the system by itself.
//! Each turn is one write, and one read, of as many whole frames as one write over tcp carries best.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::*;

use super::{NAME, PIECE, header, put_frames, target};

fn address(a: &Args) -> &str {
    match target(a.endpoint()) {
        (true, address) => address,
        (false, _) => die("many to one: over tcp"),
    }
}

/// Sends until standard input is closed.
pub fn push(a: &Args, ctl: &Ctl) {
    attaching();
    let connect = || {
        let one = TcpStream::connect(address(a)).unwrap();
        one.set_nodelay(true).unwrap();
        one
    };
    let mut all: Vec<_> = (0..a.peers).map(|_| connect()).collect();
    let (piece, each) = put_frames(a.size, PIECE);
    let sent = Arc::new(AtomicU64::new(0));
    let (u0, counted) = (Usage::now(), sent.clone());
    // A receiver that has all that it counts reads no more: this thread is left in its last write.
    std::thread::spawn(move || {
        loop {
            for one in &mut all {
                if one.write_all(&piece).is_err() {
                    return;
                }
                counted.fetch_add(each as u64, Ordering::Relaxed);
            }
        }
    });
    ctl.hold_blocking();
    let mut r = Report::new(a, NAME, "std");
    r.int("sent", sent.load(Ordering::Relaxed) as i64);
    r.usage(u0, Usage::now());
    r.print();
}

pub fn pull(a: &Args, ctl: &Ctl) {
    let listener = TcpListener::bind(address(a)).unwrap();
    ready();
    let mut all: Vec<_> = (0..a.peers).map(|_| listener.accept().unwrap().0).collect();
    let (mut piece, _) = put_frames(a.size, PIECE);
    let mut m = Meter::new(a);
    'turns: loop {
        for one in &mut all {
            one.read_exact(&mut piece).unwrap();
            let mut rest = &piece[..];
            while let Some((head, len)) = header(rest) {
                rest = &rest[head + len..];
                if m.len(len) {
                    break 'turns;
                }
            }
        }
    }
    m.report(a, NAME, "std");
    ctl.hold_blocking();
}
