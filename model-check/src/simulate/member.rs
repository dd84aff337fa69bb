//! One member as its host sees it: the kernel, its timers, what is too early
//! for it, and what survives when it ends.

use std::collections::VecDeque;
use std::rc::Rc;

use butterfly_kernel::cluster::{Cluster, Seat};
use butterfly_kernel::crypto::Verified;
use butterfly_kernel::machine::{Place, Timer};
use butterfly_kernel::message::{Envelope, Message};
use butterfly_kernel::node::{Node, Record, RecordError, Role};
use butterfly_kernel::types::{Epoch, NodeId, Position, Stage};
use butterfly_kernel::wire;

use super::Crypto;
use super::queue::Micros;
use super::setting::Kill;
use super::stages::Executor;
use super::storage::{Storage, StorageError};

/// More than any message or record takes.
const ROOM: usize = 16 * 1024;
/// Messages kept for one author, as in the daemon.
const QUOTA: usize = 256;

/// A message whose signatures were checked, shared by all who get it: in an
/// ideal world a signature is good for one if it is good for another.
pub(crate) struct Packet<const N: usize> {
    pub(crate) verified: Verified<Envelope<Crypto<N>, N>>,
    /// Of author, kind and statement.
    pub(crate) fingerprint: u64,
}

/// A process ends in its next step that has any outputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fuse {
    /// After so many of them.
    pub(crate) outputs: u64,
    /// Because of this.
    pub(crate) fault: usize,
}

/// A member.
pub(crate) struct Member<const N: usize> {
    pub(crate) me: NodeId,
    /// None while its process is not running.
    pub(crate) node: Option<Box<Node<Crypto<N>, N>>>,
    /// What is durable.
    pub(crate) storage: Storage,
    /// The last epoch that is durable here.
    pub(crate) durable: Epoch,
    /// Its disk was damaged since it began: once in each life a record must bear that.
    pub(crate) damaged: bool,
    /// Its stages give wrong results, and its kernel stands by them.
    pub(crate) wrong: bool,
    /// The fault that ended its last life, and with which the next one begins.
    pub(crate) downed_by: Option<usize>,
    /// An image of its disk that is put back later.
    pub(crate) image: Option<Vec<u8>>,
    /// Room to encode in.
    room: Box<[u8; ROOM]>,
    pub(crate) executor: Executor<N>,
    /// Counts its lives: what was meant for an earlier one is dropped.
    pub(crate) boot: u32,
    timers: Vec<(Timer, Micros)>,
    waiting: VecDeque<(Place, Rc<Packet<N>>)>,
    /// It takes nothing in before this.
    pub(crate) paused_until: Micros,
    /// What one input costs it.
    pub(crate) toil: Micros,
    /// When it is done with its last input.
    pub(crate) busy_until: Micros,
    /// When it is done with what it computes.
    pub(crate) computes_until: Micros,
    /// Percent of a timer's time that pass before it runs out.
    pub(crate) drift: u64,
    pub(crate) fuse: Option<Fuse>,
}

impl<const N: usize> Member<N> {
    pub(crate) fn new(me: NodeId, on_disk: bool) -> Member<N> {
        let mut first = Vec::new();
        encode_into(&Record::<Crypto<N>>::first(Role::Replica), &mut first);
        Member {
            me,
            node: None,
            storage: Storage::new(on_disk, me.0, &first),
            durable: Epoch::GENESIS,
            damaged: false,
            wrong: false,
            downed_by: None,
            image: None,
            room: Box::new([0; ROOM]),
            executor: Executor::default(),
            boot: 0,
            timers: Vec::new(),
            waiting: VecDeque::new(),
            paused_until: 0,
            toil: 0,
            busy_until: 0,
            computes_until: 0,
            drift: 100,
            fuse: None,
        }
    }

    /// Its process begins, from what is durable. What it computed may have
    /// been kept in checkpoints, or not.
    pub(crate) fn begin(
        &mut self,
        cluster: &Cluster<Crypto<N>, N>,
        record: Option<Record<Crypto<N>>>,
        keeps_checkpoints: bool,
    ) -> Result<(), RecordError> {
        let seat = Seat { cluster, me: self.me, key: &self.me };
        let node = Node::new(&seat, record)?;
        self.node = Some(Box::new(node));
        if !keeps_checkpoints {
            self.executor = Executor::default();
        }
        self.boot += 1;
        self.timers.clear();
        self.waiting.clear();
        self.fuse = None;
        (self.busy_until, self.computes_until) = (0, 0);
        self.damaged = false;
        Ok(())
    }

