//! The guide's patterns: each starts its programs, has happen what the pattern is about, and sees that it comes out well.

mod binary_star;
mod freelance;
mod lazy_pirate;
mod majordomo;
mod paranoid_pirate;
mod simple_pirate;
mod titanic;
