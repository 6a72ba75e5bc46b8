//! What a program sees of our sockets, whatever the peer: messages and handles, cancelled and blocking calls, options,
//! queues and their limits, lifecycle, monitor, statistics, proxy; with peers that fail, and defects that others have had.
//!
//! What sockets of a type do with each other is said by the scenarios (`tests/differential`), and by `tests/spec` as far
//! as those cannot say it.

mod accept_filters;
mod addresses;
mod blocking;
mod bounded_calls;
mod busy_programs;
mod byte_limits;
mod call_limits;
mod calls_of_handles;
mod cancellation;
mod cells;
mod changed_marks;
mod changed_options;
mod closed_contexts;
mod closing_contexts;
mod conflate_topics;
mod counted;
mod delivery;
mod dialling_again;
mod disconnect_peer;
mod draft_options;
mod draining;
mod draining_proxies;
mod draining_wire;
mod ends;
mod ends_of_programs;
mod ends_of_runtimes;
mod failures;
mod fairness;
mod gone;
mod gone_before_bind;
mod handles;
mod heartbeats;
mod helper;
#[cfg(unix)]
mod ipc_files;
mod kills;
#[cfg(target_os = "linux")]
mod lent;
mod lifecycle;
mod linger;
mod lost_names;
mod message_peer;
mod message_peer_kept;
mod message_peer_libzmq;
mod messages;
mod monitor;
mod monitor_details;
mod multicast;
mod notices;
mod only_sending;
mod panics;
mod parting_words;
mod peers_of_ended_runtimes;
mod poller;
mod proxy;
mod queue_limits;
#[cfg(unix)]
mod quiet_writes;
mod ready_workers;
mod regressions;
mod requester;
mod requester_ends;
mod rolling;
mod seen_from_outside;
mod served;
mod slow_subscribers;
mod socks;
mod stats;
mod sums;
mod system_options;
mod tower_clients;
mod trust;
mod unread;
#[cfg(target_os = "linux")]
mod vsock;
mod web_servers;
mod websocket;
mod websocket_hostile;
mod whose_answer;
mod whose_number;
mod whose_place;
mod xpub_events;
