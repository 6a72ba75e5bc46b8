//! What several programs of the guide's patterns share. README.md says which program shows what.

pub mod binary_star;
pub mod majordomo;
#[cfg(feature = "titanic")]
pub mod store;
