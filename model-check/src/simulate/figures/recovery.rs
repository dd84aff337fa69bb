//! An owner of a stage ends in the middle of an answer: how much later its
//! next epoch is committed.

use butterfly_kernel::types::{Position, Stage};
use serde::Serialize;

use super::{Outcome, Shape, TOKENS, Violation, Workload, finish};
use crate::simulate::Micros;
use crate::simulate::setting::{Kill, Setting};
use crate::simulate::stages::Hands;

/// Tokens of the prompt.
const PROMPT: u16 = 16;

/// What the loss of an owner costs, over all tokens and stages.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recovery {
    /// Which cluster.
    pub shape: Shape,
    /// Members compute all positions that are at hand at once, in the time of
    /// one; otherwise one after the other.
    pub batches: bool,
    /// Microseconds from the loss to the next commit, rising: one for each token and stage.
    pub next_commits: Vec<Micros>,
    /// Microseconds by which that commit is later than without the loss, rising.
    pub delays: Vec<Micros>,
    /// The whole answer's time, in parts of its time without the loss: the greatest.
    pub longest: f64,
}

/// Each owner of a stage ends as it begins to compute for one token; a run for
/// each token and each stage, owners in turn.
///
/// # Errors
/// When a property does not hold, such as that the text is the same.
pub fn recover(shape: Shape, batches: bool, progress: &mut dyn FnMut(usize, usize)) -> Result<Recovery, Violation> {
    let hands = if batches { Hands::Batches } else { Hands::Single };
    let setting = Setting { hands, ..shape.setting(Workload::single(PROMPT, TOKENS)) };
    let undisturbed = finish(setting.clone())?;
    let stages = shape.stages();
    let kills: Vec<Kill> = (0..TOKENS)
        .flat_map(|token| (0..stages).map(move |stage| (token, stage)))
        .map(|(token, stage)| Kill {
            stage: Stage(stage),
            rank: (usize::from(token) + usize::from(stage)) % (shape.f + 1),
            position: Position(PROMPT - 1 + token),
        })
        .collect();
    let mut recovery = Recovery { shape, batches, next_commits: Vec::new(), delays: Vec::new(), longest: 1.0 };
    for (done, kill) in kills.iter().enumerate() {
        progress(done, kills.len());
        let disturbed = finish(Setting { kill: Some(*kill), ..setting.clone() })?;
        recovery.add(&undisturbed, &disturbed);
    }
    recovery.next_commits.sort_unstable();
    recovery.delays.sort_unstable();
    Ok(recovery)
}

impl Recovery {
    fn add(&mut self, undisturbed: &Outcome, disturbed: &Outcome) {
        let killed = disturbed.killed.expect("every owner computes every token");
        let next = disturbed.commits.iter().find(|(_, time)| **time > killed);
        let (epoch, time) = next.expect("the answer is committed after the loss");
        self.next_commits.push(time - killed);
        self.delays.push(time.saturating_sub(undisturbed.commits[epoch]));
        self.longest = self.longest.max(disturbed.time_of_answer() / undisturbed.time_of_answer());
    }
}

impl Outcome {
    /// Microseconds from the request to its last epoch.
    #[allow(clippy::cast_precision_loss, reason = "seconds of microseconds fit")]
    fn time_of_answer(&self) -> f64 {
        self.commits.values().next_back().copied().unwrap_or(0) as f64
    }
}

/// Of `sorted`, the least that `percent` of all do not exceed.
pub fn percentile(sorted: &[Micros], percent: usize) -> Micros {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or(0)
}
