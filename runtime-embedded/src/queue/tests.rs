//! Nothing leaves before it is released, the room never grows, and nobody who
//! takes nothing keeps it from the others.

use std::collections::VecDeque;
use std::vec;
use std::vec::Vec;

use super::{HEAD, NodeId, NodeSet, QUIET, Queue, Queues, Transmission, least_room};
use Transmission::{Again, First};

fn nodes(nodes: &[u8]) -> NodeSet {
    nodes.iter().copied().map(NodeId).collect()
}

fn drain<const N: usize, const BYTES: usize>(mut queue: Queue<'_, N, BYTES>) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(frame) = queue.front() {
        frames.push(frame.to_vec());
        queue.pop();
    }
    frames
}

/// `count` frames, each of `length` bytes with its head.
fn frames(count: u8, length: usize) -> Vec<Vec<u8>> {
    (0..count).map(|byte| vec![byte; length - HEAD]).collect()
}

/// What a node says to its only peer.
impl<const BYTES: usize> Queues<2, BYTES> {
    fn say(&mut self, frame: &[u8]) {
        self.stage(nodes(&[1]), frame, First);
    }

    fn only(&mut self) -> Queue<'_, 2, BYTES> {
        self.of(NodeId(1))
    }
}

#[test]
fn what_is_staged_leaves_when_it_is_released_in_order() {
    let mut queues = Queues::<2, 64>::new();
    queues.say(b"first");
    assert_eq!(queues.only().front(), None);
    assert!(!queues.only().pop(), "and is not taken");
    assert_eq!(queues.waiting(), NodeSet::EMPTY);
    queues.release();
    queues.say(b"second");
    assert_eq!(drain(queues.only()), [b"first".to_vec()]);
    queues.release();
    assert_eq!(drain(queues.only()), [b"second".to_vec()]);
    queues.release();
    assert_eq!(queues.waiting(), NodeSet::EMPTY);
}

#[test]
fn the_oldest_make_room() {
    let mut queues = Queues::<2, 24>::new();
    for byte in 0..5_u8 {
        queues.say(&[byte; 6]);
        queues.release();
    }
    assert_eq!(drain(queues.only()), [vec![3; 6], vec![4; 6]]);
    assert_eq!(queues.only().dropped(), 3);
}

#[test]
fn a_frame_that_never_fits_is_dropped_alone() {
    let mut queues = Queues::<2, 24>::new();
    queues.say(b"stays");
    queues.say(&[0; 21]);
    queues.release();
    assert_eq!(drain(queues.only()), [b"stays".to_vec()]);
    assert_eq!(queues.only().dropped(), 1);
}

/// Nobody could take it, and it would wait for ever in front of all others.
#[test]
fn a_frame_longer_than_any_message_is_dropped() {
    let mut queues = Queues::<4, 40>::new();
    queues.stage(nodes(&[1, 2]), &[1; 17], First);
    queues.stage(nodes(&[1]), &[2; 16], First);
    queues.release();
    assert_eq!(drain(queues.of(NodeId(1))), [[2; 16]]);
    assert_eq!(queues.of(NodeId(2)).dropped(), 1);
}

#[test]
fn a_frame_that_has_begun_to_leave_stays() {
    let mut queues = Queues::<2, 36>::new();
    for byte in 0..3_u8 {
        queues.say(&[byte; 6]);
    }
    queues.release();
    queues.only().begin();
    queues.say(&[3; 6]);
    // It would fit, were it not for the one that leaves.
    queues.say(&[4; 24]);
    queues.release();
    assert_eq!(drain(queues.only()), [vec![0; 6], vec![2; 6], vec![3; 6]]);
    assert_eq!(queues.only().dropped(), 2);
}

