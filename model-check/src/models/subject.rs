//! What can be explored: the worlds, with their parameters.

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_kernel::types::{NodeId, NodeSet, Resilience};
use serde_json::{Value, json};

use crate::chain;
use crate::explore::Shared;
use crate::inference;
use crate::records::{Options, Records};
use crate::world::World;
use crate::world::setting::{Delivery, Leftovers, Parameters, Reports, Setting};

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
    /// [`crate::chain`]: several epochs.
    Chain(chain::setting::Parameters),
    /// [`crate::inference`]: one part of a run.
    Inference(inference::setting::Parameters),
}

/// Something to be done with a world, whichever it is.
pub trait Visit {
    /// What comes of it.
    type Output;

    /// Does it.
    fn visit<S: Shared>(self, system: S) -> Self::Output;
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
    /// Nodes that lead no view are interchangeable.
    pub symmetry: bool,
    /// The guard that is bent.
    pub mutant: Option<Mutant>,
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
            symmetry: self.symmetry,
            swapped: NodeSet::EMPTY,
            mutant: self.mutant,
        }
    }

    /// The world from record to record.
    pub fn setting(&self) -> Setting {
        Setting::new(self.parameters(Delivery::Quorum, Reports::Single))
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
    /// Hands the world, nothing explored yet, to `visitor`.
    pub fn visit<V: Visit>(&self, visitor: V) -> V::Output {
        match self {
            Subject::Receivers { agreement, delivery, reports } => {
                visitor.visit(World::new(agreement.parameters(*delivery, *reports)))
            }
            Subject::Records { agreement, options } => visitor.visit(Records::new(agreement.setting(), *options)),
            Subject::Chain(parameters) => visitor.visit(chain::Chain::new(*parameters)),
            Subject::Inference(parameters) => visitor.visit(inference::Inference::new(*parameters)),
        }
    }

    /// The module of `spec/` that specifies it.
    pub fn module(&self) -> &'static str {
        match self {
            Subject::Receivers { .. } | Subject::Records { .. } => "Agreement",
            Subject::Chain(_) => "Chain",
            Subject::Inference(_) => "Inference",
        }
    }

    /// n, f and p.
    pub fn resilience(&self) -> Resilience {
        match self {
            Subject::Receivers { agreement, .. } | Subject::Records { agreement, .. } => agreement.resilience,
            Subject::Chain(parameters) => parameters.resilience,
            Subject::Inference(parameters) => parameters.resilience,
        }
    }

    /// Views that nodes can enter.
    pub fn views(&self) -> usize {
        match self {
            Subject::Receivers { agreement, .. } | Subject::Records { agreement, .. } => agreement.schedule.len(),
            Subject::Chain(_) => 1,
            Subject::Inference(parameters) => parameters.schedule.len(),
        }
    }

    /// The same with the first `views` views only; none where there are not so many.
    pub(super) fn with_views(mut self, views: usize) -> Option<Subject> {
        match &mut self {
            Subject::Receivers { agreement, .. } | Subject::Records { agreement, .. } => {
                agreement.schedule = agreement.schedule.get(..views).filter(|schedule| !schedule.is_empty())?;
            }
            Subject::Inference(parameters) => {
                parameters.schedule = parameters.schedule.get(..views).filter(|schedule| !schedule.is_empty())?;
            }
            Subject::Chain(_) if views != 1 => return None,
            Subject::Chain(_) => {}
        }
        Some(self)
    }

    /// The guard that is bent.
    pub fn mutant(&self) -> Option<Mutant> {
        match self {
            Subject::Receivers { agreement, .. } | Subject::Records { agreement, .. } => agreement.mutant,
            Subject::Chain(parameters) => parameters.mutant,
            Subject::Inference(parameters) => parameters.mutant,
        }
    }

    /// The same with another guard bent, or none.
    #[must_use]
    pub fn with_mutant(mut self, mutant: Option<Mutant>) -> Subject {
        match &mut self {
            Subject::Receivers { agreement, .. } | Subject::Records { agreement, .. } => agreement.mutant = mutant,
            Subject::Chain(parameters) => parameters.mutant = mutant,
            Subject::Inference(parameters) => parameters.mutant = mutant,
        }
        self
    }

    /// What is checked in every state.
    pub fn properties(&self) -> &'static [&'static str] {
        match self {
            Subject::Receivers { .. } | Subject::Records { .. } => &crate::world::PROPERTIES,
            Subject::Chain(_) => &chain::properties::PROPERTIES,
            Subject::Inference(_) => &inference::properties::PROPERTIES,
        }
    }

    /// Who takes part and how messages travel, in one line.
    pub fn configuration(&self) -> String {
        match self {
            Subject::Receivers { agreement, delivery, reports } => {
                let votes = if *delivery == Delivery::Single { "single votes" } else { "vote quorums" };
                let reports = if *reports == Reports::Single { "" } else { ", reports with question" };
                format!("{}, {votes}{reports}", agreement.configuration())
            }
            Subject::Records { agreement, options } => {
                let crashes = if options.crashes { ", crashes" } else { "" };
                let symmetry = if agreement.symmetry { ", symmetry" } else { "" };
                let decide = if options.decide { ", decisions" } else { "" };
                format!("{}, record to record{crashes}{decide}{symmetry}", agreement.configuration())
            }
            Subject::Chain(parameters) => parameters.configuration(),
            Subject::Inference(parameters) => parameters.configuration(),
        }
    }

    /// The same, part by part.
    pub fn parameters(&self) -> Value {
        let resilience = self.resilience();
        let mut parameters = json!({
            "n": resilience.n(),
            "f": resilience.f(),
            "p": resilience.p(),
            "views": self.views(),
            "configuration": self.configuration(),
            "mutant": self.mutant().map(|mutant| format!("{mutant:?}")),
        });
        let more = match self {
            Subject::Receivers { agreement, .. } | Subject::Records { agreement, .. } => {
                json!({ "faulty": agreement.faulty, "leaders": agreement.schedule })
            }
            Subject::Chain(parameters) => json!({
                "faulty": parameters.faulty,
                "epochs": parameters.epochs,
                "work": parameters.work,
                "draws": parameters.draws,
                "fallible": parameters.fallible,
                "learners": parameters.together,
                "equivocation": parameters.equivocation,
            }),
            Subject::Inference(parameters) => json!({
                "faulty": 1,
                "stages": parameters.stages,
                "leaders": parameters.schedule,
                "restarts": parameters.restarts,
            }),
        };
        if let (Some(all), Value::Object(more)) = (parameters.as_object_mut(), more) {
            all.extend(more);
        }
        parameters
    }
}
