//! Guards of the computation, one member at a time: who may say what, and when
//! a member asks, answers, steps in and attests.

mod attesting;
mod concerned;
mod recovery;
mod reports;
mod runs;

use std::vec::Vec;

use super::run::{extend, first_link};
use super::*;
use crate::chain::Head;
use crate::cluster::{Assignment, Cluster, Model, Roster, Timing};
use crate::crypto::ideal::Ideal;
use crate::machine::{Source, Timer};
use crate::message::Kind;
use crate::message::inference::{Attest, Claim, Links, Recall, Request, Sampling, SignedRequest, Tokens, Work};
use crate::types::{ClientId, Resilience};

type C = Ideal<8>;
const N: usize = 8;
const CLIENT: NodeId = NodeId(100);
const FIRST: Stage = Stage(0);
const LAST: Stage = Stage(1);

fn cluster(tokens_per_epoch: u8) -> Cluster<C, N> {
    cluster_of(4, 2, tokens_per_epoch)
}

/// `members` of which four vote.
fn cluster_of(members: u8, stages: u8, tokens_per_epoch: u8) -> Cluster<C, N> {
    let roster = Roster {
        resilience: Resilience::new(4, 1, 1).unwrap(),
        members: (0..members).map(NodeId).collect(),
        clients: [CLIENT].into_iter().collect(),
        operators: [].into_iter().collect(),
        model: Model {
            manifest: [0; 32],
            stages,
            context: 128,
            vocabulary: 96,
            signal: 4,
            tokens_per_epoch,
            checkpoint_interval: 4,
        },
        assignment: Assignment::in_turn(usize::from(members), stages).unwrap(),
    };
    Cluster::new(roster, Timing::default()).unwrap()
}

/// The run of three prompt tokens and `tokens` more.
fn run(cluster: &Cluster<C, N>, tokens: u16) -> Run<C> {
    let prompt = [1, 2, 3].into_iter().collect();
    let request = Request { client: ClientId(0), sequence: 1, prompt, tokens, sampling: Sampling::Greedy };
    let signature = C::sign(&CLIENT, &request.statement(cluster));
    Run::new(cluster, &Head::Genesis, &SignedRequest { request, signature }).unwrap()
}

/// One member and what it put out.
struct Member<'c> {
    cluster: &'c Cluster<C, N>,
    me: NodeId,
    run: Run<C>,
    inference: Inference<C, N>,
    out: Vec<Output<C, N>>,
}

