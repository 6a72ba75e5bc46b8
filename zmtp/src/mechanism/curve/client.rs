//! The client's side of CURVE's handshake.

use std::fmt;
use std::time::Instant;

use bytes::BytesMut;
use zeroize::Zeroizing;

use super::boxes::{self, TAG};
use super::keys::{KEY, KeyPair, PublicKey};
use super::{Role, Traffic, counter, list, put_boxed};
use crate::error::{Error, Violation};
use crate::mechanism::handshake::{Mechanism, Progress, expect};
use crate::random::Random;
use crate::wire::metadata::Metadata;

/// Counts the octets of a cookie, which the client gives back as it is.
const COOKIE: usize = 96;

#[derive(Debug)]
pub(in crate::mechanism) struct Client {
    keys: KeyPair,
    server: PublicKey,
    random: Random,
    /// C' and c'.
    transient: KeyPair,
    /// The server's counters may leave numbers out.
    gaps: bool,
    step: Step,
}

enum Step {
    /// HELLO is to be sent.
    Start,
    /// WELCOME is awaited.
    Welcome,
    /// INITIATE is to be sent.
    Welcomed {
        server_transient: PublicKey,
        cookie: [u8; COOKIE],
    },
    /// READY is awaited. Messages may follow.
    Ready(Traffic),
    Over(Traffic),
}

impl Client {
    pub(in crate::mechanism) fn new(keys: &KeyPair, server: PublicKey, random: &Random) -> Self {
        Self {
            keys: keys.clone(),
            server,
            random: random.clone(),
            transient: KeyPair::random(random),
            gaps: false,
            step: Step::Start,
        }
    }

    /// Says whether the server's counters may leave numbers out between messages.
    pub(in crate::mechanism) fn with_gaps(self, gaps: bool) -> Self {
        Self { gaps, ..self }
    }

    #[cfg(test)]
    pub(super) fn transient_keys(&self) -> KeyPair {
        self.transient.clone()
    }

    fn put_hello(&self, out: &mut BytesMut) -> Result<(), Error> {
        let key = boxes::shared_key(&self.server, self.transient.secret())?;
        let mut clear = [0; 2 + 72 + KEY + 8];
        clear[0] = 1;
        clear[2 + 72..][..KEY].copy_from_slice(self.transient.public().as_bytes());
        clear[2 + 72 + KEY + 7] = 1;
        let nonce = boxes::nonce(b"CurveZMQHELLO---", &clear[2 + 72 + KEY..]);
        put_boxed(out, b"HELLO", &clear, &[0; 64], &nonce, &key);
        Ok(())
    }

    /// Appends INITIATE, and returns the key of the connection.
    fn put_initiate(
        &self,
        server_transient: &PublicKey,
        cookie: &[u8; COOKIE],
        properties: &Metadata,
        out: &mut BytesMut,
    ) -> Result<Traffic, Error> {
        // C proves itself to this server and this connection, and to nobody else.
        let tail = self.random.bytes::<16>();
        let mut vouch = [0; TAG + 2 * KEY];
        vouch[TAG..][..KEY].copy_from_slice(self.transient.public().as_bytes());
        vouch[TAG + KEY..].copy_from_slice(self.server.as_bytes());
        let vouching = boxes::shared_key(server_transient, self.keys.secret())?;
        boxes::seal(&mut vouch, &boxes::nonce(b"VOUCH---", &tail[..]), &vouching);

        let key = boxes::shared_key(server_transient, self.transient.secret())?;
        let text = [
            self.keys.public().as_bytes(),
            &tail[..],
            &vouch,
            &list(properties),
        ]
        .concat();
        let mut clear = [0; COOKIE + 8];
        clear[..COOKIE].copy_from_slice(cookie);
        clear[COOKIE + 7] = 2;
        let nonce = boxes::nonce(b"CurveZMQINITIATE", &clear[COOKIE..]);
        put_boxed(out, b"INITIATE", &clear, &text, &nonce, &key);
        Ok(Traffic::new(Role::Client, key, 2, 0, self.gaps))
    }

    fn on_welcome(&mut self, data: &[u8]) -> Result<Progress, Error> {
        let Some((tail, place)) = data.split_first_chunk::<16>() else {
            return Err(Violation::Malformed("WELCOME").into());
        };
        if place.len() != TAG + KEY + COOKIE {
            return Err(Violation::Malformed("WELCOME").into());
        }
        let mut place = place.to_vec();
        let key = boxes::shared_key(&self.server, self.transient.secret())?;
        let text = boxes::open(&mut place, &boxes::nonce(b"WELCOME-", tail), &key)?;
        let (server_transient, rest) = split_key(text, "WELCOME")?;
        let cookie = rest
            .first_chunk::<COOKIE>()
            .ok_or(Violation::Malformed("WELCOME"))?;
        // A key that makes no secret is found here, where it can still be an error.
        boxes::shared_key(&server_transient, self.transient.secret())?;
        self.step = Step::Welcomed {
            server_transient,
            cookie: *cookie,
        };
        Ok(Progress::Waiting)
    }
}

fn on_ready(traffic: &mut Traffic, data: &[u8]) -> Result<Progress, Error> {
    let Some((tail, place)) = data.split_first_chunk::<8>() else {
        return Err(Violation::Malformed("READY").into());
    };
    if place.len() < TAG {
        return Err(Violation::Malformed("READY").into());
    }
    let mut place = Zeroizing::new(place.to_vec());
    let nonce = boxes::nonce(b"CurveZMQREADY---", tail);
    let properties = Metadata::parse(boxes::open(&mut place, &nonce, &traffic.key)?)?;
    traffic.received_counter = counter(tail);
    Ok(Progress::Done(properties))
}

/// Returns a key at the start of what a box held, and what follows it.
pub(super) fn split_key<'a>(
    text: &'a [u8],
    command: &'static str,
) -> Result<(PublicKey, &'a [u8]), Error> {
    let (key, rest) = text
        .split_first_chunk::<KEY>()
        .ok_or(Violation::Malformed(command))?;
    Ok(((*key).into(), rest))
}

impl Mechanism for Client {
    fn next_command(&mut self, properties: &Metadata, _: Instant, out: &mut BytesMut) {
        match &self.step {
            // Without HELLO the handshake times out: the configured key is one that can't keep a secret.
            Step::Start => {
                if self.put_hello(out).is_ok() {
                    self.step = Step::Welcome;
                }
            }
            Step::Welcomed {
                server_transient,
                cookie,
            } => {
                if let Ok(traffic) = self.put_initiate(server_transient, cookie, properties, out) {
                    self.step = Step::Ready(traffic);
                }
            }
            Step::Welcome | Step::Ready(_) | Step::Over(_) => {}
        }
    }

    fn on_command(&mut self, body: &[u8], _: Instant) -> Result<Progress, Error> {
        match std::mem::replace(&mut self.step, Step::Start) {
            Step::Ready(mut traffic) => {
                let progress = on_ready(&mut traffic, expect(b"READY", body)?)?;
                self.step = Step::Over(traffic);
                Ok(progress)
            }
            step => {
                self.step = step;
                self.on_welcome(expect(b"WELCOME", body)?)
            }
        }
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
            Self::Welcome => f.write_str("Welcome"),
            Self::Welcomed { .. } => f.write_str("Welcomed"),
            Self::Ready(traffic) => f.debug_tuple("Ready").field(traffic).finish(),
            Self::Over(traffic) => f.debug_tuple("Over").field(traffic).finish(),
        }
    }
}
