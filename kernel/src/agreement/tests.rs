//! Rules of agreement that whole runs do not single out, one replica at a time.

mod contradictions;
mod guards;
mod once;

use std::vec::Vec;

use super::*;
use crate::cluster::{Assignment, Cluster, Model, Roster, Timing};
use crate::crypto::ideal::Ideal;
use crate::message::Kind;
use crate::message::agreement::Report;
use crate::types::Resilience;

type C = Ideal<8>;
const N: usize = 8;
const EPOCH: Epoch = Epoch(4);

fn cluster(n: u8, f: usize, p: usize) -> Cluster<C, N> {
    let roster = Roster {
        resilience: Resilience::new(usize::from(n), f, p).unwrap(),
        members: (0..n).map(NodeId).collect(),
        clients: [NodeId(100)].into_iter().collect(),
        operators: [].into_iter().collect(),
        model: Model {
            manifest: [0; 32],
            stages: 1,
            context: 8,
            vocabulary: 2,
            signal: 1,
            tokens_per_epoch: 1,
            checkpoint_interval: 10,
        },
        assignment: Assignment::in_turn(usize::from(n), 1).unwrap(),
    };
    Cluster::new(roster, Timing::default()).unwrap()
}

/// One replica and what it said.
struct Replica<'c> {
    cluster: &'c Cluster<C, N>,
    me: NodeId,
    agreement: Agreement<C, N>,
    said: Vec<Output<C, N>>,
}

