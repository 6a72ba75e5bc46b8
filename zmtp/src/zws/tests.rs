use super::receive::put_ready;
use super::*;
use crate::wire::command::Command;
use crate::wire::frame::{self, Header};
use crate::wire::metadata::{IDENTITY, Metadata, SOCKET_TYPE};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A connection on which the peer has said READY, if it does so.
fn framing(side: Side, name: &str) -> Framing {
    let subprotocol = Subprotocol::choose(name, "NULL").expect("a subprotocol");
    let mut framing = Framing::new(side, subprotocol);
    let mut greeting = BytesMut::new();
    framing
        .receive(&mut BytesMut::new(), &mut greeting)
        .expect("nothing has come");
    assert_eq!(greeting.len(), GREETING);
    framing.has_begun = name != "ZWS2.0";
    framing
}

/// Sends this side's greeting, which goes nowhere.
fn greeted(side: Side, name: &str) -> Framing {
    let mut framing = framing(side, name);
    assert_eq!(send(&mut framing, &[7; GREETING]), b""[..]);
    framing
}

fn send(framing: &mut Framing, zmtp: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    framing.send(zmtp, || KEY, &mut out);
    out
}

fn receive(framing: &mut Framing, input: &[u8]) -> Result<BytesMut, Broken> {
    let mut out = BytesMut::new();
    let mut input = BytesMut::from(input);
    framing.receive(&mut input, &mut out)?;
    Ok(out)
}

#[test]
fn the_first_name_that_fits_is_chosen() {
    let chosen = |list, mechanism| Subprotocol::choose(list, mechanism).map(|one| one.name());
    assert_eq!(Subprotocol::offer("NULL"), "ZWS2.0/NULL,ZWS2.0");
    assert_eq!(Subprotocol::offer("CURVE"), "ZWS2.0/CURVE");
    assert_eq!(
        chosen("ZWS2.0/NULL,ZWS2.0", "NULL").as_deref(),
        Some("ZWS2.0/NULL")
    );
    assert_eq!(chosen("chat, ZWS2.0", "NULL").as_deref(), Some("ZWS2.0"));
    assert_eq!(
        chosen("ZWS2.0, ZWS2.0/PLAIN", "PLAIN").as_deref(),
        Some("ZWS2.0/PLAIN")
    );
    for (list, mechanism) in [
        ("", "NULL"),
        ("ZWS2.0/PLAIN", "NULL"),
        ("ZWS2.0", "PLAIN"),
        ("ZWS2.0x", "NULL"),
    ] {
        assert_eq!(chosen(list, mechanism), None, "{list} {mechanism}");
    }
}

#[test]
fn frames_are_as_the_rfc_has_them() {
    let mut server = greeted(Side::Server, "ZWS2.0/NULL");
    assert_eq!(
        send(&mut server, b"\x00\x05hello"),
        b"\x82\x06\x00hello"[..]
    );
    assert_eq!(
        send(&mut server, b"\x01\x01a\x00\x00"),
        b"\x82\x02\x01a\x82\x01\x00"[..]
    );
    assert_eq!(
        send(&mut server, b"\x04\x04\x03ABC"),
        b"\x82\x05\x02\x03ABC"[..]
    );
    let mut client = greeted(Side::Client, "ZWS2.0/NULL");
    let masked = send(&mut client, b"\x00\x05hello");
    assert_eq!(masked[..6], b"\x82\x86\x37\xfa\x21\x3d"[..]);
    assert_eq!(receive(&mut server, &masked).unwrap(), b"\x00\x05hello"[..]);
    assert_eq!(
        receive(&mut client, b"\x82\x03\x01hi").unwrap(),
        b"\x01\x02hi"[..]
    );
    assert_eq!(
        receive(&mut client, b"\x82\x04\x02\x02hi").unwrap(),
        b"\x04\x03\x02hi"[..]
    );
}

#[test]
fn sizes_and_pieces_of_all_kinds_come_through() {
    for size in [0, 1, 124, 125, 126, 254, 255, 256, 65_534, 65_535, 70_000] {
        for piece in [1, 7, 4096, usize::MAX] {
            let mut frame = BytesMut::new();
            frame::put_header(&mut frame, 0, size);
            frame.extend((0..size).map(|at| at as u8));
            let mut client = greeted(Side::Client, "ZWS2.0/NULL");
            let mut server = greeted(Side::Server, "ZWS2.0/NULL");
            for (one, other) in [(&mut client, &mut server)] {
                let mut there = BytesMut::new();
                for piece in frame.chunks(piece.min(frame.len())) {
                    there.extend_from_slice(&send(one, piece));
                }
                let (mut input, mut out) = (BytesMut::new(), BytesMut::new());
                for piece in there.chunks(piece.min(there.len())) {
                    input.extend_from_slice(piece);
                    other.receive(&mut input, &mut out).expect("a sound frame");
                    assert!(input.len() < 16, "what has come goes on at once");
                }
                assert_eq!(out, frame, "{size} {piece}");
            }
        }
    }
}

