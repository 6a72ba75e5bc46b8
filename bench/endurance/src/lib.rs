//! What the long runs (`soak`) and the large ones (`scale`) share: what the process holds, and curves of it.

pub mod holdings;
pub mod plot;

/// Whatever went wrong, for a program that can only say so and end.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
