//! Every local state, offer and network gets a number the first time it is
//! met, and every step of the kernel is taken once. A state of the world is
//! then a few numbers, and exploring it is looking up.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::types::NodeId;

use super::faulty::Offer;
use super::network::{Breach, Fact, Network};
use super::replica::{Step, Witness};
use super::setting::{Ballot, Machine, Setting};
use crate::symbolic::Value;

/// The number of a thing in its table.
pub type Id = u32;

/// One honest node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Local {
    /// It takes part.
    Running {
        /// Who it is.
        me: NodeId,
        /// The kernel's state.
        machine: Box<Machine>,
    },
    /// It has decided. It rejects everything, which is tried before this is
    /// believed; so nothing else of its state matters.
    Decided {
        /// Who it is.
        me: NodeId,
        /// By which quorum.
        path: Path,
        /// What, and where.
        ballot: Ballot,
    },
}

/// A step of one node, as the world sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// What happens to the node.
    pub offer: Id,
    /// The node afterwards.
    pub local: Id,
    /// The network afterwards.
    pub network: Id,
}

/// What is asked of a network again and again.
pub struct Verdict {
    /// Values for which a decision certificate can exist.
    pub decidable: BTreeSet<Value>,
    /// Whether a contract was broken.
    pub breached: bool,
}

/// The tables of one world.
#[derive(Default)]
pub struct Tables {
    /// Honest nodes.
    pub locals: Numbers<Local>,
    /// What can happen.
    pub offers: Numbers<Offer>,
    /// What is true.
    pub networks: Numbers<Network>,
    /// Branches that were taken.
    pub seen: BTreeSet<Witness>,
    verdicts: Vec<Arc<Verdict>>,
    news: Numbers<BTreeSet<Fact>>,
    /// By network and receiver.
    on_offer: HashMap<(Id, NodeId), Arc<[Id]>>,
    /// By network and news.
    unions: HashMap<(Id, Id), Id>,
    /// By local state and offer: the local state after it, and the news.
    effects: HashMap<(Id, Id), Option<(Id, Id)>>,
    /// By local state and network.
    moves: HashMap<(Id, Id), Arc<[Move]>>,
}

impl Tables {
    /// The steps that the node in state `local` can take.
    pub fn moves(&mut self, setting: &Setting, local: Id, network: Id) -> Arc<[Move]> {
        if let Some(moves) = self.moves.get(&(local, network)) {
            return Arc::clone(moves);
        }
        let running = match self.locals.get(local) {
            Local::Running { me, machine } => Some((*me, machine.clone())),
            Local::Decided { .. } => None,
        };
        let mut moves = Vec::new();
        if let Some((me, machine)) = running {
            let offers = self.on_offer(setting, network, me);
            for offer in offers.iter().copied() {
                let Some((after, news)) = self.effect(setting, (me, &machine), (local, offer), &offers) else {
                    continue;
                };
                let union = self.union(setting, network, news);
                if (after, union) != (local, network) {
                    moves.push(Move { offer, local: after, network: union });
                }
            }
        }
        let moves: Arc<[Move]> = moves.into();
        self.moves.insert((local, network), Arc::clone(&moves));
        moves
    }

    /// The number of the state that `step` leads to, with its news added to
    /// `network`.
    pub fn admit(&mut self, setting: &Setting, me: NodeId, step: Step, network: Id) -> (Id, Id) {
        let (local, news) = self.settle(me, step);
        (local, self.union(setting, network, news))
    }

    /// The number of `network`.
    pub fn network(&mut self, setting: &Setting, network: Network) -> Id {
        let verdict = Verdict { decidable: network.decidable(setting), breached: network.breaches().next().is_some() };
        let id = self.networks.number(network);
        if self.verdicts.len() < self.networks.len() {
            self.verdicts.push(Arc::new(verdict));
        }
        id
    }

    /// What holds in the network with this number.
    pub fn verdict(&self, network: Id) -> Arc<Verdict> {
        Arc::clone(&self.verdicts[index(network)])
    }

    fn on_offer(&mut self, setting: &Setting, network: Id, me: NodeId) -> Arc<[Id]> {
        if let Some(offers) = self.on_offer.get(&(network, me)) {
            return Arc::clone(offers);
        }
        let offers = setting.offers(self.networks.get(network), me);
        let offers: Arc<[Id]> = offers.into_iter().map(|offer| self.offers.number(offer)).collect();
        self.on_offer.insert((network, me), Arc::clone(&offers));
        offers
    }

    fn effect(
        &mut self,
        setting: &Setting,
        (me, machine): (NodeId, &Machine),
        (local, offer): (Id, Id),
        others: &[Id],
    ) -> Option<(Id, Id)> {
        if let Some(effect) = self.effects.get(&(local, offer)) {
            return *effect;
        }
        let mut step = setting.step(me, machine, self.offers.get(offer));
        if step.machine.decision().is_some() {
            let acts = |other: &Id| setting.step(me, &step.machine, self.offers.get(*other)).changes(&step.machine);
            if others.iter().any(acts) {
                step.news.insert(Fact::Breach(Breach::DecidedNodeActed));
            }
        }
        self.seen.extend(step.seen.iter().copied());
        let effect = step.changes(machine).then(|| self.settle(me, step));
        self.effects.insert((local, offer), effect);
        effect
    }

    fn settle(&mut self, me: NodeId, step: Step) -> (Id, Id) {
        let local = match step.machine.decision() {
            None => Local::Running { me, machine: Box::new(step.machine) },
            Some(decision) => Local::Decided { me, path: decision.path, ballot: decision.ballot },
        };
        (self.locals.number(local), self.news.number(step.news))
    }

    fn union(&mut self, setting: &Setting, network: Id, news: Id) -> Id {
        if let Some(union) = self.unions.get(&(network, news)) {
            return *union;
        }
        let union = self.networks.get(network).with(setting, self.news.get(news));
        let union = self.network(setting, union);
        self.unions.insert((network, news), union);
        union
    }
}

/// Things by number, and numbers by thing. Exact: two things never share a number.
pub struct Numbers<T> {
    things: Vec<Arc<T>>,
    numbers: HashMap<Arc<T>, Id>,
}

impl<T: Eq + Hash> Numbers<T> {
    /// The number of `thing`, a new one if it was never met.
    pub fn number(&mut self, thing: T) -> Id {
        if let Some(id) = self.numbers.get(&thing) {
            return *id;
        }
        let id = Id::try_from(self.things.len()).expect("fewer than 2^32 things");
        let thing = Arc::new(thing);
        self.things.push(Arc::clone(&thing));
        self.numbers.insert(thing, id);
        id
    }

    /// The thing with this number.
    pub fn get(&self, id: Id) -> &T {
        &self.things[index(id)]
    }

    /// The same, to be kept.
    pub fn share(&self, id: Id) -> Arc<T> {
        Arc::clone(&self.things[index(id)])
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.things.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.things.is_empty()
    }
}

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Numbers { things: Vec::new(), numbers: HashMap::new() }
    }
}

fn index(id: Id) -> usize {
    usize::try_from(id).expect("a number of a table")
}
