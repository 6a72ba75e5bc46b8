//! What newcomers ask is answered, at most two clicks from the README: here are their questions, as they put them, the heading
//! under which the answer stands, and words without which it would be none. And each word that they stumble over is explained.

use std::fs;

use crate::links::{prose, root};

/// A question, where it is answered (a page of the book, or of the repository that the README links to, and a heading there;
/// none is the page's beginning), and what the answer says.
struct Question(
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

const QUESTIONS: [Question; 27] = [
    Question(
        "What do I put into Cargo.toml, and which features has tokio to have?",
        "book/src/start.md",
        "Make a project",
        &["cargo add purezmq", "macros,rt-multi-thread"],
    ),
    Question(
        "Which features does the crate have?",
        "book/src/start.md",
        "Features of the crate",
        &["`curve`", "`tls`", "--features"],
    ),
    Question(
        "Which Rust? Windows, macOS?",
        "book/src/start.md",
        "",
        &["or newer", "Windows", "macOS"],
    ),
    Question(
        "What happens when a runtime ends?",
        "book/src/runtimes.md",
        "When a runtime ends before its socket",
        &["with_io_threads", "`SendError::Gone`", "`connect` again"],
    ),
    Question(
        "What is lost when main returns?",
        "book/src/runtimes.md",
        "The end of a program",
        &["close().await", "Context"],
    ),
    Question(
        "May many tasks share one DEALER?",
        "book/src/requests.md",
        "Asking",
        &["Requester", "timeout", "retries"],
    ),
    Question(
        "What is logged?",
        "book/src/operating.md",
        "Logs",
        &["RUST_LOG=purezmq", "WARN"],
    ),
    Question(
        "How do statistics come to Prometheus?",
        "book/src/operating.md",
        "What to watch",
        &["Prometheus", "docs/metrics.md"],
    ),
    Question(
        "How does a server stop gracefully?",
        "book/src/operating.md",
        "A graceful stop",
        &["drain", "SIGTERM"],
    ),
    Question(
        "How do I wait for two sockets without tokio?",
        "book/src/runtimes.md",
        "Without a runtime",
        &["Poller"],
    ),
    Question(
        "Where are Context and term?",
        "book/src/from-libzmq.md",
        "Context",
        &["`zmq_ctx_term`", "`context.close(limit).await`"],
    ),
    Question(
        "Where are NOBLOCK, SNDMORE and RCVMORE?",
        "book/src/from-libzmq.md",
        "Sockets",
        &["ZMQ_NOBLOCK", "ZMQ_SNDMORE", "ZMQ_RCVMORE"],
    ),
    Question(
        "Where is zmq_msg_gets?",
        "book/src/from-libzmq.md",
        "Messages",
        &["zmq_msg_gets", "zmq_msg_more"],
    ),
    Question(
        "Where is the Poller?",
        "book/src/from-libzmq.md",
        "Waiting for several",
        &["zmq_poll", "zmq_poller_"],
    ),
    Question(
        "Where are z85 and curve_keypair?",
        "book/src/from-libzmq.md",
        "Security",
        &["zmq_z85_encode", "zmq_curve_keypair"],
    ),
    Question(
        "Why does ROUTER's answer to REQ begin with an empty frame?",
        "book/src/requests.md",
        "Why ROUTER's answer to REQ begins with an empty frame",
        &["respond"],
    ),
    Question(
        "A complete pair with Python at the other end?",
        "book/src/start.md",
        "With Python at the other end",
        &["import zmq", "python"],
    ),
    Question(
        "XPUB or PUB?",
        "book/src/patterns.md",
        "Publish and subscribe",
        &["PUB or XPUB?"],
    ),
    Question(
        "DEALER or REQ?",
        "book/src/patterns.md",
        "Peers with names",
        &["DEALER or REQ?"],
    ),
    Question(
        "CURVE from zero?",
        "book/src/security.md",
        "CURVE from zero",
        &["KeyPair", "save_certificate"],
    ),
    Question(
        "How are keys changed?",
        "book/src/security.md",
        "Rotation",
        &["key"],
    ),
    Question(
        "How is a key taken back?",
        "book/src/security.md",
        "Revocation",
        &["disconnect"],
    ),
    Question(
        "It is connected, and nothing comes: where do I look?",
        "book/src/troubleshooting.md",
        "It is connected, and nothing comes",
        &["subscribe", "first frame", "dropped"],
    ),
    Question(
        "How do I run it by systemd?",
        "book/src/operating.md",
        "systemd",
        &["[Service]", "LimitNOFILE", "adopt"],
    ),
    Question(
        "And in containers?",
        "book/src/operating.md",
        "Containers",
        &["SIGTERM", "docker stop"],
    ),
    Question(
        "How many files, and how large a high-water mark?",
        "book/src/operating.md",
        "Limits",
        &["ulimit -n", "send_hwm_bytes"],
    ),
    Question(
        "How is a running server replaced?",
        "book/src/operating.md",
        "Replacing a process",
        &["drain", "scripts/rolling"],
    ),
];

/// What a page would have to explain, and the glossary does.
const WORDS: [&str; 26] = [
    "pipe",
    "session",
    "mute",
    "envelope",
    "delimiter",
    "high-water mark",
    "linger",
    "conflate",
    "ZAP",
    "ZMTP",
    "NULL",
    "PLAIN",
    "CURVE",
    "READY",
    "ERROR",
    "greeting",
    "fair queue",
    "probe",
    "notice",
    "inproc",
    "handover",
    "Z85",
    "expelled",
    "rule numbers",
    "routing id",
    "slow joiner",
];

/// What somebody knows who has written socket code by hand, and looks for here.
const BY_HAND: [&str; 14] = [
    "listen(fd, backlog)",
    "getpeername",
    "`recv` returns 0",
    "shutdown(SHUT_WR)",
    "plain TCP",
    "SOCK_RAW",
    "SOCK_DGRAM",
    "sendto",
    "recvfrom",
    "descriptors 0, 1 and 2",
    "stderr",
    "TCP_NODELAY",
    "EINTR",
    "SIGPIPE",
];

fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// What stands under a heading, up to the next one of its level or above; with no heading, before the first of the second
/// level.
fn section(page: &str, heading: &str) -> Option<String> {
    let level = |line: &str| line.bytes().take_while(|byte| *byte == b'#').count();
    let (mut own, mut found, mut code) = (None, String::new(), false);
    if heading.is_empty() {
        own = Some(1);
    }
    for line in page.lines() {
        code ^= line.starts_with("```");
        let depth = if code { 0 } else { level(line) };
        match own {
            None if depth > 0 && line.trim_start_matches('#').trim() == heading => {
                own = Some(depth)
            }
            Some(1) if heading.is_empty() && depth > 1 => break,
            Some(own) if !heading.is_empty() && depth > 0 && depth <= own => break,
            Some(_) => found = found + line + "\n",
            None => {}
        }
    }
    own.map(|_| found)
}

#[test]
fn what_newcomers_ask_is_answered_where_they_look() {
    let readme = read("README.md");
    let mut wrong = Vec::new();
    for Question(asked, page, heading, says) in QUESTIONS {
        // book.rs holds that each page is linked there, or on a page that is: the answer is at the second click at most.
        if !readme.contains(page) {
            wrong.push(format!("{asked} README does not link to {page}"));
        }
        let Some(answer) = section(&read(page), heading) else {
            wrong.push(format!("{asked} {page} has no heading {heading:?}"));
            continue;
        };
        let missing: Vec<_> = says.iter().filter(|word| !answer.contains(*word)).collect();
        if !missing.is_empty() {
            wrong.push(format!(
                "{asked} {page}, {heading:?}, does not say {missing:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn words_that_are_no_plain_english_are_in_the_glossary() {
    let glossary = read("book/src/glossary.md");
    let explained: Vec<_> = glossary
        .lines()
        .filter_map(|line| line.strip_prefix("| **")?.split_once("**"))
        .map(|(word, _)| word)
        .collect();
    let missing: Vec<_> = WORDS
        .into_iter()
        .filter(|word| !explained.iter().any(|row| row.contains(word)))
        .collect();
    assert!(missing.is_empty(), "not in the glossary: {missing:?}");
}

/// Rows of "From hand-written socket code to this library".
#[test]
fn what_was_done_by_hand_has_its_row() {
    let page = prose(&read("examples/README.md"));
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with('|')).collect();
    let missing: Vec<_> = BY_HAND
        .into_iter()
        .filter(|word| !rows.iter().any(|row| row.contains(word)))
        .collect();
    assert!(
        missing.is_empty(),
        "no row in examples/README.md: {missing:?}"
    );
}
