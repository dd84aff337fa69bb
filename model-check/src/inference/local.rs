//! One honest node between two steps: what it did, what is on its disk, and
//! all that it ever said in agreement.

use std::collections::BTreeSet;

use butterfly_kernel::message::AgreementMessage;
use butterfly_kernel::types::{NodeId, Stage};

use super::setting::Setting;
use super::values::{Computation, Id as ValueId};
use crate::host::Record;
use crate::symbolic::exact::Exact;
use crate::world::network::Breach;
use crate::world::setting::MEMBERS;

/// A statement of agreement.
pub type Statement = AgreementMessage<Exact, MEMBERS>;

/// One honest node. By stage, where it says so.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Local {
    /// It computes the stage: it owns it, or stepped in.
    pub working: Vec<bool>,
    /// What it computed of the part, by stage.
    pub computed: Vec<Option<Computation>>,
    /// It signed what it computed, by stage.
    pub attested: Vec<bool>,
    /// Its host has the earlier inputs, by stage.
    pub past: Vec<bool>,
    /// The values whose payload it holds and found valid.
    pub candidates: BTreeSet<ValueId>,
    /// What of its memory counts for agreement, in the form of a record.
    pub memory: Record,
    /// What it would read back.
    pub disk: Record,
    /// Every proposal, vote and view change that it ever sent.
    pub said: BTreeSet<Statement>,
    /// How the kernel broke its contract in one of its steps.
    pub breaches: BTreeSet<Breach>,
}

impl Local {
    /// The node `me` as the part begins.
    pub fn first(setting: &Setting, me: NodeId) -> Local {
        let record = setting.first_record();
        Local {
            working: setting.stages().map(|stage| setting.owners(stage).contains(me)).collect(),
            computed: setting.stages().map(|_| None).collect(),
            attested: setting.stages().map(|_| false).collect(),
            past: setting.stages().map(|_| true).collect(),
            candidates: BTreeSet::new(),
            memory: record.clone(),
            disk: record,
            said: BTreeSet::new(),
            breaches: BTreeSet::new(),
        }
    }

    /// The same when all that is not on the disk is gone. Inputs of the first
    /// stage are tokens, which stand in the record.
    pub fn crashed(&self, setting: &Setting, me: NodeId) -> Local {
        let kept = |stage: Stage| stage == Stage(0) || !setting.assigned(stage).contains(me);
        Local {
            past: setting.stages().map(kept).collect(),
            memory: self.disk.clone(),
            disk: self.disk.clone(),
            said: self.said.clone(),
            breaches: self.breaches.clone(),
            ..Local::first(setting, me)
        }
    }
}
