//! The socket options by number: libzmq's types, ranges and defaults.

use std::ffi::c_int;

use purezmq::SocketType;

/// What values an option takes, as libzmq checks them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An `int` from one number to another.
    Int(c_int, c_int),
    /// Any `int`.
    Any,
    /// Any `int`, of which all but zero are one.
    Lax,
    /// An `int64_t`.
    I64,
    /// A `uint64_t`.
    U64,
    /// Bytes, so many to so many.
    Bytes(usize, usize),
    /// Text, so many bytes to so many. NULL and no bytes take it away.
    Text(usize, usize),
    /// Text of which an empty one is an error.
    Domain,
    /// What `security.rs` knows.
    Security,
    /// What is only read.
    Told,
}

/// Who takes an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    All,
    Router,
    Named,
    Req,
    Prober,
    Publisher,
    Dropper,
    XSub,
    Subscribing,
    Stream,
}

impl Who {
    pub(super) fn takes(self, socket_type: SocketType) -> bool {
        use SocketType::*;
        match self {
            Who::All => true,
            // REP is built on ROUTER there.
            Who::Router => matches!(socket_type, Router | Rep),
            Who::Named => matches!(socket_type, Router | Rep | Stream),
            Who::Req => socket_type == Req,
            Who::Prober => matches!(socket_type, Router | Rep | Dealer | Req),
            // PUB is built on XPUB there.
            Who::Publisher => matches!(socket_type, XPub | Pub),
            Who::Dropper => matches!(socket_type, XPub | Pub | Radio),
            Who::XSub => socket_type == XSub,
            Who::Subscribing => matches!(socket_type, XPub | Pub | XSub),
            Who::Stream => socket_type == Stream,
        }
    }
}

/// What is done with an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Set,
    SetGet,
}

/// What is known of an option.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) number: c_int,
    pub(super) kind: Kind,
    /// What it is until it is set, if it is a number.
    pub(super) default: i64,
    pub(super) who: Who,
    pub(super) access: Access,
    /// Only draft builds have it.
    pub(super) is_draft: bool,
    /// It goes to the socket by its number.
    pub(super) passed_on: bool,
}

pub(crate) const AFFINITY: c_int = 4;
pub(crate) const ROUTING_ID: c_int = 5;
pub(crate) const SUBSCRIBE: c_int = 6;
pub(crate) const UNSUBSCRIBE: c_int = 7;
pub(crate) const RCVMORE: c_int = 13;
pub(crate) const FD: c_int = 14;
pub(crate) const EVENTS: c_int = 15;
pub(crate) const TYPE: c_int = 16;
pub(crate) const LINGER: c_int = 17;
pub(crate) const RCVTIMEO: c_int = 27;
pub(crate) const SNDTIMEO: c_int = 28;
pub(crate) const SNDHWM: c_int = 23;
pub(crate) const MULTICAST_HOPS: c_int = 25;
pub(crate) const IPV4ONLY: c_int = 31;
pub(crate) const LAST_ENDPOINT: c_int = 32;
pub(crate) const TCP_KEEPALIVE_CNT: c_int = 35;
pub(crate) const TCP_KEEPALIVE_IDLE: c_int = 36;
pub(crate) const TCP_KEEPALIVE_INTVL: c_int = 37;
pub(crate) const IMMEDIATE: c_int = 39;
pub(crate) const XPUB_VERBOSE: c_int = 40;
pub(crate) const ROUTER_RAW: c_int = 41;
pub(crate) const IPV6: c_int = 42;
pub(crate) const TOS: c_int = 57;
pub(crate) const ZAP_DOMAIN: c_int = 55;
pub(crate) const CONNECT_ROUTING_ID: c_int = 61;
pub(crate) const SOCKS_PROXY: c_int = 68;
pub(crate) const HEARTBEAT_TTL: c_int = 76;
pub(crate) const XPUB_VERBOSER: c_int = 78;
pub(crate) const THREAD_SAFE: c_int = 81;
pub(crate) const USE_FD: c_int = 89;
pub(crate) const BINDTODEVICE: c_int = 92;
pub(crate) const ZAP_ENFORCE_DOMAIN: c_int = 93;
pub(crate) const METADATA: c_int = 95;
pub(crate) const ROUTER_NOTIFY: c_int = 97;
pub(crate) const SOCKS_USERNAME: c_int = 99;
pub(crate) const SOCKS_PASSWORD: c_int = 100;
pub(crate) const TOPICS_COUNT: c_int = 116;

