//! Seeded bugs: what the checks would let through is found by putting it in.
//!
//! Each mutant is one guard, quorum, record or rule of the kernel that is bent.
//! For each, [`table`] says which layer notices, in which configuration, which
//! property fails and how long the shortest run to that is. Where a smaller
//! configuration comes first, the mutant survives there: that is why the larger
//! one is checked at all.

pub mod report;
pub mod table;

use std::time::Instant;

use butterfly_kernel::agreement::rules::Mutant;
use serde::Serialize;

use crate::chain::Chain;
use crate::conform::{self, Conformance, Direction};
use crate::explore::graph::Graph;
use crate::explore::{Only, Progress, System, Until};
use crate::inference::Inference;
use crate::liveness;
use crate::models::{Subject, Tier};
use crate::records::{Act, Records};
use crate::story::Story;
use crate::world::World;
use crate::world::setting::Setting;

/// What notices a mutant. A further layer is a variant here, and searches
/// in its own way in [`Search::run`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// A property fails in a reachable state.
    Invariant,
    /// The same, where a step remembers only what was made durable in it.
    Restart,
    /// The kernel takes a step, decides or answers as the specification does
    /// not let it.
    Refinement,
    /// The kernel cannot take a step, decide or answer as the specification
    /// lets it.
    Completeness,
    /// Honest nodes keep their promises, and yet something that must happen
    /// does not.
    Liveness,
}

impl Layer {
    /// Those that there are.
    pub const ALL: [Layer; 5] =
        [Layer::Invariant, Layer::Restart, Layer::Refinement, Layer::Completeness, Layer::Liveness];

    /// As in tables and documents.
    pub fn name(self) -> &'static str {
        match self {
            Layer::Invariant => "invariant",
            Layer::Restart => "restart",
            Layer::Refinement => "refinement",
            Layer::Completeness => "completeness",
            Layer::Liveness => "liveness",
        }
    }
}

/// A mutant that is noticed, and how.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The mutant.
    pub mutant: Mutant,
    /// Whether it takes long.
    pub tier: Tier,
    /// What notices it.
    pub layer: Layer,
    /// Smaller configurations, in which it survives.
    pub survives: &'static [Subject],
    /// Where it is noticed.
    pub killed_in: Subject,
    /// What each honest node does, in its order, where that is all that is
    /// looked at: seven nodes in three views are too many for everything.
    pub script: Option<Script>,
    /// The property that fails.
    pub property: &'static str,
    /// Steps of the shortest run to that.
    pub steps: usize,
}

/// By node: what it does, one after the other. When, is left open.
pub type Script = &'static [&'static [Act]];

/// What came of one mutant.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub mutant: String,
    /// What is wrong.
    pub about: &'static str,
    /// The layer that notices.
    pub layer: Option<Layer>,
    /// The configuration.
    pub model: Option<String>,
    /// The property that fails.
    pub property: Option<&'static str>,
    /// Steps of the shortest run to that.
    pub steps: Option<usize>,
    /// Wall-clock time, survived configurations included.
    pub seconds: f64,
    /// What became of it.
    pub result: Fate,
    /// Why it is not counted, or what is not as pinned.
    pub remarks: Vec<String>,
    /// The counterexample.
    #[serde(skip)]
    pub story: Vec<String>,
}

/// What becomes of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// Noticed as pinned.
    Killed,
    /// Not noticed, or not as pinned.
    Survived,
    /// Nothing can notice it, with a proof: not counted.
    Equivalent,
    /// Takes long, and was not asked for: not counted.
    Skipped,
}

impl Fate {
    /// As in tables.
    pub fn name(self) -> &'static str {
        match self {
            Fate::Killed => "killed",
            Fate::Survived => "SURVIVED",
            Fate::Equivalent => "equivalent",
            Fate::Skipped => "skipped",
        }
    }
}

