//! Who takes part in the chain of epochs, who is faulty, who may lose what.

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_kernel::cluster::{Assignment, Cluster, Model, Roster, Timing};
use butterfly_kernel::types::{NodeId, NodeSet, Nonce, Resilience};

use crate::symbolic::exact::Exact;
use crate::world::setting::MEMBERS;

/// The parameters of a world: the constants of `spec/Chain.tla`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// n, f and p of the founders.
    pub resilience: Resilience,
    /// The last so many nodes are faulty, at least one. The first of them leads
    /// view 0 of every epoch; nobody enters a later view.
    pub faulty: usize,
    /// So many honest nodes are no founders, and may be admitted.
    pub joining: usize,
    /// The first so many nodes may be removed.
    pub leaving: usize,
    /// How often the roster changes at most.
    pub changes: usize,
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
        let roster = match (self.joining, self.leaving, self.changes) {
            (0, 0, _) | (_, _, 0) => String::new(),
            (joining, leaving, changes) => {
                format!(", {changes} changes of the roster: {joining} may come, {leaving} may go")
            }
        };
        let restarts = if self.restarts { ", restarts" } else { "" };
        let host = if self.fresh_nonce { "" } else { ", a host that draws once" };
        format!("n={n} f={f} p={p}{faulty}, {} epochs, {values}, {losses}{restarts}{roster}{host}", self.epochs)
    }
}

/// The parameters, and the cluster made of them.
pub struct Setting {
    /// The parameters.
    pub parameters: Parameters,
    /// The cluster of the founders.
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
        let everybody = n + parameters.joining;
        assert!(parameters.faulty > 0, "a faulty node leads");
        // Whoever may join stands between the other honest nodes and the faulty ones.
        let joining = n - parameters.faulty..everybody - parameters.faulty;
        let founders = (0..everybody).filter(|node| !joining.contains(node));
        let roster = Roster {
            resilience: parameters.resilience,
            members: founders.map(|node| u8::try_from(node).expect("few nodes")).collect(),
            clients: [u8::MAX].into_iter().collect(),
            operators: [u8::MAX - 1].into_iter().collect(),
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
        let mut cluster = setting.cluster.clone();
        setting.let_lead(&mut cluster);
        setting.cluster = cluster;
        setting
    }

    /// A faulty node leads `cluster`, in every epoch.
    pub fn let_lead(&self, cluster: &mut Cluster<Exact, MEMBERS>) {
        let leader = self.faulty().iter().find_map(|node| place_in(cluster, node)).expect("a faulty member");
        cluster.rules.schedule.clear();
        cluster.rules.schedule.push(leader).expect("one view");
    }

    /// Everybody, by numbers that stay the same: members have others, by their
    /// place in each roster.
    pub fn everybody(&self) -> NodeSet {
        NodeSet::first(self.parameters.resilience.n() + self.parameters.joining)
    }

    /// The nodes that run the kernel.
    pub fn honest(&self) -> NodeSet {
        NodeSet::first(self.everybody().len().saturating_sub(self.parameters.faulty))
    }

    /// The nodes that say what they like.
    pub fn faulty(&self) -> NodeSet {
        self.everybody().difference(self.honest())
    }

    /// The faulty node that leads.
    pub fn leader(&self) -> NodeId {
        self.faulty().iter().next().expect("a faulty node")
    }

    /// The nodes that may be admitted.
    pub fn joining(&self) -> NodeSet {
        self.honest().iter().filter(|node| place_in(&self.cluster, *node).is_none()).collect()
    }

    /// The nodes that may be removed.
    pub fn leaving(&self) -> NodeSet {
        NodeSet::first(self.parameters.leaving)
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

/// What `node` is called in `cluster`, if it is a member there.
pub fn place_in(cluster: &Cluster<Exact, MEMBERS>, node: NodeId) -> Option<NodeId> {
    let place = cluster.roster().members.iter().position(|key| *key == node.0)?;
    u8::try_from(place).ok().map(NodeId)
}

/// Which node `member` of `cluster` is.
pub fn node_at(cluster: &Cluster<Exact, MEMBERS>, member: NodeId) -> NodeId {
    NodeId(cluster.roster().members[member.index()])
}

/// Those of `nodes` that are members of `cluster`, by what they are called there.
pub fn places_in(cluster: &Cluster<Exact, MEMBERS>, nodes: NodeSet) -> NodeSet {
    nodes.iter().filter_map(|node| place_in(cluster, node)).collect()
}
