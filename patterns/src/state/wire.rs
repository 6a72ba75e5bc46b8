//! How a socket's options look to the engines of its connections. Sessions begin with it.

use std::sync::Arc;

use zmtp::RawConfig;

use super::Config;
use crate::security;

impl Config {
    /// Returns what matters to ZMTP: one for all connections.
    pub(crate) fn zmtp(&self) -> Arc<zmtp::Config> {
        self.zmtp.get_or_init(|| Arc::new(self.make_zmtp())).clone()
    }

    fn make_zmtp(&self) -> zmtp::Config {
        let options = &self.options;
        let mut config = zmtp::Config::new(self.rules.socket_type);
        config.routing_id = options.routing_id.clone().unwrap_or_default();
        if let Some(limit) = options.max_message_size {
            config.limits.max_message = limit as u64;
        }
        config.limits.max_frames = options.max_frames;
        config.limits.max_handshake = options.max_handshake_size;
        config.limits.max_command = options.max_command_size;
        // The session's own timer covers the handshake.
        config.handshake_timeout = None;
        config.mechanism = options.security.clone();
        config.drain = options.announce_draining;
        config.metadata = options.told_properties();
        config.authenticate = security::asks(options);
        config.require_server_role = options.require_server_role;
        #[cfg(feature = "curve")]
        {
            config.curve_gaps = options.curve_gaps;
        }
        config.heartbeat = options
            .heartbeat()
            .map(|(interval, timeout, ttl)| zmtp::Heartbeat {
                interval,
                timeout,
                ttl,
            });
        config
    }

    /// Returns what matters where there is no protocol.
    pub(crate) fn raw(&self) -> RawConfig {
        let mut config = RawConfig::default();
        if let Some(most) = self.options.max_message_size {
            config.max_chunk = most;
        }
        config.authenticate = security::asks(&self.options);
        config
    }
}