/// What a search came to.
pub struct Found {
    /// States that were met: all that there are, if nothing fails.
    pub distinct: usize,
    /// What fails first.
    pub failure: Option<Failure>,
}

/// A property that fails.
pub struct Failure {
    /// Which.
    pub property: &'static str,
    /// Steps of a shortest run to that.
    pub steps: usize,
    /// The run.
    pub told: Story,
}

/// Where a mutant is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// By what means.
    pub layer: Layer,
    /// In which configuration.
    pub subject: Subject,
    /// Among which runs; all if none is given.
    pub script: Option<Script>,
    /// The only property that is looked at; all if none is given.
    pub property: Option<&'static str>,
}

impl Search {
    /// Looks with `mutant` at work, or with none, until one of the properties
    /// fails or everything is explored.
    pub fn run(&self, mutant: Option<Mutant>, progress: Progress<'_>) -> Found {
        match self.subject.with_mutant(mutant) {
            Subject::Records { agreement, mut options } => {
                options.crashes = self.layer == Layer::Restart;
                match self.layer {
                    Layer::Invariant | Layer::Restart => {}
                    Layer::Refinement | Layer::Completeness => {
                        return self.departs(conform::agreement::from_records(agreement.setting(), options, progress));
                    }
                    Layer::Liveness => return await_goals(agreement.setting(), progress),
                }
                let records = Records::new(agreement.setting(), options);
                match self.script {
                    None => self.explore(records, progress),
                    Some(script) => self.explore(Scripted { records, script }, progress),
                }
            }
            Subject::Chain(mut parameters) => {
                if matches!(self.layer, Layer::Refinement | Layer::Completeness) {
                    return self.departs(conform::chain::check(parameters, progress));
                }
                parameters.restarts = self.layer == Layer::Restart;
                self.explore(Chain::new(parameters), progress)
            }
            Subject::Inference(mut parameters) => {
                if matches!(self.layer, Layer::Refinement | Layer::Completeness) {
                    return self.departs(conform::inference::check(parameters, progress));
                }
                parameters.restarts = self.layer == Layer::Restart;
                self.explore(Inference::new(parameters), progress)
            }
            Subject::Receivers { agreement, delivery, reports } => {
                self.explore(World::new(agreement.parameters(delivery, reports)), progress)
            }
        }
    }

    /// Only what this layer asks for counts; the other direction is another layer.
    fn departs(&self, found: Conformance) -> Found {
        let wanted = if self.layer == Layer::Refinement { Direction::Refinement } else { Direction::Completeness };
        let departure = found.departure.filter(|departure| departure.direction == wanted);
        let failure = departure.map(|departure| Failure {
            property: departure.direction.name(),
            steps: departure.steps,
            told: Story { opening: departure.story, ..Story::default() },
        });
        Found { distinct: found.states, failure }
    }

    fn explore<S: System>(&self, system: S, progress: Progress<'_>) -> Found {
        let system = Only { system, property: self.property };
        let graph = Graph::explore(&system, Until::Violation, progress, |_, _, _, _, _| {});
        let violation = graph.exploration(&system).violations.into_iter().next();
        let failure = violation.map(|violation| Failure {
            property: violation.property,
            steps: violation.run.path.len(),
            told: system.tell(&violation.run.first, &violation.run.path),
        });
        Found { distinct: graph.states.len(), failure }
    }
}

fn await_goals(setting: Setting, progress: Progress<'_>) -> Found {
    let found = liveness::check(setting, false, progress);
    let failure = found.stall.map(|stall| Failure {
        property: stall.goal.name(),
        steps: stall.steps,
        told: Story { opening: stall.story, ..Story::default() },
    });
    Found { distinct: found.states, failure }
}

/// The runs in which each node does what its part says.
struct Scripted {
    records: Records,
    script: Script,
}

impl System for Scripted {
    type State = <Records as System>::State;
    type Label = <Records as System>::Label;

