//! Screens of made-up services, and what keys do.

use bursar::Isolation;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::style::Color;

use super::view::{PurgeableOrder, Table, TagOrder};
use super::*;
use crate::failure::is_acted_upon;
use crate::testing::{MIB, cleanup, history, purgeable, stats, tag};

/// A service under pressure, after thirty readings.
fn view() -> View {
    let mut stats = stats();
    stats.tags = vec![tag("thumbnails", 180, 1000), tag("sessions", 60, 500), tag("json", 8, 0)];
    let mut cache = purgeable("thumbnails", 170);
    (cache.hits_total, cache.misses_total, cache.entries) = (Some(900), Some(100), Some(4200));
    (cache.purges_total, cache.freed_bytes_total) = (3, 90 * MIB);
    stats.purgeables = vec![cache, purgeable("sessions", 40)];
    let address = "http://127.0.0.1:9464/memory".to_owned();
    let mut view = View::new(address, Duration::from_secs(1), false, stats.clone());
    for second in 1..=30 {
        stats.uptime += Duration::from_secs(1);
        stats.usage_ratio = 0.25 + 0.02 * f64::from(second);
        stats.tags[0].allocated_bytes_total += 12 * MIB;
        stats.tags[2].allocated_bytes_total += 70 * MIB;
        view.take(stats.clone(), None);
    }
    stats.uptime += Duration::from_secs(1);
    (stats.level, stats.usage_ratio) = (bursar::PressureLevel::Critical, 0.86);
    (stats.live_bytes, stats.peak_bytes) = (344 * MIB, 350 * MIB);
    (stats.sample.active_bytes, stats.sample.dirty_bytes) = (Some(350 * MIB), Some(6 * MIB));
    stats.sample.resident_bytes = Some(380 * MIB);
    stats.sample.working_set_bytes = Some(390 * MIB);
    stats.tags[0].allocated_bytes_total += 12 * MIB;
    stats.tags[2].allocated_bytes_total += 70 * MIB;
    stats.cleanups_total = 2;
    let at = Duration::from_secs;
    let cleanups = [cleanup(at(70), 20), cleanup(at(88), 25)];
    view.take(stats, Some(history(&[], &[], &cleanups)));
    view
}

fn screen(view: &View, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw::draw(view, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let lines = buffer.content().chunks(usize::from(width).max(1)).map(|row| {
        let line: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        line.trim_end().to_owned() + "\n"
    });
    lines.collect()
}

#[track_caller]
fn assert_screen(view: &View, width: u16, height: u16, expected: &str) {
    let shown = screen(view, width, height);
    assert_eq!(shown, expected, "{width}x{height}:\n{shown}");
}

fn press(view: &mut View, code: KeyCode) -> Flow {
    view.on_key(KeyEvent::new(code, KeyModifiers::NONE))
}

#[test]
fn the_screen_at_80_columns_and_24_rows() {
    assert_screen(&view(), 80, 24, include_str!("tests/tags_80x24.txt"));
}

#[test]
fn the_screen_at_40_columns_and_12_rows() {
    assert_screen(&view(), 40, 12, include_str!("tests/tags_40x12.txt"));
}

#[test]
fn the_screen_at_120_columns_and_40_rows() {
    assert_screen(&view(), 120, 40, include_str!("tests/tags_120x40.txt"));
}

#[test]
fn where_a_tag_is_isolated_its_pages_are_told_beside_its_peak() {
    let mut view = view();
    let tags = &mut view.stats.tags;
    (tags[0].isolation, tags[0].active_bytes) = (Isolation::Arena, Some(190 * MIB));
    tags[1].isolation = Isolation::Unsupported;
    assert_screen(&view, 80, 12, include_str!("tests/isolated_80x12.txt"));
}

#[test]
fn the_tables_of_purgeables_and_cleanups() {
    let mut view = view();
    press(&mut view, KeyCode::Tab);
    assert_screen(&view, 80, 12, include_str!("tests/purgeables_80x12.txt"));
    press(&mut view, KeyCode::Tab);
    assert_screen(&view, 80, 12, include_str!("tests/cleanups_80x12.txt"));
    press(&mut view, KeyCode::Tab);
    assert_eq!(view.table, Table::Tags);
    press(&mut view, KeyCode::BackTab);
    assert_eq!(view.table, Table::Cleanups);
}

#[test]
fn no_size_is_too_small_and_no_number_too_large() {
    let mut view = view();
    view.shows_help = true;
    for ratio in [f64::NAN, f64::INFINITY, -1.0, 1e308] {
        let mut stats = view.stats.clone();
        (stats.usage_ratio, stats.uptime) = (ratio, Duration::MAX);
        (stats.watermarks.warning, stats.live_bytes) = (ratio, u64::MAX);
        stats.tags[0].allocated_bytes_total = u64::MAX;
        stats.cleanups_total = u64::MAX;
        view.take(stats, None);
        for (width, height) in [(0, 0), (1, 1), (3, 2), (7, 30), (200, 3), (300, 100)] {
            screen(&view, width, height);
        }
    }
}

#[test]
fn names_that_would_move_the_cursor_do_not_reach_the_screen() {
    let mut view = view();
    view.stats.tags[0].name = "a\u{1b}[2J\u{9b}b\u{202e}".into();
    view.trouble = Some("x\u{7}y".to_owned());
    let shown = screen(&view, 80, 24);
    assert!(!shown.contains(|c: char| is_acted_upon(c) && c != '\n'), "{shown:?}");
}

#[test]
fn without_colours_nothing_is_coloured() {
    let coloured = |has_colours| {
        let mut view = view();
        view.has_colours = has_colours;
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| draw::draw(&view, frame)).unwrap();
        let cells = terminal.backend().buffer().content().to_vec();
        cells.iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
    };
    assert!(coloured(true) && !coloured(false));
}

