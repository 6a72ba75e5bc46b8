//! Who gets in and who does not: mechanisms and their limits, ZAP, keys in files, TLS; with libzmq and pyzmq where they
//! have it. Two thousand attackers at once are in `tests/footprint`, since they take a process of their own.

mod authority;
mod bounds;
mod departures;
mod doors;
mod ends;
mod files;
mod globals;
mod history;
mod interop;
mod interop_refusals;
mod interop_traffic;
mod message_sizes;
mod newer_types;
mod order;
mod subscriptions;
mod tls;
mod tls_refusals;
mod tls_websocket;
mod told;
#[cfg(target_os = "linux")]
mod traces;
