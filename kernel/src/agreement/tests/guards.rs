//! Guards that no fault of a whole cluster singles out: what each of them keeps
//! a replica from, one at a time.

use std::vec;

use super::*;

#[test]
fn a_cluster_asks_for_the_thresholds_of_its_resilience() {
    for (n, f, p) in [(4, 1, 1), (4, 1, 0), (6, 1, 2), (7, 2, 1), (7, 2, 0), (8, 1, 3)] {
        let cluster = cluster(n, f, p);
        let resilience = cluster.resilience();
        let (n, slow) = (usize::from(n), (usize::from(n) + f + 1).div_ceil(2));
        assert_eq!((cluster.fast_quorum(), resilience.fast_quorum()), (n - p, n - p));
        assert_eq!((cluster.slow_quorum(), cluster.commit_quorum(), resilience.slow_quorum()), (slow, slow, slow));
        assert_eq!((cluster.view_change_quorum(), resilience.view_change_quorum()), (n - f, n - f));
        assert_eq!((cluster.equivocation_threshold(), resilience.equivocation_threshold()), (f + p, f + p));
        assert_eq!((cluster.progress_quorum(), resilience.progress_quorum()), (f + 1, f + 1));
        assert_eq!((cluster.attestation_quorum(), cluster.signal_quorum()), (f + 1, f + 1));
        assert_eq!((resilience.attestation_quorum(), resilience.stage_set()), (f + 1, 2 * f + 1));
        assert_eq!(resilience.slow_path(), p < f);
    }
}

#[test]
fn a_vote_counts_again_after_a_restart_also_in_the_view_behind_it() {
    let cluster = cluster(4, 1, 1);
    let leader = cluster.leader(EPOCH, View(0)).0;
    let [first, second] = [1, 2].map(|after| (leader + after) % 4);
    for (view, counts) in [(0, true), (1, true), (2, false)] {
        let durable = Durable { view: View(view), voted: Some(proposal(leader, 0, 7)), ..Durable::fresh() };
        let mut replica = Replica::restarts(&cluster, (leader + 3) % 4, durable);
        replica.learns(7);
        let heard = [first, second].map(|from| replica.hears(from, vote(0, 7)));
        assert_eq!(heard, [if counts { Ok(()) } else { Err(Rejection::Stale) }; 2]);
        assert_eq!(replica.agreement.decision().is_some(), counts, "three votes with its own, in view {view}");
        assert_eq!(replica.agreement.votes.is_empty(), !counts);
    }
}

#[test]
fn a_commit_counts_again_after_a_restart_also_in_the_view_behind_it() {
    let cluster = cluster(4, 1, 0);
    let commit = || AgreementMessage::Commit(Ballot { view: View(0), value: 7 });
    for (view, counts) in [(0, true), (1, true), (2, false)] {
        let locked = CommitCertificate { ballot: Ballot { view: View(0), value: 7 }, votes: Map::new() };
        let durable = Durable { view: View(view), locked: Some(locked), ..Durable::fresh() };
        let mut replica = Replica::restarts(&cluster, 3, durable);
        replica.learns(7);
        let heard = [0, 1].map(|from| replica.hears(from, commit()));
        assert_eq!(heard, [if counts { Ok(()) } else { Err(Rejection::Stale) }; 2]);
        assert_eq!(replica.agreement.decision().is_some(), counts, "three commits with its own, in view {view}");
        assert_eq!(replica.agreement.commits.is_empty(), !counts);
    }
}

#[test]
fn only_the_time_of_its_own_view_moves_a_replica_and_none_after_a_decision() {
    let cluster = cluster(4, 1, 1);
    let mut replica = Replica::new(&cluster, 3);
    assert_eq!(replica.time_is_over(1), Err(Rejection::Stale));
    assert_eq!(replica.time_is_over(0), Ok(()));
    assert_eq!(replica.time_is_over(0), Err(Rejection::Stale));
    assert_eq!(replica.agreement.view(), View(1));
    replica.learns(7);
    for voter in 0..3 {
        replica.hears(voter, vote(1, 7)).unwrap();
    }
    assert!(replica.agreement.decision().is_some());
    assert_eq!(replica.time_is_over(1), Err(Rejection::Stale));
    assert_eq!(replica.agreement.view(), View(1));
}

