//! What keeps the public traits to this crate.

/// Implemented by what this library has; code elsewhere cannot name it.
pub trait Sealed {}
