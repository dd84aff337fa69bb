//! `butterfly-check mutants`.

use std::process::ExitCode;

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_model_check::mutants::{self, Row, report};

use super::side_by_side::side_by_side;
use super::{Meter, refuse, status};

/// The command.
pub(crate) fn mutants(name: Option<&str>, nightly: bool, json: bool, survey: Option<Option<&str>>) -> ExitCode {
    let chosen: Vec<Mutant> =
        Mutant::ALL.iter().copied().filter(|mutant| name.is_none_or(|name| format!("{mutant:?}") == name)).collect();
    if chosen.is_empty() {
        let what = format!("there is no mutant `{}`", name.unwrap_or_default());
        return refuse(&what, Mutant::ALL.iter().map(|mutant| format!("{mutant:?}: {}", mutant.about())));
    }
    if let Some(module) = survey {
        chosen.into_iter().for_each(|mutant| report::survey(mutant, module));
        return ExitCode::SUCCESS;
    }
    let rows = every(&chosen, nightly);
    if json {
        println!("{}", report::document(&rows));
    } else {
        report::print(&rows, name.is_some());
    }
    status(rows.iter().all(Row::is_expected))
}

/// Each of `chosen`, noticed as it must be or not.
pub(crate) fn every(chosen: &[Mutant], nightly: bool) -> Vec<Row> {
    side_by_side(chosen, |number, mutant| {
        let meter = Meter::new(format!("[{}/{}] {mutant:?}", number + 1, chosen.len()));
        let row = mutants::run(*mutant, nightly, &mut |_| {});
        meter.end();
        row
    })
}
