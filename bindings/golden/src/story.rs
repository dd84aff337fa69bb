//! A fixed cluster and six epochs of its life, from which every vector is
//! taken. Keys come from fixed seeds and Ed25519 draws no random numbers, so
//! the bytes are the same wherever they are made.
//!
//! Four voters, one member of which may be faulty, and a worker; the fast path
//! survives no silent voter (p = 0), so that every kind of message has a use.
//! A client asks for eight tokens, and when it has them for eight others.
//!
//! | epoch | what it adds | decided |
//! | --- | --- | --- |
//! | 1 | four tokens of the first request | fast, in view 0 |
//! | 2 | its other four | slow, in view 1 |
//! | 3 | the worker can do less than it could | fast, in view 0 |
//! | 4 | four tokens of the second request | fast, in view 0 |
//! | 5 | member 3, which lost its record, is admitted again | slow, in view 0, without it |
//! | 6 | the other four tokens | fast, in view 0 |

use butterfly_kernel::assignment::{LayerSet, Layers, Links as Costs, Profile, Strategy};
use butterfly_kernel::chain::{Decided, Head, Header, State};
use butterfly_kernel::cluster::{Assignment, Cluster as KernelCluster, Model, Timing};
use butterfly_kernel::crypto::ed25519::{PublicKey, SignatureMap};
use butterfly_kernel::crypto::{Scheme, Tag};
use butterfly_kernel::inference::run::{Run, extend};
use butterfly_kernel::message::agreement::{Ballot, DecisionCertificate, Path, Proposal};
use butterfly_kernel::message::inference::{Links, Request, Sampling, Tokens};
use butterfly_kernel::message::notice::{Readmit, Revision, SignedNotice};
use butterfly_kernel::message::{Notice, Payload};
use butterfly_kernel::types::{ClientId, Epoch, NodeId, Nonce, Resilience, Stage, View};
use ed25519_dalek::SigningKey;

use crate::{Cluster, Crypto, Digest, Envelope, Message, Roster, Signature, SignedRequest, Work};

/// How many members vote.
pub const VOTERS: u8 = 4;
/// How many members the cluster has: the voters and a worker.
pub const MEMBERS: u8 = 5;
/// The voter that records are for.
pub const RECORD_OWNER: u8 = 1;
/// The voter that loses its record.
pub const LEARNER: u8 = 3;
/// The member that does not vote.
pub const WORKER: u8 = 4;
/// Thirty-two of this byte are the seed of the client's key.
pub const CLIENT_SEED: u8 = 101;
/// Thirty-two of this byte are the seed of the operator's key.
pub const OPERATOR_SEED: u8 = 102;
/// Thirty-two of this byte are the seed of a token's key.
pub const TOKEN_SEED: u8 = 103;
/// The model's manifest here, and in the cluster that is foreign to it.
pub const MANIFEST: [u8; 32] = [9; 32];
const FOREIGN_MANIFEST: [u8; 32] = [10; 32];

/// The cluster and what it decided.
pub struct Story {
    /// The cluster.
    pub cluster: Cluster,
    /// What the client asked for first.
    pub request: SignedRequest,
    /// Epoch 1: fast, in view 0, by all four; the request stays under way.
    pub first: Chapter,
    /// Epoch 2: slow, in view 1, by members 0, 1 and 3; the request is finished.
    pub second: Chapter,
    /// Epoch 3: the worker revises its profile.
    pub revision: Chapter,
    /// Epoch 4: the second request is under way.
    pub third: Chapter,
    /// Epoch 5: by members 0, 1 and 2; member 3 is admitted again while the
    /// second request is under way.
    pub readmission: Chapter,
    /// Epoch 6: the second request is finished.
    pub fourth: Chapter,
}

/// One epoch.
pub struct Chapter {
    /// The epoch.
    pub epoch: Epoch,
    /// What its value stands for.
    pub payload: Payload<Crypto>,
    /// Its end.
    pub decided: Decided<Crypto>,
}

