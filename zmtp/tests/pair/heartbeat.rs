//! PING, PONG and silence.

use super::*;

#[test]
fn heartbeats_keep_a_quiet_connection_and_end_a_dead_one() {
    let heartbeat = Heartbeat::every(SECOND);
    let mut a = Config::new(SocketType::Push);
    a.heartbeat = Some(heartbeat);
    a.handshake_timeout = None;
    let mut pair = Pair::new(a, Config::new(SocketType::Pull));
    pair.exchange().unwrap();
    let mut pings = 0;
    for _ in 0..10 {
        pair.now = pair.a.next_timeout().unwrap();
        pair.a.handle_timeout(pair.now).unwrap();
        pings += usize::from(!pair.a.control().is_empty());
        pair.exchange().unwrap();
    }
    assert_eq!(pings, 10);
    // From now on nothing arrives.
    let mut last = Ok(());
    let start = pair.now;
    while last.is_ok() {
        pair.now = pair.a.next_timeout().unwrap();
        last = pair.a.handle_timeout(pair.now);
    }
    let error = last.unwrap_err();
    assert_eq!(error, Error::Silent(Silence::Heartbeat));
    assert_eq!(pair.now - start, 2 * SECOND);
    assert_eq!(pair.a.handle_timeout(pair.now).unwrap_err(), error);
}

#[test]
fn bytes_of_an_unfinished_frame_are_signs_of_life() {
    let mut config = Config::new(SocketType::Pull);
    config.heartbeat = Some(Heartbeat::every(SECOND));
    let mut pair = Pair::new(Config::new(SocketType::Push), config);
    pair.exchange().unwrap();
    pair.b.feed(b"\x02\0\0\0\0\0\x10\0\0", pair.now).unwrap();
    for _ in 0..20 {
        pair.now += SECOND / 2;
        pair.b.handle_timeout(pair.now).unwrap();
        pair.b.feed(b"some of it", pair.now).unwrap();
    }
}

#[test]
fn the_peers_time_to_live_ends_a_connection_on_which_nothing_comes() {
    let mut pair = Pair::ready(SocketType::Push, SocketType::Pull);
    let start = pair.now;
    pair.b.feed(b"\x04\x07\x04PING\0\x05", pair.now).unwrap();
    assert_eq!(pair.b.next_timeout(), Some(start + SECOND / 2));
    pair.b.feed(b"\x00\x00", pair.now).unwrap();
    assert_eq!(pair.b.next_timeout(), None);
    pair.b.feed(b"\x04\x07\x04PING\0\x05", pair.now).unwrap();
    assert_eq!(
        pair.b.handle_timeout(start + SECOND).unwrap_err(),
        Error::Silent(Silence::TimeToLive)
    );
}

#[test]
fn a_ping_flood_is_answered_in_bounded_memory() {
    let mut pair = Pair::ready(SocketType::Push, SocketType::Pull);
    let flood = b"\x04\x17\x04PING\0\x000123456789abcdef".repeat(10_000);
    pair.b.feed(&flood, pair.now).unwrap();
    assert!(pair.b.control().len() < 2048);
    pair.b.control().clear();
    pair.b.feed(&flood[..25], pair.now).unwrap();
    assert_eq!(&pair.b.control()[..], b"\x04\x15\x04PONG0123456789abcdef");
}
