//! What a lane may hold, as the options of the socket at either end have it.

use std::time::Duration;

/// The limits of one lane.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    /// Messages; 0 is no limit.
    pub(crate) hwm: usize,
    /// Bytes in wire form; 0 is no limit. `None`: what the HWM is worth.
    pub(crate) bytes: Option<usize>,
    /// The time to live.
    pub(crate) ttl: Option<Duration>,
    /// Only the newest message counts.
    pub(crate) conflate: bool,
    /// Only the newest message of each topic counts.
    pub(crate) by_topic: bool,
}

/// Bytes that the HWM is worth for each message: so much a message may have on average before the bytes count.
const WORTH: usize = 32 * 1024;

/// Bytes that an HWM is worth at least, unless it is no limit: those of the default of a thousand messages.
const LEAST_WORTH: usize = 1000 * WORTH;

impl Limits {
    /// Returns the limits of an inproc pipe's lane: what each side allows is added up ([R-HWM-4]); how long messages live
    /// is the sender's to say.
    ///
    /// [R-HWM-4]: https://github.com/purezmq/purezmq/blob/main/docs/rules.md#r-hwm-4
    fn joined(sender: Self, receiver: Self) -> Self {
        let hwm = sender.hwm;
        let bytes = sender.most_bytes().zip(receiver.most_bytes());
        Limits {
            hwm: if hwm == 0 || receiver.hwm == 0 {
                0
            } else {
                hwm.saturating_add(receiver.hwm)
            },
            bytes: Some(bytes.map_or(0, |(one, other)| one.saturating_add(other))),
            ttl: sender.ttl,
            conflate: sender.conflate || receiver.conflate,
            by_topic: sender.by_topic || receiver.by_topic,
        }
    }

    /// Returns how many messages the lane may hold.
    pub(crate) fn messages(&self) -> usize {
        match (self.conflate, self.hwm) {
            (true, _) => 1,
            (false, 0) => usize::MAX,
            (false, hwm) => hwm,
        }
    }

    /// Returns how many bytes the lane may hold. `None`: there is no limit.
    pub(crate) fn most_bytes(&self) -> Option<usize> {
        match (self.bytes, self.hwm) {
            // One message has no limit of bytes.
            _ if self.conflate => None,
            (Some(0), _) | (None, 0) => None,
            (Some(bytes), _) => Some(bytes),
            (None, hwm) => Some(hwm.saturating_mul(WORTH).max(LEAST_WORTH)),
        }
    }
}

/// One side of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Writer,
    Reader,
}

/// The limits of a lane's two sides, of which a session has none. Those of the second side have room of their own: few
/// lanes have them, and there is a pair of lanes for each peer.
#[derive(Debug)]
pub(super) enum Sides {
    One(Side, Limits),
    Both(Box<Both>),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Both {
    writer: Limits,
    reader: Limits,
}

impl Both {
    fn of(&mut self, side: Side) -> &mut Limits {
        match side {
            Side::Writer => &mut self.writer,
            Side::Reader => &mut self.reader,
        }
    }
}

impl Sides {
    /// Returns the limits of both sides together, or of the side that has some.
    pub(super) fn together(&self) -> Limits {
        match self {
            Sides::One(_, limits) => *limits,
            Sides::Both(both) => Limits::joined(both.writer, both.reader),
        }
    }

    /// Returns the limits of one side, if it has some.
    pub(super) fn of(&mut self, side: Side) -> Option<&mut Limits> {
        match self {
            Sides::One(one, limits) => (*one == side).then_some(limits),
            Sides::Both(both) => Some(both.of(side)),
        }
    }

    /// Sets those of one side.
    pub(super) fn set(&mut self, side: Side, limits: Limits) {
        match self {
            Sides::One(one, own) if *one == side => *own = limits,
            Sides::One(one, own) => {
                let mut both = Both {
                    writer: limits,
                    reader: limits,
                };
                *both.of(*one) = *own;
                *self = Sides::Both(Box::new(both));
            }
            Sides::Both(both) => *both.of(side) = limits,
        }
    }
}
