//! What contradicts itself, cannot be, or comes too late or too early: what
//! becomes of it, and what it proves.

use super::*;
use crate::crypto::Signatures;
use crate::machine::Place;

/// For a value in a view.
type Says = fn(u32, u64) -> AgreementMessage<C, N>;

fn commit(view: u32, value: u64) -> AgreementMessage<C, N> {
    AgreementMessage::Commit(Ballot { view: View(view), value })
}

fn change(view: u32, voted: Option<Proposal<C>>) -> AgreementMessage<C, N> {
    AgreementMessage::ViewChange(ViewChange { view: View(view), voted, locked: None })
}

/// A question about `value` that names `reporters`, none of whom voted.
fn ask(view: u32, value: u64, reporters: &[u8]) -> AgreementMessage<C, N> {
    let mut request = CertRequest { ballot: Ballot { view: View(view), value }, reports: Map::new() };
    for node in reporters {
        request.reports.insert(NodeId(*node), Report { voted: None, locked: None }).unwrap();
    }
    AgreementMessage::CertRequest(request)
}

/// Who is proven faulty by what `replica` put out since the last time.
fn proven(replica: &mut Replica<'_>) -> Vec<NodeId> {
    let cluster = replica.cluster;
    let evidence = replica.said.drain(..).filter_map(|output| match output {
        Output::Evidence(evidence) => Some(evidence),
        _ => None,
    });
    evidence.inspect(|evidence| assert_eq!(evidence.verify(cluster), Ok(()))).map(|evidence| evidence.accused).collect()
}

#[test]
fn who_signs_for_two_values_in_a_view_is_proven_faulty_and_the_first_stands() {
    let cluster = cluster(4, 1, 0);
    let leader = cluster.leader(EPOCH, View(0)).0;
    let other = (leader + 1) % 4;
    let signs: [(u8, Says); 3] = [(leader, propose), (other, vote), (other, commit)];
    for (from, says) in signs {
        let mut replica = Replica::new(&cluster, (leader + 2) % 4);
        replica.hears(from, says(0, 7)).unwrap();
        assert_eq!(replica.hears(from, says(0, 7)), Err(Rejection::Duplicate));
        assert_eq!(proven(&mut replica), []);
        for _ in 0..2 {
            replica.hears(from, says(0, 8)).unwrap();
            assert_eq!(proven(&mut replica), [NodeId(from)]);
        }
        assert_eq!(replica.hears(from, says(0, 7)), Err(Rejection::Duplicate));
    }
}

#[test]
fn a_second_proposal_of_a_view_wins_no_vote() {
    let cluster = cluster(4, 1, 1);
    let leader = cluster.leader(EPOCH, View(0)).0;
    let mut replica = Replica::new(&cluster, (leader + 1) % 4);
    replica.hears(leader, propose(0, 7)).unwrap();
    replica.hears(leader, propose(0, 8)).unwrap();
    replica.learns(8);
    assert_eq!(replica.said(), [], "the first one counts, and is not known");
    replica.learns(7);
    assert_eq!(replica.said(), [Kind::Vote]);
    replica.hears(leader, propose(0, 8)).unwrap();
    assert_eq!(replica.said(), [], "once in a view");
}

#[test]
fn nobody_leaves_for_a_view_in_which_it_signed_or_in_the_name_of_another() {
    let cluster = cluster(4, 1, 0);
    let locked = |view| CommitCertificate { ballot: Ballot { view: View(view), value: 7 }, votes: Map::new() };
    let mut replica = Replica::new(&cluster, 3);
    for view in 1..3 {
        assert_eq!(replica.hears(1, change(1, Some(proposal(0, view, 7)))), Err(Rejection::Invalid));
        let change = ViewChange { view: View(1), voted: None, locked: Some(locked(view)) };
        assert_eq!(replica.hears(1, AgreementMessage::ViewChange(change)), Err(Rejection::Invalid));
    }
    assert_eq!(replica.hears(1, left_for(0)), Err(Rejection::Invalid));
    assert_eq!(replica.hears(3, left_for(1)), Err(Rejection::Invalid), "its own, from outside");
    assert_eq!(replica.hears(1, change(1, Some(proposal(0, 0, 7)))), Ok(()));
}

#[test]
fn who_is_further_on_is_not_taken_back_but_to_what_a_question_names() {
    let cluster = cluster(4, 1, 1);
    let leader = cluster.leader(EPOCH, View(1)).0;
    let [me, ahead, honest] = [1, 2, 3].map(|after| (leader + after) % 4);
    let voted = Some(proposal(cluster.leader(EPOCH, View(0)).0, 0, 8));
    let mut replica = Replica::new(&cluster, me);
    replica.learns(7);
    replica.learns(8);
    replica.hears(ahead, left_for(2)).unwrap();
    assert_eq!(replica.hears(ahead, left_for(1)), Err(Rejection::Stale));
    for from in [leader, honest] {
        replica.hears(from, left_for(1)).unwrap();
    }
    assert_eq!(replica.agreement.view(), View(1));
    replica.hears(leader, ask(1, 7, &[leader, ahead, honest])).unwrap();
    assert_eq!(replica.hears(ahead, change(1, voted)), Err(Rejection::Stale), "the question names another report");
    assert!(!replica.said().contains(&Kind::CertAck));
    assert_eq!(replica.hears(ahead, left_for(1)), Ok(()));
    assert_eq!(replica.said(), [Kind::CertAck]);
}

