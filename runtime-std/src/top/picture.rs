//! A report on a terminal: a headline, a row for each node, the pace of the
//! last minute, and what was proven.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Sparkline, Table};

use super::report::{Latency, NodeReport, Report};

/// Columns without which the table cannot be read.
pub const LEAST_WIDTH: u16 = 72;
/// Lines without which there is no table.
pub const LEAST_HEIGHT: u16 = 12;

const HEADS: [&str; 9] = ["node", "is", "epoch", "view", "role", "sessions", "p50", "p99", "fast"];
const WIDTHS: [u16; 9] = [5, 13, 8, 5, 9, 9, 9, 9, 6];

/// How things are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Palette {
    /// By colours as well.
    Coloured,
    /// By weight alone: NO_COLOR.
    Plain,
}

impl Palette {
    fn style(self, colour: Color) -> Style {
        match self {
            Palette::Coloured => Style::new().fg(colour),
            Palette::Plain => Style::new(),
        }
    }

    fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    fn bad(self) -> Style {
        self.style(Color::Red).add_modifier(Modifier::BOLD)
    }
}

/// Draws `report`, with epochs for each second of the last minute, the newest last.
pub fn draw(frame: &mut Frame<'_>, report: &Report, pace: &[u64], palette: Palette) {
    let area = frame.area();
    if area.width < LEAST_WIDTH || area.height < LEAST_HEIGHT {
        let words = format!("the terminal is too small: {LEAST_WIDTH} by {LEAST_HEIGHT} at least. q ends");
        frame.render_widget(Paragraph::new(words).wrap(ratatui::widgets::Wrap { trim: true }), area);
        return;
    }
    let proven = report.proven();
    let nodes = u16::try_from(report.nodes.len()).unwrap_or(u16::MAX).saturating_add(1);
    let [head, table, speed, blame, keys] = Layout::vertical([
        Constraint::Length(4),
        Constraint::Max(nodes),
        Constraint::Length(3),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(headline(report, palette), head);
    frame.render_widget(nodes_table(report, palette), table);
    draw_pace(frame, speed, pace, palette);
    let blamed: Vec<Line<'_>> = proven
        .iter()
        .map(|proven| {
            Line::styled(format!("node {} is proven faulty: {}", proven.accused, proven.fault), palette.bad())
        })
        .collect();
    frame.render_widget(Paragraph::new(blamed), blame);
    frame.render_widget(Line::styled("q ends; each line is what a node says of itself", palette.faint()), keys);
}

fn headline(report: &Report, palette: Palette) -> Paragraph<'static> {
    let Report { answering, voters, f, nodes, .. } = report;
    let quorum = voters.saturating_sub(*f);
    let away = nodes.len() - answering;
    let blocked = nodes.iter().find_map(|node| node.blocked.as_ref());
    let (words, style) = match (away, blocked) {
        (_, Some(by)) => (format!("blocked: {by}"), palette.bad()),
        (0, None) => ("every node answers".into(), palette.style(Color::Green)),
        _ if *answering >= quorum && *voters > 0 => {
            (format!("{answering} of {} nodes answer", nodes.len()), palette.style(Color::Yellow))
        }
        _ => (format!("{answering} of {} nodes answer, which is too few for a decision", nodes.len()), palette.bad()),
    };
    let number = |value: Option<u64>| value.map_or("-".into(), |value| value.to_string());
    let place = format!(
        "epoch {}, view {}, led by node {}; {f} of {voters} may be faulty",
        number(report.epoch),
        number(report.view.map(u64::from)),
        number(report.leader.map(u64::from)),
    );
    let cluster = report.cluster.as_deref().and_then(|id| id.get(..12)).unwrap_or("nobody answers").to_owned();
    let title = Line::from(vec![
        Span::styled("butterfly ", Style::new().add_modifier(Modifier::BOLD)),
        Span::styled(cluster, palette.faint()),
    ]);
    Paragraph::new(vec![title, Line::styled(words, style), Line::raw(place)])
}

fn nodes_table(report: &Report, palette: Palette) -> Table<'static> {
    let rows = report.nodes.iter().map(|node| row(report, node, palette));
    let heads = Row::new(HEADS.map(Cell::from)).style(palette.faint());
    Table::new(rows, WIDTHS.map(Constraint::Length)).header(heads).column_spacing(0)
}

fn row(report: &Report, node: &NodeReport, palette: Palette) -> Row<'static> {
    if !node.answers {
        let why = if node.admin.is_some() { "no answer" } else { "not asked" };
        return Row::new([node.id.to_string(), why.into()]).style(palette.style(Color::Red));
    }
    let text = |value: Option<&String>| value.cloned().unwrap_or_default();
    let number = |value: Option<u64>| value.map_or("-".into(), |value| value.to_string());
    let is_behind = node.epoch.zip(report.epoch).is_some_and(|(own, all)| own < all);
    let latency = |part: fn(&Latency) -> u64| node.latency.as_ref().map_or("-".into(), |latency| shown(part(latency)));
    let leads = report.leader == Some(node.id);
    let cells = [
        if leads { format!("{} *", node.id) } else { node.id.to_string() },
        text(node.coordinator.as_ref()),
        number(node.epoch),
        number(node.view.map(u64::from)),
        text(node.role.as_ref()),
        node.sessions.to_string(),
        latency(|latency| latency.p50_us),
        latency(|latency| latency.p99_us),
        node.fast_percent.map_or("-".into(), |percent| format!("{percent} %")),
    ];
    let style = match node.coordinator.as_deref() {
        Some("failed") => palette.bad(),
        Some("recovering" | "degraded") => palette.style(Color::Yellow),
        _ if is_behind => palette.style(Color::Yellow),
        _ => Style::new(),
    };
    Row::new(cells).style(style)
}

/// In milliseconds.
fn shown(us: u64) -> String {
    let (whole, tenth) = (us / 1000, us % 1000 / 100);
    if whole >= 100 { format!("{whole} ms") } else { format!("{whole}.{tenth} ms") }
}

fn draw_pace(frame: &mut Frame<'_>, area: Rect, pace: &[u64], palette: Palette) {
    let [_, label, bars] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(1), Constraint::Length(1)]).areas(area);
    let now = pace.last().copied().unwrap_or_default();
    frame.render_widget(Line::styled(format!("epochs a second: {now}"), palette.faint()), label);
    let width = usize::from(bars.width);
    let newest = pace.get(pace.len().saturating_sub(width)..).unwrap_or_default();
    frame.render_widget(Sparkline::default().data(newest.iter().copied()).style(palette.style(Color::Blue)), bars);
}

#[cfg(test)]
mod tests;
