//! The grammar as tables, and properties over any text.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Endpoint {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refuse(text: &str) -> EndpointError {
    match text.parse::<Endpoint>() {
        Ok(endpoint) => panic!("{text} was taken as {endpoint:?}"),
        Err(error) => error,
    }
}

#[test]
fn accepted_text_prints_in_its_normal_form() {
    let rows: &[(&str, &str)] = &[
        ("tcp://127.0.0.1:5555", "tcp://127.0.0.1:5555"),
        ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*"),
        ("tcp://127.0.0.1:0", "tcp://127.0.0.1:*"),
        ("tcp://127.0.0.1:00080", "tcp://127.0.0.1:80"),
        ("tcp://127.0.0.1:65535", "tcp://127.0.0.1:65535"),
        ("tcp://*:1", "tcp://*:1"),
        ("tcp://*:*", "tcp://*:*"),
        ("tcp://[::]:5555", "tcp://[::]:5555"),
        ("tcp://[0:0:0:0:0:0:0:1]:5555", "tcp://[::1]:5555"),
        ("tcp://[fe80::1%eth0]:5555", "tcp://[fe80::1%eth0]:5555"),
        ("tcp://[fe80::1%2]:5555", "tcp://[fe80::1%2]:5555"),
        ("tcp://localhost:7", "tcp://localhost:7"),
        (
            "tcp://my_host.example.org.:7",
            "tcp://my_host.example.org.:7",
        ),
        ("tcp://eth0:*", "tcp://eth0:*"),
        (
            "tcp://10.0.0.1:*;example.org:80",
            "tcp://10.0.0.1:*;example.org:80",
        ),
        ("tcp://[::1]:0;[::1]:80", "tcp://[::1]:*;[::1]:80"),
        ("tcp://*:9;127.0.0.1:80", "tcp://*:9;127.0.0.1:80"),
        ("ipc:///tmp/a socket", "ipc:///tmp/a socket"),
        ("ipc://relative", "ipc://relative"),
        ("udp://127.0.0.1:80", "udp://127.0.0.1:80"),
        ("udp://*:0", "udp://*:*"),
        ("udp://localhost:80", "udp://localhost:80"),
        ("udp://255.255.255.255:80", "udp://255.255.255.255:80"),
        ("udp://eth0;239.0.0.1:80", "udp://eth0;239.0.0.1:80"),
        ("udp://*;239.0.0.1:80", "udp://*;239.0.0.1:80"),
        ("udp://10.0.0.1;239.0.0.1:80", "udp://10.0.0.1;239.0.0.1:80"),
        ("udp://[::1];[ff02::1]:80", "udp://[::1];[ff02::1]:80"),
        ("udp://[ff02::1%eth0]:80", "udp://[ff02::1%eth0]:80"),
        ("ipc://*", "ipc://*"),
        ("ipc://a*", "ipc://a*"),
        ("inproc://a://b", "inproc://a://b"),
        ("inproc://*", "inproc://*"),
    ];
    for (text, normal) in rows {
        assert_eq!(parse(text).to_string(), *normal);
        assert_eq!(parse(normal), parse(text));
    }
}

#[test]
fn wrong_text_is_refused_by_the_part_that_is_wrong() {
    // Text, and what the message must name.
    let rows: &[(&str, &str)] = &[
        ("", "transport://address"),
        ("localhost:5555", "\"localhost:5555\""),
        ("tcp:/127.0.0.1:5555", "transport://address"),
        ("://x", "unknown transport \"\""),
        ("TCP://127.0.0.1:1", "\"TCP\": allowed are tcp, ipc"),
        ("http://127.0.0.1:1", "\"http\""),
        ("norm://127.0.0.1:1", "\"norm\" of libzmq"),
        ("udp://127.0.0.1", "has no port"),
        ("udp://127.0.0.1:65536", "port \"65536\""),
        ("udp://eth0;127.0.0.1:1", "multicast groups"),
        ("udp://eth0;*:1", "multicast groups"),
        ("udp://;239.0.0.1:1", "host \"\""),
        ("udp://eth0;lo;239.0.0.1:1", "host"),
        ("udp://::1:80", "in brackets"),
        ("epgm://eth0;239.0.0.1:1", "multicast"),
        ("tcp://", "has no port"),
        ("tcp://127.0.0.1", "\"127.0.0.1\" has no port"),
        ("tcp://[::1]", "\"[::1]\" has no port"),
        ("tcp://127.0.0.1:", "port \"\""),
        ("tcp://127.0.0.1:65536", "port \"65536\""),
        ("tcp://127.0.0.1:65537", "1 to 65535"),
        (
            "tcp://127.0.0.1:99999999999999999999999",
            "port \"99999999999999999999999\"",
        ),
        ("tcp://127.0.0.1:-1", "port \"-1\""),
        ("tcp://127.0.0.1:+1", "port \"+1\""),
        ("tcp://127.0.0.1:80x", "port \"80x\""),
        ("tcp://127.0.0.1: 80", "port \" 80\""),
        ("tcp://127.0.0.1:**", "port \"**\""),
        ("tcp://:80", "host \"\""),
        ("tcp://256.0.0.1:80", "four numbers"),
        ("tcp://1.2.3:80", "four numbers"),
        ("tcp://::1:80", "in brackets"),
        ("tcp://[::1:80", "bracket is not closed"),
        ("tcp://[localhost]:80", "only an IPv6 address"),
        ("tcp://[]:80", "only an IPv6 address"),
        ("tcp://[::1%]:80", "zone"),
        ("tcp://[::1%a b]:80", "zone"),
        ("tcp://a b:80", "host \"a b\""),
        ("tcp://caf\u{e9}:80", "xn--"),
        ("tcp://*.example.org:80", "host \"*.example.org\""),
        ("tcp://127.0.0.1:1;", "has no port"),
        ("tcp://;127.0.0.1:1", "has no port"),
        ("tcp://127.0.0.1:1;127.0.0.1:2;127.0.0.1:3", "host"),
        ("tcp://127.0.0.1:70000;127.0.0.1:2", "port \"70000\""),
        ("ipc://", "ipc endpoint has an empty name"),
        ("ipc://@", "ipc endpoint has an empty name"),
        ("ipc://a\0b", "NUL"),
        ("inproc://", "inproc endpoint has an empty name"),
    ];
    for (text, part) in rows {
        let message = refuse(text).to_string();
        assert!(message.contains(part), "{text}: {message}");
    }
}

