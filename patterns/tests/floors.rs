//! The crate's floors: no module uses one of a floor above, none beside itself, and no files of different folders use
//! each other in a circle.

#[path = "../../zmtp/tests/floors/reader.rs"]
mod reader;

use std::path::Path;

/// The modules, from the ground up. Those of one floor do not know each other. A file that stands on another floor than its
/// folder is named whole.
const FLOORS: &[&[&str]] = &[
    &[
        "sync",
        "coop",
        "groups",
        "simulation",
        "sealed",
        "logs",
        "routing_id",
        "rules",
    ],
    &["rng", "io_threads", "runtime", "endpoint", "peer_address"],
    &["error", "stats", "peer"],
    &["options", "monitor"],
    &["pipe", "security", "transport"],
    &["state"],
    &["connection", "inproc", "routing"],
    &["context"],
    &["core"],
    &["capability"],
    &["socket"],
    &["sockets"],
    &["socket::any", "trace_context"],
    &["requester"],
    &["blocking"],
    &["expose", "metrics", "proxy", "serve"],
    &["serde_impls"],
];

#[test]
fn no_module_uses_one_of_a_floor_above_or_beside_it() {
    assert_eq!(reader::arrows_up(&uses(), FLOORS), [""; 0]);
}

#[test]
fn no_files_of_different_folders_use_each_other_in_a_circle() {
    assert_eq!(reader::circles(&uses()), [""; 0]);
}

fn uses() -> reader::Uses {
    reader::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}
