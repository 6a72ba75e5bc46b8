//! The server's side of CURVE's handshake.
//!
//! Between WELCOME and INITIATE all that it knows of the client is in the cookie, which only the key made for this
//! one handshake opens: it is of no use on another connection, nor a minute later.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::boxes::{self, Key, TAG};
use super::client::split_key;
use super::keys::{KEY, KeyPair, PublicKey, SecretKey};
use super::{Role, Traffic, counter, list, put_boxed};
use crate::error::{Error, Violation};
use crate::mechanism::credentials::Credentials;
use crate::mechanism::handshake::{Mechanism, Progress, expect};
use crate::random::Random;
use crate::wire::metadata::Metadata;

/// Bounds how long a cookie is good.
const COOKIE_LIFE: Duration = Duration::from_secs(60);
/// Counts the octets of a cookie: nonce, and the box of C' and s'.
const COOKIE: usize = 16 + TAG + 2 * KEY;
/// Counts the octets of HELLO behind its name: version, padding, C', counter, box.
const HELLO: usize = 2 + 72 + KEY + 8 + TAG + 64;

#[derive(Debug)]
pub(in crate::mechanism) struct Server {
    keys: KeyPair,
    random: Random,
    /// The client's counters may leave numbers out.
    gaps: bool,
    step: Step,
    /// C, until somebody has asked.
    client: Option<PublicKey>,
}

enum Step {
    /// HELLO is awaited.
    Start,
    /// WELCOME is to be sent, to C'.
    Greeted {
        client_transient: PublicKey,
        counter: u64,
    },
    /// INITIATE is awaited.
    Welcomed {
        cookie_key: Key,
        good_until: Option<Instant>,
        counter: u64,
    },
    /// READY is to be sent.
    Initiated(Traffic),
    Over(Traffic),
}

impl Server {
    pub(in crate::mechanism) fn new(keys: &KeyPair, random: &Random) -> Self {
        Self {
            keys: keys.clone(),
            random: random.clone(),
            gaps: false,
            step: Step::Start,
            client: None,
        }
    }

    /// Says whether the client's counters may leave numbers out between messages.
    pub(in crate::mechanism) fn with_gaps(self, gaps: bool) -> Self {
        Self { gaps, ..self }
    }

    fn on_hello(&mut self, data: &[u8]) -> Result<(), Error> {
        let malformed = Violation::Malformed("HELLO");
        if data.len() != HELLO || !data.starts_with(&[1, 0]) {
            return Err(malformed.into());
        }
        let (client_transient, rest) = split_key(&data[2 + 72..], "HELLO")?;
        let (tail, place) = rest.split_at(8);
        let mut place = place.to_vec();
        let key = boxes::shared_key(&client_transient, self.keys.secret())?;
        let text = boxes::open(&mut place, &boxes::nonce(b"CurveZMQHELLO---", tail), &key)?;
        if text != [0; 64] {
            return Err(malformed.into());
        }
        self.step = Step::Greeted {
            client_transient,
            counter: counter(tail),
        };
        Ok(())
    }

    /// Appends WELCOME, and returns the key of the cookie.
    fn put_welcome(&self, client_transient: &PublicKey, out: &mut BytesMut) -> Result<Key, Error> {
        let transient = KeyPair::random(&self.random);
        let cookie_key: Key = self.random.bytes();
        let cookie_tail = self.random.bytes::<16>();
        let mut text = Zeroizing::new([0; KEY + COOKIE]);
        let (own, cookie) = text.split_at_mut(KEY);
        own.copy_from_slice(transient.public().as_bytes());
        let (tail, place) = cookie.split_at_mut(16);
        tail.copy_from_slice(&cookie_tail[..]);
        place[TAG..][..KEY].copy_from_slice(client_transient.as_bytes());
        place[TAG + KEY..].copy_from_slice(transient.secret().as_bytes());
        boxes::seal(place, &boxes::nonce(b"COOKIE--", tail), &cookie_key);

        let tail = self.random.bytes::<16>();
        let nonce = boxes::nonce(b"WELCOME-", &tail[..]);
        let key = boxes::shared_key(client_transient, self.keys.secret())?;
        put_boxed(out, b"WELCOME", &tail[..], &text[..], &nonce, &key);
        Ok(cookie_key)
    }

