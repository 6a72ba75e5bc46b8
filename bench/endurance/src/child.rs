//! Processes of the program that runs, and the lines that they exchange: `NAME NUMBER` out, orders in. Used by `scale` and
//! `attack`.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use crate::Failure;

/// Prints one value for whoever started this process.
///
/// # Errors
///
/// Nobody listens any more.
pub fn tell(name: &str, value: f64) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{name} {value}")?;
    out.flush()?;
    Ok(())
}

/// A process. Killed when dropped.
pub struct Child {
    process: std::process::Child,
    orders: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts this program once more, with these arguments.
    ///
    /// # Errors
    ///
    /// The system has no process to give.
    pub fn start(arguments: &[&str]) -> Result<Child, Failure> {
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
    ///
    /// # Errors
    ///
    /// It tells another one, or has ended.
    pub fn value(&mut self, name: &str) -> Result<f64, Failure> {
        let line = self
            .lines
            .next()
            .ok_or_else(|| format!("a process ended before it told {name}"))??;
        match line.split_once(' ') {
            Some((told, value)) if told == name => Ok(value.parse()?),
            _ => Err(format!("{line}, and not {name}").into()),
        }
    }

    /// Gives it an order.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn say(&mut self, order: &str) -> Result<(), Failure> {
        writeln!(self.orders, "{order}")?;
        Ok(())
    }

    /// An order whose answer has the name of its first word.
    ///
    /// # Errors
    ///
    /// As for [`say`](Self::say) and [`value`](Self::value).
    pub fn ask(&mut self, order: &str) -> Result<f64, Failure> {
        self.say(order)?;
        self.value(order.split(' ').next().unwrap_or_default())
    }

    /// Its resident memory.
    ///
    /// # Errors
    ///
    /// It has ended, or there is no `/proc`.
    pub fn rss_kib(&self) -> Result<f64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.ok_or("no VmRSS")?.trim().trim_end_matches(" kB");
        Ok(number.parse()?)
    }

    /// How many file descriptors it has.
    ///
    /// # Errors
    ///
    /// As for [`rss_kib`](Self::rss_kib).
    pub fn descriptors(&self) -> Result<usize, Failure> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.process.id()))?.count())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
