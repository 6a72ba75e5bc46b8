//! What the handshake refuses: other servers, replays, old cookies, keys that do not belong together.

use super::*;

#[test]
fn a_hello_to_another_server_is_refused() {
    let mut pair = Pair::new();
    pair.server = Server::new(&KeyPair::generate(), &Random::default());
    let hello = pair.client_says();
    violation(pair.server_hears(&hello), Violation::Box);
}

#[test]
fn a_server_without_the_secret_key_is_refused() {
    // Somebody who has seen HELLO, and answers C' in the server's place with a key of their own.
    let mut pair = Pair::new();
    let same = Random::new(|bytes| bytes.fill(1));
    pair.client = Client::new(&pair.client_keys, *pair.server_keys.public(), &same);
    pair.client_says();
    let impostor = KeyPair::generate();
    let mut lured = Client::new(&pair.client_keys, *impostor.public(), &same);
    let mut fake = Server::new(&impostor, &Random::default());
    fake.on_command(&next(&mut lured, pair.now), pair.now)
        .unwrap();
    let welcome = next(&mut fake, pair.now);
    lured.on_command(&welcome, pair.now).unwrap();
    violation(pair.client_hears(&welcome), Violation::Box);
}

#[test]
fn a_replayed_hello_or_initiate_is_refused() {
    let mut pair = Pair::new();
    let hello = pair.client_says();
    pair.server_hears(&hello).unwrap();
    let welcome = pair.server_says();
    pair.client_hears(&welcome).unwrap();
    let initiate = pair.client_says();
    // Both were recorded. On another connection, the server's half is another.
    let mut other = Server::new(&pair.server_keys, &Random::default());
    other.on_command(&hello, pair.now).unwrap();
    next(&mut other, pair.now);
    violation(other.on_command(&initiate, pair.now), Violation::Box);
    // On this one, each comes once.
    violation(
        pair.server_hears(&hello),
        Violation::UnexpectedCommand("HELLO".into()),
    );
    let mut pair = Pair::new();
    let initiate = pair.initiate();
    pair.server_hears(&initiate).unwrap();
    pair.server_says();
    violation(
        pair.server_hears(&initiate),
        Violation::UnexpectedCommand("INITIATE".into()),
    );
}

#[test]
fn a_cookie_expires() {
    let mut pair = Pair::new();
    let initiate = pair.initiate();
    pair.now += Duration::from_secs(60);
    violation(pair.server_hears(&initiate), Violation::Cookie);
    let mut pair = Pair::new();
    let initiate = pair.initiate();
    pair.now += Duration::from_secs(59);
    pair.server_hears(&initiate).unwrap();
}

#[test]
fn a_cookie_is_good_for_one_attempt() {
    let mut pair = Pair::new();
    let initiate = pair.initiate();
    let mut changed = initiate.clone();
    *changed.last_mut().unwrap() ^= 1;
    violation(pair.server_hears(&changed), Violation::Box);
    pair.server_hears(&initiate).unwrap_err();
}

#[test]
fn the_nonce_of_initiate_is_above_hellos() {
    let mut pair = Pair::new();
    let initiate = pair.initiate();
    let mut changed = initiate.clone();
    changed[9 + 96..9 + 96 + 8].copy_from_slice(&1_u64.to_be_bytes());
    violation(pair.server_hears(&changed), Violation::Nonce);
}

/// Makes an INITIATE by somebody who has taken part in the handshake so far, with a vouch of their choice.
fn initiate_with(
    pair: &mut Pair,
    client: PublicKey,
    vouch: impl FnOnce(&PublicKey, &PublicKey) -> Vec<u8>,
) -> Vec<u8> {
    let hello = pair.client_says();
    pair.server_hears(&hello).unwrap();
    let welcome = pair.server_says();
    pair.client_hears(&welcome).unwrap();
    let initiate = pair.client_says();
    let transient = pair.client.transient_keys();
    let key = boxes::shared_key(pair.server_keys.public(), transient.secret()).unwrap();
    let nonce = boxes::nonce(b"WELCOME-", &welcome[8..24]);
    let text = boxes::open(&mut welcome[24..].to_vec(), &nonce, &key)
        .unwrap()
        .to_vec();
    let server_transient = PublicKey::from(*text.first_chunk().unwrap());
    let key = boxes::shared_key(&server_transient, transient.secret()).unwrap();
    let nonce = boxes::nonce(b"CurveZMQINITIATE", &2_u64.to_be_bytes());
    let mut place = vec![0; TAG];
    place.extend_from_slice(client.as_bytes());
    place.extend_from_slice(&[9; 16]);
    place.extend_from_slice(&vouch(transient.public(), &server_transient));
    boxes::seal(&mut place, &nonce, &key);
    [&initiate[..9 + 96 + 8], &place].concat()
}

