//! The options that say who may connect, and who can read along.

macro_rules! security_options {
    ([$($more:ident)*] $($before:tt)*) => {
        gather_options! { [$($more)*] $($before)*
            /// Sets what is asked of peers, and told to them: NULL, PLAIN or CURVE, with this side's role and
            /// secrets. Servers may connect, and clients bind. The `security` module tells who decides about
            /// peers.
            security(security: Security = security) -> Security {
                default: Security::Null,
                zmq: ("MECHANISM", 43, Mechanism),
                unit: "mechanism",
                allowed: "any" if |_| true,
                on: Any,
                changed: NewEndpoints,
            }

            /// Makes `bind` refuse an address that other machines can reach while the socket lets everybody
            /// in: with NULL and without a `zap_domain`, as a CURVE server without authenticator, or as a
            /// PLAIN client. Without this option it logs a warning. What is bound lets nobody in while the
            /// authenticator that was there is not there any more.
            require_authentication(on: bool = on) -> bool {
                default: false,
                zmq: (),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: Any,
                changed: NewEndpoints,
            }

            /// Sets what the authenticator is told of the socket, so that it can decide differently for
            /// different sockets. With one, a NULL socket asks about its peers, too, and takes none that are
            /// too old for ZMTP 3.
            zap_domain(domain: impl Into<String> = Some(domain.into())) -> Option<String> {
                default: None,
                none: "none",
                zmq: ("ZAP_DOMAIN", 55, Text),
                unit: "text",
                allowed: "at most 255 bytes; empty is none" if |domain| {
                    domain.as_ref().is_none_or(|domain| domain.len() <= 255)
                },
                stored: |domain: Option<String>| domain.filter(|domain| !domain.is_empty()),
                on: Any,
                changed: NewEndpoints,
            }

            /// Refuses all peers of a NULL or CURVE socket with a `zap_domain` while its context has no
            /// authenticator. Without it the socket then takes everybody, as libzmq does. A socket that has it
            /// and no `zap_domain` is not made (in libzmq, it asks nobody).
            zap_enforce_domain(on: bool = on) -> bool {
                default: false,
                zmq: ("ZAP_ENFORCE_DOMAIN", 93, LaxFlag),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: Any,
                changed: NewEndpoints,
            }

            /// Lets TCP peers in these networks connect to bound endpoints, and no others; without any, all may. It holds
            /// for what runs over TCP as well (`tls+tcp://`, `ws://`, `wss://`), and not for other transports. Who is kept out is
            /// disconnected before the handshake, and before any authenticator is asked, which knows `Addresses`, too. IPv4
            /// peers are in IPv4 networks. As text, addresses and networks such as `10.0.0.1,fe80::/10`; libzmq's
            /// option adds one of them to the list, and an empty text ends it.
            accept_networks(networks: impl IntoIterator<Item = impl Into<IpNet>> = networks.into_iter().map(Into::into).collect()) -> Vec<IpNet> {
                default: Vec::new(),
                none: "all",
                zmq: ("TCP_ACCEPT_FILTER", 38, Network),
                unit: "networks",
                allowed: "IP addresses and networks, separated by commas" if |_| true,
                on: Any,
                changed: NewEndpoints,
            }

            /// Lets processes of these users connect to bound `ipc://` endpoints, by their effective user ids, beside those that the two
            /// options below name; without any of the three, all may. Who is kept out is disconnected before
            /// the handshake. libzmq's option adds one to the list, and no value at all ends it.
            accept_users(uids: impl IntoIterator<Item = u32> = uids.into_iter().collect()) -> Vec<u32> {
                default: Vec::new(),
                none: "all",
                zmq: ("IPC_FILTER_UID", 59, Id),
                unit: "user ids",
                allowed: "numbers from 0 to 4294967295, separated by commas" if |_| true,
                on: Any,
                changed: NewEndpoints,
            }

            /// Lets processes in these groups connect to bound `ipc://` endpoints, as `accept_users` does: by their
            /// effective group, or on Linux, as far as `/proc` shows them, by a supplementary one.
            accept_groups(gids: impl IntoIterator<Item = u32> = gids.into_iter().collect()) -> Vec<u32> {
                default: Vec::new(),
                none: "all",
                zmq: ("IPC_FILTER_GID", 60, Id),
                unit: "group ids",
                allowed: "numbers from 0 to 4294967295, separated by commas" if |_| true,
                on: Any,
                changed: NewEndpoints,
            }

            /// Lets these processes connect to bound `ipc://` endpoints, as `accept_users` does, where the system tells
            /// process ids.
            accept_processes(pids: impl IntoIterator<Item = i32> = pids.into_iter().collect()) -> Vec<i32> {
                default: Vec::new(),
                none: "all",
                zmq: ("IPC_FILTER_PID", 58, ProcessId),
                unit: "process ids",
                allowed: "numbers of 32 bits, separated by commas" if |_| true,
                on: Any,
                changed: NewEndpoints,
            }

            /// Makes a PLAIN client tell its password only to a peer whose greeting claims the server's role, and
            /// not to another client that was bound by mistake. PureZMQ's servers claim it, libzmq's never do.
            /// Whoever means to deceive can claim it, too.
            require_server_role(on: bool = on) -> bool {
                default: false,
                zmq: (),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: Zmtp,
                changed: NewEndpoints,
            }

            /// Lets the numbers of a CURVE peer's frames leave some out, as RFC 26 does, between messages and
            /// never within one. What somebody on the way leaves out goes unnoticed then, and what is left of a
            /// message can pass for a shorter one. No implementation that is known needs it.
            #[cfg(feature = "curve")]
            curve_gaps(on: bool = on) -> bool {
                default: false,
                zmq: (),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: Zmtp,
                changed: NewEndpoints,
            }

            /// Sets how endpoints that are bound at `tls+tcp://` prove who they are, and what they ask of
            /// clients: certificates, key, verifier and cryptography, in rustls's own words.
            #[cfg(feature = "tls")]
            tls_server(config: impl Into<Arc<rustls::ServerConfig>> = Some(config.into())) -> Option<Arc<rustls::ServerConfig>> {
                default: None,
                none: "none",
                zmq: (),
                unit: "`rustls::ServerConfig`",
                allowed: "any" if |_| true,
                on: Any,
                changed: NewEndpoints,
            }

            /// Sets how endpoints that are connected to `tls+tcp://` verify the server, and prove who they
            /// are if asked, in rustls's own words.
            #[cfg(feature = "tls")]
            tls_client(config: impl Into<Arc<rustls::ClientConfig>> = Some(config.into())) -> Option<Arc<rustls::ClientConfig>> {
                default: None,
                none: "none",
                zmq: (),
                unit: "`rustls::ClientConfig`",
                allowed: "any" if |_| true,
                on: Any,
                changed: NewEndpoints,
            }

            /// Sets whom a server's certificate has to name, in place of the host of the endpoint
            /// `tls+tcp://` that is connected.
            #[cfg(feature = "tls")]
            tls_server_name(name: impl Into<Option<String>> = name.into()) -> Option<String> {
                default: None,
                none: "the endpoint's host",
                zmq: (),
                unit: "name",
                allowed: "None, a DNS name or an IP address" if |name| {
                    name.clone().is_none_or(|name| rustls::pki_types::ServerName::try_from(name).is_ok())
                },
                on: Any,
                changed: NewEndpoints,
            }
        }
    };
}