    fn on_initiate(
        &mut self,
        data: &[u8],
        cookie_key: &Key,
        hello_counter: u64,
    ) -> Result<(Traffic, Metadata), Error> {
        let malformed = Violation::Malformed("INITIATE");
        if data.len() < COOKIE + 8 + TAG + KEY + 16 + TAG + 2 * KEY {
            return Err(malformed.into());
        }
        let (cookie, rest) = data.split_at(COOKIE);
        let (tail, place) = rest.split_at(8);
        let (client_transient, secret) = open_cookie(cookie, cookie_key)?;
        let counter = counter(tail);
        if counter <= hello_counter {
            return Err(Violation::Nonce.into());
        }
        let key = boxes::shared_key(&client_transient, &secret)?;
        let mut place = Zeroizing::new(place.to_vec());
        let text = boxes::open(&mut place, &boxes::nonce(b"CurveZMQINITIATE", tail), &key)?;

        let (client, rest) = split_key(text, "INITIATE")?;
        let (vouch_tail, rest) = rest.split_at(16);
        let (vouch, properties) = rest.split_at(TAG + 2 * KEY);
        let mut vouch = vouch.to_vec();
        let vouching = boxes::shared_key(&client, &secret)?;
        let vouched = boxes::open(
            &mut vouch,
            &boxes::nonce(b"VOUCH---", vouch_tail),
            &vouching,
        )?;
        // Without the second half, a server could pass on what a client has vouched for to it.
        let for_this_connection = vouched[..KEY].ct_eq(client_transient.as_bytes());
        let for_this_server = vouched[KEY..].ct_eq(self.keys.public().as_bytes());
        if !bool::from(for_this_connection & for_this_server) {
            return Err(Violation::KeyExchange.into());
        }
        let properties = Metadata::parse(properties)?;
        self.client = Some(client);
        let traffic = Traffic::new(Role::Server, key, 0, counter, self.gaps);
        Ok((traffic, properties))
    }
}

/// Opens a cookie: C' and s'.
fn open_cookie(cookie: &[u8], key: &Key) -> Result<(PublicKey, SecretKey), Error> {
    let (tail, place) = cookie.split_at(16);
    let mut place = Zeroizing::new(place.to_vec());
    let text = boxes::open(&mut place, &boxes::nonce(b"COOKIE--", tail), key)?;
    let (client_transient, rest) = split_key(text, "INITIATE")?;
    let secret: [u8; KEY] = *rest.first_chunk().ok_or(Violation::Malformed("INITIATE"))?;
    Ok((client_transient, secret.into()))
}

impl Mechanism for Server {
    fn next_command(&mut self, properties: &Metadata, now: Instant, out: &mut BytesMut) {
        match std::mem::replace(&mut self.step, Step::Start) {
            Step::Greeted {
                client_transient,
                counter,
            } => {
                // The same key opened HELLO, so it is none that can't keep a secret.
                if let Ok(cookie_key) = self.put_welcome(&client_transient, out) {
                    self.step = Step::Welcomed {
                        cookie_key,
                        good_until: now.checked_add(COOKIE_LIFE),
                        counter,
                    };
                }
            }
            Step::Initiated(mut traffic) => {
                traffic.sent_counter += 1;
                let tail = traffic.sent_counter.to_be_bytes();
                let nonce = boxes::nonce(b"CurveZMQREADY---", &tail);
                put_boxed(
                    out,
                    b"READY",
                    &tail,
                    &list(properties),
                    &nonce,
                    &traffic.key,
                );
                self.step = Step::Over(traffic);
            }
            step => self.step = step,
        }
    }

    fn on_command(&mut self, body: &[u8], now: Instant) -> Result<Progress, Error> {
        // Whatever becomes of INITIATE: its cookie is used up.
        match std::mem::replace(&mut self.step, Step::Start) {
            Step::Welcomed {
                cookie_key,
                good_until,
                counter,
            } => {
                let data = expect(b"INITIATE", body)?;
                if good_until.is_some_and(|end| end <= now) {
                    return Err(Violation::Cookie.into());
                }
                let (traffic, properties) = self.on_initiate(data, &cookie_key, counter)?;
                self.step = Step::Initiated(traffic);
                Ok(Progress::Done(properties))
            }
            _ => {
                self.on_hello(expect(b"HELLO", body)?)?;
                Ok(Progress::Waiting)
            }
        }
    }

    fn credentials(&mut self) -> Option<Credentials> {
        self.client.take().map(Credentials::Curve)
    }

    fn encrypts(&self) -> bool {
        true
    }

    fn seal(&mut self, flags: u8, payload: &[u8], out: &mut BytesMut) {
        if let Step::Over(traffic) = &mut self.step {
            traffic.seal(flags, payload, out);
        }
    }

    fn open(&mut self, body: &mut [u8]) -> Result<(u8, usize), Error> {
        match &mut self.step {
            Step::Over(traffic) => traffic.open(body),
            _ => Err(Violation::Unsealed.into()),
        }
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("Start"),
            Self::Greeted { .. } => f.write_str("Greeted"),
            Self::Welcomed { .. } => f.write_str("Welcomed"),
            Self::Initiated(traffic) => f.debug_tuple("Initiated").field(traffic).finish(),
            Self::Over(traffic) => f.debug_tuple("Over").field(traffic).finish(),
        }
    }
}
