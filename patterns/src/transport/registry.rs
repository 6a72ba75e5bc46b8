//! The table of transports, and what is read from it: the parser of endpoints, their names, what is allowed.

use std::str::FromStr;

use super::{AnyTransport, Transport};
use crate::endpoint::{Endpoint, EndpointError, InprocName};

/// Makes the table. A row is `module::Type`, or `"scheme" needs "feature": module::Type` for one that is not in every
/// build; before the colon may stand `on "system"`. Behind it stands `of datagrams` if it has those, and no streams.
macro_rules! transports {
    ($($($scheme:literal needs $feature:tt $(on $system:tt)?:)? $module:ident::$transport:ident $(of $datagrams:ident)?),+ $(,)?) => {
        /// The transports of this build, without inproc, which is a pipe.
        static ROWS: &[&dyn AnyTransport] = &[$(
            $(#[cfg(all(feature = $feature $(, target_os = $system)?))])?
            row!($module::$transport $(of $datagrams)?)
        ),+];

        /// The transports that an endpoint may name in this build.
        pub const TRANSPORTS: &[&str] = &[
            $(
                $(#[cfg(all(feature = $feature $(, target_os = $system)?))])?
                scheme!($module::$transport $(of $datagrams)?),
            )+
            InprocName::SCHEME,
        ];

        /// Transports of another system than this one, and of which.
        const ELSEWHERE: &[(&str, &str)] = &[
            $($($(#[cfg(not(target_os = $system))] ($scheme, $system),)?)?)+
        ];

        /// Transports that this system could have and not every build has, and the features that they need.
        const FEATURES: &[(&str, &str)] = &[
            $($($(#[cfg(target_os = $system)])? ($scheme, $feature),)?)+
        ];
    };
}

/// Makes a row.
macro_rules! row {
    ($module:ident::$transport:ident) => {
        &super::$module::$transport
    };
    ($module:ident::$transport:ident of datagrams) => {
        &super::datagram::Datagrams(super::$module::$transport)
    };
}

/// Returns what stands before `://`.
macro_rules! scheme {
    ($module:ident::$transport:ident) => {
        <super::$module::$transport as Transport>::SCHEME
    };
    ($module:ident::$transport:ident of datagrams) => {
        <super::$module::$transport as super::datagram::DatagramTransport>::SCHEME
    };
}

transports! {
    tcp::Tcp,
    ipc::Ipc,
    udp::Udp of datagrams,
    "tls+tcp" needs "tls": tls::Tls,
    "vsock" needs "vsock" on "linux": vsock::Vsock,
    "ws" needs "ws": ws::Ws,
    "wss" needs "wss": ws::Wss,
}

/// Transports of libzmq that this library knows by name only, and what libzmq uses them for.
const NOT_BUILT: &[(&str, &str)] = &[
    ("pgm", "reliable multicast"),
    ("epgm", "reliable multicast over UDP"),
    ("norm", "reliable multicast"),
    ("tipc", "cluster IPC"),
    ("vmci", "virtual machine sockets"),
    ("hvsocket", "Hyper-V sockets"),
];

/// Returns the transport of that scheme, if this build has it and it is a byte stream.
pub(super) fn find(scheme: &str) -> Option<&'static dyn AnyTransport> {
    let mut rows = ROWS.iter().copied();
    rows.find(|row| row.scheme() == scheme)
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let Some((scheme, address)) = text.split_once("://") else {
            return Err(EndpointError::MissingScheme {
                endpoint: text.to_owned(),
            });
        };
        if scheme == InprocName::SCHEME {
            let name = InprocName::parse(address)?;
            return Ok(Endpoint::new(InprocName::SCHEME, name));
        }
        match find(scheme) {
            Some(transport) => transport.parse(address),
            None => Err(unknown(scheme)),
        }
    }
}

fn unknown(scheme: &str) -> EndpointError {
    let named = |rows: &'static [(&str, &str)]| rows.iter().find(|(name, _)| *name == scheme);
    if let Some((name, feature)) = named(FEATURES) {
        return EndpointError::FeatureOff { name, feature };
    }
    if let Some((name, system)) = named(ELSEWHERE) {
        return EndpointError::OtherSystem { name, system };
    }
    match named(NOT_BUILT) {
        Some((name, purpose)) => EndpointError::TransportNotBuilt {
            name,
            purpose,
            allowed: allowed(),
        },
        None => EndpointError::UnknownTransport {
            name: scheme.to_owned(),
            allowed: allowed(),
        },
    }
}

/// Lists the transports of this build in words: "tcp, ipc and inproc".
fn allowed() -> String {
    match TRANSPORTS {
        [most @ .., last] if !most.is_empty() => format!("{} and {last}", most.join(", ")),
        few => few.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{check_bind, check_connect, reachable_from_other_hosts};
    use super::*;
    #[cfg(feature = "tls")]
    use crate::error::ConnectError;
    use crate::options::Options;

    fn parse(text: &str) -> Endpoint {
        text.parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn what_is_allowed_is_what_parses() {
        assert!(TRANSPORTS.starts_with(&["tcp", "ipc"]) && TRANSPORTS.ends_with(&["inproc"]));
        for scheme in TRANSPORTS {
            let known = match format!("{scheme}://").parse::<Endpoint>() {
                Ok(_) => true,
                Err(EndpointError::UnknownTransport { .. }) => false,
                Err(_) => true,
            };
            assert!(known, "{scheme}");
        }
        let error = "http://host:1".parse::<Endpoint>().unwrap_err();
        let rest = TRANSPORTS[..TRANSPORTS.len() - 1].join(", ");
        assert_eq!(
            error.to_string(),
            format!("unknown transport \"http\": allowed are {rest} and inproc")
        );
    }

    /// Not a feature, which would change nothing.
    #[test]
    fn a_transport_of_another_system_names_the_system() {
        for (scheme, system) in ELSEWHERE {
            assert!(find(scheme).is_none());
            let error = format!("{scheme}://1:1").parse::<Endpoint>().unwrap_err();
            assert!(error.to_string().contains(system), "{error}");
            assert!(FEATURES.iter().all(|(other, _)| other != scheme));
        }
        assert_eq!(ELSEWHERE.is_empty(), cfg!(target_os = "linux"));
    }

    #[test]
    fn a_transport_of_another_build_names_its_feature() {
        for (scheme, feature) in FEATURES {
            if find(scheme).is_some() {
                continue;
            }
            let error = format!("{scheme}://host:1").parse::<Endpoint>();
            assert_eq!(
                error,
                Err(EndpointError::FeatureOff {
                    name: scheme,
                    feature
                })
            );
        }
    }

    #[test]
    fn wildcards_bind_and_do_not_connect() {
        let options = Options::default();
        for (text, part) in [
            ("tcp://*:80", "host *"),
            ("tcp://127.0.0.1:*", "port *"),
            ("tcp://localhost:0", "port *"),
            ("udp://*:80", "host *"),
            ("udp://239.0.0.1:*", "port *"),
            ("ipc://*", "path *"),
        ] {
            let endpoint = parse(text);
            assert_eq!(check_bind(&endpoint), Ok(()));
            let error = check_connect(&endpoint, &options).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
        for text in [
            "tcp://localhost:80",
            "ipc://a",
            "inproc://a",
            "tcp://*:*;localhost:80",
        ] {
            assert!(check_connect(&parse(text), &options).is_ok(), "{text}");
        }
        assert!(matches!(
            check_bind(&parse("tcp://10.0.0.1:*;localhost:80")),
            Err(EndpointError::NotBindable { .. })
        ));
    }

    #[test]
    fn each_transport_says_who_can_reach_it() {
        for (text, reachable) in [
            ("tcp://127.0.0.1:1", false),
            ("tcp://[::1]:1", false),
            ("tcp://*:1", true),
            ("tcp://10.0.0.1:1", true),
            ("tcp://localhost:1", true),
            ("udp://127.0.0.1:1", false),
            ("udp://[::1]:1", false),
            ("udp://*:1", true),
            ("udp://lo;239.0.0.1:1", true),
            ("ipc://a", false),
            ("inproc://a", false),
        ] {
            assert_eq!(
                reachable_from_other_hosts(&parse(text)),
                reachable,
                "{text}"
            );
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn tls_has_the_addresses_of_tcp() {
        let endpoint = parse("tls+tcp://[::1]:*");
        assert_eq!(endpoint.to_string(), "tls+tcp://[::1]:*");
        assert_eq!((endpoint.transport(), endpoint.port()), ("tls+tcp", None));
        assert_ne!(endpoint, parse("tcp://[::1]:*"));
        assert!(!reachable_from_other_hosts(&endpoint));
        assert!(reachable_from_other_hosts(&parse("tls+tcp://*:1")));
        let error = check_connect(&endpoint, &Options::default()).unwrap_err();
        assert!(error.to_string().contains("port *"), "{error}");
        let without = check_connect(&parse("tls+tcp://[::1]:1"), &Options::default());
        assert!(matches!(without, Err(ConnectError::NoTls { .. })));
        assert!("tls+tcp://host:65536".parse::<Endpoint>().is_err());
        let there = endpoint.at(([127, 0, 0, 1], 5).into());
        assert_eq!(there, parse("tls+tcp://127.0.0.1:5"));
    }
}
