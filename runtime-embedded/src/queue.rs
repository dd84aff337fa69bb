//! Frames that wait for peers, in one room for all of them: nearly all that a
//! node says goes to all its peers, and lies here once.
//!
//! When there is no more room the oldest are dropped: the newest say most, and
//! the protocol survives loss. What a step says is *staged* first and leaves
//! only once it is released, after the step's record is durable. A frame that
//! leaves in parts stays where it is until the last of them has left.
//!
//! What is said *again* takes nobody's place. It is the answer to somebody who
//! lacks something, and of outputs in their order whoever asked needs the first
//! before it can use the others. Or it is a *round* of retransmission: that may
//! be more than there is room for, so the next round goes on where it ended. If
//! the oldest made room, the same would be lost each time, and two devices could
//! wait for each other for ever.
//!
//! Each peer has a right to its *part* of the room, and is told again no more
//! than that. What is new may be more: what waits for nobody but peers that have
//! more than their part is dropped first, and gives way to what others are told
//! again as well. A peer that has taken nothing for many rounds is *quiet*: what
//! waits for nobody but quiet ones gives way to all others. So a faulty peer
//! keeps no room from the others, and a slow one keeps what it was told again
//! until it takes it.

#[cfg(test)]
mod tests;

use core::iter::successors;

use butterfly_kernel::machine::Transmission;
use butterfly_kernel::types::{NodeId, NodeSet};
use butterfly_record::Source;
use heapless::Vec;

/// Bytes in front of a frame: its length, who has still to get it, and those to
/// whom a part of it has left.
const HEAD: usize = 4;

/// Most members: a set of them is a byte.
const MEMBERS: u8 = 8;

/// Rounds after which a peer is quiet that had something to take and took nothing.
const QUIET: u8 = 8;

/// Into how many parts the room is divided among `members`: one for each peer
/// that may be faulty, and one more.
const fn parts(members: usize) -> usize {
    (members.saturating_sub(1) / 3).saturating_add(1)
}

/// The least room that is enough among `members` for messages of `longest`
/// bytes: one in each part.
pub(crate) const fn least_room(members: usize, longest: usize) -> usize {
    assert!(members <= MEMBERS as usize, "a set of members is a byte");
    HEAD.saturating_add(longest).saturating_mul(parts(members))
}

/// Some of the peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Peers(u8);

/// A frame in its place.
#[derive(Clone, Copy, Debug)]
struct Entry {
    begin: usize,
    end: usize,
    /// Who has still to get it.
    to: Peers,
    /// Those of them to whom a part of it has left. It is the oldest of each.
    begun: Peers,
}

/// How far a round of retransmission is.
#[derive(Debug)]
struct Round {
    /// Frames that it has brought.
    brought: u16,
    /// As many of them were said by the rounds before.
    begins: u16,
    /// The first for which there was no room: the next round begins there.
    ends: Option<u16>,
}

/// What is kept of one peer.
#[derive(Debug)]
struct Peer {
    round: Round,
    /// Rounds that began since it took something, while it had something to take.
    idle: u8,
    dropped: u32,
}

/// Frames in order, `BYTES` in all, for the peers among `N` members.
#[derive(Debug)]
pub(crate) struct Queues<const N: usize, const BYTES: usize> {
    bytes: Vec<u8, BYTES>,
    /// Those before it may leave.
    released: usize,
    in_round: bool,
    peers: [Peer; N],
}

/// What waits for one peer.
#[derive(Debug)]
pub struct Queue<'q, const N: usize, const BYTES: usize> {
    queues: &'q mut Queues<N, BYTES>,
    peer: NodeId,
}

impl<const N: usize, const BYTES: usize> Queue<'_, N, BYTES> {
    /// The oldest frame that may leave.
    pub fn front(&self) -> Option<&[u8]> {
        let Entry { begin, end, .. } = self.queues.front(self.peer)?;
        self.queues.bytes.get(begin.saturating_add(HEAD)..end)
    }

    /// A part of the oldest frame has left: it stays until it is popped.
    pub fn begin(&mut self) {
        if let Some(front) = self.queues.front(self.peer) {
            self.queues.note_taken(self.peer);
            self.queues.update(Entry { begun: front.begun.union(Peers::one(self.peer)), ..front });
        }
    }

    /// What has left of the oldest frame is lost: it may be dropped again.
    pub fn rewind(&mut self) {
        if let Some(front) = self.queues.front(self.peer) {
            self.queues.update(Entry { begun: front.begun.difference(Peers::one(self.peer)), ..front });
        }
    }

    /// Takes out the oldest frame that may leave. Says whether there was one.
    pub fn pop(&mut self) -> bool {
        let Some(front) = self.queues.front(self.peer) else { return false };
        self.queues.note_taken(self.peer);
        let taken = Peers::one(self.peer);
        self.queues.update(Entry { to: front.to.difference(taken), begun: front.begun.difference(taken), ..front });
        true
    }

    /// Frames for this peer that were dropped.
    pub fn dropped(&self) -> u32 {
        self.queues.peers.get(self.peer.index()).map_or(0, |peer| peer.dropped)
    }
}

