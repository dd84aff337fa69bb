//! Who takes part, who is faulty, who leads, and what the real kernel is told
//! about it.

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_kernel::agreement::{Agreement, Durable};
use butterfly_kernel::cluster::{Assignment, Cluster, Model, Roster, Seat, Timing};
use butterfly_kernel::message::agreement as message;
use butterfly_kernel::message::{Envelope, Message as AnyMessage};
use butterfly_kernel::types::{Epoch, NodeId, NodeSet, Resilience, View};

use super::faulty::{bare_change, request};
use super::network::Count;
use super::replica::Run;
use crate::symbolic::{Quorum, Signature, Symbolic, Value};

/// Room in every table of the kernel: the largest n of any model.
pub const MEMBERS: usize = 7;
/// Honest nodes of any model at most.
pub const MOST_HONEST: usize = 5;

/// The machine under test, as shipped.
pub type Machine = Agreement<Symbolic, MEMBERS>;
/// What its nodes say.
pub type Message = message::AgreementMessage<Symbolic, MEMBERS>;
/// A value in a view.
pub type Ballot = message::Ballot<Symbolic>;
/// What a node says of itself when it leaves a view.
pub type Report = message::Report<Symbolic>;
/// A report with what proves it.
pub type ViewChange = message::ViewChange<Symbolic>;
/// A leader's question.
pub type CertRequest = message::CertRequest<Symbolic, MEMBERS>;

/// The report of a node that neither voted nor locked.
pub const NOTHING: Report = Report { voted: None, locked: None };

/// The one epoch that is agreed on.
pub const EPOCH: Epoch = Epoch(1);

/// How votes and commits reach a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Each alone, in any order, to each node.
    Single,
    /// All that one quorum needs, to each node, in one step. Sound for
    /// handlers that only count: see "What is left out" in the README.
    Quorum,
}

/// What a faulty leader leaves in the tables of honest nodes in its view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftovers {
    /// Any view change of each faulty node that could have come first.
    Any,
    /// Always the one that reports nothing. Sound since the leader can replace
    /// it whenever it likes: see "What is left out" in the README.
    Bare,
}

/// How view changes reach a node that does not lead, in a view that an honest
/// node leads. Everywhere else they travel alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reports {
    /// Each alone, in any order.
    Single,
    /// Those that the leader's question names, right behind it. Sound since
    /// they have no other effect than a time-out has: see the README.
    WithQuestion,
}

/// The parameters of a world.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// n, f and p.
    pub resilience: Resilience,
    /// The last so many nodes are faulty.
    pub faulty: usize,
    /// Who leads each view. No node enters a view beyond these.
    pub schedule: Vec<NodeId>,
    /// How votes travel.
    pub delivery: Delivery,
    /// How view changes travel.
    pub reports: Reports,
    /// What faulty leaders leave behind.
    pub leftovers: Leftovers,
    /// Honest nodes that lead no view are interchangeable, and so are faulty
    /// ones. Only looked at from record to record.
    pub symmetry: bool,
    /// Nodes that come to know the valid values in the other order than
    /// [`Setting::inputs`] says.
    pub swapped: NodeSet,
    /// The guard of the kernel that is bent, if any.
    pub mutant: Option<Mutant>,
}

/// The parameters, and the cluster made of them.
pub struct Setting {
    /// The parameters.
    pub parameters: Parameters,
    /// What every seat knows.
    pub cluster: Cluster<Symbolic, MEMBERS>,
    /// What faulty nodes can say without the signatures for it.
    pub forgeries: Forgeries,
}

/// Forgeries that the kernel's verification lets pass: none, unless a guard is
/// taken out. Faulty nodes use those that pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgeries {
    /// A proposal of a later view without a progress certificate.
    pub uncertified_proposal: bool,
    /// The report of a vote for such a proposal.
    pub uncertified_report: bool,
    /// The report of a vote for a proposal that its leader did not sign.
    pub unsigned_report: bool,
    /// The report of a commit certificate with too few votes.
    pub short_lock: bool,
    /// The proposal of a node that does not lead.
    pub foreign_proposal: bool,
    /// A vote that its author did not sign.
    pub unsigned_vote: bool,
    /// A report for an earlier view, in the place of one for this.
    pub stale_report: bool,
    /// A question that names fewer reports than n - f.
    pub short_question: bool,
}

