//! The table: who ends what, on which side and over what; what is delivered, and where the rest is counted. Rows are data,
//! which `ends.rs` asserts, and the document is written from.

use std::fmt::Write;
use std::path::Path;

use common::place::Role;
use purezmq::SocketType::{self, Pub, Radio, Rep, XPub};

use crate::cells::{Cell, PAIRINGS, REQUESTS, Way};

/// Who ends what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    PeerCloses,
    PeerIsCut,
    WeDisconnect(Linger),
    WeUnbind(Linger),
    WeClose(Linger),
    OurRuntime,
    NobodyThenDisconnect,
    NobodyThenClose,
    Refused,
}

/// The time to linger, and whether the peer reads meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Linger {
    /// None, and it does not.
    Zero,
    /// For ever, and it does.
    Long,
}

/// What is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivered {
    Nothing,
    /// What was handed over before.
    Sent,
    /// That, and the rest to whoever comes next.
    Next,
    /// All, to whoever comes.
    Later,
    All,
}

/// Where the rest is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// There is none.
    Nowhere,
    Queued,
    Unsent,
    /// The report of `close` only, since there are no statistics any more.
    Report,
    /// `unsent`, and the report of a `close` that follows says so, too.
    Both,
}

/// A row of the table.
pub(super) struct Row {
    pub(super) end: End,
    /// Whether we, who send, have bound or connected. `None`: either.
    pub(super) role: Option<Role>,
    pub(super) ways: &'static [Way],
    pub(super) delivered: Delivered,
    /// The message that is half written is lost.
    pub(super) loses: bool,
    pub(super) rest: Rest,
}

const WIRE: &[Way] = &[Way::Tcp, Way::Ipc];
const INPROC: &[Way] = &[Way::Inproc];

const fn row(
    end: End,
    role: Option<Role>,
    ways: &'static [Way],
    delivered: Delivered,
    rest: Rest,
) -> Row {
    let loses = matches!(end, End::PeerCloses | End::PeerIsCut) && ways.len() > 1;
    Row {
        end,
        role,
        ways,
        delivered,
        loses,
        rest,
    }
}

pub(super) const ROWS: &[Row] = &{
    use End::*;
    use Linger::{Long, Zero};
    use Role::{WeBind, WeConnect};
    [
        row(
            PeerCloses,
            Some(WeConnect),
            WIRE,
            Delivered::Next,
            Rest::Queued,
        ),
        row(
            PeerCloses,
            Some(WeBind),
            WIRE,
            Delivered::Sent,
            Rest::Unsent,
        ),
        row(PeerCloses, None, INPROC, Delivered::Sent, Rest::Unsent),
        row(
            PeerIsCut,
            Some(WeConnect),
            WIRE,
            Delivered::Next,
            Rest::Queued,
        ),
        row(PeerIsCut, Some(WeBind), WIRE, Delivered::Sent, Rest::Unsent),
        row(PeerIsCut, None, INPROC, Delivered::All, Rest::Nowhere),
        row(
            WeDisconnect(Zero),
            Some(WeConnect),
            WIRE,
            Delivered::Sent,
            Rest::Unsent,
        ),
        row(
            WeDisconnect(Long),
            Some(WeConnect),
            WIRE,
            Delivered::All,
            Rest::Nowhere,
        ),
        row(
            WeDisconnect(Zero),
            Some(WeConnect),
            INPROC,
            Delivered::All,
            Rest::Nowhere,
        ),
        row(
            WeUnbind(Zero),
            Some(WeBind),
            WIRE,
            Delivered::Sent,
            Rest::Unsent,
        ),
        row(
            WeUnbind(Long),
            Some(WeBind),
            WIRE,
            Delivered::All,
            Rest::Nowhere,
        ),
        row(
            WeUnbind(Zero),
            Some(WeBind),
            INPROC,
            Delivered::All,
            Rest::Nowhere,
        ),
        row(WeClose(Zero), None, WIRE, Delivered::Sent, Rest::Report),
        row(WeClose(Long), None, WIRE, Delivered::All, Rest::Nowhere),
        row(WeClose(Zero), None, INPROC, Delivered::All, Rest::Nowhere),
        row(OurRuntime, None, WIRE, Delivered::Sent, Rest::Both),
        row(OurRuntime, None, INPROC, Delivered::All, Rest::Nowhere),
        row(
            NobodyThenDisconnect,
            Some(WeConnect),
            WIRE,
            Delivered::Nothing,
            Rest::Unsent,
        ),
        row(
            NobodyThenDisconnect,
            Some(WeConnect),
            INPROC,
            Delivered::Later,
            Rest::Queued,
        ),
        row(
            NobodyThenClose,
            Some(WeConnect),
            WIRE,
            Delivered::Nothing,
            Rest::Report,
        ),
        row(
            NobodyThenClose,
            Some(WeConnect),
            INPROC,
            Delivered::Later,
            Rest::Report,
        ),
        row(
            Refused,
            Some(WeConnect),
            WIRE,
            Delivered::Nothing,
            Rest::Both,
        ),
    ]
};