fn vouch(
    of: &KeyPair,
    transient: &PublicKey,
    server: &PublicKey,
    server_transient: &PublicKey,
) -> Vec<u8> {
    let mut place = vec![0; TAG];
    place.extend_from_slice(transient.as_bytes());
    place.extend_from_slice(server.as_bytes());
    let key = boxes::shared_key(server_transient, of.secret()).unwrap();
    boxes::seal(&mut place, &boxes::nonce(b"VOUCH---", &[9; 16]), &key);
    place
}

#[test]
fn the_vouch_binds_all_keys() {
    // As it should be, to see that the test makes it right.
    let mut pair = Pair::new();
    let (keys, server) = (pair.client_keys.clone(), *pair.server_keys.public());
    let initiate = initiate_with(&mut pair, *keys.public(), |transient, server_transient| {
        vouch(&keys, transient, &server, server_transient)
    });
    pair.server_hears(&initiate).unwrap();

    // A public key without its secret.
    let mut pair = Pair::new();
    let (thief, server) = (KeyPair::generate(), *pair.server_keys.public());
    let stolen = *pair.client_keys.public();
    let initiate = initiate_with(&mut pair, stolen, |transient, server_transient| {
        vouch(&thief, transient, &server, server_transient)
    });
    violation(pair.server_hears(&initiate), Violation::Box);

    // A vouch for another connection.
    let mut pair = Pair::new();
    let (keys, server) = (pair.client_keys.clone(), *pair.server_keys.public());
    let initiate = initiate_with(&mut pair, *keys.public(), |_, server_transient| {
        vouch(
            &keys,
            KeyPair::generate().public(),
            &server,
            server_transient,
        )
    });
    violation(pair.server_hears(&initiate), Violation::KeyExchange);

    // A vouch for another server, which libzmq takes.
    let mut pair = Pair::new();
    let keys = pair.client_keys.clone();
    let initiate = initiate_with(&mut pair, *keys.public(), |transient, server_transient| {
        let other = KeyPair::generate();
        vouch(&keys, transient, other.public(), server_transient)
    });
    violation(pair.server_hears(&initiate), Violation::KeyExchange);
    assert_eq!(pair.server.credentials(), None);
}

#[test]
fn a_client_whose_keys_do_not_belong_together_is_refused() {
    let zero = [0; KEY];
    let other = KeyPair::generate();
    let own = KeyPair::generate();
    for keys in [
        KeyPair::from_keys(*other.public(), own.secret().clone()),
        KeyPair::from_keys(PublicKey::from(zero), own.secret().clone()),
        KeyPair::from_keys(*own.public(), SecretKey::from(zero)),
    ] {
        let mut pair = Pair::new();
        pair.client = Client::new(&keys, *pair.server_keys.public(), &Random::default());
        let hello = pair.client_says();
        pair.server_hears(&hello).unwrap();
        let welcome = pair.server_says();
        pair.client_hears(&welcome).unwrap();
        let initiate = pair.client_says();
        violation(pair.server_hears(&initiate), Violation::Box);
        assert_eq!(pair.server.credentials(), None);
    }
}

#[test]
fn keys_that_keep_no_secret_are_refused() {
    let mut pair = Pair::new();
    let mut hello = pair.client_says();
    hello[80..80 + KEY].fill(0);
    violation(pair.server_hears(&hello), Violation::Box);
    // A client that was configured with one has nothing to say.
    let zero = PublicKey::from([0; KEY]);
    let mut client = Client::new(&KeyPair::generate(), zero, &Random::default());
    let mut out = BytesMut::new();
    client.next_command(&properties(), pair.now, &mut out);
    assert!(out.is_empty());
}
