//! Ready-made authenticators: by address, by name and password.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zmtp::mechanism::{Admission, Credentials, Password, Refusal};

use super::files::{Stamp, look};
use super::{AuthRequest, Authenticator, Decision};
use crate::peer_address::Place;
use crate::sync::Mutex;

/// Two authenticators, both of which must let a peer in. Made by [`Authenticator::and`].
#[derive(Clone, Debug)]
pub struct And<A, B>(A, B);

impl<A, B> And<A, B> {
    pub(super) fn new(first: A, second: B) -> Self {
        And(first, second)
    }
}

impl<A: Authenticator, B: Authenticator> Authenticator for And<A, B> {
    async fn decide(&self, request: AuthRequest) -> Decision {
        self.0.decide(request.clone()).await?;
        self.1.decide(request).await
    }
}

/// Lets peers in by where they are, whatever they say of themselves.
///
/// Without an `allow`, everybody who is not denied comes in. With one, only those who are allowed and not denied. A
/// NULL socket asks only if it has a `zap_domain`. A rule reaches peers of its own kind only: a peer by `vsock` or ipc is in
/// no IP network, so an `allow` of IP networks alone keeps it out, and a `deny` of them, `0.0.0.0/0` included, does not.
///
/// ```
/// use purezmq::Context;
/// use purezmq::security::{Addresses, Authenticator, PlainUsers};
///
/// let context = Context::new();
/// let nearby = Addresses::new()
///     .allow("127.0.0.1".parse()?)
///     .allow("10.0.0.0/8".parse()?)
///     .deny("10.0.0.66".parse()?);
/// context.set_authenticator(nearby.and(PlainUsers::from_iter([("admin", "secret")])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    allowed: Vec<Place>,
    denied: Vec<Place>,
}

impl Addresses {
    /// Lets everybody in.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets those in, and others no more unless they are allowed, too.
    pub fn allow(mut self, place: Place) -> Self {
        self.allowed.push(place);
        self
    }

    /// Does not let those in, even if they are allowed.
    pub fn deny(mut self, place: Place) -> Self {
        self.denied.push(place);
        self
    }
}

impl Authenticator for Addresses {
    async fn decide(&self, request: AuthRequest) -> Decision {
        let is_in = |places: &[Place]| places.iter().any(|place| place.has(&request.address));
        if is_in(&self.denied) || !(self.allowed.is_empty() || is_in(&self.allowed)) {
            return Err(Refusal::Denied);
        }
        Ok(Admission::default())
    }
}

/// Lets PLAIN clients in by name and password, and nobody else. The name is the user id.
#[derive(Clone, Default)]
pub struct PlainUsers {
    users: Users,
    file: Option<Arc<UsersFile>>,
}

type Users = HashMap<Vec<u8>, Password>;

impl PlainUsers {
    /// Lets nobody in.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a user, or changes the password of one.
    pub fn add(mut self, username: impl AsRef<[u8]>, password: impl AsRef<[u8]>) -> Self {
        let (username, password) = (username.as_ref().to_vec(), password.as_ref());
        self.users.insert(username, Password::from(password));
        self
    }

    /// Reads users from a file, each a line `name=password`; lines without a `=` and those that begin with `#` mean
    /// nothing (CZMQ's format). The last line of a name counts, and one without a password lets nobody in. What becomes of the file later means nothing. Blocks for as long as the file system
    /// does.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(PlainUsers {
            users: read_users(path.as_ref())?,
            file: None,
        })
    }

    /// Reads the users of such a file whenever a client comes and the file is another one than before, or another in size,
    /// times or, on Unix, the time of its entry: who is added to it, changed or removed counts from the next client on.
    /// Connections that stand are not ended: [`Context::disconnect_peer`](crate::Context::disconnect_peer) ends those of a
    /// user who is removed. If it cannot be read, clients are refused for the time being. Users that are
    /// [added](Self::add) besides are known, too, and go before those of the same name in the file.
    ///
    /// ```
    /// use purezmq::Context;
    /// use purezmq::security::PlainUsers;
    ///
    /// let context = Context::new();
    /// context.set_authenticator(PlainUsers::watch_file("/etc/collector/passwords").add("admin", "secret"));
    /// ```
    pub fn watch_file(path: impl Into<PathBuf>) -> Self {
        PlainUsers {
            users: Users::new(),
            file: Some(Arc::new(UsersFile {
                path: path.into(),
                known: Mutex::default(),
            })),
        }
    }
}

