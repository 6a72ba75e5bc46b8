//! `pzmq` with pyzmq at the other end, in every pattern, driven as a person would. What needs no other implementation is
//! tested in `cli/tests/`.

mod drafts;
mod looking;
mod patterns;
mod tool;
