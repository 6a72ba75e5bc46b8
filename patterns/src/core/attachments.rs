//! The list of a socket's endpoints: what one call on one of them costs does not depend on how many there are.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use rustc_hash::FxBuildHasher;

use super::endpoint_table::Attachment;
use crate::endpoint::Endpoint;
use crate::groups::Groups;
use crate::pipe::Origin;

/// Endpoints in the order of the calls that made them, found by what they are called as well.
#[derive(Default)]
pub(super) struct Attachments {
    all: BTreeMap<Origin, Attachment>,
    /// The hash of what one is called, or was called by `bind`, with its origin: a copy of the name would cost as much as
    /// the rest.
    names: Groups<u64, Origin>,
}

fn hash(endpoint: &Endpoint) -> u64 {
    FxBuildHasher.hash_one(endpoint)
}

/// Returns the hashes of what an endpoint is called.
fn hashes(attachment: &Attachment) -> impl Iterator<Item = u64> {
    let given = attachment.given.as_ref();
    given.into_iter().chain([&attachment.endpoint]).map(hash)
}

impl Attachments {
    pub(super) fn insert(&mut self, attachment: Attachment) {
        let origin = attachment.origin;
        for hash in hashes(&attachment) {
            self.names.insert(hash, origin);
        }
        self.all.insert(origin, attachment);
    }

    /// Iterates over those that may be called so, oldest first: `endpoint` and `given` say whether they are.
    pub(super) fn called(&self, endpoint: &Endpoint) -> impl Iterator<Item = &Attachment> {
        let origins = self.names.of(hash(endpoint));
        origins.filter_map(|origin| self.all.get(&origin))
    }

    pub(super) fn remove(&mut self, origin: Origin) -> Option<Attachment> {
        let attachment = self.all.remove(&origin)?;
        for hash in hashes(&attachment) {
            self.names.remove(hash, origin);
        }
        Some(attachment)
    }

    pub(super) fn contains(&self, origin: Origin) -> bool {
        self.all.contains_key(&origin)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Attachment> {
        self.all.values()
    }

    /// Takes all of them, oldest first.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Attachment> + use<> {
        self.names.clear();
        std::mem::take(&mut self.all).into_values()
    }
}
