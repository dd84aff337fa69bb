//! The design's numbers, each beside ours. A number that is measured elsewhere
//! gets its row here.

use super::Costs;
use super::program::Part;

/// One number of the design.
pub(super) struct Row {
    pub(super) name: String,
    /// In microseconds.
    pub(super) below: f64,
    pub(super) ours: f64,
}

/// What was measured of them.
pub(super) fn rows(costs: &Costs) -> Vec<Row> {
    let mut rows = Vec::new();
    for n in [4, 7, 16] {
        let steps = costs.time.iter().filter(|timed| timed.n == n && timed.part == Part::Step);
        let slowest = steps.filter_map(|timed| Some((timed.nanoseconds?, &timed.transition))).max();
        if let Some((nanoseconds, transition)) = slowest {
            let name = format!("state transition besides signatures, the slowest ({transition}), n = {n}");
            rows.push(Row { name, below: 100.0, ours: nanoseconds as f64 / 1e3 });
        }
    }
    for measured in &costs.agreement {
        let name = format!("agreement on the fast path, CPU of one replica, n = {}", measured.n);
        rows.push(Row { name, below: 430.0, ours: measured.agreement_us });
    }
    for measured in &costs.others {
        rows.push(Row { name: measured.name.clone(), below: measured.below_us, ours: measured.median_us });
    }
    rows
}
