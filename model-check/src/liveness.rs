//! What the kernel does in the end, if the network calms down and honest nodes
//! get on with what they can do.
//!
//! Stabilisation is one way: at some moment the runs become fair to what
//! honest nodes can do without help, and stay so. That moment may come in any
//! state, so every property is asked of every reachable state. The faulty nodes
//! promise nothing: whatever they do may happen, or not.
//!
//! No node enters a view beyond the last one of the schedule, so an honest node
//! has to lead that one: timers do not matter then, and are not modelled.

use std::fmt;

use butterfly_kernel::types::NodeId;
use serde::Serialize;

use crate::explore::fair::{Lasso, Steps};
use crate::explore::graph::{Graph, Place};
use crate::explore::{Progress, System};
use crate::records::{Act, Options, Records, State};
use crate::world::setting::Setting;

/// What honest nodes promise to do once it stays possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Promise {
    /// A leader that can propose does.
    Propose,
    /// A node that can vote does.
    Vote,
    /// A node that can commit does.
    Commit,
    /// A node that has not decided leaves its view in the end.
    EnterView,
    /// A node for which a quorum exists hears it.
    Decide,
    /// A node hears of a decision of another one.
    CatchUp,
}

impl Promise {
    /// All of them.
    pub const ALL: [Promise; 6] =
        [Promise::Propose, Promise::Vote, Promise::Commit, Promise::EnterView, Promise::Decide, Promise::CatchUp];

    fn of(act: &Act) -> Promise {
        match act {
            Act::Propose(_) => Promise::Propose,
            Act::Vote(_) => Promise::Vote,
            Act::Commit(_) => Promise::Commit,
            Act::EnterView(_) => Promise::EnterView,
            Act::Decide(_) => Promise::Decide,
            Act::CatchUp(_) => Promise::CatchUp,
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self:?}")
    }
}

/// What must happen in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Goal {
    /// No state is a trap: honest steps alone lead to a decision.
    NoTrap,
    /// Some honest node decides.
    EventualCommitment,
    /// Once some honest node has decided, all of them do.
    EventualAgreement,
    /// View 0 is left by every honest node that does not decide, whoever leads it.
    DeadLeaderLeft,
}

impl Goal {
    /// All of them.
    pub const ALL: [Goal; 4] = [Goal::NoTrap, Goal::EventualCommitment, Goal::EventualAgreement, Goal::DeadLeaderLeft];

    /// As in tables and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Goal::NoTrap => "NoTrap",
            Goal::EventualCommitment => "EventualCommitment",
            Goal::EventualAgreement => "EventualAgreement",
            Goal::DeadLeaderLeft => "DeadLeaderLeft",
        }
    }
}

/// A goal that is not reached.
#[derive(Clone, Debug, Serialize)]
pub struct Stall {
    /// Which.
    pub goal: Goal,
    /// Steps of a shortest run to where it stalls.
    pub steps: usize,
    /// How many states it goes round from there: one if it stops.
    pub round: usize,
    /// The run, told.
    pub story: Vec<String>,
}

/// What came out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Liveness {
    /// Distinct states.
    pub states: usize,
    /// Steps between them.
    pub transitions: usize,
    /// The promises whose steps exist at all.
    pub made: Vec<Promise>,
    /// Of those, the ones without which a goal is missed.
    pub needed: Vec<Promise>,
    /// The first goal that is not reached although all promises are kept.
    pub stall: Option<Stall>,
}

/// Explores the world with decisions and asks for every goal; then again with
/// one promise after the other taken back.
pub fn check(setting: Setting, crashes: bool, progress: Progress<'_>) -> Liveness {
    let world = Records::new(setting, Options { crashes, decide: true });
    let fair = |action: &<Records as System>::Label| action.unaided.then(|| (Promise::of(&action.act), action.node));
    let (graph, steps) = Steps::explore(&world, progress, fair);
    let view = View { world: &world, graph: &graph, steps: &steps };
    let mut found = Liveness { states: graph.states.len(), transitions: graph.transitions, ..Liveness::default() };
    found.made =
        Promise::ALL.into_iter().filter(|promise| steps.actions().iter().any(|(made, _)| made == promise)).collect();
    found.stall = Goal::ALL.into_iter().find_map(|goal| view.stall(goal));
    if found.stall.is_none() {
        let needed = |promise: &Promise| Goal::ALL.into_iter().any(|goal| view.reached(goal, Some(*promise)).is_err());
        found.needed = found.made.iter().copied().filter(needed).collect();
    }
    found
}

struct View<'a> {
    world: &'a Records,
    graph: &'a Graph<Records>,
    steps: &'a Steps<(Promise, NodeId)>,
}

impl View<'_> {
    fn reached(&self, goal: Goal, taken_back: Option<Promise>) -> Result<(), Lasso> {
        let fair = |(promise, _): &(Promise, NodeId)| Some(*promise) != taken_back;
        match goal {
            Goal::NoTrap if taken_back.is_some() => Ok(()),
            Goal::NoTrap => match self.steps.trap(|place| self.decided(place) > 0) {
                None => Ok(()),
                Some(place) => Err(Lasso { place, round: 1 }),
            },
            Goal::EventualCommitment => self.steps.leads_to(|_| true, |place| self.decided(place) > 0, fair),
            Goal::EventualAgreement => {
                let all = self.world.setting().honest().len();
                self.steps.leads_to(|place| self.decided(place) > 0, |place| self.decided(place) == all, fair)
            }
            Goal::DeadLeaderLeft => {
                let all = self.world.setting().honest().len();
                let left = |place| self.decided(place) == all || self.least_view(place) > 0;
                self.steps.leads_to(|place| self.least_view(place) == 0, left, fair)
            }
        }
    }

    fn stall(&self, goal: Goal) -> Option<Stall> {
        let lasso = self.reached(goal, None).err()?;
        let run = self.graph.path(self.world, lasso.place);
        let told = self.world.tell(&run.first, &run.path);
        let mut story = told.lines();
        story.push(format!("    from here on nothing that honest nodes promise leads to {goal:?}"));
        Some(Stall { goal, steps: run.path.len(), round: lasso.round, story })
    }

    fn state(&self, place: Place) -> &State {
        self.graph.states.get(place)
    }

    fn decided(&self, place: Place) -> usize {
        let memo = self.world.memo();
        let locals = self.world.setting().honest();
        locals.iter().filter(|node| memo.public(self.state(place).0[node.index()]).decided).count()
    }

    fn least_view(&self, place: Place) -> u8 {
        let memo = self.world.memo();
        let views = self.world.setting().honest();
        views.iter().map(|node| memo.public(self.state(place).0[node.index()]).view).min().unwrap_or(0)
    }
}
