//! Options by name and number: limits, kinds, and who has what.

use std::time::Duration;

use bytes::Bytes;
use zmtp::SocketType;

use super::limits::limits;
use crate::options::*;

pub(super) fn id(name: &str) -> OptionId {
    OptionId::by_name(name).unwrap_or_else(|| panic!("no option {name}"))
}

pub(super) fn milliseconds(number: u64) -> Value {
    Duration::from_millis(number).into()
}

#[test]
fn every_option_takes_its_limits_and_refuses_what_is_beyond() {
    let limits = limits();
    for id in OptionId::all() {
        let row = id.row();
        if row.kind == ValueKind::Opaque {
            continue;
        }
        let (_, good, bad) = limits
            .iter()
            .find(|(name, ..)| *name == id.name())
            .unwrap_or_else(|| panic!("no limits for {id}"));
        let mut options = Options::default();
        for value in good {
            options
                .set(id, value.clone())
                .unwrap_or_else(|error| panic!("{error}"));
            let read = options.get(id).unwrap();
            let same = match (value, &read) {
                (Value::Text(text), Value::Bytes(bytes)) => text.as_bytes() == bytes,
                (Value::Text(_), read) if row.kind == ValueKind::Secret => {
                    *read == "a secret".into()
                }
                (value, read) => value == read,
            };
            assert!(same, "{id} was set to {value:?} and is {read:?}");
        }
        let before = options.get(id).unwrap();
        for value in bad {
            match options.set(id, value.clone()) {
                Err(OptionError::Value {
                    option, allowed, ..
                }) => {
                    assert_eq!((option, allowed), (row.name, row.allowed));
                }
                other => panic!("{id} with {value:?}: {other:?}"),
            }
        }
        assert_eq!(options.get(id).unwrap(), before, "{id}");
    }
}