impl<'c> Replica<'c> {
    fn new(cluster: &'c Cluster<C, N>, me: u8) -> Replica<'c> {
        Replica::restarts(cluster, me, Durable::fresh())
    }

    fn restarts(cluster: &'c Cluster<C, N>, me: u8, durable: Durable<C>) -> Replica<'c> {
        let me = NodeId(me);
        let agreement = Agreement::new(&Seat { cluster, me, key: &me }, EPOCH, durable, 0);
        Replica { cluster, me, agreement, said: Vec::new() }
    }

    fn hears(&mut self, from: u8, message: AgreementMessage<C, N>) -> Result<(), Rejection> {
        let from = NodeId(from);
        let signature = C::sign(&from, &message.statement(self.cluster, EPOCH));
        let seat = Seat { cluster: self.cluster, me: self.me, key: &self.me };
        let wanted = self.agreement.horizon().wants(self.cluster, from, &message);
        let said = &mut self.said;
        let before = said.len();
        let outcome = self.agreement.receive(&seat, from, message, signature, &mut |output| said.push(output));
        if wanted.is_err() {
            assert_eq!((wanted, before), (outcome, said.len()), "its horizon would have spared it what matters");
        }
        outcome
    }

    fn learns(&mut self, value: u64) {
        let seat = Seat { cluster: self.cluster, me: self.me, key: &self.me };
        let said = &mut self.said;
        self.agreement.learn(&seat, value, &mut |output| said.push(output)).unwrap();
    }

    fn time_is_over(&mut self, view: u32) -> Result<(), Rejection> {
        let seat = Seat { cluster: self.cluster, me: self.me, key: &self.me };
        let said = &mut self.said;
        self.agreement.time_out(&seat, View(view), &mut |output| said.push(output))
    }

    fn repeats(&mut self) {
        let seat = Seat { cluster: self.cluster, me: self.me, key: &self.me };
        let said = &mut self.said;
        self.agreement.retransmit(&seat, &mut |output| said.push(output));
    }

    fn makes_room_for(&mut self, value: u64) -> Option<u64> {
        let seat = Seat { cluster: self.cluster, me: self.me, key: &self.me };
        self.agreement.forget_for(&seat, &value)
    }

    /// The view change that it said last.
    fn reported(&mut self) -> Report<C> {
        let sent = self.said.drain(..).rev().find_map(|output| match output {
            Output::Send { envelope, .. } => match envelope.message {
                Message::Agreement { message: AgreementMessage::ViewChange(change), .. } => Some(change.report()),
                _ => None,
            },
            _ => None,
        });
        sent.expect("it left its view")
    }

    /// What it said since the last time it was asked.
    fn said(&mut self) -> Vec<Kind> {
        let sent = self.said.drain(..).filter_map(|output| match output {
            Output::Send { envelope, .. } => Some(envelope.message.kind()),
            _ => None,
        });
        sent.collect()
    }
}

/// A vote or a lock of view 0, as it was made durable.
fn proposal(leader: u8, view: u32, value: u64) -> Proposal<C> {
    let ballot = Ballot { view: View(view), value };
    Proposal { ballot, signature: C::sign(&NodeId(leader), &value), progress: None }
}

fn propose(view: u32, value: u64) -> AgreementMessage<C, N> {
    AgreementMessage::Propose { ballot: Ballot { view: View(view), value }, progress: None }
}

fn vote(view: u32, value: u64) -> AgreementMessage<C, N> {
    AgreementMessage::Vote(Ballot { view: View(view), value })
}

fn left_for(view: u32) -> AgreementMessage<C, N> {
    AgreementMessage::ViewChange(ViewChange { view: View(view), voted: None, locked: None })
}

#[test]
fn a_replica_joins_the_highest_view_that_f_plus_one_have_reached() {
    let cluster = cluster(7, 2, 1);
    let mut replica = Replica::new(&cluster, 6);
    replica.hears(0, left_for(9)).unwrap();
    replica.hears(1, left_for(5)).unwrap();
    assert_eq!(replica.agreement.view(), View(0), "two may both be faulty");
    replica.hears(2, left_for(3)).unwrap();
    assert_eq!(replica.agreement.view(), View(3));
    replica.hears(3, left_for(7)).unwrap();
    assert_eq!(replica.agreement.view(), View(5));
    assert_eq!(replica.said(), [Kind::ViewChange; 2]);
}

#[test]
fn the_timer_of_a_later_view_waits_for_n_minus_f() {
    let cluster = cluster(4, 1, 1);
    let mut replica = Replica::new(&cluster, 3);
    let timer = |replica: &Replica<'_>| {
        replica
            .said
            .iter()
            .any(|output| matches!(output, Output::SetTimer { timer: Timer::View { view: View(2), .. }, .. }))
    };
    replica.hears(0, left_for(2)).unwrap();
    replica.hears(1, left_for(2)).unwrap();
    assert_eq!(replica.agreement.view(), View(2));
    assert!(timer(&replica), "with its own there are three");
    let mut replica = Replica::new(&cluster, 3);
    replica.learns(1);
    let seat = Seat { cluster: &cluster, me: replica.me, key: &replica.me };
    let said = &mut replica.said;
    replica.agreement.time_out(&seat, View(0), &mut |output| said.push(output)).unwrap();
    replica.agreement.time_out(&seat, View(1), &mut |output| said.push(output)).unwrap();
    assert!(!timer(&replica), "alone in view 2");
    replica.hears(0, left_for(2)).unwrap();
    replica.hears(1, left_for(4)).unwrap();
    assert!(timer(&replica), "three are in view 2 or beyond");
}

#[test]
fn nothing_is_voted_for_before_it_is_known() {
    let cluster = cluster(4, 1, 1);
    let leader = cluster.leader(EPOCH, View(0)).0;
    let mut replica = Replica::new(&cluster, (leader + 1) % 4);
    let propose = AgreementMessage::Propose { ballot: Ballot { view: View(0), value: 7 }, progress: None };
    replica.hears(leader, propose).unwrap();
    assert_eq!(replica.said(), []);
    assert_eq!(replica.agreement.missing().next(), Some(7));
    replica.learns(7);
    assert_eq!(replica.said(), [Kind::Vote]);
    let me = replica.me.0;
    for voter in (0..4).filter(|voter| *voter != me).take(2) {
        replica.hears(voter, vote(0, 7)).unwrap();
    }
    assert_eq!(replica.agreement.decision().map(|decision| decision.ballot.value), Some(7));
}

#[test]
fn a_quorum_for_an_unknown_value_decides_once_it_is_known() {
    let cluster = cluster(4, 1, 1);
    let mut replica = Replica::new(&cluster, 3);
    for voter in 0..3 {
        replica.hears(voter, vote(0, 7)).unwrap();
    }
    assert!(replica.agreement.decision().is_none());
    replica.learns(7);
    assert!(replica.agreement.decision().is_some());
    assert_eq!(replica.hears(0, vote(1, 7)), Err(Rejection::Stale));
}

#[test]
fn votes_are_kept_two_views_ahead_and_one_behind() {
    let cluster = cluster(4, 1, 1);
    let mut replica = Replica::new(&cluster, 3);
    assert_eq!(replica.hears(0, vote(2, 1)), Ok(()));
    assert!(matches!(replica.hears(0, vote(3, 1)), Err(Rejection::Early(_))));
    replica.hears(0, left_for(2)).unwrap();
    replica.hears(1, left_for(2)).unwrap();
    assert_eq!(replica.hears(1, vote(1, 1)), Ok(()), "still counts for deciding");
    assert_eq!(replica.hears(1, vote(0, 1)), Err(Rejection::Stale));
    assert_eq!(replica.hears(0, vote(2, 1)), Err(Rejection::Duplicate));
}

#[test]
fn only_the_leader_proposes_and_asks() {
    let cluster = cluster(4, 1, 1);
    let mut replica = Replica::new(&cluster, 3);
    let leader = cluster.leader(EPOCH, View(0)).0;
    let propose = AgreementMessage::Propose { ballot: Ballot { view: View(0), value: 7 }, progress: None };
    assert_eq!(replica.hears((leader + 1) % 3, propose), Err(Rejection::Unauthorised));
    let ballot = Ballot { view: View(1), value: 7 };
    let request = CertRequest { ballot, reports: Map::new() };
    let other = (cluster.leader(EPOCH, View(1)).0 + 1) % 4;
    let outcome = replica.hears(other, AgreementMessage::CertRequest(request));
    assert_eq!(outcome, Err(Rejection::Unauthorised));
    assert_eq!(replica.hears(1, AgreementMessage::Commit(ballot)), Err(Rejection::Invalid), "p = f has no slow path");
}

#[test]
fn a_question_about_fewer_reports_than_n_minus_f_is_refused() {
    let cluster = cluster(4, 1, 1);
    let leader = cluster.leader(EPOCH, View(1)).0;
    let mut replica = Replica::new(&cluster, (leader + 1) % 4);
    replica.learns(7);
    for other in [leader, (leader + 2) % 4, (leader + 3) % 4] {
        replica.hears(other, left_for(1)).unwrap();
    }
    assert_eq!(replica.agreement.view(), View(1));
    replica.said();
    let ask = |named: u8| {
        let mut request = CertRequest { ballot: Ballot { view: View(1), value: 7 }, reports: Map::new() };
        for node in 0..named {
            request.reports.insert(NodeId(node), Report { voted: None, locked: None }).unwrap();
        }
        AgreementMessage::CertRequest(request)
    };
    assert_eq!(replica.hears(leader, ask(2)), Err(Rejection::Invalid));
    assert_eq!(replica.said(), []);
    replica.hears(leader, ask(3)).unwrap();
    assert_eq!(replica.said(), [Kind::CertAck]);
}

#[test]
fn a_leader_that_deceived_half_is_proven_faulty_after_the_view_failed() {
    let cluster = cluster(4, 1, 1);
    let leader = cluster.leader(EPOCH, View(0)).0;
    let propose = |value| AgreementMessage::Propose { ballot: Ballot { view: View(0), value }, progress: None };
    let mut voter = Replica::new(&cluster, (leader + 1) % 4);
    voter.learns(7);
    voter.hears(leader, propose(7)).unwrap();
    let mut deceived = Replica::new(&cluster, (leader + 2) % 4);
    deceived.hears(leader, propose(8)).unwrap();
    for other in [leader, (leader + 3) % 4] {
        voter.hears(other, left_for(1)).unwrap();
        deceived.hears(other, left_for(1)).unwrap();
    }
    assert_eq!((voter.agreement.view(), deceived.agreement.view()), (View(1), View(1)));
    assert_eq!(deceived.said(), [Kind::Propose, Kind::ViewChange], "it shows what it could not vote for");
    assert_eq!(voter.hears(leader, propose(7)), Err(Rejection::Stale));
    voter.hears(leader, propose(8)).unwrap();
    let evidence = voter.said.drain(..).find_map(|output| match output {
        Output::Evidence(evidence) => Some(evidence),
        _ => None,
    });
    let evidence = evidence.expect("it voted for another proposal of that view");
    assert_eq!((evidence.accused, evidence.verify(&cluster)), (NodeId(leader), Ok(())));
}

#[test]
fn what_a_view_change_proves_is_said_once_and_a_duplicate_says_nothing() {
    let cluster = cluster(4, 1, 1);
    let leader = cluster.leader(EPOCH, View(0)).0;
    let [first, second] = [7, 8].map(|value| Ballot { view: View(0), value });
    let propose = |ballot| AgreementMessage::Propose { ballot, progress: None };
    let reports = |view: u32, ballot: Ballot<C>| {
        let statement = propose(ballot).statement(&cluster, EPOCH);
        let voted = Some(Proposal { ballot, signature: C::sign(&NodeId(leader), &statement), progress: None });
        AgreementMessage::ViewChange(ViewChange { view: View(view), voted, locked: None })
    };
    let (reporter, witness) = ((leader + 1) % 4, (leader + 2) % 4);
    let proofs = |replica: &mut Replica<'_>| {
        let said = replica.said.drain(..).filter_map(|output| match output {
            Output::Evidence(evidence) => Some((evidence.accused, evidence.verify(&cluster))),
            _ => None,
        });
        said.collect::<Vec<_>>()
    };
    let proven = [(NodeId(leader), Ok(()))];
    // The proposal came first, then the report of another one.
    let mut replica = Replica::new(&cluster, witness);
    replica.hears(leader, propose(first)).unwrap();
    replica.hears(reporter, reports(1, second)).unwrap();
    assert_eq!(proofs(&mut replica), proven);
    assert_eq!(replica.hears(reporter, reports(1, second)), Err(Rejection::Duplicate));
    assert_eq!(proofs(&mut replica), []);
    // The report came first.
    let mut replica = Replica::new(&cluster, witness);
    replica.hears(reporter, reports(1, second)).unwrap();
    assert_eq!(proofs(&mut replica), []);
    replica.hears(leader, propose(first)).unwrap();
    assert_eq!(proofs(&mut replica), proven);
}

