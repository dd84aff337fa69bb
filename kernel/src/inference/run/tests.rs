//! External validity: a genuine payload is accepted, and each way in which it
//! could be something else is refused.

use super::*;
use crate::cluster::{Model, Roster, Timing};
use crate::crypto::ideal::Ideal;
use crate::message::inference::Sampling;
use crate::types::{ClientId, NodeId, Resilience};

type C = Ideal<8>;
const CLIENT: NodeId = NodeId(100);

fn cluster() -> Cluster<C, 8> {
    let roster = Roster {
        resilience: Resilience::new(7, 2, 1).unwrap(),
        members: (0..7).map(NodeId).collect(),
        clients: [CLIENT].into_iter().collect(),
        model: Model { manifest: [0; 32], stages: 3, context: 16, vocabulary: 96, signal: 8, tokens_per_epoch: 4 },
    };
    Cluster::new(roster, Timing::default()).unwrap()
}

fn request(cluster: &Cluster<C, 8>, sequence: u64, prompt: &[u8], tokens: u16) -> SignedRequest<C> {
    let prompt = prompt.iter().copied().collect();
    let request = Request { client: ClientId(0), sequence, prompt, tokens, sampling: Sampling::Greedy };
    let signature = C::sign(&CLIENT, &cluster.statement(Tag::Request, &request));
    SignedRequest { request, signature }
}

/// What honest owners of every stage would certify.
fn payload(cluster: &Cluster<C, 8>, job: &Job<C>, tokens: &[u8]) -> Payload<C> {
    let tokens: Tokens = tokens.iter().copied().collect();
    let links: Links<C> = [
        job.input_link(cluster, &tokens).unwrap_or_default(),
        71,
        72,
        job.output_link(cluster, &tokens).unwrap_or_default(),
    ]
    .into_iter()
    .collect();
    let request = job.active.request.clone();
    let certificates = heapless::Vec::new();
    let mut payload = Payload { epoch: job.epoch, job: job.id, request, tokens, links, certificates };
    payload.certificates =
        job.stages().map(|stage| certificate(cluster, &payload, stage, job.placement.owners(stage).iter())).collect();
    payload
}

fn certificate(
    cluster: &Cluster<C, 8>,
    payload: &Payload<C>,
    stage: Stage,
    signers: impl Iterator<Item = NodeId>,
) -> <C as Scheme>::Signatures {
    let statement = payload.claim(stage).unwrap().statement(cluster);
    let mut signatures = crate::bounded::Map::new();
    for signer in signers {
        signatures.insert(signer, C::sign(&signer, &statement)).unwrap();
    }
    signatures
}

/// What becomes of a payload that `alter` changed, its signatures made anew.
fn outcome(alter: impl FnOnce(&Cluster<C, 8>, &Job<C>, &mut Payload<C>)) -> Result<(), Rejection> {
    let cluster = cluster();
    let head = Head::Genesis;
    let job = Job::new(&cluster, &head, &request(&cluster, 1, &[1, 2, 3], 6)).unwrap();
    let mut payload = payload(&cluster, &job, &[9, 8, 7, 6]);
    alter(&cluster, &job, &mut payload);
    job.validate(&cluster, &head, payload).map(|_| ())
}

#[test]
fn a_genuine_payload_becomes_the_next_state() {
    let cluster = cluster();
    let asked = request(&cluster, 1, &[1, 2, 3], 6);
    let job = Job::new(&cluster, &Head::Genesis, &asked).unwrap();
    assert_eq!((job.first, job.end, job.tokens), (Position(0), Position(6), 4));
    let first = payload(&cluster, &job, &[9, 8, 7, 6]);
    assert!(cluster.payload_is_genuine(&first));
    let (value, candidate) = job.validate(&cluster, &Head::Genesis, first).unwrap();
    assert_eq!(value, candidate.header.value(&cluster));
    let active = candidate.state.active.as_ref().unwrap();
    assert_eq!(active.output, [9, 8, 7, 6]);
    let certificate = crate::message::agreement::DecisionCertificate {
        path: crate::message::agreement::Path::Fast,
        ballot: crate::message::agreement::Ballot { view: crate::types::View(0), value },
        signatures: crate::bounded::Map::new(),
    };
    let decided = crate::chain::Decided { header: candidate.header, certificate, state: candidate.state };
    let head = Head::Decided(decided);
    // The second epoch begins with the last token of the first and adds the two that are left.
    let job = Job::new(&cluster, &head, &asked).unwrap();
    assert_eq!((job.first, job.end, job.tokens), (Position(6), Position(8), 2));
    assert_eq!(job.token_at(Position(6), &Tokens::new()), Some(6));
    let (_, candidate) = job.validate(&cluster, &head, payload(&cluster, &job, &[5, 4])).unwrap();
    assert_eq!(candidate.state.active, None);
    assert_eq!(candidate.state.finished.get(&ClientId(0)), Some(&1));
    let other = request(&cluster, 2, &[1], 1);
    assert_eq!(Job::new(&cluster, &head, &other), Err(Refused::Busy));
}

