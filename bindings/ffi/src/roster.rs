//! The roster: who takes part, what model runs, and what is true of the cluster.

use std::sync::Arc;

use butterfly_kernel::assignment::{Layers, Links, Profile, Strategy};
use butterfly_kernel::cluster::{Assignment, Cluster as KernelCluster, ClusterError, Model as KernelModel, Timing};
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::crypto::ed25519::PublicKey;
use butterfly_kernel::message::inference::Request as KernelRequest;
use butterfly_kernel::node::Role;
use butterfly_kernel::types::{ClientId, Epoch, Millis, NodeId, Resilience, View};
use butterfly_kernel::wire;

use crate::Error;
use crate::keys::Keys;
use crate::message::MessageFacts;
use crate::proof::{CommitProof, Evidence};
use crate::protocol::{
    Cluster, Crypto, Decided, KernelEvidence, KernelProof, KernelRoster, Record, SignedRequest, encode,
};
use crate::surface::{Digest, Sampling};

/// The members, the clients and the model, checked. Its digest is the cluster's
/// id, which every signature covers.
#[derive(uniffi::Object)]
pub struct Roster {
    cluster: Arc<Cluster>,
}

/// The model, as far as the protocol must know it.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Model {
    /// Names weights, arithmetic, tokenizer and decoder: whoever runs another
    /// model has another cluster.
    pub manifest: Digest,
    /// Layers that can be placed, 1 to 64, at least as many as stages.
    pub layers: u8,
    /// Stages into which they are cut, 1 to 8.
    pub stages: u8,
    /// Tokens are below this number, at least 1.
    pub vocabulary: u8,
    /// Positions of a request, prompt and answer together, 2 to 256.
    pub context: u16,
    /// Bytes of one signal between stages at most, 1 to 320.
    pub signal: u16,
    /// Tokens that one epoch commits, 1 to 16.
    pub tokens_per_epoch: u8,
}

/// What a roster says.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct RosterFacts {
    /// The cluster's id.
    pub id: Digest,
    /// Members that vote.
    pub voters: u8,
    /// Members that may be faulty in any way.
    pub faults: u8,
    /// Voters that may be silent without slowing a decision down.
    pub silent: u8,
    /// The public key of each member; those that vote stand first.
    pub members: Vec<Digest>,
    /// The public key of each client.
    pub clients: Vec<Digest>,
    /// The model.
    pub model: Model,
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Request {
    /// Counts this client's requests from 1, without a gap; each number is used once.
    pub sequence: u64,
    /// The tokens to continue, at least one.
    pub prompt: Vec<u8>,
    /// How many tokens to add, at least one.
    pub tokens: u16,
    /// How to choose them.
    pub sampling: Sampling,
}

#[uniffi::export]
impl Roster {
    /// The roster of a new cluster, whose members are alike and take turns. The
    /// first `voters` of `members` vote. `faults` of them may be faulty and
    /// `silent` may be silent on the fast path; as many as the voters allow,
    /// unless it is said.
    #[uniffi::constructor(default(faults = None, silent = None, view_timeout = 2000))]
    pub fn found(
        members: Vec<Digest>,
        voters: u8,
        clients: Vec<Digest>,
        model: Model,
        faults: Option<u8>,
        silent: Option<u8>,
        view_timeout: u32,
    ) -> Result<Arc<Roster>, Error> {
        let resilience = resilience(voters, faults, silent)?;
        let layers = Layers::even(model.layers, u32::from(model.signal)).map_err(refused)?;
        let roster = KernelRoster {
            resilience,
            members: public_keys(&members)?,
            clients: public_keys(&clients)?,
            operators: [].into_iter().collect(),
            assignment: Assignment {
                strategy: Strategy::RoundRobin,
                layers,
                profiles: members.iter().map(|_| Profile::default()).collect(),
                links: Links::FREE,
            },
            model: KernelModel {
                manifest: model.manifest.0,
                stages: model.stages,
                context: model.context,
                vocabulary: model.vocabulary,
                signal: model.signal,
                tokens_per_epoch: model.tokens_per_epoch,
                checkpoint_interval: 10,
            },
        };
        Roster::of(roster, view_timeout)
    }

