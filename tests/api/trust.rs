//! Users that are told apart by each mechanism, for tests of who gets what.

use std::collections::HashMap;
use std::sync::Mutex;

use purezmq::Context;
use purezmq::security::{Admission, AuthRequest, Credentials, KeyPair, PublicKey, Security};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    /// Nobody is told from anybody.
    Null,
    Plain,
    /// By keys alone: nobody is asked.
    Curve,
}

pub(super) const ALL: [Mechanism; 3] = [Mechanism::Null, Mechanism::Plain, Mechanism::Curve];

/// One side that lets everybody in and knows who it is, and the users.
pub(super) struct Trust {
    pub(super) mechanism: Mechanism,
    pub(super) context: Context,
    /// The options of who knows its peers. It may bind or connect.
    pub(super) server: Security,
    key: Option<PublicKey>,
    keys: Mutex<HashMap<String, KeyPair>>,
}

impl Trust {
    pub(super) fn new(mechanism: Mechanism) -> Self {
        let context = Context::new();
        let (server, key) = match mechanism {
            Mechanism::Null => (Security::Null, None),
            Mechanism::Plain => {
                context.set_authenticator(|request: AuthRequest| async move {
                    Ok(match &request.credentials {
                        Credentials::Plain { username, .. } => {
                            Admission::user(String::from_utf8_lossy(username))
                        }
                        _ => Admission::default(),
                    })
                });
                (Security::plain_server(), None)
            }
            Mechanism::Curve => {
                let keys = KeyPair::generate();
                let public = *keys.public();
                (Security::curve_server(keys), Some(public))
            }
        };
        Trust {
            mechanism,
            context,
            server,
            key,
            keys: Mutex::default(),
        }
    }

    /// The options of a user.
    pub(super) fn of(&self, user: &str) -> Security {
        match self.mechanism {
            Mechanism::Null => Security::Null,
            Mechanism::Plain => Security::plain_client(user, "secret").unwrap(),
            Mechanism::Curve => {
                let mut keys = self.keys.lock().unwrap();
                let keys = keys
                    .entry(user.to_owned())
                    .or_insert_with(KeyPair::generate);
                Security::curve_client(keys.clone(), self.key.unwrap())
            }
        }
    }
}
