//! Inputs that the host lacks: what it says that it has, whom the member asks,
//! and what it believes.

use super::*;
use crate::chain::State;
use crate::message::inference::History;

/// Inputs of the last stage before the second part.
const INPUTS: [u8; 4] = [5, 6, 7, 8];

/// The link in front of the last stage after the first `count` of `inputs`.
fn link(cluster: &Cluster<C, N>, run: &Run<C>, inputs: &[u8]) -> u64 {
    let start = first_link(cluster, &run.active.request.digest(cluster), LAST);
    inputs.iter().fold(start, |link, signal| extend(cluster, &link, &[*signal]))
}

/// The state after the first part.
fn decided(cluster: &Cluster<C, N>, run: &Run<C>) -> State<C> {
    let tokens: Tokens = [9, 9].into_iter().collect();
    let [input, _, output] = links(cluster, run, &tokens);
    let links: Links<C> = [input, link(cluster, run, &INPUTS), output].into_iter().collect();
    Head::Genesis.state().advance(cluster, Epoch(1), &run.active, &tokens, &links)
}

/// A member of the last stage that saw nothing of the first part.
fn late<'c>(cluster: &'c Cluster<C, N>, run: &Run<C>, me: NodeId) -> Member<'c> {
    let mut member = Member::new(cluster, me, run);
    let state = decided(cluster, run);
    member
        .does(|inference, seat, out| {
            inference.follow(seat, &state, &mut |it| out.push(it));
            Ok(())
        })
        .unwrap();
    member.run = member.inference.run().unwrap().clone();
    member.out.clear();
    assert!(!member.inference.recovers());
    member
}

impl Member<'_> {
    fn holds(&mut self, stage: Stage, upto: u16, link: u64) -> Result<(), Rejection> {
        let (run, from) = (self.run.id, (Position(upto), link));
        self.does(|inference, seat, out| inference.on_holding(seat, run, stage, from, &mut |it| out.push(it)))
    }

    fn is_supplied(&mut self, from: NodeId, position: u16, signals: &[u8]) -> Result<(), Rejection> {
        let history = history(self.run.id, position, signals);
        self.does(|inference, seat, out| inference.on_history(seat, from, history, &mut |it| out.push(it)))
    }

    /// Whom it asked since the last time, and from which position on.
    fn recalls(&mut self) -> Vec<(NodeId, u16)> {
        let asked = self.out.iter().filter_map(|output| match output {
            Output::Send { to, envelope, .. } => match &envelope.message {
                Message::Recall(recall) => {
                    assert_eq!(to.len(), 1, "one at a time");
                    Some((to.iter().next().unwrap(), recall.position.0))
                }
                _ => None,
            },
            _ => None,
        });
        let asked = asked.collect();
        self.out.retain(|output| matches!(output, Output::Restore { .. }));
        asked
    }

    /// Positions and inputs that its host was given since the last time.
    fn restored(&mut self) -> Vec<(u16, Vec<u8>)> {
        let restored = self.out.drain(..).filter_map(|output| match output {
            Output::Restore { position, signals, .. } => Some((position.0, signals.iter().map(|it| it[0]).collect())),
            _ => None,
        });
        restored.collect()
    }

    /// A round is over.
    fn round(&mut self) {
        self.does(|inference, seat, out| {
            inference.retransmit(seat, &mut |it| out.push(it));
            Ok(())
        })
        .unwrap();
    }

    fn has_past(&self) -> bool {
        self.inference.standing(LAST).unwrap().has_past
    }
}

fn history(run: RunId<C>, position: u16, signals: &[u8]) -> History<C> {
    let signals = signals.iter().map(|signal| [*signal].into_iter().collect::<Signal>()).collect();
    History { run, stage: LAST, position: Position(position), signals }
}

/// Everybody who may have the inputs, in the order in which `me` asks them.
fn holders(run: &Run<C>, me: NodeId) -> Vec<NodeId> {
    let placement = &run.active.placement;
    placement.assigned(LAST).chain(placement.assigned(FIRST)).filter(|node| *node != me).collect()
}

#[test]
fn what_the_host_has_is_believed_when_it_has_the_committed_link() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let [me, .., outside] = seats(&run, LAST);
    let first = holders(&run, me)[0];
    let right = link(&cluster, &run, &INPUTS);
    let fresh = || late(&cluster, &run, me);

    let mut member = fresh();
    let other = RunId { plan: member.run.id.plan ^ 1, ..member.run.id };
    let from = (Position(4), right);
    let told =
        member.does(|inference, seat, out| inference.on_holding(seat, other, LAST, from, &mut |it| out.push(it)));
    assert_eq!(told, Err(Rejection::OtherRun));
    assert_eq!(member.holds(LAST, 4, right), Ok(()));
    assert!(member.has_past() && !member.inference.recovers() && member.recalls().is_empty());
    assert_eq!(member.holds(LAST, 4, right), Err(Rejection::Stale), "it was asked once");

    let mut member = late(&cluster, &run, outside);
    assert_eq!(member.holds(LAST, 4, right), Err(Rejection::Invalid), "that is not its stage");

    // Up to where it has them, if that may be right; else from the beginning.
    let beginning = link(&cluster, &run, &[]);
    let half = link(&cluster, &run, &INPUTS[..2]);
    for ((upto, link), from) in [((0, beginning), 0), ((2, half), 2), ((4, right ^ 1), 0), ((5, right), 0)] {
        let mut member = fresh();
        assert_eq!(member.holds(LAST, upto, link), Ok(()));
        assert!(!member.has_past() && member.inference.recovers());
        assert_eq!(member.recalls(), [(first, from)], "it has them up to {upto}");
    }
}

