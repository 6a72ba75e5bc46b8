//! Numbers and times of messages (`stamps.rs`), at whoever receives them: no message comes twice, or after a later one
//! of the same sender; how many are missing; and how long after its time each came.

use hdrhistogram::Histogram;
use purezmq::Message;
use serde::Serialize;

use crate::Failure;
use crate::args::Args;
use crate::process::monotonic_ns;
use crate::report::Times;
use crate::stamps::{NUMBER_BITS, STAMP};

/// What has come of each sender.
pub(crate) struct Order {
    due: Vec<u64>,
    gaps: u64,
    late: Option<Histogram<u64>>,
}

#[derive(Serialize)]
pub(crate) struct Ordered {
    gaps: u64,
    #[serde(flatten)]
    times: Option<Times>,
}

impl Order {
    /// `None`: messages are not numbered.
    pub(crate) fn new(args: &Args) -> Option<Box<Self>> {
        args.sequence.then(|| {
            Box::new(Order {
                due: vec![0; 1 << (u64::BITS - NUMBER_BITS)],
                gaps: 0,
                late: (args.rate > 0).then(histogram),
            })
        })
    }

    /// Checks a message of the right size, and records how late it is if it is `measured`.
    #[inline]
    pub(crate) fn check(&mut self, message: &Message, measured: bool) -> Result<(), Failure> {
        let data: &[u8] = message.first().map_or(&[], |frame| frame);
        let stamp = read(data, 0);
        let number = stamp & ((1 << NUMBER_BITS) - 1);
        let sender = usize::try_from(stamp >> NUMBER_BITS)?;
        let due = &mut self.due[sender];
        if number < *due {
            let before = *due - 1;
            let what = format!("message {number} of sender {sender} came twice, or after {before}");
            return Err(what.into());
        }
        self.gaps += number - *due;
        *due = number + 1;
        if let Some(late) = self.late.as_mut().filter(|_| measured) {
            late.saturating_record(monotonic_ns().saturating_sub(read(data, 8)));
        }
        Ok(())
    }

    /// Senders that have been heard of.
    pub(crate) fn senders(&self) -> usize {
        self.due.iter().filter(|due| **due > 0).count()
    }

    /// Takes over what another receiver has seen.
    pub(crate) fn add(&mut self, other: &Order) {
        self.gaps += other.gaps;
        if let (Some(late), Some(other)) = (&mut self.late, &other.late) {
            // They have the same range and precision.
            let _ = late.add(other);
        }
    }

    pub(crate) fn ordered(&self) -> Ordered {
        Ordered {
            gaps: self.gaps,
            times: self.late.as_ref().map(Times::new),
        }
    }
}

/// Nanoseconds up to a minute, with three digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(60_000_000_000, 3).expect("such a histogram can be")
}

/// The number of a message's data from a place on.
pub(crate) fn read(data: &[u8], at: usize) -> u64 {
    debug_assert!(at + 8 <= STAMP);
    let bytes = data.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    u64::from_le_bytes(bytes.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Command, parse};
    use crate::stamps::Stamps;

    fn args(options: &str) -> Args {
        let line = format!("push --connect tcp://127.0.0.1:1 --size 16 {options}");
        match parse(line.split(' ').map(str::to_owned)) {
            Ok(Command::Run(args)) => args,
            _ => panic!("{line} is not understood"),
        }
    }

    /// The next messages of a sender.
    fn messages<const N: usize>(args: &Args) -> [Message; N] {
        let mut stamps = Stamps::new(args);
        std::array::from_fn(|_| {
            let mut data = [0; STAMP];
            stamps.fill(&mut data);
            Message::from(&data[..])
        })
    }

    #[test]
    fn counts_what_is_missing_of_each_sender() {
        let mut order = Order::new(&args("--sequence")).unwrap();
        let [a0, _, _, a3] = messages(&args("--sequence --sender 4"));
        let [b0, b1] = messages(&args("--sequence --sender 255"));
        for message in [a0, b0, a3, b1] {
            order.check(&message, true).unwrap();
        }
        assert_eq!((order.gaps, order.senders()), (2, 2));
    }

    #[test]
    fn refuses_what_comes_twice_or_late() {
        let mut order = Order::new(&args("--sequence")).unwrap();
        let [first, second] = messages(&args("--sequence"));
        order.check(&second, true).unwrap();
        for message in [first, second] {
            let failure = order.check(&message, true).unwrap_err().to_string();
            assert!(failure.contains("came twice, or after 1"), "{failure}");
        }
    }

    /// The second of two messages a second is half a second younger than the first, whenever it is sent.
    #[test]
    fn a_message_is_as_late_as_it_was_due() {
        let args = args("--rate 2");
        let mut order = Order::new(&args).unwrap();
        let [first, second] = messages(&args);
        let due = |message: &Message| read(&message[0], 8);
        assert_eq!(due(&second) - due(&first), 500_000_000);
        order.check(&first, false).unwrap();
        let mut other = Order::new(&args).unwrap();
        let mut data = due(&first).to_le_bytes().repeat(2);
        data[..8].fill(0);
        let long_ago = monotonic_ns() - 3_000_000_000;
        data[8..].copy_from_slice(&long_ago.to_le_bytes());
        other.check(&Message::from(&data[..]), true).unwrap();
        order.add(&other);
        let late = order.late.unwrap();
        assert_eq!(late.len(), 1, "what is not measured is not recorded");
        assert!(late.max() >= 2_990_000_000, "{}", late.max());
    }
}
