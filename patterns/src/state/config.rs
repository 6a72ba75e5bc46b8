//! [`Config`]: what a socket is and how it is set up; and what follows from the options for its pipes.

use std::sync::{Arc, OnceLock};

use zmtp::{Batch, Message};

use crate::options::Options;
use crate::pipe::Limits;
use crate::rules::{Protocol, Rules};

/// What a socket is and how it is set up: a snapshot, which does not change.
pub(crate) struct Config {
    pub(crate) rules: &'static Rules,
    pub(crate) options: Options,
    /// What the options are to ZMTP, once a connection has asked (`wire.rs`).
    pub(super) zmtp: OnceLock<Arc<zmtp::Config>>,
}

impl Config {
    pub(super) fn new(rules: &'static Rules, options: Options) -> Arc<Self> {
        Arc::new(Config {
            rules,
            options,
            zmtp: OnceLock::new(),
        })
    }

    /// Returns whether the application is to hear which peers come and go.
    pub(crate) fn tells_of_peers(&self) -> bool {
        match self.rules.speaks {
            Protocol::Zmtp => self.options.notify,
            Protocol::Raw => self.options.stream_notify,
        }
    }

    /// Returns what the application reads when a connection is lost, as if the peer had sent it. By inproc either side hears
    /// that the other has gone, as of a connection `is_accepted`.
    pub(crate) fn words(&self, is_accepted: bool) -> Option<Message> {
        let words = if is_accepted {
            &self.options.disconnect_message
        } else {
            &self.options.hiccup_message
        };
        words.clone().map(Message::from)
    }
}

/// Returns what a socket's pipes may hold: what is sent, and what is received.
pub(super) fn limits(rules: &Rules, options: &Options) -> (Limits, Limits) {
    // What goes the other way is subscriptions, and none of them may take the place of another.
    let Rules {
        publishes,
        subscribes,
        ..
    } = *rules;
    let send = Limits {
        hwm: options.send_hwm,
        bytes: options.send_hwm_bytes,
        ttl: options.send_ttl,
        conflate: options.conflate && !subscribes,
        by_topic: options.conflate_topics && publishes,
    };
    let recv = Limits {
        hwm: options.recv_hwm,
        bytes: options.recv_hwm_bytes,
        ttl: None,
        conflate: options.conflate && !publishes,
        by_topic: options.conflate_topics && !publishes,
    };
    (send, recv)
}

/// Returns the hello, the probe for ROUTERs, or the welcome for subscribers.
pub(super) fn first_messages(options: &Options) -> Batch {
    let mut first = Batch::new();
    if let Some(hello) = &options.hello_message {
        first.push_owned(Message::from(hello.clone()), usize::MAX);
    }
    if options.probe_router {
        first.push_owned(Message::from(""), usize::MAX);
    }
    if let Some(welcome) = &options.welcome {
        first.push_owned(Message::from(welcome.clone()), usize::MAX);
    }
    first
}
