//! What a run is made of, as its seed says.

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_kernel::cluster::{Assignment, Cluster, Model, Roster, Timing};
use butterfly_kernel::types::{Millis, NodeId, Position, Resilience, Stage};

use super::Crypto;
use super::faults::{Family, Fault, schedule};
use super::queue::Micros;
use super::random::{Purpose, Random};
use super::scenario::Scenario;
use super::stages::{Hands, SIGNAL, VOCABULARY};
use super::workload::Workload;

/// The first client's key; the others follow, and members have theirs by number.
pub(crate) const CLIENT_KEY: u8 = 200;
/// Stages of the steady cluster, whose speed is measured.
const STEADY_STAGES: u8 = 2;
/// Tokens that an epoch of the steady cluster commits.
const STEADY_TOKENS: u8 = 2;

/// How long a node waits. Shorter than in a shipped node, whose host may be
/// paused: so more views and rounds fit into an hour.
pub(crate) const TIMING: Timing =
    Timing { view: Millis(500), view_cap: Millis(4_000), retransmit: Millis(120), escalate: Millis(60) };

/// After faults stop, every honest node votes, and commits an epoch that began
/// after them, within this time. Voters may be in different views, the furthest
/// with the longest time-out: that view passes, then up to f + 1 views of
/// faulty leaders, then one of an honest leader, for the epoch under way and
/// for the next.
pub fn recovery_bound(resilience: Resilience) -> Micros {
    let views = 2 * (u64::try_from(resilience.f()).expect("few") + 2);
    views * u64::from(TIMING.view_cap.0) * 1_000
}

/// Most requests that a client has finished after the faults: the one under way, and a new one.
const SERVED: u64 = 2;

/// An owner of a stage that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kill {
    pub(crate) stage: Stage,
    /// Among the owners of the stage.
    pub(crate) rank: usize,
    pub(crate) position: Position,
}

/// A run, before it begins.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) seed: u64,
    pub(crate) resilience: Resilience,
    /// Those that vote, and workers behind them.
    pub(crate) members: usize,
    pub(crate) clients: u8,
    pub(crate) workload: Workload,
    pub(crate) stages: u8,
    pub(crate) assignment: Assignment,
    pub(crate) tokens_per_epoch: u8,
    /// Positions that a request may use.
    pub(crate) context: u16,
    pub(crate) timing: Timing,
    /// Microseconds that a message takes, at least and at most.
    pub(crate) latency: (Micros, Micros),
    /// Microseconds that a layer takes for one position. A member computes one thing at a time.
    pub(crate) layer_time: Micros,
    pub(crate) hands: Hands,
    /// Who computes this as well ends before it does, and does not begin again.
    pub(crate) kill: Option<Kill>,
    /// When faults stop.
    pub(crate) calm: Micros,
    /// Records are kept on disks that can fail, by the code of the daemon.
    pub(crate) disks: bool,
    /// Hosts say now and then that their members can do more or less: such an
    /// epoch has a second value that is valid.
    pub(crate) revises: bool,
    /// Some members misbehave.
    pub(crate) lies: bool,
    pub(crate) faults: Vec<Fault>,
    pub(crate) mutant: Option<Mutant>,
}

impl Setting {
    /// What `seed` means in `scenario`.
    pub(crate) fn draw(seed: u64, scenario: &Scenario) -> Setting {
        let Scenario { nodes, profile, workload, mutant } = *scenario;
        let mut random = Random::new(seed, Purpose::Setting);
        let members = nodes.n();
        let varied = !profile.kinds.is_empty();
        let most_stages = u64::try_from(members.min(4)).expect("few");
        let stages = if varied { narrow(random.within(1..=most_stages)) } else { STEADY_STAGES };
        let tokens_per_epoch = if varied { narrow(random.within(1..=4)) } else { STEADY_TOKENS };
        let suspects = choose(&mut random, members, nodes.f());
        let faults = schedule::draw(seed, profile.kinds, (members, &suspects), profile.safety, profile.gap);
        Setting {
            seed,
            resilience: nodes,
            members,
            clients: if varied { narrow(random.within(1..=3)) } else { 2 },
            workload,
            stages,
            assignment: Assignment::in_turn(members, stages).expect("a few stages"),
            tokens_per_epoch,
            context: 64,
            timing: TIMING,
            latency: (1_000, 4_000),
            layer_time: stage_time(stages, tokens_per_epoch),
            hands: Hands::Single,
            kill: None,
            calm: profile.safety,
            disks: profile.kinds.iter().any(|kind| kind.family() == Family::Disk),
            revises: varied,
            lies: faults.iter().any(|fault| fault.kind.family() == Family::Byzantine),
            faults,
            mutant,
        }
    }

    /// After faults stop, each client's request under way and a new one are
    /// finished within this time: the first epoch as [`recovery_bound`] says, and
    /// for each other one f views of faulty leaders and one of an honest leader.
    pub(crate) fn service_bound(&self) -> Micros {
        let tokens = u64::from(self.clients) * SERVED * u64::from(self.workload.tokens.1);
        let epochs = tokens.div_ceil(u64::from(self.tokens_per_epoch));
        let views = u64::try_from(self.resilience.f()).expect("few") + 1;
        recovery_bound(self.resilience) + epochs * views * u64::from(self.timing.view_cap.0) * 1_000
    }

    /// The cluster that it is about.
    pub(crate) fn cluster<const N: usize>(&self) -> Cluster<Crypto<N>, N> {
        let key = |number: usize| NodeId(u8::try_from(number).expect("few members"));
        let roster = Roster {
            resilience: self.resilience,
            members: (0..self.members).map(key).collect(),
            clients: (0..self.clients).map(|client| NodeId(CLIENT_KEY + client)).collect(),
            operators: [].into_iter().collect(),
            model: Model {
                manifest: [7; 32],
                stages: self.stages,
                context: self.context,
                vocabulary: VOCABULARY,
                signal: SIGNAL,
                tokens_per_epoch: self.tokens_per_epoch,
                checkpoint_interval: 10,
            },
            assignment: self.assignment.clone(),
        };
        let mut cluster = Cluster::new(roster, self.timing).expect("a roster within its bounds");
        cluster.rules.mutant = self.mutant;
        cluster
    }
}

/// So long that about ten epochs fit into a second: each token goes through
/// all stages, and over a link after each, one after the other.
fn stage_time(stages: u8, tokens_per_epoch: u8) -> Micros {
    let hops = u64::from(stages) * u64::from(tokens_per_epoch);
    (90_000 / hops).saturating_sub(3_000).max(1_000)
}

/// `count` different members.
fn choose(random: &mut Random, members: usize, count: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..members).collect();
    let mut chosen: Vec<usize> = (0..count).map(|_| all.swap_remove(random.place(all.len()))).collect();
    chosen.sort_unstable();
    chosen
}

fn narrow(number: u64) -> u8 {
    u8::try_from(number).expect("a small number")
}
