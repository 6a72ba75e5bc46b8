//! Meters: each counts what its role receives, checks it, and makes the report. Clocks run from the last
//! warm-up message to the last message.

mod audience;
mod fan;
mod order;
mod round_trips;
mod throughput;

use purezmq::Message;

use crate::Failure;

pub(crate) use audience::{Audience, Seat};
pub(crate) use fan::{Fan, Tally};
pub(crate) use order::Order;
pub(crate) use round_trips::RoundTrips;
pub(crate) use throughput::Throughput;

/// Bytes of the messages that a publisher, or the sender of a fan-out, sends until its receivers are there. They are
/// not measured.
pub(crate) const PROBE: usize = 3;

/// Nothing may have become of a message on its way.
#[inline]
fn check(message: &Message, size: usize) -> Result<(), Failure> {
    if message.len() == 1 && message.byte_len() == size {
        return Ok(());
    }
    Err(wrong(message, size))
}

#[cold]
fn wrong(message: &Message, size: usize) -> Failure {
    format!(
        "got {} frames with {} bytes where 1 frame with {size} bytes was due",
        message.len(),
        message.byte_len()
    )
    .into()
}
