//! Fewer faults that break the same property.

use super::engine::Outcome;
use super::faults::Fault;
use super::setting::Setting;
use super::{Besides, Scenario, simulate};

/// What is left of a run that breaks a property.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// Faults of the run as its seed has it.
    pub before: usize,
    /// Those that are left, described, in the order in which they begin.
    pub faults: Vec<String>,
    /// Runs that it took.
    pub runs: usize,
    /// What comes of the faults that are left.
    pub outcome: Outcome,
}

/// Leaves out as many faults of `seed` as it can, as long as the run breaks
/// the property that it breaks with all of them. None if it breaks none.
///
/// Each fault has its own random numbers, so those that are left do what they
/// did before. Halves are left out first, then smaller parts, then single
/// faults, until each of those that are left is needed.
pub fn shrink(seed: u64, scenario: &Scenario) -> Option<Shrunk> {
    let setting = Setting::draw(seed, scenario);
    let mut best = simulate(setting.clone(), Besides::Nothing);
    let property = best.violation.as_ref()?.property;
    let (before, mut runs) = (setting.faults.len(), 1);
    let mut faults = setting.faults.clone();
    let mut part = faults.len().div_ceil(2);
    while part > 0 {
        let mut from = 0;
        let mut shorter = false;
        while from < faults.len() {
            let kept = without(&faults, from, part);
            let outcome = simulate(Setting { faults: kept.clone(), ..setting.clone() }, Besides::Nothing);
            runs += 1;
            if outcome.violation.as_ref().is_some_and(|violation| violation.property == property) {
                (faults, best, shorter) = (kept, outcome, true);
            } else {
                from += part;
            }
        }
        // Single faults again, as long as one of them could be left out.
        part = if part == 1 { usize::from(shorter) } else { part / 2 };
    }
    Some(Shrunk { before, faults: faults.iter().map(Fault::describe).collect(), runs, outcome: best })
}

fn without(faults: &[Fault], from: usize, count: usize) -> Vec<Fault> {
    let until = (from + count).min(faults.len());
    faults[..from].iter().chain(&faults[until..]).cloned().collect()
}
