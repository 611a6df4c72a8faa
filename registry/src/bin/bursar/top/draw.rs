//! Draws a [`View`].

use bursar::PressureLevel;
use bytesize::ByteSize;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Clear, Paragraph, RenderDirection, Row, Sparkline};

use super::keys::HELP;
use super::view::{Table, View};
use crate::bar;
use crate::failure::plain;

/// The graph's full height, for shares of the budget.
const FULL: f64 = 1000.0;

/// Draws all of it into whatever size there is.
pub(super) fn draw(view: &View, frame: &mut Frame<'_>) {
    let area = frame.area();
    let figures = if area.height >= 12 { 2 } else { u16::from(area.height >= 7) };
    let graph = match area.height {
        0..=13 => 0,
        14..=19 => 3,
        20..=29 => 5,
        _ => 9,
    };
    let [title, bar, numbers, curve, tabs, table, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(figures),
        Constraint::Length(graph),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(view.title(title.width)), title);
    frame.render_widget(Paragraph::new(view.bar(bar.width)), bar);
    frame.render_widget(Paragraph::new(view.figures(numbers)), numbers);
    view.draw_graph(frame, curve);
    frame.render_widget(Paragraph::new(view.tabs()), tabs);
    view.draw_table(frame, table);
    frame.render_widget(Paragraph::new(view.foot(foot.width)), foot);
    if view.shows_help {
        draw_help(frame, area);
    }
}

impl View {
    fn style_of(&self, level: PressureLevel) -> Style {
        if !self.has_colours {
            return Style::new();
        }
        Style::new().fg(match level {
            PressureLevel::Normal => Color::Green,
            PressureLevel::Warning => Color::Yellow,
            PressureLevel::Critical => Color::LightRed,
            PressureLevel::Emergency => Color::Red,
        })
    }

