//! What must hold in every state. The names are those of `spec/Inference.tla`.

use std::collections::BTreeSet;
use std::sync::Arc;

use butterfly_kernel::message::AgreementMessage;
use butterfly_kernel::message::agreement::Ballot;
use butterfly_kernel::types::View;

use super::evidence::honest_attesters;
use super::local::Local;
use super::setting::{Setting, Signal};
use super::values::{Computation, Id as ValueId, Values};
use crate::symbolic::exact::Exact;
use crate::world::network::Breach;
use crate::world::{AGREEMENT, CONTRACT, VALIDITY};

/// No stage certificate can be made that says anything false.
pub const BYZANTINE_RESISTANCE: &str = "ByzantineResistance";
/// A result begins exactly where the committed tokens end.
pub const INTEGRITY: &str = "Integrity";
/// Evidence never names an honest member.
pub const ACCOUNTABILITY: &str = "Accountability";
/// Whoever voted last for a value can show its payload, also after a restart.
pub const CARRIED: &str = "Carried";

/// What is checked in every state.
pub const PROPERTIES: [&str; 7] =
    [AGREEMENT, VALIDITY, BYZANTINE_RESISTANCE, INTEGRITY, ACCOUNTABILITY, CARRIED, CONTRACT];

/// Those that fail where the honest nodes are as given, by their places.
pub fn violated(setting: &Setting, values: &Values, locals: &[Arc<Local>]) -> Vec<usize> {
    let decided = decided(setting, values, locals);
    let results: BTreeSet<ValueId> =
        locals.iter().flat_map(|local| local.candidates.iter().copied()).chain(decided.iter().copied()).collect();
    let signals = |value: &ValueId| &values.get(*value).signals;
    let breached = |breach: &Breach| locals.iter().any(|local| local.breaches.contains(breach));
    let holds = [
        (AGREEMENT, decided.len() <= 1),
        (VALIDITY, results.iter().all(|value| signals(value).iter().skip(1).all(|signal| *signal == Signal::RIGHT))),
        (BYZANTINE_RESISTANCE, certificates_are_true(setting, locals)),
        (INTEGRITY, results.iter().all(|value| signals(value).first() == Some(&Signal::RIGHT))),
        (ACCOUNTABILITY, !breached(&Breach::HonestBlamed)),
        (CARRIED, locals.iter().all(|local| is_carried(values, local))),
        (CONTRACT, locals.iter().all(|local| local.breaches.iter().all(|breach| *breach == Breach::HonestBlamed))),
    ];
    let place = |property| PROPERTIES.iter().position(|name| *name == property).expect("in the list");
    holds.into_iter().filter(|(_, holds)| !holds).map(|(property, _)| place(property)).collect()
}

/// The values for which a decision certificate can be put together, with the
/// help of the liar.
pub fn decided(setting: &Setting, values: &Values, locals: &[Arc<Local>]) -> BTreeSet<ValueId> {
    let votes = |ballot: &Ballot<Exact>| {
        locals.iter().filter(|local| local.said.contains(&AgreementMessage::Vote(*ballot))).count()
    };
    let voted = locals.iter().flat_map(|local| &local.said).filter_map(|statement| match statement {
        AgreementMessage::Vote(ballot) => Some(*ballot),
        _ => None,
    });
    let decided = voted.filter(|ballot| votes(ballot) + 1 >= setting.cluster.fast_quorum());
    decided.filter_map(|ballot| values.find(ballot.value)).collect()
}

fn certificates_are_true(setting: &Setting, locals: &[Arc<Local>]) -> bool {
    let quorum = setting.cluster.resilience().attestation_quorum();
    setting.stages().all(|stage| {
        let claims = Signal::ALL
            .into_iter()
            .flat_map(|input| Signal::ALL.into_iter().map(move |output| Computation { input, output }));
        let mut false_ones = claims.filter(|claim| claim.output != setting.gives(stage, claim.input));
        false_ones.all(|claim| {
            let honest = honest_attesters(setting, locals, stage, claim);
            honest.union(setting.liars(stage)).len() < quorum
        })
    })
}

fn is_carried(values: &Values, local: &Local) -> bool {
    let mut last: Option<(View, u64)> = None;
    for statement in &local.said {
        if let AgreementMessage::Vote(ballot) = statement {
            last = last.max(Some((ballot.view, ballot.value)));
        }
    }
    last.is_none_or(|(_, digest)| values.find(digest).is_some_and(|value| local.candidates.contains(&value)))
}