#[test]
fn a_frame_whose_parts_were_lost_leaves_again_or_makes_room() {
    let mut queues = Queues::<2, 24>::new();
    queues.say(&[0; 6]);
    queues.say(&[1; 6]);
    queues.release();
    queues.only().begin();
    queues.only().rewind();
    assert_eq!(queues.only().front(), Some(&[0; 6][..]));
    queues.say(&[2; 6]);
    assert_eq!(drain(queues.only()), [vec![1; 6]]);
    queues.release();
    assert_eq!(drain(queues.only()), [vec![2; 6]]);
}

#[test]
fn what_is_dropped_while_it_is_staged_releases_nothing() {
    let mut queues = Queues::<2, 36>::new();
    queues.say(&[0; 6]);
    queues.release();
    queues.only().begin();
    for byte in 1..5_u8 {
        queues.say(&[byte; 6]);
    }
    assert_eq!(queues.only().dropped(), 2);
    assert_eq!(drain(queues.only()), [vec![0; 6]]);
}

#[test]
fn every_peer_gets_what_is_said_to_it() {
    let mut queues = Queues::<4, 64>::new();
    for peer in 1..4 {
        queues.stage(nodes(&[peer]), &[peer], First);
    }
    queues.stage(nodes(&[1, 3, 4, 9]), b"both", First);
    assert_eq!(queues.waiting(), NodeSet::EMPTY, "nothing leaves before it is released");
    queues.release();
    assert_eq!(queues.waiting(), nodes(&[1, 2, 3]), "there is no fifth member");
    assert_eq!(drain(queues.of(NodeId(1))), [vec![1], b"both".to_vec()]);
    assert_eq!(queues.waiting(), nodes(&[2, 3]));
    assert_eq!(drain(queues.of(NodeId(2))), [vec![2]]);
    assert_eq!(drain(queues.of(NodeId(3))), [vec![3], b"both".to_vec()]);
    assert!(queues.bytes.is_empty(), "nobody has still to get it");
}

#[test]
fn what_is_said_to_all_lies_there_once() {
    let mut queues = Queues::<4, 60>::new();
    let frames = frames(3, 20);
    frames.iter().for_each(|frame| queues.stage(nodes(&[1, 2, 3]), frame, First));
    queues.release();
    for peer in 1..4 {
        assert_eq!(queues.bytes.len(), 60);
        assert_eq!(drain(queues.of(NodeId(peer))), frames);
        assert_eq!(queues.of(NodeId(peer)).dropped(), 0);
    }
    assert!(queues.bytes.is_empty());
}

#[test]
fn each_peer_has_begun_a_frame_of_its_own() {
    let mut queues = Queues::<4, 60>::new();
    let all = nodes(&[1, 2, 3]);
    let frames = frames(6, 20);
    frames[..3].iter().for_each(|frame| queues.stage(all, frame, First));
    queues.release();
    queues.of(NodeId(1)).begin();
    queues.of(NodeId(2)).pop();
    queues.of(NodeId(2)).begin();
    frames[3..].iter().for_each(|frame| queues.stage(all, frame, First));
    queues.release();
    let kept = |places: [usize; 3]| places.map(|at| frames[at].clone());
    assert_eq!(drain(queues.of(NodeId(1))), kept([0, 1, 5]));
    assert_eq!(drain(queues.of(NodeId(2))), kept([1, 5, 0])[..2]);
    assert_eq!(drain(queues.of(NodeId(3))), kept([0, 1, 5]), "it lay there anyway");
    // Both have left, so they make room as before.
    frames[..4].iter().for_each(|frame| queues.stage(all, frame, First));
    queues.release();
    assert_eq!(drain(queues.of(NodeId(1))), frames[1..4]);
}

/// What the only peer hears of `frames`.
fn said(queues: &mut Queues<2, 66>, frames: &[Vec<u8>], transmission: Transmission) -> Vec<Vec<u8>> {
    frames.iter().for_each(|frame| queues.stage(nodes(&[1]), frame, transmission));
    queues.release();
    drain(queues.only())
}