impl<'c> Member<'c> {
    fn new(cluster: &'c Cluster<C, N>, me: NodeId, run: &Run<C>) -> Member<'c> {
        let mut member = Member { cluster, me, run: run.clone(), inference: Inference::new(Epoch(1)), out: Vec::new() };
        member
            .does(|inference, seat, out| {
                inference.begin(seat, run.clone(), &mut |it| out.push(it));
                Ok(())
            })
            .unwrap();
        member
    }

    fn does(
        &mut self,
        act: impl FnOnce(&mut Inference<C, N>, &Seat<'_, C, N>, &mut Vec<Output<C, N>>) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        let seat = Seat { cluster: self.cluster, me: self.me, key: &self.me };
        let before = self.inference.clone();
        let outcome = act(&mut self.inference, &seat, &mut self.out);
        if outcome.is_err() {
            assert_eq!(self.inference, before, "what is refused changes nothing");
        }
        outcome
    }

    fn hears(&mut self, from: NodeId, stage: Stage, position: u16, signal: &[u8]) -> Result<(), Rejection> {
        let signal = signal.iter().copied().collect();
        let output = StageOutput { run: self.run.id, stage, position: Position(position), signal };
        self.does(|inference, seat, out| inference.on_stage_output(seat, from, output, &mut |it| out.push(it)))
    }

    fn computed(&mut self, stage: Stage, position: u16, signal: &[u8]) -> Result<(), Rejection> {
        let (run, signal) = (self.run.id, signal.iter().copied().collect());
        let result = (stage, Position(position), signal);
        self.does(|inference, seat, out| inference.on_computed(seat, run, result, None, &mut |it| out.push(it)))
    }

    fn is_asked(&mut self, from: NodeId, stage: Stage, position: u16) -> Result<(), Rejection> {
        let pull = Pull { run: self.run.id, stage, position: Position(position) };
        self.does(|inference, seat, out| inference.on_pull(seat, from, &pull, &mut |it| out.push(it)))
    }

    fn waited(&mut self, stage: Stage) -> Result<(), Rejection> {
        self.does(|inference, seat, out| inference.on_escalate(seat, stage, &mut |it| out.push(it)))
    }

    fn is_told(&mut self, from: NodeId, attest: Attest<C>) -> Result<(), Rejection> {
        let signature = C::sign(&from, &0);
        self.does(|inference, seat, out| inference.on_attest(seat, from, attest, signature, &mut |it| out.push(it)))
    }

    /// The next part, if there are certificates for all of it.
    fn work(&self) -> Option<Work<C>> {
        let work = self.inference.work(&Seat { cluster: self.cluster, me: self.me, key: &self.me });
        assert_eq!(work.as_ref().map(|work| (work.run, work.committed)), self.inference.certified());
        work
    }

    /// A round is over, and the next one begins.
    fn ends_round(&mut self) {
        self.does(|inference, seat, out| {
            inference.retransmit(seat, &mut |it| out.push(it));
            inference.begin_round(seat.me);
            Ok(())
        })
        .unwrap();
    }

    /// What its host was asked to compute since the last time, and for whom.
    fn asked_to_compute(&mut self) -> Vec<(Stage, u16, Option<NodeId>)> {
        let asked = self.out.drain(..).filter_map(|output| match output {
            Output::Compute { stage, position, asker, .. } => Some((stage, position.0, asker)),
            _ => None,
        });
        asked.collect()
    }

    /// What it sent since the last time.
    fn sent(&mut self) -> Vec<(Kind, NodeSet)> {
        let sent = self.out.drain(..).filter_map(|output| match output {
            Output::Send { to, envelope, .. } => Some((envelope.message.kind(), to)),
            _ => None,
        });
        sent.collect()
    }
}

/// Owner, other owner, reserve of `stage`, and who is not assigned to it.
fn seats(run: &Run<C>, stage: Stage) -> [NodeId; 4] {
    let placement = &run.active.placement;
    let outside = (0..4).map(NodeId).find(|node| !placement.set(stage).contains(*node));
    let all: Vec<NodeId> = placement.assigned(stage).chain(outside).collect();
    all.try_into().unwrap()
}

#[test]
fn the_parts_under_way_have_room_for_all_their_tokens() {
    let most = u8::try_from(MAX_TOKENS_PER_EPOCH).unwrap();
    let cluster = cluster(most);
    let run = run(&cluster, u16::from(most) * 2);
    let [owner, other, reserve, outside] = seats(&run, LAST);
    let mut follower = Member::new(&cluster, outside, &run);
    let first = seats(&run, FIRST);
    assert!(first.contains(&outside), "it takes in what the last stage gives");
    for position in 2..2 + u16::from(most) * 2 {
        for from in [owner, other] {
            follower.hears(from, LAST, position, &[7]).unwrap();
        }
    }
    assert_eq!(follower.inference.fresh.len(), usize::from(most) * 2);
    assert_eq!(follower.hears(reserve, LAST, 34, &[7]), Err(Rejection::Invalid), "the request ends there");
}

#[test]
fn a_signal_is_certain_by_f_plus_one_assigned_members_in_turn() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let [owner, other, reserve, outside] = seats(&run, FIRST);
    let mut member = Member::new(&cluster, reserve, &run);
    assert_eq!(member.hears(outside, FIRST, 0, &[5]), Err(Rejection::Unauthorised));
    assert_eq!(member.hears(reserve, FIRST, 0, &[5]), Err(Rejection::Unauthorised), "nobody hears from itself");
    assert_eq!(member.hears(owner, FIRST, 0, &[]), Err(Rejection::Invalid));
    assert_eq!(member.hears(owner, FIRST, 0, &[5; 5]), Err(Rejection::Invalid), "the model's signals are shorter");
    assert_eq!(member.hears(owner, FIRST, 8, &[5; 4]), Err(Rejection::Invalid), "no input is there");
    assert!(matches!(member.hears(owner, FIRST, 1, &[5; 4]), Err(Rejection::Early(_))));
    assert_eq!(member.hears(owner, FIRST, 0, &[5; 4]), Ok(()));
    assert_eq!(member.hears(owner, FIRST, 0, &[5; 4]), Err(Rejection::Duplicate));
    assert!(member.inference.awaits(FIRST, Position(0)) && !member.inference.awaits(FIRST, Position(1)));
    assert_eq!(member.hears(other, FIRST, 0, &[5; 4]), Ok(()));
    assert!(member.inference.awaits(FIRST, Position(1)));
    assert_eq!(member.hears(other, FIRST, 0, &[5; 4]), Err(Rejection::Stale));
    for position in 1..6 {
        for from in [owner, other] {
            member.hears(from, FIRST, position, &[5]).unwrap();
        }
    }
    assert!(!member.inference.awaits(FIRST, Position(6)), "two parts of two tokens end there");
    assert!(matches!(member.hears(owner, FIRST, 6, &[5]), Err(Rejection::Early(_))));
}

#[test]
fn the_last_stage_gives_tokens_of_the_vocabulary_from_the_end_of_the_prompt_on() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let [owner, other, reserve, _] = seats(&run, LAST);
    let mut member = Member::new(&cluster, reserve, &run);
    assert_eq!(member.hears(owner, LAST, 1, &[5]), Err(Rejection::Stale));
    assert_eq!(member.hears(owner, LAST, 2, &[96]), Err(Rejection::Invalid));
    assert_eq!(member.hears(owner, LAST, 2, &[5, 5]), Err(Rejection::Invalid));
    assert_eq!(member.hears(owner, LAST, 2, &[95]), Ok(()));
    assert_eq!(member.hears(other, LAST, 2, &[95]), Ok(()));
    assert_eq!(member.inference.fresh, [95]);
}

