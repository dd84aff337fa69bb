//! What can be shown to a node in some state of the world: what honest nodes
//! said, and what the liar can say on top of it.

use std::sync::Arc;

use butterfly_kernel::message::AgreementMessage;
use butterfly_kernel::types::{NodeId, NodeSet, Stage, View};

use super::local::Local;
use super::memo::Reports;
use super::setting::{Setting, Signal};
use super::values::{Computation, Values};
use crate::symbolic::Quorum;

/// The honest members that can hand out the earlier inputs of `stage`: its
/// members, and those of the stage before, whose outputs they are.
pub(super) fn holders(setting: &Setting, locals: &[Arc<Local>], node: NodeId, stage: Stage) -> NodeSet {
    let of = |stage: Stage| {
        let has = move |node: &NodeId| locals[node.index()].past[stage.index()];
        setting.honest().iter().filter(move |node| setting.assigned(stage).contains(*node)).filter(has)
    };
    let before = stage.0.checked_sub(1).map(Stage);
    of(stage).filter(|other| *other != node).chain(before.into_iter().flat_map(of)).collect()
}

/// Who says that `stage` gives `signal`, the liar included, whether or not
/// anybody should believe it.
pub(super) fn reporters(setting: &Setting, locals: &[Arc<Local>], stage: Stage, signal: Signal) -> NodeSet {
    let says = |node: &NodeId| locals[node.index()].computed[stage.index()].is_some_and(|own| own.output == signal);
    setting.honest().iter().filter(says).collect::<NodeSet>().with(setting.liar())
}

/// Whose attestations of this count.
pub(super) fn attesters(setting: &Setting, locals: &[Arc<Local>], stage: Stage, computation: Computation) -> NodeSet {
    honest_attesters(setting, locals, stage, computation).union(setting.liars(stage))
}

/// The honest among them.
pub(super) fn honest_attesters(
    setting: &Setting,
    locals: &[Arc<Local>],
    stage: Stage,
    computation: Computation,
) -> NodeSet {
    let says = |node: &NodeId| {
        let local = &locals[node.index()];
        local.attested[stage.index()] && local.computed[stage.index()] == Some(computation)
    };
    setting.honest().iter().filter(says).collect()
}

/// What justifies a proposal of `view`.
pub(super) fn progress(setting: &Setting, view: View) -> Option<Quorum> {
    (view > View::ZERO).then(|| Quorum::of(setting.cluster.progress_quorum()))
}

/// What each honest node reported when it left for `view`, if it did; of the
/// liar, that it voted for nothing.
pub(super) fn all_reported(values: &Values, setting: &Setting, locals: &[Arc<Local>], view: View) -> Vec<Reports> {
    let report = |node: NodeId| {
        locals[node.index()].said.iter().find_map(|statement| match statement {
            AgreementMessage::ViewChange(change) if change.view == view => {
                let voted = change.voted.as_ref().map(|proposal| proposal.ballot);
                Some((node, voted.map(|ballot| (ballot.view, values.find(ballot.value).expect("a value with a name")))))
            }
            _ => None,
        })
    };
    let mut sets: Vec<Reports> = vec![Vec::new()];
    let liar = Some((setting.liar(), None));
    for report in setting.honest().iter().map(report).chain([liar]).flatten() {
        let with: Vec<Reports> = sets.iter().map(|set| set.iter().copied().chain([report]).collect()).collect();
        sets.extend(with);
    }
    sets
}

/// Those of them that are enough to lead the view.
pub(super) fn reported(values: &Values, setting: &Setting, locals: &[Arc<Local>], view: View) -> Vec<Reports> {
    let mut sets = all_reported(values, setting, locals, view);
    sets.retain(|set| set.len() >= setting.cluster.view_change_quorum());
    sets
}
