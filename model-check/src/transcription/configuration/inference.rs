//! The constants of `InferenceCheck`, and its placements, schedules and stage function.

use std::collections::BTreeSet;

use super::text::{Text, place};
use super::{ConfigurationError, Names};
use crate::transcription::inference::{Constants, Rule};

pub(super) fn read(text: &mut Text) -> Result<(Constants, Names), ConfigurationError> {
    let n = text.number("N")?;
    let (members, byzantine) = text.members(n)?;
    let names = Names { members, symbols: text.set("Signals")?, none: text.take("None")? };
    let [b, h1] = [text.member("b", &names)?, text.member("h1", &names)?];
    let [h2, h3] = [text.member("h2", &names)?, text.member("h3", &names)?];
    // They name what is in `Signals`. What is fair matters to TLC alone.
    for name in ["right", "wrong", "old", "Dropped"] {
        text.take(name)?;
    }
    let last = text.number("Last")?;
    let stages = |first: &[usize], others: &[usize]| -> Vec<BTreeSet<usize>> {
        let members = |stage| if stage == 1 { first } else { others };
        (1..=last).map(|stage| members(stage).iter().copied().collect()).collect()
    };
    let owners = match text.take("Owners")?.as_str() {
        "LiarOwnsBoth" => stages(&[b, h1], &[b, h3]),
        "HonestOwners" => stages(&[h1, h2], &[h2, h3]),
        _ => return Err(ConfigurationError::Constant("Owners")),
    };
    let reserves = match text.take("Reserves")?.as_str() {
        "ReservesForBoth" => stages(&[h2], &[h1]),
        "LiarInReserve" => stages(&[b], &[h1]),
        "Nobody" => stages(&[], &[]),
        _ => return Err(ConfigurationError::Constant("Reserves")),
    };
    let signals = names.symbols.len();
    let gives = match text.take("Gives")?.as_str() {
        "Injective" => vec![(0..signals).collect(); last],
        _ => return Err(ConfigurationError::Constant("Gives")),
    };
    let views = text.set("Views")?.len();
    let schedule = |first, others| (0..views).map(|view| if view == 0 { first } else { others }).collect();
    let leaders = match text.take("Leader")?.as_str() {
        "HonestAlways" => schedule(h1, h2),
        "ByzantineFirst" => schedule(b, h1),
        "ByzantineSecond" => schedule(h1, b),
        _ => return Err(ConfigurationError::Constant("Leader")),
    };
    let constants = Constants {
        n,
        f: text.number("F")?,
        p: text.number("P")?,
        byzantine,
        owners,
        reserves,
        signals,
        committed: place("Committed", &text.take("Committed")?, &names.symbols)?,
        old: text.places("Old", &names.symbols)?,
        gives,
        leaders,
        restarting: text.places("Restarting", &names.members)?,
        without: rules(&text.set("Without")?)?,
    };
    let resilient = text.switch("WithinBound")? == constants.are_resilient();
    if resilient && constants.are_well_formed() {
        Ok((constants, names))
    } else {
        Err(ConfigurationError::NotWellFormed)
    }
}

fn rules(names: &[String]) -> Result<BTreeSet<Rule>, ConfigurationError> {
    let rule = |name: &String| {
        // The module names rules by strings.
        let rule = Rule::ALL.into_iter().find(|rule| *name == format!("\"{rule:?}\""));
        rule.ok_or(ConfigurationError::Constant("Without"))
    };
    names.iter().map(rule).collect()
}