/// Thirty-two of this byte are the seed of a member's key: 1 for member 0.
pub fn member_seed(member: u8) -> u8 {
    member + 1
}

/// The secret key of a member.
pub fn member_key(member: u8) -> SigningKey {
    SigningKey::from_bytes(&[member_seed(member); 32])
}

/// The secret key of the client.
pub fn client_key() -> SigningKey {
    SigningKey::from_bytes(&[CLIENT_SEED; 32])
}

/// The secret key of the operator.
pub fn operator_key() -> SigningKey {
    SigningKey::from_bytes(&[OPERATOR_SEED; 32])
}

/// The public half of a key.
pub fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

/// The cluster's roster: members of two zones, a worker that is slower than
/// the voters, a model of four layers.
pub fn roster() -> Roster {
    let profile = |speed, zone| Profile { speed, zone, holds: LayerSet::ALL };
    Roster {
        resilience: Resilience::new(usize::from(VOTERS), 1, 0).expect("four members tolerate one fault"),
        members: (0..MEMBERS).map(|member| public(&member_key(member))).collect(),
        clients: [public(&client_key())].into_iter().collect(),
        operators: [public(&operator_key())].into_iter().collect(),
        model: Model {
            manifest: MANIFEST,
            stages: 2,
            context: 64,
            vocabulary: 96,
            signal: 8,
            tokens_per_epoch: 4,
            checkpoint_interval: 4,
        },
        assignment: Assignment {
            strategy: Strategy::Hybrid,
            layers: Layers::even(4, 8).expect("a model may have four layers"),
            profiles: [profile(900, 0), profile(1_000, 0), profile(900, 1), profile(1_000, 1), profile(500, 1)]
                .into_iter()
                .collect(),
            links: Costs { within: 1_000, between: 8_000 },
        },
    }
}

/// The signatures of `signers` on `statement`.
pub fn certificate<const CAPACITY: usize>(
    signers: impl IntoIterator<Item = u8>,
    statement: &Digest,
) -> SignatureMap<CAPACITY> {
    let mut signatures = SignatureMap::new();
    for signer in signers {
        let signature = Crypto::sign(&member_key(signer), statement);
        signatures.insert(NodeId(signer), signature).expect("no more signers than may vote");
    }
    signatures
}

impl Story {
    /// The story of the files.
    pub fn new() -> Story {
        Story::of(roster())
    }

    /// The same members and the same events in another cluster.
    pub fn foreign() -> Story {
        let mut roster = roster();
        roster.model.manifest = FOREIGN_MANIFEST;
        Story::of(roster)
    }

    fn of(roster: Roster) -> Story {
        let cluster = KernelCluster::new(roster, Timing::default()).expect("the roster is within its bounds");
        let request = sign_request(&cluster, plain_request());
        let next = sign_request(&cluster, next_request());
        let first = Chapter::work_on(&cluster, None, &request, [10, 11, 12, 13], FAST);
        let slow = Decision { path: Path::Slow, view: View(1), signers: &[0, 1, 3] };
        let second = Chapter::work_on(&cluster, Some(&first), &request, [14, 15, 16, 17], slow);
        let revision = Chapter::note(&cluster, &second, (WORKER, Notice::Revise(revision())), FAST);
        let third = Chapter::work_on(&cluster, Some(&revision), &next, [20, 21, 22, 23], FAST);
        let without = Decision { path: Path::Slow, view: View(0), signers: &[0, 1, 2] };
        let readmission = Chapter::note(&cluster, &third, (LEARNER, Notice::Readmit(readmit())), without);
        let fourth = Chapter::work_on(&cluster, Some(&readmission), &next, [24, 25, 26, 27], FAST);
        Story { cluster, request, first, second, revision, third, readmission, fourth }
    }

