//! Rules of `docs/rules.md` that no scenario of `tests/differential` can say: those that are about bytes, times, numbers
//! of events, and calls that only we have. One file for each group of rules.

mod all;
mod channel;
mod conflate;
mod conn;
mod dgram;
mod inproc;
mod pair;
mod peer;
mod pipeline;
mod pubsub;
mod radio;
mod reqrep;
mod scatter;
mod server;
mod stream;
mod stream_ends;
mod stream_names;
mod udp;
mod udp_groups;
