//! The same scenario against libzmq and against us: what is observed must be the same.
//!
//! A scenario (`script.rs` has its language) names sockets and says step by step what they do and what
//! comes of it. Each is run with libzmq at both ends, which is the reference; with our sockets at both ends;
//! and, where two implementations can meet, with ours at either end. Where we differ on purpose, the
//! scenario says what we do instead, and why; `docs/rules.md` has the list.
//!
//! A scenario waits for messages and for monitor events, never for time to pass. Only `idle` can't do
//! better than to wait a little for what must not come.

mod backend;
mod libzmq;
mod ours;
mod pyzmq;
mod run;
mod script;
mod text;

mod conflate;
mod connections;
mod dealers;
mod endpoints;
mod events;
mod hwm;
mod lingering;
mod pairs;
mod pipelines;
mod publishers;
mod relays;
mod requests;
mod routers;
mod scatters;
mod subscriptions;