#[test]
fn the_value_that_fewest_stand_by_makes_room_for_one_with_more() {
    let cluster = cluster(7, 2, 1);
    let me = (cluster.leader(EPOCH, View(0)).0 + 1) % 7;
    let other = |after: u8| (me + after) % 7;
    let mut replica = Replica::new(&cluster, me);
    (1..=4).for_each(|value| replica.learns(value));
    for (after, value) in [(1, 2), (2, 2), (3, 3), (4, 4), (5, 5)] {
        replica.hears(other(after), vote(0, value)).unwrap();
    }
    assert_eq!(replica.makes_room_for(6), None, "nobody stands by it, no more than by the first");
    assert_eq!(replica.agreement.own, Some(1));
    assert_eq!(replica.makes_room_for(5), Some(1), "of those that are known nobody stands by it");
    assert_eq!(replica.agreement.own, Some(2), "what was forgotten is not proposed");
    assert!(!replica.agreement.knows(&1) && replica.agreement.knows(&2));
    replica.learns(5);
    assert_eq!(replica.makes_room_for(6), None);
    // Reports count as votes do, but nobody counts twice.
    let report = |value| {
        let voted = Some(proposal(1, 0, value));
        AgreementMessage::ViewChange(ViewChange { view: View(1), voted, locked: None })
    };
    replica.hears(other(5), report(6)).unwrap();
    assert_eq!(replica.makes_room_for(6), None, "one stands by it, as by the least of the others");
    replica.hears(other(6), report(6)).unwrap();
    assert_eq!(replica.makes_room_for(6), Some(3), "two stand by it");
}

#[test]
fn what_a_replica_signed_makes_room_for_nothing() {
    let cluster = cluster(7, 2, 1);
    let leader = cluster.leader(EPOCH, View(0)).0;
    let voted = Durable { voted: Some(proposal(leader, 0, 1)), ..Durable::fresh() };
    let locked = CommitCertificate { ballot: Ballot { view: View(0), value: 1 }, votes: Map::new() };
    let locked = Durable { locked: Some(locked), ..Durable::fresh() };
    for durable in [voted, locked] {
        let mut replica = Replica::restarts(&cluster, (leader + 1) % 7, durable);
        replica.learns(1);
        for after in 2..6 {
            replica.hears((leader + after) % 7, vote(0, 2)).unwrap();
        }
        assert_eq!(replica.makes_room_for(2), None);
        assert!(replica.agreement.knows(&1));
    }
}

#[test]
fn a_leader_repeats_its_question_and_what_it_names_to_those_who_are_silent() {
    let cluster = cluster(4, 1, 1);
    let leader = cluster.leader(EPOCH, View(1)).0;
    let mut asking = Replica::new(&cluster, leader);
    asking.learns(7);
    for after in [1, 2] {
        asking.hears((leader + after) % 4, left_for(1)).unwrap();
    }
    assert_eq!(asking.said(), [Kind::ViewChange, Kind::CertRequest]);
    asking.repeats();
    let mut sent: Vec<(Kind, NodeId, NodeSet)> = Vec::new();
    for output in asking.said.drain(..) {
        if let Output::Send { to, envelope, .. } = output {
            sent.push((envelope.message.kind(), envelope.from, to));
        }
    }
    let others: NodeSet = (1..4).map(|after| NodeId((leader + after) % 4)).collect();
    for after in [1, 2] {
        let from = NodeId((leader + after) % 4);
        assert!(sent.contains(&(Kind::ViewChange, from, others.without(from))), "{sent:?}");
    }
    assert!(sent.contains(&(Kind::CertRequest, NodeId(leader), others)), "{sent:?}");
    // Who has answered is not asked again.
    let ack = AgreementMessage::CertAck(Ballot { view: View(1), value: 7 });
    asking.agreement.acks.insert(NodeId((leader + 1) % 4), C::sign(&NodeId((leader + 1) % 4), &0)).unwrap();
    asking.repeats();
    let asked = asking.said.drain(..).find_map(|output| match output {
        Output::Send { to, envelope, .. } if envelope.message.kind() == Kind::CertRequest => Some(to),
        _ => None,
    });
    assert_eq!(asked, Some(others.without(NodeId((leader + 1) % 4))));
    assert_eq!(asking.hears((leader + 1) % 4, ack), Err(Rejection::Duplicate));
}