impl Setting {
    /// A cluster as `parameters` say.
    ///
    /// # Panics
    /// When they ask for more than [`MEMBERS`] nodes or 8 views: they stand in
    /// the source.
    pub fn new(parameters: Parameters) -> Setting {
        let n = parameters.resilience.n();
        let keys = (0..n).map(|member| u8::try_from(member).expect("few members"));
        let roster = Roster {
            resilience: parameters.resilience,
            members: keys.collect(),
            clients: [u8::MAX].into_iter().collect(),
            operators: [].into_iter().collect(),
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
        for leader in &parameters.schedule {
            cluster.rules.schedule.push(*leader).expect("few views");
        }
        let mut setting = Setting { parameters, cluster, forgeries: Forgeries::default() };
        setting.forgeries = setting.try_forgeries();
        setting
    }

    /// Tries each kind of forgery on the kernel's verification.
    fn try_forgeries(&self) -> Forgeries {
        let Some(forger) = self.faulty().iter().next() else { return Forgeries::default() };
        let passes = |from: NodeId, message: Message| self.verify(from, message).is_some();
        let value = Value::VALID[0];
        let (first, second) = (Ballot { view: View(0), value }, Ballot { view: View(1), value });
        let reported = |ballot, signature, progress| {
            let voted = Some(message::Proposal { ballot, signature, progress });
            Message::ViewChange(ViewChange { view: View(2), voted, locked: None })
        };
        let locked =
            Some(message::CommitCertificate { ballot: first, votes: Quorum::of(self.cluster.slow_quorum() - 1) });
        Forgeries {
            uncertified_proposal: passes(forger, Message::Propose { ballot: second, progress: None }),
            uncertified_report: passes(forger, reported(second, Signature::Genuine, None)),
            unsigned_report: passes(forger, reported(first, Signature::Forged, None)),
            short_lock: passes(forger, Message::ViewChange(ViewChange { view: View(1), voted: None, locked })),
            foreign_proposal: self.heeds_foreign_proposal(forger),
            unsigned_vote: self.verify_signed(forger, Message::Vote(first), Signature::Forged).is_some(),
            stale_report: self.heeds_stale_reports(),
            short_question: self.heeds_short_questions(),
        }
    }

    /// Whether a node acknowledges a question that names its own report only.
    fn heeds_short_questions(&self) -> bool {
        self.heeds_question(View(1), |me| (Vec::new(), vec![me]))
    }

    /// Whether a node that has just entered `view` acknowledges a question,
    /// when it heard of those in the first list that they entered the view
    /// before, and those in the second are said to have reported nothing.
    fn heeds_question(&self, view: View, lists: impl Fn(NodeId) -> (Vec<NodeId>, Vec<NodeId>)) -> bool {
        let ballot = Ballot { view, value: Value::VALID[0] };
        let leader = self.leader(view);
        let Some(me) = self.honest().iter().find(|node| *node != leader) else { return false };
        let durable = Durable { view, ..Durable::fresh() };
        let mut run = Run::new(self, me, Machine::new(&self.seat(me), EPOCH, durable, 0));
        run.learn(&Value::VALID);
        let (behind, named) = lists(me);
        for from in behind {
            let _ = run.receive(from, Message::ViewChange(bare_change(View(view.0 - 1))));
        }
        let question = request(ballot, named.into_iter().map(|node| (node, NOTHING)));
        let _ = run.receive(leader, Message::CertRequest(question));
        run.said().any(|message| *message == Message::CertAck(ballot))
    }

    /// Whether `node` leads a view.
    pub fn leads(&self, node: NodeId) -> bool {
        self.parameters.schedule.contains(&node)
    }

    /// Reports that a question has to name.
    pub fn reports_asked_about(&self) -> usize {
        if self.forgeries.short_question { 1 } else { self.cluster.view_change_quorum() }
    }

    /// Whether a node takes in the proposal of one that does not lead view 0.
    fn heeds_foreign_proposal(&self, forger: NodeId) -> bool {
        let leader = self.leader(View::ZERO);
        let Some(me) = self.honest().iter().find(|node| *node != leader).filter(|_| leader != forger) else {
            return false;
        };
        let ballot = Ballot { view: View::ZERO, value: Value::VALID[0] };
        let mut run = Run::new(self, me, Machine::new(&self.seat(me), EPOCH, Durable::fresh(), 0));
        run.receive(forger, Message::Propose { ballot, progress: None }).is_ok()
    }

    /// Whether a node in view 2 acknowledges what was reported on entering view 1.
    fn heeds_stale_reports(&self) -> bool {
        self.heeds_question(View(2), |me| {
            let others: Vec<NodeId> = self.cluster.members().without(me).iter().collect();
            (others.clone(), others)
        })
    }

    /// `message` of `from`, if the kernel's verification lets it pass.
    pub fn verify(&self, from: NodeId, message: Message) -> Option<Envelope<Symbolic, MEMBERS>> {
        self.verify_signed(from, message, Signature::Genuine)
    }

    fn verify_signed(
        &self,
        from: NodeId,
        message: Message,
        signature: Signature,
    ) -> Option<Envelope<Symbolic, MEMBERS>> {
        let message = AnyMessage::Agreement { epoch: EPOCH, message };
        let envelope = Envelope { from, message, signature };
        self.cluster.verify(envelope).ok().map(|verified| verified.into_inner())
    }

    /// The orders in which valid values can become known.
    pub fn orders(&self) -> [[Value; 2]; 2] {
        let [first, second] = Value::VALID;
        [[first, second], [second, first]]
    }

    /// The proposal of `ballot`, signed and justified.
    pub fn proposal(&self, ballot: Ballot) -> message::Proposal<Symbolic> {
        message::Proposal { ballot, signature: Signature::Genuine, progress: self.progress(ballot.view) }
    }

    /// What justifies a proposal of `view`.
    pub fn progress(&self, view: View) -> Option<Quorum> {
        (view > View::ZERO).then(|| Quorum::of(self.cluster.progress_quorum()))
    }

    /// A commit certificate of `ballot`.
    pub fn lock(&self, ballot: Ballot) -> message::CommitCertificate<Symbolic> {
        message::CommitCertificate { ballot, votes: Quorum::of(self.cluster.slow_quorum()) }
    }

    /// The place of `me` in the cluster.
    pub fn seat(&self, me: NodeId) -> Seat<'_, Symbolic, MEMBERS> {
        Seat { cluster: &self.cluster, me, key: &() }
    }