#[test]
fn a_service_that_goes_away_is_shown_as_such_until_it_is_back() {
    let mut view = view();
    view.miss(&Failure::new(Kind::Unreachable, "stats of there: connection refused"));
    let shown = screen(&view, 80, 24);
    assert!(shown.contains("no answer, trying again: stats of there: connection"), "{shown}");
    assert!(shown.contains("thumbnails"), "what was read last stays: {shown}");
    let again = view.stats.clone();
    view.take(again, None);
    assert!(!screen(&view, 80, 24).contains("no answer"));
}

#[test]
fn one_that_was_started_anew_begins_with_nothing_of_its_former_run() {
    let mut view = view();
    let mut anew = view.stats.clone();
    anew.uptime = Duration::from_secs(1);
    view.take(anew, None);
    assert_eq!((view.usage.len(), view.rates.len(), view.cleanups.len()), (1, 0, 0));
}

#[test]
fn paused_the_screen_stays_as_it_is() {
    let mut view = view();
    press(&mut view, KeyCode::Char('p'));
    assert!(screen(&view, 80, 24).contains("paused"));
    let mut later = view.stats.clone();
    later.live_bytes = 1;
    view.take(later.clone(), None);
    assert_ne!(view.stats.live_bytes, 1);
    press(&mut view, KeyCode::Char('p'));
    view.take(later, None);
    assert_eq!(view.stats.live_bytes, 1);
}

#[test]
fn s_sorts_by_the_next_column_and_cleanups_stay_in_order_of_time() {
    let mut view = view();
    let first = |view: &View| view.text(120).rows[0][0].clone();
    assert_eq!(first(&view), "thumbnails");
    press(&mut view, KeyCode::Char('s'));
    assert_eq!((view.tag_order, first(&view)), (TagOrder::Rate, "json".to_owned()));
    press(&mut view, KeyCode::Char('s'));
    press(&mut view, KeyCode::Char('s'));
    assert_eq!((view.tag_order, first(&view)), (TagOrder::Name, "json".to_owned()));
    press(&mut view, KeyCode::Char('s'));
    assert_eq!(view.tag_order, TagOrder::Live);
    press(&mut view, KeyCode::Tab);
    for _ in 0..3 {
        press(&mut view, KeyCode::Char('s'));
    }
    assert_eq!((view.purgeable_order, first(&view)), (PurgeableOrder::Name, "sessions".to_owned()));
    press(&mut view, KeyCode::Tab);
    press(&mut view, KeyCode::Char('s'));
    assert_eq!(first(&view), "3 s ago");
}

#[test]
fn scrolling_stays_within_the_table() {
    let mut view = view();
    view.stats.tags = (0..100).map(|n| tag(&format!("tag-{n:02}"), 100 - n, 0)).collect();
    press(&mut view, KeyCode::Up);
    assert_eq!(view.scroll, 0);
    press(&mut view, KeyCode::Char('j'));
    press(&mut view, KeyCode::PageDown);
    assert_eq!(view.scroll, 11);
    assert!(screen(&view, 80, 24).contains("tag-11") && !screen(&view, 80, 24).contains("tag-10"));
    press(&mut view, KeyCode::End);
    assert_eq!(view.scroll, 99);
    let shown = screen(&view, 80, 24);
    assert!(shown.contains("tag-99") && shown.contains("tag-90"), "a full page: {shown}");
    press(&mut view, KeyCode::Home);
    assert_eq!(view.scroll, 0);
}

#[test]
fn help_is_shown_and_left_by_the_key_that_quits_without_it() {
    let mut view = view();
    press(&mut view, KeyCode::Char('?'));
    assert!(screen(&view, 40, 12).contains("sort by another column"));
    assert_eq!(press(&mut view, KeyCode::Esc), Flow::GoOn);
    assert!(!view.shows_help);
    assert_eq!(press(&mut view, KeyCode::Esc), Flow::Quit);
    assert_eq!(press(&mut view, KeyCode::Char('q')), Flow::Quit);
    assert_eq!(view.on_key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Flow::Quit);
    let released =
        KeyEvent::new_with_kind(KeyCode::Char('q'), KeyModifiers::NONE, KeyEventKind::Release);
    assert_eq!(view.on_key(released), Flow::GoOn);
}

#[test]
fn cleanups_that_came_while_it_was_paused_are_shown_after() {
    let mut view = view();
    let reading = view.stats.clone();
    press(&mut view, KeyCode::Char('p'));
    let later = [cleanup(Duration::from_secs(90), 7)];
    view.take(reading.clone(), Some(history(&[], &[], &later)));
    assert_eq!(view.cleanups.len(), 2, "it is paused");
    press(&mut view, KeyCode::Char('p'));
    view.take(reading, None);
    assert_eq!(view.cleanups.len(), 1);
}
