//! Datagrams of RADIO and DISH.

use std::io::IoSlice;

use purezmq_zmtp::datagram::{Form, Malformed};
use purezmq_zmtp::{Batch, Message};

use super::{Checked, Vector};

pub(crate) fn check(vector: &Vector, bytes: &[u8]) -> Checked {
    let wanted = match vector.name.as_str() {
        // What is to stand in the first frame, `DgramSocket` decides.
        "udp-dgram-address-frame" => return Checked::NothingOfApplication,
        "udp-radio-datagram" => Some(["ug", "ubody"]),
        "udp-dish-accept" => Some(["ug", "BODY"]),
        "udp-dish-empty-body" => Some(["ug", ""]),
        "udp-dish-empty-group" => Some(["", "body"]),
        "udp-dish-overlong-group"
        | "udp-dish-empty"
        | "udp-dish-group-128"
        | "udp-dish-group-255"
        | "udp-dish-group-with-nul" => None,
        other => panic!("unknown vector {other}"),
    };
    let is_ignored = vector.expect.as_deref() == Some("ignore");
    assert_eq!(wanted.is_none(), is_ignored, "{}", vector.name);
    let mut batch = Batch::new();
    let from = ([127, 0, 0, 1], 1).into();
    let read = Form::Grouped.read(bytes, from, &mut batch);
    let Some(wanted) = wanted else {
        assert_eq!(read, Err(Malformed), "{}", vector.name);
        return Checked::Fully;
    };
    assert_eq!(read, Ok(()), "{}", vector.name);
    let datagram = Form::Grouped.datagrams(&batch).next().flatten();
    let datagram = datagram.expect("it is one");
    let mut pieces = [IoSlice::new(&[]); 3];
    let used = datagram.pieces(&mut pieces);
    let sent: Vec<u8> = pieces[..used].iter().flat_map(|one| one.to_vec()).collect();
    assert_eq!(sent, bytes, "what we send of it is the same");
    assert_eq!(batch.pop(), Some(Message::from(wanted)));
    Checked::Fully
}
