//! What members report for one position: one signal is kept, and always the
//! same, in whatever order the reports come.

use std::collections::BTreeMap;

use super::super::desk::Desk;
use super::*;

/// A signal, and the link to which it leads.
const SIGNALS: [(u8, u64); 3] = [(7, 30), (8, 10), (9, 20)];

/// What a desk makes of reports, each a member and the place of its signal.
fn desk(reports: &[(u8, usize)]) -> Desk<C, N> {
    let mut desk = Desk::new(FIRST, Position(0), 0, false, Past::Complete);
    for (member, signal) in reports {
        let (byte, link) = SIGNALS[*signal];
        desk.report(NodeId(*member), link, [byte].into_iter().collect()).unwrap();
    }
    desk
}

/// The most reported signal, of several the one with the smallest link.
fn favourite(reports: &[(u8, usize)]) -> usize {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for (_, signal) in reports {
        *counts.entry(*signal).or_default() += 1;
    }
    let most = *counts.values().max().unwrap();
    let equal = counts.into_iter().filter(|(_, count)| *count == most).map(|(signal, _)| signal);
    equal.min_by_key(|signal| SIGNALS[*signal].1).unwrap()
}

/// Every order of `reports`.
fn orders(reports: &[(u8, usize)]) -> Vec<Vec<(u8, usize)>> {
    let Some((first, rest)) = reports.split_first() else { return std::vec![Vec::new()] };
    let insert = |order: Vec<_>| {
        (0..=order.len()).map(move |at| {
            let mut longer = order.clone();
            longer.insert(at, *first);
            longer
        })
    };
    orders(rest).into_iter().flat_map(insert).collect()
}

#[test]
fn the_most_reported_signal_is_kept_in_whatever_order_it_is_reported() {
    for all in 0..81 {
        let reports: Vec<(u8, usize)> =
            (0..4).map(|member: u8| (member, all / 3_usize.pow(member.into()) % 3)).collect();
        let reference = desk(&reports);
        for order in orders(&reports) {
            assert_eq!(desk(&order), reference, "{order:?}");
            for some in 1..=order.len() {
                let heard = &order[..some];
                let (byte, link) = SIGNALS[favourite(heard)];
                let certain = desk(heard).certain(1).unwrap();
                assert_eq!((certain.signal.as_slice(), certain.link), (&[byte][..], link), "{heard:?}");
            }
        }
    }
}

#[test]
fn who_reported_what_is_told_apart() {
    let desk = desk(&[(0, 0), (1, 1), (2, 0), (3, 2)]);
    assert!(desk.is_disputed());
    let certain = desk.certain(2).unwrap();
    assert_eq!(certain.reporters, [0, 2].map(NodeId).into_iter().collect());
    assert_eq!(certain.dissenters, [1, 3].map(NodeId).into_iter().collect());
    assert!(desk.certain(3).is_none());
    assert_eq!(desk.signal_of(NodeId(2)).map(|signal| signal.as_slice()), Some(&[7][..]));
    assert_eq!(desk.signal_of(NodeId(1)), None, "it is not kept");
    assert_eq!(desk.signal_of(NodeId(5)), None, "it reported nothing");
}

#[test]
fn an_own_signal_is_said_again_whatever_a_liar_reports() {
    let cluster = cluster(4);
    let run = run(&cluster, 8);
    let owners: Vec<NodeId> = run.active.placement.owners(FIRST).iter().collect();
    let (me, liar) = (owners[0], owners[1]);
    let (mut kept, mut recomputed) = (0, 0);
    for lie in 0..32 {
        let mut member = Member::new(&cluster, me, &run);
        member.computed(FIRST, 0, &[40, 1]).unwrap();
        let audience = told(&mut member);
        assert!(!audience.is_empty());
        member.hears(liar, FIRST, 0, &[lie, 2]).unwrap();
        member.out.clear();
        member.ends_round();
        let asked: NodeSet = member.out.iter().filter_map(asker).collect();
        match told(&mut member) {
            NodeSet::EMPTY => {
                assert_eq!(asked, audience, "its host has it for each of them");
                recomputed += 1;
            }
            told => {
                assert_eq!((told, asked), (audience, NodeSet::EMPTY));
                kept += 1;
            }
        }
    }
    assert!(kept > 0 && recomputed > 0, "links of lies are smaller and larger: {kept}, {recomputed}");
}

/// To whom it sent an output of a stage since the last time.
fn told(member: &mut Member<'_>) -> NodeSet {
    let outputs = member.sent().into_iter().filter(|(kind, _)| *kind == Kind::StageOutput);
    outputs.fold(NodeSet::EMPTY, |all, (_, to)| all.union(to))
}

fn asker(output: &Output<C, N>) -> Option<NodeId> {
    match output {
        Output::Compute { stage: FIRST, position: Position(0), asker, .. } => *asker,
        _ => None,
    }
}