#[test]
fn an_owner_computes_once_what_its_host_was_asked_for() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let [owner, other, ..] = seats(&run, FIRST);
    let mut member = Member::new(&cluster, owner, &run);
    assert_eq!(member.asked_to_compute().first(), Some(&(FIRST, 0, None)));
    assert_eq!(member.computed(FIRST, 1, &[5]), Err(Rejection::Stale));
    assert_eq!(member.computed(FIRST, 0, &[]), Err(Rejection::Invalid));
    assert_eq!(member.computed(FIRST, 0, &[5]), Ok(()));
    let audience: NodeSet = (0..4).map(NodeId).filter(|node| *node != owner).collect();
    assert_eq!(member.sent(), [(Kind::StageOutput, audience)]);
    // One position ahead of the others is not asked for twice.
    let ahead = member.inference.desks[0].computed;
    assert_eq!((ahead, member.inference.desks[0].next), (Position(1), Position(0)));
    assert!(!member.inference.desks[0].busy, "not beyond what is certain");
    assert_eq!(member.computed(FIRST, 1, &[5]), Err(Rejection::Stale), "its host was not asked");
    member.hears(other, FIRST, 0, &[5]).unwrap();
    assert_eq!(member.asked_to_compute(), [(FIRST, 1, None)]);
}

#[test]
fn a_member_answers_once_in_a_round_and_only_who_needs_it() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let [owner, other, reserve, outside] = seats(&run, LAST);
    let mut member = Member::new(&cluster, owner, &run);
    let assigned = run.active.placement.assigned(FIRST);
    let others: Vec<NodeId> = assigned.filter(|node| *node != owner).take(2).collect();
    for position in 0..3 {
        others.iter().for_each(|from| member.hears(*from, FIRST, position, &[5]).unwrap());
    }
    assert_eq!(member.inference.desks[0].next, Position(3));
    assert_eq!(member.asked_to_compute().last(), Some(&(LAST, 2, None)));
    member.computed(LAST, 2, &[9]).unwrap();
    assert_eq!(member.is_asked(owner, LAST, 2), Err(Rejection::Unauthorised), "by itself");
    assert_eq!(member.is_asked(other, LAST, 1), Err(Rejection::Invalid), "the last stage says nothing there");
    assert_eq!(member.is_asked(other, LAST, 8), Err(Rejection::Invalid), "no input is there");
    assert_eq!(member.is_asked(other, LAST, 2), Ok(()));
    assert_eq!(member.asked_to_compute(), [(LAST, 2, Some(other))]);
    assert_eq!(member.is_asked(other, LAST, 2), Err(Rejection::Duplicate));
    assert_eq!(member.is_asked(reserve, LAST, 2), Ok(()));
    assert_eq!(member.is_asked(outside, LAST, 2), Ok(()), "its stage consumes the tokens");
    member.inference.begin_round(owner);
    assert_eq!(member.is_asked(other, LAST, 2), Ok(()));
    assert_eq!(member.is_asked(other, LAST, 3), Err(Rejection::Stale), "it has no more, and works already");
}

