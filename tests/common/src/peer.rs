//! The interface of a real peer: what the matrix asks of libzmq and of pyzmq alike.

use super::payload::{Digest, Recipe};

/// A socket of another implementation. Each call panics with the peer's own words when it fails, and
/// is bounded by 30 seconds.
pub trait Peer: Sized {
    /// Opens a socket of the type that libzmq calls `kind`: `REQ`, `ROUTER`, `XPUB`.
    async fn open(kind: &str) -> Self;

    /// Binds; says the resolved endpoint.
    async fn bind(&mut self, endpoint: &str) -> String;

    async fn connect(&mut self, endpoint: &str);

    async fn subscribe(&mut self, topic: &str);

    /// Sends one message after the other; says their digests.
    async fn send(&mut self, recipes: &[Recipe]) -> Vec<Digest>;

    /// Receives `count` messages; says their digests.
    async fn recv(&mut self, count: usize) -> Vec<Digest>;

    /// Sends back each of `count` messages as it is; says their digests.
    async fn echo(&mut self, count: usize) -> Vec<Digest>;

    /// As REQ: sends each message and awaits its reply; says the digests of both, in turn.
    async fn request(&mut self, recipes: &[Recipe]) -> Vec<Digest>;
}
