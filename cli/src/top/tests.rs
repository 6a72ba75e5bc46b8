//! The screen, drawn without a terminal and compared as text; and the table.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::{Value, json};

use super::*;

/// A socket as JSON.
fn socket(number: u64, kind: &str, name: &str, sent: u64, queued: u64) -> Value {
    json!({
        "number": number, "socket_type": kind, "is_ended": false, "send_hwm": 1000, "recv_hwm": 0, "peers": 2,
        "stats": {
            "name": name,
            "sent": {"messages": sent, "bytes": sent * 100},
            "queued_to_send": queued,
            "endpoints": [{"endpoint": "tcp://127.0.0.1:5555", "is_bound": true}],
            "dropped": {"full": 3, "lost": 1},
            "peers": [
                {"number": 10 * number, "address": "tcp://10.0.0.1:4000", "routing_id": "a\u{1b}[2Jb", "socket_type": "PULL"},
                {"number": 10 * number + 1, "endpoint": "tcp://10.0.0.2:5", "sent": {"messages": sent, "bytes": 0}},
            ],
        },
    })
}

fn snapshot(seconds: u64, sockets: Vec<Value>) -> Snapshot {
    let all = json!({
        "schema": 1,
        "process": {"id": 42, "program": "plant", "library": "0.2.0"},
        "micros": seconds * 1_000_000,
        "unix_millis": 0,
        "sockets": sockets,
    });
    serde_json::from_value(all).expect("a snapshot")
}

fn two(seconds: u64) -> Snapshot {
    let sockets = vec![
        socket(1, "PUSH", "slow", 10 * seconds, 500),
        socket(2, "PUB", "busy", 20_000 * seconds, 0),
    ];
    snapshot(seconds, sockets)
}

fn screen() -> Screen {
    let mut screen = Screen::new("ipc:///run/plant", Level::Sockets, (0, false));
    screen.found(Level::Sockets, Ok(two(1)));
    screen.found(Level::Sockets, Ok(two(3)));
    screen
}