    /// `message` signed by `from`.
    pub fn envelope(&self, from: u8, message: Message) -> Envelope {
        let signature = Crypto::sign(&member_key(from), &message.statement(&self.cluster));
        Envelope { from: NodeId(from), message, signature }
    }

    /// The signature of `signer` on a ballot of `epoch`.
    pub fn sign_ballot(&self, signer: u8, tag: Tag, epoch: Epoch, ballot: &Ballot<Crypto>) -> Signature {
        Crypto::sign(&member_key(signer), &self.cluster.ballot(tag, epoch, ballot))
    }

    /// Signatures of `signers` on a ballot of `epoch`.
    pub fn certify_ballot<const CAPACITY: usize>(
        &self,
        signers: &[u8],
        tag: Tag,
        epoch: Epoch,
        ballot: &Ballot<Crypto>,
    ) -> SignatureMap<CAPACITY> {
        certificate(signers.iter().copied(), &self.cluster.ballot(tag, epoch, ballot))
    }

    /// The proposal of `ballot` by the leader of its view, justified by two
    /// members unless the view is the first.
    pub fn proposal(&self, epoch: Epoch, ballot: Ballot<Crypto>) -> Proposal<Crypto> {
        let leader = self.cluster.leader(epoch, ballot.view);
        let progress = (ballot.view > View(0)).then(|| self.certify_ballot(&[0, 3], Tag::CertAck, epoch, &ballot));
        Proposal { ballot, signature: self.sign_ballot(leader.0, Tag::Propose, epoch, &ballot), progress }
    }
}

impl Default for Story {
    fn default() -> Story {
        Story::new()
    }
}

/// What the client asks for first.
pub fn plain_request() -> Request {
    let prompt = [1, 2, 3].into_iter().collect();
    Request { client: ClientId(0), sequence: 1, prompt, tokens: 8, sampling: Sampling::Greedy }
}

/// What the client asks for then.
pub fn next_request() -> Request {
    let prompt = [4, 5].into_iter().collect();
    let sampling = Sampling::Seeded { seed: 7, temperature: 256 };
    Request { client: ClientId(0), sequence: 2, prompt, tokens: 8, sampling }
}

/// `request` with the client's signature.
pub fn sign_request(cluster: &Cluster, request: Request) -> SignedRequest {
    let signature = Crypto::sign(&client_key(), &request.statement(cluster));
    SignedRequest { request, signature }
}

/// What the worker says about itself: it is slower now, and holds half of the layers.
pub fn revision() -> Revision {
    Revision { number: 1, profile: Profile { speed: 250, zone: 1, holds: LayerSet::run(2..4) } }
}

/// What the learner says about itself.
pub fn readmit() -> Readmit {
    Readmit { incarnation: 1, nonce: Nonce([0x5a; 16]) }
}

/// `notice` of `member` with its signature.
pub fn sign_notice(cluster: &Cluster, member: u8, notice: Notice) -> SignedNotice<Crypto> {
    let signature = Crypto::sign(&member_key(member), &notice.statement(cluster));
    SignedNotice { member: NodeId(member), notice, signature }
}

/// How an epoch is decided.
#[derive(Clone, Copy)]
struct Decision {
    path: Path,
    view: View,
    signers: &'static [u8],
}

/// In view 0, by the votes of all voters.
const FAST: Decision = Decision { path: Path::Fast, view: View(0), signers: &[0, 1, 2, 3] };

impl Chapter {
    /// What `ballot` of this epoch says in `view`.
    pub fn ballot(&self, view: u32) -> Ballot<Crypto> {
        Ballot { view: View(view), value: self.decided.certificate.ballot.value }
    }

    /// What it adds to a request.
    ///
    /// # Panics
    /// When it adds nothing to one.
    pub fn work(&self) -> &Work {
        match &self.payload {
            Payload::Work(work) => work,
            Payload::Notice(_) | Payload::Change(_) => panic!("{:?} adds nothing to a request", self.epoch),
        }
    }

