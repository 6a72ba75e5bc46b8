//! What is written for users is true: examples run and say what they should, code compiles, figures are those of their tables,
//! newcomers find answers to what they ask, each rule has its test and is a link, each bound has its test, links lead somewhere,
//! and the book's tables of calls are complete.

mod blocks;
mod book;
mod bounds;
mod calls;
mod examples;
mod figures;
mod front_page;
mod links;
mod planted;
mod questions;
mod rule_links;
mod rules;
mod samples;