    /// The roster of which these bytes are the canonical encoding. The first
    /// view of an epoch may take `view_timeout` milliseconds; that is not part
    /// of the cluster's id, and for nodes only.
    #[uniffi::constructor(default(view_timeout = 2000))]
    pub fn decode(bytes: &[u8], view_timeout: u32) -> Result<Arc<Roster>, Error> {
        Roster::of(wire::decode(bytes)?, view_timeout)
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        Ok(encode(self.cluster.roster()))
    }

    /// What it says.
    pub fn facts(&self) -> Result<RosterFacts, Error> {
        let roster = self.cluster.roster();
        let keys = |keys: &[PublicKey]| keys.iter().map(|key| Digest(key.0)).collect();
        let count = |count: usize| u8::try_from(count).unwrap_or(u8::MAX);
        let model = &roster.model;
        Ok(RosterFacts {
            id: self.cluster.id().into(),
            voters: count(roster.resilience.n()),
            faults: count(roster.resilience.f()),
            silent: count(roster.resilience.p()),
            members: keys(&roster.members),
            clients: keys(&roster.clients),
            model: Model {
                manifest: Digest(model.manifest),
                layers: roster.assignment.layers.count(),
                stages: model.stages,
                vocabulary: model.vocabulary,
                context: model.context,
                signal: model.signal,
                tokens_per_epoch: model.tokens_per_epoch,
            },
        })
    }

    /// The member whose turn `view` of `epoch` is.
    pub fn leader(&self, epoch: u64, view: u32) -> Result<u8, Error> {
        Ok(self.cluster.leader(Epoch(epoch), View(view)).0)
    }

    /// What provisioning writes before a member's first start. A member must
    /// never be given it again: it cannot know any more what it signed.
    pub fn first_record(&self, member: u8) -> Result<Vec<u8>, Error> {
        let role = if self.cluster.votes(NodeId(member)) { Role::Replica } else { Role::Worker };
        Ok(encode(&Record::first(role)))
    }

    /// `request` signed by the client whose keys these are, for `Submit`.
    pub fn sign_request(&self, keys: Arc<Keys>, request: Request) -> Result<Vec<u8>, Error> {
        let Request { sequence, prompt, tokens, sampling } = request;
        let own = PublicKey(keys.public_key()?.0);
        let place = self.cluster.roster().clients.iter().position(|client| *client == own);
        let client = place
            .and_then(|place| u8::try_from(place).ok())
            .ok_or(Error::Keys { reason: "the keys are not those of a client of the roster".into() })?;
        let prompt = heapless::Vec::from_slice(&prompt)
            .map_err(|_| Error::Malformed { reason: "the prompt is longer than any model's context".into() })?;
        let request = KernelRequest { client: ClientId(client), sequence, prompt, tokens, sampling: sampling.into() };
        butterfly_kernel::chain::State::<Crypto>::genesis()
            .expects(&self.cluster, &request)
            .map_err(|_| Error::Malformed { reason: "the prompt and the tokens do not fit the model".into() })?;
        let statement = request.statement(&self.cluster);
        let signature = Crypto::sign(keys.identity(), &statement);
        Ok(encode(&SignedRequest { request, signature }))
    }

    /// Who says what, once every signature in a message was checked.
    pub fn verify_message(&self, message: &[u8]) -> Result<MessageFacts, Error> {
        let verified = self.cluster.verify(wire::decode(message)?).map_err(unproven)?;
        Ok(MessageFacts::of(verified.get()))
    }

    /// What a signed request asks for; an error when no client of the roster
    /// signed it.
    pub fn read_request(&self, request: &[u8]) -> Result<Request, Error> {
        let signed: SignedRequest = wire::decode(request)?;
        self.cluster.verify_request(&signed).map_err(unproven)?;
        let KernelRequest { sequence, prompt, tokens, sampling, .. } = signed.request;
        Ok(Request { sequence, prompt: prompt.to_vec(), tokens, sampling: sampling.into() })
    }

    /// The number of the next request of a client after a decision; none:
    /// before the first epoch. An error when the decision is not genuine.
    pub fn next_sequence(&self, decided: Option<Vec<u8>>, client: u8) -> Result<u64, Error> {
        let Some(decided) = decided else { return Ok(1) };
        Ok(genuine(&self.cluster, &decided)?.state.next_sequence(ClientId(client)))
    }

