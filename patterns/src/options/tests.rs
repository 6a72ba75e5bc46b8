//! Ranges, defaults, and the documentation's table.

mod limits;
mod values;
mod zmq;

use std::collections::HashSet;
use std::fmt::Write;

use super::left_out::{CONTEXT, ELSEWHERE, LEFT_OUT, Row};
use super::*;
use crate::capability::{
    Answers, Conflates, ConflatesTopics, Greets, HearsSubscriptions, Identifies, Matches,
    NotesDepartures, NotesHiccups, PassesSubscriptions, Probes, Publishes, Receives, Requests,
    Routes, Sends, SubscribesByMessage, Zmtp,
};
use crate::context::Context;
use crate::core::{Core, Pattern};
use crate::error::OptionError;
use crate::routing::{FairQueue, LoadBalance};
use crate::rules::HasRules;
use crate::socket::{Builder, Open};
use zmtp::Message;

/// A socket with every capability, that is nothing but its options.
#[derive(Debug)]
struct Probe(Options);

/// The probe's pattern.
struct Everything;

impl crate::sealed::Sealed for Probe {}
impl crate::sealed::Sealed for Everything {}

impl HasRules for Everything {
    const RULES: &'static Rules = Rules::of(SocketType::Pair).unwrap();
}

impl Pattern for Everything {
    type Sent = Message;
    type Received = Message;
    type Send = LoadBalance;
    type Recv = FairQueue;
    type State = ();
    type Half = Core<Self>;
}

macro_rules! has {
    ($($capability:ident)*) => {
        $(impl $capability for Everything {})*
    };
}
has!(Sends Receives Identifies Requests Probes Answers Routes Publishes Matches HearsSubscriptions);
has!(PassesSubscriptions Conflates ConflatesTopics Greets NotesDepartures NotesHiccups);
has!(SubscribesByMessage Zmtp);

impl Open for Probe {
    type Pattern = Everything;

    fn context() -> Context {
        Context::global()
    }

    fn open(_: &Context, options: Options) -> Self {
        Probe(options)
    }
}

type Build = fn(Builder<Probe>) -> Builder<Probe>;

fn build(change: Build) -> Result<Options, OptionError> {
    change(Builder::new()).build().map(|probe| probe.0)
}

#[test]
fn defaults_are_as_documented() {
    let options = build(|builder| builder).unwrap();
    assert_eq!(options.send_hwm, 1000);
    assert_eq!(options.recv_hwm, 1000);
    assert_eq!(options.linger, None);
    assert_eq!(options.reconnect_interval, Some(Duration::from_millis(100)));
    assert_eq!(options.handshake_timeout, Some(Duration::from_secs(30)));
    assert_eq!(options.backlog, 4096);
    assert!(options.ipv6 && !options.immediate);
    assert_eq!(options.heartbeat(), None);
}

#[test]
fn methods_take_bare_values_and_none() {
    let options = build(|builder| {
        builder
            .linger(Duration::ZERO)
            .send_timeout(None)
            .recv_timeout(Duration::from_secs(1))
            .handshake_timeout(None)
            .max_message_size(1 << 20)
            .tcp_keepalive(true)
            .tcp_keepalive_count(3)
            .routing_id("me")
    })
    .unwrap();
    assert_eq!(options.linger, Some(Duration::ZERO));
    assert_eq!(options.send_timeout, None);
    assert_eq!(options.handshake_timeout, None);
    assert_eq!(options.max_message_size, Some(1 << 20));
    assert_eq!(options.tcp_keepalive, Some(true));
    assert_eq!(options.routing_id.as_deref(), Some(&b"me"[..]));
}

#[test]
fn values_at_the_edges_are_taken() {
    let rows: &[Build] = &[
        |builder| builder.linger(MAX),
        |builder| builder.reconnect_interval(MILLISECOND),
        |builder| builder.reconnect_interval(None),
        |builder| builder.heartbeat_ttl(Duration::from_millis(100)),
        |builder| builder.heartbeat_ttl(Duration::from_millis(6_553_500)),
        |builder| builder.tcp_keepalive_count(1),
        |builder| builder.tcp_keepalive_count(127),
        |builder| builder.tcp_keepalive_idle(MAX_KEEPALIVE),
        |builder| builder.send_buffer(i32::MAX as usize),
        |builder| builder.backlog(1).backlog(65_535),
        |builder| builder.routing_id([1]),
        |builder| builder.routing_id([0, 0, 0, 1]),
        |builder| builder.routing_id([1; 255]),
        |builder| builder.send_hwm(0).recv_hwm(usize::MAX),
    ];
    for (row, change) in rows.iter().enumerate() {
        build(*change).unwrap_or_else(|error| panic!("row {row}: {error}"));
    }
}

