//! External validity: a genuine payload is accepted, and each way in which it
//! could be something else is refused.

use super::*;
use crate::bounded::Map;
use crate::chain::Decided;
use crate::cluster::{Assignment, Model, Roster, Timing};
use crate::crypto::ideal::Ideal;
use crate::message::agreement::{Ballot, DecisionCertificate, Path};
use crate::message::inference::{Payload, Sampling, Tokens};
use crate::types::{ClientId, NodeId, Resilience, View};

type C = Ideal<8>;
const CLIENT: NodeId = NodeId(100);

fn cluster() -> Cluster<C, 8> {
    let roster = Roster {
        resilience: Resilience::new(7, 2, 1).unwrap(),
        members: (0..7).map(NodeId).collect(),
        clients: [CLIENT].into_iter().collect(),
        operators: [].into_iter().collect(),
        model: Model {
            manifest: [0; 32],
            stages: 3,
            context: 16,
            vocabulary: 96,
            signal: 8,
            tokens_per_epoch: 4,
            checkpoint_interval: 4,
        },
        assignment: Assignment::in_turn(7, 3).unwrap(),
    };
    Cluster::new(roster, Timing::default()).unwrap()
}

fn request(cluster: &Cluster<C, 8>, sequence: u64, prompt: &[u8], tokens: u16) -> SignedRequest<C> {
    let prompt = prompt.iter().copied().collect();
    let request = Request { client: ClientId(0), sequence, prompt, tokens, sampling: Sampling::Greedy };
    let signature = C::sign(&CLIENT, &request.statement(cluster));
    SignedRequest { request, signature }
}

/// What honest owners of every stage would certify of the next part.
fn work(cluster: &Cluster<C, 8>, run: &Run<C>, tokens: &[u8]) -> Work<C> {
    let tokens: Tokens = tokens.iter().copied().collect();
    let part = run.part(run.committed()).unwrap();
    let links: Links<C> = [
        run.input_link(cluster, &tokens, part.end).unwrap_or_default(),
        71,
        72,
        run.output_link(cluster, &tokens).unwrap_or_default(),
    ]
    .into_iter()
    .collect();
    let request = run.active.request.clone();
    let certificates = heapless::Vec::new();
    let mut work = Work { run: run.id, committed: part.committed, request, tokens, links, certificates };
    work.certificates = run
        .stages()
        .map(|stage| certificate(cluster, &work, stage, run.active.placement.owners(stage).iter()))
        .collect();
    work
}

fn certificate(
    cluster: &Cluster<C, 8>,
    work: &Work<C>,
    stage: Stage,
    signers: impl Iterator<Item = NodeId>,
) -> <C as Scheme>::WeakCertificate {
    let statement = work.claim(stage).unwrap().statement(cluster);
    let mut signatures = Map::new();
    for signer in signers {
        signatures.insert(signer, C::sign(&signer, &statement)).unwrap();
    }
    signatures
}

fn is_genuine(cluster: &Cluster<C, 8>, work: &Work<C>) -> bool {
    cluster.payload_is_genuine(&Payload::Work(work.clone()))
}

/// What becomes of work that `alter` changed, its signatures made anew.
fn outcome(alter: impl FnOnce(&Cluster<C, 8>, &Run<C>, &mut Work<C>)) -> Result<(), Rejection> {
    let cluster = cluster();
    let head = Head::Genesis;
    let run = Run::new(&cluster, &head, &request(&cluster, 1, &[1, 2, 3], 6)).unwrap();
    let mut work = work(&cluster, &run, &[9, 8, 7, 6]);
    alter(&cluster, &run, &mut work);
    run.validate(&cluster, &work)
}

/// The chain after `work`, which must be valid.
fn decided(cluster: &Cluster<C, 8>, head: &Head<C>, run: &Run<C>, work: &Work<C>) -> Head<C> {
    run.validate(cluster, work).unwrap();
    let (header, state) = run.successor(cluster, head, work);
    let ballot = Ballot { view: View(0), value: header.value(cluster) };
    let certificate = DecisionCertificate { path: Path::Fast, ballot, signatures: Map::new() };
    Head::Decided(Decided { header, certificate, state })
}

#[test]
fn genuine_work_becomes_the_next_state() {
    let cluster = cluster();
    let asked = request(&cluster, 1, &[1, 2, 3], 6);
    let run = Run::new(&cluster, &Head::Genesis, &asked).unwrap();
    assert_eq!((run.first(), run.end()), (Position(0), Position(8)));
    assert_eq!(run.part(0), Some(Part { committed: 0, end: Position(6), tokens: 4 }));
    assert_eq!(run.part(4), Some(Part { committed: 4, end: Position(8), tokens: 2 }));
    assert_eq!(run.part(6), None);
    let first = work(&cluster, &run, &[9, 8, 7, 6]);
    assert!(is_genuine(&cluster, &first));
    let head = decided(&cluster, &Head::Genesis, &run, &first);
    assert_eq!(head.state().active.unwrap().output, [9, 8, 7, 6]);
    // The second epoch begins with the last token of the first and adds the two that are left.
    let run = Run::new(&cluster, &head, &asked).unwrap();
    assert_eq!((run.first(), run.committed()), (Position(6), 4));
    assert_eq!(run.token_at(Position(6), &[]), Some(6));
    assert_eq!((run.token_at(Position(7), &[]), run.token_at(Position(7), &[5])), (None, Some(5)));
    let last = decided(&cluster, &head, &run, &work(&cluster, &run, &[5, 4])).state();
    assert_eq!(last.active, None);
    assert_eq!(last.finished.get(&ClientId(0)), Some(&1));
    let other = request(&cluster, 2, &[1], 1);
    assert_eq!(Run::new(&cluster, &head, &other), Err(Refused::Busy));
}

