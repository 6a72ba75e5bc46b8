//! The options that say what is asked of the operating system's sockets.

macro_rules! transport_options {
    ([$($more:ident)*] $($before:tt)*) => {
        gather_options! { [$($more)*] $($before)*
            /// Lets TCP use IPv6 beside IPv4. With it, `tcp://*` and `tcp://[::]` take peers of both kinds,
            /// and names stand for addresses of both. Without it, all of that is IPv4 only and IPv6 addresses
            /// are refused. In libzmq it is off by default.
            ipv6(on: bool = on) -> bool {
                default: true,
                zmq: ("IPV6", 42, StrictFlag),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: Any,
                changed: NewEndpoints,
            }

            /// Limits how many connections may wait to be accepted by a bound endpoint. The system may have a
            /// lower limit of its own. Clients that come when it is reached are not answered, and ask again a
            /// second later. In libzmq it is 100 by default.
            backlog(connections: u32 = connections) -> u32 {
                default: 4096,
                zmq: ("BACKLOG", 19, Backlog),
                unit: "connections",
                allowed: "1 to 65535" if |connections| (1..=65_535).contains(connections),
                on: Any,
                changed: NewEndpoints,
            }

            /// Sets the size of the system's send buffer of each connection. Linux doubles the number for its
            /// own needs. `None` leaves it to the system; over TCP on Linux it then takes at most 256 KiB
            /// that it cannot send yet, 1 MiB of large payloads, where its buffer would hold 4 MiB;
            /// over ipc it holds 320 KiB of large payloads.
            send_buffer(bytes: impl Into<Option<usize>> = bytes.into()) -> Option<usize> {
                default: None,
                none: "the system's",
                zmq: ("SNDBUF", 11, Buffer),
                unit: "bytes",
                allowed: "None, or 1 to 2147483647" if |bytes| buffer_size(*bytes),
                on: Any,
                changed: NewEndpoints,
            }

            /// Sets the size of the system's receive buffer of each connection. Linux doubles the number for
            /// its own needs. Datagrams for which it has no room are lost, so that bursts of them need a large one; Linux
            /// takes no more than `net.core.rmem_max`.
            recv_buffer(bytes: impl Into<Option<usize>> = bytes.into()) -> Option<usize> {
                default: None,
                none: "the system's",
                zmq: ("RCVBUF", 12, Buffer),
                unit: "bytes",
                allowed: "None, or 1 to 2147483647" if |bytes| buffer_size(*bytes),
                on: Any,
                changed: NewEndpoints,
            }

            /// Sets the type-of-service byte (IPv6: traffic class) of the TCP and UDP packets sent; 0 leaves it as
            /// the system has it.
            tos(class: u8 = class) -> u8 {
                default: 0,
                zmq: ("TOS", 57, Count),
                unit: "byte",
                allowed: "0 to 255" if |_| true,
                on: Any,
                changed: NewEndpoints,
            }

            /// Sets the priority of the TCP packets sent, in the system's own queues (`SO_PRIORITY`); 0 leaves it as the system
            /// has it. More than 6 may need a privilege. Linux only; elsewhere bind and connect fail with it.
            priority(priority: u32 = priority) -> u32 {
                default: 0,
                zmq: ("PRIORITY", 112, Count),
                unit: "number",
                allowed: "0 to 2147483647" if |priority| i32::try_from(*priority).is_ok(),
                on: Any,
                changed: NewEndpoints,
            }

            /// Lets the system ask the network device itself for what has come, for so long, before it puts a
            /// reader of a TCP connection to sleep (`SO_BUSY_POLL`), in whole microseconds; `None` leaves it to the system. A longer
            /// time than the system's own needs a privilege. Linux only; elsewhere bind and connect fail with it.
            /// `busy_poll` does the like above the system, for every transport.
            system_busy_poll(limit: impl Into<Option<Duration>> = limit.into()) -> Option<Duration> {
                default: None,
                none: "the system's",
                zmq: ("BUSY_POLL", 113, BusyPoll),
                unit: "duration",
                allowed: "None, or 1 us to 2147483647 us" if |limit| {
                    up_to(limit, Duration::from_micros(1), Duration::from_micros(i32::MAX as u64))
                },
                on: Any,
                changed: NewEndpoints,
            }

            /// Binds TCP connections and UDP sockets to this network interface, given by its name: nothing goes out or comes
            /// in by another one. Linux only; elsewhere bind and connect fail with it. It may need a
            /// privilege.
            bind_device(name: impl AsRef<str> = Some(name.as_ref().to_owned())) -> Option<String> {
                default: None,
                none: "none",
                zmq: ("BINDTODEVICE", 92, TextOrEmpty),
                unit: "name",
                allowed: "1 to 15 bytes, none of them 0" if |name| name.as_ref().is_none_or(|name| {
                    matches!(name.len(), 1..=15) && !name.contains('\0')
                }),
                on: Any,
                changed: NewEndpoints,
            }

            /// Limits how many networks a datagram to a multicast group may cross: 1 is this one alone. (The TTL of IPv4, the
            /// hop limit of IPv6.)
            multicast_hops(hops: u8 = hops) -> u8 {
                default: 1,
                zmq: ("MULTICAST_HOPS", 25, Count),
                unit: "hops",
                allowed: "1 to 255" if |hops| *hops > 0,
                on: Datagrams,
                changed: NewEndpoints,
            }

            /// Lets sockets on this machine, too, hear what is sent from here to a multicast group that they have joined.
            multicast_loop(on: bool = on) -> bool {
                default: true,
                zmq: ("MULTICAST_LOOP", 96, LaxFlag),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: Datagrams,
                changed: NewEndpoints,
            }

            /// Lets the system probe idle TCP connections, or forbids it; `None` is the system's own setting,
            /// unless one of the three options below is given: that turns probing on.
            tcp_keepalive(on: impl Into<Option<bool>> = on.into()) -> Option<bool> {
                default: None,
                none: "the system's",
                zmq: ("TCP_KEEPALIVE", 34, Tristate),
                unit: "bool",
                allowed: "None, true or false" if |_| true,
                on: Any,
                changed: NewEndpoints,
            }

            /// Limits how many TCP keep-alive probes may stay unanswered before the connection is given up.
            tcp_keepalive_count(probes: impl Into<Option<u32>> = probes.into()) -> Option<u32> {
                default: None,
                none: "the system's",
                zmq: ("TCP_KEEPALIVE_CNT", 35, CountOrMinus),
                unit: "probes",
                allowed: "None, or 1 to 127" if |probes| probes.is_none_or(|n| (1..=127).contains(&n)),
                on: Any,
                changed: NewEndpoints,
            }

            /// Sets how long a TCP connection is idle before the first keep-alive probe, in whole seconds.
            tcp_keepalive_idle(idle: impl Into<Option<Duration>> = idle.into()) -> Option<Duration> {
                default: None,
                none: "the system's",
                zmq: ("TCP_KEEPALIVE_IDLE", 36, SecondsOrMinus),
                unit: "duration",
                allowed: "None, or 1 s to 32767 s" if |idle| up_to(idle, SECOND, MAX_KEEPALIVE),
                on: Any,
                changed: NewEndpoints,
            }

            /// Sets the time between two TCP keep-alive probes, in whole seconds.
            tcp_keepalive_interval(interval: impl Into<Option<Duration>> = interval.into())
                -> Option<Duration> {
                default: None,
                none: "the system's",
                zmq: ("TCP_KEEPALIVE_INTVL", 37, SecondsOrMinus),
                unit: "duration",
                allowed: "None, or 1 s to 32767 s" if |interval| up_to(interval, SECOND, MAX_KEEPALIVE),
                on: Any,
                changed: NewEndpoints,
            }

            /// Limits how long sent TCP data may stay unacknowledged before the connection is given up. Linux
            /// only; elsewhere bind and connect fail with it.
            tcp_user_timeout(limit: impl Into<Option<Duration>> = limit.into()) -> Option<Duration> {
                default: None,
                none: "the system's",
                zmq: ("TCP_MAXRT", 80, Millis(Zero)),
                unit: "duration",
                allowed: "None, or 1 ms to 2147483 s" if |limit| up_to(limit, MILLISECOND, MAX),
                on: Any,
                changed: NewEndpoints,
            }

            /// Connects TCP endpoints through this SOCKS5 proxy, given as `host:port`, or as `source:port;host:port` to
            /// reach it from an address of this machine; without one, from the source of the endpoint, if that has one. It is the proxy that
            /// resolves the names of peers. The proxy's address is shown as the peer's. Needs the feature `socks`.
            #[cfg(feature = "socks")]
            socks_proxy(address: impl AsRef<str> = Some(address.as_ref().to_owned())) -> Option<String> {
                default: None,
                none: "none",
                zmq: ("SOCKS_PROXY", 68, TextOrEmpty),
                unit: "host:port",
                allowed: "a host and a port from 1 to 65535, or a source before it" if |address| {
                    address.as_ref().is_none_or(|address| proxy(address).is_some())
                },
                on: Any,
                changed: NewEndpoints,
            }

            /// Tells the SOCKS5 proxy this user name, if it asks for one (RFC 1929); without one, only proxies that do not ask
            /// can be used. It goes with `socks_password`, and both go over the network in the clear. An empty one is
            /// none. Needs the feature `socks`.
            #[cfg(feature = "socks")]
            socks_username(name: impl Into<String> = Some(name.into())) -> Option<String> {
                default: None,
                none: "none",
                zmq: ("SOCKS_USERNAME", 99, TextOrEmpty),
                unit: "text",
                allowed: "at most 255 bytes; empty is none" if |name| {
                    name.as_ref().is_none_or(|name| name.len() <= 255)
                },
                stored: |name: Option<String>| name.filter(|name| !name.is_empty()),
                on: Any,
                changed: NewEndpoints,
            }

            /// Tells the SOCKS5 proxy this password, with `socks_username`. It is wiped from memory with the socket, and
            /// neither read back nor shown. An empty one is none. Needs the feature `socks`.
            #[cfg(feature = "socks")]
            socks_password(password: impl AsRef<str> = Some(Password::from(password.as_ref()))) -> Option<Password> {
                default: None,
                none: "none",
                zmq: ("SOCKS_PASSWORD", 100, Secret),
                unit: "secret",
                allowed: "at most 255 bytes of text; empty is none" if |password| {
                    password.as_ref().is_none_or(|password| password.as_bytes().len() <= 255)
                },
                stored: |password: Option<Password>| password.filter(|password| !password.as_bytes().is_empty()),
                on: Any,
                changed: NewEndpoints,
            }

            /// Lets pages of these origins connect to a bound `ws://` or `wss://` endpoint, beside those that come from the
            /// same host and port: a list such as `https://example.org,http://localhost:3000`, or `*` for all. A
            /// browser says of which site a page is; a client that is no browser says nothing, and comes in. Over
            /// `ws://` the same host is an address, `localhost` or the endpoint's own name: any other name may be
            /// somebody else's who has it lead here, and is to be listed, as behind a proxy. Needs the feature `ws`.
            #[cfg(feature = "ws")]
            ws_origins(list: impl AsRef<str> = Some(list.as_ref().to_owned())) -> Option<String> {
                default: None,
                none: "none",
                zmq: (),
                unit: "origins",
                allowed: "scheme://host or scheme://host:port, separated by commas, or *" if |list| {
                    list.as_ref().is_none_or(|list| list.split(',').all(is_origin))
                },
                on: Any,
                changed: NewEndpoints,
            }

            /// Sets the permissions of the socket files that `ipc://` endpoints make, as chmod(1) has them:
            /// 0o600 is for this user alone, 0o660 for a group, too. Who may write to the file may connect.
            /// They are in force before the first peer can. Without them, the process's umask decides.
            /// Abstract names have no file.
            ipc_permissions(mode: impl Into<Option<u32>> = mode.into()) -> Option<u32> {
                default: None,
                none: "the umask's",
                zmq: (),
                unit: "mode",
                allowed: "None, or 0 to 0o777" if |mode| mode.is_none_or(|mode| mode <= 0o777),
                on: Any,
                changed: NewEndpoints,
            }
        }
    };
}
