//! Commit proofs and evidence with real signatures: what was made is
//! accepted, and nothing else.

use butterfly_kernel::bounded::Map;
use butterfly_kernel::chain::{Header, Increment};
use butterfly_kernel::cluster::{Assignment, Cluster, Model, Roster, Timing};
use butterfly_kernel::crypto::ed25519::{Digest, Ed25519, PublicKey};
use butterfly_kernel::crypto::{Scheme, Tag};
use butterfly_kernel::message::agreement::{Ballot, DecisionCertificate, Path, Report};
use butterfly_kernel::message::inference::{Claim, Request, RunId, Sampling, SignedRequest};
use butterfly_kernel::proof::{Added, CommitProof, Evidence, EvidenceError, Fault, ProofError, SignedBallot, Step};
use butterfly_kernel::types::{ClientId, Epoch, NodeId, Resilience, Stage, View};
use butterfly_kernel::wire;
use ed25519_dalek::SigningKey;
use serde::{Serialize, de::DeserializeOwned};

type C = Ed25519<4>;
type TestCluster = Cluster<C, 4>;
type Proof = CommitProof<C, 4>;

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number + 1; 32])
}

fn public(number: u8) -> PublicKey {
    PublicKey(key(number).verifying_key().to_bytes())
}

fn cluster_of(members: [u8; 4]) -> TestCluster {
    let roster = Roster {
        resilience: Resilience::new(4, 1, 1).unwrap(),
        members: members.into_iter().map(public).collect(),
        clients: [public(100)].into_iter().collect(),
        operators: [].into_iter().collect(),
        model: Model {
            manifest: [9; 32],
            stages: 2,
            context: 64,
            vocabulary: 96,
            signal: 8,
            tokens_per_epoch: 4,
            checkpoint_interval: 10,
        },
        assignment: Assignment::in_turn(4, 2).unwrap(),
    };
    Cluster::new(roster, Timing::default()).unwrap()
}

fn cluster() -> TestCluster {
    cluster_of([0, 1, 2, 3])
}

/// A proof of two epochs for a request of eight tokens.
fn proof(cluster: &TestCluster) -> Proof {
    let request = Request {
        client: ClientId(0),
        sequence: 1,
        prompt: [1, 2, 3].into_iter().collect(),
        tokens: 8,
        sampling: Sampling::Greedy,
    };
    let signature = C::sign(&key(100), &request.statement(cluster));
    let request = SignedRequest { request, signature };
    let mut value = cluster.id();
    let previous = value;
    let mut steps = heapless::Vec::new();
    for epoch in 1..=2_u8 {
        let tokens = (0..4).map(|token| token + epoch).collect::<heapless::Vec<u8, 16>>();
        let state = Digest([epoch + 10; 32]);
        let committed = u16::from(epoch - 1) * 4;
        let increment = Increment::<C> { request: request.digest(cluster), committed, tokens: tokens.clone() };
        let header =
            Header { epoch: Epoch(epoch.into()), previous: value, increment: increment.digest(cluster), state };
        value = header.value(cluster);
        steps.push(Step { added: Added::Tokens(tokens), state }).unwrap();
    }
    let ballot = Ballot { view: View(0), value };
    let statement = cluster.ballot(Tag::Vote, Epoch(2), &ballot);
    let mut signatures = Map::new();
    for voter in [0, 2, 3] {
        signatures.insert(NodeId(voter), C::sign(&key(voter), &statement)).unwrap();
    }
    let certificate = DecisionCertificate { path: Path::Fast, ballot, signatures };
    CommitProof { request, committed: 0, first: Epoch(1), previous, steps, certificate }
}

fn bytes<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap()
}

/// Every change of one bit is refused, either as bytes or as a statement.
fn refuse_every_bit<T: Serialize + DeserializeOwned>(value: &T, holds: impl Fn(&T) -> bool) {
    assert!(holds(value));
    let genuine = bytes(value);
    for bit in 0..genuine.len() * 8 {
        let mut altered = genuine.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        if let Ok(altered) = wire::decode::<T>(&altered) {
            assert!(!holds(&altered), "bit {bit} makes no difference");
        }
    }
}

#[test]
fn a_proof_is_small_and_no_bit_of_it_can_change() {
    let cluster = cluster();
    let proof = proof(&cluster);
    assert_eq!(proof.verify(&cluster), Ok(()));
    assert_eq!(proof.last(), Epoch(2));
    let single = CommitProof::<C, 4> { steps: proof.steps[1..].iter().cloned().collect(), ..proof.clone() };
    assert!(bytes(&single).len() < 500, "{} bytes", bytes(&single).len());
    refuse_every_bit(&proof, |proof| proof.verify(&cluster).is_ok());
}

#[test]
fn a_proof_of_another_cluster_is_refused() {
    let ours = cluster();
    assert_eq!(proof(&cluster_of([0, 1, 2, 4])).verify(&ours), Err(ProofError::Request));
}

