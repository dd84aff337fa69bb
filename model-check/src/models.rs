//! Every model by name, with what must come out. A pinned number changes only
//! with the protocol, the kernel or the world: whoever changes it says why.

mod agreement;

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_kernel::types::{NodeId, NodeSet, Resilience};

use crate::explore::Engine;
use crate::records::Options;
use crate::world::setting::{Delivery, Leftovers, Parameters, Reports};

/// A configuration, and what must come out when it is explored.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// What it is called on the command line.
    pub name: &'static str,
    /// In `all` always, or only with `--nightly`.
    pub tier: Tier,
    /// What is explored.
    pub subject: Subject,
    /// What must come out, from each engine.
    pub expect: Expect,
}

/// When a model is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Always.
    Always,
    /// Only in `all --nightly`.
    Nightly,
}

/// What is explored.
#[derive(Clone, Copy, Debug)]
pub enum Subject {
    /// [`crate::world`]: each message to each receiver.
    Receivers {
        /// Who takes part.
        agreement: Agreement,
        /// How votes travel.
        delivery: Delivery,
        /// How view changes travel.
        reports: Reports,
    },
    /// [`crate::records`]: from record to record.
    Records {
        /// Who takes part.
        agreement: Agreement,
        /// How the world is cut down, or made larger.
        options: Options,
    },
}

/// Who takes part in one epoch's agreement.
#[derive(Clone, Copy, Debug)]
pub struct Agreement {
    /// n, f and p.
    pub resilience: Resilience,
    /// The last so many nodes are faulty.
    pub faulty: usize,
    /// Who leads each view. No node enters a view beyond these.
    pub schedule: &'static [u8],
    /// The guard that is bent.
    pub mutant: Option<Mutant>,
}

/// What must come out.
#[derive(Clone, Copy, Debug)]
pub enum Expect {
    /// Every state is explored, every property holds, every branch named is taken.
    Holds {
        /// Distinct states.
        distinct: usize,
        /// Steps between them.
        transitions: usize,
        /// States on the longest of the shortest paths to each state.
        depth: usize,
        /// Branches, as [`crate::world::replica::Witness`] names them.
        through: &'static [&'static str],
    },
    /// A property fails, and a shortest counterexample has so many steps.
    Violates {
        /// Which.
        property: &'static str,
        /// Steps.
        steps: usize,
    },
}

impl Agreement {
    /// The world's parameters.
    pub fn parameters(&self, delivery: Delivery, reports: Reports) -> Parameters {
        Parameters {
            resilience: self.resilience,
            faulty: self.faulty,
            schedule: self.schedule.iter().map(|leader| NodeId(*leader)).collect(),
            delivery,
            reports,
            leftovers: Leftovers::Bare,
            swapped: NodeSet::EMPTY,
            mutant: self.mutant,
        }
    }

    /// n, f, p and leaders in one line. A faulty leader is an F.
    pub fn configuration(&self) -> String {
        let resilience = self.resilience;
        let honest = resilience.n().saturating_sub(self.faulty);
        let leader = |leader: &u8| if usize::from(*leader) >= honest { "F".to_owned() } else { leader.to_string() };
        let leaders: String = self.schedule.iter().map(leader).collect();
        let faulty = if self.faulty == resilience.f() { String::new() } else { format!(" faulty={}", self.faulty) };
        format!("n={} f={} p={}{faulty} leaders {leaders}", resilience.n(), resilience.f(), resilience.p())
    }
}

impl Subject {
    /// Who takes part.
    pub fn agreement(&self) -> &Agreement {
        match self {
            Subject::Receivers { agreement, .. } | Subject::Records { agreement, .. } => agreement,
        }
    }

    /// How messages travel, in words.
    pub fn delivery(&self) -> String {
        match self {
            Subject::Receivers { delivery, reports, .. } => {
                let votes = if *delivery == Delivery::Single { "single votes" } else { "vote quorums" };
                let reports = if *reports == Reports::Single { "" } else { ", reports with question" };
                format!("{votes}{reports}")
            }
            Subject::Records { options, .. } => {
                let crashes = if options.crashes { ", crashes" } else { "" };
                let symmetry = if options.symmetry { ", symmetry" } else { "" };
                let decide = if options.decide { ", decisions" } else { "" };
                format!("record to record{crashes}{decide}{symmetry}")
            }
        }
    }
}

impl Entry {
    /// n, f, p, leaders and delivery in one line.
    pub fn configuration(&self) -> String {
        let agreement = self.subject.agreement();
        let mutant = agreement.mutant.map(|mutant| format!(", {mutant:?}")).unwrap_or_default();
        format!("{}, {}{mutant}", agreement.configuration(), self.subject.delivery())
    }

    /// The engines that explore it.
    pub fn engines(&self) -> &'static [Engine] {
        &Engine::BOTH
    }
}

/// Every model.
pub fn models() -> impl Iterator<Item = &'static Entry> {
    agreement::MODELS.iter()
}

/// The model called `name`.
pub fn find(name: &str) -> Option<&'static Entry> {
    models().find(|entry| entry.name == name)
}
