//! [`CurveKeys`]: an authenticator that knows public keys.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use zmtp::Metadata;
use zmtp::mechanism::{Admission, Credentials, PublicKey, Refusal};

use super::directory::Directory;
use crate::security::{AuthRequest, Authenticator, Decision};

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
    /// Lets in every client that knows the server's public key.
    pub fn any() -> Self {
        CurveKeys(Keys::Any)
    }

    /// Lets in the clients whose certificates are files in a directory. Folders are left alone, and so are files that hold
    /// something else, those whose names end in `_secret` (the secret half lets nobody in), and the copies that editors
    /// keep: names that begin with `.` or end in `~`.
    ///
    /// A certificate that is added, changed or removed counts from the next client on. Connections that stand are not
    /// ended: [`Context::disconnect_peer`](crate::Context::disconnect_peer) ends those of a key that is removed. For a client
    /// whose certificate is known, its file is looked at; for a stranger, the whole directory, but for no more than about a tenth of the time: strangers
    /// that come close together wait for the same look. If the directory cannot be read, clients are refused for the time
    /// being.
    pub fn directory(path: impl Into<PathBuf>) -> Self {
        CurveKeys(Keys::Directory(Arc::new(Directory::new(path.into()))))
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
            Keys::Directory(directory) => directory.clone().find(key).await?,
        };
        let metadata = metadata.ok_or(Refusal::Denied)?;
        Ok(Admission {
            user_id: key.to_string(),
            metadata,
        })
    }
}
