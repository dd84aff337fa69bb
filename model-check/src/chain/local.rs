//! One honest node between two steps: what it goes by, what is on its disk,
//! and all that it ever said.

use std::collections::BTreeSet;

use butterfly_kernel::node::Role;

use super::values::{ClusterId, FIRST, Id as ValueId, Increment};
use crate::host::Record;
use crate::world::network::Breach;

/// One honest node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Local {
    /// What of its memory counts, in the form of a record.
    pub memory: Record,
    /// The cluster that it is in.
    pub cluster: ClusterId,
    /// What it would read back.
    pub disk: Record,
    /// The cluster that this is of.
    pub disk_cluster: ClusterId,
    /// How many numbers it has drawn; a learner goes by the last.
    pub drawn: u8,
    /// The values that it ever voted for.
    pub signed: BTreeSet<ValueId>,
    /// The notices that it ever gave.
    pub notices: BTreeSet<Increment>,
    /// How the kernel broke its contract in one of its steps.
    pub breaches: BTreeSet<Breach>,
}

impl Local {
    /// As provisioning leaves it.
    pub fn first() -> Local {
        let record = Record::first(Role::Replica);
        Local {
            memory: record.clone(),
            cluster: FIRST,
            disk: record,
            disk_cluster: FIRST,
            drawn: 0,
            signed: BTreeSet::new(),
            notices: BTreeSet::new(),
            breaches: BTreeSet::new(),
        }
    }
}
