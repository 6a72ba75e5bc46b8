//! Ready-made authenticators: by address, by name and password, by public key.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use ipnet::IpNet;
use zmtp::Metadata;
use zmtp::mechanism::{Admission, Certificate, Credentials, Password, PublicKey, Refusal};

use super::{AuthRequest, Authenticator, Decision};
use crate::sync::Mutex;
use crate::transport::PeerAddress;

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
/// NULL socket asks only if it has a `zap_domain`.
///
/// ```
/// use patterns::Context;
/// use patterns::security::{Addresses, Authenticator, PlainUsers};
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

/// One or many peers: an address, a network, or processes of this machine. Read from text such as `10.0.0.1`,
/// `fe80::/10`, `uid:1000`, `gid:100` and `pid:4711`; the last three are for ipc.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// TCP peers in this network.
    Net(IpNet),
    /// Processes of this user.
    User(u32),
    /// Processes whose effective group is this.
    Group(u32),
    /// This process.
    Process(i32),
}

/// Text that is no [`Place`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address, network, uid:, gid: or pid:")]
pub struct PlaceError(String);

impl std::str::FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let number = |prefix| text.strip_prefix(prefix);
        let place = if let Some(uid) = number("uid:") {
            uid.parse().ok().map(Place::User)
        } else if let Some(gid) = number("gid:") {
            gid.parse().ok().map(Place::Group)
        } else if let Some(pid) = number("pid:") {
            pid.parse().ok().map(Place::Process)
        } else {
            let address = text.parse::<IpAddr>().map(IpNet::from).ok();
            address.or_else(|| text.parse().ok()).map(Place::Net)
        };
        place.ok_or_else(|| PlaceError(text.to_owned()))
    }
}

impl Place {
    fn has(&self, peer: &PeerAddress) -> bool {
        match (self, peer) {
            (Place::Net(net), PeerAddress::Tcp(address)) => net.contains(&address.ip()),
            (Place::User(user), PeerAddress::Ipc { uid, .. }) => user == uid,
            (Place::Group(group), PeerAddress::Ipc { gid, .. }) => group == gid,
            (Place::Process(process), PeerAddress::Ipc { pid, .. }) => Some(*process) == *pid,
            _ => false,
        }
    }
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
    users: HashMap<Vec<u8>, Password>,
}

impl PlainUsers {
    /// Nobody.
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
    /// nothing (CZMQ's format). Blocks for as long as the file system does.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> io::Result<Self> {
        let text = zeroize::Zeroizing::new(fs::read_to_string(path)?);
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'));
        let users = lines.filter_map(|line| line.split_once('='));
        Ok(users
            .map(|(name, password)| (name.trim(), password.trim()))
            .collect())
    }
}

impl<U: AsRef<[u8]>, P: AsRef<[u8]>> FromIterator<(U, P)> for PlainUsers {
    fn from_iter<I: IntoIterator<Item = (U, P)>>(users: I) -> Self {
        let add = |all: Self, (username, password)| all.add(username, password);
        users.into_iter().fold(Self::new(), add)
    }
}

/// Shows how many they are.
impl fmt::Debug for PlainUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlainUsers({})", self.users.len())
    }
}

impl Authenticator for PlainUsers {
    async fn decide(&self, request: AuthRequest) -> Decision {
        let Credentials::Plain { username, password } = &request.credentials else {
            return Err(Refusal::Denied);
        };
        match self.users.get(&username[..]) {
            Some(known) if known == password => {
                Ok(Admission::user(String::from_utf8_lossy(username)))
            }
            _ => Err(Refusal::Denied),
        }
    }
}

/// Lets CURVE clients in by their public key, and nobody else. The key, as Z85, is the user id, as with `zmq.auth`; what
/// else is in its certificate becomes properties of the peer.
#[derive(Clone, Debug)]
pub struct CurveKeys(Keys);

#[derive(Clone, Debug)]
enum Keys {
    Any,
    Some(HashMap<PublicKey, Metadata>),
    Directory(Arc<Directory>),
}

impl CurveKeys {
    /// Every client that knows the server's public key.
    pub fn any() -> Self {
        CurveKeys(Keys::Any)
    }

    /// The clients whose certificates are files in a directory. Other files are left alone, and so are folders. The
    /// directory is looked at for each client, so a certificate that is added, changed or removed counts from the next
    /// one on; connections that stand are not ended. If it cannot be read, clients are refused for the time being.
    pub fn directory(path: impl Into<PathBuf>) -> Self {
        CurveKeys(Keys::Directory(Arc::new(Directory {
            path: path.into(),
            files: Mutex::default(),
        })))
    }
}

impl FromIterator<PublicKey> for CurveKeys {
    fn from_iter<I: IntoIterator<Item = PublicKey>>(keys: I) -> Self {
        let keys = keys.into_iter().map(|key| (key, Metadata::new()));
        CurveKeys(Keys::Some(keys.collect()))
    }
}

impl Authenticator for CurveKeys {
    async fn decide(&self, request: AuthRequest) -> Decision {
        let Credentials::Curve(key) = request.credentials else {
            return Err(Refusal::Denied);
        };
        let metadata = match &self.0 {
            Keys::Any => Some(Metadata::new()),
            Keys::Some(keys) => keys.get(&key).cloned(),
            Keys::Directory(directory) => {
                let directory = directory.clone();
                let look = tokio::task::spawn_blocking(move || directory.look_up(&key));
                match look.await {
                    Ok(Ok(found)) => found,
                    Ok(Err(error)) => {
                        tracing::warn!(%error, "the directory of keys cannot be read");
                        return Err(Refusal::Temporary);
                    }
                    Err(_) => return Err(Refusal::Internal),
                }
            }
        };
        let metadata = metadata.ok_or(Refusal::Denied)?;
        Ok(Admission {
            user_id: key.to_string(),
            metadata,
        })
    }
}

/// A directory of certificates, as it was when it was last looked at.
#[derive(Debug)]
struct Directory {
    path: PathBuf,
    files: Mutex<HashMap<PathBuf, File>>,
}

#[derive(Debug)]
struct File {
    changed: Option<SystemTime>,
    len: u64,
    certificate: Option<Certificate>,
}

impl Directory {
    /// What the certificate of a key says; `None` if there is none.
    fn look_up(&self, key: &PublicKey) -> io::Result<Option<Metadata>> {
        let mut files = self.files.lock();
        let mut before = std::mem::take(&mut *files);
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            // What goes away in between is not there.
            let Ok(metadata) = fs::metadata(&path) else {
                continue;
            };
            if !metadata.is_file() {
                continue;
            }
            let (changed, len) = (metadata.modified().ok(), metadata.len());
            let known = before
                .remove(&path)
                .filter(|file| file.changed == changed && file.len == len);
            let file = known.unwrap_or_else(|| File {
                changed,
                len,
                certificate: super::load_certificate(&path).ok(),
            });
            files.insert(path, file);
        }
        let mut certificates = files.values().filter_map(|file| file.certificate.as_ref());
        let found = certificates.find(|certificate| certificate.public_key() == key);
        Ok(found.map(properties))
    }
}

/// A certificate's words, as far as properties may have such names.
fn properties(certificate: &Certificate) -> Metadata {
    let mut properties = Metadata::new();
    for (name, value) in &certificate.metadata {
        let _ = properties.push(name, value.clone());
    }
    properties
}
