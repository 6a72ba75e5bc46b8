//! Seeing inside: what a process tells of its sockets, to whoever asks, to Prometheus, and to a trace.

mod exposed;
mod exposed_to_strangers;
mod metrics;
mod prometheus;
mod traces;
