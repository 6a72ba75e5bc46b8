//! Datagrams, as `udp://` receives them.

use std::io::IoSlice;
use std::net::SocketAddr;

use zmtp::datagram::{Form, read_address};
use zmtp::{Batch, Envelope};

/// Asserts that a datagram is one message, of no more than its bytes, which is the same datagram when it is sent on; or that
/// it leaves nothing. The input is datagrams, each with its length in front.
pub(crate) fn datagram(data: &[u8]) {
    let Some((&choice, mut rest)) = data.split_first() else {
        return;
    };
    let form = [Form::Grouped, Form::Addressed][usize::from(choice & 1)];
    let mut batch = Batch::new();
    let mut taken = Vec::new();
    while let Some((&length, behind)) = rest.split_first() {
        let (one, behind) = behind.split_at(behind.len().min(length.into()));
        rest = behind;
        let from = address(one);
        let before = (batch.len(), batch.byte_len());
        match form.read(one, from, &mut batch) {
            Ok(()) => {
                assert_eq!(batch.len(), before.0 + 1);
                taken.push((one, from));
            }
            Err(_) => assert_eq!((batch.len(), batch.byte_len()), before),
        }
    }
    let mut sent = 0;
    for (datagram, (one, from)) in form.datagrams(&batch).zip(&taken) {
        let datagram = datagram.expect("what was read can be sent");
        let mut pieces = [IoSlice::new(&[]); 3];
        let used = datagram.pieces(&mut pieces);
        let bytes: Vec<u8> = pieces[..used].iter().flat_map(|one| one.to_vec()).collect();
        assert_eq!(bytes, *one);
        assert_eq!(datagram.size(), one.len());
        assert_eq!(datagram.to(), (form == Form::Addressed).then_some(*from));
        sent += 1;
    }
    assert_eq!(sent, taken.len());
    for (one, from) in taken {
        match form {
            Form::Grouped => {
                let message = batch.pop().expect("it was read");
                assert_eq!(message.len(), 2);
                assert_eq!(1 + message.byte_len(), one.len());
            }
            Form::Addressed => {
                let mut envelope = Envelope::default();
                let body = batch.pop_enveloped(&mut envelope).flatten();
                assert_eq!(body.expect("it was read"), one);
                assert_eq!(read_address(&envelope), Some(from));
            }
        }
    }
    assert!(batch.is_empty());
}

/// Makes an address of what is there.
fn address(bytes: &[u8]) -> SocketAddr {
    let port = u16::from(bytes.first().copied().unwrap_or_default());
    match bytes.first_chunk::<16>() {
        Some(ip) if port & 1 == 1 => (*ip, port).into(),
        _ => ([192, 0, 2, 1], port).into(),
    }
}
