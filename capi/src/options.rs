//! Socket options by number: libzmq's values and checks, kept as they were set, and passed on to the socket.

mod security;
mod table;
mod values;

use std::collections::BTreeSet;
use std::ffi::c_int;

use bytes::Bytes;
use purezmq::SocketType;
use purezmq::error::OptionError;
use purezmq::options::{OptionId, Options, Value as Plain, ZmqValue};
use purezmq::security::Security;

use self::security::Secrets;
pub(crate) use self::table::{
    AFFINITY, CONNECT_ROUTING_ID, IMMEDIATE, IPV6, RCVTIMEO, ROUTER_RAW, SNDHWM, SNDTIMEO, USE_FD,
};
use self::table::{
    Access, BINDTODEVICE, EVENTS, FD, HEARTBEAT_TTL, IPV4ONLY, Kind, LAST_ENDPOINT, LINGER,
    METADATA, MULTICAST_HOPS, RCVMORE, ROUTER_NOTIFY, ROUTING_ID, ROWS, Row, SOCKS_PASSWORD,
    SOCKS_PROXY, SOCKS_USERNAME, SUBSCRIBE, TCP_KEEPALIVE_CNT, TCP_KEEPALIVE_IDLE,
    TCP_KEEPALIVE_INTVL, THREAD_SAFE, TOPICS_COUNT, TOS, TYPE, UNSUBSCRIBE, XPUB_VERBOSE,
    XPUB_VERBOSER, ZAP_DOMAIN, ZAP_ENFORCE_DOMAIN,
};
use self::values::{Value, Values};
use crate::context::ContextSettings;
use crate::errno::{EINVAL, ENODEV, ETERM, Errno, Result, fail};
use crate::socket::ready::{POLLIN, POLLOUT};
use crate::socket::{Open, Socket, is_thread_safe, number_of};

/// The options of a socket, as C has set them.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    values: Values,
    secrets: Option<Box<Secrets>>,
    /// Options whose values libzmq takes, and nothing can be made of: nothing is bound or connected with them.
    unusable: BTreeSet<c_int>,
    /// Where it was bound or connected last.
    pub(crate) last_endpoint: String,
}

/// Options that libzmq has not, and that bound here what it does not bound.
const BOUNDS: &[&str] = &[
    "departed_hwm",
    "departed_hwm_bytes",
    "max_all_handshake_bytes",
    "max_connections",
    "max_connections_per_address",
    "max_handshakes",
    "max_subscriptions",
    "max_subscription_bytes",
    "max_all_subscriptions",
    "max_all_subscription_bytes",
    "write_timeout",
    "handover_limit",
];

/// Options of which zero is no bound.
const COUNTS: &[&str] = &["send_hwm_bytes", "recv_hwm_bytes"];

impl Settings {
    /// Returns what a new socket has.
    pub(crate) fn new(socket_type: SocketType, context: &ContextSettings) -> Self {
        let mut settings = Settings {
            values: Values::default(),
            secrets: None,
            unusable: BTreeSet::new(),
            last_endpoint: String::new(),
        };
        let subscribes = matches!(
            socket_type,
            SocketType::Sub | SocketType::XSub | SocketType::Dish
        );
        if subscribes || !context.is_blocky {
            settings.values.insert(LINGER, Value::Number(0));
        }
        if context.ipv6 {
            settings.values.insert(IPV6, Value::Number(1));
        }
        settings
    }

    /// Returns the value of an option that is an `int`.
    pub(crate) fn int(&self, option: c_int) -> c_int {
        match self.values.get(&option) {
            Some(Value::Number(number)) => *number as c_int,
            Some(_) => 0,
            None => Row::find(option).map_or(0, |row| row.default as c_int),
        }
    }

    /// Returns the value of an option that is 64 bits.
    pub(crate) fn u64(&self, option: c_int) -> u64 {
        match self.values.get(&option) {
            Some(Value::Unsigned(bits)) => *bits,
            _ => 0,
        }
    }