#[test]
fn a_reserve_steps_in_at_a_disagreement_a_silence_or_a_question() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let [owner, other, reserve, outside] = seats(&run, FIRST);
    let works = |member: &Member<'_>| member.inference.standing(FIRST).unwrap().works;
    // Nobody disagrees.
    let mut member = Member::new(&cluster, reserve, &run);
    let watches = |member: &mut Member<'_>| {
        let timers = member
            .out
            .drain(..)
            .filter(|output| matches!(output, Output::SetTimer { timer: Timer::Escalate { stage: FIRST, .. }, .. }));
        timers.count()
    };
    assert_eq!(watches(&mut member), 1);
    member.hears(owner, FIRST, 0, &[5]).unwrap();
    assert!(!works(&member) && watches(&mut member) == 0);
    member.hears(other, FIRST, 0, &[5]).unwrap();
    assert!(!works(&member));
    assert_eq!(member.waited(FIRST), Ok(()), "they went on meanwhile");
    assert!(!works(&member) && member.inference.suspects().is_empty());
    assert_eq!(watches(&mut member), 1, "they are given time again");
    // One of them falls silent.
    member.hears(owner, FIRST, 1, &[5]).unwrap();
    assert_eq!(member.waited(FIRST), Ok(()));
    assert!(works(&member));
    assert_eq!(member.inference.suspects(), NodeSet::EMPTY.with(other));
    let mut again = member.inference.clone();
    again.clear();
    assert_eq!(again.suspects(), NodeSet::EMPTY.with(other), "what is known about members stays");
    assert!(again.works_at_once(reserve, &run, FIRST));
    assert_eq!(member.waited(FIRST), Err(Rejection::Stale), "nobody is waited for");
    // They disagree.
    let mut member = Member::new(&cluster, reserve, &run);
    member.hears(owner, FIRST, 0, &[5]).unwrap();
    member.hears(other, FIRST, 0, &[6]).unwrap();
    assert!(works(&member) && member.asked_to_compute().contains(&(FIRST, 0, None)));
    // Who is not assigned sees the disagreement too.
    let mut member = Member::new(&cluster, outside, &run);
    assert!(tracks(outside, &run, FIRST));
    member.hears(owner, FIRST, 0, &[5]).unwrap();
    member.hears(other, FIRST, 0, &[6]).unwrap();
    assert!(!works(&member));
    // It is asked.
    let mut member = Member::new(&cluster, reserve, &run);
    assert_eq!(member.is_asked(other, FIRST, 0), Ok(()));
    assert!(works(&member));
}

/// How long the timers run that were started for a reserve of `FIRST`.
fn watched_for(member: &mut Member<'_>) -> Vec<u32> {
    let timers = member.out.drain(..).filter_map(|output| match output {
        Output::SetTimer { timer: Timer::Escalate { stage: FIRST, .. }, after } => Some(after.0),
        _ => None,
    });
    timers.collect()
}