#[test]
fn of_two_reports_for_a_view_the_first_stands_until_a_question_names_the_other() {
    let cluster = cluster(4, 1, 1);
    let leader = cluster.leader(EPOCH, View(1)).0;
    let [me, liar, honest] = [1, 2, 3].map(|after| (leader + after) % 4);
    let voted = Some(proposal(cluster.leader(EPOCH, View(0)).0, 0, 8));
    let mut replica = Replica::new(&cluster, me);
    replica.learns(7);
    replica.learns(8);
    for (from, voted) in [(leader, None), (honest, None), (liar, voted)] {
        replica.hears(from, change(1, voted)).unwrap();
    }
    replica.hears(liar, left_for(1)).unwrap();
    assert_eq!(proven(&mut replica), [NodeId(liar)]);
    replica.hears(leader, ask(1, 7, &[leader, liar, honest])).unwrap();
    assert_eq!(replica.said(), [], "its first report binds the leader to another value");
    replica.hears(liar, left_for(1)).unwrap();
    assert_eq!(replica.said(), [Kind::CertAck]);
}

#[test]
fn a_question_belongs_to_its_view() {
    let cluster = cluster(7, 2, 1);
    let me = cluster.leader(EPOCH, View(0)).0;
    let mut replica = Replica::new(&cluster, me);
    replica.time_is_over(0).unwrap();
    replica.time_is_over(1).unwrap();
    let asked = |replica: &mut Replica<'_>, view: u32| {
        let leader = cluster.leader(EPOCH, View(view)).0;
        replica.hears(leader, ask(view, 7, &[0, 1, 2, 3, 4]))
    };
    assert_eq!(asked(&mut replica, 1), Err(Rejection::Stale));
    assert_eq!(asked(&mut replica, 3), Err(Rejection::Early(Place::View(EPOCH, View(3)))));
    assert_eq!(asked(&mut replica, 2), Ok(()));
}

#[test]
fn commits_count_in_the_view_behind_them_as_well_and_no_longer() {
    let cluster = cluster(4, 1, 0);
    for left in 0..3 {
        let mut replica = Replica::new(&cluster, 3);
        replica.learns(7);
        replica.hears(0, commit(0, 7)).unwrap();
        (0..left).for_each(|view| replica.time_is_over(view).unwrap());
        let heard = [1, 2].map(|from| replica.hears(from, commit(0, 7)));
        assert_eq!(heard, [if left < 2 { Ok(()) } else { Err(Rejection::Stale) }; 2]);
        assert_eq!(replica.agreement.decision().is_some(), left < 2, "{left} views later");
    }
}

#[test]
fn a_certificate_has_the_signatures_of_those_who_signed_for_its_value() {
    let cluster = cluster(7, 2, 0);
    let leader = cluster.leader(EPOCH, View(0)).0;
    let [me, other, second, third, fourth] = [1, 2, 3, 4, 5].map(|after| (leader + after) % 7);
    let mut replica = Replica::new(&cluster, me);
    replica.learns(7);
    replica.hears(leader, propose(0, 7)).unwrap();
    replica.hears(other, vote(0, 8)).unwrap();
    for from in [leader, second, third, fourth] {
        replica.hears(from, vote(0, 7)).unwrap();
    }
    let voters: NodeSet = [me, leader, second, third, fourth].map(NodeId).into_iter().collect();
    let locked = replica.agreement.durable().locked.as_ref().expect("five voted for it");
    assert_eq!(locked.votes.signers(), voters);
    replica.hears(other, commit(0, 8)).unwrap();
    for from in [leader, second, third, fourth] {
        replica.hears(from, commit(0, 7)).unwrap();
    }
    let decision = replica.agreement.decision().expect("five committed it");
    assert_eq!(decision.signatures.signers(), voters);
}

#[test]
fn where_there_is_no_slow_path_nobody_listens_to_commits() {
    for (p, wanted) in [(1, Err(Rejection::Invalid)), (0, Ok(()))] {
        let cluster = cluster(4, 1, p);
        let mut replica = Replica::new(&cluster, 3);
        let horizon = replica.agreement.horizon();
        assert_eq!(horizon.wants(&cluster, NodeId(0), &commit(0, 7)), wanted);
        assert_eq!(replica.hears(0, commit(0, 7)), wanted);
    }
}

#[test]
fn a_proposal_of_a_view_that_was_left_is_wanted_only_if_it_can_prove_a_fault() {
    let cluster = cluster(4, 1, 0);
    let [first, second] = [0, 1].map(|view| cluster.leader(EPOCH, View(view)).0);
    let me = cluster.leader(EPOCH, View(3)).0;
    // It cannot show a report of its own: it signed in view 2.
    let locked = CommitCertificate { ballot: Ballot { view: View(2), value: 7 }, votes: Map::new() };
    let voted = Some(proposal(second, 1, 7));
    let durable = Durable { view: View(2), voted, locked: Some(locked), ..Durable::fresh() };
    let replica = Replica::restarts(&cluster, me, durable);
    let wants = |from, view, value| replica.agreement.horizon().wants(&cluster, NodeId(from), &propose(view, value));
    assert_eq!(wants(second, 1, 7), Err(Rejection::Stale), "it voted for that one");
    assert_eq!(wants(second, 1, 8), Ok(()), "its leader signed two");
    assert_eq!(wants(first, 0, 7), Err(Rejection::Stale));
    assert_eq!(wants(first, 0, 8), Err(Rejection::Stale), "of that view it knows none");
}
