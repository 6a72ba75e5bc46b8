//! Messages in datagrams (RFC 48 says nothing of them: libzmq, `zmq_udp(7)` and `udp_engine.cpp`), without I/O.
//!
//! A datagram is a message, whole or not there at all, so that this needs no engine: nothing is kept from one datagram to
//! the next. A session in `purezmq` owns the socket of the system; what has come it gives to [`Form::read`], which adds a
//! message to a batch, and what is to go, [`Form::datagrams`] makes of a batch, where it lies.
//!
//! ```text
//!                the datagram              the message, in a batch
//! Grouped        length(1) group body      [group] [body]              RADIO, DISH
//! Addressed      payload                   [address] [] [payload]      DGRAM: whom it is from, or for
//! ```
//! The address has six octets (IPv4) or 22 (IPv6), in the order of the network: address, port, and of IPv6 the zone. Behind
//! it is an empty frame, so that it is an [`Envelope`], which takes no allocation to be put around a message and off it.

use std::io::IoSlice;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::batch::{Batch, Walk};
use crate::envelope::Envelope;

/// The most bytes that a datagram over IPv4 holds: 65,535, less the headers of IP and UDP. Over IPv6 it would be 20 more.
pub const LARGEST: usize = 65_507;

/// The most bytes that a datagram can have come with, over whatever it came.
pub const LARGEST_READ: usize = 65_535;

/// Octets of an address of IPv4, and of IPv6.
const V4: usize = 4 + 2;
const V6: usize = 16 + 2 + 4;

/// Tells how a datagram has its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A group, its length in front of it, and a body.
    Grouped,
    /// The payload alone. The message has the address of the other end besides.
    Addressed,
}

/// Says that a datagram is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the datagram has no group, one that is longer than itself, or one with a zero in it")]
pub struct Malformed;

impl Form {
    /// Adds the message of a datagram to a batch.
    ///
    /// ```
    /// use purezmq_zmtp::datagram::Form;
    /// use purezmq_zmtp::{Batch, Message};
    ///
    /// let mut batch = Batch::new();
    /// let from = ([127, 0, 0, 1], 5555).into();
    /// Form::Grouped.read(b"\x07weathersunny", from, &mut batch)?;
    /// assert_eq!(batch.pop(), Some(Message::from(["weather", "sunny"])));
    /// # Ok::<(), purezmq_zmtp::datagram::Malformed>(())
    /// ```
    ///
    /// # Errors
    /// There is no message in it; the batch is as it was.
    pub fn read(
        self,
        datagram: &[u8],
        from: SocketAddr,
        batch: &mut Batch,
    ) -> Result<(), Malformed> {
        match self {
            Form::Grouped => {
                let (length, rest) = datagram.split_first().ok_or(Malformed)?;
                let (group, body) = rest
                    .split_at_checked(usize::from(*length))
                    .ok_or(Malformed)?;
                if group.contains(&0) {
                    return Err(Malformed);
                }
                batch.put_frame(true, group);
                batch.put_frame(false, body);
            }
            Form::Addressed => {
                let (address, length) = octets(from);
                batch.put_frame(true, &address[..length]);
                batch.put_frame(true, b"");
                batch.put_frame(false, datagram);
            }
        }
        batch.count(1);
        Ok(())
    }

    /// Returns the datagrams of a batch's messages, in order. The batch stays as it is: [`Batch::truncate_front`] drops what
    /// has been sent.
    #[must_use]
    pub fn datagrams(self, batch: &Batch) -> Datagrams<'_> {
        Datagrams {
            form: self,
            frames: batch.walk(),
        }
    }
}

/// The datagrams of a batch, where they lie: made by [`Form::datagrams`].
pub struct Datagrams<'a> {
    form: Form,
    frames: Walk<'a>,
}

/// A datagram that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing<'a> {
    to: Option<SocketAddr>,
    length: [u8; 1],
    /// Nothing, if there is no group.
    group: Option<&'a [u8]>,
    body: &'a [u8],
}