#[test]
fn certificates_need_exactly_a_quorum_of_distinct_signers() {
    let cluster = cluster();
    let genuine = proof(&cluster);
    let statement = cluster.ballot(Tag::Vote, Epoch(2), &genuine.certificate.ballot);

    let mut short = genuine.clone();
    short.certificate.signatures.remove(&NodeId(3));
    assert_eq!(short.verify(&cluster), Err(ProofError::Certificate));

    let mut long = genuine.clone();
    long.certificate.signatures.insert(NodeId(1), C::sign(&key(1), &statement)).unwrap();
    assert_eq!(long.verify(&cluster), Err(ProofError::Certificate), "one canonical size");

    // The same signature under two names, and the same name twice on the wire.
    let mut twice = short.clone();
    let repeated = twice.certificate.signatures.get(&NodeId(0)).unwrap().clone();
    twice.certificate.signatures.insert(NodeId(1), repeated).unwrap();
    assert_eq!(twice.verify(&cluster), Err(ProofError::Certificate));
    let entry = bytes(&(NodeId(0), genuine.certificate.signatures.get(&NodeId(0)).unwrap()));
    let next = bytes(&(NodeId(2), genuine.certificate.signatures.get(&NodeId(2)).unwrap()));
    let encoded = bytes(&genuine);
    let at = encoded.windows(next.len()).position(|window| window == next).unwrap();
    let doubled = [&encoded[..at], &entry, &encoded[at + next.len()..]].concat();
    assert!(wire::decode::<Proof>(&doubled).is_err());

    let mut slow = genuine;
    slow.certificate.path = Path::Slow;
    assert_eq!(slow.verify(&cluster), Err(ProofError::Certificate));
}

#[test]
fn an_altered_output_is_refused() {
    let cluster = cluster();
    let mut altered = proof(&cluster);
    altered.steps[0].added = Added::Tokens([2, 2, 3, 4].into_iter().collect());
    assert_eq!(altered.verify(&cluster), Err(ProofError::Value));
    let mut shifted = proof(&cluster);
    shifted.committed = 1;
    assert_eq!(shifted.verify(&cluster), Err(ProofError::Shape), "nine tokens of eight");
    let mut empty = proof(&cluster);
    empty.steps.clear();
    assert_eq!(empty.verify(&cluster), Err(ProofError::Shape));
    let mut idle = proof(&cluster);
    idle.steps[0].added = Added::Tokens(heapless::Vec::new());
    assert_eq!(idle.verify(&cluster), Err(ProofError::Shape), "an epoch that adds no token says what it did instead");
}

/// One piece of evidence of each kind, against member 2.
fn evidence(cluster: &TestCluster) -> Vec<Evidence<C>> {
    let epoch = Epoch(5);
    let accused = NodeId(2);
    let ballot = |value: u8| Ballot { view: View(1), value: Digest([value; 32]) };
    let signed = |tag, value| {
        let ballot = ballot(value);
        SignedBallot { ballot, signature: C::sign(&key(2), &cluster.ballot(tag, epoch, &ballot)) }
    };
    let report = |value: Option<u8>| Report::<C> {
        voted: value.map(|value| Ballot { view: View(0), value: Digest([value; 32]) }),
        locked: None,
    };
    let change = |value| {
        let report = report(value);
        (report, C::sign(&key(2), &cluster.statement(Tag::ViewChange, &(epoch, View(1), &report))))
    };
    let claim = |output: u8| Claim::<C> {
        run: RunId { client: ClientId(0), sequence: 1, plan: Digest([1; 32]) },
        committed: 4,
        stage: Stage(1),
        input: Digest([2; 32]),
        output: Digest([output; 32]),
    };
    let attest = |member: u8, output| C::sign(&key(member), &claim(output).statement(cluster));
    let mut certificate = Map::new();
    for member in [0, 3] {
        certificate.insert(NodeId(member), attest(member, 8)).unwrap();
    }
    let (first, second) = (|tag| signed(tag, 1), |tag| signed(tag, 2));
    let faults = [
        Fault::Proposals { epoch, first: first(Tag::Propose), second: second(Tag::Propose) },
        Fault::Votes { epoch, first: first(Tag::Vote), second: second(Tag::Vote) },
        Fault::Commits { epoch, first: first(Tag::Commit), second: second(Tag::Commit) },
        Fault::ViewChanges { epoch, view: View(1), first: change(None), second: change(Some(7)) },
        Fault::Attestation { claim: claim(9), signature: attest(2, 9), certified: Digest([8; 32]), certificate },
    ];
    faults.into_iter().map(|fault| Evidence { accused, fault }).collect()
}

#[test]
fn evidence_of_each_kind_holds_and_no_bit_of_it_can_change() {
    let cluster = cluster();
    for evidence in evidence(&cluster) {
        assert_eq!(evidence.verify(&cluster), Ok(()), "{}", evidence.fault.name());
        refuse_every_bit(&evidence, |evidence| evidence.verify(&cluster).is_ok());
    }
}

#[test]
fn evidence_against_nobody_or_for_another_cluster_is_refused() {
    let ours = cluster();
    for evidence in evidence(&ours) {
        let other = cluster_of([0, 1, 2, 4]);
        assert_eq!(evidence.verify(&other), Err(EvidenceError::Signature), "{}", evidence.fault.name());
        let mut honest = evidence.clone();
        honest.accused = NodeId(0);
        assert_eq!(honest.verify(&ours), Err(EvidenceError::Signature));
        let same = match evidence.fault.clone() {
            Fault::Votes { epoch, first, .. } => Fault::Votes { epoch, first: first.clone(), second: first },
            Fault::Attestation { claim, signature, certificate, .. } => {
                Fault::Attestation { claim, signature, certified: claim.output, certificate }
            }
            _ => continue,
        };
        let twice = Evidence { accused: evidence.accused, fault: same };
        assert_eq!(twice.verify(&ours), Err(EvidenceError::NoContradiction));
    }
}
