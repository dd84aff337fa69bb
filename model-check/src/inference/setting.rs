//! Who takes part in one part of a run, who computes what, who lies.

use butterfly_kernel::agreement::Durable;
use butterfly_kernel::agreement::rules::Mutant;
use butterfly_kernel::chain::{Active, Decided, Head, Header, Increment, State as ChainState};
use butterfly_kernel::cluster::{Assignment, Cluster, Model, Roster, Timing};
use butterfly_kernel::inference::run::{Run, extend, first_link};
use butterfly_kernel::message::agreement::{Ballot, DecisionCertificate, Path};
use butterfly_kernel::message::inference::{Links, Request, Sampling, Signal as Bytes, SignedRequest, Tokens};
use butterfly_kernel::node::Role;
use butterfly_kernel::types::{ClientId, Epoch, NodeId, NodeSet, Position, Resilience, Stage, View};

use crate::host::Record;
use crate::symbolic::exact::Exact;
use crate::symbolic::{Quorum, Signature};
use crate::world::setting::MEMBERS;

/// What can cross a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(pub u8);

impl Signal {
    /// What the model gives behind each link on the committed tokens: stages
    /// pass on what they are given, so what differs stays apart.
    pub const RIGHT: Signal = Signal(0);
    /// Something else.
    pub const WRONG: Signal = Signal(1);
    /// What crossed the links in the part before, which is committed.
    pub const OLD: Signal = Signal(2);
    /// All of them.
    pub const ALL: [Signal; 3] = [Signal::RIGHT, Signal::WRONG, Signal::OLD];

    /// The signal that the kernel was handed as `bytes`.
    ///
    /// # Panics
    /// When there is none.
    pub fn named(bytes: &Bytes) -> Signal {
        Signal::ALL.into_iter().find(|signal| signal.bytes() == *bytes).expect("a signal that has a name")
    }

    /// As the kernel is handed it.
    pub fn bytes(self) -> Bytes {
        [self.0].into_iter().collect()
    }
}

/// Where the faulty node stands in each stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liar {
    /// It owns every stage. With two of them, node 2 runs none, so that the
    /// others share the places.
    OwnsAll,
    /// It owns the first stage, and is no member of the last.
    OwnsFirst,
    /// It owns the last stage, where it is the first whom others ask for what
    /// they lack, and not the first stage.
    OwnsLast,
}

/// The parameters of a world: four nodes, of which the last is faulty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// n, f and p.
    pub resilience: Resilience,
    /// Stages of the model.
    pub stages: u8,
    /// Where the faulty node stands.
    pub liar: Liar,
    /// Who leads each view. No node enters a view beyond these.
    pub schedule: &'static [u8],
    /// Honest nodes may lose, at any time, what is not on their disk.
    pub restarts: bool,
    /// The guard of the kernel that is bent, if any.
    pub mutant: Option<Mutant>,
}

impl Parameters {
    /// All in one line.
    pub fn configuration(&self) -> String {
        let resilience = self.resilience;
        let (n, f, p) = (resilience.n(), resilience.f(), resilience.p());
        let stages = if self.stages == 1 { "1 stage".to_owned() } else { format!("{} stages", self.stages) };
        let liar = match self.liar {
            Liar::OwnsAll => "liar owns all",
            Liar::OwnsFirst => "liar owns the first",
            Liar::OwnsLast => "liar owns the last",
        };
        let leader = |leader: &u8| if usize::from(*leader) >= n - f { "F".to_owned() } else { leader.to_string() };
        let leaders: String = self.schedule.iter().map(leader).collect();
        let restarts = if self.restarts { ", restarts" } else { "" };
        format!("n={n} f={f} p={p} leaders {leaders}, {stages}, {liar}{restarts}")
    }
}

/// The epoch that commits the part that is explored.
pub const EPOCH: Epoch = Epoch(2);
/// Where the part's only input stands: behind the prompt.
pub const POSITION: Position = Position(1);

/// The parameters, and the cluster made of them.
pub struct Setting {
    /// The parameters.
    pub parameters: Parameters,
    /// What every seat knows.
    pub cluster: Cluster<Exact, MEMBERS>,
    /// The end of the chain: one part of the request is committed, one is left.
    pub head: Head<Exact>,
    /// The run that goes on from there.
    pub run: Run<Exact>,
}

impl Setting {
    /// A cluster as `parameters` say. Who computes what is drawn from the
    /// roster, so rosters are tried until the draw is the wanted one.
    ///
    /// # Panics
    /// When no roster gives it, or they ask for more nodes or views than there
    /// is room for: they stand in the source.
    pub fn new(parameters: Parameters) -> Setting {
        let setting = (0..u8::MAX).map(|salt| Setting::drawn(parameters, salt)).find(Setting::is_wanted);
        setting.expect("a draw that puts the liar there")
    }

