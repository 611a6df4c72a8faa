//! What keys do to a [`View`].

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::view::{PurgeableOrder, Table, TagOrder, View};

/// Rows that a page key moves by.
const PAGE: usize = 10;

/// Each key and what it does, for the help.
pub(super) const HELP: [(&str, &str); 8] = [
    ("q, Esc", "quit"),
    ("p, space", "pause, and go on"),
    ("s", "sort by another column"),
    ("Tab, Shift-Tab", "another table"),
    ("arrows, j, k", "scroll"),
    ("PgUp, PgDn", "scroll by ten"),
    ("Home, End", "the first, the last"),
    ("?", "this help"),
];

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    GoOn,
    Quit,
}

impl View {
    pub(super) fn on_key(&mut self, key: KeyEvent) -> Flow {
        if key.kind == KeyEventKind::Release {
            return Flow::GoOn;
        }
        let is_ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c' | 'd') if is_ctrl => return Flow::Quit,
            KeyCode::Char(_) if is_ctrl => {}
            // The help is left before the program.
            KeyCode::Char('q') | KeyCode::Esc if self.shows_help => self.shows_help = false,
            KeyCode::Char('q') | KeyCode::Esc => return Flow::Quit,
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.shows_help = !self.shows_help,
            KeyCode::Char('p' | ' ') => self.is_paused = !self.is_paused,
            KeyCode::Char('s') => self.sort_by_next(),
            KeyCode::Tab | KeyCode::Right => self.turn_to(1),
            KeyCode::BackTab | KeyCode::Left => self.turn_to(Table::ALL.len() - 1),
            KeyCode::Down | KeyCode::Char('j') => self.scroll_to(self.scroll.saturating_add(1)),
            KeyCode::Up | KeyCode::Char('k') => self.scroll_to(self.scroll.saturating_sub(1)),
            KeyCode::PageDown => self.scroll_to(self.scroll.saturating_add(PAGE)),
            KeyCode::PageUp => self.scroll_to(self.scroll.saturating_sub(PAGE)),
            KeyCode::Home => self.scroll_to(0),
            KeyCode::End => self.scroll_to(usize::MAX),
            _ => {}
        }
        Flow::GoOn
    }

    fn scroll_to(&mut self, row: usize) {
        self.scroll = row.min(self.last_row());
    }

    fn turn_to(&mut self, steps: usize) {
        let tables = Table::ALL;
        let place = tables.iter().position(|&table| table == self.table).unwrap_or(0);
        self.table = tables[(place + steps) % tables.len()];
        self.scroll = 0;
    }

    /// Cleanups are in order of time, always.
    fn sort_by_next(&mut self) {
        match self.table {
            Table::Tags => {
                self.tag_order = match self.tag_order {
                    TagOrder::Live => TagOrder::Rate,
                    TagOrder::Rate => TagOrder::Peak,
                    TagOrder::Peak => TagOrder::Name,
                    TagOrder::Name => TagOrder::Live,
                }
            }
            Table::Purgeables => {
                self.purgeable_order = match self.purgeable_order {
                    PurgeableOrder::CouldFree => PurgeableOrder::Freed,
                    PurgeableOrder::Freed => PurgeableOrder::Purges,
                    PurgeableOrder::Purges => PurgeableOrder::Name,
                    PurgeableOrder::Name => PurgeableOrder::CouldFree,
                }
            }
            Table::Cleanups => {}
        }
        self.scroll = 0;
    }
}
