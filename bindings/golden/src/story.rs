//! A fixed cluster and two epochs of its life, from which every vector is
//! taken. Keys come from fixed seeds and Ed25519 draws no random numbers, so
//! the bytes are the same wherever they are made.
//!
//! Four members, one of which may be faulty; the fast path survives no silent
//! member (p = 0), so that every kind of message has a use. A client asks for
//! eight tokens. Epoch 1 adds four and is decided on the fast path, in view 0.
//! Epoch 2 adds the others and is decided on the slow path, in view 1.

use butterfly_kernel::chain::{Decided, Head};
use butterfly_kernel::cluster::{Cluster as KernelCluster, Model, Timing};
use butterfly_kernel::crypto::ed25519::PublicKey;
use butterfly_kernel::crypto::{Scheme, Tag};
use butterfly_kernel::inference::job::{Candidate, Job, extend};
use butterfly_kernel::message::Payload;
use butterfly_kernel::message::agreement::{Ballot, DecisionCertificate, Path, Proposal};
use butterfly_kernel::message::inference::{Links, Request, Sampling, Tokens};
use butterfly_kernel::types::{ClientId, Epoch, NodeId, Resilience, Stage, View};
use ed25519_dalek::SigningKey;

use crate::{Cluster, Crypto, Digest, Envelope, Message, Roster, Signature, Signatures, SignedRequest};

/// How many members the cluster has.
pub const MEMBERS: u8 = 4;
/// The member that records are for.
pub const RECORD_OWNER: u8 = 1;
/// Thirty-two of this byte are the seed of the client's key.
pub const CLIENT_SEED: u8 = 101;
/// The model's manifest here, and in the cluster that is foreign to it.
pub const MANIFEST: [u8; 32] = [9; 32];
const FOREIGN_MANIFEST: [u8; 32] = [10; 32];

/// The cluster and what it decided.
pub struct Story {
    /// The cluster.
    pub cluster: Cluster,
    /// What the client asked for.
    pub request: SignedRequest,
    /// Epoch 1: fast, in view 0, by all four; the request stays under way.
    pub first: Chapter,
    /// Epoch 2: slow, in view 1, by members 0, 1 and 3; the request is finished.
    pub second: Chapter,
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

/// The public half of a key.
pub fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

/// The cluster's roster.
pub fn roster() -> Roster {
    Roster {
        resilience: Resilience::new(usize::from(MEMBERS), 1, 0).expect("four members tolerate one fault"),
        members: (0..MEMBERS).map(|member| public(&member_key(member))).collect(),
        clients: [public(&client_key())].into_iter().collect(),
        model: Model { manifest: MANIFEST, stages: 2, context: 64, vocabulary: 96, signal: 8, tokens_per_epoch: 4 },
    }
}

/// The signatures of `signers` on `statement`.
pub fn certificate(signers: impl IntoIterator<Item = u8>, statement: &Digest) -> Signatures {
    let mut signatures = Signatures::new();
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
        let first = Chapter::write(&cluster, &Head::Genesis, &request, [10, 11, 12, 13], (Path::Fast, View(0)));
        let head = Head::Decided(first.decided.clone());
        let second = Chapter::write(&cluster, &head, &request, [14, 15, 16, 17], (Path::Slow, View(1)));
        Story { cluster, request, first, second }
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
    pub fn certify_ballot(&self, signers: &[u8], tag: Tag, epoch: Epoch, ballot: &Ballot<Crypto>) -> Signatures {
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

/// What the client asks for in both epochs.
pub fn plain_request() -> Request {
    let prompt = [1, 2, 3].into_iter().collect();
    Request { client: ClientId(0), sequence: 1, prompt, tokens: 8, sampling: Sampling::Greedy }
}

/// `request` with the client's signature.
pub fn sign_request(cluster: &Cluster, request: Request) -> SignedRequest {
    let signature = Crypto::sign(&client_key(), &cluster.statement(Tag::Request, &request));
    SignedRequest { request, signature }
}

impl Chapter {
    /// What `ballot` of this epoch says in `view`.
    pub fn ballot(&self, view: u32) -> Ballot<Crypto> {
        Ballot { view: View(view), value: self.decided.certificate.ballot.value }
    }

    fn write(
        cluster: &Cluster,
        head: &Head<Crypto>,
        request: &SignedRequest,
        tokens: [u8; 4],
        (path, view): (Path, View),
    ) -> Chapter {
        let job = Job::new(cluster, head, request).expect("the request fits the model");
        let payload = certified(cluster, &job, tokens.into_iter().collect());
        let (value, Candidate { payload, header, state }) =
            job.validate(cluster, head, payload).expect("the payload is a result of the job");
        let ballot = Ballot { view, value };
        let (tag, signers) = match path {
            Path::Fast => (Tag::Vote, &[0, 1, 2, 3][..]),
            Path::Slow => (Tag::Commit, &[0, 1, 3][..]),
        };
        let signatures = certificate(signers.iter().copied(), &cluster.ballot(tag, job.epoch, &ballot));
        let certificate = DecisionCertificate { path, ballot, signatures };
        Chapter { epoch: job.epoch, payload, decided: Decided { header, certificate, state } }
    }
}

/// What the owners of both stages would certify, had the first stage given
/// [`signal`] at each position.
fn certified(cluster: &Cluster, job: &Job<Crypto>, tokens: Tokens) -> Payload<Crypto> {
    let between = job.active.links.get(1).copied().expect("two stages have a link between them");
    let between = (job.first.0..job.end.0).fold(between, |link, at| extend(cluster, &link, &signal(at)));
    let links: Option<Links<Crypto>> =
        [job.input_link(cluster, &tokens), Some(between), job.output_link(cluster, &tokens)].into_iter().collect();
    let mut payload = Payload {
        epoch: job.epoch,
        job: job.id,
        request: job.active.request.clone(),
        tokens,
        links: links.expect("every token is known"),
        certificates: heapless::Vec::new(),
    };
    payload.certificates = job
        .stages()
        .map(|stage| {
            certificate(job.placement.owners(stage).iter().map(|owner| owner.0), &claimed(cluster, &payload, stage))
        })
        .collect();
    payload
}

/// The digest that attesters of `stage` sign.
pub fn claimed(cluster: &Cluster, payload: &Payload<Crypto>, stage: Stage) -> Digest {
    payload.claim(stage).expect("the payload has links for the stage").statement(cluster)
}

/// What the first stage gives at a position: eight bytes that count on.
pub fn signal(position: u16) -> [u8; 8] {
    std::array::from_fn(|at| (position as u8).wrapping_mul(8).wrapping_add(at as u8))
}