#[test]
fn of_an_answer_the_first_part_is_said() {
    let mut queues = Queues::new();
    let frames = frames(7, 22);
    assert_eq!(said(&mut queues, &frames, First), frames[4..], "of what is new the last");
    assert_eq!(said(&mut queues, &frames, Again), frames[..3]);
    queues.stage(nodes(&[1]), &frames[0], Again);
    assert_eq!(said(&mut queues, &frames[1..4], First), frames[1..4], "what is new comes first");
    assert_eq!(queues.only().dropped(), 4 + 4 + 1);
}

#[test]
fn rounds_go_on_where_the_one_before_ended() {
    let mut queues = Queues::new();
    let frames = frames(7, 22);
    let mut round = |frames: &[Vec<u8>]| {
        queues.begin_round();
        said(&mut queues, frames, First)
    };
    assert_eq!(round(&frames), frames[..3]);
    assert_eq!(round(&frames), frames[3..6]);
    assert_eq!(round(&frames), frames[6..]);
    assert_eq!(round(&frames), frames[..3], "and from the beginning");
    assert_eq!(round(&frames[..2]), [] as [Vec<u8>; 0], "there is less to say by now");
    assert_eq!(round(&frames[..2]), frames[..2]);
    assert_eq!(said(&mut queues, &frames, First), frames[4..], "the round is over");
}

#[test]
fn the_round_of_each_peer_goes_on_where_its_own_ended() {
    let mut queues = Queues::<4, 80>::new();
    let frames = frames(5, 20);
    let mut round = |takes: &[u8]| {
        queues.begin_round();
        frames.iter().for_each(|frame| queues.stage(nodes(&[1, 2]), frame, Again));
        queues.release();
        takes.iter().map(|peer| drain(queues.of(NodeId(*peer)))).collect::<Vec<_>>()
    };
    assert_eq!(round(&[1]), [&frames[..2]], "a part is half the room");
    assert_eq!(round(&[1]), [&frames[2..4]], "for the other the first two go on waiting");
    assert_eq!(round(&[1, 2]), [&frames[4..], &frames[..2]]);
    assert_eq!(round(&[1, 2]), [&frames[..2], &frames[2..4]]);
}

/// Three peers, some of which are silent: the others hear at once and in order
/// what they are told, which is less than a part in one step, however it is said.
struct Beside {
    silent: &'static [u8],
    queues: Queues<4, 200>,
}

impl Beside {
    fn new(silent: &'static [u8]) -> Self {
        Beside { silent, queues: Queues::new() }
    }

    /// Frames of step `step` that are said to all by `say`.
    fn hear(&mut self, step: u8, say: impl Fn(&mut Queues<4, 200>, &[u8])) {
        let frames: Vec<Vec<u8>> = (0..4).map(|at| vec![step; 16 + at]).collect();
        frames.iter().for_each(|frame| say(&mut self.queues, frame));
        self.queues.release();
        for peer in (1..4).filter(|peer| !self.silent.contains(peer)) {
            assert_eq!(drain(self.queues.of(NodeId(peer))), frames, "in step {step} beside {:?}", self.silent);
            assert_eq!(self.queues.of(NodeId(peer)).dropped(), 0);
        }
    }

    /// Silent ones are told something alone.
    fn tell_silent(&mut self) {
        for (peer, transmission) in self.silent.iter().flat_map(|peer| [(*peer, First), (*peer, Again)]) {
            self.queues.stage(nodes(&[peer]), &[peer; 16], transmission);
        }
    }
}

const SILENT: [&[u8]; 4] = [&[1], &[3], &[2, 3], &[1, 2]];

#[test]
fn peers_that_take_nothing_keep_no_room_from_the_others() {
    for (silent, transmission) in SILENT.into_iter().flat_map(|silent| [(silent, First), (silent, Again)]) {
        let mut beside = Beside::new(silent);
        for step in 0..50 {
            beside.hear(step, |queues, frame| queues.stage(nodes(&[1, 2, 3]), frame, transmission));
        }
        let mut beside = Beside::new(silent);
        for step in 0..50 {
            beside.queues.begin_round();
            beside.hear(step, |queues, frame| queues.stage(nodes(&[1, 2, 3]), frame, transmission));
        }
    }
}

