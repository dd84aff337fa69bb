//! Work assignment: which members run which layers, a pure function of
//! committed facts.
//!
//! A model is a row of [`Layers`]; a stage is a contiguous run of them. Each
//! stage gets 2f + 1 members that can run it: f + 1 owners, who compute it
//! without being asked, and f reserves. With at most f faulty members in the
//! cluster, f + 1 honest ones are in every stage, whatever the strategy; so a
//! strategy decides how fast the cluster is, never whether it is right, and
//! fewer than 2f + 1 able members are an error and not a smaller stage.
//!
//! | strategy | makes small, in this order ([`Report`]) |
//! | --- | --- |
//! | [`Strategy::RoundRobin`] | nothing: an even cut, members in turn |
//! | [`Strategy::LoadBalanced`] | `compute_interval`, `latency` |
//! | [`Strategy::TopologyAware`] | stages per member down to an even share, `bytes_between_zones`, `interval`, `latency` |
//! | [`Strategy::Hybrid`] | `interval`, `latency`, `bytes_between_zones` |
//!
//! A call parts the model at most 16 times ([`partition`], eight of them over
//! every [`order`]) and tries at most 1,024 changes of a few placements; it
//! holds some ten thousand bytes on the stack meanwhile.
//!
//! Nobody chooses among equals: every tie is broken by an order of the members
//! that committed randomness draws. When facts change, [`place`] is called
//! again; it keeps no memory.

pub mod layers;
pub mod order;
pub mod partition;
pub mod placement;
mod problem;
pub mod profile;
pub mod report;
mod search;
mod seating;
mod teams;

pub use layers::{Flow, LayerSet, Layers, LayersError, MAX_FLOW_BYTES, MAX_FLOWS, MAX_LAYERS};
pub use placement::{MAX_ASSIGNED, MAX_OWNERS, Placement};
use problem::Problem;
pub use profile::{Links, MAX_LINK, Profile};
pub use report::{Report, report};
use search::Start;

use serde::{Deserialize, Serialize};

use crate::types::{MAX_MEMBERS, MAX_STAGES};

/// What a placement is made to be good at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Strategy {
    /// Equally many layers for each stage, equally many stages for each
    /// member, in an order that is drawn. Heeds neither speeds nor zones.
    #[default]
    RoundRobin,
    /// The busiest member computes as short as possible for each token.
    LoadBalanced,
    /// As few bytes as possible pass from zone to zone, without giving anybody
    /// more stages than an even share.
    TopologyAware,
    /// The busiest member computes and receives as short as possible for each token.
    Hybrid,
}

/// Everything that a placement follows from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// f + 1: members that compute a stage without being asked.
    pub owners: usize,
    /// 2f + 1: members of a stage, at most [`MAX_ASSIGNED`].
    pub assigned: usize,
    /// Stages into which the model is cut, 1 to [`MAX_STAGES`].
    pub stages: u8,
    /// The model.
    pub layers: &'a Layers,
    /// Each member, by its place in the roster; at most [`MAX_MEMBERS`].
    pub members: &'a [Profile],
    /// What moving bytes costs.
    pub links: Links,
    /// What to be good at.
    pub strategy: Strategy,
}

/// Why there is no placement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlacementError {
    /// The layers cannot be planned for.
    Layers(LayersError),
    /// More than [`MAX_MEMBERS`] members.
    Members,
    /// Not 1 <= owners <= assigned <= [`MAX_ASSIGNED`].
    Sizes,
    /// A link is dearer than [`MAX_LINK`].
    Links,
    /// The model cannot be cut into that many stages.
    Stages {
        /// Most stages that are possible.
        possible: u8,
    },
    /// Layers that cannot be parted are held by fewer members with speed than
    /// a stage must have: f faults could stop them for ever.
    TooFewMembers {
        /// The first of those layers.
        layer: u8,
        /// Members that can run them.
        able: usize,
        /// 2f + 1.
        needed: usize,
    },
    /// Members hold such different layers that the model would have to be cut
    /// into more stages.
    Scattered {
        /// Fewest stages that are possible.
        needed: u8,
    },
}

impl From<LayersError> for PlacementError {
    fn from(error: LayersError) -> PlacementError {
        PlacementError::Layers(error)
    }
}

impl core::fmt::Display for PlacementError {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            PlacementError::Layers(error) => error.fmt(out),
            PlacementError::Members => write!(out, "a cluster has at most {MAX_MEMBERS} members"),
            PlacementError::Sizes => write!(out, "a stage has at least one owner and at most {MAX_ASSIGNED} members"),
            PlacementError::Links => write!(out, "a link costs at most {MAX_LINK} nanoseconds for 1024 bytes"),
            PlacementError::Stages { possible } => {
                write!(
                    out,
                    "this model can be cut into 1 to {possible} stages, and a cluster runs at most {MAX_STAGES}"
                )
            }
            PlacementError::TooFewMembers { layer, able, needed } => write!(
                out,
                "layer {layer} and those joined to it need {needed} members that can run them, and there are {able}: \
                 bring members back, or give more of them these layers"
            ),
            PlacementError::Scattered { needed } => {
                write!(out, "the members hold such different layers that the model must be cut into {needed} stages")
            }
        }
    }
}

impl core::error::Error for PlacementError {}

/// Whether there is a placement, whatever is drawn.
///
/// # Errors
/// As [`place`].
pub fn can_place(facts: &Facts<'_>) -> Result<(), PlacementError> {
    Problem::new(facts).map(|_| ())
}

/// The placement that follows from `facts` and committed randomness:
/// `draw(round)` is the number of that round, evenly spread over all of u64.
/// Equal facts and draws give equal placements on every member.
///
/// # Errors
/// When the facts are outside their bounds, or some stage could not get
/// `assigned` members with speed that hold its layers.
pub fn place(facts: &Facts<'_>, mut draw: impl FnMut(u64) -> u64) -> Result<Placement, PlacementError> {
    let problem = Problem::new(facts)?;
    let turns = seating::draw_turns(&problem, &mut draw);
    let in_turn = seating::in_turn(&problem, &turns, problem.even_ends());
    if facts.strategy == Strategy::RoundRobin {
        return Ok(in_turn);
    }
    let in_turn = Start { key: problem.key(&in_turn), turn: 0, placement: in_turn };
    let starts = teams::starts(&problem, &turns, &in_turn);
    Ok(search::best_of(&problem, &turns, in_turn, starts))
}

#[cfg(test)]
mod tests;
