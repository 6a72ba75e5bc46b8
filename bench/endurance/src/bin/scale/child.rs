//! Processes of this program, and the lines that they exchange: `NAME NUMBER` out, orders in.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use purezmq_endurance::Failure;

/// Prints one value for whoever started this process.
pub(crate) fn tell(name: &str, value: f64) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{name} {value}")?;
    out.flush()?;
    Ok(())
}

/// A process. Killed when dropped.
pub(crate) struct Child {
    process: std::process::Child,
    orders: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Child {
    pub(crate) fn start(arguments: &[&str]) -> Result<Child, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = process.stdin.take().ok_or("standard input is piped")?;
        let lines = process.stdout.take().ok_or("standard output is piped")?;
        Ok(Child {
            process,
            orders,
            lines: BufReader::new(lines).lines(),
        })
    }

    /// The next value that it tells, which has to be this one.
    pub(crate) fn value(&mut self, name: &str) -> Result<f64, Failure> {
        let line = self
            .lines
            .next()
            .ok_or_else(|| format!("a process ended before it told {name}"))??;
        match line.split_once(' ') {
            Some((told, value)) if told == name => Ok(value.parse()?),
            _ => Err(format!("{line}, and not {name}").into()),
        }
    }

    pub(crate) fn say(&mut self, order: &str) -> Result<(), Failure> {
        writeln!(self.orders, "{order}")?;
        Ok(())
    }

    /// An order whose answer has the name of its first word.
    pub(crate) fn ask(&mut self, order: &str) -> Result<f64, Failure> {
        self.say(order)?;
        self.value(order.split(' ').next().unwrap_or_default())
    }

    /// Its resident memory.
    pub(crate) fn rss_kib(&self) -> Result<f64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.ok_or("no VmRSS")?.trim().trim_end_matches(" kB");
        Ok(number.parse()?)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
