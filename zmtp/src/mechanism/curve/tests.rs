//! RFC 26, rule by rule, with the attacker's means: the mechanism itself, and its boxes under any keys.

mod handshake;

use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use proptest::prelude::*;

use super::boxes::{self, TAG};
use super::keys::KEY;
use super::{Client, HEAD, KeyPair, PublicKey, SecretKey, Server};
use crate::error::{Error, Violation};
use crate::mechanism::{Credentials, Mechanism, Progress};
use crate::random::Random;
use crate::wire::frame::{COMMAND, Header, MORE};
use crate::wire::metadata::Metadata;

struct Pair {
    client: Client,
    server: Server,
    server_keys: KeyPair,
    client_keys: KeyPair,
    now: Instant,
}

impl Pair {
    fn new() -> Self {
        let (server_keys, client_keys) = (KeyPair::generate(), KeyPair::generate());
        let random = Random::default();
        Self {
            client: Client::new(&client_keys, *server_keys.public(), &random),
            server: Server::new(&server_keys, &random),
            server_keys,
            client_keys,
            now: Instant::now(),
        }
    }

    /// Returns the body of what the client says next.
    fn client_says(&mut self) -> Vec<u8> {
        next(&mut self.client, self.now)
    }

    fn server_says(&mut self) -> Vec<u8> {
        next(&mut self.server, self.now)
    }

    fn server_hears(&mut self, body: &[u8]) -> Result<Progress, Error> {
        self.server.on_command(body, self.now)
    }

    fn client_hears(&mut self, body: &[u8]) -> Result<Progress, Error> {
        self.client.on_command(body, self.now)
    }

    /// Returns INITIATE, after HELLO and WELCOME.
    fn initiate(&mut self) -> Vec<u8> {
        let hello = self.client_says();
        assert_eq!(self.server_hears(&hello), Ok(Progress::Waiting));
        let welcome = self.server_says();
        assert_eq!(self.client_hears(&welcome), Ok(Progress::Waiting));
        self.client_says()
    }

    fn shake_hands(&mut self) {
        let initiate = self.initiate();
        assert_eq!(
            self.server_hears(&initiate),
            Ok(Progress::Done(properties()))
        );
        let ready = self.server_says();
        assert_eq!(self.client_hears(&ready), Ok(Progress::Done(properties())));
    }

    fn ready() -> Self {
        let mut pair = Self::new();
        pair.shake_hands();
        pair
    }
}

fn properties() -> Metadata {
    let mut properties = Metadata::new();
    properties.push("Socket-Type", "PAIR").unwrap();
    properties
}

fn next(mechanism: &mut dyn Mechanism, now: Instant) -> Vec<u8> {
    let mut out = BytesMut::new();
    mechanism.next_command(&properties(), now, &mut out);
    let header = Header::parse(&out).expect("nothing to say");
    assert!(header.command());
    assert_eq!(header.size + header.len as usize, out.len());
    out.advance(header.size);
    out.to_vec()
}

/// Returns the body of a frame with this in it.
fn seal(mechanism: &mut dyn Mechanism, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    mechanism.seal(flags, payload, &mut out);
    let header = Header::parse(&out).unwrap();
    assert_eq!(
        header.flags & (MORE | COMMAND),
        0,
        "all flags are in the box"
    );
    assert_eq!(header.size + header.len as usize, out.len());
    out.advance(header.size);
    out.to_vec()
}

fn open(mechanism: &mut dyn Mechanism, body: &[u8]) -> Result<(u8, Vec<u8>), Error> {
    let mut body = body.to_vec();
    let (flags, from) = mechanism.open(&mut body)?;
    Ok((flags, body.split_off(from)))
}

fn violation<T: std::fmt::Debug + PartialEq>(result: Result<T, Error>, expected: Violation) {
    assert_eq!(result, Err(Error::Violation(expected)));
}

#[test]
fn frames_pass_in_both_directions_with_their_flags() {
    let mut pair = Pair::ready();
    let long = vec![7; 100_000];
    for (flags, payload) in [
        (0, &b"hello"[..]),
        (MORE, b""),
        (COMMAND, b"\x04PING\0\0"),
        (0, &long),
    ] {
        let sealed = seal(&mut pair.client, flags, payload);
        assert!(!sealed.windows(5).any(|window| window == b"hello"));
        let opened = open(&mut pair.server, &sealed);
        assert_eq!(opened, Ok((flags, payload.to_vec())));
        let sealed = seal(&mut pair.server, flags, payload);
        let opened = open(&mut pair.client, &sealed);
        assert_eq!(opened, Ok((flags, payload.to_vec())));
    }
}

