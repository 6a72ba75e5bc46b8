//! What the long runs (`soak`), the large ones (`scale`) and the hostile ones (`attack`) share: what processes hold, curves
//! of it, and processes that exchange lines.

pub mod child;
pub mod holdings;
pub mod plot;

/// Whatever went wrong, for a program that can only say so and end.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
