//! What `pzmq top` shows: a table of sockets, or of one socket's peers, to be sorted by any column.

use std::cmp::Ordering;
use std::fmt;

use purezmq::expose::Snapshot;
use purezmq::stats::{Dropped, MemberStats, PeerStats};

use crate::watch::{Pace, Rates};

/// A value in a table: how it is shown, and how it is sorted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Text(String),
    Count(u64),
    /// A second. None: it was not there a moment ago.
    Rate(Option<f64>),
    /// Percent of the high-water mark. None: there is none.
    Full(Option<f64>),
}

/// A column.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) is_text: bool,
}

/// A row, and the number of the socket or peer that it is about.
pub(crate) struct Row {
    pub(crate) number: u64,
    pub(crate) cells: Vec<Cell>,
}

const fn number(title: &'static str) -> Column {
    Column {
        title,
        is_text: false,
    }
}

const fn text(title: &'static str) -> Column {
    Column {
        title,
        is_text: true,
    }
}

/// The columns of sockets.
pub(crate) const SOCKETS: &[Column] = &[
    number("NO"),
    text("TYPE"),
    text("NAME"),
    number("PEERS"),
    number("OUT/s"),
    number("IN/s"),
    number("OUT B/s"),
    number("IN B/s"),
    number("TO SEND"),
    number("FULL%"),
    number("TO RECV"),
    number("FULL%"),
    number("DROPPED"),
    number("RECONN"),
    text("ENDPOINTS"),
];

/// The columns of peers.
pub(crate) const PEERS: &[Column] = &[
    number("NO"),
    text("TYPE"),
    text("ADDRESS"),
    text("ID"),
    number("OUT/s"),
    number("IN/s"),
    number("OUT B/s"),
    number("IN B/s"),
    number("TO SEND"),
    number("FULL%"),
    number("TO RECV"),
    number("FULL%"),
    number("DROPPED"),
    number("RECONN"),
    text("USER"),
];

impl Cell {
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Cell::Text(one), Cell::Text(other)) => one.cmp(other),
            (Cell::Count(one), Cell::Count(other)) => one.cmp(other),
            (Cell::Rate(one), Cell::Rate(other)) | (Cell::Full(one), Cell::Full(other)) => {
                one.unwrap_or(-1.0).total_cmp(&other.unwrap_or(-1.0))
            }
            _ => Ordering::Equal,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Text(text) => f.write_str(text),
            Cell::Count(count) => f.write_str(&short(*count as f64)),
            Cell::Rate(None) | Cell::Full(None) => f.write_str("-"),
            Cell::Rate(Some(rate)) => f.write_str(&short(*rate)),
            Cell::Full(Some(percent)) => write!(f, "{percent:.0}"),
        }
    }
}

/// Writes a number with three digits at least, and a unit of a thousand if it is large.
pub(crate) fn short(number: f64) -> String {
    let mut number = number;
    if number < 9999.5 {
        return format!("{number:.0}");
    }
    for unit in ["k", "M", "G", "T"] {
        number /= 1000.0;
        if number < 999.5 {
            let digits = if number < 99.95 { 1 } else { 0 };
            return format!("{number:.digits$}{unit}");
        }
    }
    format!("{number:.0}T")
}

/// Returns a text in which nothing moves the cursor: peers say what they are called.
fn clean(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '?' } else { c };
    text.chars().map(shown).collect()
}

fn full(queued: usize, hwm: usize, peers: usize) -> Cell {
    let room = hwm.saturating_mul(peers);
    Cell::Full((room > 0).then(|| 100.0 * queued as f64 / room as f64))
}

/// What sockets and peers have in common.
struct Middle<'a> {
    rates: Option<&'a Rates>,
    queued: (usize, usize),
    hwm: (usize, usize),
    peers: usize,
    dropped: &'a Dropped,
    reconnects: u64,
}

impl Middle<'_> {
    fn cells(&self) -> Vec<Cell> {
        let rate = |of: fn(&Rates) -> f64| Cell::Rate(self.rates.map(of));
        vec![
            rate(|one| one.messages_out),
            rate(|one| one.messages_in),
            rate(|one| one.bytes_out),
            rate(|one| one.bytes_in),
            Cell::Count(self.queued.0 as u64),
            full(self.queued.0, self.hwm.0, self.peers),
            Cell::Count(self.queued.1 as u64),
            full(self.queued.1, self.hwm.1, self.peers),
            Cell::Count(self.dropped.total()),
            Cell::Count(self.reconnects),
        ]
    }
}

/// Returns a row for each socket.
pub(crate) fn sockets(now: &Snapshot, pace: &Pace) -> Vec<Row> {
    now.sockets.iter().map(|one| socket(one, pace)).collect()
}

