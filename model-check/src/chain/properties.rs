//! What must hold in every state. The names are those of `spec/Chain.tla`.

use std::collections::BTreeSet;
use std::sync::Arc;

use butterfly_kernel::node::Role;
use butterfly_kernel::types::NodeId;

use super::memo::{self, Public};
use super::setting::{Setting, place_in};
use super::values::{GENESIS, Id as ValueId, Increment, Values};
use crate::world::{AGREEMENT, CONTRACT};

/// What is decided extends what was decided before, and members hold nothing else.
pub const CONSISTENCY: &str = "Consistency";
/// A notice is committed at most once, and those of a member in their order.
pub const INTEGRITY: &str = "Integrity";
/// Nothing is signed on top of what is not decided.
pub const SIGNED_ON_DECIDED: &str = "SignedOnDecided";
/// No honest member signs two values in one epoch, whatever it lost.
pub const NEVER_CONTRADICTED: &str = "NeverContradicted";
/// Whatever a replica signed is covered by its record: the epoch is over, or
/// the vote and its payload are there.
pub const DURABLE_BEFORE_VISIBLE: &str = "DurableBeforeVisible";
/// Whoever lost its record and may sign again goes by a chain with the last
/// number that it drew. The module does not name this: it says why the rest holds.
pub const READMITTED_BY_NUMBER: &str = "ReadmittedByNumber";

/// Nobody signs in an epoch that is not its roster's.
pub const ONLY_MEMBERS_SIGN: &str = "OnlyMembersSign";

/// What is checked in every state.
pub const PROPERTIES: [&str; 9] = [
    AGREEMENT,
    CONSISTENCY,
    INTEGRITY,
    ONLY_MEMBERS_SIGN,
    SIGNED_ON_DECIDED,
    NEVER_CONTRADICTED,
    DURABLE_BEFORE_VISIBLE,
    READMITTED_BY_NUMBER,
    CONTRACT,
];

/// Those that fail where the honest nodes are as given, by their places.
pub fn violated(setting: &Setting, values: &Values, publics: &[Arc<Public>]) -> Vec<usize> {
    let decided: Vec<ValueId> = memo::decided(setting, values, publics).into_iter().collect();
    let signs_as_member = |node: NodeId, public: &Public| {
        public.signed.iter().all(|value| place_in(values.deciding(*value), node).is_some())
    };
    let holds = [
        (AGREEMENT, one_in_each_epoch(values, &decided)),
        (CONSISTENCY, is_one_chain(values, &decided) && hold_nothing_else(publics, &decided)),
        (INTEGRITY, decided.iter().all(|value| commits_each_once(&values.increments(*value)))),
        (ONLY_MEMBERS_SIGN, (0..).zip(publics).all(|(node, public)| signs_as_member(NodeId(node), public))),
        (SIGNED_ON_DECIDED, publics.iter().all(|public| is_signed_on(values, public, &decided))),
        (
            NEVER_CONTRADICTED,
            publics.iter().all(|public| one_in_each_epoch(values, &public.signed.iter().copied().collect::<Vec<_>>())),
        ),
        (DURABLE_BEFORE_VISIBLE, publics.iter().all(|public| is_covered(values, public))),
        (READMITTED_BY_NUMBER, (0..).zip(publics).all(|(node, public)| is_readmitted(values, NodeId(node), public))),
        (CONTRACT, publics.iter().all(|public| public.breaches.is_empty())),
    ];
    let place = |property| PROPERTIES.iter().position(|name| *name == property).expect("in the list");
    holds.into_iter().filter(|(_, holds)| !holds).map(|(property, _)| place(property)).collect()
}

fn one_in_each_epoch(values: &Values, some: &[ValueId]) -> bool {
    let epochs: BTreeSet<_> = some.iter().map(|value| values.get(*value).epoch).collect();
    epochs.len() == some.len()
}

fn is_one_chain(values: &Values, decided: &[ValueId]) -> bool {
    decided.iter().all(|one| {
        decided
            .iter()
            .filter(|other| values.get(**other).epoch >= values.get(*one).epoch)
            .all(|other| values.extends(*other, *one))
    })
}

fn hold_nothing_else(publics: &[Arc<Public>], decided: &[ValueId]) -> bool {
    publics.iter().all(|public| public.memory.head == GENESIS || decided.contains(&public.memory.head))
}

fn commits_each_once(increments: &[Increment]) -> bool {
    let readmitted = |increment: &Increment| match increment {
        Increment::Readmit { member, origin, incarnation, .. } => Some(((*member, *origin), *incarnation)),
        Increment::Work(_) | Increment::Admit(_) | Increment::Remove(_) => None,
    };
    let readmitted: Vec<_> = increments.iter().filter_map(readmitted).collect();
    let in_order = |at: usize| {
        let (member, incarnation) = readmitted[at];
        readmitted[..at].iter().filter(|(other, _)| *other == member).all(|(_, before)| *before < incarnation)
    };
    (0..readmitted.len()).all(in_order)
}

fn is_signed_on(values: &Values, public: &Public, decided: &[ValueId]) -> bool {
    let mut bases = public.signed.iter().filter_map(|value| Some(values.get(*value).last?.0));
    bases.all(|base| base == GENESIS || decided.contains(&base))
}

fn is_covered(values: &Values, public: &Public) -> bool {
    let disk = &public.disk;
    let over = values.get(disk.head).epoch;
    disk.role != Role::Replica
        || public
            .signed
            .iter()
            .all(|value| values.get(*value).epoch <= over || disk.voted == Some(*value) && disk.payload == Some(*value))
}

fn is_readmitted(values: &Values, me: NodeId, public: &Public) -> bool {
    let number = |increment: Increment| match increment {
        Increment::Readmit { member, drawn, .. } => Some((member, drawn)),
        Increment::Work(_) | Increment::Admit(_) | Increment::Remove(_) => None,
    };
    let mut numbers = values.increments(public.memory.head).into_iter().filter_map(number);
    let may_sign = public.memory.role == Role::Replica;
    public.drawn == 0 || !may_sign || numbers.any(|number| number == (me, public.drawn))
}