#[test]
fn values_out_of_range_are_refused_with_name_value_and_range() {
    let rows: &[(Build, &str, &str)] = &[
        (
            |b| b.linger(Duration::MAX),
            "linger",
            "18446744073709551615999999999 ns",
        ),
        (
            |b| b.send_timeout(MAX + MILLISECOND),
            "send_timeout",
            "2147483001 ms",
        ),
        (
            |b| b.reconnect_interval(Duration::ZERO),
            "reconnect_interval",
            "0 ms",
        ),
        (
            |b| b.reconnect_interval_max(Duration::ZERO),
            "reconnect_interval_max",
            "0 ms",
        ),
        (
            |b| b.connect_timeout(Duration::ZERO),
            "connect_timeout",
            "0 ms",
        ),
        (
            |b| b.handshake_timeout(Duration::ZERO),
            "handshake_timeout",
            "0 ms",
        ),
        (
            |b| b.heartbeat_interval(Duration::ZERO),
            "heartbeat_interval",
            "0 ms",
        ),
        (
            |b| b.heartbeat_timeout(Duration::ZERO),
            "heartbeat_timeout",
            "0 ms",
        ),
        (
            |b| b.heartbeat_ttl(Duration::from_millis(99)),
            "heartbeat_ttl",
            "99 ms",
        ),
        (
            |b| b.heartbeat_ttl(Duration::from_millis(6_553_501)),
            "heartbeat_ttl",
            "6553501 ms",
        ),
        (|b| b.tcp_keepalive_count(0), "tcp_keepalive_count", "0"),
        (|b| b.tcp_keepalive_count(128), "tcp_keepalive_count", "128"),
        (
            |b| b.tcp_keepalive_idle(Duration::ZERO),
            "tcp_keepalive_idle",
            "0 ms",
        ),
        (
            |b| b.tcp_keepalive_interval(MAX),
            "tcp_keepalive_interval",
            "2147483 s",
        ),
        (
            |b| b.tcp_user_timeout(Duration::ZERO),
            "tcp_user_timeout",
            "0 ms",
        ),
        (|b| b.send_buffer(0), "send_buffer", "0"),
        (|b| b.recv_buffer(1 << 31), "recv_buffer", "2147483648"),
        (|b| b.backlog(0), "backlog", "0"),
        (|b| b.backlog(65_536), "backlog", "65536"),
        (|b| b.routing_id(""), "routing_id", "b\"\""),
        (
            |b| b.routing_id([0, 1, 2, 3, 4]),
            "routing_id",
            "b\"\\x00\\x01\\x02\\x03\\x04\"",
        ),
        (|b| b.routing_id([7; 256]), "routing_id", "of 256 bytes"),
    ];
    for (change, option, value) in rows {
        let error = build(*change).unwrap_err();
        assert_eq!(error.option(), *option);
        let row = OptionId::by_name(option).unwrap().row();
        let shown = error.to_string();
        assert!(
            shown.contains(value) && shown.ends_with(row.allowed),
            "{error}"
        );
    }
}

#[test]
fn the_first_bad_value_is_the_one_reported() {
    let error = build(|builder| builder.backlog(0).send_buffer(0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "option backlog cannot be 0: allowed is 1 to 65535"
    );
}

#[test]
fn heartbeat_fills_in_its_defaults_and_caps_the_ttl() {
    let second = Duration::from_secs(1);
    let options = build(|builder| builder.heartbeat_interval(SECOND)).unwrap();
    assert_eq!(options.heartbeat(), Some((second, second, Duration::ZERO)));
    let options = build(|builder| {
        builder
            .heartbeat_interval(SECOND)
            .heartbeat_timeout(2 * SECOND)
            .heartbeat_ttl(100 * SECOND)
    })
    .unwrap();
    assert_eq!(
        options.heartbeat(),
        Some((second, 2 * second, Duration::from_millis(65_500)))
    );
}

#[test]
fn names_and_numbers_are_unique() {
    let names: HashSet<_> = TABLE.iter().map(|row| row.name).collect();
    let zmq = TABLE.iter().filter_map(|row| row.zmq);
    let numbers: HashSet<_> = zmq.clone().map(|(_, number)| number).collect();
    assert_eq!(names.len(), TABLE.len());
    assert_eq!(numbers.len(), zmq.count());
}

/// `docs/options.md` is written from the table. To write it anew:
/// `PUREZMQ_WRITE_DOCS=1 cargo test -p purezmq --all-features options`.
#[test]
#[cfg_attr(
    not(all(feature = "socks", feature = "tls")),
    ignore = "the table is that of a build with all features"
)]
fn the_documentation_has_every_option() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    if !directory.is_dir() {
        eprintln!("SKIPPED: this is not the repository, there is no docs directory");
        return;
    }
    let path = directory.join("options.md");
    if std::env::var_os("PUREZMQ_WRITE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page(),
        "docs/options.md is not what the lists of options say; write it anew with \
         PUREZMQ_WRITE_DOCS=1 cargo test -p purezmq --all-features options"
    );
}

