//! The terminal: asks the nodes once a second, draws what they say, and ends
//! with q, Esc or Ctrl-C.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::picture::{Palette, draw};
use super::report::Report;
use super::{Target, ask_all};

/// Between two questions.
const ROUND: Duration = Duration::from_secs(1);
/// How soon a key or a new report is noticed.
const GLANCE: Duration = Duration::from_millis(100);
/// Seconds of which the pace is shown.
const MINUTE: usize = 60;

/// Shows `targets` until a key says that it is enough.
///
/// # Errors
/// When the terminal cannot be used.
pub fn watch(targets: Vec<Target>, palette: Palette) -> Result<()> {
    let (sender, reports) = channel();
    // It ends with this process, or when nobody takes what it brings.
    std::thread::spawn(move || ask_again_and_again(&targets, &sender));
    let mut terminal = ratatui::try_init().context("the terminal cannot be used; --json needs none")?;
    let outcome = show(&mut terminal, &reports, palette);
    ratatui::restore();
    outcome
}

fn ask_again_and_again(targets: &[Target], sender: &Sender<Report>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    loop {
        let begin = Instant::now();
        sender.send(runtime.block_on(ask_all(targets)))?;
        std::thread::sleep(ROUND.saturating_sub(begin.elapsed()));
    }
}

fn show(terminal: &mut DefaultTerminal, reports: &Receiver<Report>, palette: Palette) -> Result<()> {
    let mut report = Report::default();
    let mut pace = Pace::default();
    loop {
        while let Ok(newer) = reports.try_recv() {
            pace.note(newer.epoch);
            report = newer;
        }
        terminal.draw(|frame| draw(frame, &report, pace.seconds(), palette))?;
        if event::poll(GLANCE)? {
            // A resized terminal is drawn anew in the next round.
            if let Event::Key(key) = event::read()?
                && is_end(&key)
            {
                return Ok(());
            }
        }
    }
}

fn is_end(key: &KeyEvent) -> bool {
    let is_interrupt = key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c');
    key.kind != KeyEventKind::Release && (is_interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc))
}

/// Epochs of each of the last seconds.
#[derive(Default)]
struct Pace {
    last: Option<u64>,
    seconds: VecDeque<u64>,
}

impl Pace {
    /// The cluster has reached `epoch`, a second later.
    fn note(&mut self, epoch: Option<u64>) {
        let more = epoch.zip(self.last).map_or(0, |(now, before)| now.saturating_sub(before));
        self.last = epoch.or(self.last);
        if self.seconds.len() == MINUTE {
            self.seconds.pop_front();
        }
        self.seconds.push_back(more);
    }

    fn seconds(&mut self) -> &[u64] {
        self.seconds.make_contiguous()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_of_the_last_minute_and_survives_silence() {
        let mut pace = Pace::default();
        for epoch in [Some(100), Some(130), None, Some(150)] {
            pace.note(epoch);
        }
        assert_eq!(pace.seconds(), [0, 30, 0, 20]);
        (0..100).for_each(|_| pace.note(None));
        assert_eq!(pace.seconds(), [0; MINUTE]);
    }

    #[test]
    fn q_escape_and_an_interrupt_end_it() {
        let key = |code, modifiers| is_end(&KeyEvent::new(code, modifiers));
        assert!(key(KeyCode::Char('q'), KeyModifiers::NONE) && key(KeyCode::Esc, KeyModifiers::NONE));
        assert!(key(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert!(!key(KeyCode::Char('c'), KeyModifiers::NONE) && !key(KeyCode::Enter, KeyModifiers::NONE));
    }
}
