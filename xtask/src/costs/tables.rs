//! The tables, as text.

use std::fmt::Write;

use super::numbers::Row;
use super::program::{Agreement, Instructions, Part, Signatures, Size, Timed};

pub(super) fn state(sizes: &[Size]) -> String {
    let mut text = format!("{:<20} {:>9} {:>9} {:>9}\n", "bytes of state", "N = 4", "N = 7", "N = 16");
    for Size { name, about, bytes: [four, seven, sixteen] } in sizes {
        let _ = writeln!(text, "{name:<20} {four:>9} {seven:>9} {sixteen:>9}  {about}");
    }
    text
}

pub(super) fn instructions(counted: &[Instructions]) -> String {
    let cells = counted.iter().map(|counted| Cell {
        n: counted.n,
        transition: &counted.transition,
        about: &counted.about,
        part: counted.part,
        signatures: counted.signatures,
        number: counted.instructions.to_string(),
    });
    by_transition("instructions", cells)
}

pub(super) fn time(timed: &[Timed]) -> String {
    let cells = timed.iter().map(|timed| Cell {
        n: timed.n,
        transition: &timed.transition,
        about: &timed.about,
        part: timed.part,
        signatures: timed.signatures,
        number: timed.nanoseconds.map_or("-".into(), |time| format!("{:.1}", time as f64 / 1e3)),
    });
    by_transition("microseconds", cells)
}

struct Cell<'c> {
    n: u32,
    transition: &'c str,
    about: &'c str,
    part: Part,
    signatures: Signatures,
    number: String,
}

/// One line for each transition: its parts are neighbours.
fn by_transition<'c>(unit: &str, cells: impl Iterator<Item = Cell<'c>>) -> String {
    let mut text = format!(
        "{unit:<17} {:>3} {:>9} {:>9} {:>9} {:>5} {:>7}\n",
        "n", "step", "arrival", "signed", "made", "checked"
    );
    let (mut step, mut arrival) = (String::new(), "-".to_owned());
    for cell in cells {
        match cell.part {
            Part::Step => (step, arrival) = (cell.number, "-".to_owned()),
            Part::Arrival => arrival = cell.number,
            Part::Signed => {
                let (Cell { n, transition, about, number, .. }, Signatures { made, checked }) =
                    (&cell, cell.signatures);
                let _ = writeln!(
                    text,
                    "{transition:<17} {n:>3} {step:>9} {arrival:>9} {number:>9} {made:>5} {checked:>7}  {about}"
                );
            }
        }
    }
    text
}

pub(super) fn agreement(measured: &[Agreement]) -> String {
    let mut text = format!(
        "{:<26} {:>7} {:>7} {:>7} {:>7} {:>9} {:>9} {:>6} {:>7}\n",
        "agreement: CPU in a decision", "made", "floor", "checked", "floor", "us", "floor", "least", "median"
    );
    for m in measured {
        let name = format!("n = {}, f = {}, p = {}", m.n, m.f, m.p);
        let _ = writeln!(
            text,
            "{name:<28} {:>7} {:>7} {:>7} {:>7} {:>9.1} {:>9.1} {:>6.2} {:>7.2}",
            m.made, m.floor_made, m.checked, m.floor_checked, m.agreement_us, m.floor_us, m.ratio_min, m.ratio_median
        );
    }
    text
}

pub(super) fn numbers(rows: &[Row]) -> String {
    let mut text = format!("{:<72} {:>8} {:>8}\n", "microseconds", "below", "ours");
    for Row { name, below, ours } in rows {
        let _ = writeln!(text, "{name:<72} {below:>8.0} {ours:>8.1}");
    }
    text
}
