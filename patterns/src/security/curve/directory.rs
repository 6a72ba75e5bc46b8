//! A directory of certificates, with an index of what is in it: see [`CurveKeys::directory`](super::CurveKeys::directory).

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use zmtp::Metadata;
use zmtp::mechanism::{Certificate, PublicKey, Refusal};

use super::files::load_certificate;
use crate::security::files::{Stamp, look};
use crate::sync::Mutex;

/// After a look at the whole directory comes a pause, so many times as long as it took.
const PAUSE: u32 = 9;

/// Holds what was in the directory when it was looked at.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    index: Mutex<Index>,
}

#[derive(Debug, Default)]
struct Index {
    files: HashMap<PathBuf, File>,
    /// In which file each key is; in any of them, if there are several.
    keys: HashMap<PublicKey, PathBuf>,
    /// When the last look began.
    looked: Option<Instant>,
    /// Before then, the next one does not begin.
    rests_until: Option<Instant>,
}

#[derive(Debug)]
struct File {
    stamp: Stamp,
    certificate: Option<Certificate>,
}

/// What is found of a key.
enum Found {
    Known(Metadata),
    Unknown,
    /// It is not known yet: to be asked again then.
    Later(Instant),
}

impl Directory {
    pub(super) fn new(path: PathBuf) -> Self {
        Directory {
            path,
            index: Mutex::default(),
        }
    }

    /// Returns what the certificate of a key says; nothing if there is none.
    pub(super) async fn find(self: Arc<Self>, key: PublicKey) -> Result<Option<Metadata>, Refusal> {
        let asked = Instant::now();
        loop {
            let directory = self.clone();
            match look(move || directory.look_up(&key, asked)).await? {
                Found::Known(metadata) => return Ok(Some(metadata)),
                Found::Unknown => return Ok(None),
                Found::Later(at) => tokio::time::sleep_until(at.into()).await,
            }
        }
    }

    /// Looks for a key that was asked for at that time. Only what was seen after it counts.
    fn look_up(&self, key: &PublicKey, asked: Instant) -> io::Result<Found> {
        let mut index = self.index.lock();
        if let Some(metadata) = index.still_has(key) {
            return Ok(Found::Known(metadata));
        }
        if index.looked.is_none_or(|at| at < asked) {
            let now = Instant::now();
            if let Some(until) = index.rests_until.filter(|until| now < *until) {
                return Ok(Found::Later(until));
            }
            index.look_at(&self.path)?;
            index.looked = Some(now);
            index.rests_until = Some(Instant::now() + now.elapsed() * PAUSE);
        }
        let certificate = index.certificate(key);
        Ok(certificate.map_or(Found::Unknown, |one| Found::Known(properties(one))))
    }
}

impl Index {
    /// Returns what is known of a key, if the file that it was in has not changed.
    fn still_has(&self, key: &PublicKey) -> Option<Metadata> {
        let path = self.keys.get(key)?;
        let metadata = fs::metadata(path).ok()?;
        let file = self.files.get(path)?;
        let is_same = metadata.is_file() && file.stamp.still_is(&Stamp::of(&metadata));
        is_same.then(|| file.certificate.as_ref().map(properties))?
    }

    fn certificate(&self, key: &PublicKey) -> Option<&Certificate> {
        self.files.get(self.keys.get(key)?)?.certificate.as_ref()
    }

    /// Looks at all files, and reads those that have changed.
    fn look_at(&mut self, path: &Path) -> io::Result<()> {
        // What cannot be looked at to its end is not known at all.
        self.keys.clear();
        let mut before = std::mem::take(&mut self.files);
        for entry in fs::read_dir(path)? {
            let path = entry?.path();
            if !may_be_public(&path) {
                continue;
            }
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
            if let Some(certificate) = &file.certificate {
                self.keys.insert(*certificate.public_key(), path.clone());
            }
            self.files.insert(path, file);
        }
        Ok(())
    }
}

/// Returns whether a file of this name can be a public certificate: the secret half of one that has been removed is none,
/// nor is what an editor keeps.
fn may_be_public(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    !(name.ends_with(b"_secret") || name.ends_with(b"~") || name.starts_with(b"."))
}

/// Returns a certificate's metadata, as far as properties may have such names.
fn properties(certificate: &Certificate) -> Metadata {
    let mut properties = Metadata::new();
    for (name, value) in &certificate.metadata {
        let _ = properties.push(name, value.clone());
    }
    properties
}