#[test]
fn a_reserve_gives_the_stages_behind_their_time_once_its_own_is_done() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let [owner, other, reserve, _] = seats(&run, FIRST);
    let lasts: Vec<NodeId> = run.active.placement.assigned(LAST).filter(|node| *node != reserve).take(2).collect();
    let patience = cluster.timing.escalate.0;
    let mut member = Member::new(&cluster, reserve, &run);
    assert_eq!(watched_for(&mut member), [patience]);
    for position in 0..3 {
        [owner, other].iter().for_each(|from| member.hears(*from, FIRST, position, &[5]).unwrap());
    }
    assert_eq!(member.inference.desks[0].next, Position(3), "the first token is not known");
    assert_eq!(watched_for(&mut member), [], "one timer at a time");
    assert_eq!(member.waited(FIRST), Ok(()), "they went on meanwhile");
    assert_eq!(watched_for(&mut member), [], "nothing is there to be computed");
    // The first token is the input of the last position of the part.
    lasts.iter().for_each(|from| member.hears(*from, LAST, 2, &[9]).unwrap());
    assert_eq!(watched_for(&mut member), [patience]);
    [owner, other].iter().for_each(|from| member.hears(*from, FIRST, 3, &[5]).unwrap());
    assert_eq!(member.waited(FIRST), Ok(()));
    assert_eq!(watched_for(&mut member), [2 * patience], "the part is over, and the last stage has its time");
    lasts.iter().for_each(|from| member.hears(*from, LAST, 3, &[9]).unwrap());
    assert_eq!(watched_for(&mut member), [patience], "the next part has its first input");
    assert_eq!(member.waited(FIRST), Ok(()));
    assert!(member.inference.standing(FIRST).unwrap().works);
}

#[test]
fn nobody_asks_for_what_a_stage_is_at_work_on() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let [owner, other, reserve, _] = seats(&run, FIRST);
    let mut member = Member::new(&cluster, reserve, &run);
    let round = |member: &mut Member<'_>| {
        member.out.clear();
        member.ends_round();
        let asked = member.out.drain(..).filter_map(|output| match output {
            Output::Send { envelope, .. } => match envelope.message {
                Message::Pull(pull) if pull.stage == FIRST => Some(pull.position.0),
                _ => None,
            },
            _ => None,
        });
        asked.collect::<Vec<_>>()
    };
    assert_eq!(round(&mut member), [], "it just got its input");
    assert_eq!(round(&mut member), [0], "a whole round passed");
    [owner, other].iter().for_each(|from| member.hears(*from, FIRST, 0, &[5]).unwrap());
    assert_eq!(round(&mut member), [], "they are at the next position");
    assert_eq!(round(&mut member), [1]);
    for position in 1..3 {
        [owner, other].iter().for_each(|from| member.hears(*from, FIRST, position, &[5]).unwrap());
    }
    assert_eq!([round(&mut member), round(&mut member)], [[], []], "the stage lacks its input");
}

#[test]
fn an_attestation_fits_its_part_or_is_refused() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let name = run.active.request.digest(&cluster);
    let [owner, other, _, outside] = seats(&run, LAST);
    let mut member = Member::new(&cluster, outside, &run);
    let attest = |stage: Stage, committed: u16, tokens: &[u8], output: u64| {
        let tokens: Tokens = tokens.iter().copied().collect();
        Attest { claim: Claim { run: run.id, committed, stage, input: 71, output }, tokens }
    };
    let behind = |tokens: &[u8]| {
        let start = first_link(&cluster, &name, Stage(2));
        tokens.iter().fold(start, |link, token| extend(&cluster, &link, &[*token]))
    };
    let good = attest(LAST, 0, &[9, 8], behind(&[9, 8]));
    assert_eq!(member.is_told(outside, good.clone()), Err(Rejection::Unauthorised));
    for bad in [
        attest(LAST, 0, &[9], behind(&[9])),
        attest(LAST, 0, &[9, 96], behind(&[9, 96])),
        attest(LAST, 0, &[9, 8], behind(&[9, 7])),
        attest(FIRST, 0, &[9, 8], 72),
    ] {
        let from = if bad.claim.stage == FIRST {
            seats(&run, FIRST).into_iter().find(|node| *node != outside)
        } else {
            Some(owner)
        };
        assert_eq!(member.is_told(from.unwrap(), bad.clone()), Err(Rejection::Invalid), "{bad:?}");
    }
    let later = attest(LAST, 2, &[7, 6], behind(&[9, 8, 7, 6]));
    assert!(matches!(member.is_told(owner, later.clone()), Err(Rejection::Early(_))), "the first part is not known");
    assert_eq!(member.is_told(owner, good.clone()), Ok(()));
    assert_eq!(member.is_told(owner, good.clone()), Err(Rejection::Duplicate));
    assert_eq!(member.is_told(other, good), Ok(()));
    assert!(!member.inference.has_computed(outside), "its own stage is not done");
}

