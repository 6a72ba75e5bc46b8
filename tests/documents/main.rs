//! What is written for users is true: examples run and say what they should, and each rule has its test.

mod examples;
mod rules;