#[test]
fn lengths_are_checked_at_their_limits() {
    parse(&format!("ipc://{}", "p".repeat(107)));
    assert_eq!(
        refuse(&format!("ipc://{}", "p".repeat(108))),
        EndpointError::NameTooLong {
            transport: "ipc",
            length: 108,
            limit: 107
        }
    );
    parse(&format!("inproc://{}", "n".repeat(256)));
    assert_eq!(
        refuse(&format!("inproc://{}", "n".repeat(257))),
        EndpointError::NameTooLong {
            transport: "inproc",
            length: 257,
            limit: 256
        }
    );
    parse(&format!("tcp://{}:1", "h".repeat(253)));
    refuse(&format!("tcp://{}:1", "h".repeat(254)));
}

#[test]
fn abstract_names_are_for_linux() {
    if cfg!(target_os = "linux") {
        let endpoint = parse("ipc://@name");
        let ipc = endpoint.ipc().expect("not ipc");
        assert_eq!(ipc.abstract_name(), Some("name"));
        assert_eq!(ipc.to_string(), "@name");
        parse(&format!("ipc://@{}", "a".repeat(106)));
        refuse(&format!("ipc://@{}", "a".repeat(107)));
    } else {
        assert!(refuse("ipc://@name").to_string().contains("Linux only"));
    }
}

#[test]
fn endpoints_come_from_many_types() {
    let expected = parse("tcp://127.0.0.1:80");
    let address: SocketAddr = "127.0.0.1:80".parse().unwrap();
    let text = "tcp://127.0.0.1:80".to_owned();
    // As `bind` and `connect` take it.
    fn take(endpoint: impl ToEndpoint) -> Endpoint {
        endpoint.to_endpoint().unwrap()
    }
    for endpoint in [
        take("tcp://127.0.0.1:80"),
        take(&text),
        take(text.clone()),
        take(Cow::from(text.as_str())),
        take(address),
        take(&expected),
        take(expected.clone()),
    ] {
        assert_eq!(endpoint, expected);
    }
    let scoped: SocketAddr = "[fe80::1%3]:80".parse().unwrap();
    assert_eq!(Endpoint::from(scoped), parse("tcp://[fe80::1%3]:80"));
}

/// Text that is close enough to the grammar to get deep into the parser.
fn almost_endpoint() -> impl Strategy<Value = String> {
    let transport = prop_oneof!["tcp", "ipc", "inproc", "udp", "[a-z]{0,4}"];
    let address = prop_oneof![
        "[\\[\\]*:;%@.a0-9]{0,24}",
        "[a-z0-9.-]{1,12}:[0-9*]{1,6}",
        "\\[[0-9a-f:]{2,20}(%[a-z0-9]{1,4})?\\]:[0-9]{1,5}",
        "[0-9.]{1,15}:[0-9]{1,5};[a-z]{1,5}:[0-9]{1,5}",
        "\\PC{0,40}",
    ];
    (transport, address).prop_map(|(transport, address)| format!("{transport}://{address}"))
}

proptest! {
    #[test]
    fn any_text_parses_or_fails_without_panic(text in any::<String>()) {
        let _ = text.parse::<Endpoint>().map(|endpoint| endpoint.to_string());
    }

    #[test]
    fn what_parses_prints_and_parses_back(text in almost_endpoint()) {
        if let Ok(endpoint) = text.parse::<Endpoint>() {
            prop_assert_eq!(endpoint.to_string().parse::<Endpoint>(), Ok(endpoint));
        }
    }
}