#[test]
fn an_answer_counts_only_where_that_was_asked() {
    let cluster = cluster(4, 1, 1);
    let leader = cluster.leader(EPOCH, View(1)).0;
    let ack = |view: u32, value| AgreementMessage::CertAck(Ballot { view: View(view), value });
    let mut asking = Replica::new(&cluster, leader);
    asking.time_is_over(0).unwrap();
    assert_eq!(asking.hears((leader + 1) % 4, ack(1, 7)), Err(Rejection::Stale), "nothing was asked");
    asking.learns(7);
    for after in [1, 2] {
        asking.hears((leader + after) % 4, left_for(1)).unwrap();
    }
    assert_eq!(asking.hears((leader + 1) % 4, ack(1, 8)), Err(Rejection::Stale), "about another value");
    assert!(!asking.said().contains(&Kind::Propose));
    asking.hears((leader + 1) % 4, ack(1, 7)).unwrap();
    assert_eq!(asking.said(), [Kind::Propose, Kind::Vote], "with its own there are f + 1");
    assert_eq!(asking.hears((leader + 2) % 4, ack(1, 7)), Err(Rejection::Stale), "it has proposed");
}

#[test]
fn a_question_is_answered_again_only_if_it_was_answered() {
    let cluster = cluster(4, 1, 1);
    let leader = cluster.leader(EPOCH, View(1)).0;
    let mut replica = Replica::new(&cluster, (leader + 1) % 4);
    for after in [0, 2, 3] {
        replica.hears((leader + after) % 4, left_for(1)).unwrap();
    }
    replica.learns(7);
    replica.said();
    let ask = |value| {
        let mut request = CertRequest { ballot: Ballot { view: View(1), value }, reports: Map::new() };
        for node in 0..3 {
            request.reports.insert(NodeId(node), Report { voted: None, locked: None }).unwrap();
        }
        AgreementMessage::CertRequest(request)
    };
    assert_eq!(replica.hears(leader, ask(8)), Ok(()));
    assert_eq!(replica.hears(leader, ask(8)), Err(Rejection::Duplicate), "not known, so not answered");
    assert_eq!(replica.said(), []);
    assert_eq!(replica.hears(leader, ask(7)), Ok(()));
    assert_eq!(replica.said(), [Kind::CertAck]);
    assert_eq!(replica.hears(leader, ask(7)), Ok(()));
    assert_eq!(replica.said(), [Kind::CertAck], "the first answer may be lost");
    assert_eq!(replica.hears(leader, ask(8)), Ok(()));
    assert_eq!(replica.said(), [], "the answer was about another value");
}

#[test]
fn reports_for_an_earlier_view_justify_nothing() {
    let cluster = cluster(7, 2, 1);
    let leader = cluster.leader(EPOCH, View(2)).0;
    let other = |after: u8| (leader + after) % 7;
    let mut asking = Replica::new(&cluster, leader);
    asking.learns(7);
    asking.time_is_over(0).unwrap();
    asking.time_is_over(1).unwrap();
    for after in 1..5 {
        asking.hears(other(after), left_for(1)).unwrap();
    }
    assert_eq!(asking.said(), [Kind::ViewChange; 2], "four reports, but for the view before");
    for after in 1..5 {
        asking.hears(other(after), left_for(2)).unwrap();
    }
    assert_eq!(asking.said(), [Kind::CertRequest]);
}