    /// The chain after it.
    pub fn head(&self) -> Head<Crypto> {
        Head::Decided(self.decided.clone())
    }

    /// The epoch after `before` adds `tokens` to a request.
    fn work_on(
        cluster: &Cluster,
        before: Option<&Chapter>,
        request: &SignedRequest,
        tokens: [u8; 4],
        decision: Decision,
    ) -> Chapter {
        let head = before.map_or(Head::Genesis, Chapter::head);
        let run = Run::new(cluster, &head, request).expect("the request fits the model");
        let work = certified(cluster, &run, tokens.into_iter().collect());
        run.validate(cluster, &work).expect("the work is a result of the run");
        Chapter::end(cluster, Payload::Work(work.clone()), run.successor(cluster, &head, &work), decision)
    }

    /// The epoch after `before` commits what a member says about itself.
    fn note(cluster: &Cluster, before: &Chapter, (member, notice): (u8, Notice), decision: Decision) -> Chapter {
        let state = &before.decided.state;
        assert!(state.admits_notice(cluster, NodeId(member), &notice), "the notice is the member's next");
        let epoch = before.epoch.next();
        let state = state.note(epoch, NodeId(member), notice);
        let signed = sign_notice(cluster, member, notice);
        let (previous, increment) = (before.head().value(cluster), signed.increment(cluster));
        let header = Header { epoch, previous, increment, state: state.root(cluster) };
        Chapter::end(cluster, Payload::Notice(signed), (header, state), decision)
    }

    /// `payload` is decided, which makes the chain go on with this header and state.
    fn end(
        cluster: &Cluster,
        payload: Payload<Crypto>,
        (header, state): (Header<Crypto>, State<Crypto>),
        Decision { path, view, signers }: Decision,
    ) -> Chapter {
        let epoch = header.epoch;
        let ballot = Ballot { view, value: header.value(cluster) };
        let tag = match path {
            Path::Fast => Tag::Vote,
            Path::Slow => Tag::Commit,
        };
        let signatures = certificate(signers.iter().copied(), &cluster.ballot(tag, epoch, &ballot));
        let certificate = DecisionCertificate { path, ballot, signatures };
        Chapter { epoch, payload, decided: Decided { header, certificate, state } }
    }
}

/// What the owners of both stages would certify, had the first stage given
/// [`signal`] at each position.
fn certified(cluster: &Cluster, run: &Run<Crypto>, tokens: Tokens) -> Work {
    let part = run.part(run.committed()).expect("the request asks for more");
    let between = run.active.links.get(1).copied().expect("two stages have a link between them");
    let between = (run.first().0..part.end.0).fold(between, |link, at| extend(cluster, &link, &signal(at)));
    let links: Option<Links<Crypto>> =
        [run.input_link(cluster, &tokens, part.end), Some(between), run.output_link(cluster, &tokens)]
            .into_iter()
            .collect();
    let mut work = Work {
        run: run.id,
        committed: part.committed,
        request: run.active.request.clone(),
        tokens,
        links: links.expect("every token is known"),
        certificates: heapless::Vec::new(),
    };
    let owners = |stage| run.active.placement.owners(stage).iter().map(|owner| owner.0).collect::<Vec<u8>>();
    work.certificates = run.stages().map(|stage| certificate(owners(stage), &claimed(cluster, &work, stage))).collect();
    work
}

/// The digest that attesters of `stage` sign.
pub fn claimed(cluster: &Cluster, work: &Work, stage: Stage) -> Digest {
    work.claim(stage).expect("the work has links for the stage").statement(cluster)
}

/// What the first stage gives at a position: eight bytes that count on.
pub fn signal(position: u16) -> [u8; 8] {
    std::array::from_fn(|at| (position as u8).wrapping_mul(8).wrapping_add(at as u8))
}