#[test]
fn neither_do_peers_that_ask_and_do_not_take_the_answers() {
    for (silent, transmission) in SILENT.into_iter().flat_map(|silent| [(silent, First), (silent, Again)]) {
        let mut beside = Beside::new(silent);
        // Of four one may be faulty: two are noticed after some rounds.
        for _ in 0..QUIET * u8::from(silent.len() > 1) {
            beside.tell_silent();
            beside.queues.release();
            beside.queues.begin_round();
            beside.queues.release();
        }
        for step in 0..50 {
            beside.tell_silent();
            beside.hear(step, |queues, frame| {
                queues.stage(nodes(&[1, 2, 3]), frame, transmission);
                silent.iter().for_each(|peer| queues.stage(nodes(&[*peer]), &[*peer; 16], First));
            });
        }
        for peer in silent {
            assert!(!drain(beside.queues.of(NodeId(*peer))).is_empty(), "and yet something waits for them");
        }
    }
}

#[test]
fn what_waits_for_a_silent_peer_is_the_newest() {
    let mut beside = Beside::new(&[3]);
    for step in 0..50 {
        beside.hear(step, |queues, frame| queues.stage(nodes(&[1, 2, 3]), frame, First));
    }
    let kept = drain(beside.queues.of(NodeId(3)));
    let last: Vec<(u8, usize)> = kept.iter().map(|frame| (frame[0], frame.len())).collect();
    assert_eq!(last, [47, 48, 49].map(|step| [16, 17, 18, 19].map(|length| (step, length))).concat()[3..]);
}

#[test]
fn whoever_stops_in_the_middle_of_a_message_leaves_room_for_the_longest_of_others() {
    const LONGEST: usize = 100;
    const BYTES: usize = least_room(4, LONGEST);
    for transmission in [First, Again] {
        let mut queues = Queues::<4, BYTES>::new();
        let begun = vec![99; LONGEST];
        queues.stage(nodes(&[1, 2, 3]), &begun, First);
        queues.release();
        queues.of(NodeId(3)).begin();
        assert_eq!(drain(queues.of(NodeId(1))), [&*begun]);
        assert_eq!(drain(queues.of(NodeId(2))), [&*begun]);
        for step in 0..9_u8 {
            let long = vec![step; LONGEST];
            queues.stage(nodes(&[1, 2, 3]), &long, transmission);
            queues.stage(nodes(&[3]), &[step; 9], First);
            queues.release();
            assert_eq!(queues.of(NodeId(3)).front(), Some(&*begun), "it is not over");
            for peer in [1, 2] {
                assert_eq!(drain(queues.of(NodeId(peer))), [&*long], "in step {step}");
            }
        }
        queues.of(NodeId(3)).rewind();
        queues.stage(nodes(&[1]), &[0; LONGEST], First);
        queues.stage(nodes(&[2]), &[0; LONGEST], First);
        assert_ne!(queues.of(NodeId(3)).front(), Some(&*begun), "its connection was given up");
    }
}

#[test]
fn there_is_room_for_a_message_of_each_faulty_peer_and_one_more() {
    assert_eq!([1, 3, 4, 6, 7].map(|members| least_room(members, 96)), [100, 100, 200, 200, 300]);
}

#[test]
fn what_is_said_again_displaces_nothing_of_those_who_have_no_more_than_their_part() {
    let mut queues = Queues::<4, 80>::new();
    let frames = frames(6, 20);
    for (peer, at) in [(1, 0), (2, 2)] {
        frames[at..at + 3].iter().for_each(|frame| queues.stage(nodes(&[peer]), frame, Again));
    }
    for round in 0..QUIET - 1 {
        queues.stage(nodes(&[1, 2, 3]), &frames[5], Again);
        queues.begin_round();
        queues.stage(nodes(&[3]), &frames[5], First);
        queues.release();
        assert_eq!(queues.of(NodeId(3)).dropped(), u32::from(round) + 1);
    }
    assert_eq!(drain(queues.of(NodeId(3))), [] as [Vec<u8>; 0]);
    assert_eq!(drain(queues.of(NodeId(1))), frames[..2]);
    assert_eq!(drain(queues.of(NodeId(2))), frames[2..4]);
}