impl<const N: usize, const BYTES: usize> Queues<N, BYTES> {
    /// Bytes to which each peer has a right.
    const PART: usize = BYTES / parts(N);

    /// Nothing waits.
    pub(crate) const fn new() -> Self {
        Queues {
            bytes: Vec::new(),
            released: 0,
            in_round: false,
            peers: [const { Peer { round: Round::new(), idle: 0, dropped: 0 } }; N],
        }
    }

    /// What waits for `peer`.
    pub(crate) fn of(&mut self, peer: NodeId) -> Queue<'_, N, BYTES> {
        Queue { queues: self, peer }
    }

    /// Those for whom something waits that may leave.
    pub(crate) fn waiting(&self) -> NodeSet {
        let waiting = self.released().fold(Peers::EMPTY, |all, entry| all.union(entry.to));
        waiting.among(everybody()).collect()
    }

    /// What is staged up to the next release belongs to a round of retransmission.
    pub(crate) fn begin_round(&mut self) {
        self.in_round = true;
        self.peers.iter_mut().for_each(|peer| peer.round.begin());
        let waiting = self.having_more(0);
        for peer in waiting.among(self.peers.iter_mut()) {
            peer.idle = peer.idle.saturating_add(1);
        }
    }

    /// Lets everything staged leave.
    pub(crate) fn release(&mut self) {
        self.in_round = false;
        self.released = self.bytes.len();
    }

    /// Stages `frame` for those of `to` for whom there is room.
    pub(crate) fn stage(&mut self, to: NodeSet, frame: &(impl Source + ?Sized), transmission: Transmission) {
        let length = frame.length();
        let needed = HEAD.saturating_add(length);
        let to = Peers::of::<N>(to);
        // No message that a member may send is longer than a part.
        let Some(length) = u16::try_from(length).ok().filter(|_| needed <= Self::PART) else {
            return self.count_dropped(to);
        };
        let receivers = match transmission {
            _ if self.in_round => self.make_room_in_round(to, needed),
            _ => self.make_room(to, needed, transmission),
        };
        if !self.in_round {
            self.count_dropped(to.difference(receivers));
        }
        if receivers != Peers::EMPTY {
            let [low, high] = length.to_le_bytes();
            // There is room now.
            let _ = self.bytes.extend_from_slice(&[low, high, receivers.0, Peers::EMPTY.0]);
            frame.feed(&mut |piece| {
                let _ = self.bytes.extend_from_slice(piece);
            });
        }
    }

    /// Makes room for a frame, and says who gets it. One that is new is for all
    /// of `to`, in place of the oldest if need be, but not of one that has begun
    /// to leave. One that is said again is for those in whose part there is room.
    fn make_room(&mut self, to: Peers, needed: usize, transmission: Transmission) -> Peers {
        let is_new = transmission == Transmission::First;
        let receivers = match transmission {
            Transmission::First => to,
            Transmission::Again => to.difference(self.having_more(Self::PART.saturating_sub(needed))),
        };
        let kept = total(self.entries().filter(|entry| entry.begun != Peers::EMPTY));
        if receivers == Peers::EMPTY || needed > BYTES.saturating_sub(kept) {
            return Peers::EMPTY;
        }
        while BYTES.saturating_sub(self.bytes.len()) < needed {
            let Some(entry) = self.giving_way(receivers, needed, is_new) else { return Peers::EMPTY };
            self.count_dropped(entry.to);
            self.update(Entry { to: Peers::EMPTY, ..entry });
        }
        receivers
    }

    /// The same for a frame of a round: it is said to those whose turn it is.
    fn make_room_in_round(&mut self, to: Peers, needed: usize) -> Peers {
        let mut turn = Peers::EMPTY;
        for (node, peer) in to.among(everybody().zip(&mut self.peers)) {
            if peer.round.brings() {
                turn = turn.union(Peers::one(node));
            }
        }
        let receivers = self.make_room(turn, needed, Transmission::Again);
        for peer in turn.difference(receivers).among(self.peers.iter_mut()) {
            peer.round.end();
        }
        receivers
    }

    /// The frame that is dropped next for one that `receivers` are to get: the
    /// oldest of those for nobody but peers that are quiet or have more than
    /// their part, with the new one. If there is none, what is new displaces the
    /// oldest of all, but not if all of `receivers` have more than their part.
    fn giving_way(&self, receivers: Peers, needed: usize, is_new: bool) -> Option<Entry> {
        let with_it = self.having_more(Self::PART.saturating_sub(needed)).intersection(receivers);
        let overfull = self.having_more(Self::PART).union(with_it);
        let quiet = self.quiet();
        let giving = if is_new || !receivers.is_within(quiet) { overfull.union(quiet) } else { overfull };
        let first = self.displaceable().find(|entry| entry.to.is_within(giving));
        first.or_else(|| self.displaceable().next().filter(|_| is_new && !receivers.is_within(overfull)))
    }

    /// Those for whom more than so many bytes wait.
    fn having_more(&self, bytes: usize) -> Peers {
        let having_more = |node: &NodeId| total(self.entries().filter(|entry| entry.to.contains(*node))) > bytes;
        everybody().filter(having_more).fold(Peers::EMPTY, |all, node| all.union(Peers::one(node)))
    }

    /// Those who have taken nothing for many rounds.
    fn quiet(&self) -> Peers {
        let quiet = self.peers.iter().zip(everybody()).filter(|(peer, _)| peer.idle >= QUIET);
        quiet.fold(Peers::EMPTY, |all, (_, node)| all.union(Peers::one(node)))
    }

    fn note_taken(&mut self, peer: NodeId) {
        if let Some(peer) = self.peers.get_mut(peer.index()) {
            peer.idle = 0;
        }
    }

    fn count_dropped(&mut self, peers: Peers) {
        for peer in peers.among(self.peers.iter_mut()) {
            peer.dropped = peer.dropped.saturating_add(1);
        }
    }

    /// The oldest frame for `peer` that may leave.
    fn front(&self, peer: NodeId) -> Option<Entry> {
        self.released().find(|entry| entry.to.contains(peer))
    }

    /// Those that may leave.
    fn released(&self) -> impl Iterator<Item = Entry> {
        self.entries().take_while(|entry| entry.begin < self.released)
    }

    /// Those that have not begun to leave.
    fn displaceable(&self) -> impl Iterator<Item = Entry> {
        self.entries().filter(|entry| entry.begun == Peers::EMPTY)
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        successors(self.entry_at(0), |entry| self.entry_at(entry.end))
    }

    fn entry_at(&self, begin: usize) -> Option<Entry> {
        let (head, _) = self.bytes.get(begin..)?.split_first_chunk::<HEAD>()?;
        let [low, high, to, begun] = *head;
        let end = begin.saturating_add(HEAD).saturating_add(usize::from(u16::from_le_bytes([low, high])));
        Some(Entry { begin, end: end.min(self.bytes.len()), to: Peers(to), begun: Peers(begun) })
    }

    /// Writes down who has still to get a frame; takes it out if there is nobody.
    fn update(&mut self, entry: Entry) {
        let Entry { begin, end, to, begun } = entry;
        if to == Peers::EMPTY {
            let left = self.bytes.len().saturating_sub(entry.length());
            self.bytes.copy_within(end.., begin);
            self.bytes.truncate(left);
            if self.released > begin {
                self.released = self.released.saturating_sub(entry.length());
            }
        } else if let Some([_, _, its_to, its_begun]) =
            self.bytes.get_mut(begin..).and_then(|bytes| bytes.first_chunk_mut::<HEAD>())
        {
            (*its_to, *its_begun) = (to.0, begun.0);
        }
    }
}

