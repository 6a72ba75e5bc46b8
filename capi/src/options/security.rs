//! The options of security: libzmq has one for each secret, and the last that is set chooses the mechanism.

use std::ffi::c_int;

use purezmq::security::{KeyPair, PublicKey, SecretKey, Security, z85};

use crate::errno::{EINVAL, Errno, Result, fail};

const MECHANISM: c_int = 43;
const PLAIN_SERVER: c_int = 44;
const PLAIN_USERNAME: c_int = 45;
const PLAIN_PASSWORD: c_int = 46;
const CURVE_SERVER: c_int = 47;
const CURVE_PUBLICKEY: c_int = 48;
const CURVE_SECRETKEY: c_int = 49;
const CURVE_SERVERKEY: c_int = 50;

/// Bytes of a key.
const KEY: usize = 32;
/// Those of its text, and of that with a zero.
const TEXT: usize = 40;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mechanism {
    #[default]
    Null,
    Plain,
    Curve,
}

/// What has been set.
#[derive(Clone, Debug, Default)]
pub(super) struct Secrets {
    mechanism: Mechanism,
    is_server: bool,
    username: Vec<u8>,
    password: Vec<u8>,
    public: [u8; KEY],
    secret: [u8; KEY],
    server: [u8; KEY],
}

impl Secrets {
    pub(super) fn set(&mut self, option: c_int, value: Option<&[u8]>) -> Result<()> {
        match option {
            PLAIN_SERVER => self.serve(Mechanism::Plain, value)?,
            CURVE_SERVER => self.serve(Mechanism::Curve, value)?,
            PLAIN_USERNAME | PLAIN_PASSWORD => {
                let Some(text) = value else {
                    self.mechanism = Mechanism::Null;
                    return Ok(());
                };
                if !(1..=255).contains(&text.len()) {
                    return fail(EINVAL);
                }
                match option {
                    PLAIN_USERNAME => self.username = text.to_vec(),
                    _ => self.password = text.to_vec(),
                }
                self.is_server = false;
                self.mechanism = Mechanism::Plain;
            }
            CURVE_PUBLICKEY => self.public = self.key(value)?,
            CURVE_SECRETKEY => self.secret = self.key(value)?,
            CURVE_SERVERKEY => {
                self.server = self.key(value)?;
                self.is_server = false;
            }
            _ => return fail(EINVAL),
        }
        Ok(())
    }

    fn serve(&mut self, mechanism: Mechanism, value: Option<&[u8]>) -> Result<()> {
        let on = value
            .and_then(|value| value.try_into().ok())
            .map(c_int::from_ne_bytes);
        match on {
            Some(on @ 0..=1) => {
                self.is_server = on == 1;
                self.mechanism = if on == 1 { mechanism } else { Mechanism::Null };
                Ok(())
            }
            _ => fail(EINVAL),
        }
    }

    fn key(&mut self, value: Option<&[u8]>) -> Result<[u8; KEY]> {
        let value = value.ok_or(Errno(EINVAL))?;
        let key = match value.len() {
            KEY => value.try_into().ok(),
            TEXT | 41 if value.get(TEXT).is_none_or(|end| *end == 0) => {
                std::str::from_utf8(&value[..TEXT])
                    .ok()
                    .and_then(z85::decode)
                    .and_then(|key| key[..].try_into().ok())
            }
            _ => None,
        };
        let key = key.ok_or(Errno(EINVAL))?;
        self.mechanism = Mechanism::Curve;
        Ok(key)
    }

    /// Reads an option into as many bytes as C has room for.
    pub(super) fn get(&self, option: c_int, room: usize) -> Result<Vec<u8>> {
        let int = |number: c_int| match room {
            4 => Ok(number.to_ne_bytes().to_vec()),
            _ => fail(EINVAL),
        };
        let text = |text: &[u8]| Ok([text, &[0]].concat());
        match option {
            MECHANISM => int(self.mechanism as c_int),
            PLAIN_SERVER => int((self.is_server && self.mechanism == Mechanism::Plain).into()),
            CURVE_SERVER => int((self.is_server && self.mechanism == Mechanism::Curve).into()),
            PLAIN_USERNAME => text(&self.username),
            PLAIN_PASSWORD => text(&self.password),
            CURVE_PUBLICKEY => shown(&self.public, room),
            CURVE_SECRETKEY => shown(&self.secret, room),
            CURVE_SERVERKEY => shown(&self.server, room),
            _ => fail(EINVAL),
        }
    }

    /// Returns the mechanism with its secrets.
    pub(super) fn security(&self) -> Result<Security> {
        let keys = || KeyPair::from(SecretKey::from(self.secret));
        // A client claims the public key that it was given. Servers refuse one that does not belong to its secret key.
        let claimed =
            || KeyPair::from_keys(PublicKey::from(self.public), SecretKey::from(self.secret));
        Ok(match (self.mechanism, self.is_server) {
            (Mechanism::Null, _) => Security::default(),
            (Mechanism::Plain, true) => Security::plain_server(),
            (Mechanism::Plain, false) => {
                Security::plain_client(&self.username, &self.password).map_err(|_| Errno(EINVAL))?
            }
            (Mechanism::Curve, true) => Security::curve_server(keys()),
            (Mechanism::Curve, false) => {
                Security::curve_client(claimed(), PublicKey::from(self.server))
            }
        })
    }
}

fn shown(key: &[u8; KEY], room: usize) -> Result<Vec<u8>> {
    match room {
        KEY => Ok(key.to_vec()),
        41 => {
            let mut text = z85::encode(key).unwrap_or_default().into_bytes();
            text.push(0);
            Ok(text)
        }
        _ => fail(EINVAL),
    }
}