#[test]
fn heartbeats_are_those_of_websocket() {
    let mut server = greeted(Side::Server, "ZWS2.0/NULL");
    let mut ping = BytesMut::new();
    Command::Ping {
        ttl: 3,
        context: b"x",
    }
    .put(&mut ping);
    assert_eq!(send(&mut server, &ping), b"\x89\x00"[..]);
    let pong = receive(&mut server, b"\x8a\x80\x01\x02\x03\x04").unwrap();
    assert_eq!(Command::parse(&pong[2..]), Ok(Command::Pong(b"")));
    // The peer's are answered between two frames: here, one of four bytes is half way.
    assert_eq!(
        receive(&mut server, b"\x89\x82\x00\x00\x00\x00hi").unwrap(),
        b""[..]
    );
    let mut out = send(&mut server, b"\x00\x04ab");
    server.put_answers(|| KEY, &mut out);
    assert_eq!(out, b"\x82\x05\x00ab"[..]);
    let mut out = send(&mut server, b"cd");
    server.put_answers(|| KEY, &mut out);
    assert_eq!(out, b"cd\x8a\x02hi"[..]);
}

#[test]
fn of_many_pings_the_last_is_answered() {
    let mut client = greeted(Side::Client, "ZWS2.0/NULL");
    receive(&mut client, &b"\x89\x01a".repeat(1000)).unwrap();
    let mut out = BytesMut::new();
    client.put_answers(|| [0; 4], &mut out);
    assert_eq!(out, b"\x8a\x81\0\0\0\0a"[..]);
}

#[test]
fn a_close_is_answered_and_nothing_comes_behind_it() {
    let mut client = greeted(Side::Client, "ZWS2.0/NULL");
    let came = receive(
        &mut client,
        b"\x82\x02\x00a\x88\x05\x03\xe8bye\x82\x02\x00b",
    )
    .unwrap();
    assert_eq!(came, b"\x00\x01a"[..]);
    assert!(client.is_closed());
    let mut out = BytesMut::new();
    client.put_answers(|| [0; 4], &mut out);
    assert_eq!(out, b"\x88\x82\0\0\0\0\x03\xe8"[..]);
}

#[test]
fn of_close_codes_those_are_answered_that_may_be_sent() {
    let closed = |payload: &[u8]| {
        let mut client = greeted(Side::Client, "ZWS2.0/NULL");
        let frame = [&[0x88, payload.len() as u8], payload].concat();
        receive(&mut client, &frame).map(|_| client.is_closed())
    };
    assert_eq!(closed(b""), Ok(true));
    for code in 0..=u16::MAX {
        let may_be = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        let expected = if may_be { Ok(true) } else { Err(Broken::Close) };
        assert_eq!(closed(&code.to_be_bytes()), expected, "{code}");
    }
    assert_eq!(closed("\x03\u{0}".as_bytes()), Err(Broken::Close));
    assert_eq!(
        closed(&[b"\x03\xe8", "tschüß".as_bytes()].concat()),
        Ok(true)
    );
}

#[test]
fn without_ready_the_first_messages_are_the_routing_ids() {
    // What this side's socket is, a ROUTER in this case, is in its READY, which nobody is sent.
    let mut properties = Metadata::new();
    properties.add(SOCKET_TYPE, Bytes::from_static(b"ROUTER"));
    properties.add(IDENTITY, Bytes::from_static(b"srv"));
    let (mut list, mut ready) = (BytesMut::new(), BytesMut::new());
    properties.put(&mut list);
    Command::Ready(&list).put(&mut ready);

    let mut server = greeted(Side::Server, "ZWS2.0");
    // The peer may be first.
    let (mut input, mut out) = (
        BytesMut::from(&b"\x82\x84\0\0\0\0\x00abc\x82\x82\0\0\0\0\x00x"[..]),
        BytesMut::new(),
    );
    server.receive(&mut input, &mut out).unwrap();
    assert_eq!(out, b""[..]);
    let mut sent = BytesMut::new();
    assert!(
        server.send(&ready, || KEY, &mut sent),
        "there is something to receive now"
    );
    assert_eq!(sent, b"\x82\x04\x00srv"[..]);
    server.receive(&mut input, &mut out).unwrap();
    let header = Header::parse(&out).expect("a whole READY");
    let (command, rest) = out[header.size..].split_at(header.len as usize);
    let Ok(Command::Ready(list)) = Command::parse(command) else {
        panic!("{command:?}");
    };
    let properties = Metadata::parse(list).unwrap();
    assert_eq!(properties.get(SOCKET_TYPE), Some(&b"REQ"[..]));
    assert_eq!(properties.get(IDENTITY), Some(&b"abc"[..]));
    assert_eq!(rest, b"\x00\x01x");
}