const MAX: c_int = c_int::MAX;
const COUNT: Kind = Kind::Int(0, MAX);
const MINUS: Kind = Kind::Int(-1, MAX);
const ONE: Kind = Kind::Int(1, MAX);
const BOOL: Kind = Kind::Int(0, 1);
const LONG: usize = usize::MAX;

const fn row(number: c_int, kind: Kind, default: i64) -> Row {
    Row {
        number,
        kind,
        default,
        who: Who::All,
        access: Access::SetGet,
        is_draft: false,
        passed_on: true,
    }
}

impl Row {
    const fn of(self, who: Who) -> Self {
        Row { who, ..self }
    }

    const fn only_set(self) -> Self {
        Row {
            access: Access::Set,
            ..self
        }
    }

    const fn draft(self) -> Self {
        Row {
            is_draft: true,
            ..self
        }
    }

    /// This layer sees to it; or there is nothing here that it could change, as it is with libzmq's multicast transports
    /// where they are not built.
    const fn kept(self) -> Self {
        Row {
            passed_on: false,
            ..self
        }
    }

    pub(super) fn find(number: c_int) -> Option<&'static Row> {
        let place = PLACES.get(usize::try_from(number).ok()?)?;
        let found = ROWS.get(usize::from(*place))?;
        (!found.is_draft || cfg!(feature = "draft")).then_some(found)
    }
}

/// Above all numbers of options.
const NUMBERS: usize = 128;

/// Where the row of each number is: a call that waits asks for its limit. Beyond the last row, there is none.
static PLACES: [u8; NUMBERS] = {
    let mut places = [u8::MAX; NUMBERS];
    let mut at = 0;
    while at < ROWS.len() {
        places[ROWS[at].number as usize] = at as u8;
        at += 1;
    }
    places
};

