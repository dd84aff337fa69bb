//! Runs that no seed gives: the simulator must notice when too many members
//! are faulty, and must not when nothing is wrong.

use butterfly_kernel::types::Resilience;
use butterfly_trace::Step;

use super::faults::{Fault, Kind};
use super::oracles::AGREEMENT;
use super::setting::Setting;
use super::*;

const SECOND: Micros = 1_000_000;

fn calm() -> Setting {
    let nodes = Resilience::largest(4).unwrap();
    let setting = Setting::draw(1, &Scenario::new(nodes, profile::find("calm").unwrap()));
    Setting { calm: 5 * SECOND, ..setting }
}

fn fault(number: u64, kind: Kind, member: usize, members: u64) -> Fault {
    Fault { number, kind, from: 1, until: Micros::MAX, members, member, strength: 0 }
}

/// The members in `doubled` have two copies each, one for member 0 and one for
/// member 1, which do not hear each other: clients that turn to one of them
/// first make another chain than those that turn to the other.
fn with_doubled(doubled: &[usize]) -> Outcome {
    let twins = (0..).zip(doubled).map(|(number, member)| fault(number, Kind::Twins, *member, 0b0010));
    let deaf = [fault(8, Kind::OneWayLoss, 0, 0b0010), fault(9, Kind::OneWayLoss, 1, 0b0001)];
    let parted = deaf.map(|fault| Fault { until: 20 * SECOND, ..fault });
    let faults: Vec<Fault> = twins.chain(parted).collect();
    simulate(Setting { faults, lies: true, calm: 20 * SECOND, ..calm() }, Besides::Nothing)
}

#[test]
fn f_plus_one_colluders_break_agreement_and_it_is_noticed() {
    let violation = with_doubled(&[2, 3]).violation.expect("two of four members are faulty");
    assert_eq!(violation.property, AGREEMENT, "{violation:?}");
}

#[test]
fn f_colluders_do_not() {
    assert_eq!(with_doubled(&[3]).violation, None);
}

#[test]
fn nothing_is_noticed_where_nothing_is_wrong_and_everybody_recovers() {
    let outcome = simulate(calm(), Besides::Nothing);
    assert_eq!(outcome.violation, None);
    assert!(outcome.recovery.is_some() && outcome.counts.epochs > 40 && outcome.counts.faults.total() == 0);
}

fn traced(setting: Setting) -> String {
    simulate(setting, Besides::Trace { replay: String::new() }).trace.unwrap()
}

#[test]
fn a_fault_that_is_left_out_changes_nothing_before_it() {
    let nodes = Resilience::largest(4).unwrap();
    let setting = Setting::draw(3, &Scenario::new(nodes, profile::find("network").unwrap()));
    let early = |setting: &Setting| {
        let trace = traced(setting.clone());
        let last = setting.faults.last().unwrap().from;
        let before = move |line: &&str| serde_json::from_str::<Step>(line).is_ok_and(|step| step.time < last);
        trace.lines().filter(before).map(str::to_owned).collect::<Vec<_>>()
    };
    let all = early(&setting);
    let last = setting.faults.last().unwrap().from;
    let mut fewer = setting.clone();
    fewer.faults.pop();
    let trace = traced(fewer);
    let before = |line: &&str| serde_json::from_str::<Step>(line).is_ok_and(|step| step.time < last);
    assert_eq!(all, trace.lines().filter(before).map(str::to_owned).collect::<Vec<_>>());
    assert!(all.len() > 1_000);
}