fn socket(one: &MemberStats, pace: &Pace) -> Row {
    let stats = &one.stats;
    let endpoints = stats.endpoints.iter().map(|endpoint| {
        let sign = match (endpoint.is_gone, endpoint.is_bound) {
            (true, _) => "gone ",
            (false, true) => "*",
            (false, false) => "",
        };
        let name = endpoint.endpoint.as_ref();
        format!(
            "{sign}{}",
            name.map(ToString::to_string).unwrap_or_default()
        )
    });
    let endpoints: Vec<_> = endpoints.collect();
    let name = match one.is_ended {
        true => "(lingers)".to_owned(),
        false => clean(stats.name.as_deref().unwrap_or_default()),
    };
    let middle = Middle {
        rates: pace.sockets.get(&one.number),
        queued: (stats.queued_to_send, stats.queued_to_receive),
        hwm: (one.send_hwm, one.recv_hwm),
        peers: one.peers,
        dropped: &stats.dropped,
        reconnects: stats.reconnects,
    };
    let mut cells = vec![
        Cell::Count(one.number),
        Cell::Text(one.socket_type.to_string()),
        Cell::Text(name),
        Cell::Count(one.peers as u64),
    ];
    cells.extend(middle.cells());
    cells.push(Cell::Text(clean(&endpoints.join(" "))));
    Row {
        number: one.number,
        cells,
    }
}

/// Returns a row for each peer of the socket of that number.
pub(crate) fn peers(now: &Snapshot, pace: &Pace, number: u64) -> Vec<Row> {
    let socket = now.sockets.iter().find(|one| one.number == number);
    let peers = socket.into_iter().flat_map(|socket| {
        let peers = socket.stats.peers.iter();
        peers.map(|one| peer(one, socket, pace))
    });
    peers.collect()
}

fn peer(one: &PeerStats, socket: &MemberStats, pace: &Pace) -> Row {
    let address = match (&one.address, &one.endpoint) {
        (Some(address), _) => address.to_string(),
        (None, Some(endpoint)) => format!("(away) {endpoint}"),
        (None, None) => "(away)".to_owned(),
    };
    let middle = Middle {
        rates: pace.peers.get(&one.number),
        queued: (one.queued_to_send, one.queued_to_receive),
        hwm: (socket.send_hwm, socket.recv_hwm),
        peers: 1,
        dropped: &one.dropped,
        reconnects: one.reconnects,
    };
    let id = one.routing_id.as_ref();
    let id = id.map(|id| String::from_utf8_lossy(id).into_owned());
    let kind = one.socket_type.map(|kind| kind.to_string());
    let mut cells = vec![
        Cell::Count(one.number),
        Cell::Text(kind.unwrap_or_default()),
        Cell::Text(clean(&address)),
        Cell::Text(clean(id.as_deref().unwrap_or_default())),
    ];
    cells.extend(middle.cells());
    cells.push(Cell::Text(clean(
        one.user_id.as_deref().unwrap_or_default(),
    )));
    Row {
        number: one.number,
        cells,
    }
}

/// Sorts rows by a column: texts and numbers of sockets upwards, all else downwards, so that what is busy comes first.
pub(crate) fn sort(rows: &mut [Row], columns: &[Column], by: usize, reversed: bool) {
    let is_upwards = columns[by].is_text || by == 0;
    rows.sort_by(|one, other| {
        let order = one.cells[by].compare(&other.cells[by]);
        let order = if is_upwards == reversed {
            order.reverse()
        } else {
            order
        };
        order.then(one.number.cmp(&other.number))
    });
}

/// Returns how wide each column is, for these rows.
pub(crate) fn widths(rows: &[Row], columns: &[Column]) -> Vec<usize> {
    let widths = columns.iter().enumerate().map(|(at, column)| {
        let cells = rows
            .iter()
            .map(|row| row.cells[at].to_string().chars().count());
        cells.chain([column.title.len()]).max().unwrap_or(0)
    });
    widths.collect()
}

/// Writes a table as lines of text.
pub(crate) fn lines(rows: &[Row], columns: &[Column]) -> String {
    let widths = widths(rows, columns);
    let mut all = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = String>| {
        let cells = cells
            .zip(columns)
            .zip(&widths)
            .map(|((cell, column), width)| match column.is_text {
                true => format!("{cell:<width$}"),
                false => format!("{cell:>width$}"),
            });
        let cells: Vec<_> = cells.collect();
        all.push_str(cells.join("  ").trim_end());
        all.push('\n');
    };
    line(&mut columns.iter().map(|column| column.title.to_owned()));
    for row in rows {
        line(&mut row.cells.iter().map(ToString::to_string));
    }
    all
}
