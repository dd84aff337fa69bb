//! The inputs and outputs of this node's stages, for the request under way.
//!
//! The kernel asks for an output, for what a fellow lacks, and for what is held
//! of a run that is not at its beginning; the host only runs stages. In between
//! stands this: it keeps every input that is certain, hands the host those that
//! a stage has not taken yet, and answers from memory what was computed before.
//! No caches are kept over a restart: inputs are then recovered from fellows.

use std::collections::BTreeMap;

use butterfly_kernel::inference::run::{extend, first_link};
use butterfly_kernel::machine::Source;
use butterfly_kernel::message::inference::{History, MAX_HISTORY, Signal as KernelSignal, Signals};
use butterfly_kernel::types::{NodeId, Position, Stage};

use crate::protocol::{Cluster, Crypto, KernelInput, Run, RunId};
use crate::surface::{Signal, Work};

/// The stages of one node, and the work that its host was asked for.
#[derive(Debug, Default)]
pub struct Desks {
    run: Option<Run>,
    stages: BTreeMap<Stage, Desk>,
    asked: BTreeMap<u64, Asked>,
    /// The ticket after the last one that was given out.
    next_ticket: u64,
}

/// One stage.
#[derive(Debug, Default)]
struct Desk {
    inputs: BTreeMap<usize, KernelSignal>,
    outputs: BTreeMap<usize, KernelSignal>,
    /// The position after the last input that the host was given.
    given: usize,
}

/// An output that the host was asked for.
#[derive(Debug)]
struct Asked {
    stage: Stage,
    position: Position,
    purpose: Purpose,
}

/// What an output is computed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// The kernel asked for it; for a fellow, if one is named.
    Kernel(Option<NodeId>),
    /// A fellow lacks it as an input, and will ask again.
    Memory,
}

impl Desks {
    /// Turns to `run`, and says what is held of the inputs before its first position.
    pub(crate) fn assign(&mut self, cluster: &Cluster, me: NodeId, run: &Run) -> Vec<KernelInput> {
        if self.run.as_ref().map(|own| own.id) != Some(run.id) {
            self.stages.clear();
            self.asked.clear();
        }
        for stage in run.stages().filter(|stage| run.active.placement.set(*stage).contains(me)) {
            self.stages.entry(stage).or_default();
        }
        if let Some(first) = self.stages.get_mut(&Stage(0)) {
            let known = (0_u16..).map_while(|at| run.token_at(Position(at), &[]));
            first.inputs.extend(known.map(|token| core::iter::once(token).collect()).enumerate());
        }
        self.run = Some(run.clone());
        let name = run.active.request.digest(cluster);
        let held = self.stages.iter().filter(|(stage, _)| **stage != Stage(0)).map(|(stage, desk)| {
            let begin = (Position(0), first_link(cluster, &name, *stage));
            let signals = (0..run.first().index()).map_while(|at| desk.inputs.get(&at));
            let (upto, link) =
                signals.fold(begin, |(upto, link), signal| (upto.next(), extend(cluster, &link, signal)));
            KernelInput::Holding { run: run.id, stage: *stage, upto, link }
        });
        held.collect()
    }

    /// The run went on: what is committed of it now.
    pub(crate) fn follow(&mut self, run: &Run) {
        if self.run.as_ref().map(|own| own.id) == Some(run.id) {
            self.run = Some(run.clone());
        }
    }

    /// Keeps the input of `stage` at `position`. When there was another one,
    /// what was asked for behind it is asked for again.
    pub(crate) fn provide(&mut self, stage: Stage, position: Position, signal: KernelSignal) -> Vec<Work> {
        let Some(desk) = self.stages.get_mut(&stage) else { return Vec::new() };
        let before = desk.inputs.insert(position.index(), signal);
        if before.is_none() || before.as_ref() == desk.inputs.get(&position.index()) {
            return Vec::new();
        }
        desk.outputs.split_off(&position.index());
        desk.given = desk.given.min(position.index());
        let outdated = |asked: &Asked| asked.stage == stage && asked.position >= position;
        let tickets: Vec<u64> = self.asked.iter().filter(|(_, asked)| outdated(asked)).map(|(at, _)| *at).collect();
        let asked: Vec<Asked> = tickets.iter().filter_map(|ticket| self.asked.remove(ticket)).collect();
        asked.into_iter().filter_map(|asked| self.ask(asked)).collect()
    }

