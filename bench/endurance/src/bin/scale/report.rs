//! Tables, plots and goals out of what was measured.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use purezmq_endurance::Failure;
use purezmq_endurance::plot::{self, Curve, Panel};
use rustix::process::{Resource, getrlimit};

use crate::{ALL, Who};

mod verdicts;

/// A quantity: its name here, its title with the unit, and what it grows with.
type Quantity = (&'static str, &'static str);

/// The part with the sweeps, whose growth is told with their verdicts.
const SWEPT: &str = "sweeps";

const PLOTS: [(&str, &str, &[Quantity]); 6] = [
    (
        "peers",
        "connected peers",
        &[
            ("rss_kib", "resident memory for each idle peer, KiB"),
            ("heap_kib", "heap for each idle peer, KiB"),
            (
                "accept_seconds",
                "time to connect all and answer each once, s",
            ),
            (
                "echoes_per_second",
                "messages echoed with traffic on 1 % of them, per s",
            ),
            (
                "latency_us",
                "round trip with traffic on 1 % of them, median, us",
            ),
        ],
    ),
    (
        "fan-out",
        "subscribers",
        &[("deliveries_per_second", "deliveries of 64 bytes, per s")],
    ),
    (
        "subscriptions",
        "subscriptions",
        &[
            (
                "match_ns",
                "CPU time to publish a message that matches none, ns",
            ),
            ("subscriptions_mib", "memory of the publisher, MiB"),
            ("subscribe_seconds", "time to subscribe, s"),
            ("unsubscribe_seconds", "time to unsubscribe, s"),
        ],
    ),
    (
        "inproc",
        "inproc pairs",
        &[
            (
                "pairs_seconds",
                "time to make all and move a message through each, s",
            ),
            ("pairs_kib", "resident memory for each pair, KiB"),
        ],
    ),
    (
        "storm",
        "peers of a hub that was killed and is back after a second",
        &[(
            "storm_seconds",
            "time from its return until all are answered, s",
        )],
    ),
    (
        SWEPT,
        "others around, both ends in one process",
        &[
            (
                "leave_inproc_us",
                "processor time (and time by the clock) for each peer that leaves (PUB, PUSH, DEALER, ROUTER; inproc), us",
            ),
            ("leave_tcp_us", "the same over tcp, us"),
            (
                "connect_us",
                "for each endpoint connected (DEALER, SUB), us",
            ),
            ("disconnect_us", "for each endpoint let go of, us"),
            (
                "connect_and_try_us",
                "for each endpoint connected, and tried once, us",
            ),
            (
                "disconnect_tried_us",
                "for each endpoint let go of, until nothing is left of it, us",
            ),
            (
                "one_subscriber_us",
                "for each message of a publisher to one of its subscribers, us",
            ),
            (
                "one_peer_us",
                "for each message of a ROUTER to one of its peers, us",
            ),
            (
                "requests_us",
                "for each request, one of every client under way at a ROUTER, us",
            ),
            (
                "senders_us",
                "for each message, so many tasks share a sender, us",
            ),
            (
                "dial_us",
                "for each endpoint that dials a dead port, in a second, us",
            ),
        ],
    ),
];

