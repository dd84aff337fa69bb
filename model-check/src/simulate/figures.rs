//! What coordination costs, and how long the loss of a member does: a model of
//! fifty layers on members that take ten milliseconds for each, in virtual
//! time, so that the figures are the same on every machine.
//!
//! Everything is seen from outside, as a client sees it: when the request was
//! handed over, and when each epoch was committed.

mod picture;
mod recovery;

use butterfly_kernel::assignment::{Layers, Links, Profile as Member, Strategy};
use butterfly_kernel::cluster::{Assignment, Timing};
use butterfly_kernel::types::{MAX_STAGES, MAX_VOTERS, Millis, Resilience};
use serde::Serialize;

use super::engine::Outcome;
use super::oracles::Violation;
use super::setting::Setting;
use super::workload::Workload;
use super::{Besides, Micros, Scenario, profile, simulate};
pub use picture::draw;
pub use recovery::{Recovery, percentile, recover};

/// Layers of the model.
pub const LAYERS: u8 = 50;
/// Microseconds that a member takes for one layer at one position.
pub const LAYER_TIME: Micros = 10_000;
/// Microseconds from one member to another, and back.
pub const ROUND_TRIP: Micros = 1_000;
/// Tokens of an answer.
const TOKENS: u16 = 64;
/// Tokens of a long prompt.
const PROMPT: u16 = 64;

/// A cluster whose pace is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Shape {
    /// Members; the first sixteen at most vote.
    pub members: usize,
    /// Faults that it bears.
    pub f: usize,
    /// Tokens that an epoch commits.
    pub tokens_per_epoch: u8,
}

/// What a cluster without faults does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pace {
    /// Which cluster.
    pub shape: Shape,
    /// Into how many stages the model is cut: as many as there may be, or as
    /// members can own one each.
    pub stages: u8,
    /// Microseconds from the request until its first epoch is committed.
    pub first_commit: Micros,
    /// Microseconds between two tokens of one answer, in the long run.
    pub token: Micros,
    /// Microseconds between two positions of a prompt, which follow each other
    /// through the stages without waiting.
    pub interval: Micros,
    /// What `interval` would be if nothing but computing took any time: the longest stage.
    pub least_interval: Micros,
}

/// Microseconds that all layers take for one position.
const fn all_layers() -> Micros {
    LAYER_TIME * LAYERS as Micros
}

impl Pace {
    /// Of the time of a token, what is not computing.
    pub fn share_of_token(&self) -> f64 {
        share(self.token, all_layers())
    }

    /// Of the time until the first epoch is committed, what is not computing.
    pub fn share_of_first_commit(&self) -> f64 {
        share(self.first_commit, all_layers() * Micros::from(self.shape.tokens_per_epoch))
    }

    /// Of the pipeline's interval, what is not computing.
    pub fn share_of_interval(&self) -> f64 {
        share(self.interval, self.least_interval)
    }

    /// Tokens a second, of those that would be possible if nothing but computing took any time.
    pub fn of_ceiling(&self) -> f64 {
        1.0 - self.share_of_token()
    }

    /// The same for positions of a prompt.
    pub fn of_prompt_ceiling(&self) -> f64 {
        1.0 - self.share_of_interval()
    }
}

#[allow(clippy::cast_precision_loss, reason = "seconds of microseconds fit")]
fn share(all: Micros, computing: Micros) -> f64 {
    (all as f64 - computing as f64) / all as f64
}

/// Runs `shape` without faults.
///
/// # Errors
/// When a property does not hold.
pub fn pace(shape: Shape) -> Result<Pace, Violation> {
    let tokens = u16::from(shape.tokens_per_epoch);
    let short = shape.run(Workload::single(1, tokens))?;
    let answer = shape.run(Workload::single(1, TOKENS))?;
    let prompt = shape.run(Workload::single(1 + PROMPT, tokens))?;
    let times: Vec<Micros> = answer.commits.values().copied().collect();
    let (first, last) = (first_commit(&answer), times.last().copied().unwrap_or(0));
    let between = Micros::from(TOKENS - tokens);
    let stages = shape.stages();
    Ok(Pace {
        shape,
        stages,
        first_commit: first_commit(&short),
        token: (last - first) / between,
        interval: (first_commit(&prompt) - first_commit(&short)) / Micros::from(PROMPT),
        least_interval: shape.longest_stage(),
    })
}

fn first_commit(outcome: &Outcome) -> Micros {
    outcome.commits.values().next().copied().unwrap_or(0)
}

impl Shape {
    fn stages(self) -> u8 {
        let owners = self.f + 1;
        u8::try_from((self.members / owners).clamp(1, MAX_STAGES)).expect("few stages")
    }

    fn longest_stage(self) -> Micros {
        Micros::from(LAYERS.div_ceil(self.stages())) * LAYER_TIME
    }

    /// How long members of this cluster wait: for an owner longer than it ever
    /// computes, for what may be lost longer than a token takes.
    fn timing(self) -> Timing {
        let stage = u32::try_from(self.longest_stage() / 1_000).expect("short");
        let token = u32::try_from(2 * all_layers() / 1_000).expect("short");
        let escalate = Millis(stage + stage / 2);
        Timing { view: Millis(200), view_cap: Millis(4_000), retransmit: Millis(token), escalate }
    }

    /// Without faults.
    fn setting(self, workload: Workload) -> Setting {
        let voters = self.members.min(MAX_VOTERS);
        let resilience = Resilience::new(voters, self.f, 1).expect("enough voters for f faults");
        let calm = profile::find("calm").expect("a profile without faults");
        let assignment = Assignment {
            strategy: Strategy::LoadBalanced,
            layers: Layers::even(LAYERS, 1).expect("as many layers as a model may have"),
            profiles: (0..self.members).map(|_| Member::default()).collect(),
            links: Links::FREE,
        };
        Setting {
            members: self.members,
            clients: 1,
            workload,
            stages: self.stages(),
            assignment,
            tokens_per_epoch: self.tokens_per_epoch,
            context: 256,
            timing: self.timing(),
            latency: (ROUND_TRIP / 2, ROUND_TRIP / 2),
            layer_time: LAYER_TIME,
            calm: 3_600_000_000,
            ..Setting::draw(0, &Scenario::new(resilience, calm))
        }
    }

    fn run(self, workload: Workload) -> Result<Outcome, Violation> {
        finish(self.setting(workload))
    }
}

/// Runs until the request is answered; all that it gave equals one machine's answer.
fn finish(setting: Setting) -> Result<Outcome, Violation> {
    let outcome = simulate(setting, Besides::Nothing);
    match outcome.violation {
        Some(violation) => Err(violation),
        None => Ok(outcome),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_takes_its_layers_and_a_little_for_each_link() {
        let pace = pace(Shape { members: 10, f: 1, tokens_per_epoch: 4 }).unwrap();
        let links = Micros::from(pace.stages) * ROUND_TRIP / 2;
        assert!(pace.token >= all_layers() + links, "{pace:?}");
        assert!(pace.interval >= pace.least_interval, "{pace:?}");
        assert!(pace.first_commit > 4 * pace.token, "{pace:?}");
        assert!(pace.share_of_token() < 0.01, "{pace:?}");
    }
}
