//! What a replica says once, only when it may, and only once it is durable.

use super::*;
use crate::crypto::Signatures;

/// The kinds of what is to be durable before it is said, each as often as it
/// was said with a `Persist` in front of it.
fn durable_before(replica: &mut Replica<'_>) -> Vec<Kind> {
    let mut durable = false;
    let mut kinds = Vec::new();
    for output in replica.said.drain(..) {
        match output {
            Output::Persist => durable = true,
            Output::Send { envelope, .. } if durable => kinds.push(envelope.message.kind()),
            _ => {}
        }
    }
    kinds
}

/// A certificate of `signers`, who are not asked.
fn certificate(signers: &[u8]) -> Map<NodeId, <C as Scheme>::Signature, N> {
    let mut certificate = Map::new();
    for node in signers {
        certificate.insert(NodeId(*node), C::sign(&NodeId(*node), &0)).unwrap();
    }
    certificate
}

#[test]
fn what_binds_a_replica_is_durable_before_it_is_said() {
    let cluster = cluster(4, 1, 0);
    let leader = cluster.leader(EPOCH, View(0)).0;
    let mut proposing = Replica::new(&cluster, leader);
    proposing.learns(7);
    assert_eq!(durable_before(&mut proposing), [Kind::Propose, Kind::Vote]);
    let mut replica = Replica::new(&cluster, (leader + 1) % 4);
    replica.learns(7);
    replica.hears(leader, propose(0, 7)).unwrap();
    assert_eq!(durable_before(&mut replica), [Kind::Vote]);
    for after in [0, 2] {
        replica.hears((leader + after) % 4, vote(0, 7)).unwrap();
    }
    assert_eq!(durable_before(&mut replica), [Kind::Commit]);
    replica.time_is_over(0).unwrap();
    assert_eq!(durable_before(&mut replica), [Kind::ViewChange]);
}

#[test]
fn what_justified_a_vote_is_written_down_and_reported_with_it() {
    let cluster = cluster(4, 1, 1);
    let leader = cluster.leader(EPOCH, View(1)).0;
    let progress = certificate(&[0, 2]);
    let mut replica = Replica::new(&cluster, (leader + 1) % 4);
    replica.learns(7);
    let ballot = Ballot { view: View(1), value: 7 };
    replica.hears(leader, AgreementMessage::Propose { ballot, progress: Some(progress.clone()) }).unwrap();
    let voted = replica.agreement.durable().voted.as_ref().expect("it was justified and is known");
    assert_eq!((voted.ballot, voted.progress.as_ref()), (ballot, Some(&progress)));
    replica.said();
    replica.time_is_over(1).unwrap();
    let shown = replica.said.drain(..).find_map(|output| match output {
        Output::Send { envelope, .. } => match envelope.message {
            Message::Agreement { message: AgreementMessage::ViewChange(change), .. } => change.voted,
            _ => None,
        },
        _ => None,
    });
    assert_eq!(shown.and_then(|proposal| proposal.progress), Some(progress));
}

#[test]
fn what_justifies_a_proposal_is_f_plus_one_answers_and_written_down() {
    let cluster = cluster(4, 1, 1);
    let leader = cluster.leader(EPOCH, View(1)).0;
    let [first, second] = [1, 2].map(|after| (leader + after) % 4);
    let mut asking = Replica::new(&cluster, leader);
    asking.learns(7);
    for from in [first, second] {
        asking.hears(from, left_for(1)).unwrap();
    }
    asking.hears(first, AgreementMessage::CertAck(Ballot { view: View(1), value: 7 })).unwrap();
    let proposed = asking.agreement.durable().proposed.as_ref().expect("with its own there are f + 1");
    let signers = proposed.progress.as_ref().map(Signatures::signers);
    assert_eq!(signers, Some([leader, first].map(NodeId).into_iter().collect()));
}