/// All measured values.
#[derive(Default)]
pub(crate) struct Report {
    values: BTreeMap<(&'static str, Who), Vec<(usize, f64)>>,
    /// Time by the clock, where what is told is processor time.
    clocks: BTreeMap<(&'static str, Who, usize), f64>,
}

impl Report {
    pub(crate) fn add(&mut self, quantity: &'static str, who: Who, number: usize, value: f64) {
        println!(
            "{quantity:<24} {:<8} {number:>8} {}",
            who.name(),
            shown(value)
        );
        self.values
            .entry((quantity, who))
            .or_default()
            .push((number, value));
    }

    /// Notes the time by the clock that goes with the processor time that was added last.
    pub(crate) fn clock(&mut self, quantity: &'static str, who: Who, number: usize, time: f64) {
        println!("{:<42} {} by the clock", "", shown(time));
        self.clocks.insert((quantity, who, number), time);
    }

    fn get(&self, quantity: &'static str, who: Who, number: usize) -> Option<f64> {
        let values = self.values.get(&(quantity, who))?;
        values
            .iter()
            .find(|(n, _)| *n == number)
            .map(|(_, value)| *value)
    }

    /// Writes `scale.md` and the plots into a folder.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Failure> {
        fs::create_dir_all(folder)?;
        let load = fs::read_to_string("/proc/loadavg")?;
        let load = load.split(' ').next().unwrap_or_default();
        let descriptors = getrlimit(Resource::Nofile)
            .current
            .map_or("any number".to_owned(), |most| most.to_string());
        let mut text = format!(
            "# Scale\n\n<!-- Written by scripts/scale: do not edit. -->\n\nOne socket in a process of its own, and all its \
             peers in another process, PureZMQ's for both; one run, loopback TCP, load average {load} at its end (more \
             than 2 or 3 means that others were at work on the machine, and times are good for comparison with their \
             neighbour only). A - stands where libzmq cannot follow: each of its inproc sockets holds a descriptor, and \
             a process here may have {descriptors}.\n",
        );
        for (name, across, quantities) in PLOTS {
            if !self.values.contains_key(&(quantities[0].0, Who::Purezmq)) {
                continue;
            }
            write!(
                text,
                "\n## By number of {across}\n\n![{name}]({name}.svg)\n"
            )?;
            let mut panels = Vec::new();
            for (quantity, title) in quantities {
                panels.push(self.panel(quantity, title, across));
                self.table(&mut text, quantity, title)?;
            }
            plot::write(&folder.join(format!("{name}.svg")), &panels)?;
        }
        text += &self.growth();
        text += &self.verdicts();
        text += &self.goals();
        fs::write(folder.join("scale.md"), text)?;
        Ok(())
    }

    fn panel(&self, quantity: &'static str, title: &str, across: &str) -> Panel {
        let curve = |who| {
            let values = self.values.get(&(quantity, who))?;
            let points = values.iter();
            Some(Curve {
                name: Who::name(who).to_owned(),
                // A logarithmic axis has no zero.
                points: points
                    .map(|&(n, value)| (n as f64, value.max(1e-3)))
                    .collect(),
            })
        };
        Panel {
            title: title.to_owned(),
            across: across.to_owned(),
            curves: ALL.into_iter().filter_map(curve).collect(),
            logarithmic: true,
        }
    }

    fn table(&self, text: &mut String, quantity: &'static str, title: &str) -> Result<(), Failure> {
        let ours = &self.values[&(quantity, Who::Purezmq)];
        write!(text, "\n| {title} |")?;
        for (number, _) in ours {
            write!(text, " {number} |")?;
        }
        write!(text, "\n|---|{}\n", "---|".repeat(ours.len()))?;
        for who in ALL {
            if !self.values.contains_key(&(quantity, who)) {
                continue;
            }
            write!(text, "| {} |", who.name())?;
            for (number, _) in ours {
                let value = self.get(quantity, who, *number);
                write!(text, " {}", value.map_or("-".to_owned(), shown))?;
                if let Some(time) = self.clocks.get(&(quantity, who, *number)) {
                    write!(text, " ({})", shown(*time))?;
                }
                text.push_str(" |");
            }
            text.push('\n');
        }
        Ok(())
    }

    /// How cost grows: what one of many costs, as a multiple of what it costs among a tenth as many. Linear is 1.
    fn growth(&self) -> String {
        let mut text = String::from(
            "\n## Growth\n\nWhat each single one costs (a peer, a message, a delivery, a subscription, a pair), as a \
             multiple of what it costs among a tenth as many: 1 is linear growth of the whole. The largest number and \
             the one before it, where these differ by a factor of ten.\n\n| | numbers | purezmq | libzmq |\n|---|---|---|---|\n",
        );
        let grown = PLOTS.iter().filter(|(name, ..)| *name != SWEPT);
        for (quantity, title) in grown.flat_map(|(.., quantities)| *quantities) {
            let times = |who| {
                let [.., (fewer, before), (more, after)] =
                    self.values.get(&(*quantity, who))?.as_slice()
                else {
                    return None;
                };
                let cost = |number: usize, value: f64| match *quantity {
                    rate if rate.ends_with("_per_second") => 1.0 / value,
                    whole if whole.ends_with("_seconds") || whole.ends_with("_mib") => {
                        value / number as f64
                    }
                    _ => value,
                };
                let times = cost(*more, *after) / cost(*fewer, *before);
                (*more == 10 * fewer).then(|| (format!("{fewer} to {more}"), shown(times)))
            };
            let Some((numbers, ours)) = times(Who::Purezmq) else {
                continue;
            };
            let theirs = times(Who::Libzmq).filter(|(others, _)| *others == numbers);
            let theirs = theirs.map_or("-".to_owned(), |(_, times)| times);
            text += &format!("| {title} | {numbers} | {ours} | {theirs} |\n");
        }
        text
    }

    /// What was set as a goal, and what became of it; goals of numbers that were not measured are left out.
    fn goals(&self) -> String {
        use Who::{Libzmq, Purezmq};
        let mut text = String::from("\n## Goals\n\n| goal | measured | |\n|---|---|---|\n");
        let mut goal = |name: &str, value: Option<f64>, limit: Option<f64>, at_least: bool| {
            let (Some(value), Some(limit)) = (value, limit) else {
                return;
            };
            let met = if at_least {
                value >= limit
            } else {
                value <= limit
            };
            let relation = if at_least { "at least" } else { "at most" };
            let verdict = if met { "met" } else { "**not met**" };
            let line = format!(
                "| {name} | {}, {relation} {} | {verdict} |\n",
                shown(value),
                shown(limit)
            );
            print!("{line}");
            text += &line;
        };
        let many = 10_000;
        goal(
            "heap for each of 10,000 idle peers, KiB",
            self.get("heap_kib", Purezmq, many),
            Some(6.0),
            false,
        );
        goal(
            "resident memory for each, KiB: half of libzmq's",
            self.get("rss_kib", Purezmq, many),
            self.get("rss_kib", Libzmq, many).map(|kib| kib / 2.0),
            false,
        );
        goal(
            "time to accept 10,000, s: libzmq's",
            self.get("accept_seconds", Purezmq, many),
            self.get("accept_seconds", Libzmq, many),
            false,
        );
        goal(
            "deliveries to 1,000 subscribers, per s: libzmq's",
            self.get("deliveries_per_second", Purezmq, 1_000),
            self.get("deliveries_per_second", Libzmq, 1_000),
            true,
        );
        goal(
            "match among 1,000,000 subscriptions, publishing included, ns",
            self.get("match_ns", Purezmq, 1_000_000),
            Some(1_000.0),
            false,
        );
        text
    }
}

fn shown(value: f64) -> String {
    match value.abs() {
        v if v >= 1e6 => format!("{:.2} M", value / 1e6),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 1.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}