#[test]
fn a_peer_that_agrees_on_ready_and_does_not_say_it_is_understood() {
    let mut client = greeted(Side::Client, "ZWS2.0/NULL");
    client.has_begun = false;
    let mut properties = Metadata::new();
    properties.add(SOCKET_TYPE, Bytes::from_static(b"SUB"));
    let (mut list, mut ready) = (BytesMut::new(), BytesMut::new());
    properties.put(&mut list);
    Command::Ready(&list).put(&mut ready);
    let sent = send(&mut client, &ready);
    assert_eq!(sent[..2], [0x82, 0x80 | (ready.len() - 1) as u8]);
    let came = receive(&mut client, b"\x82\x01\0\x82\x02\0x").unwrap();
    let mut expected = BytesMut::new();
    put_ready(&mut expected, SocketType::Sub, b"");
    expected.put_slice(b"\0\x01x");
    assert_eq!(came, expected);
}

#[test]
fn what_no_peer_may_send_ends_the_connection() {
    let long = [&b"\x82\x7e\x01\x01\x00"[..], &[0; 256]].concat();
    for (name, input, broken) in [
        ("ZWS2.0/NULL", &b"\x81\x02hi"[..], Broken::Text),
        ("ZWS2.0/NULL", b"\x02\x02\x00a", Broken::Fragment),
        ("ZWS2.0/NULL", b"\x80\x01a", Broken::Fragment),
        ("ZWS2.0/NULL", b"\xc2\x02\x00a", Broken::Reserved),
        ("ZWS2.0/NULL", b"\x83\x02\x00a", Broken::Reserved),
        ("ZWS2.0/NULL", b"\x82\x82\0\0\0\0\x00a", Broken::Mask),
        ("ZWS2.0/NULL", b"\x82\x00", Broken::Length),
        ("ZWS2.0/NULL", b"\x82\x7f\x80\0\0\0\0\0\0\0", Broken::Length),
        ("ZWS2.0/NULL", b"\x82\x02\x04a", Broken::Flags),
        ("ZWS2.0/NULL", b"\x82\x02\x03a", Broken::Flags),
        ("ZWS2.0/NULL", b"\x89\x7e\x00\x7e", Broken::Control),
        ("ZWS2.0/NULL", b"\x09\x00", Broken::Control),
        ("ZWS2.0/NULL", b"\x88\x01\x03", Broken::Close),
        ("ZWS2.0/NULL", b"\x88\x02\x03\xed", Broken::Close),
        ("ZWS2.0/NULL", b"\x88\x04\x03\xe8\xff\xfe", Broken::Reason),
        ("ZWS2.0", b"\x82\x02\x02a", Broken::Identity),
        ("ZWS2.0", &long, Broken::Identity),
    ] {
        let mut client = greeted(Side::Client, name);
        assert_eq!(receive(&mut client, input), Err(broken), "{input:?}");
    }
    let mut server = greeted(Side::Server, "ZWS2.0/NULL");
    assert_eq!(receive(&mut server, b"\x82\x02\x00a"), Err(Broken::Mask));
    assert_eq!((Broken::Text.code(), Broken::Mask.code()), (1003, 1002));
}

#[test]
fn a_frame_of_any_announced_size_costs_what_has_come_of_it() {
    let mut client = greeted(Side::Client, "ZWS2.0/NULL");
    let mut out = BytesMut::new();
    let mut input = BytesMut::from(&b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff\x00abc"[..]);
    client.receive(&mut input, &mut out).expect("a large frame");
    assert_eq!(out, b"\x02\x7f\xff\xff\xff\xff\xff\xff\xfeabc"[..]);
    assert!(out.capacity() < 4096);
}