fn page() -> String {
    let mut page = String::from(PREFACE);
    for row in TABLE.iter() {
        // Doc comments break their lines; a table's cell has one.
        let meaning = row.meaning.split_whitespace().collect::<Vec<_>>().join(" ");
        let zmq = row
            .zmq
            .map_or_else(String::new, |(name, number)| format!("`{name}` ({number})"));
        writeln!(
            page,
            "| `{}` | {zmq} | {} | {} | {} | {} | {} | {meaning} |",
            row.name,
            row.unit,
            row.default(),
            row.allowed,
            row.sockets(),
            row.effect,
        )
        .unwrap();
    }
    page.push_str(NOT_OPTIONS);
    rows_into(&mut page, ELSEWHERE);
    page.push_str(NOT_HERE);
    rows_into(&mut page, LEFT_OUT);
    page.push_str(OF_THE_CONTEXT);
    for (names, instead) in CONTEXT {
        writeln!(page, "| {names} | {instead} |").unwrap();
    }
    page
}

fn rows_into(page: &mut String, rows: &[Row]) {
    for row in rows {
        let names: Vec<_> = row
            .options
            .iter()
            .map(|(name, number)| format!("`{name}` ({number})"))
            .collect();
        writeln!(page, "| {} | {} |", names.join(", "), row.instead).unwrap();
    }
}

/// The numbers between 4 and 124 that no option of a socket of libzmq's has; 70 is one of its context.
const UNUSED: [i32; 9] = [10, 20, 26, 29, 30, 67, 70, 82, 83];

#[test]
fn every_option_of_libzmq_drafts_as_well_is_here_or_said_to_be_left_out() {
    let here: HashSet<_> = TABLE
        .iter()
        .filter_map(|row| row.zmq)
        .map(|(_, number)| number)
        .collect();
    let others: Vec<_> = ELSEWHERE
        .iter()
        .chain(LEFT_OUT)
        .flat_map(|row| row.options)
        .map(|(_, number)| *number)
        .collect();
    for number in 4..=124 {
        if [68, 99, 100].contains(&number) && cfg!(not(feature = "socks")) {
            continue;
        }
        let exists = !UNUSED.contains(&number);
        let times = usize::from(here.contains(&number))
            + others.iter().filter(|one| **one == number).count();
        assert_eq!(times, usize::from(exists), "option {number}");
        assert_eq!(
            why_absent(number).is_some(),
            exists && !here.contains(&number)
        );
    }
    for number in others {
        assert!(!here.contains(&number), "option {number} is in both tables");
    }
}

const NOT_OPTIONS: &str = "
## Not an option here

What these options of libzmq do is done otherwise:

| in libzmq | here |
|---|---|
";

const NOT_HERE: &str = "
## Left out

| in libzmq | why |
|---|---|
";

const OF_THE_CONTEXT: &str = "
## Options of the context

| in libzmq | here |
|---|---|
";

const PREFACE: &str = r#"# Socket options

<!-- Written from the lists in patterns/src/options by a test: edit there, then run
     PUREZMQ_WRITE_DOCS=1 cargo test -p purezmq --all-features options -->

Each option is a method of the socket's builder:

```rust
# use std::time::Duration;
# use purezmq::PushSocket;
# fn main() -> Result<(), Box<dyn std::error::Error>> {
let push = PushSocket::builder()
    .send_hwm(10_000)
    .linger(Duration::from_secs(2))
    .build()?;
# drop(push);
# Ok(())
# }
```

A value out of range makes `build()` fail with an `OptionError` that names option, value and
range. An option that a socket type does not have does not compile for it. Where a value may be
`None`, the method takes the bare value as well.

Options of a socket that is there already are changed with the same methods; each row says when that takes
effect:

```rust
# use std::time::Duration;
# fn main() -> Result<(), Box<dyn std::error::Error>> {
# let mut push = purezmq::PushSocket::new();
push.set_options(|options| options.send_hwm(20_000).send_timeout(Duration::from_secs(1)))?;
# Ok(())
# }
```

Options are read and set by name and by libzmq's number, too, with the same checks. An option that the socket type
does not have is an `OptionError` then, which says which types have it:

```rust
# use purezmq::SocketType;
# use purezmq::options::{OptionId, Options, ZmqValue};
# fn main() -> Result<(), Box<dyn std::error::Error>> {
let mut options = Options::of(SocketType::Push);
options.set(OptionId::by_name("send_hwm").unwrap(), 20_000)?;
let linger = OptionId::by_number(17).unwrap();
options.set(linger, linger.parse("2 s")?)?;
options.set_zmq(linger, ZmqValue::Int(-1))?;
# Ok(())
# }
```

`get_zmq` and `set_zmq` take values as libzmq has them: -1 or 0 for "none", milliseconds, numbers for switches. With
the feature `serde`, options are a map of names to values.

Sockets differ from the table's defaults in three points: SUB, XSUB and DISH have a `linger` of zero, PUB, XPUB and RADIO
one of 5 s and a `write_timeout` of 60 s, and PUSH, SCATTER, RADIO and PUB, to which peers have little to send, a
`max_message_size`.

| option | in libzmq | type or unit | default | allowed | sockets | a change takes effect | meaning |
|---|---|---|---|---|---|---|---|
"#;