#[test]
fn a_vote_or_a_lock_of_an_earlier_view_forbids_no_vote() {
    let cluster = cluster(7, 2, 1);
    let leader = cluster.leader(EPOCH, View(0)).0;
    let next = cluster.leader(EPOCH, View(1)).0;
    let locked = CommitCertificate { ballot: Ballot { view: View(0), value: 7 }, votes: Map::new() };
    let durable = Durable { voted: Some(proposal(leader, 0, 7)), locked: Some(locked), ..Durable::fresh() };
    let mut replica = Replica::restarts(&cluster, (leader + 3) % 7, durable);
    replica.learns(7);
    replica.learns(8);
    assert_eq!(replica.said(), []);
    replica.hears(next, propose(1, 8)).unwrap();
    assert_eq!(replica.said(), [Kind::ViewChange, Kind::Vote]);
    assert_eq!(replica.hears(next, propose(1, 8)), Err(Rejection::Duplicate));
    assert_eq!(replica.said(), [], "once in a view");
}

#[test]
fn a_view_change_reports_a_vote_and_a_lock_however_old_they_are() {
    let cluster = cluster(7, 2, 1);
    let leader = cluster.leader(EPOCH, View(0)).0;
    let ballot = Ballot { view: View(0), value: 7 };
    let locked = CommitCertificate { ballot, votes: Map::new() };
    let durable = Durable { voted: Some(proposal(leader, 0, 7)), locked: Some(locked), ..Durable::fresh() };
    let mut replica = Replica::restarts(&cluster, (leader + 3) % 7, durable);
    for view in 0..3 {
        replica.time_is_over(view).unwrap();
        assert_eq!(replica.reported(), Report { voted: Some(ballot), locked: Some(ballot) });
    }
}

#[test]
fn commits_are_sent_only_where_the_slow_path_is_needed() {
    for (p, commits) in [(1, false), (0, true)] {
        let cluster = cluster(6, 1, p);
        let mut replica = Replica::new(&cluster, 5);
        replica.learns(7);
        replica.said();
        for voter in 0..4 {
            replica.hears(voter, vote(0, 7)).unwrap();
        }
        let expected: &[Kind] = if commits { &[Kind::Commit] } else { &[] };
        assert_eq!(replica.said(), expected, "a slow quorum of four, p = {p}");
    }
}

#[test]
fn what_was_decided_is_shown_beside_what_contradicts_it_and_nothing_else_is() {
    let cluster = cluster(7, 2, 1);
    let leader = cluster.leader(EPOCH, View(0)).0;
    let mut replica = Replica::new(&cluster, (leader + 1) % 7);
    replica.hears(leader, propose(0, 7)).unwrap();
    replica.learns(7);
    replica.hears((leader + 2) % 7, vote(0, 7)).unwrap();
    replica.hears((leader + 3) % 7, vote(0, 8)).unwrap();
    replica.hears((leader + 4) % 7, vote(0, 7)).unwrap();
    replica.said();
    let mut shown = |view: u32, value| {
        let seat = Seat { cluster: &cluster, me: replica.me, key: &replica.me };
        let said = &mut replica.said;
        replica.agreement.denounce(&seat, Ballot { view: View(view), value }, &mut |output| said.push(output));
        replica.said()
    };
    assert_eq!(shown(0, 7), [Kind::Vote], "the one vote for another value");
    assert_eq!(shown(0, 8), [Kind::Propose, Kind::Vote, Kind::Vote], "the proposal, and the votes of other members");
    assert_eq!(shown(1, 8), [], "another view contradicts nothing");
}

