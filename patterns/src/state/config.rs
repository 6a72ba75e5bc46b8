//! [`Config`]: what a socket is and how it is set up; and what follows from the options for its pipes.

use std::sync::{Arc, OnceLock, Weak};

use zmtp::{Batch, Message};

use crate::options::Options;
use crate::pipe::Limits;
use crate::rules::{Protocol, Rules};
use crate::sync::Mutex;

/// What a socket is and how it is set up: a snapshot, which does not change. Sockets that are set up alike share one.
pub(crate) struct Config {
    pub(crate) rules: &'static Rules,
    pub(crate) options: Options,
    /// What the options are to ZMTP, once a connection has asked (`wire.rs`).
    pub(super) zmtp: OnceLock<Arc<zmtp::Config>>,
}

/// How many configurations a context looks through for one that a socket can share.
const KNOWN: usize = 8;

/// The configurations that sockets of a context have, those that were asked for last: a thousand sockets that are set up alike
/// have one, and each would be a kilobyte.
#[derive(Default)]
pub(crate) struct Configs(Mutex<Vec<Weak<Config>>>);

impl Configs {
    /// Returns the configuration that says this.
    pub(super) fn of(&self, rules: &'static Rules, options: Options) -> Arc<Config> {
        let mut known = self.0.lock();
        // Those that are on the way from one option to the next are nobody's when the socket is set up.
        known.retain(|one| one.strong_count() > 0);
        let found = known.iter().enumerate().find_map(|(at, one)| {
            let is_it = |one: &Arc<Config>| {
                std::ptr::eq(one.rules, rules) && one.options.are_same(&options)
            };
            one.upgrade().filter(is_it).map(|one| (at, one))
        });
        if let Some((at, config)) = found {
            known[at..].rotate_left(1);
            return config;
        }
        let config = Arc::new(Config {
            rules,
            options,
            zmtp: OnceLock::new(),
        });
        if known.len() == KNOWN {
            known.remove(0);
        }
        known.push(Arc::downgrade(&config));
        config
    }
}

impl Config {
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

/// Returns the hello, the probe for ROUTERs, or the welcome for subscribers. Few sockets have any.
pub(super) fn first_messages(options: &Options) -> Option<Box<Batch>> {
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
    (!first.is_empty()).then(|| Box::new(first))
}

#[cfg(test)]
mod tests {
    use zmtp::SocketType;
    use zmtp::mechanism::{Config as Security, KeyPair};

    use super::*;

    fn of(configs: &Configs, change: impl FnOnce(&mut Options)) -> Arc<Config> {
        let mut options = Options::of(SocketType::Push);
        change(&mut options);
        let rules = Rules::of(SocketType::Push).expect("PUSH has a row");
        configs.of(rules, options)
    }

    #[test]
    fn sockets_that_are_set_up_alike_share_their_configuration_and_others_do_not() {
        let configs = Configs::default();
        let keys = KeyPair::generate();
        let plain = of(&configs, |_| {});
        let named = of(&configs, |options| options.name = Some("one".to_owned()));
        let secure = of(&configs, |options| {
            options.security = Security::curve_server(keys.clone());
        });
        let other = of(&configs, |options| {
            let keys = KeyPair::generate();
            options.security = Security::curve_server(keys);
        });
        let all = [&plain, &named, &secure, &other];
        for (at, one) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|other| !Arc::ptr_eq(one, other)));
        }
        assert!(Arc::ptr_eq(&plain, &of(&configs, |_| {})));
        let again = of(&configs, |options| {
            options.security = Security::curve_server(keys);
        });
        assert!(Arc::ptr_eq(&secure, &again));
    }

    #[test]
    fn a_configuration_that_nobody_has_is_not_kept_and_few_are_looked_through() {
        let configs = Configs::default();
        let with_hwm = |hwm| of(&configs, |options| options.send_hwm = hwm);
        for hwm in 0..100 {
            with_hwm(hwm);
            assert!(configs.0.lock().len() <= 1);
        }
        let all: Vec<_> = (0..100).map(with_hwm).collect();
        assert_eq!(configs.0.lock().len(), KNOWN);
        // Of those that are known, the one that was asked for last stays longest.
        assert!(Arc::ptr_eq(&all[92], &with_hwm(92)));
        let more: Vec<_> = (100..107).map(with_hwm).collect();
        assert!(Arc::ptr_eq(&all[92], &with_hwm(92)));
        assert_eq!(more.len(), 7);
        assert!(!Arc::ptr_eq(&all[99], &with_hwm(99)));
    }
}