#[test]
fn values_of_another_kind_are_refused_by_every_option() {
    let values = [
        (ValueKind::Bool, Value::from(true)),
        (ValueKind::Integer, 1.into()),
        (ValueKind::Duration, Duration::from_secs(1).into()),
        (ValueKind::Bytes, Bytes::from_static(b"x").into()),
        (ValueKind::Text, "x".into()),
    ];
    for id in OptionId::all() {
        for (kind, value) in &values {
            let kind_of_id = id.row().kind;
            // Text stands for its bytes.
            let texts = [ValueKind::Bytes, ValueKind::Secret];
            if *kind == kind_of_id || (*kind == ValueKind::Text && texts.contains(&kind_of_id)) {
                continue;
            }
            let error = Options::default().set(id, value.clone()).unwrap_err();
            assert_eq!(error.option(), id.name());
            if kind_of_id == ValueKind::Opaque {
                assert_eq!(error, OptionError::NoPlainValue { option: id.name() });
            }
        }
    }
    let error = Options::default().set(id("linger"), 5).unwrap_err();
    let expected = "option linger cannot be the number 5: allowed is None, or 0 to 2147483 s";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn options_are_found_by_name_by_libzmqs_name_and_by_number() {
    for id in OptionId::all() {
        assert_eq!(OptionId::by_name(id.name()), Some(id));
        if let Some((name, number)) = id.row().zmq {
            assert_eq!(OptionId::by_zmq_name(name), Some(id));
            assert_eq!(OptionId::by_number(number), Some(id));
        }
    }
    assert_eq!(
        OptionId::by_zmq_name("ZMQ_IDENTITY"),
        Some(id("routing_id"))
    );
    assert_eq!(
        OptionId::by_zmq_name("ZMQ_FAIL_UNROUTABLE"),
        Some(id("mandatory"))
    );
    assert_eq!(OptionId::by_name("ZMQ_SNDHWM"), None);
    assert_eq!(OptionId::by_zmq_name("SNDHWM"), None);
    assert_eq!(OptionId::by_number(1), None);
}

#[test]
fn an_option_that_a_type_has_not_names_option_type_and_those_that_have_it() {
    let mut push = Options::of(SocketType::Push);
    let error = push.set(id("no_drop"), true).unwrap_err();
    assert_eq!(
        error.to_string(),
        "option no_drop is not there for a PUSH socket: those that have it are PUB, XPUB, RADIO"
    );
    assert_eq!(push.get(id("no_drop")).unwrap_err(), error);
    assert!(!push.has(id("recv_hwm")) && push.has(id("send_hwm")));
    assert!(OptionId::all().all(|id| Options::default().has(id)));
}

#[test]
fn secrets_are_not_read_and_not_set_by_name() {
    let mut options = Options {
        security: Security::plain_client("joe", "secret").unwrap(),
        ..Options::default()
    };
    assert_eq!(options.get(id("security")), Ok("PLAIN".into()));
    let error = options.set(id("security"), "NULL").unwrap_err();
    assert_eq!(
        error.to_string(),
        "option security has no plain value: set it with the builder's method security"
    );
}

#[test]
#[cfg(feature = "socks")]
fn a_password_is_shown_nowhere() {
    let mut options = Options::default();
    let password = id("socks_password");
    options.set(password, "pa55word").unwrap();
    let shown = format!("{options:?} {:?}", options.get(password));
    assert!(!shown.contains("pa55word"), "{shown}");
    assert_eq!(
        options.get_zmq(password),
        Ok(ZmqValue::Text(String::new())),
        "it is not read back"
    );
    let long = "pa55word".repeat(32);
    let error = options.set(password, long.as_str()).unwrap_err();
    assert!(!error.to_string().contains("pa55word"), "{error}");
    let error = options.set_zmq(password, ZmqValue::Text(long)).unwrap_err();
    assert!(!error.to_string().contains("pa55word"), "{error}");
    let error = options.set(password, 5).unwrap_err();
    assert!(error.to_string().contains("the number 5"), "{error}");
}

#[test]
fn of_properties_of_one_name_the_first_counts() {
    let mut options = Options::default();
    options
        .set(
            id("properties"),
            "X-a:1\nX-b:2\nx-A:3".replace("x-A", "X-A"),
        )
        .unwrap();
    assert_eq!(options.get(id("properties")), Ok("X-a:1\nX-b:2".into()));
    let told = options.told_properties();
    assert_eq!(told.get("X-A"), Some(&b"1"[..]));
    assert_eq!(told.len(), 2);
}

#[test]
fn an_empty_zap_domain_is_none() {
    let mut options = Options::default();
    options.set(id("zap_domain"), "global").unwrap();
    options.set(id("zap_domain"), "").unwrap();
    assert_eq!(options.get(id("zap_domain")), Ok(Value::None));
}

#[test]
fn text_is_read_as_users_write_it() {
    let rows = [
        ("ipv6", "false", Some(false.into())),
        ("ipv6", "no", None),
        ("send_hwm", "10", Some(10.into())),
        ("send_hwm", "-1", Some((-1).into())),
        ("send_hwm", "ten", None),
        ("ipc_permissions", "0o660", Some(0o660.into())),
        ("affinity", "0x3", Some(3.into())),
        ("linger", "none", Some(Value::None)),
        ("linger", "0 ms", Some(milliseconds(0))),
        ("linger", "2min", Some(milliseconds(120_000))),
        ("linger", "5", None),
        ("linger", "1.5 s", None),
        ("linger", "5 years", None),
        ("linger", "99999999999999999999 s", None),
        (
            "routing_id",
            "none",
            Some(Bytes::from_static(b"none").into()),
        ),
        ("slow_subscriber", "Disconnect", Some("Disconnect".into())),
    ];
    for (name, text, expected) in rows {
        assert_eq!(id(name).parse(text).ok(), expected, "{name} {text}");
    }
    assert!(matches!(
        id("security").parse("NULL"),
        Err(OptionError::NoPlainValue { .. })
    ));
    for id in OptionId::all() {
        let value = Options::default().get(id).unwrap();
        if !matches!(
            id.row().kind,
            ValueKind::Text | ValueKind::Bytes | ValueKind::Secret | ValueKind::Opaque
        ) {
            assert_eq!(id.parse(&value.to_string()), Ok(value), "{id}");
        }
    }
}