    /// Takes what has been set of an option that counts once.
    pub(crate) fn take_bytes(&mut self, option: c_int) -> Option<Vec<u8>> {
        match self.values.remove(&option)? {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Returns what a socket is made with.
    pub(crate) fn options(&self, socket_type: SocketType) -> Result<Options> {
        let mut options = Options::of(socket_type);
        for row in ROWS.iter().filter(|row| row.passed_on) {
            let is_number = matches!(row.kind, Kind::Int(..) | Kind::Any | Kind::Lax | Kind::I64);
            if is_number && !(row.is_draft && row.default == 0) {
                // What it does not have is not set either.
                let _ = self.pass_on(row, &mut options, u64::MAX);
            }
        }
        let mut set = |names: &[&str], value: &Plain| {
            for name in names {
                if let Some(id) = OptionId::by_name(name) {
                    let _ = options.set(id, value.clone());
                }
            }
        };
        set(BOUNDS, &Plain::None);
        set(COUNTS, &Plain::Integer(0));
        set(&["max_frames"], &Plain::Integer(i32::MAX.into()));
        // libzmq's handshake, byte for byte: some count its bytes.
        set(&["announce_draining"], &Plain::Bool(false));
        Ok(options)
    }

    /// Checks that something can be made of what was set: a connection without the proxy, or without the domain, would be
    /// another one than was meant.
    pub(crate) fn check_usable(&self) -> Result<()> {
        match self.unusable.first() {
            None => Ok(()),
            Some(&BINDTODEVICE) => fail(ENODEV),
            Some(_) => fail(EINVAL),
        }
    }

    /// Gives the socket's options the value of one of C's. `threads`: a bit for each I/O thread.
    fn pass_on(&self, row: &Row, options: &mut Options, threads: u64) -> Result<()> {
        let Some(id) = OptionId::by_number(row.number) else {
            return fail(EINVAL);
        };
        let number = self
            .values
            .get(&row.number)
            .map_or(row.default, |value| match value {
                Value::Number(number) => *number,
                _ => row.default,
            });
        let value = match (row.kind, self.values.get(&row.number)) {
            (Kind::I64, _) => ZmqValue::Int64(number),
            (Kind::U64, Some(Value::Unsigned(bits))) => ZmqValue::UInt64(bits & threads),
            (Kind::U64, _) => ZmqValue::UInt64(0),
            (Kind::Int(..) | Kind::Any | Kind::Lax, _) => ZmqValue::Int(fitted(row.number, number)),
            (_, Some(Value::Bytes(bytes))) => {
                return set_bytes(options, id, bytes);
            }
            _ => return taken(options.set(id, Plain::None)),
        };
        taken(options.set_zmq(id, value))
    }
}

/// Sets an option to bytes, or to text.
fn set_bytes(options: &mut Options, id: OptionId, bytes: &[u8]) -> Result<()> {
    let value = ZmqValue::from_bytes(id, bytes).ok_or(Errno(EINVAL))?;
    if bytes.is_empty() && matches!(value, ZmqValue::Text(_)) {
        return taken(options.set(id, Plain::None));
    }
    let value = match value {
        ZmqValue::Bytes(_) => ZmqValue::Bytes(Bytes::copy_from_slice(bytes)),
        value => value,
    };
    taken(options.set_zmq(id, value))
}

/// What sockets of a type do not have is taken, and does nothing.
fn taken(set: std::result::Result<(), OptionError>) -> Result<()> {
    match set {
        Ok(()) | Err(OptionError::SocketType { .. }) => Ok(()),
        Err(OptionError::ContextClosed) => fail(ETERM),
        Err(_) => fail(EINVAL),
    }
}

/// Returns the number nearest to libzmq's that the system takes.
fn fitted(option: c_int, number: i64) -> c_int {
    let number = number as c_int;
    match option {
        TCP_KEEPALIVE_CNT if number > 127 => 127,
        TCP_KEEPALIVE_IDLE | TCP_KEEPALIVE_INTVL if number > 32_767 => 32_767,
        TCP_KEEPALIVE_CNT | TCP_KEEPALIVE_IDLE | TCP_KEEPALIVE_INTVL if number == 0 => -1,
        TOS => number & 0xff,
        MULTICAST_HOPS => number.min(255),
        // All is told or nothing; this layer leaves out what was not asked for.
        ROUTER_NOTIFY if number > 0 => 3,
        _ => number,
    }
}

/// Returns whether libzmq takes any text for an option, and finds out what it is good for with a connection.
fn is_tried_later(option: c_int) -> bool {
    matches!(
        option,
        ZAP_DOMAIN | SOCKS_PROXY | SOCKS_USERNAME | SOCKS_PASSWORD | BINDTODEVICE
    )
}

/// Sets an option. `None`: C has given NULL.
pub(crate) fn set(socket: &Socket, option: c_int, value: Option<&[u8]>) -> Result<()> {
    let mut open = socket.enter()?;
    let open = &mut *open;
    if matches!(option, SUBSCRIBE | UNSUBSCRIBE) {
        return subscribe(socket, open, option == SUBSCRIBE, value.unwrap_or_default());
    }
    let row = Row::find(option).ok_or(Errno(EINVAL))?;
    if !row.who.takes(socket.socket_type) {
        return fail(EINVAL);
    }
    let before = open.settings.clone();
    let done = match put(row, open, value) {
        Ok(()) if option == ROUTER_RAW => socket.speak(open),
        Ok(()) => match apply(row, open) {
            Err(Errno(EINVAL)) if is_tried_later(option) => {
                open.settings.unusable.insert(option);
                return Ok(());
            }
            applied => applied,
        },
        refused => refused,
    };
    match done {
        Ok(()) => {
            open.settings.unusable.remove(&option);
        }
        Err(_) => open.settings = before,
    }
    done
}

/// Keeps a value, if it is one that libzmq takes.
fn put(row: &Row, open: &mut Open, value: Option<&[u8]>) -> Result<()> {
    let given = value.unwrap_or_default();
    let value = match row.kind {
        Kind::Security => {
            let secrets = open.settings.secrets.get_or_insert_default();
            return secrets.set(row.number, value);
        }
        Kind::Told => return fail(EINVAL),
        Kind::Int(least, most) => Value::Number(int(given, least, most)?.into()),
        Kind::Any => Value::Number(int(given, c_int::MIN, c_int::MAX)?.into()),
        Kind::Lax => Value::Number((int(given, c_int::MIN, c_int::MAX)? != 0).into()),
        Kind::I64 => Value::Number(i64::from_ne_bytes(exactly(given)?)),
        Kind::U64 => Value::Unsigned(u64::from_ne_bytes(exactly(given)?)),
        Kind::Bytes(least, most) | Kind::Text(least, most) => {
            let takes_null = least == 0 || matches!(row.kind, Kind::Text(..)) || row.takes_null();
            match value {
                None if takes_null => {
                    open.settings.values.remove(&row.number);
                    return Ok(());
                }
                Some(given) if (least..=most).contains(&given.len()) => {
                    Value::Bytes(given.to_vec())
                }
                _ => return fail(EINVAL),
            }
        }
        Kind::Domain => match given.len() {
            1..=255 => Value::Bytes(given.to_vec()),
            _ => return fail(EINVAL),
        },
    };
    let value = match (row.number, value) {
        (METADATA, Value::Bytes(property)) if !is_property(&property) => return fail(EINVAL),
        // It is kept in tenths of a second.
        (HEARTBEAT_TTL, Value::Number(millis)) => Value::Number(millis / 100 * 100),
        (IPV4ONLY, Value::Number(on)) => {
            open.settings.values.insert(IPV6, Value::Number(1 - on));
            return Ok(());
        }
        (_, value) => value,
    };
    open.settings.values.insert(row.number, value);
    Ok(())
}

/// Returns whether libzmq takes it as a property of the program's own: `X-name:value`, and not four bytes long.
fn is_property(given: &[u8]) -> bool {
    let Some(colon) = given.iter().position(|byte| *byte == b':') else {
        return false;
    };
    given.len() != 4 && given.starts_with(b"X-") && colon < 256 && colon + 1 < given.len()
}

impl Row {
    /// Returns whether NULL takes away what was set: of filters.
    fn takes_null(&self) -> bool {
        matches!(self.number, 58..=60)
    }
}

/// Has a socket take on all that was set, as one that was made in the place of another.
pub(crate) fn apply_all(open: &mut Open) -> Result<()> {
    let set =
        |row: &&Row| open.settings.values.contains_key(&row.number) || row.kind == Kind::Security;
    let rows: Vec<_> = ROWS.iter().filter(set).collect();
    for row in rows {
        match apply(row, open) {
            Err(_) if open.settings.unusable.contains(&row.number) => {}
            applied => applied?,
        }
    }
    Ok(())
}

/// Has the socket take on what was set.
fn apply(row: &Row, open: &mut Open) -> Result<()> {
    let row = match row.number {
        IPV4ONLY => Row::find(IPV6).unwrap_or(row),
        _ => row,
    };
    let mut options = open.socket.options();
    match row.number {
        ZAP_DOMAIN | ZAP_ENFORCE_DOMAIN => {
            let domain = Row::find(ZAP_DOMAIN).ok_or(Errno(EINVAL))?;
            let has_one = open.settings.values.contains_key(&ZAP_DOMAIN);
            open.settings.pass_on(domain, &mut options, 0)?;
            // Without a domain, libzmq asks nobody.
            let enforce = has_one && open.settings.int(ZAP_ENFORCE_DOMAIN) != 0;
            let id = OptionId::by_number(ZAP_ENFORCE_DOMAIN).ok_or(Errno(EINVAL))?;
            taken(options.set(id, enforce))?;
        }
        // To be told of every subscription is a part of being told of every end, and each call sets both.
        XPUB_VERBOSE | XPUB_VERBOSER => {
            let on = open.settings.int(row.number) != 0;
            for (name, on) in [
                ("verbose", on),
                ("verboser", on && row.number == XPUB_VERBOSER),
            ] {
                let id = OptionId::by_name(name).ok_or(Errno(EINVAL))?;
                taken(options.set(id, on))?;
            }
        }
        _ if row.kind == Kind::Security => {
            let secrets = open.settings.secrets.as_deref();
            options.set_security(secrets.map_or(Ok(Security::default()), Secrets::security)?);
        }
        _ if !row.passed_on => return Ok(()),
        _ => {
            let threads = open.entry.0.io_thread_bits();
            open.settings.pass_on(row, &mut options, threads)?;
            if row.number == ROUTER_NOTIFY {
                open.notify = open.settings.int(ROUTER_NOTIFY);
            }
            if row.number == METADATA {
                // Each adds a property.
                open.settings.values.remove(&METADATA);
            }
        }
    }
    taken(open.socket.set_options(options))
}

fn exactly<const N: usize>(given: &[u8]) -> Result<[u8; N]> {
    given.try_into().map_err(|_| Errno(EINVAL))
}

fn int(given: &[u8], least: c_int, most: c_int) -> Result<c_int> {
    let number = c_int::from_ne_bytes(exactly(given)?);
    match (least..=most).contains(&number) {
        true => Ok(number),
        false => fail(EINVAL),
    }
}

/// Adds a filter, or takes it away.
fn subscribe(socket: &Socket, open: &mut Open, subscribe: bool, topic: &[u8]) -> Result<()> {
    let is_manual = || {
        [71, 98]
            .into_iter()
            .any(|option| open.settings.int(option) != 0)
    };
    match socket.socket_type {
        SocketType::Sub => {}
        SocketType::XPub if is_manual() => {}
        _ => return fail(EINVAL),
    }
    match subscribe {
        true => open.socket.subscribe(topic),
        false => open.socket.unsubscribe(topic),
    };
    Ok(())
}

/// Reads an option into as many bytes as C has room for.
pub(crate) fn get(socket: &Socket, option: c_int, room: usize) -> Result<Vec<u8>> {
    if option == FD {
        drop(socket.enter()?);
        return wide(socket.fd()?, room);
    }
    let mut open = match option {
        EVENTS => socket.look()?,
        _ => socket.enter()?,
    };
    let open = &mut *open;
    let row = Row::find(option).ok_or(Errno(EINVAL))?;
    if row.access == Access::Set {
        return fail(EINVAL);
    }
    let number = match row.kind {
        Kind::Security => {
            let secrets = open.settings.secrets.as_deref();
            return secrets.unwrap_or(&Secrets::default()).get(option, room);
        }
        Kind::Told => return told(socket, open, option, room),
        Kind::I64 | Kind::U64 if room != 8 => return fail(EINVAL),
        Kind::U64 => return Ok(open.settings.u64(option).to_ne_bytes().into()),
        Kind::Bytes(..) if option == ROUTING_ID && socket.socket_type == SocketType::Stream => {
            let name = open.last_peer_name();
            return Ok(match name.is_empty() {
                true => bytes_of(open, option).into(),
                false => name,
            });
        }
        Kind::Bytes(..) => return Ok(bytes_of(open, option).into()),
        Kind::Text(..) | Kind::Domain => {
            return Ok([bytes_of(open, option), &[0]].concat());
        }
        Kind::Int(..) | Kind::Any | Kind::Lax | Kind::I64 => {
            let set = open.settings.values.get(&option);
            match set {
                Some(Value::Number(number)) => *number,
                _ => row.default,
            }
        }
    };
    match row.kind {
        Kind::I64 => Ok(number.to_ne_bytes().into()),
        _ if option == IPV4ONLY => exact(1 - open.settings.int(IPV6), room),
        _ => exact(number as c_int, room),
    }
}

fn bytes_of(open: &Open, option: c_int) -> &[u8] {
    match open.settings.values.get(&option) {
        Some(Value::Bytes(bytes)) => bytes,
        _ => &[],
    }
}

/// Reads what is known of the socket itself.
fn told(socket: &Socket, open: &mut Open, option: c_int, room: usize) -> Result<Vec<u8>> {
    match option {
        RCVMORE => wide(open.has_more().into(), room),
        EVENTS => wide(
            open.ready(socket.socket_type, POLLIN | POLLOUT).into(),
            room,
        ),
        TYPE => exact(number_of(socket.socket_type), room),
        THREAD_SAFE => wide(is_thread_safe(socket.socket_type).into(), room),
        LAST_ENDPOINT => {
            let endpoint = open.settings.last_endpoint.as_bytes();
            Ok([endpoint, &[0]].concat())
        }
        TOPICS_COUNT => {
            use SocketType::{Pub, Sub, XPub, XSub};
            if !matches!(socket.socket_type, Pub | Sub | XPub | XSub) {
                return fail(EINVAL);
            }
            wide(crate::call::clipped(open.socket.topics_count()), room)
        }
        _ => fail(EINVAL),
    }
}

/// Writes an `int` into four bytes.
fn exact(number: c_int, room: usize) -> Result<Vec<u8>> {
    match room {
        4 => Ok(number.to_ne_bytes().into()),
        _ => fail(EINVAL),
    }
}

/// Writes an `int` into four bytes or more, of which the others are zero.
fn wide(number: c_int, room: usize) -> Result<Vec<u8>> {
    match room {
        4.. => Ok(number.to_ne_bytes().into()),
        _ => fail(EINVAL),
    }
}
