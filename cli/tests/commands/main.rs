//! The commands of `pzmq`, driven as a person would.

mod doctor;
mod help;
mod input;
mod layered;
mod ping;
mod proxy;
mod readme;
mod running;
mod security;
mod sockets;