#[test]
fn what_testifies_to_a_decision_is_of_its_view() {
    let cluster = cluster(7, 2, 1);
    let leader = cluster.leader(EPOCH, View(0)).0;
    let mut replica = Replica::new(&cluster, (leader + 1) % 7);
    replica.hears(leader, propose(0, 7)).unwrap();
    replica.hears((leader + 2) % 7, vote(0, 7)).unwrap();
    let (shown, votes) = replica.agreement.testimony(View(0));
    assert_eq!(shown.map(|signed| signed.ballot), Some(Ballot { view: View(0), value: 7 }));
    assert!(votes.contains(&NodeId((leader + 2) % 7)));
    let (shown, votes) = replica.agreement.testimony(View(1));
    assert!(shown.is_none() && votes.is_empty());
}

#[test]
fn who_restarts_after_it_signed_in_a_later_view_leaves_it_since_it_cannot_show_what_it_reported() {
    let cluster = cluster(4, 1, 1);
    let resumes = |replica: &mut Replica<'_>| {
        let seat = Seat { cluster: &cluster, me: replica.me, key: &replica.me };
        let said = &mut replica.said;
        replica.agreement.resume(&seat, &mut |output| said.push(output));
        (replica.agreement.view(), replica.said())
    };
    for (view, voted, then) in [(0, 0, 0), (1, 0, 1), (1, 1, 2), (3, 3, 4)] {
        let durable = Durable { view: View(view), voted: Some(proposal(0, voted, 7)), ..Durable::fresh() };
        let mut replica = Replica::restarts(&cluster, 3, durable);
        let says = if then > view { vec![Kind::ViewChange] } else { Vec::new() };
        assert_eq!(resumes(&mut replica), (View(then), says), "from view {view}, with a vote of view {voted}");
        assert_eq!(resumes(&mut replica), (View(then), Vec::new()), "it can show that it left for {then}");
    }
}

#[test]
fn a_proposal_of_a_view_that_was_left_is_neither_held_nor_repeated() {
    let cluster = cluster(4, 1, 1);
    let leader = cluster.leader(EPOCH, View(0)).0;
    for (view, held) in [(0, true), (1, false)] {
        let mine = Some(proposal(leader, 0, 7));
        let durable = Durable { view: View(view), voted: mine.clone(), proposed: mine, ..Durable::fresh() };
        let mut replica = Replica::restarts(&cluster, leader, durable);
        assert_eq!(replica.agreement.proposal.is_some(), held, "in view {view}");
        replica.repeats();
        assert_eq!(replica.said().contains(&Kind::Propose), held, "in view {view}");
    }
}

#[test]
fn a_horizon_refuses_what_is_old_and_nothing_else() {
    let cluster = cluster(7, 2, 1);
    let leader = cluster.leader(EPOCH, View(0)).0;
    let me = (leader + 6) % 7;
    let mut replica = Replica::new(&cluster, me);
    let [first, second, third] = [2, 3, 4].map(|after| (leader + after) % 7);
    let wants = |replica: &Replica<'_>, from: u8, message: AgreementMessage<C, N>| {
        replica.agreement.horizon().wants(&cluster, NodeId(from), &message)
    };
    replica.hears(first, left_for(3)).unwrap();
    assert_eq!(wants(&replica, first, left_for(2)), Err(Rejection::Stale));
    assert_eq!(wants(&replica, first, left_for(4)), Ok(()));
    assert_eq!(wants(&replica, first, left_for(0)), Err(Rejection::Invalid), "nobody leaves for view 0");
    replica.hears(second, left_for(3)).unwrap();
    replica.hears(third, left_for(3)).unwrap();
    assert_eq!(replica.agreement.view(), View(3));
    let next = cluster.leader(EPOCH, View(3)).0;
    let ask = |view: u32| {
        AgreementMessage::CertRequest(CertRequest {
            ballot: Ballot { view: View(view), value: 7 },
            reports: Map::new(),
        })
    };
    assert_eq!(wants(&replica, next, ask(3)), Ok(()));
    assert_eq!(wants(&replica, first, ask(3)), Err(Rejection::Unauthorised));
    assert_eq!(wants(&replica, cluster.leader(EPOCH, View(2)).0, ask(2)), Err(Rejection::Stale));
    assert_eq!(wants(&replica, leader, ask(0)), Err(Rejection::Unauthorised), "nothing is asked in view 0");
    assert_eq!(wants(&replica, next, propose(3, 7)), Ok(()));
    assert_eq!(wants(&replica, first, propose(3, 7)), Err(Rejection::Unauthorised));
    assert_eq!(wants(&replica, leader, propose(0, 7)), Ok(()), "somebody may report another one");
    assert_eq!(wants(&replica, first, vote(2, 7)), Ok(()), "of the view before");
    assert_eq!(wants(&replica, first, vote(1, 7)), Err(Rejection::Stale));
    let ack = |view: u32| AgreementMessage::CertAck(Ballot { view: View(view), value: 7 });
    assert_eq!(wants(&replica, first, ack(2)), Err(Rejection::Stale));
    assert_eq!(wants(&replica, first, ack(3)), Ok(()));
    replica.hears(first, vote(3, 7)).unwrap();
    assert_eq!(wants(&replica, first, vote(3, 7)), Err(Rejection::Duplicate));
    assert_eq!(wants(&replica, first, vote(3, 8)), Ok(()), "it would prove a fault");
    assert_eq!(wants(&replica, second, vote(3, 7)), Ok(()));
}

