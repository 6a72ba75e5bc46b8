//! What a peer may use: sizes, and the time for the handshake.

use super::*;

#[test]
fn limits_end_the_connection_before_anything_is_allocated() {
    let mut config = Config::new(SocketType::Pull);
    config.limits.max_frame = 100;
    config.limits.max_message = 150;
    config.limits.max_frames = 3;
    config.limits.max_command = 50;
    let connect = || {
        let mut pair = Pair::new(Config::new(SocketType::Push), config.clone());
        pair.exchange().unwrap();
        pair
    };
    let run = |bytes: &[u8]| connect().b.feed(bytes, Instant::now());
    let frame = |flags: u8, len: u8| [&[flags, len][..], &vec![0; usize::from(len)]].concat();
    run(&frame(0, 100)).unwrap();
    assert_eq!(
        run(&[0, 101]).unwrap_err(),
        LimitExceeded::Frame {
            size: 101,
            max: 100
        }
        .into()
    );
    run(&[frame(1, 100), frame(0, 50)].concat()).unwrap();
    assert_eq!(
        run(&[frame(1, 100), vec![0, 51]].concat()).unwrap_err(),
        LimitExceeded::Message { max: 150 }.into()
    );
    run(&[frame(1, 0), frame(1, 0), frame(0, 0)].concat()).unwrap();
    assert_eq!(
        run(&[frame(1, 0), frame(1, 0), frame(1, 0), vec![0, 0]].concat()).unwrap_err(),
        LimitExceeded::Frames { max: 3 }.into()
    );
    run(&frame(4, 50)).unwrap();
    assert_eq!(
        run(&[4, 51]).unwrap_err(),
        LimitExceeded::Command { size: 51, max: 50 }.into()
    );
    assert_eq!(
        run(&[2, 0x80, 0, 0, 0, 0, 0, 0, 0]).unwrap_err(),
        Violation::FrameSize.into()
    );
    // The sums start anew with every message, also across reads.
    let mut pair = connect();
    for _ in 0..10 {
        for byte in [frame(1, 100), frame(0, 50)].concat() {
            pair.b.feed(&[byte], pair.now).unwrap();
        }
    }
    assert_eq!(pair.b.take_messages().len(), 10);
    // What was complete before the offence can still be had.
    let mut pair = connect();
    pair.b.feed(b"\x00\x01x\x00\xff", pair.now).unwrap_err();
    assert_eq!(pop_all(pair.b.take_messages()), [Message::from("x")]);
}

#[test]
fn handshake_frames_are_limited() {
    let now = Instant::now();
    let mut pull = Connection::new(Config::new(SocketType::Pull), now);
    let mut push = Connection::new(Config::new(SocketType::Push), now);
    push.feed(pull.control(), now).unwrap();
    pull.feed(&push.control()[..11], now).unwrap();
    let greeting = {
        let mut push = Connection::new(Config::new(SocketType::Push), now);
        push.feed(pull.control(), now).unwrap();
        push.control()[11..64].to_vec()
    };
    pull.feed(&greeting, now).unwrap();
    let error = pull.feed(b"\x06\0\0\0\0\0\x01\0\x01", now).unwrap_err();
    assert_eq!(
        error,
        LimitExceeded::Handshake {
            size: 65_537,
            max: 65_536
        }
        .into()
    );
}

#[test]
fn the_handshake_may_take_as_long_as_configured() {
    let now = Instant::now();
    let mut config = Config::new(SocketType::Pull);
    config.handshake_timeout = Some(SECOND);
    let mut pull = Connection::new(config, now);
    assert_eq!(pull.next_timeout(), Some(now + SECOND));
    // Dripping does not help.
    pull.feed(b"\xff\0\0", now + SECOND / 2).unwrap();
    assert_eq!(
        pull.handle_timeout(now + SECOND).unwrap_err(),
        Error::Silent(Silence::Handshake)
    );
    let pair = Pair::ready(SocketType::Push, SocketType::Pull);
    assert_eq!(pair.a.next_timeout(), None);
}
