//! What is hashed: one digest for each tag, with its preimage.
//!
//! The preimages are not written down a second time here: a scheme that is
//! Ed25519 with a hasher that listens runs the kernel's own functions.

use std::cell::RefCell;

use butterfly_kernel::chain::{Decided, Head, State};
use butterfly_kernel::cluster::{Cluster as KernelCluster, Timing};
use butterfly_kernel::crypto::ed25519::{Digest, PublicKey, Sha256Hasher, Signature, SignatureMap};
use butterfly_kernel::crypto::{Hasher, Scheme, Tag};
use butterfly_kernel::inference::run::Run;
use butterfly_kernel::message::change::token_statement;
use butterfly_kernel::message::inference::Work;
use butterfly_kernel::message::{Envelope, SignedChange, SignedRequest};
use butterfly_kernel::types::MAX_VOTERS;
use butterfly_kernel::wire;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Crypto;
use crate::damage::encode;
use crate::messages::changes::token_key;
use crate::messages::{changes, samples};
use crate::story::{Story, public, roster};
use crate::vector::Statement;

thread_local! {
    static HEARD: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Ed25519 and SHA-256, with everything that is hashed written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Listening {}

#[derive(Default)]
struct ListeningHasher {
    inner: Sha256Hasher,
    heard: Vec<u8>,
}

impl Hasher for ListeningHasher {
    type Digest = Digest;

    fn update(&mut self, bytes: &[u8]) {
        self.inner.update(bytes);
        self.heard.extend_from_slice(bytes);
    }

    fn finish(self) -> Digest {
        HEARD.with_borrow_mut(|heard| heard.push(self.heard));
        self.inner.finish()
    }
}

impl Scheme for Listening {
    type Digest = Digest;
    type Hasher = ListeningHasher;
    type Signature = Signature;
    type Signatures = SignatureMap<MAX_VOTERS>;
    type CommitVotes = Self::Signatures;
    type WeakCertificate = crate::WeakCertificate;
    type PublicKey = PublicKey;
    type Verifier = <Crypto as Scheme>::Verifier;
    type SecretKey = SigningKey;

    fn number(digest: &Digest) -> u64 {
        Crypto::number(digest)
    }

    fn sign(key: &SigningKey, statement: &Digest) -> Signature {
        Crypto::sign(key, statement)
    }

    fn prepare(key: &PublicKey) -> Self::Verifier {
        Crypto::prepare(key)
    }

    fn verify(key: &Self::Verifier, statement: &Digest, signature: &Signature) -> bool {
        Crypto::verify(key, statement, signature)
    }
}

type ListeningCluster = KernelCluster<Listening, MAX_VOTERS>;

/// The story's cluster, with a hasher that listens.
fn listening_cluster() -> ListeningCluster {
    let roster = wire::decode(&encode(&roster())).expect("both schemes have one wire");
    KernelCluster::new(roster, Timing::default()).expect("the roster is within its bounds")
}

/// Everything that `run` hashes, in order.
fn listen<T>(run: impl FnOnce() -> T) -> Vec<Vec<u8>> {
    HEARD.take();
    run();
    HEARD.take()
}

/// SHA-256, by itself.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn statement(preimage: Vec<u8>) -> Statement {
    Statement { tag: preimage[0], digest: sha256(&preimage).to_vec(), preimage }
}

/// What the author of `envelope` signed.
pub fn preimage_of(envelope: &crate::Envelope) -> Statement {
    let cluster = listening_cluster();
    let envelope: Envelope<Listening, MAX_VOTERS> =
        wire::decode(&encode(envelope)).expect("both schemes have one wire");
    let mut heard = listen(|| envelope.message.statement(&cluster));
    statement(heard.pop().expect("a statement is hashed"))
}

/// A digest of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestVector {
    /// The name of the tag.
    pub name: String,
    /// What stands behind the tag and the cluster's id.
    pub about: String,
    /// The tag, the preimage and the digest.
    #[serde(flatten)]
    pub statement: Statement,
}

/// Every tag, in order of its number.
pub const TAGS: [Tag; 29] = [
    Tag::Cluster,
    Tag::Request,
    Tag::Propose,
    Tag::Vote,
    Tag::Commit,
    Tag::ViewChange,
    Tag::CertRequest,
    Tag::CertAck,
    Tag::Attest,
    Tag::StageOutput,
    Tag::Pull,
    Tag::Fetch,
    Tag::Payload,
    Tag::Decided,
    Tag::Forward,
    Tag::Value,
    Tag::State,
    Tag::Link,
    Tag::Plan,
    Tag::Placement,
    Tag::Output,
    Tag::Links,
    Tag::Recall,
    Tag::History,
    Tag::Notice,
    Tag::Change,
    Tag::Token,
    Tag::Order,
    Tag::Descent,
];

