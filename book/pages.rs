//! The pages of the book, so that their code is compiled, and run where no peer of another program is needed for it, with
//! all other documentation: `cargo test --doc -p purezmq-book`. The book itself is made by `scripts/book`.

/// Has the code of pages compiled as that of these comments is.
macro_rules! pages {
    ($($name:ident = $path:literal)*) => {$(
        #[cfg(doctest)]
        #[doc = include_str!($path)]
        struct $name;
    )*};
}

pages! {
    Start = "src/start.md"
    FromLibzmq = "src/from-libzmq.md"
    FromPyzmq = "src/from-pyzmq.md"
    FromRustZmq = "src/from-rust-zmq.md"
    FromZmqRs = "src/from-zmq-rs.md"
}
