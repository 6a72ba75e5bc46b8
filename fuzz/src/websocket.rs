//! Frames of WebSocket, as `ws://` reads them.

use bytes::BytesMut;
use zmtp::zws::{Broken, Framing, Side, Subprotocol};

/// Asserts that frames that come in pieces are the same as whole ones, that they are no more than what came, and that
/// what was understood is understood again when it is sent on.
pub(crate) fn websocket(data: &[u8]) {
    let Some((&[choice, piece], data)) = data.split_first_chunk() else {
        return;
    };
    if data.is_empty() {
        return;
    }
    let side = [Side::Client, Side::Server][usize::from(choice & 1)];
    let name = ["ZWS2.0/NULL", "ZWS2.0"][usize::from(choice >> 1 & 1)];
    let Some(subprotocol) = Subprotocol::choose(name, "NULL") else {
        unreachable!("it is one of NULL");
    };
    let whole = receive(side, subprotocol, data.chunks(data.len().max(1)));
    let pieces = receive(side, subprotocol, data.chunks(usize::from(piece).max(1)));
    assert_eq!(whole, pieces);
    let (zmtp, ended) = whole;
    // A header of nine bytes for two, or a PONG for each empty one.
    assert!(zmtp.len() <= 64 + 8 * data.len());
    if ended.is_err() || choice & 2 != 0 {
        return;
    }
    let mut there = Framing::new(side, subprotocol);
    let mut wire = BytesMut::new();
    there.send(&zmtp, || [piece; 4], &mut wire);
    let other = match side {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    };
    let (again, ended) = receive(other, subprotocol, std::iter::once(&wire[..]));
    assert_eq!(ended, Ok(()));
    assert!(again.len() <= zmtp.len());
}

/// Returns what the engine is given, and how the connection ends.
fn receive<'a>(
    side: Side,
    subprotocol: Subprotocol,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (BytesMut, Result<(), Broken>) {
    let mut framing = Framing::new(side, subprotocol);
    let (mut input, mut out) = (BytesMut::new(), BytesMut::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        if let Err(broken) = framing.receive(&mut input, &mut out) {
            return (out, Err(broken));
        }
    }
    (out, Ok(()))
}