    fn initial(&self) -> Vec<Self::State> {
        self.records.initial()
    }

    fn steps(&self, state: &Self::State, steps: &mut Vec<(Self::Label, Self::State)>) {
        self.records.steps(state, steps);
        let memo = self.records.memo();
        // A follower says one thing in each step: so far it has done as much as it said.
        steps.retain(|(action, _)| {
            let node = action.node.index();
            self.script[node].get(memo.local(state.0[node]).said.len()) == Some(&action.act)
        });
    }

    fn properties(&self) -> &'static [&'static str] {
        self.records.properties()
    }

    fn violated(&self, state: &Self::State) -> Vec<usize> {
        self.records.violated(state)
    }

    fn witnesses(&self) -> Vec<String> {
        self.records.witnesses()
    }

    fn describe(&self, label: &Self::Label) -> String {
        self.records.describe(label)
    }

    fn tell(&self, first: &Self::State, path: &[(Self::Label, Self::State)]) -> Story {
        self.records.tell(first, path)
    }
}

impl Row {
    /// Whether it is noticed as it must be, or need not be.
    pub fn is_expected(&self) -> bool {
        self.result != Fate::Survived
    }
}

impl Case {
    /// How it is noticed.
    pub fn search(&self) -> Search {
        Search { layer: self.layer, subject: self.killed_in, script: self.script, property: Some(self.property) }
    }

    /// Runs the case and compares with the pins.
    pub fn run(&self, progress: Progress<'_>) -> Row {
        let started = Instant::now();
        let mut remarks = Vec::new();
        for subject in self.survives {
            let search = Search { layer: self.layer, subject: *subject, script: None, property: None };
            if let Some(found) = search.run(Some(self.mutant), progress).failure {
                let (model, steps) = (subject.configuration(), found.steps);
                remarks.push(format!("{} is violated already in {model}, in {steps} steps", found.property));
            }
        }
        let found = self.search().run(Some(self.mutant), progress).failure;
        match &found {
            None => remarks.push(format!("{} should be violated and is not", self.property)),
            Some(found) if found.property != self.property => {
                remarks.push(format!("{} fails, not {}", found.property, self.property));
            }
            Some(found) if found.steps != self.steps => {
                remarks.push(format!("steps: {}, pinned at {}", found.steps, self.steps));
            }
            Some(_) => {}
        }
        Row {
            layer: Some(self.layer),
            model: Some(self.killed_in.configuration() + if self.script.is_some() { ", by a script" } else { "" }),
            property: Some(self.property),
            steps: found.as_ref().map(|found| found.steps),
            seconds: started.elapsed().as_secs_f64(),
            result: if remarks.is_empty() { Fate::Killed } else { Fate::Survived },
            remarks,
            story: found.map(|found| found.told.lines()).unwrap_or_default(),
            ..row(self.mutant, Fate::Survived, "")
        }
    }
}

/// What becomes of `mutant`.
pub fn run(mutant: Mutant, nightly: bool, each: &mut dyn FnMut(Mutant)) -> Row {
    if let Some(case) = table::KILLED.iter().find(|case| case.mutant == mutant) {
        if case.tier == Tier::Nightly && !nightly {
            return row(mutant, Fate::Skipped, "takes long: --nightly");
        }
        each(mutant);
        return case.run(&mut |_| {});
    }
    if let Some((_, proof)) = table::EQUIVALENT.iter().find(|(listed, _)| *listed == mutant) {
        return row(mutant, Fate::Equivalent, proof);
    }
    row(mutant, Fate::Survived, "in no table")
}

fn row(mutant: Mutant, result: Fate, remark: &str) -> Row {
    Row {
        mutant: format!("{mutant:?}"),
        about: mutant.about(),
        layer: None,
        model: None,
        property: None,
        steps: None,
        seconds: 0.0,
        result,
        remarks: vec![remark.to_owned()],
        story: Vec::new(),
    }
}