impl<'a> Iterator for Datagrams<'a> {
    /// `None`: the message makes no datagram, since it is not of this form.
    type Item = Option<Outgoing<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let (first, mut more) = self.frames.next_frame()?;
        // Whatever the message is, the next one begins behind its end.
        let mut parts = 1;
        let mut body = first;
        while more {
            (body, more) = self.frames.next_frame()?;
            parts += 1;
        }
        Some(match self.form {
            Form::Grouped if parts == 2 => u8::try_from(first.len()).ok().map(|length| Outgoing {
                to: None,
                length: [length],
                group: Some(first),
                body,
            }),
            Form::Addressed if parts == 3 => address(first).map(|to| Outgoing {
                to: Some(to),
                length: [0],
                group: None,
                body,
            }),
            Form::Grouped | Form::Addressed => None,
        })
    }
}

impl<'a> Outgoing<'a> {
    /// Returns whom it is for, if the message says so.
    #[must_use]
    pub fn to(&self) -> Option<SocketAddr> {
        self.to
    }

    /// Returns how many bytes it has.
    #[must_use]
    pub fn size(&self) -> usize {
        self.group.map_or(0, |group| 1 + group.len()) + self.body.len()
    }

    /// Fills `out` with its bytes, in order, and returns how many slices that are: 1 or 3.
    pub fn pieces<'o>(&'o self, out: &mut [IoSlice<'o>; 3]) -> usize {
        match self.group {
            None => {
                out[0] = IoSlice::new(self.body);
                1
            }
            Some(group) => {
                *out = [&self.length, group, self.body].map(IoSlice::new);
                3
            }
        }
    }
}

/// Counts the bytes of a datagram to a group.
#[must_use]
pub fn grouped_size(group: &[u8], body: &[u8]) -> usize {
    1 + group.len() + body.len()
}

/// Makes the envelope of a datagram for this address.
pub fn write_address(address: SocketAddr, envelope: &mut Envelope) {
    let (octets, length) = octets(address);
    envelope.clear();
    envelope.push(&octets[..length]);
    envelope.push(b"");
}

/// Returns the address in an envelope; `None` if it has none.
#[must_use]
pub fn read_address(envelope: &Envelope) -> Option<SocketAddr> {
    address(envelope.frames().next()?)
}

/// Writes an address, and says how many of the octets are it.
fn octets(address: SocketAddr) -> ([u8; V6], usize) {
    let mut octets = [0; V6];
    let port = address.port().to_be_bytes();
    match address {
        SocketAddr::V4(v4) => {
            octets[..4].copy_from_slice(&v4.ip().octets());
            octets[4..V4].copy_from_slice(&port);
            (octets, V4)
        }
        SocketAddr::V6(v6) => {
            octets[..16].copy_from_slice(&v6.ip().octets());
            octets[16..18].copy_from_slice(&port);
            octets[18..].copy_from_slice(&v6.scope_id().to_be_bytes());
            (octets, V6)
        }
    }
}

