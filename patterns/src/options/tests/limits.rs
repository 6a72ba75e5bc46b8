//! The limits of every option, and values just beyond.

use std::time::Duration;

use bytes::Bytes;

use crate::options::*;

/// For each option: values at the limits of its range, and values just beyond.
pub(super) fn limits() -> Vec<(&'static str, Vec<Value>, Vec<Value>)> {
    let second = Duration::from_secs;
    let nanosecond = Duration::from_nanos(1);
    let switch = || (vec![true.into(), false.into()], vec![Value::None]);
    let any_number = || {
        (
            vec![0.into(), usize::MAX.into()],
            vec![(-1).into(), Value::Integer(1 << 64), Value::None],
        )
    };
    let some_bytes = || {
        (
            vec![Value::None, 1.into(), usize::MAX.into()],
            vec![0.into(), Value::Integer(1 << 64)],
        )
    };
    let number_or_none = || {
        (
            vec![Value::None, 0.into(), usize::MAX.into()],
            vec![(-1).into(), Value::Integer(1 << 64)],
        )
    };
    let time = |least: Duration, most: Duration| {
        let mut beyond = vec![(most + nanosecond).into(), Value::from(Duration::MAX)];
        beyond.extend(least.checked_sub(nanosecond).map(Value::from));
        (vec![Value::None, least.into(), most.into()], beyond)
    };
    let zero_up = || time(Duration::ZERO, MAX);
    let millisecond_up = || time(MILLISECOND, MAX);
    let length = |bytes: usize| Value::from("x".repeat(bytes));
    let ids = |good: &'static str, bad: &[&'static str]| {
        let bad = bad.iter().map(|bad| Value::from(*bad)).collect();
        (vec![Value::None, "7".into(), good.into()], bad)
    };
    let some_message = || (vec![Value::None, length(1), length(70_000)], vec![]);
    let rows = [
        ("send_hwm", any_number()),
        ("recv_hwm", any_number()),
        ("send_hwm_bytes", number_or_none()),
        ("recv_hwm_bytes", number_or_none()),
        ("departed_hwm", number_or_none()),
        ("departed_hwm_bytes", number_or_none()),
        ("send_ttl", millisecond_up()),
        ("conflate", switch()),
        ("conflate_topics", switch()),
        ("immediate", switch()),
        ("linger", zero_up()),
        (
            "name",
            (
                vec![length(1), length(255)],
                vec![length(256), "line\nbreak".into()],
            ),
        ),
        ("send_timeout", zero_up()),
        ("recv_timeout", zero_up()),
        ("busy_poll", time(Duration::ZERO, second(1))),
        (
            "routing_id",
            (
                vec![
                    Value::None,
                    Bytes::from_static(&[1]).into(),
                    Bytes::from_static(&[0, 0, 0, 1]).into(),
                    Bytes::from(vec![255; 255]).into(),
                    length(255),
                ],
                vec![
                    Bytes::new().into(),
                    Bytes::from_static(&[0, 1, 2, 3, 4]).into(),
                    length(256),
                ],
            ),
        ),
        ("relaxed", switch()),
        ("correlate", switch()),
        ("probe_router", switch()),
        ("hello_message", some_message()),
        ("disconnect_message", some_message()),
        ("hiccup_message", some_message()),
        ("mandatory", switch()),
        ("same_connection", switch()),
        ("tied_names", switch()),
        ("handover", switch()),
        ("handover_limit", millisecond_up()),
        ("notify", switch()),
        ("stream_notify", switch()),
        ("no_drop", switch()),
        (
            "slow_subscriber",
            (
                vec![
                    "DropNewest".into(),
                    "DropOldest".into(),
                    "Disconnect".into(),
                ],
                vec!["dropnewest".into(), "".into(), Value::None],
            ),
        ),
        ("invert_matching", switch()),
        ("verbose", switch()),
        ("verboser", switch()),
        ("manual", switch()),
        ("manual_last_value", switch()),
        (
            "welcome",
            (
                vec![Value::None, Bytes::new().into(), length(70_000)],
                vec![],
            ),
        ),
        ("only_first_subscribe", switch()),
        ("max_subscriptions", number_or_none()),
        ("max_subscription_bytes", number_or_none()),
        ("max_all_subscriptions", number_or_none()),
        ("max_all_subscription_bytes", number_or_none()),
        ("max_message_size", number_or_none()),
        (
            "max_frames",
            (
                vec![1.into(), usize::MAX.into()],
                vec![0.into(), Value::None],
            ),
        ),
        (
            "max_handshake_size",
            (vec![512.into()], vec![511.into(), Value::None]),
        ),
        (
            "max_command_size",
            (vec![512.into()], vec![511.into(), Value::None]),
        ),
        ("max_connections", some_bytes()),
        ("max_connections_per_address", some_bytes()),
        ("max_handshakes", some_bytes()),
        ("max_all_handshake_bytes", number_or_none()),
        ("reconnect_interval", millisecond_up()),
        ("reconnect_interval_max", millisecond_up()),
        ("reconnect_after_refusal", millisecond_up()),
        ("connect_timeout", millisecond_up()),
        ("handshake_timeout", millisecond_up()),
        ("write_timeout", millisecond_up()),
        ("heartbeat_interval", millisecond_up()),
        ("heartbeat_timeout", millisecond_up()),
        ("heartbeat_ttl", time(Duration::from_millis(100), MAX_TTL)),
        (
            "affinity",
            (
                vec![0.into(), u64::MAX.into()],
                vec![(-1).into(), Value::Integer(1 << 64)],
            ),
        ),
        ("require_authentication", switch()),
        (
            "zap_domain",
            (vec![length(1), length(255)], vec![length(256)]),
        ),
        ("zap_enforce_domain", switch()),
        ("require_server_role", switch()),
        ("curve_gaps", switch()),
        ("announce_draining", switch()),
        (
            "tls_server_name",
            (
                vec![Value::None, "localhost".into(), "::1".into()],
                vec!["".into(), "a b".into()],
            ),
        ),
        ("ipv6", switch()),
        ("multicast_loop", switch()),
        (
            "backlog",
            (
                vec![1.into(), 65_535.into()],
                vec![0.into(), 65_536.into(), Value::None],
            ),
        ),
        (
            "send_buffer",
            (
                vec![Value::None, 1.into(), i32::MAX.into()],
                vec![0.into(), (1_i64 << 31).into()],
            ),
        ),
        (
            "recv_buffer",
            (
                vec![Value::None, 1.into(), i32::MAX.into()],
                vec![0.into(), (1_i64 << 31).into()],
            ),
        ),
        (
            "tos",
            (vec![0.into(), 255.into()], vec![256.into(), (-1).into()]),
        ),
        (
            "multicast_hops",
            (
                vec![1.into(), 255.into()],
                vec![0.into(), 256.into(), (-1).into()],
            ),
        ),
        (
            "bind_device",
            (
                vec![Value::None, length(1), length(15)],
                vec!["".into(), length(16), "a\0".into()],
            ),
        ),
        (
            "priority",
            (
                vec![0.into(), i32::MAX.into()],
                vec![(-1).into(), (1_i64 << 31).into(), Value::None],
            ),
        ),
        (
            "system_busy_poll",
            time(
                Duration::from_micros(1),
                Duration::from_micros(i32::MAX as u64),
            ),
        ),
        (
            "accept_networks",
            (
                vec![
                    Value::None,
                    "10.0.0.0/8".into(),
                    "::1/128,10.1.2.3/32".into(),
                ],
                vec![
                    "10.0.0.0/33".into(),
                    "::/129".into(),
                    "localhost".into(),
                    "uid:3".into(),
                    "/".into(),
                ],
            ),
        ),
        (
            "accept_users",
            ids("0,4294967295", &["-1", "4294967296", "root"]),
        ),
        (
            "accept_groups",
            ids("0,4294967295", &["-1", "4294967296", "root"]),
        ),
        (
            "accept_processes",
            ids("-2147483648,2147483647", &["2147483648", "init"]),
        ),
        (
            "reconnect_stop",
            (
                vec![Value::None, "Refused,HandshakeFailed,Disconnected".into()],
                vec!["refused".into(), "Refused;Disconnected".into()],
            ),
        ),
        (
            "properties",
            (
                vec![
                    Value::None,
                    "X-a:1".into(),
                    "X-a:x: y\nX-B:2".into(),
                    format!("X-{}:{}", "a".repeat(253), "v".repeat(4096 - 5 - 255)).into(),
                ],
                vec![
                    "X-a".into(),
                    "X-a:".into(),
                    "X-:v".into(),
                    "Y-a:v".into(),
                    "x-a:v".into(),
                    "X-a b:v".into(),
                    "X-a:v\0".into(),
                    "X-Drain:1".into(),
                    "X-drain:1".into(),
                    format!("X-{}:v", "a".repeat(254)).into(),
                    format!("X-{}:{}", "a".repeat(253), "v".repeat(4096 - 4 - 255)).into(),
                ],
            ),
        ),
        ("verbose_unsubscribe", switch()),
        (
            "socks_username",
            (vec![Value::None, length(1), length(255)], vec![length(256)]),
        ),
        (
            "socks_password",
            (vec![Value::None, length(1), length(255)], vec![length(256)]),
        ),
        (
            "tcp_keepalive",
            (vec![Value::None, true.into(), false.into()], vec![]),
        ),
        (
            "tcp_keepalive_count",
            (
                vec![Value::None, 1.into(), 127.into()],
                vec![0.into(), 128.into()],
            ),
        ),
        ("tcp_keepalive_idle", time(SECOND, MAX_KEEPALIVE)),
        ("tcp_keepalive_interval", time(SECOND, MAX_KEEPALIVE)),
        ("tcp_user_timeout", millisecond_up()),
        (
            "socks_proxy",
            (
                vec![
                    Value::None,
                    "proxy:1".into(),
                    "[::1]:65535".into(),
                    "127.0.0.1:0;proxy:1".into(),
                ],
                vec![
                    "".into(),
                    "proxy".into(),
                    "proxy:0".into(),
                    "proxy:65536".into(),
                    "127.0.0.1:0;[::1]:1".into(),
                    "proxy:*".into(),
                ],
            ),
        ),
        (
            "ws_origins",
            (
                vec![
                    Value::None,
                    "*".into(),
                    "http://a.example,https://b:8080".into(),
                ],
                vec!["".into(), "a.example".into(), "http://a/b".into()],
            ),
        ),
        (
            "ipc_permissions",
            (
                vec![Value::None, 0.into(), 0o777.into()],
                vec![0o1000.into(), (-1).into()],
            ),
        ),
    ];
    rows.into_iter()
        .map(|(name, (good, bad))| (name, good, bad))
        .collect()
}
