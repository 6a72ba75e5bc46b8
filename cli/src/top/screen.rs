//! The screen of `pzmq top`: what is shown of what was found, and what keys do to it.

use purezmq::expose::Snapshot;
use ratatui::Frame;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Alignment, Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Clear, Paragraph, Row, Table, TableState};

use super::table::{self, Column};
use crate::watch::Pace;

/// What the last line says.
const KEYS: &str = " q quit  up/down choose  enter peers  esc back  left/right sort by  r reverse  p pause  ? help";

const HELP: &str = "\
 up, down, k, j      choose a row; page up, page down, home, end
 enter               the peers of the chosen socket
 esc, backspace      back to the sockets
 left, right, h, l   sort by another column
 r                   sort the other way round
 p, space            pause; again to go on
 ?                   this; any key to leave it
 q, ctrl-c           quit

 OUT/s, IN/s     messages a second, since the last look
 TO SEND         messages that wait to be sent; FULL%: of the high-water mark
 TO RECV         messages that wait for the application to receive them
 DROPPED         messages dropped, for whatever reason, so far
 RECONN          how often a peer was reached again
 ENDPOINTS       where it is bound (*) and connected";

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Sockets,
    /// Of the socket of that number.
    Peers(u64),
}

impl Level {
    /// Returns the question that is answered with it.
    pub(crate) fn question(self) -> String {
        match self {
            Level::Sockets => "sockets".to_owned(),
            Level::Peers(number) => format!("socket {number}"),
        }
    }

    pub(crate) fn columns(self) -> &'static [Column] {
        match self {
            Level::Sockets => table::SOCKETS,
            Level::Peers(_) => table::PEERS,
        }
    }

    pub(crate) fn rows(self, now: &Snapshot, pace: &Pace) -> Vec<table::Row> {
        match self {
            Level::Sockets => table::sockets(now, pace),
            Level::Peers(number) => table::peers(now, pace, number),
        }
    }
}

/// What a key has asked for that is not the screen's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Nothing,
    /// Something else is looked at.
    Other,
    Quit,
}

/// All that is shown.
pub(crate) struct Screen {
    endpoint: String,
    pub(crate) level: Level,
    now: Option<Snapshot>,
    pace: Pace,
    trouble: Option<String>,
    /// By column, and the other way round.
    sort: (usize, bool),
    /// The number of the chosen row.
    chosen: Option<u64>,
    /// What was chosen among the sockets.
    chosen_socket: Option<u64>,
    /// The numbers of the rows, as they were drawn.
    drawn: Vec<u64>,
    state: TableState,
    is_paused: bool,
    shows_help: bool,
}

impl Screen {
    pub(crate) fn new(endpoint: &str, level: Level, sort: (usize, bool)) -> Self {
        Screen {
            endpoint: endpoint.to_owned(),
            level,
            now: None,
            pace: Pace::default(),
            trouble: None,
            sort,
            chosen: None,
            chosen_socket: None,
            drawn: Vec::new(),
            state: TableState::default(),
            is_paused: false,
            shows_help: false,
        }
    }

    /// Takes what was found of a level.
    pub(crate) fn found(&mut self, level: Level, found: Result<Snapshot, String>) {
        if level != self.level || self.is_paused {
            return;
        }
        match found {
            Ok(now) => {
                self.pace = match &self.now {
                    Some(before) => Pace::between(before, &now),
                    None => Pace::default(),
                };
                self.now = Some(now);
                self.trouble = None;
            }
            Err(trouble) => self.trouble = Some(trouble),
        }
    }