    fn title(&self, width: u16) -> Line<'_> {
        let state = if self.is_paused { " paused" } else { "" };
        let up =
            humantime::format_duration(std::time::Duration::from_secs(self.stats.uptime.as_secs()));
        let right = format!(" up {up}{state}");
        let room = usize::from(width).saturating_sub(right.chars().count());
        let left = format!("bursar top {}", self.address);
        let left: String = left.chars().take(room).collect();
        let bold = Style::new().add_modifier(Modifier::BOLD);
        Line::from(vec![Span::styled(format!("{left:<room$}"), bold), Span::raw(right)])
    }

    /// The level, the share, and the bar in what is left of the line.
    fn bar(&self, width: u16) -> Line<'_> {
        let stats = &self.stats;
        let level = self.style_of(stats.level).add_modifier(Modifier::BOLD);
        // As wide as the longest, so that the bar stays where it is.
        let percent = format!("{:>5.1} %", (100.0 * stats.usage_ratio).clamp(0.0, 999.9));
        let name = format!("{:<9} ", stats.level);
        let used = name.chars().count() + percent.chars().count() + 3;
        let room = usize::from(width).saturating_sub(used);
        let mut spans = vec![Span::styled(name, level), Span::raw(percent), Span::raw(" [")];
        for (index, cell) in
            bar::cells(stats.usage_ratio, &stats.watermarks, room).into_iter().enumerate()
        {
            let here = self.style_of(bar::level_at(index, &stats.watermarks, room));
            let bold = Style::new().add_modifier(Modifier::BOLD);
            spans.push(match cell {
                bar::Cell::Used => Span::styled("█", here),
                bar::Cell::Free => Span::raw("·"),
                bar::Cell::Mark(level) => Span::styled(&level.as_str()[..1], bold),
            });
        }
        spans.push(Span::raw("]"));
        Line::from(spans)
    }

    /// As many figures as there is room for, whole ones only.
    fn figures(&self, area: Rect) -> Vec<Line<'_>> {
        let (stats, sample) = (&self.stats, &self.stats.sample);
        let figures = [
            ("live", Some(stats.live_bytes)),
            ("budget", Some(stats.soft_limit_bytes)),
            ("limit", stats.limits.limit_bytes),
            ("resident", sample.resident_bytes),
            ("dirty", sample.dirty_bytes),
            ("active", sample.active_bytes),
            ("working set", sample.working_set_bytes),
            ("charged", Some(stats.charged_bytes).filter(|&bytes| bytes > 0)),
            ("peak", Some(stats.peak_bytes)),
        ];
        let mut lines = vec![String::new()];
        for (name, bytes) in figures {
            let Some(bytes) = bytes else { continue };
            let figure = format!("{name} {}", ByteSize(bytes));
            let at_begin = lines.last().is_none_or(String::is_empty);
            let gap = if at_begin { 0 } else { 2 };
            let len = lines.last().map_or(0, |line| line.chars().count());
            if !at_begin && len + gap + figure.chars().count() > usize::from(area.width) {
                lines.push(figure);
            } else if let Some(line) = lines.last_mut() {
                line.push_str(&" ".repeat(gap));
                line.push_str(&figure);
            }
        }
        lines.truncate(usize::from(area.height));
        lines.into_iter().map(Line::from).collect()
    }

    fn draw_graph(&self, frame: &mut Frame<'_>, area: Rect) {
        let interval = humantime::format_duration(self.interval);
        let block = Block::new().borders(Borders::TOP).title(format!("usage, {interval} a column"));
        // The cast makes nothing of what is no number or below zero.
        let points = self.usage.iter().rev().take(usize::from(area.width));
        let points = points.map(|share| (share.min(1.0) * FULL) as u64);
        let graph = Sparkline::default()
            .block(block)
            .data(points.collect::<Vec<_>>())
            .max(FULL as u64)
            .direction(RenderDirection::RightToLeft)
            .style(self.style_of(self.stats.level));
        frame.render_widget(graph, area);
    }

    fn tabs(&self) -> Line<'_> {
        let mut spans = Vec::new();
        for table in Table::ALL {
            let count = match table {
                Table::Tags => self.stats.tags.len() as u64,
                Table::Purgeables => self.stats.purgeables.len() as u64,
                Table::Cleanups => self.stats.cleanups_total,
            };
            let name = format!("{} {count}", table.name());
            spans.push(if table == self.table {
                let reversed = Style::new().add_modifier(Modifier::REVERSED);
                Span::styled(format!("[{name}]"), reversed)
            } else {
                Span::raw(format!(" {name} "))
            });
        }
        Line::from(spans)
    }

    fn draw_table(&self, frame: &mut Frame<'_>, area: Rect) {
        let text = self.text(area.width);
        if text.rows.is_empty() {
            let nothing = match self.table {
                Table::Tags => "no tag is in use",
                Table::Purgeables => "nothing is registered: there is nothing to purge",
                Table::Cleanups => "no cleanup was made",
            };
            frame.render_widget(Paragraph::new(nothing), area);
            return;
        }
        let widths = text.columns.iter().map(|column| match column.width {
            0 => Constraint::Min(0),
            width => Constraint::Length(width),
        });
        let aligned = |index: usize, text: String| {
            let alignment = if index == 0 { Alignment::Left } else { Alignment::Right };
            Cell::from(Line::from(text).alignment(alignment))
        };
        let heads = text.columns.iter().enumerate().map(|(index, column)| {
            let mark = if column.is_order { "*" } else { "" };
            aligned(index, format!("{}{mark}", column.head))
        });
        let bold = Style::new().add_modifier(Modifier::BOLD);
        // The last page stays full.
        let page = usize::from(area.height.saturating_sub(1));
        let first = self.scroll.min(text.rows.len().saturating_sub(page));
        let rows = text.rows.into_iter().skip(first).take(page).map(|row| {
            Row::new(row.into_iter().enumerate().map(|(index, text)| aligned(index, text)))
        });
        let table = ratatui::widgets::Table::new(rows, widths).header(Row::new(heads).style(bold));
        frame.render_widget(table, area);
    }

    fn foot(&self, width: u16) -> Line<'_> {
        let reversed = Style::new().add_modifier(Modifier::REVERSED);
        if let Some(trouble) = &self.trouble {
            return Line::styled(format!("no answer, trying again: {trouble}"), reversed);
        }
        let stats = &self.stats;
        if let Some(stall) = &stats.stall {
            let seconds = stall.running_for.as_secs();
            return Line::styled(
                format!("{} has not returned for {seconds} s", plain(&stall.name)),
                reversed,
            );
        }
        if let Some(cooldown) = &stats.cooldown {
            return Line::raw(format!("cleanups wait: {}", plain(&cooldown.reason)));
        }
        let gap = if width < 48 { " " } else { "   " };
        Line::raw(["q quit", "? help", "p pause", "s sort", "Tab table"].join(gap))
    }
}

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let width = 40.min(area.width);
    let height = (HELP.len() as u16 + 2).min(area.height);
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    let lines: Vec<_> =
        HELP.iter().map(|(key, what)| Line::raw(format!("{key:<14} {what}"))).collect();
    let block = Block::new().borders(Borders::ALL).title("keys");
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(block), place);
}
