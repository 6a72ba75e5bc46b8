//! The headers beside the library: each function that `zmq.h` declares is there, and is declared if it is there.

use std::collections::BTreeSet;

const HEADER: &str = include_str!("../include/zmq.h");
const SOURCES: [&str; 15] = [
    include_str!("../src/errno.rs"),
    include_str!("../src/context/functions.rs"),
    include_str!("../src/message/functions.rs"),
    include_str!("../src/socket/functions.rs"),
    include_str!("../src/socket/iov.rs"),
    include_str!("../src/monitor.rs"),
    include_str!("../src/poll.rs"),
    include_str!("../src/poller.rs"),
    include_str!("../src/proxy.rs"),
    include_str!("../src/util/atomic.rs"),
    include_str!("../src/util/clock.rs"),
    include_str!("../src/util/curve.rs"),
    include_str!("../src/util/threads.rs"),
    include_str!("../src/util/timers.rs"),
    include_str!("../src/util/version.rs"),
];

/// Returns the functions that a text names behind a word, up to an opening bracket.
fn functions(text: &str) -> BTreeSet<&str> {
    let names = text.split("zmq_").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        rest[end..]
            .trim_start()
            .starts_with('(')
            .then(|| &rest[..end])
    });
    names.collect()
}

/// Returns those that a source exports, and whether drafts.
fn exported(drafts: bool) -> BTreeSet<&'static str> {
    let mark = match drafts {
        true => "#[cfg_attr(feature = \"draft\", unsafe(no_mangle))]",
        false => "#[unsafe(no_mangle)]",
    };
    let exports = SOURCES.iter().flat_map(|source| source.split(mark).skip(1));
    exports
        .map(|rest| {
            let name = &rest[rest.find("zmq_").unwrap() + 4..];
            &name[..name.find('(').unwrap()]
        })
        .collect()
}

#[test]
fn what_is_declared_is_exported_and_nothing_else() {
    let (stable, drafts) = HEADER.split_once("#ifdef ZMQ_BUILD_DRAFT_API").unwrap();
    let declared = |text: &'static str| -> BTreeSet<&'static str> {
        let lines = text.split(';').filter(|line| line.contains("ZMQ_EXPORT"));
        lines
            .flat_map(functions)
            .filter(|name| !name.ends_with("_fn"))
            .collect()
    };
    assert_eq!(declared(stable), exported(false));
    assert_eq!(declared(drafts), exported(true));
    assert_eq!((exported(false).len(), exported(true).len()), (70, 27));
}
