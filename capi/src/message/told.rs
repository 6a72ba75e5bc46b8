//! What C has been told of peers: strings that live as long as the connection, or as a message that has come by it, whichever
//! is longer. So programs may keep what libzmq has told them of a message that they have closed.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char};
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;
use purezmq::Peer;

use crate::errno::{EINVAL, Errno, Result};

/// With how many peers those that have gone are looked for.
const FEW: usize = 64;

/// The peers that C has asked about, by where they are in memory: which nobody else is while they are here.
static TOLD: LazyLock<Mutex<Told>> = LazyLock::new(|| {
    Mutex::new(Told {
        peers: HashMap::new(),
        most: FEW,
    })
});

struct Told {
    peers: HashMap<usize, One>,
    /// With so many, those that have gone are taken out: half of them stay, at most.
    most: usize,
}

struct One {
    peer: Weak<Peer>,
    /// What C has asked for: what it is called, and what it says.
    properties: Vec<(CString, CString)>,
}

/// Returns a property of a peer.
pub(super) fn property(peer: &Arc<Peer>, name: &CStr) -> Result<*const c_char> {
    let mut told = TOLD.lock();
    let place = Arc::as_ptr(peer).addr();
    if !told.peers.contains_key(&place) && told.peers.len() >= told.most {
        told.peers.retain(|_, one| one.peer.strong_count() > 0);
        told.most = (2 * told.peers.len()).max(FEW);
    }
    if let Some(one) = told.peers.get(&place)
        && let Some((_, value)) = one
            .properties
            .iter()
            .find(|(known, _)| known.as_c_str() == name)
    {
        return Ok(value.as_ptr());
    }
    let value = said(peer, name).ok_or(Errno(EINVAL))?;
    let value = CString::new(value).map_err(|_| Errno(EINVAL))?;
    // Where it is, whatever becomes of the table.
    let text = value.as_ptr();
    let one = told.peers.entry(place).or_insert_with(|| One {
        peer: Arc::downgrade(peer),
        properties: Vec::new(),
    });
    one.properties.push((name.to_owned(), value));
    Ok(text)
}

/// Returns what is known of a peer. Of one in this process, libzmq tells nothing.
fn said(peer: &Peer, name: &CStr) -> Option<Vec<u8>> {
    if peer.address.transport() == "inproc" {
        return None;
    }
    let name = name.to_str().ok()?;
    match name {
        "Identity" | "Routing-Id" => {
            let id = peer.routing_id.as_ref();
            Some(id.map_or(Vec::new(), |id| id.as_slice().to_vec()))
        }
        "Socket-Type" | "User-Id" | "Peer-Address" => peer.get(name).map(Into::into),
        _ => {
            let mut properties = peer.properties.iter();
            let found = properties.find(|(known, _)| *known == name);
            found.map(|(_, value)| value.to_vec())
        }
    }
}