#[test]
fn a_leader_that_learns_another_value_makes_no_second_proposal() {
    let cluster = cluster(4, 1, 1);
    let mut replica = Replica::new(&cluster, cluster.leader(EPOCH, View(0)).0);
    replica.learns(7);
    assert_eq!(replica.said(), [Kind::Propose, Kind::Vote]);
    replica.learns(8);
    assert_eq!(replica.said(), []);
    let proposed = replica.agreement.durable().proposed.as_ref();
    assert_eq!(proposed.map(|proposal| proposal.ballot.value), Some(7));
}

#[test]
fn who_voted_in_its_own_view_neither_asks_nor_proposes_in_it() {
    let cluster = cluster(4, 1, 1);
    for view in [0, 1] {
        let leader = cluster.leader(EPOCH, View(view)).0;
        let durable = Durable { view: View(view), voted: Some(proposal(leader, view, 7)), ..Durable::fresh() };
        let mut replica = Replica::restarts(&cluster, leader, durable);
        replica.learns(7);
        for after in 1..4 {
            let _ = replica.hears((leader + after) % 4, left_for(view));
        }
        assert_eq!(replica.said(), [], "the leader of view {view}");
    }
}

#[test]
fn a_leader_that_learns_of_a_decision_does_not_ask_what_it_may_propose() {
    let cluster = cluster(4, 1, 1);
    let leader = cluster.leader(EPOCH, View(1)).0;
    let others = [1, 2, 3].map(|after| (leader + after) % 4);
    let mut replica = Replica::new(&cluster, leader);
    for from in others {
        replica.hears(from, vote(0, 7)).unwrap();
        replica.hears(from, left_for(1)).unwrap();
    }
    assert_eq!(replica.said(), [Kind::ViewChange], "it knows no value");
    replica.learns(7);
    assert!(replica.agreement.decision().is_some());
    assert_eq!(replica.said(), []);
}

#[test]
fn the_timer_of_view_0_starts_with_the_first_value_that_is_known() {
    let cluster = cluster(4, 1, 1);
    let mut replica = Replica::new(&cluster, 3);
    let timers = |replica: &mut Replica<'_>| {
        let set = replica.said.drain(..).filter(|output| {
            matches!(output, Output::SetTimer { timer: Timer::View { epoch: EPOCH, view: View(0) }, .. })
        });
        set.count()
    };
    replica.hears(0, vote(0, 7)).unwrap();
    assert_eq!(timers(&mut replica), 0, "nothing could be proposed");
    replica.learns(7);
    assert_eq!(timers(&mut replica), 1);
    replica.learns(8);
    assert_eq!(timers(&mut replica), 0);
}

#[test]
fn who_restarts_after_it_signed_in_a_view_has_no_report_for_it() {
    let cluster = cluster(4, 1, 0);
    let locked = |view| CommitCertificate { ballot: Ballot { view: View(view), value: 7 }, votes: Map::new() };
    for (voted, locks, reports) in [(0, 0, true), (1, 0, false), (0, 1, false), (1, 1, false)] {
        let durable = Durable {
            view: View(1),
            voted: Some(proposal(0, voted, 7)),
            locked: Some(locked(locks)),
            ..Durable::fresh()
        };
        let mut replica = Replica::restarts(&cluster, 3, durable);
        replica.repeats();
        assert_eq!(replica.said().contains(&Kind::ViewChange), reports, "voted in {voted}, locked in {locks}");
    }
}

#[test]
fn a_leader_stands_by_what_it_asks_for() {
    let cluster = cluster(7, 2, 1);
    let leader = cluster.leader(EPOCH, View(1)).0;
    let mut replica = Replica::new(&cluster, (leader + 1) % 7);
    (1..=4).for_each(|value| replica.learns(value));
    replica.time_is_over(0).unwrap();
    assert_eq!(replica.makes_room_for(6), None, "nobody stands by any");
    let mut request = CertRequest { ballot: Ballot { view: View(1), value: 6 }, reports: Map::new() };
    for node in 0..5 {
        request.reports.insert(NodeId(node), Report { voted: None, locked: None }).unwrap();
    }
    replica.hears(leader, AgreementMessage::CertRequest(request)).unwrap();
    assert_eq!(replica.makes_room_for(6), Some(1));
}
