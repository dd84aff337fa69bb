//! The host of somebody who is no member of the cluster that it knows: it was
//! set up to become one, or was one. It has a record, and takes decisions that
//! change the roster, nothing else.

use butterfly_kernel::chain::{Decided, Head};
use butterfly_kernel::cluster::Seat;
use butterfly_kernel::node::Role;
use butterfly_kernel::types::NodeId;

use super::local::Local;
use super::memo::draw;
use super::setting::{Setting, place_in};
use super::values::{ClusterId, FIRST, Values};
use crate::host::Record;
use crate::symbolic::exact::Exact;

/// It is told a decision, and believes it if the kernel does.
pub(super) fn told(values: &Values, before: &Local, told: Option<Decided<Exact>>) -> Local {
    let is_genuine = |decided: &Decided<Exact>| {
        decided.state.change.is_some()
            && decided.header.epoch > before.memory.head.epoch()
            && values.cluster(before.cluster).decided_is_genuine(decided)
    };
    let Some(decided) = told.filter(is_genuine) else { return before.clone() };
    let record = Record { head: Head::Decided(decided), ..before.memory.clone() };
    written(before, record, before.cluster)
}

/// It goes on behind `last`, perhaps as a member.
pub(super) fn entered(values: &Values, me: NodeId, before: &Local, last: &Decided<Exact>, next: ClusterId) -> Local {
    let roster = values.cluster(next);
    let role = before.memory.role;
    let record = match place_in(roster, me) {
        Some(place) => {
            let seat = Seat { cluster: roster, me: place, key: &() };
            Record::entering(&seat, role, last).expect("it leads there")
        }
        None => Record { head: Head::Entered(last.state.entered()), ..Record::first(role) },
    };
    written(before, record, next)
}

/// It starts with what is on its disk.
pub(super) fn restarted(setting: &Setting, before: &Local) -> Local {
    let drawn = if before.disk.role == Role::Learner { draw(setting, before) } else { before.clone() };
    Local { memory: before.disk.clone(), cluster: before.disk_cluster, ..drawn }
}

/// It starts, and there is no record.
pub(super) fn without_record(setting: &Setting, before: &Local) -> Local {
    written(&draw(setting, before), Record::first(Role::Learner), FIRST)
}

fn written(before: &Local, record: Record, cluster: ClusterId) -> Local {
    Local { memory: record.clone(), cluster, disk: record, disk_cluster: cluster, ..before.clone() }
}