#[test]
fn the_server_learns_the_clients_proven_key_before_it_says_ready() {
    let mut pair = Pair::new();
    assert_eq!(pair.server.credentials(), None);
    let initiate = pair.initiate();
    assert_eq!(pair.server.credentials(), None);
    pair.server_hears(&initiate).unwrap();
    let key = *pair.client_keys.public();
    assert_eq!(pair.server.credentials(), Some(Credentials::Curve(key)));
    assert_eq!(pair.server.credentials(), None, "said once");
}

#[test]
fn each_connection_has_keys_of_its_own() {
    let mut pair = Pair::new();
    let hello = pair.client_says();
    pair.client = Client::new(
        &pair.client_keys,
        *pair.server_keys.public(),
        &Random::default(),
    );
    let other = pair.client_says();
    let transient = 6 + 2 + 72..6 + 2 + 72 + KEY;
    assert_ne!(hello[transient.clone()], other[transient]);
}

#[test]
fn welcome_is_not_longer_than_hello() {
    // So nobody can make the server flood a third party that HELLO pretends to come from.
    let mut pair = Pair::new();
    let hello = pair.client_says();
    pair.server_hears(&hello).unwrap();
    assert!(pair.server_says().len() <= hello.len());
}

#[test]
fn a_nonce_never_repeats_and_never_goes_back() {
    let mut pair = Pair::ready();
    for (mechanism, first) in [
        (&mut pair.client as &mut dyn Mechanism, 3_u64),
        (&mut pair.server, 2),
    ] {
        for expected in first..first + 1000 {
            let sealed = seal(mechanism, 0, b"");
            assert_eq!(sealed[8..HEAD], expected.to_be_bytes());
        }
    }
}

#[test]
fn messages_that_come_twice_or_out_of_order_are_refused() {
    let mut pair = Pair::ready();
    let first = seal(&mut pair.client, 0, b"first");
    let second = seal(&mut pair.client, 0, b"second");
    let third = seal(&mut pair.client, 0, b"third");
    open(&mut pair.server, &first).unwrap();
    violation(open(&mut pair.server, &first), Violation::Nonce);
    violation(open(&mut pair.server, &third), Violation::Gap);
    open(&mut pair.server, &second).unwrap();
    open(&mut pair.server, &third).unwrap();
    violation(open(&mut pair.server, &second), Violation::Nonce);
}

/// Both sides, commands too, and the first frame after the handshake.
#[test]
fn what_was_left_out_is_noticed() {
    for left_out in 0..3 {
        for from_client in [true, false] {
            let mut pair = Pair::ready();
            let (from, to): (&mut dyn Mechanism, &mut dyn Mechanism) = match from_client {
                true => (&mut pair.client, &mut pair.server),
                false => (&mut pair.server, &mut pair.client),
            };
            let mut frames = [
                seal(from, 0, b"a message"),
                seal(from, COMMAND, b"\x04PING\0\0"),
                seal(from, MORE, b"of two frames"),
                seal(from, 0, b"the last"),
            ]
            .to_vec();
            frames.remove(left_out);
            for frame in &frames[..left_out] {
                open(to, frame).unwrap();
            }
            violation(open(to, &frames[left_out]), Violation::Gap);
        }
    }
}

#[test]
fn gaps_that_are_allowed_are_between_messages_only() {
    for (left_out, noticed) in [(0, false), (1, false), (2, false), (3, true), (4, true)] {
        for from_client in [true, false] {
            let mut pair = Pair::new();
            pair.client = pair.client.with_gaps(true);
            pair.server = pair.server.with_gaps(true);
            pair.shake_hands();
            let (from, to): (&mut dyn Mechanism, &mut dyn Mechanism) = match from_client {
                true => (&mut pair.client, &mut pair.server),
                false => (&mut pair.server, &mut pair.client),
            };
            let mut frames = [
                seal(from, 0, b"a message"),
                seal(from, COMMAND, b"\x04PING\0\0"),
                seal(from, MORE, b"pay"),
                // A heartbeat may come between two frames, and ends no message.
                seal(from, COMMAND, b"\x04PING\0\0"),
                seal(from, 0, b"alice"),
                seal(from, 0, b"another message"),
            ]
            .to_vec();
            frames.remove(left_out);
            for frame in &frames[..left_out] {
                open(to, frame).unwrap();
            }
            let next = open(to, &frames[left_out]);
            match noticed {
                true => violation(next, Violation::Gap),
                false => drop(next.unwrap()),
            }
        }
    }
}