    /// The epoch of a decision. An error when the decision is not genuine.
    pub fn verify_decision(&self, decided: &[u8]) -> Result<u64, Error> {
        Ok(genuine(&self.cluster, decided)?.header.epoch.0)
    }

    /// Whether this cluster committed what `proof` says, and what that is.
    pub fn verify_proof(&self, proof: &[u8]) -> Result<CommitProof, Error> {
        let proof: KernelProof = wire::decode(proof)?;
        proof.verify(&self.cluster).map_err(unproven)?;
        Ok(CommitProof::of(&proof))
    }

    /// Whether a member of this cluster must be faulty, and which.
    pub fn verify_evidence(&self, evidence: &[u8]) -> Result<Evidence, Error> {
        let evidence: KernelEvidence = wire::decode(evidence)?;
        evidence.verify(&self.cluster).map_err(unproven)?;
        Ok(Evidence::of(&evidence))
    }

    /// Names what is stored for a member of this cluster: nobody else's.
    pub fn member_name(&self, member: u8) -> Result<Digest, Error> {
        Ok(Digest(butterfly_record::owner(&self.cluster.id().0, member)))
    }
}

impl Roster {
    fn of(roster: KernelRoster, view_timeout: u32) -> Result<Arc<Roster>, Error> {
        let cluster = KernelCluster::new(roster, timing(view_timeout)).map_err(|error: ClusterError| refused(error))?;
        Ok(Arc::new(Roster { cluster: Arc::new(cluster) }))
    }

    pub(crate) fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// Which member has these keys.
    pub(crate) fn place_of(&self, keys: &Keys) -> Result<NodeId, Error> {
        let own = PublicKey(keys.identity().verifying_key().to_bytes());
        let place = self.cluster.roster().members.iter().position(|member| *member == own);
        let place = place.and_then(|place| u8::try_from(place).ok());
        place.map(NodeId).ok_or(Error::Keys { reason: "the keys are not those of a member of the roster".into() })
    }
}

/// A decision whose certificate is good.
pub(crate) fn genuine(cluster: &Cluster, bytes: &[u8]) -> Result<Decided, Error> {
    let decided: Decided = wire::decode(bytes)?;
    if cluster.decided_is_genuine(&decided) {
        Ok(decided)
    } else {
        Err(Error::Unproven { reason: "the certificate of the decision is not genuine".into() })
    }
}

/// The waiting times of a cluster whose first view may take `view`
/// milliseconds; the others keep their defaults unless that would make them
/// longer than a view.
fn timing(view: u32) -> Timing {
    let default = Timing::default();
    Timing {
        view: Millis(view),
        view_cap: Millis(view.saturating_mul(8)),
        retransmit: default.retransmit.min(Millis(view.div_ceil(2))),
        escalate: default.escalate.min(Millis(view.div_ceil(4))),
    }
}

fn resilience(voters: u8, faults: Option<u8>, silent: Option<u8>) -> Result<Resilience, Error> {
    let n = usize::from(voters);
    let resilience = match (faults.map(usize::from), silent.map(usize::from)) {
        (None, None) => Resilience::largest(n),
        (Some(f), None) => Resilience::with_faults(n, f),
        (None, Some(p)) => Resilience::largest(n).and_then(|largest| Resilience::new(n, largest.f(), p)),
        (Some(f), Some(p)) => Resilience::new(n, f, p),
    };
    resilience.map_err(refused)
}

fn public_keys<const MOST: usize>(keys: &[Digest]) -> Result<heapless::Vec<PublicKey, MOST>, Error> {
    let refused = || Error::Roster { reason: format!("{} keys where there may be {MOST}", keys.len()) };
    let mut public = heapless::Vec::new();
    for key in keys {
        public.push(PublicKey(key.0)).map_err(|_| refused())?;
    }
    Ok(public)
}

fn refused(error: impl std::error::Error) -> Error {
    Error::Roster { reason: error.to_string() }
}

fn unproven(error: impl std::error::Error) -> Error {
    Error::Unproven { reason: error.to_string() }
}