    /// Its process ends at once, because of `fault`.
    pub(crate) fn end(&mut self, fault: usize) {
        self.downed_by = Some(fault);
        self.stop();
    }

    /// Its process ends at once.
    pub(crate) fn stop(&mut self) {
        self.node = None;
        self.fuse = None;
        self.storage.close();
    }

    /// How many layers of the model `stage` has in the run under way.
    pub(crate) fn layers(&self, stage: Stage) -> u64 {
        let run = self.node.as_ref().and_then(|node| node.run());
        run.map_or(0, |run| run.active.placement.layers(stage).map(|_| 1).sum())
    }

    /// Whether it is whom `kill` means, about to compute `position` of `stage`.
    pub(crate) fn is_meant(&self, kill: &Kill, stage: Stage, position: Position) -> bool {
        let run = self.node.as_ref().and_then(|node| node.run());
        (stage, position) == (kill.stage, kill.position)
            && run.is_some_and(|run| run.active.placement.rank(stage, self.me) == Some(kill.rank))
    }

    /// Makes the node's record durable, as it is now.
    pub(crate) fn persist(&mut self) -> Result<(), StorageError> {
        let Some(node) = &self.node else { return Ok(()) };
        let bytes = wire::encode(&node.record(), &mut *self.room).expect("less than a slot holds");
        self.storage.write(bytes)
    }

    /// Starts `timer`, or starts it again.
    pub(crate) fn set_timer(&mut self, timer: Timer, due: Micros) {
        match self.timers.iter_mut().find(|(set, _)| *set == timer) {
            Some((_, set)) => *set = due,
            None => self.timers.push((timer, due)),
        }
    }

    /// Whether `timer` is set to run out at `due`: then it is taken.
    pub(crate) fn take_timer(&mut self, timer: Timer, due: Micros) -> bool {
        let place = self.timers.iter().position(|set| *set == (timer, due));
        place.map(|place| self.timers.swap_remove(place)).is_some()
    }

    /// `timer`, if it is due at `due`, is due later.
    pub(crate) fn put_off_timer(&mut self, timer: Timer, due: Micros, later: Micros) {
        if let Some((_, set)) = self.timers.iter_mut().find(|set| **set == (timer, due)) {
            *set = later;
        }
    }

    /// Every timer that is set, moved by `shift`, but not to before `now`.
    pub(crate) fn shift_timers(&mut self, now: Micros, shift: impl Fn(Micros) -> Micros) -> Vec<(Timer, Micros)> {
        self.timers.iter_mut().for_each(|(_, due)| *due = shift(*due).max(now));
        self.timers.clone()
    }

    /// Drops the timers of epochs before `open`: they would be inert.
    pub(crate) fn drop_timers_before(&mut self, open: Epoch) {
        self.timers.retain(|(timer, _)| match timer {
            Timer::View { epoch, .. } | Timer::Escalate { epoch, .. } => *epoch >= open,
            Timer::Retransmit => true,
        });
    }

    /// Keeps what came too early, if its place is near and its author has room.
    pub(crate) fn park(&mut self, cluster: &Cluster<Crypto<N>, N>, place: Place, packet: &Rc<Packet<N>>) {
        let Some(node) = &self.node else { return };
        let seat = Seat { cluster, me: self.me, key: &self.me };
        let author = packet.verified.get().from;
        let held = self.waiting.iter().filter(|(_, held)| held.verified.get().from == author).count();
        let known = || self.waiting.iter().any(|(_, held)| held.verified == packet.verified);
        if node.is_near(&seat, &place) && held < QUOTA && !known() {
            self.waiting.push_back((place, Rc::clone(packet)));
        }
    }

    /// The oldest message whose place is reached.
    pub(crate) fn take_ready(&mut self) -> Option<Rc<Packet<N>>> {
        let node = self.node.as_ref()?;
        let place = self.waiting.iter().position(|(place, _)| node.reached(place))?;
        self.waiting.remove(place).map(|(_, packet)| packet)
    }
}

impl<const N: usize> Packet<N> {
    /// The agreement message that it carries, with its epoch.
    pub(crate) fn agreement(&self) -> Option<(Epoch, &butterfly_kernel::message::AgreementMessage<Crypto<N>, N>)> {
        match &self.verified.get().message {
            Message::Agreement { epoch, message } => Some((*epoch, message)),
            _ => None,
        }
    }
}

/// The canonical encoding of `value`, in place of what `bytes` held.
pub(crate) fn encode_into<T: serde::Serialize>(value: &T, bytes: &mut Vec<u8>) {
    bytes.resize(ROOM, 0);
    let length = wire::encode(value, bytes).expect("less than what a slot of the vote record holds").len();
    bytes.truncate(length);
}