    /// What the kernel asks for: from memory, or work for the host.
    pub(crate) fn compute(&mut self, stage: Stage, position: Position, asker: Option<NodeId>) -> Made {
        if let Some((run, signal)) = self.run.as_ref().zip(self.output(stage, position)) {
            return Made::Known(Box::new(KernelInput::Computed { run: run.id, stage, position, signal, asker }));
        }
        match self.ask(Asked { stage, position, purpose: Purpose::Kernel(asker) }) {
            Some(work) => Made::Asked(work),
            None => Made::Nothing,
        }
    }

    /// The host did the work of `ticket`.
    ///
    /// # Errors
    /// When nobody waits for it.
    pub(crate) fn computed(&mut self, ticket: u64, output: &[u8]) -> Result<Option<KernelInput>, Unasked> {
        let signal = KernelSignal::from_slice(output).map_err(|_| Unasked::TooLong)?;
        let Asked { stage, position, purpose } = self.asked.remove(&ticket).ok_or(Unasked::Nobody)?;
        let run = self.run.as_ref().ok_or(Unasked::Nobody)?.id;
        if let Some(desk) = self.stages.get_mut(&stage) {
            desk.outputs.insert(position.index(), signal.clone());
        }
        Ok(match purpose {
            Purpose::Kernel(asker) => Some(KernelInput::Computed { run, stage, position, signal, asker }),
            Purpose::Memory => None,
        })
    }

    /// What a fellow lacks of the inputs of `stage` from `position` on, as far
    /// as it is here; and work whose output it will be given when it asks again.
    pub(crate) fn supply(
        &mut self,
        run: RunId,
        (stage, position): (Stage, Position),
        source: Source,
    ) -> (Option<History<Crypto>>, Vec<Work>) {
        let (mut signals, mut work) = (Signals::new(), Vec::new());
        if self.run.as_ref().map(|own| own.id) != Some(run) {
            return (None, work);
        }
        let before = stage.0.checked_sub(1).map(Stage).filter(|_| source.has_outputs());
        for at in (position.0..).map(Position).take(MAX_HISTORY) {
            let own = self.stages.get(&stage).filter(|_| source.has_inputs());
            let input = own.and_then(|desk| desk.inputs.get(&at.index())).cloned();
            let Some(signal) = input.or_else(|| before.and_then(|before| self.output(before, at))) else {
                let is_asked = |asked: &Asked| Some(asked.stage) == before && asked.position == at;
                let missing = before.filter(|_| !self.asked.values().any(is_asked));
                work.extend(
                    missing.and_then(|stage| self.ask(Asked { stage, position: at, purpose: Purpose::Memory })),
                );
                break;
            };
            // As many as there is room for.
            let _ = signals.push(signal);
        }
        ((!signals.is_empty()).then_some(History { run, stage, position, signals }), work)
    }

    fn output(&self, stage: Stage, position: Position) -> Option<KernelSignal> {
        self.stages.get(&stage)?.outputs.get(&position.index()).cloned()
    }

    /// Work for the host; none when an input is missing.
    fn ask(&mut self, asked: Asked) -> Option<Work> {
        let run = self.run.as_ref()?;
        let desk = self.stages.get_mut(&asked.stage)?;
        let first = desk.given.min(asked.position.index());
        let signals = (first..=asked.position.index()).map(|at| desk.inputs.get(&at));
        let inputs = signals.map(|signal| signal.map(|signal| Signal(signal.to_vec()))).collect::<Option<_>>()?;
        desk.given = asked.position.index().saturating_add(1);
        let ticket = self.next_ticket;
        self.next_ticket = ticket.saturating_add(1);
        let placement = &run.active.placement;
        let work = Work {
            ticket,
            run: run.id.plan.into(),
            stage: asked.stage.0,
            cut: placement.stages().map(|stage| placement.layers(stage).end).collect(),
            position: asked.position.0,
            first: u16::try_from(first).unwrap_or(u16::MAX),
            inputs,
            sampling: run.request().sampling.into(),
        };
        self.asked.insert(ticket, asked);
        Some(work)
    }
}

/// What became of what the kernel asked for.
pub(crate) enum Made {
    /// It was computed before.
    Known(Box<KernelInput>),
    /// The host is asked.
    Asked(Work),
    /// An input is missing: more than f members lied, or it is lost. The node
    /// says nothing, and its fellows make up for it.
    Nothing,
}

/// Why what a host computed is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unasked {
    /// It was not asked for, or is not needed any more.
    Nobody,
    /// No signal is that long.
    TooLong,
}
