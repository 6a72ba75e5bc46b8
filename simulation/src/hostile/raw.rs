//! Hostile peers of a STREAM, which speak no protocol: what they do to it, and what of it comes back.
//!
//! Their bytes can be told from honest ones, and from each other's: a flood says at each place whose it is, and a question
//! bears its number. So `node/bytes` finds a byte of one connection in another, and the visitor an answer that is not its.

use std::collections::BTreeSet;
use std::time::Duration;

use purezmq::{Message, Stream};
use rand::Rng;
use rand::rngs::SmallRng;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{sleep, timeout};

use super::visit::{PATIENCE, Visitor};
use super::{Hostile, Stamp, stamp_of};
use crate::letter;
use crate::plan::one_of;

/// How long somebody stays who has come for good.
const FOR_GOOD: Duration = Duration::from_secs(20);

/// One of its visits.
struct Script {
    act: Act,
    bytes: Vec<u8>,
    /// Questions in it.
    asked: u32,
    /// Each byte is written by itself, after a moment.
    by_byte: bool,
    /// It reads what it is told.
    reads: bool,
    leaves: Leave,
    /// How long it is there when all is said.
    stays: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// Not a word.
    Silence,
    /// Bytes that nobody can make anything of.
    Flood,
    /// Questions.
    Ask,
    /// Questions whose answers fill whatever there is to fill.
    Gorge,
    /// A message of which not all comes.
    Half,
}

/// What it does before it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    Nothing,
    /// It has no more to say, and may still read.
    HalfCloses,
    Resets,
}

impl Hostile {
    fn draw_bytes(&self, rng: &mut SmallRng, visit: u32) -> Script {
        let act = match rng.random_range(0..10) {
            0 | 1 => Act::Silence,
            2..5 => Act::Flood,
            5 => Act::Half,
            6 | 7 if self.stays => Act::Gorge,
            _ => Act::Ask,
        };
        let mut bytes = Vec::new();
        let mut asked = 0;
        match act {
            Act::Silence => {}
            Act::Flood => {
                let size = one_of(rng, &[1, 3, 200, 5000, 200_000]);
                let noise = Noise::new(self.host, visit);
                bytes = noise.head().to_vec();
                bytes.extend((0..size).map(|at| noise.byte(at)));
                bytes.truncate(size);
            }
            Act::Ask | Act::Gorge => {
                let (count, padding) = match act {
                    Act::Gorge => (30, 60_000),
                    _ => (one_of(rng, &[1, 3, 30, 300]), 0),
                };
                asked = count;
                for number in 0..asked {
                    let question = self.question(visit, number, padding);
                    bytes.extend(&letter::framed(&question)[0]);
                }
            }
            Act::Half => {
                let question = letter::framed(&self.question(visit, 0, 300));
                let size = rng.random_range(1..question[0].len());
                bytes.extend(&question[0][..size]);
            }
        }
        let leaves = one_of(
            rng,
            &[
                Leave::Nothing,
                Leave::Nothing,
                Leave::HalfCloses,
                Leave::Resets,
            ],
        );
        let gorges = act == Act::Gorge;
        Script {
            act,
            asked,
            by_byte: bytes.len() < 2000 && rng.random_ratio(1, 4),
            bytes,
            reads: !gorges && rng.random_ratio(2, 3),
            leaves,
            stays: match gorges {
                true => FOR_GOOD,
                false => Duration::from_millis(one_of(rng, &[0, 0, 1, 30, 600, 3000])),
            },
        }
    }

    fn question(&self, visit: u32, number: u32, padding: usize) -> Message {
        let stamp = Stamp {
            asks: true,
            from: (self.host, visit),
            who: format!("{number}{:padding$}", ""),
        };
        Message::from(stamp.bytes())
    }
}

impl Stamp {
    /// Returns whose it is, and its number, if it is a question to a STREAM.
    pub(crate) fn number(&self) -> Option<((u8, u32), u32)> {
        let number = self.who.trim_end().parse().ok()?;
        Some((self.from, number))
    }
}

