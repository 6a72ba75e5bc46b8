//! The guide's patterns: each starts its programs, has happen what the pattern is about, and sees that it comes out well.

mod async_server;
mod binary_star;
mod clone;
mod espresso;
mod file_transfer;
mod freelance;
mod ironhouse;
mod last_value_cache;
mod lazy_pirate;
mod load_balancer;
mod majordomo;
mod paranoid_pirate;
mod simple_pirate;
mod suicidal_snail;
mod titanic;