#[test]
fn who_has_more_than_its_part_gives_way_to_others() {
    let mut queues = Queues::<4, 120>::new();
    let frames = frames(12, 20);
    frames[..6].iter().for_each(|frame| queues.stage(nodes(&[3]), frame, First));
    frames[6..].iter().for_each(|frame| queues.stage(nodes(&[1, 2, 3]), frame, Again));
    queues.release();
    for peer in [1, 2] {
        assert_eq!(drain(queues.of(NodeId(peer))), frames[6..9]);
    }
    assert_eq!(drain(queues.of(NodeId(3))), frames[3..6], "and nothing in place of what was dropped");
}

#[test]
fn who_is_quiet_gives_way_to_those_who_are_not() {
    let mut queues = Queues::<4, 80>::new();
    let frames = frames(8, 20);
    let again = |queues: &mut Queues<4, 80>, peer, at: usize| {
        frames[at..at + 2].iter().for_each(|frame| queues.stage(nodes(&[peer]), frame, Again));
        queues.release();
    };
    again(&mut queues, 1, 0);
    again(&mut queues, 2, 2);
    for _ in 0..QUIET {
        again(&mut queues, 3, 4);
        assert_eq!(queues.of(NodeId(3)).front(), None);
        queues.begin_round();
        queues.release();
    }
    // The first has taken something since.
    queues.of(NodeId(1)).begin();
    queues.of(NodeId(1)).rewind();
    again(&mut queues, 3, 4);
    assert_eq!(drain(queues.of(NodeId(1))), frames[..2]);
    assert_eq!(drain(queues.of(NodeId(2))), [] as [Vec<u8>; 0]);
    assert_eq!(drain(queues.of(NodeId(3))), frames[4..6]);
}

#[test]
fn when_all_are_quiet_what_is_said_again_displaces_nothing() {
    let mut queues = Queues::<4, 120>::new();
    let frames = frames(9, 20);
    let its = |peer: u8| &frames[usize::from(peer - 1) * 3..][..3];
    for _ in 0..2 * QUIET {
        queues.begin_round();
        for (at, peer) in (0..3).flat_map(|at| (1..4).map(move |peer| (at, peer))) {
            queues.stage(nodes(&[peer]), &its(peer)[at], Again);
        }
        queues.release();
    }
    for peer in 1..4 {
        assert_eq!(drain(queues.of(NodeId(peer))), its(peer)[..2]);
    }
}

#[test]
fn answers_that_nobody_takes_displace_each_other() {
    let mut queues = Queues::<4, 120>::new();
    let frames = frames(9, 20);
    frames[..6].iter().for_each(|frame| queues.stage(nodes(&[1, 2, 3]), frame, First));
    for _ in 0..50 {
        frames[6..].iter().for_each(|answer| queues.stage(nodes(&[3]), answer, First));
    }
    queues.release();
    for peer in [1, 2] {
        assert_eq!(drain(queues.of(NodeId(peer))), frames[3..6]);
    }
    assert_eq!(drain(queues.of(NodeId(3))), frames[3..], "several fit in its part");
}

#[test]
fn what_is_for_nobody_displaces_nothing() {
    let mut queues = Queues::<4, 40>::new();
    let mine = [[1; 16], [2; 16]];
    mine.iter().for_each(|frame| queues.stage(nodes(&[1]), frame, First));
    queues.stage(nodes(&[]), &[3; 16], First);
    queues.stage(nodes(&[4, 70]), &[4; 16], First);
    queues.release();
    assert_eq!(drain(queues.of(NodeId(1))), mine);
}