/// The tag's name in the files, and what is hashed under it. A new tag does
/// not compile before it stands here.
fn describe(tag: Tag) -> (&'static str, &'static str) {
    match tag {
        Tag::Cluster => ("cluster", "the roster; no id before it, since the digest is the id"),
        Tag::Request => ("request", "Request, behind the id of the first cluster of the chain"),
        Tag::Propose => ("propose", "epoch, Ballot"),
        Tag::Vote => ("vote", "epoch, Ballot"),
        Tag::Commit => ("commit", "epoch, Ballot"),
        Tag::ViewChange => ("view_change", "epoch, view, Report"),
        Tag::CertRequest => ("cert_request", "epoch, CertRequest"),
        Tag::CertAck => ("cert_ack", "epoch, Ballot"),
        Tag::Attest => ("attest", "Claim"),
        Tag::StageOutput => ("stage_output", "StageOutput"),
        Tag::Pull => ("pull", "Pull"),
        Tag::Fetch => ("fetch", "Fetch"),
        Tag::Payload => ("payload", "Payload"),
        Tag::Decided => ("decided", "Decided"),
        Tag::Forward => ("forward", "SignedRequest"),
        Tag::Value => ("value", "Header"),
        Tag::State => ("state", "State, the request under way without its signature"),
        Tag::Link => ("link", "a request's digest and a link's number, or a link's digest and a signal"),
        Tag::Plan => ("plan", "a request's digest and its Placement"),
        Tag::Placement => ("placement", "a seed and a round; a request's seed is of the value before and its digest"),
        Tag::Output => ("output", "Increment, or of a notice the member and the Notice"),
        Tag::Links => ("links", "the links"),
        Tag::Recall => ("recall", "Recall"),
        Tag::History => ("history", "History"),
        Tag::Notice => ("notice", "Notice"),
        Tag::Change => ("change", "Change"),
        Tag::Token => ("token", "a token's key, whether it is for a voter, n, f and p of the next roster"),
        Tag::Order => ("order", "SignedChange"),
        Tag::Descent => ("descent", "a roster and its Descent; no id before them, since the digest is the id"),
    }
}

/// The first digest of each tag that the story has a use for: all of them.
pub fn vectors(story: &Story) -> Vec<DigestVector> {
    let mut heard = listen(listening_cluster);
    for kind in butterfly_kernel::message::Kind::ALL {
        let envelopes = samples(story, kind).into_iter().map(|sample| story.envelope(sample.from, sample.message));
        heard.extend(envelopes.map(|envelope| preimage_of(&envelope).preimage));
    }
    heard.extend(inference(story));
    heard.extend(descent(story));
    let first = |tag: Tag| {
        let (name, about) = describe(tag);
        let preimage = heard.iter().find(|preimage| preimage[0] == tag.byte()).cloned();
        let statement = statement(preimage.unwrap_or_else(|| panic!("nothing is hashed under {name}")));
        DigestVector { name: name.to_owned(), about: about.to_owned(), statement }
    };
    TAGS.into_iter().map(first).collect()
}

/// What is hashed on the way from a request to the value of an epoch.
fn inference(story: &Story) -> Vec<Vec<u8>> {
    let cluster = listening_cluster();
    let request: SignedRequest<Listening> = wire::decode(&encode(&story.request)).expect("both schemes have one wire");
    let work: Work<Listening> = wire::decode(&encode(story.first.work())).expect("both schemes have one wire");
    listen(|| {
        let head = Head::Genesis;
        let run = Run::new(&cluster, &head, &request).expect("the request fits the model");
        run.validate(&cluster, &work).expect("the work is a result of the run");
        run.successor(&cluster, &head, &work).0.value(&cluster);
        State::<Listening>::genesis().root(&cluster)
    })
}

/// What is hashed for a change of the roster, and for the cluster behind it.
fn descent(story: &Story) -> Vec<Vec<u8>> {
    let cluster = listening_cluster();
    let mut last: Decided<Listening> =
        wire::decode(&encode(&story.second.decided)).expect("both schemes have one wire");
    let removed = changes::remove_worker(&story.cluster);
    let removed: SignedChange<Listening> = wire::decode(&encode(&removed)).expect("both schemes have one wire");
    last.state = last.state.end(last.header.epoch, &removed.change);
    let token = public(&token_key());
    listen(|| {
        token_statement(&cluster, &token, true, cluster.resilience());
        removed.change.statement(&cluster);
        cluster.next(&last).expect("the worker can go").id()
    })
}
