//! libzmq's options that are none here, and why: for `docs/options.md`, and for the test that none is forgotten.

/// A group of libzmq's options: their names and numbers, and what is to be said of them.
pub(super) struct Row {
    pub(super) options: &'static [(&'static str, i32)],
    pub(super) instead: &'static str,
}

/// Options that are something else here.
pub(super) const ELSEWHERE: &[Row] = &[
    Row {
        options: &[("SUBSCRIBE", 6), ("UNSUBSCRIBE", 7)],
        instead: "Methods `subscribe` and `unsubscribe` of SUB, XSUB and XPUB.",
    },
    Row {
        options: &[("CONNECT_ROUTING_ID", 61)],
        instead: "Method `connect_as` of ROUTER and STREAM: the name goes with its endpoint, not with whatever is connected next.",
    },
    Row {
        options: &[
            ("PLAIN_SERVER", 44),
            ("PLAIN_USERNAME", 45),
            ("PLAIN_PASSWORD", 46),
            ("CURVE_SERVER", 47),
            ("CURVE_PUBLICKEY", 48),
            ("CURVE_SECRETKEY", 49),
            ("CURVE_SERVERKEY", 50),
        ],
        instead: "Option `security`: a mechanism, its role and its secrets are one value, and none can be missing.",
    },
    Row {
        options: &[("USE_FD", 89)],
        instead: "Method `adopt` of every socket.",
    },
    Row {
        options: &[("LAST_ENDPOINT", 32)],
        instead: "Method `last_endpoint`; `bind` returns it, too.",
    },
    Row {
        options: &[("TOPICS_COUNT", 116)],
        instead: "Method `topics_count` of PUB, XPUB, SUB and XSUB.",
    },
    Row {
        options: &[("TYPE", 16), ("THREAD_SAFE", 81)],
        instead: "Each socket type is a Rust type, and the compiler knows what may be done from several threads.",
    },
    Row {
        options: &[("RCVMORE", 13)],
        instead: "Messages are sent and received whole.",
    },
    Row {
        options: &[("FD", 14), ("EVENTS", 15)],
        instead: "`send` and `recv` are futures, which every executor can wait for; `try_send` and `try_recv` ask.",
    },
];

/// Options that are left out.
pub(super) const LEFT_OUT: &[Row] = &[
    Row {
        options: &[
            ("RATE", 8),
            ("RECOVERY_IVL", 9),
            ("MULTICAST_HOPS", 25),
            ("MULTICAST_MAXTPDU", 84),
            ("MULTICAST_LOOP", 96),
            ("NORM_*", 117),
        ],
        instead: "Multicast transports (pgm, norm, udp) are not built.",
    },
    Row {
        options: &[
            ("VMCI_BUFFER_SIZE", 85),
            ("VMCI_BUFFER_MIN_SIZE", 86),
            ("VMCI_BUFFER_MAX_SIZE", 87),
            ("VMCI_CONNECT_TIMEOUT", 88),
        ],
        instead: "The transport between virtual machines is not built.",
    },
    Row {
        options: &[
            ("GSSAPI_SERVER", 62),
            ("GSSAPI_PRINCIPAL", 63),
            ("GSSAPI_SERVICE_PRINCIPAL", 64),
            ("GSSAPI_PLAINTEXT", 65),
            ("GSSAPI_PRINCIPAL_NAMETYPE", 90),
            ("GSSAPI_SERVICE_PRINCIPAL_NAMETYPE", 91),
        ],
        instead: "The GSSAPI mechanism needs a C library; libzmq is built without it, too, unless asked.",
    },
    Row {
        options: &[("ROUTER_RAW", 41)],
        instead: "Deprecated: a STREAM socket does the same.",
    },
    Row {
        options: &[("IPV4ONLY", 31)],
        instead: "Deprecated: the opposite of `ipv6`.",
    },
    Row {
        options: &[
            ("TCP_ACCEPT_FILTER", 38),
            ("IPC_FILTER_PID", 58),
            ("IPC_FILTER_UID", 59),
            ("IPC_FILTER_GID", 60),
        ],
        instead: "Deprecated in favour of ZAP, which is told each peer's address.",
    },
    Row {
        options: &[
            ("LOOPBACK_FASTPATH", 94),
            ("METADATA", 95),
            ("SOCKS_USERNAME", 99),
            ("SOCKS_PASSWORD", 100),
            ("IN_BATCH_SIZE", 101),
            ("OUT_BATCH_SIZE", 102),
            ("RECONNECT_STOP", 109),
            ("PRIORITY", 112),
            ("XSUB_VERBOSE_UNSUBSCRIBE", 115),
        ],
        instead: "Drafts, which libzmq may still change. (Those in the table above are drafts that were asked for most.)",
    },
    Row {
        options: &[
            ("WSS_KEY_PEM", 103),
            ("WSS_CERT_PEM", 104),
            ("WSS_TRUST_PEM", 105),
            ("WSS_HOSTNAME", 106),
            ("WSS_TRUST_SYSTEM", 107),
        ],
        instead: "Drafts, for WebSockets, which are not built.",
    },
];

/// Options of libzmq's context, and what there is here.
pub(super) const CONTEXT: &[(&str, &str)] = &[
    (
        "IO_THREADS",
        "`Context::with_io_threads`, or none: connections then run on the caller's runtime.",
    ),
    (
        "THREAD_NAME_PREFIX, THREAD_PRIORITY, THREAD_SCHED_POLICY, THREAD_AFFINITY_CPU_ADD, THREAD_AFFINITY_CPU_REMOVE",
        "Left out: build a tokio runtime whose threads are as you want them, and call `bind` and `connect` there.",
    ),
    (
        "MAX_SOCKETS, SOCKET_LIMIT",
        "Left out: a socket without connections is a piece of memory; the system's limit of descriptors remains.",
    ),
    (
        "IPV6, BLOCKY",
        "Left out: these are defaults for the sockets' `ipv6` and `linger`. A function of your own that returns a \
         builder does that for all options.",
    ),
    (
        "MAX_MSGSZ",
        "Left out: libzmq stores it and does nothing with it. See `max_message_size`.",
    ),
    (
        "MSG_T_SIZE, ZERO_COPY_RECV",
        "Left out: matters of libzmq's own message type.",
    ),
];