fn drawn(screen: &mut Screen, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| screen.draw(frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let rows = buffer.content.chunks(usize::from(width.max(1)));
    rows.map(|row| {
        let row: String = row.iter().map(|cell| cell.symbol()).collect();
        row.trim_end().to_owned()
    })
    .collect()
}

fn press(screen: &mut Screen, code: KeyCode) -> Asked {
    drawn(screen, 160, 10);
    screen.key(KeyEvent::new(code, KeyModifiers::NONE))
}

#[test]
fn it_shows_sockets_and_what_they_do_a_second() {
    assert_eq!(
        drawn(&mut screen(), 150, 6),
        [
            " pzmq top   plant (42)   ipc:///run/plant   up 3 s",
            " 2 sockets, 4 peers   out 20.0k/s, 2.0M B/s   in 0/s, 0 B/s",
            "NO  TYPE  NAME  PEERS  OUT/s  IN/s  OUT B/s  IN B/s  TO SEND  FULL%  TO RECV  FULL%  DROPPED  RECONN  ENDPOINTS",
            " 1  PUSH  slow      2     10     0     1000       0      500     25        0      -        4       0  *tcp://127.0.0.1:5555",
            " 2  PUB   busy      2  20.0k     0     2.0M       0        0      0        0      -        4       0  *tcp://127.0.0.1:5555",
            " q quit  up/down choose  enter peers  esc back  left/right sort by  r reverse  p pause  ? help",
        ]
    );
}

#[test]
fn it_sorts_by_any_column_either_way() {
    let mut screen = screen();
    let first = |screen: &mut Screen| drawn(screen, 150, 6)[3].clone();
    assert!(first(&mut screen).contains("slow"));
    press(&mut screen, KeyCode::Char('r'));
    assert!(first(&mut screen).contains("busy"));
    press(&mut screen, KeyCode::Char('r'));
    for _ in 0..4 {
        press(&mut screen, KeyCode::Right);
    }
    assert!(
        first(&mut screen).contains("busy"),
        "by OUT/s, the most first"
    );
    for _ in 0..5 {
        press(&mut screen, KeyCode::Left);
    }
    press(&mut screen, KeyCode::Char('l'));
    assert!(
        first(&mut screen).contains("slow"),
        "from the first column to the last and back"
    );
}

#[test]
fn it_goes_down_to_the_peers_of_a_socket_and_back_to_where_it_was() {
    let mut screen = screen();
    assert_eq!(press(&mut screen, KeyCode::Down), Asked::Nothing);
    assert_eq!(press(&mut screen, KeyCode::Enter), Asked::Other);
    assert_eq!(screen.level, Level::Peers(2));
    assert_eq!(screen.level.question(), "socket 2");
    // What was asked before is of the sockets.
    screen.found(Level::Sockets, Ok(two(4)));
    assert!(drawn(&mut screen, 150, 6)[0].contains("waiting"));
    let one = |seconds| snapshot(seconds, vec![socket(2, "PUB", "busy", 20 * seconds, 0)]);
    screen.found(Level::Peers(2), Ok(one(5)));
    screen.found(Level::Peers(2), Ok(one(6)));
    let lines = drawn(&mut screen, 150, 6);
    assert_eq!(lines[1], " socket 2: PUB busy, 2 peers");
    assert!(
        lines[3].contains("tcp://10.0.0.1:4000") && lines[3].contains("a?[2Jb"),
        "{lines:?}"
    );
    assert!(
        lines[4].contains("(away) tcp://10.0.0.2:5") && lines[4].contains("  20  "),
        "{lines:?}"
    );
    assert_eq!(press(&mut screen, KeyCode::Esc), Asked::Other);
    screen.found(Level::Sockets, Ok(two(7)));
    assert_eq!(press(&mut screen, KeyCode::Enter), Asked::Other);
    assert_eq!(screen.level, Level::Peers(2), "the same row is chosen");
    screen.found(Level::Peers(2), Ok(snapshot(8, Vec::new())));
    assert_eq!(drawn(&mut screen, 150, 6)[1], " socket 2 has ended");
}

#[test]
fn it_pauses_helps_tells_of_trouble_and_quits() {
    let mut screen = screen();
    press(&mut screen, KeyCode::Char('p'));
    screen.found(Level::Sockets, Ok(snapshot(9, Vec::new())));
    let lines = drawn(&mut screen, 150, 6);
    assert!(lines[0].contains("up 3 s   PAUSED"), "{lines:?}");
    press(&mut screen, KeyCode::Char(' '));
    press(&mut screen, KeyCode::Char('?'));
    assert!(drawn(&mut screen, 150, 30)[2].contains("choose a row"));
    assert_eq!(
        press(&mut screen, KeyCode::Char('q')),
        Asked::Nothing,
        "it leaves the help"
    );
    screen.found(Level::Sockets, Err("it does not answer".to_owned()));
    let lines = drawn(&mut screen, 150, 6);
    assert_eq!(lines[1], " it does not answer");
    assert!(lines[3].contains("slow"), "what was there stays");
    assert_eq!(press(&mut screen, KeyCode::Char('q')), Asked::Quit);
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(screen.key(interrupt), Asked::Quit);
}

#[test]
fn no_size_is_too_small_and_nothing_is_too_much() {
    let mut screen = screen();
    for (width, height) in [(1, 1), (2, 2), (3, 3), (10, 4), (400, 3), (1, 60)] {
        drawn(&mut screen, width, height);
    }
    for code in [
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
    ] {
        press(&mut screen, code);
    }
    screen.found(Level::Sockets, Ok(snapshot(4, Vec::new())));
    for code in [KeyCode::Down, KeyCode::Up, KeyCode::End, KeyCode::Enter] {
        assert_eq!(press(&mut screen, code), Asked::Nothing);
    }
    let large = socket(u64::MAX / 10 - 1, "PUSH", "x", u64::MAX / 200, u64::MAX / 2);
    screen.found(Level::Sockets, Ok(snapshot(5, vec![large])));
    drawn(&mut screen, 150, 6);
}

#[test]
fn numbers_are_short() {
    let texts = [
        0.0, 9.6, 9999.0, 12_345.0, 999_499.0, 999_500.0, 5e9, 5e15, 5e20,
    ]
    .map(table::short);
    assert_eq!(
        texts,
        [
            "0",
            "10",
            "9999",
            "12.3k",
            "999k",
            "1.0M",
            "5.0G",
            "5000T",
            "500000000T"
        ]
    );
}