    fn drawn(parameters: Parameters, salt: u8) -> Setting {
        let n = parameters.resilience.n();
        let mut assignment = Assignment::in_turn(n, parameters.stages).expect("a layer for each stage");
        if parameters.liar == Liar::OwnsAll && parameters.stages > 1 {
            assignment.profiles[2].speed = 0;
        }
        let roster = Roster {
            resilience: parameters.resilience,
            members: (0..n).map(|member| u8::try_from(member).expect("few members")).collect(),
            clients: [u8::MAX].into_iter().collect(),
            operators: [].into_iter().collect(),
            model: Model {
                manifest: [salt; 32],
                stages: parameters.stages,
                context: 3,
                vocabulary: 3,
                signal: 1,
                tokens_per_epoch: 1,
                checkpoint_interval: 3,
            },
            assignment,
        };
        let mut cluster = Cluster::new(roster, Timing::default()).expect("a roster within its bounds");
        cluster.rules.mutant = parameters.mutant;
        for leader in parameters.schedule {
            cluster.rules.schedule.push(NodeId(*leader)).expect("few views");
        }
        let request = Request {
            client: ClientId(0),
            sequence: 1,
            prompt: [Signal::OLD.0].into_iter().collect(),
            tokens: 2,
            sampling: Sampling::Greedy,
        };
        let request = SignedRequest { request, signature: Signature::Genuine };
        let head = first_part(&cluster, &request);
        let run = Run::new(&cluster, &head, &request).expect("the request goes on");
        Setting { parameters, cluster, head, run }
    }

    fn is_wanted(&self) -> bool {
        let liar = self.liar();
        let owns = |stage: Stage| self.owners(stage).contains(liar);
        let (first, last) = (owns(Stage(0)), self.run.last_stage());
        match self.parameters.liar {
            Liar::OwnsAll => self.stages().all(owns),
            Liar::OwnsFirst => first && !self.assigned(last).contains(liar),
            Liar::OwnsLast => !first && self.run.active.placement.rank(last, liar) == Some(0),
        }
    }

    /// The stages, in order.
    pub fn stages(&self) -> impl DoubleEndedIterator<Item = Stage> + use<> {
        (0..self.parameters.stages).map(Stage)
    }

    /// Those who compute `stage` at once.
    pub fn owners(&self, stage: Stage) -> NodeSet {
        self.run.active.placement.owners(stage)
    }

    /// Those who step in for them.
    pub fn reserves(&self, stage: Stage) -> NodeSet {
        self.assigned(stage).difference(self.owners(stage))
    }

    /// All of them.
    pub fn assigned(&self, stage: Stage) -> NodeSet {
        self.run.active.placement.set(stage)
    }

    /// The nodes that run the kernel.
    pub fn honest(&self) -> NodeSet {
        self.cluster.members().without(self.liar())
    }

    /// The node that says what it likes.
    pub fn liar(&self) -> NodeId {
        self.cluster.members().iter().last().expect("members")
    }

    /// The liar, if it is assigned to `stage`.
    pub fn liars(&self, stage: Stage) -> NodeSet {
        self.assigned(stage).difference(self.honest())
    }

    /// The views that can be entered.
    pub fn views(&self) -> impl Iterator<Item = View> + use<> {
        (0..u32::try_from(self.parameters.schedule.len()).expect("few views")).map(View)
    }

    /// Who leads `view`.
    pub fn leader(&self, view: View) -> NodeId {
        self.cluster.leader(EPOCH, view)
    }

    /// What `stage` makes of `input`: it passes it on.
    pub fn gives(&self, _: Stage, input: Signal) -> Signal {
        input
    }

    /// The record with which a node begins.
    pub fn first_record(&self) -> Record {
        Record { role: Role::Replica, head: self.head.clone(), agreement: Durable::fresh(), payload: None }
    }
}

/// The end of the chain when the first part of `request` is committed. Its
/// output is the token that the next part begins with.
fn first_part(cluster: &Cluster<Exact, MEMBERS>, request: &SignedRequest<Exact>) -> Head<Exact> {
    let genesis = Head::<Exact>::Genesis;
    let run = Run::new(cluster, &genesis, request).expect("the first request");
    let name = request.digest(cluster);
    let crossed = |link: Stage| {
        let signal = if link.0 == cluster.model().stages { Signal::RIGHT } else { Signal::OLD };
        extend(cluster, &first_link(cluster, &name, link), &signal.bytes())
    };
    let links: Links<Exact> = (0..=cluster.model().stages).map(Stage).map(crossed).collect();
    let tokens: Tokens = Signal::RIGHT.bytes().into_iter().collect();
    let epoch = Epoch::GENESIS.next();
    let active: &Active<Exact> = &run.active;
    let state = ChainState::genesis().advance(cluster, epoch, active, &tokens, &links);
    let increment = Increment::<Exact> { request: name, committed: 0, tokens }.digest(cluster);
    let header = Header { epoch, previous: genesis.value(cluster), increment, state: state.root(cluster) };
    let ballot = Ballot { view: View::ZERO, value: header.value(cluster) };
    let signatures = Quorum::of(cluster.resilience().fast_quorum());
    Head::Decided(Decided { header, certificate: DecisionCertificate { path: Path::Fast, ballot, signatures }, state })
}