#[test]
fn requests_that_do_not_fit_are_refused() {
    let cluster = cluster();
    let refused = |sequence, prompt: &[u8], tokens| {
        Job::new(&cluster, &Head::Genesis, &request(&cluster, sequence, prompt, tokens)).map(|_| ())
    };
    assert_eq!(refused(1, &[1, 2], 14), Ok(()));
    assert_eq!(refused(1, &[1, 2], 15), Err(Refused::Shape), "context");
    assert_eq!(refused(1, &[], 1), Err(Refused::Shape), "prompt");
    assert_eq!(refused(1, &[1], 0), Err(Refused::Shape), "tokens");
    assert_eq!(refused(1, &[96], 1), Err(Refused::Shape), "vocabulary");
    assert_eq!(refused(2, &[1], 1), Err(Refused::Sequence));
    assert_eq!(refused(0, &[1], 1), Err(Refused::Sequence));
}

#[test]
fn anything_else_than_a_result_of_the_job_is_refused() {
    assert_eq!(outcome(|_, _, _| {}), Ok(()));
    assert_eq!(outcome(|_, _, payload| payload.job ^= 1), Err(Rejection::OtherRun));
    assert_eq!(outcome(|_, _, payload| payload.epoch = payload.epoch.next()), Err(Rejection::OtherRun));
    assert_eq!(outcome(|_, _, payload| payload.request.request.tokens = 5), Err(Rejection::OtherRun));
    let wrong_tokens =
        |tokens: &'static [u8]| outcome(move |cluster, job, altered| *altered = payload(cluster, job, tokens));
    assert_eq!(wrong_tokens(&[9, 8, 7]), Err(Rejection::Invalid), "too few");
    assert_eq!(wrong_tokens(&[9, 8, 7, 6, 5]), Err(Rejection::Invalid), "too many");
    assert_eq!(wrong_tokens(&[9, 8, 7, 96]), Err(Rejection::Invalid), "outside the vocabulary");
    for link in [0, 3] {
        let other = outcome(|_, _, payload| payload.links[link] ^= 1);
        assert_eq!(other, Err(Rejection::Invalid), "link {link} is not the tokens'");
    }
    assert_eq!(outcome(|_, _, payload| payload.links.retain(|link| *link != 71)), Err(Rejection::Invalid));
    assert_eq!(outcome(|_, _, payload| payload.certificates.truncate(2)), Err(Rejection::Invalid));
}

#[test]
fn certificates_are_by_members_assigned_to_the_stage() {
    let stranger = outcome(|cluster, job, payload| {
        let stage = Stage(1);
        let outside = cluster.members().iter().find(|node| !job.placement.set(stage).contains(*node)).unwrap();
        let signers = job.placement.owners(stage).iter().skip(1).chain([outside]);
        let forged = certificate(cluster, payload, stage, signers);
        payload.certificates[1] = forged;
        assert!(cluster.payload_is_genuine(payload), "the signatures themselves are good");
    });
    assert_eq!(stranger, Err(Rejection::Unauthorised));
}

#[test]
fn certificates_of_the_wrong_size_or_statement_are_not_genuine() {
    let cluster = cluster();
    let job = Job::new(&cluster, &Head::Genesis, &request(&cluster, 1, &[1, 2, 3], 6)).unwrap();
    let genuine = payload(&cluster, &job, &[9, 8, 7, 6]);
    let assigned = |count| job.placement.assigned(Stage(0)).take(count);
    for count in [0, 1, 2, 4, 5] {
        let mut altered = genuine.clone();
        altered.certificates[0] = certificate(&cluster, &genuine, Stage(0), assigned(count));
        assert!(!cluster.payload_is_genuine(&altered), "{count} signatures");
    }
    let mut swapped = genuine.clone();
    swapped.certificates.swap(0, 1);
    assert!(!cluster.payload_is_genuine(&swapped));
    let mut altered = genuine;
    altered.links[1] ^= 1;
    assert!(!cluster.payload_is_genuine(&altered), "the link between two stages is in both their claims");
}