#[test]
fn inputs_are_taken_from_who_was_asked_in_order_and_to_the_end() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let me = seats(&run, LAST)[0];
    let asked = holders(&run, me)[0];
    let other = holders(&run, me).into_iter().find(|node| *node != asked).unwrap();
    let mut member = late(&cluster, &run, me);
    assert_eq!(member.is_supplied(asked, 0, &INPUTS[..1]), Err(Rejection::Stale), "nobody was asked");
    member.holds(LAST, 0, link(&cluster, &run, &[])).unwrap();
    assert_eq!(member.recalls(), [(asked, 0)]);
    assert_eq!(member.is_supplied(other, 0, &INPUTS[..1]), Err(Rejection::Unauthorised));
    assert_eq!(member.is_supplied(asked, 1, &INPUTS[..1]), Err(Rejection::Stale), "not from there on");
    assert_eq!(member.is_supplied(asked, 0, &[]), Err(Rejection::Stale), "nothing");
    assert_eq!(member.is_supplied(asked, 0, &INPUTS[..3]), Ok(()));
    assert_eq!(member.recalls(), [(asked, 3)], "it goes on with the same");
    assert_eq!(member.restored(), [(0, INPUTS[..3].to_vec())]);
    assert!(!member.has_past());
    assert_eq!(member.is_supplied(asked, 3, &[INPUTS[3], 77]), Ok(()));
    assert_eq!(member.recalls(), []);
    assert_eq!(member.restored(), [(3, INPUTS[3..].to_vec())], "no more than there are");
    assert!(member.has_past() && !member.inference.recovers());
}

#[test]
fn all_of_it_together_is_right_or_is_asked_of_the_next() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let me = seats(&run, LAST)[0];
    let [asked, next] = [0, 1].map(|place| holders(&run, me)[place]);
    let mut member = late(&cluster, &run, me);
    member.holds(LAST, 2, link(&cluster, &run, &INPUTS[..2])).unwrap();
    assert_eq!(member.recalls(), [(asked, 2)]);
    member.is_supplied(asked, 2, &[7, 9]).unwrap();
    assert!(!member.has_past() && member.inference.recovers());
    assert_eq!(member.recalls(), [(next, 0)], "what the host had may be wrong as well");
    assert_eq!(member.is_supplied(asked, 0, &INPUTS), Err(Rejection::Unauthorised));
    member.is_supplied(next, 0, &INPUTS).unwrap();
    assert!(member.has_past());
}

#[test]
fn who_tells_nothing_in_a_round_is_asked_no_more_until_all_were() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let me = seats(&run, LAST)[0];
    let all = holders(&run, me);
    let mut member = late(&cluster, &run, me);
    member.round();
    assert_eq!(member.recalls(), [], "its host did not say what it has");
    member.holds(LAST, 0, link(&cluster, &run, &[])).unwrap();
    assert_eq!(member.recalls(), [(all[0], 0)]);
    member.is_supplied(all[0], 0, &INPUTS[..1]).unwrap();
    assert_eq!(member.recalls(), [(all[0], 1)]);
    member.round();
    assert_eq!(member.recalls(), [(all[0], 1)], "it told something in this round");
    for holder in all[1..].iter().chain(&all) {
        member.round();
        assert_eq!(member.recalls(), [(*holder, 1)]);
    }
    // After a wrong end the next begins with a round of its own.
    let last = *all.last().unwrap();
    member.is_supplied(last, 1, &[6, 7, 9]).unwrap();
    assert_eq!(member.recalls(), [(all[0], 0)]);
    member.is_supplied(all[0], 0, &INPUTS[..1]).unwrap();
    assert_eq!(member.recalls(), [(all[0], 1)]);
    member.round();
    assert_eq!(member.recalls(), [(all[0], 1)]);
}

#[test]
fn what_a_host_found_goes_to_who_asked() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let [me, other, ..] = seats(&run, LAST);
    let mut member = Member::new(&cluster, me, &run);
    member.out.clear();
    let found = |member: &mut Member<'_>, to: NodeId, history: History<C>| {
        member.does(|inference, seat, out| inference.on_supplied(seat, to, history, &mut |it| out.push(it)))
    };
    let elsewhere = RunId { plan: run.id.plan ^ 1, ..run.id };
    assert_eq!(found(&mut member, other, history(elsewhere, 0, &INPUTS)), Err(Rejection::OtherRun));
    assert_eq!(found(&mut member, other, history(run.id, 0, &[])), Err(Rejection::Invalid));
    assert_eq!(found(&mut member, me, history(run.id, 0, &INPUTS)), Err(Rejection::Invalid));
    assert_eq!(found(&mut member, other, history(run.id, 0, &INPUTS)), Ok(()));
    assert_eq!(member.sent(), [(Kind::History, NodeSet::EMPTY.with(other))]);
}
