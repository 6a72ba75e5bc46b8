//! The pages of the book, so that their code is compiled, and run where no peer of another program is needed for it, with
//! all other documentation: `cargo test --doc -p purezmq-book`. The book itself is made by `scripts/book`.

#[cfg(test)]
mod cells;

/// Has the code of pages compiled as that of these comments is.
macro_rules! pages {
    ($($name:ident = $path:literal)*) => {$(
        #[cfg(doctest)]
        #[doc = include_str!($path)]
        struct $name;
    )*};
}

pages! {
    FromChannels = "src/from-channels.md"
    FromLibzmq = "src/from-libzmq.md"
    FromPyzmq = "src/from-pyzmq.md"
    FromRustZmq = "src/from-rust-zmq.md"
    FromZmqRs = "src/from-zmq-rs.md"
    Glossary = "src/glossary.md"
    Guide = "src/guide.md"
    Index = "src/index.md"
    Lecture = "src/lecture.md"
    Operating = "src/operating.md"
    Patterns = "src/patterns.md"
    Reliability = "src/reliability.md"
    Requests = "src/requests.md"
    Runtimes = "src/runtimes.md"
    Security = "src/security.md"
    Start = "src/start.md"
    Troubleshooting = "src/troubleshooting.md"
    Tuning = "src/tuning.md"
    Wire = "src/wire.md"
}