pub(super) const ROWS: &[Row] = &[
    row(AFFINITY, Kind::U64, 0),
    row(ROUTING_ID, Kind::Bytes(1, 255), 0),
    row(8, ONE, 100).kept(),
    row(9, COUNT, 10_000).kept(),
    row(11, MINUS, -1),
    row(12, MINUS, -1),
    row(RCVMORE, Kind::Told, 0),
    row(FD, Kind::Told, 0),
    row(EVENTS, Kind::Told, 0),
    row(TYPE, Kind::Told, 0),
    row(LINGER, MINUS, -1),
    row(18, MINUS, 100),
    row(19, COUNT, 100),
    row(21, COUNT, 0),
    row(22, Kind::I64, -1),
    row(SNDHWM, COUNT, 1000),
    row(24, COUNT, 1000),
    row(MULTICAST_HOPS, ONE, 1),
    row(RCVTIMEO, MINUS, -1).kept(),
    row(SNDTIMEO, MINUS, -1).kept(),
    row(IPV4ONLY, BOOL, 1).kept(),
    row(LAST_ENDPOINT, Kind::Told, 0),
    row(33, COUNT, 0).of(Who::Router).only_set(),
    row(34, Kind::Int(-1, 1), -1),
    row(TCP_KEEPALIVE_CNT, MINUS, -1),
    row(TCP_KEEPALIVE_IDLE, MINUS, -1),
    row(TCP_KEEPALIVE_INTVL, MINUS, -1),
    row(38, Kind::Text(1, 255), 0).only_set(),
    row(IMMEDIATE, BOOL, 0),
    row(XPUB_VERBOSE, COUNT, 0).of(Who::Publisher).only_set(),
    row(ROUTER_RAW, COUNT, 0).of(Who::Router).only_set().kept(),
    row(IPV6, BOOL, 0),
    row(43, Kind::Security, 0),
    row(44, Kind::Security, 0),
    row(45, Kind::Security, 0),
    row(46, Kind::Security, 0),
    row(47, Kind::Security, 0),
    row(48, Kind::Security, 0),
    row(49, Kind::Security, 0),
    row(50, Kind::Security, 0),
    row(51, COUNT, 0).of(Who::Prober).only_set(),
    row(52, COUNT, 0).of(Who::Req).only_set(),
    row(53, COUNT, 0).of(Who::Req).only_set(),
    row(54, BOOL, 0),
    row(ZAP_DOMAIN, Kind::Domain, 0),
    row(56, COUNT, 0).of(Who::Router).only_set(),
    row(TOS, COUNT, 0),
    row(58, Kind::Bytes(4, 4), 0).only_set(),
    row(59, Kind::Bytes(4, 4), 0).only_set(),
    row(60, Kind::Bytes(4, 4), 0).only_set(),
    row(CONNECT_ROUTING_ID, Kind::Bytes(1, LONG), 0)
        .of(Who::Named)
        .only_set()
        .kept(),
    row(66, COUNT, 30_000),
    row(SOCKS_PROXY, Kind::Text(1, LONG), 0),
    row(69, COUNT, 0).of(Who::Dropper).only_set(),
    row(71, COUNT, 0).of(Who::Publisher).only_set(),
    row(72, Kind::Bytes(0, LONG), 0)
        .of(Who::Publisher)
        .only_set(),
    row(73, BOOL, 1).of(Who::Stream).only_set(),
    row(74, Kind::Lax, 0),
    row(75, COUNT, 0),
    row(HEARTBEAT_TTL, Kind::Int(-99, 6_553_599), 0),
    row(77, COUNT, -1),
    row(XPUB_VERBOSER, COUNT, 0).of(Who::Publisher).only_set(),
    row(79, COUNT, 0),
    row(80, COUNT, 0),
    row(THREAD_SAFE, Kind::Told, 0),
    row(84, ONE, 1500).kept(),
    row(USE_FD, MINUS, -1).kept(),
    row(BINDTODEVICE, Kind::Text(1, 16), 0),
    row(ZAP_ENFORCE_DOMAIN, Kind::Lax, 0).kept(),
    row(94, Kind::Lax, 0).kept(),
    row(METADATA, Kind::Bytes(1, LONG), 0).only_set(),
    row(96, Kind::Lax, 1),
    row(ROUTER_NOTIFY, Kind::Int(0, 3), 0)
        .of(Who::Router)
        .draft(),
    row(98, COUNT, 0).of(Who::Publisher).only_set(),
    row(SOCKS_USERNAME, Kind::Text(0, 255), 0),
    row(SOCKS_PASSWORD, Kind::Text(0, 255), 0),
    row(101, ONE, 8192).kept().draft(),
    row(102, ONE, 8192).kept().draft(),
    row(108, COUNT, 0).of(Who::Subscribing).only_set(),
    row(109, Kind::Any, 0),
    row(110, Kind::Bytes(0, LONG), 0).only_set().draft(),
    row(111, Kind::Bytes(0, LONG), 0).only_set().draft(),
    row(112, COUNT, 0).draft(),
    row(113, Kind::Any, 0).only_set().draft(),
    row(114, Kind::Bytes(0, LONG), 0).only_set().draft(),
    row(115, Kind::Any, 0).of(Who::XSub).only_set().draft(),
    row(TOPICS_COUNT, Kind::Told, 0),
];
