//! The command line of a peer.

use crate::process::started;
use crate::stamp::STAMP;

/// Length of the messages a publisher sends until all subscribers are seen.
/// No measured message may have this size.
pub const PROBE: usize = 3;

#[derive(Clone, Debug)]
pub struct Args {
    pub role: String,
    pub connect: Option<String>,
    pub bind: Option<String>,
    pub size: usize,
    pub count: u64,
    pub warmup: u64,
    /// Number of subscribers (pub, sub) or of connections (conn-*).
    pub peers: usize,
    /// Implementation-specific variant, e.g. `blocking` or `ct`.
    pub mode: String,
    /// `true`: one refcounted payload, sent again and again, where the API
    /// has such a thing; `false`: a fresh buffer is filled for each message.
    pub shared: bool,
    /// High-water mark; `None` leaves the library's default.
    pub hwm: Option<i32>,
    pub hold: bool,
    pub timeout: u32,
    /// Messages are numbered, and receivers check the numbers.
    pub sequence: bool,
    /// Which of several senders this is.
    pub sender: u64,
    /// Messages a second; 0: as fast as possible. Dates the messages.
    pub rate: u64,
    /// A sender goes on until it is told to stop; a receiver goes on after its report.
    pub endless: bool,
    /// A sender sends probes until `GO`; a receiver is ready when it has seen one.
    pub probe: bool,
}

pub fn die(msg: &str) -> ! {
    eprintln!("peer: {msg}");
    std::process::exit(2)
}

impl Args {
    pub fn parse(impl_name: &str, version: &str) -> Args {
        let mut it = std::env::args().skip(1);
        let role = it.next().unwrap_or_else(|| usage());
        if role == "version" || role == "--version" {
            println!("{{\"impl\":\"{impl_name}\",\"version\":\"{version}\"}}");
            std::process::exit(0)
        }
        let mut a = Args {
            role,
            connect: None,
            bind: None,
            size: 64,
            count: 100_000,
            warmup: 0,
            peers: 1,
            mode: String::new(),
            shared: true,
            hwm: None,
            hold: false,
            timeout: 60,
            sequence: false,
            sender: 0,
            rate: 0,
            endless: false,
            probe: false,
        };
        let mut warmup = None;
        while let Some(f) = it.next() {
            let mut val = || it.next().unwrap_or_else(|| die(&format!("{f} needs a value")));
            match f.as_str() {
                "--connect" => a.connect = Some(val()),
                "--bind" => a.bind = Some(val()),
                "--size" => a.size = num(&val()),
                "--count" => a.count = num(&val()) as u64,
                "--warmup" => warmup = Some(num(&val()) as u64),
                "--peers" => a.peers = num(&val()),
                "--mode" => a.mode = val(),
                "--payload" => {
                    a.shared = match val().as_str() {
                        "shared" => true,
                        "copy" => false,
                        o => die(&format!("unknown payload kind {o}")),
                    }
                }
                "--hwm" => a.hwm = Some(num(&val()) as i32),
                "--hold" => a.hold = true,
                "--sequence" => a.sequence = true,
                "--sender" => a.sender = num(&val()) as u64,
                "--rate" => a.rate = num(&val()) as u64,
                "--endless" => a.endless = true,
                "--probe" => a.probe = true,
                "--timeout" => a.timeout = num(&val()) as u32,
                _ => die(&format!("unknown option {f}")),
            }
        }
        a.warmup = warmup.unwrap_or((a.count / 10).max(1)).max(1);
        a.sequence |= a.rate > 0;
        if a.sequence && a.size < STAMP {
            die(&format!("--size of numbered messages: at least {STAMP}"));
        }
        started();
        // A hard stop for a peer that hangs: SIGALRM's default action ends it.
        unsafe { libc::alarm(a.timeout) };
        a
    }

    pub fn endpoint(&self) -> &str {
        self.bind
            .as_deref()
            .or(self.connect.as_deref())
            .unwrap_or_else(|| die("--connect or --bind is needed"))
    }

    pub fn is_bind(&self) -> bool {
        self.bind.is_some()
    }

    pub fn transport(&self) -> &str {
        if self.role.starts_with("inproc") {
            return "inproc";
        }
        self.endpoint().split("://").next().unwrap_or("?")
    }

    pub fn total(&self) -> u64 {
        self.warmup + self.count
    }

    /// Messages that a sender sends.
    pub fn sends(&self) -> u64 {
        if self.endless {
            u64::MAX
        } else {
            self.total()
        }
    }

    pub fn payload(&self) -> Vec<u8> {
        vec![b'x'; self.size]
    }
}

fn num(s: &str) -> usize {
    s.parse().unwrap_or_else(|_| die(&format!("not a number: {s}")))
}

fn usage() -> ! {
    die(
        "PEER push|pull|pub|sub|lat-req|lat-rep|req|rep|inproc-thr|inproc-lat|conn-pull|version \
         (--connect EP | --bind EP) --size N --count M [--warmup W] [--peers N] [--mode M] \
         [--payload shared|copy] [--hwm N] [--sequence] [--sender K] [--rate N] [--endless] [--probe] \
         [--hold] [--timeout S]",
    )
}