fn read_users(path: &Path) -> io::Result<Users> {
    let text = zeroize::Zeroizing::new(fs::read_to_string(path)?);
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let mut users = Users::new();
    for (name, password) in lines.filter_map(|line| line.split_once('=')) {
        let (name, password) = (name.trim(), password.trim());
        if password.is_empty() {
            // That is no password, and nobody is to come in by it.
            users.remove(name.as_bytes());
        } else {
            users.insert(name.into(), Password::from(password));
        }
    }
    Ok(users)
}

/// A file of users, as it was when it was last looked at.
struct UsersFile {
    path: PathBuf,
    known: Mutex<Option<(Stamp, Users)>>,
}

impl UsersFile {
    fn has(&self, username: &[u8], password: &Password) -> io::Result<bool> {
        let stamp = Stamp::of(&fs::metadata(&self.path)?);
        let mut known = self.known.lock();
        if known.as_ref().is_none_or(|(at, _)| !at.still_is(&stamp)) {
            *known = Some((stamp, read_users(&self.path)?));
        }
        let user = known.as_ref().and_then(|(_, users)| users.get(username));
        Ok(user == Some(password))
    }
}

impl<U: AsRef<[u8]>, P: AsRef<[u8]>> FromIterator<(U, P)> for PlainUsers {
    fn from_iter<I: IntoIterator<Item = (U, P)>>(users: I) -> Self {
        let add = |all: Self, (username, password)| all.add(username, password);
        users.into_iter().fold(Self::new(), add)
    }
}

/// Shows how many they are, and the file.
impl fmt::Debug for PlainUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("PlainUsers");
        shown.field("users", &self.users.len());
        shown.field("file", &self.file.as_ref().map(|file| &file.path));
        shown.finish()
    }
}

impl Authenticator for PlainUsers {
    async fn decide(&self, request: AuthRequest) -> Decision {
        let Credentials::Plain { username, password } = &request.credentials else {
            return Err(Refusal::Denied);
        };
        let is_known = match (self.users.get(&username[..]), &self.file) {
            (Some(known), _) => known == password,
            (None, None) => false,
            (None, Some(file)) => {
                let file = file.clone();
                let (username, password) = (username.clone(), password.clone());
                look(move || file.has(&username, &password)).await?
            }
        };
        if is_known {
            Ok(Admission::user_bytes(username))
        } else {
            Err(Refusal::Denied)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        text.parse().unwrap()
    }

    /// A rule reaches peers of its own kind, and no others.
    #[test]
    fn each_place_has_the_peers_of_its_own_network() {
        let peers = ["tcp://10.0.0.1:1", "ipc://1000:100:9", "vsock://3:1"];
        for (rule, meant) in [
            ("10.0.0.1", [true, false, false]),
            ("0.0.0.0/0", [true, false, false]),
            ("::/0", [false, false, false]),
            ("uid:1000", [false, true, false]),
            ("gid:100", [false, true, false]),
            ("pid:9", [false, true, false]),
            ("cid:3", [false, false, true]),
            ("cid:2", [false, false, false]),
        ] {
            let has = peers.map(|peer| place(rule).has(&peer.parse().unwrap()));
            assert_eq!(has, meant, "{rule}");
        }
        for text in ["cid:", "cid:*", "cid:-1", "cid:4294967296", "vsock:3", "3"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_machine_is_allowed_and_denied_by_its_cid() {
        let request = |peer: &str| AuthRequest {
            domain: "here".to_owned(),
            address: peer.parse().unwrap(),
            routing_id: bytes::Bytes::new(),
            socket_type: zmtp::SocketType::Pull,
            credentials: Credentials::Null,
        };
        for (addresses, comes_in) in [
            (Addresses::new().allow(place("cid:3")), true),
            (Addresses::new().allow(place("10.0.0.0/8")), false),
            (Addresses::new().deny(place("0.0.0.0/0")), true),
            (Addresses::new().deny(place("cid:3")), false),
            (
                Addresses::new().allow(place("cid:3")).deny(place("cid:3")),
                false,
            ),
        ] {
            let decision = addresses.decide(request("vsock://3:70000")).await;
            assert_eq!(decision.is_ok(), comes_in, "{addresses:?}");
        }
    }
}
