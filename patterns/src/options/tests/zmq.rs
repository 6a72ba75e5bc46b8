//! Options with libzmq's values: what they mean here, what is refused, and what is read back.

use std::time::Duration;

use bytes::Bytes;
use zmtp::SocketType;

use super::values::{id, milliseconds};
use crate::options::*;

fn zmq(name: &str) -> OptionId {
    OptionId::by_zmq_name(&format!("ZMQ_{name}")).unwrap_or_else(|| panic!("no option {name}"))
}

/// Sets an `int` on a socket with all options, and returns what it means here and what is read back.
fn set_int(name: &str, number: i32) -> Option<(Value, i32)> {
    let mut options = Options::default();
    options.set_zmq(zmq(name), ZmqValue::Int(number)).ok()?;
    match options.get_zmq(zmq(name)) {
        Ok(ZmqValue::Int(read)) => Some((options.get(zmq(name)).unwrap(), read)),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn libzmqs_integers_mean_what_they_mean_there() {
    let longest = 2_147_483_000;
    // Option, number set, meaning and number read, or nothing if it is refused.
    type Row = (&'static str, i32, Option<(Value, i32)>);
    let rows: &[Row] = &[
        ("SNDHWM", 0, Some((0.into(), 0))),
        ("RCVHWM", -1, None),
        ("LINGER", -1, Some((Value::None, -1))),
        ("LINGER", 0, Some((milliseconds(0), 0))),
        ("LINGER", -2, None),
        ("LINGER", i32::MAX, Some((MAX.into(), longest))),
        ("RCVTIMEO", -1, Some((Value::None, -1))),
        ("SNDTIMEO", 100, Some((milliseconds(100), 100))),
        ("RECONNECT_IVL", -1, Some((Value::None, -1))),
        ("RECONNECT_IVL", 0, Some((Value::None, -1))),
        ("RECONNECT_IVL_MAX", 0, Some((Value::None, 0))),
        ("RECONNECT_IVL_MAX", -1, None),
        ("CONNECT_TIMEOUT", 0, Some((Value::None, 0))),
        ("HANDSHAKE_IVL", 0, Some((Value::None, 0))),
        ("HEARTBEAT_IVL", 1, Some((milliseconds(1), 1))),
        ("HEARTBEAT_TIMEOUT", 0, Some((MAX.into(), 0))),
        ("HEARTBEAT_TIMEOUT", -1, None),
        ("HEARTBEAT_TTL", 99, Some((Value::None, 0))),
        ("HEARTBEAT_TTL", -99, Some((Value::None, 0))),
        ("HEARTBEAT_TTL", -100, None),
        ("HEARTBEAT_TTL", 250, Some((milliseconds(200), 200))),
        (
            "HEARTBEAT_TTL",
            6_553_599,
            Some((milliseconds(6_553_500), 6_553_500)),
        ),
        ("HEARTBEAT_TTL", 6_553_600, None),
        ("TCP_MAXRT", 0, Some((Value::None, 0))),
        ("TCP_KEEPALIVE", -1, Some((Value::None, -1))),
        ("TCP_KEEPALIVE", 0, Some((false.into(), 0))),
        ("TCP_KEEPALIVE", 1, Some((true.into(), 1))),
        ("TCP_KEEPALIVE", 2, None),
        ("TCP_KEEPALIVE_CNT", -1, Some((Value::None, -1))),
        ("TCP_KEEPALIVE_CNT", 5, Some((5.into(), 5))),
        ("TCP_KEEPALIVE_CNT", 128, None),
        ("TCP_KEEPALIVE_IDLE", 60, Some((milliseconds(60_000), 60))),
        ("TCP_KEEPALIVE_INTVL", -1, Some((Value::None, -1))),
        ("SNDBUF", -1, Some((Value::None, -1))),
        ("SNDBUF", 0, Some((1.into(), 1))),
        ("RCVBUF", 4096, Some((4096.into(), 4096))),
        ("RCVBUF", -2, None),
        ("BACKLOG", 0, Some((1.into(), 1))),
        ("BACKLOG", 100_000, Some((65_535.into(), 65_535))),
        ("BACKLOG", -1, None),
        ("TOS", 255, Some((255.into(), 255))),
        ("TOS", 256, None),
        ("MULTICAST_HOPS", 1, Some((1.into(), 1))),
        ("MULTICAST_HOPS", 0, None),
        ("MULTICAST_LOOP", -1, Some((true.into(), 1))),
        ("MULTICAST_LOOP", 0, Some((false.into(), 0))),
        ("BUSY_POLL", 0, Some((Value::None, 0))),
        ("BUSY_POLL", -1, Some((Value::None, 0))),
        (
            "BUSY_POLL",
            50,
            Some((Duration::from_micros(50).into(), 50)),
        ),
        (
            "BUSY_POLL",
            i32::MAX,
            Some((Duration::from_micros(i32::MAX as u64).into(), i32::MAX)),
        ),
        ("RECONNECT_STOP", 0, Some((Value::None, 0))),
        (
            "RECONNECT_STOP",
            3,
            Some(("Refused,HandshakeFailed".into(), 3)),
        ),
        ("RECONNECT_STOP", 4, Some(("Disconnected".into(), 4))),
        // libzmq takes any number, and looks at three bits.
        (
            "RECONNECT_STOP",
            -1,
            Some(("Refused,HandshakeFailed,Disconnected".into(), 7)),
        ),
        ("PRIORITY", 0, Some((0.into(), 0))),
        ("PRIORITY", i32::MAX, Some((i32::MAX.into(), i32::MAX))),
        ("PRIORITY", -1, None),
        ("XSUB_VERBOSE_UNSUBSCRIBE", -1, Some((true.into(), 1))),
        ("IPV6", 1, Some((true.into(), 1))),
        ("IPV6", 2, None),
        ("IMMEDIATE", 2, None),
        ("CONFLATE", -1, None),
        ("REQ_RELAXED", 2, Some((true.into(), 1))),
        ("REQ_RELAXED", -1, None),
        ("INVERT_MATCHING", -1, Some((true.into(), 1))),
        ("ZAP_ENFORCE_DOMAIN", 7, Some((true.into(), 1))),
        ("ROUTER_NOTIFY", 0, Some((false.into(), 0))),
        ("ROUTER_NOTIFY", 3, Some((true.into(), 3))),
        ("ROUTER_NOTIFY", 1, None),
        ("MECHANISM", 0, None),
        ("MAXMSGSIZE", 5, None),
    ];
    for (name, number, expected) in rows {
        assert_eq!(set_int(name, *number), *expected, "{name} {number}");
    }
}

#[test]
fn every_integer_of_libzmqs_is_read_as_it_was_set_or_refused() {
    let special = [
        "HEARTBEAT_TTL",
        "BACKLOG",
        "SNDBUF",
        "RCVBUF",
        "BUSY_POLL",
        "RECONNECT_IVL",
        "RECONNECT_STOP",
        "IPC_FILTER_UID",
        "IPC_FILTER_GID",
        "IPC_FILTER_PID",
    ];
    for id in OptionId::all() {
        let Some((name, _)) = id.row().zmq else {
            continue;
        };
        if special.iter().any(|one| name == format!("ZMQ_{one}"))
            || id.row().kind == ValueKind::Bool
        {
            continue;
        }
        for number in [-2, -1, 0, 1, 2, 126, 65_534, 2_147_482] {
            let mut options = Options::default();
            if options.set_zmq(id, ZmqValue::Int(number)).is_ok() {
                assert_eq!(options.get_zmq(id), Ok(ZmqValue::Int(number)), "{name}");
            }
        }
        // What a socket starts with can be set again, unless it is only read.
        let value = Options::default().get_zmq(id).unwrap();
        let mut options = Options::default();
        let read_only = [
            "ZMQ_MECHANISM",
            "ZMQ_HEARTBEAT_TIMEOUT",
            "ZMQ_ROUTING_ID",
            "ZMQ_ZAP_DOMAIN",
            "ZMQ_METADATA",
        ];
        assert_eq!(
            options.set_zmq(id, value.clone()).is_err(),
            read_only.contains(&name),
            "{name} {value:?}"
        );
    }
}

#[test]
fn libzmqs_wider_numbers_bytes_and_text() {
    let rows = [
        ("MAXMSGSIZE", ZmqValue::Int64(-1), Some(Value::None)),
        ("MAXMSGSIZE", ZmqValue::Int64(i64::MIN), Some(Value::None)),
        ("MAXMSGSIZE", ZmqValue::Int64(0), Some(0.into())),
        (
            "AFFINITY",
            ZmqValue::UInt64(u64::MAX),
            Some(u64::MAX.into()),
        ),
        ("AFFINITY", ZmqValue::Int(1), None),
        (
            "ROUTING_ID",
            ZmqValue::Bytes(Bytes::from_static(b"me")),
            Some(Bytes::from_static(b"me").into()),
        ),
        ("ROUTING_ID", ZmqValue::Bytes(Bytes::new()), None),
        (
            "XPUB_WELCOME_MSG",
            ZmqValue::Bytes(Bytes::new()),
            Some(Value::None),
        ),
        ("ZAP_DOMAIN", ZmqValue::Text(String::new()), None),
        (
            "ZAP_DOMAIN",
            ZmqValue::Text("global".into()),
            Some("global".into()),
        ),
        #[cfg(feature = "socks")]
        (
            "SOCKS_PROXY",
            ZmqValue::Text(String::new()),
            Some(Value::None),
        ),
        #[cfg(feature = "socks")]
        ("SOCKS_PROXY", ZmqValue::Text("nowhere".into()), None),
        (
            "BINDTODEVICE",
            ZmqValue::Text("eth0".into()),
            Some("eth0".into()),
        ),
    ];
    for (name, value, expected) in rows {
        let mut options = Options::default();
        let set = options.set_zmq(zmq(name), value.clone());
        assert_eq!(set.is_ok(), expected.is_some(), "{name} {value:?}");
        if let Some(expected) = expected {
            assert_eq!(options.get(zmq(name)), Ok(expected), "{name}");
        }
    }
}

/// What an option is after libzmq's calls, one after the other; `None` for one that is refused.
fn after(name: &str, calls: &[(&[u8], bool)]) -> Value {
    let mut options = Options::default();
    for (memory, is_taken) in calls {
        let value = ZmqValue::from_bytes(zmq(name), memory);
        let set = value.map(|value| options.set_zmq(zmq(name), value));
        assert_eq!(matches!(set, Some(Ok(()))), *is_taken, "{name} {memory:?}");
    }
    options.get(zmq(name)).unwrap()
}

#[test]
fn libzmqs_lists_grow_by_an_entry_with_each_call() {
    let networks = after(
        "TCP_ACCEPT_FILTER",
        &[
            (b"10.0.0.0/8", true),
            (b"10.0.0.0/33", false),
            (b"10.0.0.0,::1", false),
            (b"unparsable", false),
            (b"::1", true),
        ],
    );
    assert_eq!(networks, "10.0.0.0/8,::1/128".into());
    let cleared = after("TCP_ACCEPT_FILTER", &[(b"10.0.0.0/8", true), (b"", true)]);
    assert_eq!(cleared, Value::None);
    let (seven, most) = (7_i32.to_ne_bytes(), u32::MAX.to_ne_bytes());
    for name in ["IPC_FILTER_UID", "IPC_FILTER_GID"] {
        let calls: [(&[u8], bool); 3] = [(&seven, true), (&[1, 2], false), (&most, true)];
        assert_eq!(after(name, &calls), "7,4294967295".into());
        let calls: [(&[u8], bool); 2] = [(&seven, true), (&[], true)];
        assert_eq!(after(name, &calls), Value::None);
    }
    let calls: [(&[u8], bool); 2] = [(&seven, true), (&most, true)];
    assert_eq!(after("IPC_FILTER_PID", &calls), "7,-1".into());
    let properties = after(
        "METADATA",
        &[
            (b"X-hello:hello", true),
            (b"X-connection:primary:1", true),
            (b"X-hello:again", true),
            (b"hello:hello", false),
            (b"X-hello", false),
            (b"X-hello:", false),
            (b"", false),
        ],
    );
    assert_eq!(properties, "X-hello:hello\nX-connection:primary:1".into());
}

#[test]
fn memory_has_the_length_of_its_type() {
    let int = 7_i32.to_ne_bytes();
    assert_eq!(
        ZmqValue::from_bytes(zmq("SNDHWM"), &int),
        Some(ZmqValue::Int(7))
    );
    assert_eq!(ZmqValue::from_bytes(zmq("SNDHWM"), &[0; 8]), None);
    assert_eq!(ZmqValue::from_bytes(zmq("MAXMSGSIZE"), &int), None);
    assert_eq!(
        ZmqValue::from_bytes(zmq("MAXMSGSIZE"), &[255; 8]),
        Some(ZmqValue::Int64(-1))
    );
    assert_eq!(ZmqValue::from_bytes(zmq("ZAP_DOMAIN"), &[255]), None);
    assert_eq!(ZmqValue::from_bytes(id("max_frames"), &int), None);
    assert_eq!(ZmqValue::Text("ab".into()).to_bytes(), b"ab\0");
    assert_eq!(ZmqValue::Int(7).to_bytes(), int);
    let error = Options::default().get_zmq(id("max_frames")).unwrap_err();
    assert_eq!(
        error,
        OptionError::NotInLibzmq {
            option: "max_frames"
        }
    );
}

#[test]
fn libzmqs_options_that_do_nothing_for_a_type_are_checked_and_forgotten() {
    let mut pull = Options::of(SocketType::Pull);
    pull.set_zmq(zmq("SNDHWM"), ZmqValue::Int(5)).unwrap();
    assert_eq!(pull.get_zmq(zmq("SNDHWM")), Ok(ZmqValue::Int(1000)));
    assert!(pull.set_zmq(zmq("SNDHWM"), ZmqValue::Int(-1)).is_err());
    assert!(
        pull.set_zmq(zmq("ROUTER_MANDATORY"), ZmqValue::Int(1))
            .is_err()
    );
    let mut router = Options::of(SocketType::Router);
    router.set_zmq(zmq("CONFLATE"), ZmqValue::Int(1)).unwrap();
    assert!(!router.conflate);
    let mut publisher = Options::of(SocketType::Pub);
    publisher
        .set_zmq(zmq("XPUB_VERBOSE"), ZmqValue::Int(1))
        .unwrap();
    assert!(!publisher.verbose);
}