/// The links of the first part, when the last stage gives `tokens`.
fn links(cluster: &Cluster<C, N>, run: &Run<C>, tokens: &[u8]) -> [u64; 3] {
    let input = run.input_link(cluster, tokens, run.part(0).unwrap().end).unwrap();
    [input, 71, run.output_link(cluster, tokens).unwrap()]
}

#[test]
fn equal_attestations_of_every_stage_make_the_work_and_convict_the_rest() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let tokens = [9, 8];
    let links = links(&cluster, &run, &tokens);
    let me = seats(&run, FIRST)[3];
    let attest = |stage: Stage, input: u64, output: u64| {
        let tokens: Tokens = if stage == LAST { tokens.into_iter().collect() } else { Tokens::new() };
        Attest { claim: Claim { run: run.id, committed: 0, stage, input, output }, tokens }
    };
    let accused = |member: &mut Member<'_>| {
        let evidence = member.out.drain(..).filter_map(|output| match output {
            Output::Evidence(evidence) => Some(evidence.accused),
            _ => None,
        });
        evidence.collect::<Vec<_>>()
    };
    let [liar, owner, reserve, _] = seats(&run, FIRST);
    let lasts: Vec<NodeId> = run.active.placement.assigned(LAST).filter(|node| *node != me).take(2).collect();
    // The liar speaks before it is contradicted, or after.
    for early in [true, false] {
        let mut member = Member::new(&cluster, me, &run);
        let lie = attest(FIRST, links[0], 70);
        if early {
            member.is_told(liar, lie.clone()).unwrap();
        }
        member.is_told(owner, attest(FIRST, links[0], links[1])).unwrap();
        lasts.iter().for_each(|from| member.is_told(*from, attest(LAST, links[1], links[2])).unwrap());
        assert_eq!(member.work(), None, "only one says so of the first stage");
        assert_eq!(accused(&mut member), []);
        member.is_told(reserve, attest(FIRST, links[0], links[1])).unwrap();
        let work = member.work().unwrap();
        assert_eq!((work.tokens.as_slice(), work.links.as_slice()), (&tokens[..], &links[..]));
        if !early {
            assert_eq!(accused(&mut member), []);
            member.is_told(liar, lie).unwrap();
        }
        assert_eq!(accused(&mut member), [liar]);
    }
    // Other inputs are another question.
    let mut member = Member::new(&cluster, me, &run);
    member.is_told(liar, attest(FIRST, 69, 70)).unwrap();
    [owner, reserve].iter().for_each(|from| member.is_told(*from, attest(FIRST, links[0], links[1])).unwrap());
    lasts.iter().for_each(|from| member.is_told(*from, attest(LAST, links[1], links[2])).unwrap());
    assert!(member.work().is_some());
    assert_eq!(accused(&mut member), []);
}

#[test]
fn a_member_attests_what_it_computed_and_others_agree_on_and_says_so_again() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let [owner, other, reserve, _] = seats(&run, FIRST);
    let everybody: NodeSet = (0..4).map(NodeId).collect();
    for (me, own, attests) in [(owner, Some(5), true), (owner, Some(6), false), (reserve, None, false)] {
        let mut member = Member::new(&cluster, me, &run);
        let lasts: Vec<NodeId> = run.active.placement.assigned(LAST).filter(|node| *node != me).take(2).collect();
        for position in 0..4 {
            if let Some(own) = own {
                // The last of its results is its own.
                let result = if position == 3 { own } else { 5 };
                member.computed(FIRST, position, &[result]).unwrap();
            }
            for from in [owner, other, reserve].into_iter().filter(|from| *from != me).take(2) {
                let _ = member.hears(from, FIRST, position, &[5]);
            }
            if position >= 2 {
                lasts.iter().for_each(|from| member.hears(*from, LAST, position, &[9]).unwrap());
            }
        }
        assert_eq!(member.inference.desks[0].next, Position(4));
        let attestation = (Kind::Attest, everybody.without(me));
        assert_eq!(member.sent().contains(&attestation), attests, "by {me:?}, whose last result is {own:?}");
        member
            .does(|inference, seat, out| {
                inference.retransmit(seat, &mut |it| out.push(it));
                Ok(())
            })
            .unwrap();
        assert_eq!(member.sent().contains(&attestation), attests, "again");
    }
}