    /// The views that can be entered.
    pub fn views(&self) -> impl Iterator<Item = View> + use<> {
        (0..u32::try_from(self.parameters.schedule.len()).expect("few views")).map(View)
    }

    /// Who leads `view`.
    pub fn leader(&self, view: View) -> NodeId {
        self.cluster.leader(EPOCH, view)
    }

    /// The nodes that run the kernel.
    pub fn honest(&self) -> NodeSet {
        NodeSet::first(self.parameters.resilience.n().saturating_sub(self.parameters.faulty))
    }

    /// The nodes that say what they like.
    pub fn faulty(&self) -> NodeSet {
        let honest = self.honest();
        self.cluster.members().iter().filter(|node| !honest.contains(*node)).collect()
    }

    /// The nodes of which a statement can always be had: the faulty ones, and
    /// everybody where nobody looks at the signature.
    pub fn helpers(&self, count: Count) -> NodeSet {
        let forged = count == Count::Votes && self.forgeries.unsigned_vote;
        if forged { self.cluster.members() } else { self.faulty() }
    }

    /// Whether faulty nodes keep the tables of honest nodes in `view` bare.
    pub fn is_kept_bare(&self, view: View) -> bool {
        self.parameters.leftovers == Leftovers::Bare && self.is_led_by_faulty(view)
    }

    /// Whether view changes for `view` reach `to` with the leader's question only.
    pub fn waits_for_question(&self, view: View, to: NodeId) -> bool {
        let leader = self.leader(view);
        self.parameters.reports == Reports::WithQuestion && !self.is_faulty(leader) && leader != to
    }

    /// Whether `node` is faulty.
    pub fn is_faulty(&self, node: NodeId) -> bool {
        self.faulty().contains(node)
    }

    /// Whether a faulty node leads `view`.
    pub fn is_led_by_faulty(&self, view: View) -> bool {
        self.is_faulty(self.leader(view))
    }

    /// The valid values, in the order in which `me` comes to know them: the
    /// first is its own input. Neighbours differ in it.
    pub fn inputs(&self, me: NodeId) -> [Value; 2] {
        let [first, second] = Value::VALID;
        let swapped = self.parameters.swapped.contains(me);
        if me.0.is_multiple_of(2) != swapped { [first, second] } else { [second, first] }
    }
}