impl Visitor {
    /// Says what there is to say, hears what comes meanwhile and for a while after that, and goes.
    pub(super) async fn visit_stream(&mut self, stream: Stream) {
        let script = self.plan.draw_bytes(&mut self.rng, self.visits);
        let Script { act, leaves, .. } = script;
        self.note("hostile", script.bytes.len() as u64, &{
            let how = if script.by_byte { ", one by one" } else { "" };
            let size = script.bytes.len();
            format!("comes to a STREAM: {act:?}, {size} bytes{how}, then {leaves:?}")
        });
        let (mut reader, mut writer) = tokio::io::split(stream);
        let hearing = async {
            match script.reads {
                true => self.hear(&mut reader, script.asked).await,
                false => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.talk(&mut writer, &script) => {}
            () = hearing => {}
        }
        if leaves == Leave::Resets {
            self.reset();
        }
    }

    async fn talk(&self, writer: &mut WriteHalf<Stream>, script: &Script) {
        let talking = async {
            let most = if script.by_byte { 1 } else { usize::MAX };
            for piece in script.bytes.chunks(most) {
                if writer.write_all(piece).await.is_err() {
                    return;
                }
                if script.by_byte {
                    sleep(Duration::from_millis(1)).await;
                }
            }
            if script.leaves == Leave::HalfCloses {
                // Who is not there any more hears nothing of it.
                let _ = writer.shutdown().await;
            }
        };
        let _ = timeout(PATIENCE, talking).await;
        sleep(script.stays).await;
    }

    /// Reads to the end. What is another's must not come.
    async fn hear(&self, reader: &mut ReadHalf<Stream>, asked: u32) {
        let mut bytes = Vec::new();
        let mut answered = BTreeSet::new();
        while let Ok(1..) = reader.read_buf(&mut bytes).await {
            loop {
                match letter::cut(&mut bytes) {
                    Ok(None) => break,
                    Ok(Some(letter)) => self.judge_answer(&letter, asked, &mut answered),
                    Err(why) => return self.fail(why),
                }
            }
        }
    }

    fn judge_answer(&self, letter: &Message, asked: u32, answered: &mut BTreeSet<u32>) {
        if letter.byte_len() == 0 {
            // Somebody looks who is there.
            return;
        }
        if let Some((from, number)) = stamp_of(letter).and_then(|stamp| stamp.number()) {
            let is_own = from == (self.plan.host, self.visits) && number < asked;
            if !is_own || !answered.insert(number) {
                self.fail(format_args!("an answer came: to {from:?}, number {number}"));
            }
            return;
        }
        match letter::read(letter) {
            Ok(name) if self.plan.is_echo => {
                self.fail(format_args!("the answer to {name} came"));
            }
            Ok(name) => self.shared.book.taken_away(name, self.plan.host),
            Err(why) => self.fail(format_args!("nobody has sent this: {why}")),
        }
    }
}

/// The bytes of a flood, or what has come of them: first whose they are, then what only such a one has at each place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noise {
    from: (u8, u32),
    /// So many bytes have come.
    seen: usize,
}

/// No message of an honest application is as long as this would say.
const HEAD: &[u8] = b"noise";

const HEAD_LEN: usize = HEAD.len() + 5;

impl Noise {
    fn new(host: u8, visit: u32) -> Self {
        Noise {
            from: (host, visit),
            seen: 0,
        }
    }

    /// The bytes with which it begins.
    fn head(self) -> [u8; HEAD_LEN] {
        let (host, visit) = self.from;
        let mut head = [0; HEAD_LEN];
        head[..HEAD.len()].copy_from_slice(HEAD);
        head[HEAD.len()] = host;
        head[HEAD.len() + 1..].copy_from_slice(&visit.to_le_bytes());
        head
    }

    /// The byte at this place behind the beginning.
    fn byte(self, at: usize) -> u8 {
        let (host, visit) = self.from;
        (at as u32)
            .wrapping_mul(0x9e37_79b9)
            .wrapping_add(visit)
            .rotate_left(7) as u8
            ^ host
    }

    /// Reads the beginning of a flood, once enough has come to tell. `None`: it is something else.
    pub(crate) fn begins(bytes: &[u8]) -> Option<Noise> {
        let body = bytes.get(HEAD.len()..HEAD_LEN)?;
        let (host, visit) = body.split_first()?;
        let noise = Noise::new(*host, u32::from_le_bytes(visit.try_into().ok()?));
        (noise.head() == bytes[..HEAD_LEN]).then_some(noise)
    }

    /// Whether it may become one when more has come.
    pub(crate) fn may_begin(bytes: &[u8]) -> bool {
        let known = bytes.len().min(HEAD.len());
        bytes.len() < HEAD_LEN && bytes[..known] == HEAD[..known]
    }

    /// Takes what has come more of it. Says whether that is what goes on there.
    pub(crate) fn goes_on(&mut self, bytes: &[u8]) -> bool {
        let head = self.head();
        let from = self.seen;
        self.seen += bytes.len();
        bytes
            .iter()
            .zip(from..)
            .all(|(byte, at)| match head.get(at) {
                Some(due) => byte == due,
                None => *byte == self.byte(at - HEAD_LEN),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_told_from_all_other_noise() {
        let noise = Noise::new(101, 7);
        let mut all = noise.head().to_vec();
        all.extend((0..500).map(|at| noise.byte(at)));
        for size in [1, 7, 600] {
            let mut heard = Vec::new();
            let mut known: Option<Noise> = None;
            for piece in all.chunks(size) {
                match &mut known {
                    Some(known) => assert!(known.goes_on(piece)),
                    None => {
                        heard.extend(piece);
                        assert!(Noise::may_begin(&heard) || heard.len() >= HEAD_LEN);
                        if let Some(mut begun) = Noise::begins(&heard) {
                            assert!(begun.goes_on(&heard));
                            known = Some(begun);
                        }
                    }
                }
            }
            let mut known = known.expect("it is noise");
            assert_eq!(known.from, (101, 7));
            assert!(!known.goes_on(&[noise.byte(499)]));
        }
        assert!(letter::cut(&mut all.clone()).is_err());
        assert!(Noise::begins(b"something else").is_none());
        assert!(!Noise::may_begin(b"nobody"));
    }
}
