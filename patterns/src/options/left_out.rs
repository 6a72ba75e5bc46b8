//! libzmq's options that are none here, and why: for `docs/options.md`, for who asks by number, and for the test that none
//! is forgotten.

/// Returns what there is instead of an option of libzmq's that is none here, or why there is nothing. `None`: it is an
/// option here, or libzmq has none of this number, either.
///
/// ```
/// use purezmq::options::{OptionId, why_absent};
///
/// assert_eq!(OptionId::by_number(41), None); // ZMQ_ROUTER_RAW
/// assert!(why_absent(41).is_some_and(|why| why.contains("STREAM")));
/// assert_eq!(why_absent(23), None); // ZMQ_SNDHWM
/// ```
#[must_use]
pub fn why_absent(number: i32) -> Option<&'static str> {
    let has_it = |row: &&Row| row.options.iter().any(|(_, one)| *one == number);
    let row = ELSEWHERE.iter().chain(LEFT_OUT).find(has_it)?;
    Some(row.instead)
}

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
    Row {
        options: &[
            ("WSS_KEY_PEM", 103),
            ("WSS_CERT_PEM", 104),
            ("WSS_TRUST_PEM", 105),
            ("WSS_HOSTNAME", 106),
            ("WSS_TRUST_SYSTEM", 107),
        ],
        instead: "Drafts, for GnuTLS. Options `tls_server`, `tls_client` and `tls_server_name` are for `wss://`, too.",
    },
];

/// Options that are left out.
pub(super) const LEFT_OUT: &[Row] = &[
    Row {
        options: &[("RATE", 8), ("RECOVERY_IVL", 9), ("MULTICAST_MAXTPDU", 84)],
        instead: "For reliable multicast over pgm, which is not built: pgm is a C library and needs raw sockets.",
    },
    Row {
        options: &[
            ("NORM_MODE", 117),
            ("NORM_UNICAST_NACK", 118),
            ("NORM_BUFFER_SIZE", 119),
            ("NORM_SEGMENT_SIZE", 120),
            ("NORM_BLOCK_SIZE", 121),
            ("NORM_NUM_PARITY", 122),
            ("NORM_NUM_AUTOPARITY", 123),
            ("NORM_PUSH", 124),
        ],
        instead: "The transport `norm://` is a C++ library (NRL's), for which there is nothing in Rust; libzmq is built without it, too, unless asked.",
    },
    Row {
        options: &[
            ("VMCI_BUFFER_SIZE", 85),
            ("VMCI_BUFFER_MIN_SIZE", 86),
            ("VMCI_BUFFER_MAX_SIZE", 87),
            ("VMCI_CONNECT_TIMEOUT", 88),
        ],
        instead: "The transport `vmci://`, between virtual machines of VMware, needs that vendor's C library and headers. `vsock://` is built.",
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
        instead: "Deprecated. What a socket's connections speak goes with its type, which is chosen when it is made: open a STREAM, which is sent and received the same messages. The C library does so when the option is set.",
    },
    Row {
        options: &[("IPV4ONLY", 31)],
        instead: "Deprecated: the opposite of `ipv6`.",
    },
    Row {
        options: &[("LOOPBACK_FASTPATH", 94)],
        instead: "A draft, for Windows alone, whose own makers have taken the feature back.",
    },
    Row {
        options: &[("IN_BATCH_SIZE", 101), ("OUT_BATCH_SIZE", 102)],
        instead: "Drafts. Buffers follow what is sent and received: a read is up to 256 KiB, a batch 60 KiB or one message.",
    },
];

/// Options of libzmq's context, and what there is here.
#[cfg(test)]
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
