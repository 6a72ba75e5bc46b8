//! `--count` of what comes as work (PULL, GATHER): as little as possible is taken that nobody gets.
//!
//! A connection reads ahead, and what it has read, its peer has sent: it cannot be given back. So the queue is no longer than
//! the count, and what does not fit stays with a sender that connects, but for what is on its way.

use purezmq::options::{OptionId, Options, Value};
use purezmq::{AnySocket, Capability, Rules};

use crate::failure::Failure;
use crate::say;

/// Returns whether somebody else would get what this socket does not take.
pub(super) fn is_work(rules: &Rules) -> bool {
    rules.has(Capability::Receives)
        && !rules.has(Capability::Sends)
        && !rules.subscribes
        && !rules.socket_type.sends_groups()
}

/// Has the queue hold no more than is wanted, unless `--set` says how much it is to hold.
pub(super) fn hold_back(socket: &mut AnySocket, count: u64) -> Result<(), Failure> {
    let id = OptionId::by_name("recv_hwm").expect("an option");
    let mut options = socket.options();
    let usual = Options::of(socket.socket_type()).get(id);
    let (Ok(Value::Integer(usual)), Ok(Value::Integer(now))) = (usual, options.get(id)) else {
        return Ok(());
    };
    let wanted = i128::from(count.max(1));
    if now == usual && wanted < now {
        let usage = |error: &dyn std::error::Error| Failure::Usage(format!("--count: {error}"));
        options
            .set(id, Value::Integer(wanted))
            .map_err(|error| usage(&error))?;
        socket.set_options(options).map_err(|error| usage(&error))?;
    }
    Ok(())
}

/// Says that messages had come that nobody gets.
pub(super) fn tell(unread: usize) {
    say(format_args!(
        "messages that had come, and that nobody gets now: {unread}"
    ));
}