#[test]
fn what_a_question_names_replaces_what_its_sender_told_this_replica() {
    let cluster = cluster(4, 1, 1);
    let leader = cluster.leader(EPOCH, View(1)).0;
    let [liar, honest] = [2, 3].map(|after| (leader + after) % 4);
    let deposed = cluster.leader(EPOCH, View(0)).0;
    let told = |value: Option<u64>| {
        let voted = value.map(|value| proposal(deposed, 0, value));
        AgreementMessage::ViewChange(ViewChange { view: View(1), voted, locked: None })
    };
    let mut replica = Replica::new(&cluster, (leader + 1) % 4);
    replica.learns(7);
    for (from, value) in [(leader, None), (honest, None), (liar, Some(7))] {
        replica.hears(from, told(value)).unwrap();
    }
    replica.hears(liar, told(Some(8))).unwrap();
    let mut request = CertRequest { ballot: Ballot { view: View(1), value: 7 }, reports: Map::new() };
    for node in [leader, liar, honest] {
        request.reports.insert(NodeId(node), Report { voted: None, locked: None }).unwrap();
    }
    replica.hears(leader, AgreementMessage::CertRequest(request)).unwrap();
    assert!(!replica.said().contains(&Kind::CertAck), "it told this replica that it voted");
    replica.hears(liar, told(Some(9))).unwrap();
    assert_eq!(replica.said(), [], "nor is that what the question names");
    replica.hears(liar, told(None)).unwrap();
    assert_eq!(replica.said(), [Kind::CertAck]);
}

#[test]
fn a_leader_asks_for_what_binds_it_and_else_for_its_own_value() {
    let cluster = cluster(4, 1, 1);
    let leader = cluster.leader(EPOCH, View(1)).0;
    let deposed = cluster.leader(EPOCH, View(0)).0;
    let other = (0..4).find(|node| ![leader, deposed].contains(node)).unwrap();
    for (reported, asks) in [(Some(8), 8), (None, 7)] {
        let mut asking = Replica::new(&cluster, leader);
        asking.learns(7);
        asking.learns(8);
        asking.hears(deposed, left_for(1)).unwrap();
        let voted = reported.map(|value| proposal(deposed, 0, value));
        let change = ViewChange { view: View(1), voted, locked: None };
        asking.hears(other, AgreementMessage::ViewChange(change)).unwrap();
        let question = asking.agreement.question.as_ref().expect("three reports are enough");
        assert_eq!(question.request.ballot, Ballot { view: View(1), value: asks });
    }
}