/// Whether each of three peers hears all of a round of `count` frames, each of
/// which takes one frame in as many rounds as `pauses` say.
fn hears_all(count: u8, length: usize, pauses: [u32; 3]) -> bool {
    let mut queues = Queues::<4, 160>::new();
    let mut heard = [0_u32; 3];
    for step in 1..1_000 {
        queues.begin_round();
        frames(count, length).iter().for_each(|frame| queues.stage(nodes(&[1, 2, 3]), frame, Again));
        queues.release();
        for ((peer, pause), heard) in (1..).map(NodeId).zip(pauses).zip(&mut heard) {
            let Some(front) = queues.of(peer).front().map(|frame| frame[0]).filter(|_| step % pause == 0) else {
                continue;
            };
            queues.of(peer).pop();
            *heard |= 1 << front;
        }
    }
    heard.iter().all(|heard| *heard == (1 << count) - 1)
}

#[test]
fn slow_peers_hear_all_of_a_long_round_in_the_end() {
    for (count, length) in (2..16).step_by(3).flat_map(|count| (10..72).step_by(9).map(move |length| (count, length))) {
        for pauses in [[1, 1, 1], [1, 1, 2], [1, 2, 3], [1, 3, 5], [2, 3, 5], [1, 1, 7], [5, 7, 7]] {
            assert!(hears_all(count, length, pauses), "{count} frames of {length} bytes, {pauses:?}");
        }
    }
}

/// A peer of the model: what waits for it, and what may leave.
#[derive(Default)]
struct Model {
    waiting: VecDeque<Vec<u8>>,
    begun: bool,
}

/// Whatever is said and taken, each peer hears what was said to it, in order and
/// once, what has begun to leave stays, and there is never more than room for it.
#[test]
fn whatever_happens_each_peer_hears_in_order() {
    const BYTES: usize = least_room(7, 60);
    let mut draws =
        (1..).map(|at: u64| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ at).wrapping_mul(0xD134_2543_DE82_EF95) >> 40);
    let mut draw = move |below: u64| draws.next().unwrap() % below;
    let mut queues = Queues::<7, BYTES>::new();
    let mut peers: [Model; 7] = Default::default();
    let mut heard = 0;
    for number in 0..40_000_u32 {
        match draw(8) {
            0..3 => {
                let to: NodeSet = (1..7).map(NodeId).filter(|_| draw(3) > 0).collect();
                let frame = [&number.to_le_bytes()[..], &vec![0; draw(57) as usize]].concat();
                queues.stage(to, &frame, if draw(2) == 0 { First } else { Again });
                to.iter().for_each(|peer| peers[peer.index()].waiting.push_back(frame.clone()));
            }
            3 => queues.release(),
            4 => queues.begin_round(),
            // Some are slow.
            _ => {
                let peer = (1 + draw(6).min(draw(6))) as u8;
                let model = &mut peers[usize::from(peer)];
                let mut queue = queues.of(NodeId(peer));
                let Some(front) = queue.front().map(<[u8]>::to_vec) else { continue };
                if model.begun {
                    assert_eq!(model.waiting.front(), Some(&front), "it has begun");
                }
                while model.waiting.front() != Some(&front) {
                    assert!(model.waiting.pop_front().is_some(), "it was said to it, and not before");
                }
                model.begun = match draw(4) {
                    0 => true,
                    1 => false,
                    _ => {
                        assert!(queue.pop());
                        model.waiting.pop_front();
                        heard += 1;
                        false
                    }
                };
                match model.begun {
                    true => queue.begin(),
                    false if model.waiting.front() == Some(&front) => queue.rewind(),
                    false => {}
                }
            }
        }
        let entries: Vec<_> = queues.entries().collect();
        assert_eq!(entries.last().map_or(0, |entry| entry.end), queues.bytes.len());
        assert!(entries.iter().all(|entry| entry.begun.is_within(entry.to) && entry.to != super::Peers::EMPTY));
    }
    assert!(heard > 2_000, "{heard} is little");
}