#[test]
fn who_has_no_inputs_of_a_stage_is_not_asked_for_them() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let [owner, _, reserve, outside] = seats(&run, FIRST);
    for (me, outcome) in [(outside, Rejection::Unauthorised), (reserve, Rejection::Invalid)] {
        let mut member = Member::new(&cluster, me, &run);
        let mut asked = |from| {
            let recall = Recall { run: run.id, stage: FIRST, position: Position(0) };
            member.does(|inference, seat, out| inference.on_recall(seat, from, &recall, &mut |it| out.push(it)))
        };
        assert_eq!(asked(owner), Err(outcome), "nothing is committed yet");
        assert_eq!(asked(me), Err(Rejection::Unauthorised), "by itself");
    }
}

#[test]
fn who_followed_a_part_to_its_end_goes_on_and_who_did_not_asks_what_its_host_has() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let name = run.active.request.digest(&cluster);
    let tokens: Tokens = [9, 9].into_iter().collect();
    let middle =
        [5; 4].iter().fold(first_link(&cluster, &name, LAST), |link, signal| extend(&cluster, &link, &[*signal]));
    let [input, _, output] = links(&cluster, &run, &tokens);
    let links: Links<C> = [input, middle, output].into_iter().collect();
    let state = Head::Genesis.state().advance(&cluster, Epoch(1), &run.active, &tokens, &links);
    for (me, follows) in (0..4).flat_map(|node| [(NodeId(node), true), (NodeId(node), false)]) {
        let mut member = Member::new(&cluster, me, &run);
        for (stage, position) in (0..4).map(|at| (FIRST, at)).chain([(LAST, 2), (LAST, 3)]) {
            let assigned = run.active.placement.assigned(stage).filter(|node| *node != me && follows);
            for from in assigned.take(2).collect::<Vec<_>>() {
                member.hears(from, stage, position, if stage == LAST { &[9] } else { &[5] }).unwrap();
            }
        }
        member.out.clear();
        member
            .does(|inference, seat, out| {
                inference.follow(seat, &state, &mut |it| out.push(it));
                Ok(())
            })
            .unwrap();
        let assigns = member.out.iter().any(|output| matches!(output, Output::Assign { .. }));
        assert_eq!(assigns, !follows, "{me:?}");
        let needs = !follows && run.active.placement.set(LAST).contains(me);
        assert_eq!(member.inference.standing(LAST).unwrap().has_past, !needs, "{me:?}");
        assert!(member.inference.standing(FIRST).unwrap().has_past, "tokens are in the run itself");
        // What its host was told and nobody confirmed it passes on to nobody.
        let [of_first, of_last] = [FIRST, LAST].map(|stage| run.active.placement.set(stage).contains(me));
        let source = match (of_last && follows, of_first) {
            (true, true) => Some(Source::Both),
            (true, false) => Some(Source::Inputs),
            (false, true) => Some(Source::Outputs),
            (false, false) => None,
        };
        let fellow = run.active.placement.assigned(LAST).find(|node| *node != me).unwrap();
        let recall = Recall { run: run.id, stage: LAST, position: Position(0) };
        member.out.clear();
        let answer =
            member.does(|inference, seat, out| inference.on_recall(seat, fellow, &recall, &mut |it| out.push(it)));
        assert_eq!(answer.is_ok(), source.is_some(), "{me:?}");
        let supplied = member.out.iter().find_map(|output| match output {
            Output::Supply { source, .. } => Some(*source),
            _ => None,
        });
        assert_eq!(supplied, source, "{me:?}");
        assert_eq!(member.inference.run().unwrap().committed(), 2);
    }
}