/// Reads an address.
fn address(octets: &[u8]) -> Option<SocketAddr> {
    if let Ok([a, b, c, d, high, low]) = <[u8; V4]>::try_from(octets) {
        let port = u16::from_be_bytes([high, low]);
        return Some((Ipv4Addr::new(a, b, c, d), port).into());
    }
    let (ip, rest) = octets.split_first_chunk::<16>()?;
    let (port, zone) = rest.split_first_chunk::<2>()?;
    let zone = u32::from_be_bytes(zone.try_into().ok()?);
    let port = u16::from_be_bytes(*port);
    Some(SocketAddrV6::new(Ipv6Addr::from(*ip), port, 0, zone).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    const FROM: &str = "192.0.2.1:7";

    fn from() -> SocketAddr {
        FROM.parse().unwrap()
    }

    fn bytes(outgoing: &Outgoing<'_>) -> Vec<u8> {
        let mut out = [IoSlice::new(&[]); 3];
        let used = outgoing.pieces(&mut out);
        let bytes: Vec<u8> = out[..used].iter().flat_map(|one| one.to_vec()).collect();
        assert_eq!(bytes.len(), outgoing.size());
        bytes
    }

    fn grouped(datagram: &[u8]) -> Result<Message, Malformed> {
        let mut batch = Batch::new();
        let read = Form::Grouped.read(datagram, from(), &mut batch);
        assert_eq!(batch.len(), usize::from(read.is_ok()));
        assert_eq!(batch.byte_len() == 0, read.is_err());
        read.map(|()| batch.pop().unwrap())
    }

    #[test]
    fn a_group_is_in_front_with_its_length() {
        let longest = "g".repeat(255);
        for group in ["", "ug", &longest] {
            for body in ["", "ubody", &"b".repeat(60_000)] {
                let datagram = [&[group.len() as u8], group.as_bytes(), body.as_bytes()].concat();
                let message = Message::from([group, body]);
                assert_eq!(grouped(&datagram).as_ref(), Ok(&message));
                // By reference, and copied.
                for by_reference in [0, usize::MAX] {
                    let mut batch = Batch::new();
                    batch.push(&message, by_reference);
                    batch.push(&Message::from(["x", "y"]), by_reference);
                    let all: Vec<_> = Form::Grouped.datagrams(&batch).collect();
                    assert_eq!(all.len(), 2);
                    assert_eq!(bytes(&all[0].unwrap()), datagram);
                    assert_eq!(bytes(&all[1].unwrap()), b"\x01xy");
                    assert_eq!(all[0].unwrap().to(), None);
                }
            }
        }
    }

    #[test]
    fn what_is_no_group_is_no_message() {
        for wrong in [
            &b""[..],
            b"\x01",
            b"\x03ab",
            b"\x80",
            b"\xff",
            &[0xff; 255],
            b"\x01\0body",
            b"\x03a\0bbody",
        ] {
            assert_eq!(grouped(wrong), Err(Malformed), "{wrong:?}");
        }
        assert!(grouped(&[0xff; 256]).is_ok());
        assert_eq!(grouped(b"\0"), Ok(Message::from(["", ""])));
        assert_eq!(grouped(b"\x01g\0\0"), Ok(Message::from(["g", "\0\0"])));
    }

    #[test]
    fn an_address_is_beside_the_payload_and_comes_back() {
        for address in ["192.0.2.1:7", "[2001:db8::1]:65535", "[fe80::1%3]:80"] {
            let address: SocketAddr = address.parse().unwrap();
            for payload in [&b""[..], b"hello", &[0; LARGEST]] {
                let mut batch = Batch::new();
                Form::Addressed.read(payload, address, &mut batch).unwrap();
                let outgoing = Form::Addressed.datagrams(&batch).next().flatten().unwrap();
                assert_eq!(outgoing.to(), Some(address));
                assert_eq!(bytes(&outgoing), payload);
                let mut envelope = Envelope::default();
                let body = batch.pop_enveloped(&mut envelope).flatten().unwrap();
                assert_eq!(body, payload);
                assert_eq!(read_address(&envelope), Some(address));
                let mut written = Envelope::default();
                write_address(address, &mut written);
                assert_eq!(written, envelope);
            }
        }
    }

    #[test]
    fn what_is_sent_is_dropped_and_the_rest_goes_on() {
        let mut batch = Batch::new();
        for number in 0..10_u8 {
            Form::Addressed.read(&[number], from(), &mut batch).unwrap();
        }
        batch.truncate_front(7);
        let left: Vec<_> = Form::Addressed
            .datagrams(&batch)
            .map(|one| bytes(&one.unwrap()))
            .collect();
        assert_eq!(left, [[7], [8], [9]]);
    }

    #[test]
    fn messages_of_another_form_make_no_datagram() {
        let long = "g".repeat(256);
        let batch: Batch = [
            Message::from("alone"),
            Message::from(["a", "b", "c"]),
            Message::from([&long[..], "body"]),
            Message::from(["a", "b"]),
        ]
        .into_iter()
        .collect();
        let all: Vec<_> = Form::Grouped.datagrams(&batch).collect();
        assert!(all[..3].iter().all(Option::is_none));
        assert!(all[3].is_some());
        let all: Vec<_> = Form::Addressed.datagrams(&batch).collect();
        assert_eq!(all, [None; 4]);
    }
}