impl Row {
    /// Who can have sent something before that end.
    pub(super) fn pairings(&self) -> Vec<(SocketType, SocketType)> {
        let without_peer = matches!(
            self.end,
            End::NobodyThenDisconnect | End::NobodyThenClose | End::Refused
        );
        let all = PAIRINGS.into_iter().chain(REQUESTS);
        // Without a peer, nobody has subscribed or asked.
        all.filter(|(sender, _)| !without_peer || !matches!(sender, Pub | XPub | Radio | Rep))
            .collect()
    }

    pub(super) fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for pairing in self.pairings() {
            for &way in self.ways {
                for role in [Role::WeBind, Role::WeConnect] {
                    if self.role.is_none_or(|one| one == role) {
                        cells.push(Cell { pairing, way, role });
                    }
                }
            }
        }
        cells
    }
}

impl End {
    fn in_words(self) -> &'static str {
        match self {
            End::PeerCloses => "the peer closes its socket",
            End::PeerIsCut => "the peer's process, runtime or connection ends",
            End::WeDisconnect(Linger::Zero) => "we `disconnect`, and linger is over",
            End::WeDisconnect(Linger::Long) => "we `disconnect`, and the peer reads within linger",
            End::WeUnbind(Linger::Zero) => "we `unbind`, and linger is over",
            End::WeUnbind(Linger::Long) => "we `unbind`, and the peer reads within linger",
            End::WeClose(Linger::Zero) => "we `close`, and linger is over",
            End::WeClose(Linger::Long) => "we `close`, and the peer reads within linger",
            End::OurRuntime => "our runtime ends",
            End::NobodyThenDisconnect => "nobody was there, and we `disconnect`",
            End::NobodyThenClose => "nobody was there, and we `close`",
            End::Refused => "the peer refuses us in the handshake",
        }
    }
}

impl Row {
    fn in_words(&self) -> [String; 6] {
        let sockets = match self.pairings().len() {
            all if all == PAIRINGS.len() + REQUESTS.len() => "all fifteen".to_owned(),
            _ => {
                let senders = self.pairings().into_iter().map(|(sender, _)| sender);
                let mut names: Vec<_> = senders.map(|sender| sender.to_string()).collect();
                names.dedup();
                names.join(", ")
            }
        };
        let side = match self.role {
            None => "either",
            Some(Role::WeBind) => "bound",
            Some(Role::WeConnect) => "connecting",
        };
        let ways = match self.ways {
            WIRE => "tcp, ipc",
            INPROC => "inproc",
            _ => "all",
        };
        let delivered = match self.delivered {
            Delivered::Nothing => "nothing",
            Delivered::Sent => "what was handed over",
            Delivered::Next => "what was handed over; the rest to whoever comes next",
            Delivered::Later => "all, once somebody binds",
            Delivered::All => "all",
        };
        let rest = match self.rest {
            Rest::Nowhere => "nothing is left",
            Rest::Queued => "`queued_to_send`",
            Rest::Unsent => "`dropped.unsent`",
            Rest::Report => "`CloseReport::unsent`",
            Rest::Both => "`dropped.unsent`, and `CloseReport::unsent` of a `close` that follows",
        };
        let lost = match self.loses {
            true => "; one that is half written `dropped.lost`",
            false => "",
        };
        [
            self.end.in_words().to_owned(),
            side.to_owned(),
            ways.to_owned(),
            sockets,
            delivered.to_owned(),
            format!("{rest}{lost}"),
        ]
    }
}

const BEGIN: &str = "<!-- Written by tests/api/ends.rs -->\n";
const AFTER: &str = "<!-- To here -->\n";

/// The document says what is asserted here.
#[test]
fn the_table_of_ends_is_what_is_tested() {
    let mut table = String::from(
        "| what ends | we are | transport | sockets | delivered | the rest is counted as |\n\
         |---|---|---|---|---|---|\n",
    );
    for row in ROWS {
        writeln!(table, "| {} |", row.in_words().join(" | ")).expect("text grows");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reliability.md");
    let document = std::fs::read_to_string(&path).expect("the document");
    let (before, rest) = document.split_once(BEGIN).expect("where it begins");
    let (written, after) = rest.split_once(AFTER).expect("where it ends");
    if std::env::var_os("PUREZMQ_WRITE_DOCS").is_some() {
        let anew = format!("{before}{BEGIN}{table}{AFTER}{after}");
        std::fs::write(&path, anew).expect("write");
    } else {
        assert_eq!(written, table, "PUREZMQ_WRITE_DOCS=1 writes it");
    }
}
