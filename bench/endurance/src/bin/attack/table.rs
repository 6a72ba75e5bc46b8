//! One line for each figure: the attack, its victim, what is measured, ours, libzmq's, the bound, and whether it is kept.

use std::time::Instant;

use purezmq_endurance::Failure;

use crate::Who;
use crate::victim::kin;

/// What ours may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    /// KiB: at most libzmq's and 1 MiB.
    LikeLibzmq,
    /// The same of another type of libzmq's, since the one of this name cannot do it.
    LikeLibzmqs(&'static str),
    /// At least half of libzmq's.
    HalfOfLibzmq,
    /// At most this, whatever libzmq's is.
    AtMost(f64),
    /// What is shown only, since it is set by an option, or the other side's.
    Shown,
}

/// More than libzmq's by so much is still as little as libzmq's.
const MORE_KIB: f64 = 1024.0;

impl Bound {
    /// What it says of a victim of this type: another one of libzmq's is named.
    fn text(self, kind: &str) -> String {
        let of = match kin(kind) {
            kin if kin == kind => String::new(),
            kin => format!(" {kin}"),
        };
        match self {
            Bound::LikeLibzmq => format!("libzmq's{of} + {MORE_KIB:.0}"),
            Bound::LikeLibzmqs(other) => format!("libzmq's {other} + {MORE_KIB:.0}"),
            Bound::HalfOfLibzmq => format!("half of libzmq's{of}"),
            Bound::AtMost(most) => format!("{most:.0}"),
            Bound::Shown => String::new(),
        }
    }

    /// `None`: there is nothing to compare with.
    fn is_kept(self, ours: f64, libzmq: Option<f64>) -> Option<bool> {
        match self {
            Bound::LikeLibzmq | Bound::LikeLibzmqs(_) => {
                libzmq.map(|libzmq| ours <= libzmq.max(0.0) + MORE_KIB)
            }
            Bound::HalfOfLibzmq => libzmq.map(|libzmq| ours >= libzmq / 2.0),
            Bound::AtMost(most) => Some(ours <= most),
            Bound::Shown => None,
        }
    }
}

/// The lines so far.
pub(crate) struct Table<'a> {
    /// Only victims that begin so.
    only: &'a str,
    attack: &'static str,
    rows: usize,
    over: usize,
    /// Figures that are to be compared with libzmq's, which had none.
    alone: usize,
    began: Instant,
}

impl<'a> Table<'a> {
    pub(crate) fn new(only: &'a str) -> Self {
        println!(
            "{:14} {:16} {:44} {:>10} {:>10}  {:22}",
            "attack", "victim", "measured", "purezmq", "libzmq", "bound"
        );
        Table {
            only,
            attack: "",
            rows: 0,
            over: 0,
            alone: 0,
            began: Instant::now(),
        }
    }

    pub(crate) fn begin(&mut self, attack: &'static str) {
        self.attack = attack;
    }

    /// Attacks both, and prints a line for each figure that this gives. What goes wrong on libzmq's side leaves its
    /// figures out; on ours, it is a bound that is not kept.
    pub(crate) fn beside<const N: usize>(
        &mut self,
        victim: &str,
        figures: [(&str, Bound); N],
        measure: impl Fn(Who) -> Result<[f64; N], Failure>,
    ) {
        if !victim.starts_with(self.only) {
            return;
        }
        let kind = victim.split(' ').next().unwrap_or_default();
        let result = |who| match measure(who) {
            Ok(figures) => Some(figures),
            Err(error) => {
                eprintln!("{} of {victim}, {}: {error}", self.attack, who.name());
                None
            }
        };
        let (ours, libzmq) = (result(Who::Purezmq), result(Who::Libzmq));
        for (at, (what, bound)) in figures.into_iter().enumerate() {
            let libzmq = libzmq.map(|libzmq| libzmq[at]);
            let verdict = match ours {
                Some(ours) => match bound.is_kept(ours[at], libzmq) {
                    Some(true) => "ok",
                    Some(false) => "OVER",
                    None if bound == Bound::Shown => "",
                    None => "libzmq has none to compare with",
                },
                None => "FAILED",
            };
            self.rows += 1;
            self.over += usize::from(verdict == "OVER" || verdict == "FAILED");
            self.alone += usize::from(verdict.starts_with("libzmq has none"));
            let text = |figure: Option<f64>| figure.map_or("-".to_owned(), |it| format!("{it:.0}"));
            println!(
                "{:14} {victim:16} {what:44} {:>10} {:>10}  {:22} {verdict}",
                self.attack,
                text(ours.map(|ours| ours[at])),
                text(libzmq),
                bound.text(kind)
            );
        }
    }

    /// Says whether all bounds are kept, and how long that took to find out.
    pub(crate) fn end(self) -> bool {
        let is_kept = self.over == 0;
        println!(
            "{}: {} figures, {} over their bounds, {} that libzmq has none to compare with, in {} s",
            if is_kept { "passed" } else { "FAILED" },
            self.rows,
            self.over,
            self.alone,
            self.began.elapsed().as_secs()
        );
        is_kept
    }
}
