//! What is written comes back as it was, and what is not right is refused.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::*;
use crate::stats::{PeerStats, SocketStats};

/// Writes a value, compares it with what it has to look like, and reads it again.
fn comes_back<T>(value: &T, expected: Json)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    assert_eq!(serde_json::to_value(value).unwrap(), expected);
    assert_eq!(&serde_json::from_value::<T>(expected).unwrap(), value);
}

fn json(value: &impl Serialize) -> Json {
    serde_json::to_value(value).unwrap()
}

#[test]
fn endpoints_addresses_and_routing_ids() {
    for text in ["tcp://[::1]:5555", "ipc://@name", "inproc://a"] {
        comes_back(&text.parse::<Endpoint>().unwrap(), json!(text));
    }
    assert!(serde_json::from_value::<Endpoint>(json!("tcp://here")).is_err());
    for text in [
        "tcp://127.0.0.1:5",
        "tcp://[::1]:5",
        "ipc://0:7:42",
        "ipc://0:7:",
        "inproc",
        "vsock://3:70000",
    ] {
        comes_back(&text.parse::<PeerAddress>().unwrap(), json!(text));
    }
    for text in [
        "",
        "tcp://localhost:5",
        "ipc://0",
        "ipc://a:b:c",
        "inproc://a",
    ] {
        let error = text.parse::<PeerAddress>().unwrap_err();
        assert!(error.to_string().contains("no peer's address"), "{error}");
    }
    comes_back(&RoutingId::from("worker 1"), json!("worker 1"));
    comes_back(&RoutingId::from([0, 255]), json!([0, 255]));
}

#[test]
fn statistics() {
    let mut stats = SocketStats::default();
    stats.sent.messages = 3;
    stats.dropped.full = u64::MAX;
    let mut peer = PeerStats {
        endpoint: Some("tcp://127.0.0.1:5".parse().unwrap()),
        address: Some(PeerAddress::INPROC),
        routing_id: Some(RoutingId::from([0, 1, 2, 3, 200])),
        user_id: Some("joe".to_owned()),
        ..PeerStats::default()
    };
    peer.properties.push("X-Version", "3").unwrap();
    stats.peers = vec![peer, PeerStats::default()];
    let written = json(&stats);
    assert_eq!(written["sent"], json!({"messages": 3, "bytes": 0}));
    assert_eq!(
        written["peers"][0]["properties"],
        json!([["X-Version", "3"]])
    );
    assert_eq!(
        serde_json::from_value::<SocketStats>(written).unwrap(),
        stats
    );
    // A program of before a counter was added has not written it.
    let older = json!({"reconnects": 1});
    assert_eq!(
        serde_json::from_value::<SocketStats>(older)
            .unwrap()
            .reconnects,
        1
    );
}

#[test]
fn events_are_written_by_name() {
    let refused = || Arc::new(io::Error::from(io::ErrorKind::AddrInUse));
    let kinds = [
        (MonitorEventKind::Listening, json!({"kind": "Listening"})),
        (
            MonitorEventKind::BindFailed(refused()),
            json!({"kind": "BindFailed", "reason": refused().to_string()}),
        ),
        (
            MonitorEventKind::ConnectRetried {
                delay: Duration::from_millis(150),
            },
            json!({"kind": "ConnectRetried", "delay_ms": 150}),
        ),
        (
            MonitorEventKind::Disconnected(DisconnectReason::Peer),
            json!({"kind": "Disconnected", "reason": "closed by the peer"}),
        ),
        (
            MonitorEventKind::Missed(7),
            json!({"kind": "Missed", "missed": 7}),
        ),
    ];
    for (kind, expected) in kinds {
        assert_eq!(json(&kind), expected);
    }
    assert_eq!(json(&DisconnectReason::Local), json!("ended by this side"));
}

#[tokio::test]
async fn an_event_of_a_socket_is_written_with_what_is_known() {
    let mut pull = crate::PullSocket::new();
    let mut monitor = pull.monitor();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let event = json(&monitor.recv().await.unwrap());
    assert_eq!(event["kind"], "Listening");
    assert_eq!(event["endpoint"], endpoint.to_string());
    assert!(event.get("peer").is_none() && event.get("reason").is_none());
}

fn options(json: Json) -> Result<Options, String> {
    serde_json::from_value(json).map_err(|error| error.to_string())
}

#[test]
fn options_are_a_map_of_names_to_values() {
    let given = json!({
        "socket_type": "XPUB",
        "send_hwm": 10,
        "linger": "2 s",
        "max_connections": "none",
        "slow_subscriber": "Disconnect",
        "welcome": [255, 0],
        "tcp_keepalive": true,
        "ipc_permissions": "0o660",
        "zap_domain": "global",
    });
    let read = options(given.clone()).unwrap();
    let written = json(&read);
    for (name, value) in given.as_object().unwrap() {
        let value = if name == "ipc_permissions" {
            &json!(0o660)
        } else {
            value
        };
        assert_eq!(&written[name], value, "{name}");
    }
    // What the type has, beginning with what it starts with, and nothing that is secret or unset.
    assert_eq!(written["write_timeout"], "60 s");
    for name in [
        "security",
        "tls_server",
        "bind_device",
        "mandatory",
        "recv_buffer",
    ] {
        assert_eq!(written.get(name).is_some(), name == "recv_buffer", "{name}");
    }
    assert_eq!(json(&options(written.clone()).unwrap()), written);
}

#[test]
fn options_of_every_type_come_back() {
    for socket_type in SocketType::ALL {
        let written = json(&Options::of(socket_type));
        assert_eq!(
            json(&options(written.clone()).unwrap()),
            written,
            "{socket_type}"
        );
    }
    let written = json(&Options::default());
    assert_eq!(json(&options(written.clone()).unwrap()), written);
    assert_eq!(options(json!({"linger": null})).unwrap().linger, None);
}

#[test]
fn options_that_are_not_right_are_refused() {
    let rows = [
        (json!({"send_hmw": 1}), "no option is called send_hmw"),
        (
            json!({"backlog": 0}),
            "option backlog cannot be 0: allowed is 1 to 65535",
        ),
        (json!({"backlog": -1}), "option backlog cannot be -1"),
        (json!({"linger": 5}), "option linger cannot be the number 5"),
        (
            json!({"linger": "5"}),
            "option linger cannot be the text \"5\"",
        ),
        (json!({"security": "NULL"}), "no plain value"),
        (
            json!({"socket_type": "PULL", "send_hwm": 1}),
            "not there for a PULL socket",
        ),
        (json!({"socket_type": "PULLING"}), "no socket type"),
        (json!({"socket_type": 5}), "socket_type is the name"),
        (json!({"welcome": [256]}), "256"),
        (json!({"linger": 1.5}), "floating point"),
    ];
    for (given, expected) in rows {
        let error = options(given).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
