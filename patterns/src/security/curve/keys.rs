//! [`CurveKeys`]: an authenticator that knows public keys.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use zmtp::Metadata;
use zmtp::mechanism::{Admission, Certificate, Credentials, PublicKey, Refusal};

use super::files::load_certificate;
use crate::security::handlers::{Stamp, look};
use crate::security::{AuthRequest, Authenticator, Decision};
use crate::sync::Mutex;

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

    /// Lets in the clients whose certificates are files in a directory. Other files are left alone, and so are folders. The
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
                look(move || directory.look_up(&key)).await?
            }
        };
        let metadata = metadata.ok_or(Refusal::Denied)?;
        Ok(Admission {
            user_id: key.to_string(),
            metadata,
        })
    }
}

/// Holds a directory of certificates, as it was when it was last looked at.
#[derive(Debug)]
struct Directory {
    path: PathBuf,
    files: Mutex<HashMap<PathBuf, File>>,
}

#[derive(Debug)]
struct File {
    stamp: Stamp,
    certificate: Option<Certificate>,
}

impl Directory {
    /// Returns what the certificate of a key says; `None` if there is none.
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
            let stamp = Stamp::of(&metadata);
            let known = before
                .remove(&path)
                .filter(|file| file.stamp.still_is(&stamp));
            let file = known.unwrap_or_else(|| File {
                stamp,
                certificate: load_certificate(&path).ok(),
            });
            files.insert(path, file);
        }
        let mut certificates = files.values().filter_map(|file| file.certificate.as_ref());
        let found = certificates.find(|certificate| certificate.public_key() == key);
        Ok(found.map(properties))
    }
}

/// Returns a certificate's metadata, as far as properties may have such names.
fn properties(certificate: &Certificate) -> Metadata {
    let mut properties = Metadata::new();
    for (name, value) in &certificate.metadata {
        let _ = properties.push(name, value.clone());
    }
    properties
}