    /// Does what a key asks for.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Asked {
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Asked::Quit;
        }
        if std::mem::take(&mut self.shows_help) {
            return Asked::Nothing;
        }
        let columns = self.level.columns().len();
        match key.code {
            KeyCode::Char('q') => return Asked::Quit,
            KeyCode::Up | KeyCode::Char('k') => self.choose(-1),
            KeyCode::Down | KeyCode::Char('j') => self.choose(1),
            KeyCode::PageUp => self.choose(-20),
            KeyCode::PageDown => self.choose(20),
            KeyCode::Home => self.choose(isize::MIN),
            KeyCode::End => self.choose(isize::MAX),
            KeyCode::Left | KeyCode::Char('h') => {
                self.sort.0 = (self.sort.0 + columns - 1) % columns
            }
            KeyCode::Right | KeyCode::Char('l') => self.sort.0 = (self.sort.0 + 1) % columns,
            KeyCode::Char('r') => self.sort.1 = !self.sort.1,
            KeyCode::Char('p' | ' ') => self.is_paused = !self.is_paused,
            KeyCode::Char('?') => self.shows_help = true,
            KeyCode::Enter => {
                if let (Level::Sockets, Some(number)) = (self.level, self.chosen) {
                    self.chosen_socket = self.chosen.take();
                    return self.look_at(Level::Peers(number));
                }
            }
            KeyCode::Esc | KeyCode::Backspace if self.level != Level::Sockets => {
                self.chosen = self.chosen_socket;
                return self.look_at(Level::Sockets);
            }
            _ => {}
        }
        Asked::Nothing
    }

    fn look_at(&mut self, level: Level) -> Asked {
        self.level = level;
        self.now = None;
        self.pace = Pace::default();
        self.is_paused = false;
        self.state = TableState::default();
        self.drawn = Vec::new();
        Asked::Other
    }

    /// Chooses the row that is so many below.
    fn choose(&mut self, below: isize) {
        let at = self.drawn.iter().position(|one| Some(*one) == self.chosen);
        let last = self.drawn.len().saturating_sub(1);
        let at = at.unwrap_or(0).saturating_add_signed(below).min(last);
        self.chosen = self.drawn.get(at).copied();
    }

    pub(crate) fn draw(&mut self, frame: &mut Frame<'_>) {
        let parts = [
            Constraint::Length(2),
            Constraint::Fill(1),
            Constraint::Length(1),
        ];
        let [head, body, foot] = Layout::vertical(parts).areas(frame.area());
        frame.render_widget(Paragraph::new(self.head()), head);
        self.draw_table(frame, body);
        frame.render_widget(Paragraph::new(KEYS).style(Modifier::DIM), foot);
        if self.shows_help {
            frame.render_widget(Clear, body);
            frame.render_widget(Paragraph::new(HELP), body);
        }
    }

    fn head(&self) -> Text<'static> {
        let endpoint = &self.endpoint;
        let paused = if self.is_paused { "   PAUSED" } else { "" };
        let Some(now) = &self.now else {
            let waits = format!(" pzmq top   {endpoint}   waiting for an answer");
            let trouble = self.trouble.clone().unwrap_or_default();
            return Text::from(vec![Line::from(waits), Line::from(format!(" {trouble}"))]);
        };
        let process = &now.process;
        let program = process.program.as_deref().unwrap_or("?");
        let first = format!(
            " pzmq top   {program} ({})   {endpoint}   up {} s{paused}",
            process.id,
            now.micros / 1_000_000,
        );
        let second = match (&self.trouble, self.level) {
            (Some(trouble), _) => format!(" {trouble}"),
            (None, Level::Sockets) => {
                let peers: usize = now.sockets.iter().map(|one| one.peers).sum();
                let total = |of: fn(&crate::watch::Rates) -> f64| {
                    table::short(self.pace.sockets.values().map(of).sum())
                };
                format!(
                    " {} sockets, {peers} peers   out {}/s, {} B/s   in {}/s, {} B/s",
                    now.sockets.len(),
                    total(|one| one.messages_out),
                    total(|one| one.bytes_out),
                    total(|one| one.messages_in),
                    total(|one| one.bytes_in),
                )
            }
            (None, Level::Peers(number)) => match now.sockets.first() {
                Some(one) => {
                    let name = one.stats.name.as_deref().unwrap_or("without a name");
                    let kind = one.socket_type;
                    format!(" socket {number}: {kind} {name}, {} peers", one.peers)
                }
                None => format!(" socket {number} has ended"),
            },
        };
        Text::from(vec![
            Line::from(first).style(Modifier::BOLD),
            Line::from(second),
        ])
    }

    fn draw_table(&mut self, frame: &mut Frame<'_>, area: ratatui::layout::Rect) {
        let Some(now) = &self.now else { return };
        let columns = self.level.columns();
        let mut rows = self.level.rows(now, &self.pace);
        let (by, reversed) = self.sort;
        table::sort(&mut rows, columns, by, reversed);
        self.drawn = rows.iter().map(|row| row.number).collect();
        if self
            .chosen
            .is_none_or(|chosen| !self.drawn.contains(&chosen))
        {
            self.chosen = self.drawn.first().copied();
        }
        let at = self.drawn.iter().position(|one| Some(*one) == self.chosen);
        self.state.select(at);
        let widths = table::widths(&rows, columns);
        let aligned = |column: &Column, text: String| {
            let alignment = match column.is_text {
                true => Alignment::Left,
                false => Alignment::Right,
            };
            Cell::from(Text::from(text).alignment(alignment))
        };
        let titles = columns.iter().enumerate().map(|(at, column)| {
            let style = match at == by {
                true => Modifier::BOLD | Modifier::UNDERLINED,
                false => Modifier::BOLD,
            };
            aligned(column, column.title.to_owned()).style(style)
        });
        let titles = Row::new(titles).style(Modifier::REVERSED);
        let rows = rows.iter().map(|row| {
            let cells = row.cells.iter().zip(columns);
            Row::new(cells.map(|(cell, column)| aligned(column, cell.to_string())))
        });
        let table = Table::new(
            rows,
            widths.iter().map(|width| Constraint::Length(*width as u16)),
        )
        .header(titles)
        .column_spacing(2)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
        frame.render_stateful_widget(table, area, &mut self.state);
    }
}