#[test]
fn no_counter_comes_after_the_last() {
    let mut pair = Pair::ready();
    let mut sealed = seal(&mut pair.client, 0, b"x");
    for counter in [0, u64::MAX] {
        sealed[8..HEAD].copy_from_slice(&counter.to_be_bytes());
        open(&mut pair.server, &sealed).unwrap_err();
    }
}

#[test]
fn the_receive_nonce_moves_only_after_the_tag_was_checked() {
    let mut pair = Pair::ready();
    let honest = seal(&mut pair.client, 0, b"honest");
    let mut forged = honest.clone();
    forged[HEAD] ^= 1;
    violation(open(&mut pair.server, &forged), Violation::Box);
    forged[8..HEAD].copy_from_slice(&u64::MAX.to_be_bytes());
    violation(open(&mut pair.server, &forged), Violation::Gap);
    assert_eq!(open(&mut pair.server, &honest), Ok((0, b"honest".to_vec())));
}

#[test]
fn the_handshakes_nonces_count_for_traffic() {
    // A MESSAGE must be above INITIATE's 2, and the server's above READY's 1.
    let mut pair = Pair::ready();
    let sealed = seal(&mut pair.client, 0, b"x");
    for low in [0_u64, 1, 2] {
        let mut low_one = sealed.clone();
        low_one[8..HEAD].copy_from_slice(&low.to_be_bytes());
        violation(open(&mut pair.server, &low_one), Violation::Nonce);
    }
    let mut sealed = seal(&mut pair.server, 0, b"x");
    sealed[8..HEAD].copy_from_slice(&1_u64.to_be_bytes());
    violation(open(&mut pair.client, &sealed), Violation::Nonce);
}

#[test]
fn a_peers_own_messages_can_not_be_sent_back_to_it() {
    let mut pair = Pair::ready();
    let from_client = seal(&mut pair.client, 0, b"mirror");
    violation(open(&mut pair.client, &from_client), Violation::Gap);
    // Nor when its counter is the one that is waited for.
    let first = seal(&mut pair.server, 0, b"whose counter is INITIATE's");
    open(&mut pair.client, &first).unwrap();
    violation(open(&mut pair.client, &from_client), Violation::Box);
    let from_server = seal(&mut pair.server, 0, b"mirror");
    violation(open(&mut pair.server, &from_server), Violation::Box);
}

#[test]
fn messages_of_another_connection_are_refused() {
    let (mut one, mut other) = (Pair::ready(), Pair::ready());
    let sealed = seal(&mut one.client, 0, b"x");
    violation(open(&mut other.server, &sealed), Violation::Box);
}

#[test]
fn frames_in_the_clear_are_refused_after_the_handshake() {
    let mut pair = Pair::ready();
    for clear in [&b""[..], b"hello", b"\x04PING\0\0", b"\x05READY", &[0; 100]] {
        violation(open(&mut pair.server, clear), Violation::Unsealed);
        violation(open(&mut pair.client, clear), Violation::Unsealed);
    }
}

#[test]
fn nothing_is_opened_before_the_handshake_is_over() {
    let mut pair = Pair::new();
    let initiate = pair.initiate();
    violation(open(&mut pair.server, &initiate), Violation::Unsealed);
    violation(open(&mut pair.client, b"\x07MESSAGE"), Violation::Unsealed);
}

#[test]
fn every_changed_bit_of_a_message_is_noticed() {
    let mut pair = Pair::ready();
    let sealed = seal(&mut pair.client, MORE, b"payload");
    for at in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[at / 8] ^= 1 << (at % 8);
        open(&mut pair.server, &changed).unwrap_err();
    }
    for len in 0..sealed.len() {
        open(&mut pair.server, &sealed[..len]).unwrap_err();
    }
    open(&mut pair.server, &sealed).unwrap();
}

#[test]
fn every_changed_byte_of_the_handshake_is_noticed() {
    let mut pair = Pair::new();
    let hello = pair.client_says();
    // The padding may hold anything.
    for at in (0..8).chain(80..hello.len()) {
        let mut changed = hello.clone();
        changed[at] ^= 1;
        Server::new(&pair.server_keys, &Random::default())
            .on_command(&changed, pair.now)
            .unwrap_err();
    }
    pair.server_hears(&hello).unwrap();
    let welcome = pair.server_says();
    for at in 0..welcome.len() {
        let mut changed = welcome.clone();
        changed[at] ^= 1;
        pair.client_hears(&changed).unwrap_err();
    }
    pair.client_hears(&welcome).unwrap();
}

