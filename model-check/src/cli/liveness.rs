//! `butterfly-check liveness`.

use std::process::ExitCode;

use butterfly_model_check::liveness::{Goal, Liveness, Promise, check};
use butterfly_model_check::models::Tier;
use butterfly_model_check::models::liveness::{MODELS, Model};
use butterfly_model_check::world::setting::{Delivery, Reports, Setting};
use serde_json::{Value, json};

use super::side_by_side::side_by_side;
use super::{Meter, Row, status, table};

/// A model of which was asked what must happen.
pub(crate) struct Asked {
    model: &'static Model,
    found: Liveness,
    seconds: f64,
}

/// The command.
pub(crate) fn liveness(nightly: bool, json: bool) -> ExitCode {
    let asked = every(nightly);
    let rows: Vec<Row> = asked.iter().map(row).collect();
    let ok = rows.iter().all(|row| row.surprises.is_empty());
    if json {
        let runs: Vec<Value> = asked.iter().map(document).collect();
        println!("{}", json!({ "ok": ok, "goals": Goal::ALL, "runs": runs }));
    } else {
        tell(&asked);
        println!();
        table(&rows);
    }
    status(ok)
}

/// Every model.
pub(crate) fn every(nightly: bool) -> Vec<Asked> {
    let chosen: Vec<&Model> = MODELS.iter().filter(|model| nightly || model.tier == Tier::Always).collect();
    side_by_side(&chosen, |number, model| {
        let place = format!("[{}/{}] ", number + 1, chosen.len());
        let mut meter = Meter::new(format!("{place}{}, what must happen", model.name));
        let setting = Setting::new(model.agreement.parameters(Delivery::Quorum, Reports::Single));
        let found = check(setting, true, &mut |states| meter.states(states));
        Asked { model, found, seconds: meter.end() }
    })
}

/// Prints where a model stalls, and which promises are needed.
pub(crate) fn tell(asked: &[Asked]) {
    for Asked { model, found, .. } in asked {
        match &found.stall {
            Some(stall) => {
                println!("{}: {:?} is missed after {} steps", model.name, stall.goal, stall.steps);
                stall.story.iter().for_each(|line| println!("{line}"));
                println!();
            }
            None => println!("{}: needs every one of {}", model.name, names(&found.needed)),
        }
    }
}

fn names(promises: &[Promise]) -> String {
    promises.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A model's line in the closing table.
pub(crate) fn row(Asked { model, found, seconds }: &Asked) -> Row {
    let surprises = model.surprises(found);
    let result = match (&found.stall, surprises.is_empty()) {
        (_, false) => "NOT AS EXPECTED".to_owned(),
        (None, true) => "happens in the end".to_owned(),
        (Some(stall), true) => format!("{:?} missed, as it must be", stall.goal),
    };
    Row {
        model: model.name.to_owned(),
        configuration: model.configuration(),
        engine: "fairness".to_owned(),
        distinct: found.states,
        transitions: found.transitions,
        depth: None,
        seconds: *seconds,
        result,
        surprises,
    }
}

/// A model's part of the document.
pub(crate) fn document(Asked { model, found, seconds }: &Asked) -> Value {
    json!({ "model": model.name, "configuration": model.configuration(), "seconds": seconds, "found": found })
}