/// Bytes that all of them take.
fn total(entries: impl Iterator<Item = Entry>) -> usize {
    entries.fold(0, |bytes, entry| bytes.saturating_add(entry.length()))
}

impl Entry {
    /// Bytes that it takes.
    fn length(self) -> usize {
        self.end.saturating_sub(self.begin)
    }
}

impl Round {
    const fn new() -> Self {
        Round { brought: 0, begins: 0, ends: None }
    }

    /// Begins the next one.
    fn begin(&mut self) {
        *self = Round { brought: 0, begins: self.ends.unwrap_or(0), ends: None };
    }

    /// The round brings another frame: says whether that is to be said.
    fn brings(&mut self) -> bool {
        let place = self.brought;
        self.brought = place.saturating_add(1);
        place >= self.begins && self.ends.is_none()
    }

    /// There is no room for the frame that it brought last.
    fn end(&mut self) {
        self.ends = Some(self.brought.saturating_sub(1));
    }
}

impl Peers {
    const EMPTY: Peers = Peers(0);

    fn one(peer: NodeId) -> Self {
        Peers(1_u8.checked_shl(u32::from(peer.0)).unwrap_or(0))
    }

    /// Those of `nodes` that are among the first `N`.
    fn of<const N: usize>(nodes: NodeSet) -> Self {
        let among = everybody().take(N).filter(|node| nodes.contains(*node));
        among.fold(Peers::EMPTY, |all, node| all.union(Peers::one(node)))
    }

    /// Those of either.
    fn union(self, others: Peers) -> Self {
        Peers(self.0 | others.0)
    }

    /// Those of both.
    fn intersection(self, others: Peers) -> Self {
        Peers(self.0 & others.0)
    }

    fn difference(self, others: Peers) -> Self {
        Peers(self.0 & !others.0)
    }

    fn contains(self, peer: NodeId) -> bool {
        self.0 & Peers::one(peer).0 != 0
    }

    fn is_within(self, others: Peers) -> bool {
        self.difference(others) == Peers::EMPTY
    }

    /// What there is of them in `all`, where each member has its place.
    fn among<T>(self, all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        everybody().zip(all).filter(move |(node, _)| self.contains(*node)).map(|(_, its)| its)
    }
}

fn everybody() -> impl Iterator<Item = NodeId> {
    (0..MEMBERS).map(NodeId)
}