#[test]
fn a_new_epoch_remembers_nothing_of_the_one_before() {
    let cluster = cluster(7, 2, 1);
    let begins_anew = |mut replica: Replica<'_>| {
        let seat = Seat { cluster: &cluster, me: replica.me, key: &replica.me };
        let fresh = Agreement::new(&seat, EPOCH.next(), Durable::fresh(), 2);
        replica.agreement.begin(EPOCH.next(), 2);
        assert_eq!(replica.agreement, fresh);
    };
    // The leader of view 1 asks, and acknowledges its own question.
    let leader = cluster.leader(EPOCH, View(1)).0;
    let mut asking = Replica::new(&cluster, leader);
    asking.learns(7);
    for other in 1..5 {
        asking.hears((leader + other) % 7, left_for(1)).unwrap();
    }
    assert!(asking.agreement.question.is_some() && !asking.agreement.acks.is_empty() && asking.agreement.timed);
    begins_anew(asking);
    // Its leader deceived it, but the others decide.
    let leader = cluster.leader(EPOCH, View(0)).0;
    let mut deceived = Replica::new(&cluster, (leader + 6) % 7);
    let propose = AgreementMessage::Propose { ballot: Ballot { view: View(0), value: 8 }, progress: None };
    deceived.hears(leader, propose).unwrap();
    deceived.learns(7);
    deceived.hears(leader, AgreementMessage::Commit(Ballot { view: View(0), value: 7 })).unwrap();
    for other in 0..6 {
        deceived.hears((leader + other) % 7, vote(0, 7)).unwrap();
    }
    assert!(deceived.agreement.denounced && deceived.agreement.decision.is_some());
    assert!(deceived.agreement.durable.locked.is_some() && !deceived.agreement.commits.is_empty());
    begins_anew(deceived);
}
