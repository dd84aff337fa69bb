//! What a run is made of, as its seed says.

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_kernel::cluster::{Assignment, Cluster, Model, Roster, Timing};
use butterfly_kernel::types::{Millis, NodeId, Resilience};

use super::Crypto;
use super::faults::{Family, Fault, schedule};
use super::profile::Profile;
use super::queue::Micros;
use super::random::{Purpose, Random};
use super::stages::{SIGNAL, VOCABULARY};

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

/// After faults stop, every honest node commits a new request of each client
/// within this time. Voters may be in different views, the furthest with the
/// longest time-out: that view passes, then up to f + 1 views of faulty
/// leaders, then one of an honest leader, for the request under way and for the next.
pub fn recovery_bound(resilience: Resilience) -> Micros {
    let views = 2 * (u64::try_from(resilience.f()).expect("few") + 2);
    views * u64::from(TIMING.view_cap.0) * 1_000
}

/// A run, before it begins.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) seed: u64,
    pub(crate) resilience: Resilience,
    pub(crate) clients: u8,
    pub(crate) stages: u8,
    pub(crate) tokens_per_epoch: u8,
    /// Microseconds that a message takes, at least and at most.
    pub(crate) latency: (Micros, Micros),
    /// Microseconds that a stage takes for one position.
    pub(crate) stage_time: Micros,
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
    /// What `seed` means under `profile` for `nodes` voters.
    pub(crate) fn draw(seed: u64, nodes: Resilience, profile: &Profile) -> Setting {
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
            clients: if varied { narrow(random.within(1..=3)) } else { 2 },
            stages,
            tokens_per_epoch,
            latency: (1_000, 4_000),
            stage_time: stage_time(stages, tokens_per_epoch),
            calm: profile.safety,
            disks: profile.kinds.iter().any(|kind| kind.family() == Family::Disk),
            revises: varied,
            lies: faults.iter().any(|fault| fault.kind.family() == Family::Byzantine),
            faults,
            mutant: None,
        }
    }

    /// The cluster that it is about.
    pub(crate) fn cluster<const N: usize>(&self) -> Cluster<Crypto<N>, N> {
        let members = self.resilience.n();
        let key = |number: usize| NodeId(u8::try_from(number).expect("few members"));
        let roster = Roster {
            resilience: self.resilience,
            members: (0..members).map(key).collect(),
            clients: (0..self.clients).map(|client| NodeId(CLIENT_KEY + client)).collect(),
            model: Model {
                manifest: [7; 32],
                stages: self.stages,
                context: 64,
                vocabulary: VOCABULARY,
                signal: SIGNAL,
                tokens_per_epoch: self.tokens_per_epoch,
                checkpoint_interval: 10,
            },
            assignment: Assignment::in_turn(members, self.stages).expect("a few stages"),
        };
        let mut cluster = Cluster::new(roster, TIMING).expect("a roster within its bounds");
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
