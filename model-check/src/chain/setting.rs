//! Who takes part in the chain of epochs, who is faulty, who may lose what.

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_kernel::cluster::{Assignment, Cluster, Model, Roster, Timing};
use butterfly_kernel::types::{NodeId, NodeSet, Nonce, Resilience};

use crate::symbolic::exact::Exact;
use crate::world::setting::MEMBERS;

/// The parameters of a world: the constants of `spec/Chain.tla`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// n, f and p.
    pub resilience: Resilience,
    /// The last so many nodes are faulty, at least one. The first of them leads
    /// view 0 of every epoch; nobody enters a later view.
    pub faulty: usize,
    /// How many epochs are explored.
    pub epochs: u64,
    /// In how many ways an epoch can add something that is no re-admission.
    pub work: u8,
    /// How many numbers are drawn in all, which bounds the losses.
    pub draws: u8,
    /// The first so many nodes may lose their record.
    pub fallible: usize,
    /// How many learners there may be at a time.
    pub together: usize,
    /// Members may be shown different values in one epoch.
    pub equivocation: bool,
    /// Members may start again with what is on their disk.
    pub restarts: bool,
    /// The host draws a new number at each start, as it must. Otherwise it
    /// hands the same one in again.
    pub fresh_nonce: bool,
    /// The guard of the kernel that is bent, if any.
    pub mutant: Option<Mutant>,
}

impl Parameters {
    /// All in one line.
    pub fn configuration(&self) -> String {
        let resilience = self.resilience;
        let (n, f, p) = (resilience.n(), resilience.f(), resilience.p());
        let faulty = if self.faulty == f { String::new() } else { format!(" faulty={}", self.faulty) };
        let values = match (self.equivocation, self.work) {
            (true, work) => format!("equivocation, {work} kinds of work"),
            (false, _) => "one value an epoch".to_owned(),
        };
        let losses = match (self.draws, self.fallible) {
            (0, _) => "no losses".to_owned(),
            (1, 1) => "1 loss".to_owned(),
            (draws, fallible) => format!("{draws} losses or starts of {fallible} learners"),
        };
        let restarts = if self.restarts { ", restarts" } else { "" };
        let host = if self.fresh_nonce { "" } else { ", a host that draws once" };
        format!("n={n} f={f} p={p}{faulty}, {} epochs, {values}, {losses}{restarts}{host}", self.epochs)
    }
}

/// The parameters, and the cluster made of them.
pub struct Setting {
    /// The parameters.
    pub parameters: Parameters,
    /// What every seat knows.
    pub cluster: Cluster<Exact, MEMBERS>,
}

impl Setting {
    /// A cluster as `parameters` say.
    ///
    /// # Panics
    /// When they ask for more than [`MEMBERS`] nodes, or for none that is
    /// faulty: they stand in the source.
    pub fn new(parameters: Parameters) -> Setting {
        let n = parameters.resilience.n();
        assert!(parameters.faulty > 0, "a faulty node leads");
        let roster = Roster {
            resilience: parameters.resilience,
            members: (0..n).map(|member| u8::try_from(member).expect("few members")).collect(),
            clients: [u8::MAX].into_iter().collect(),
            model: Model {
                manifest: [0; 32],
                stages: 1,
                context: 2,
                vocabulary: 1,
                signal: 1,
                tokens_per_epoch: 1,
                checkpoint_interval: 1,
            },
            assignment: Assignment::in_turn(n, 1).expect("one layer"),
        };
        let mut cluster = Cluster::new(roster, Timing::default()).expect("a roster within its bounds");
        cluster.rules.mutant = parameters.mutant;
        let mut setting = Setting { parameters, cluster };
        let leader = setting.leader();
        setting.cluster.rules.schedule.push(leader).expect("one view");
        setting
    }

    /// The nodes that run the kernel.
    pub fn honest(&self) -> NodeSet {
        NodeSet::first(self.parameters.resilience.n().saturating_sub(self.parameters.faulty))
    }

    /// The nodes that say what they like.
    pub fn faulty(&self) -> NodeSet {
        self.cluster.members().difference(self.honest())
    }

    /// The faulty node that leads.
    pub fn leader(&self) -> NodeId {
        self.faulty().iter().next().expect("a faulty node")
    }

    /// The nodes that may lose their record.
    pub fn fallible(&self) -> NodeSet {
        NodeSet::first(self.parameters.fallible)
    }

    /// The `drawn`th number that `node` draws; the 0th stands for none.
    pub fn nonce(&self, node: NodeId, drawn: u8) -> Nonce {
        let mut nonce = [0; 16];
        (nonce[0], nonce[1]) = (node.0, drawn);
        Nonce(nonce)
    }
}