#[test]
fn checkpoints_are_taken_after_the_interval_and_the_newest_ten_are_kept() {
    let mut cluster = cluster();
    let mut roster = cluster.roster().clone();
    roster.model = Model { context: 256, tokens_per_epoch: 3, checkpoint_interval: 5, ..roster.model };
    cluster = Cluster::new(roster, Timing::default()).unwrap();
    let asked = request(&cluster, 1, &[1, 2, 3], 90);
    let mut head = Head::Genesis;
    let mut taken = std::vec::Vec::new();
    for _ in 0..29 {
        let run = Run::new(&cluster, &head, &asked).unwrap();
        head = decided(&cluster, &head, &run, &work(&cluster, &run, &[9, 8, 7]));
        let active = head.state().active.unwrap();
        let newest = active.checkpoints.last().copied();
        if newest.is_some_and(|newest| newest.position == active.position()) {
            taken.push(newest.unwrap());
        }
    }
    // Boundaries lie at 2 + 3e positions: the first at or after every fifth.
    let positions: std::vec::Vec<u16> = taken.iter().map(|checkpoint| checkpoint.position.0).collect();
    assert_eq!(positions[..4], [5, 11, 17, 23]);
    let active = head.state().active.unwrap();
    assert_eq!(active.checkpoints, taken[taken.len() - 10..], "ten of {}", taken.len());
    let oldest = active.checkpoints[0].position;
    assert_eq!(active.checkpoint(oldest), Some(&active.checkpoints[0]));
    assert_eq!(active.checkpoint(Position(oldest.0 + 1)), Some(&active.checkpoints[0]));
    assert_eq!(active.checkpoint(Position(oldest.0 - 1)), None);
    assert_eq!(active.checkpoint(Position(255)), active.checkpoints.last());
}

#[test]
fn requests_that_do_not_fit_are_refused() {
    let cluster = cluster();
    let refused = |sequence, prompt: &[u8], tokens| {
        Run::new(&cluster, &Head::Genesis, &request(&cluster, sequence, prompt, tokens)).map(|_| ())
    };
    assert_eq!(refused(1, &[1, 2], 14), Ok(()));
    assert_eq!(refused(1, &[1, 2], 15), Err(Refused::Shape), "context");
    assert_eq!(refused(1, &[], 1), Err(Refused::Shape), "prompt");
    assert_eq!(refused(1, &[1], 0), Err(Refused::Shape), "tokens");
    assert_eq!(refused(1, &[96], 1), Err(Refused::Shape), "vocabulary");
    assert_eq!(refused(2, &[1], 1), Err(Refused::Sequence));
    assert_eq!(refused(0, &[1], 1), Err(Refused::Finished));
}

#[test]
fn anything_else_than_the_next_part_of_the_run_is_refused() {
    assert_eq!(outcome(|_, _, _| {}), Ok(()));
    assert_eq!(outcome(|_, _, work| work.run.plan ^= 1), Err(Rejection::OtherRun));
    assert_eq!(outcome(|_, _, work| work.committed += 4), Err(Rejection::OtherRun));
    assert_eq!(outcome(|_, _, work| work.request.request.tokens = 5), Err(Rejection::OtherRun));
    let wrong_tokens =
        |tokens: &'static [u8]| outcome(move |cluster, run, altered| *altered = work(cluster, run, tokens));
    assert_eq!(wrong_tokens(&[9, 8, 7]), Err(Rejection::Invalid), "too few");
    assert_eq!(wrong_tokens(&[9, 8, 7, 6, 5]), Err(Rejection::Invalid), "too many");
    assert_eq!(wrong_tokens(&[9, 8, 7, 96]), Err(Rejection::Invalid), "outside the vocabulary");
    for link in [0, 3] {
        let other = outcome(|_, _, work| work.links[link] ^= 1);
        assert_eq!(other, Err(Rejection::Invalid), "link {link} is not the tokens'");
    }
    assert_eq!(outcome(|_, _, work| work.links.retain(|link| *link != 71)), Err(Rejection::Invalid));
    assert_eq!(outcome(|_, _, work| work.certificates.truncate(2)), Err(Rejection::Invalid));
}

#[test]
fn certificates_are_by_members_assigned_to_the_stage() {
    let stranger = outcome(|cluster, run, work| {
        let stage = Stage(1);
        let placement = &run.active.placement;
        let outside = cluster.members().difference(placement.set(stage)).iter().next().unwrap();
        let signers = placement.owners(stage).iter().skip(1).chain([outside]);
        let forged = certificate(cluster, work, stage, signers);
        work.certificates[1] = forged;
        assert!(is_genuine(cluster, work), "the signatures themselves are good");
    });
    assert_eq!(stranger, Err(Rejection::Unauthorised));
}

#[test]
fn certificates_of_the_wrong_size_or_statement_are_not_genuine() {
    let cluster = cluster();
    let run = Run::new(&cluster, &Head::Genesis, &request(&cluster, 1, &[1, 2, 3], 6)).unwrap();
    let genuine = work(&cluster, &run, &[9, 8, 7, 6]);
    let assigned = |count| run.active.placement.assigned(Stage(0)).take(count);
    for count in [0, 1, 2, 4, 5] {
        let mut altered = genuine.clone();
        altered.certificates[0] = certificate(&cluster, &genuine, Stage(0), assigned(count));
        assert!(!is_genuine(&cluster, &altered), "{count} signatures");
    }
    let mut swapped = genuine.clone();
    swapped.certificates.swap(0, 1);
    assert!(!is_genuine(&cluster, &swapped));
    let mut altered = genuine;
    altered.links[1] ^= 1;
    assert!(!is_genuine(&cluster, &altered), "the link between two stages is in both their claims");
}