#[test]
fn debug_shows_no_key() {
    let pair = Pair::ready();
    let shown = format!("{:?} {:?}", pair.client, pair.server);
    for keys in [&pair.client_keys, &pair.server_keys] {
        assert!(!shown.contains(&keys.secret().to_z85()[..]));
    }
    assert!(shown.contains("SecretKey(..)"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_bytes_make_a_mechanism_panic(
        commands in proptest::collection::vec(
            (0_usize..6, proptest::collection::vec(any::<u8>(), 0..400)), 1..4
        ),
    ) {
        let names = [&b"\x05HELLO\x01\0"[..], b"\x07WELCOME", b"\x08INITIATE", b"\x05READY", b"\x07MESSAGE", b""];
        let mut pair = Pair::new();
        let mut ready = Pair::ready();
        let mut initiated = Pair::new();
        initiated.initiate();
        for (name, data) in commands {
            let body = [names[name], &data].concat();
            for pair in [&mut pair, &mut ready, &mut initiated] {
                let _ = pair.server_hears(&body);
                let _ = pair.client_hears(&body);
                let _ = open(&mut pair.server, &body);
                let _ = open(&mut pair.client, &body);
            }
        }
    }

    #[test]
    fn boxes_are_those_of_another_library(
        key in any::<[u8; 32]>(),
        nonce in any::<[u8; 24]>(),
        text in proptest::collection::vec(any::<u8>(), 0..2000),
    ) {
        use crypto_secretbox::aead::{Aead, KeyInit};
        let other = crypto_secretbox::XSalsa20Poly1305::new(&key.into());
        let expected = other.encrypt(&nonce.into(), &text[..]).unwrap();
        let mut place = [&[0; TAG][..], &text].concat();
        let key = zeroize::Zeroizing::new(key);
        boxes::seal(&mut place, &nonce, &key);
        prop_assert_eq!(&place, &expected);
        prop_assert_eq!(boxes::open(&mut place, &nonce, &key).unwrap(), &text[..]);
    }

    // What a direction keeps from one message to the next changes no box, on either side of the length
    // that divides its two ways; and a box that was changed stays as it is.
    #[test]
    fn a_directions_boxes_are_those_of_another_library(
        key in any::<[u8; 32]>(),
        prefix in any::<[u8; 16]>(),
        tails in proptest::collection::vec(any::<[u8; 8]>(), 1..4),
        text in proptest::collection::vec(any::<u8>(), 0..200),
        changed in any::<proptest::sample::Index>(),
    ) {
        use crypto_secretbox::aead::{Aead, KeyInit};
        let other = crypto_secretbox::XSalsa20Poly1305::new(&key.into());
        let key = zeroize::Zeroizing::new(key);
        let (mut one, mut two) = (boxes::Direction::new(&prefix, &key), boxes::Direction::new(&prefix, &key));
        for tail in tails {
            let nonce = boxes::nonce(&prefix, &tail);
            let expected = other.encrypt(&nonce.into(), &text[..]).unwrap();
            let mut place = [&[0; TAG][..], &text].concat();
            one.seal(&mut place, &tail, &key);
            prop_assert_eq!(&place, &expected);
            let octet = changed.index(place.len());
            place[octet] ^= 1;
            let before = place.clone();
            prop_assert!(two.open(&mut place, &tail, &key).is_err());
            prop_assert_eq!(&place, &before);
            place[octet] ^= 1;
            prop_assert_eq!(two.open(&mut place, &tail, &key).unwrap(), &text[..]);
        }
    }

    #[test]
    fn shared_keys_are_those_of_another_library(one in any::<[u8; 32]>(), two in any::<[u8; 32]>()) {
        let (ours, theirs) = (KeyPair::from(SecretKey::from(one)), x25519_dalek::StaticSecret::from(two));
        let their_public = x25519_dalek::PublicKey::from(&theirs);
        let shared = boxes::shared_key(&their_public.to_bytes().into(), ours.secret()).unwrap();
        let raw = theirs.diffie_hellman(&(*ours.public().as_bytes()).into());
        // crypto_box hashes what X25519 gives.
        let mut hashed = [0; 32];
        dryoc::classic::crypto_core::crypto_core_hsalsa20(&mut hashed, &[0; 16], raw.as_bytes(), None);
        prop_assert_eq!(&shared[..], &hashed[..]);
    }
}
