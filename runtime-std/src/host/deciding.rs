//! What becomes durable in a step, and what is told of it afterwards: nobody
//! hears of a decision before this node could not forget it any more.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::node::Role;
use butterfly_kernel::types::{NodeId, View};

use super::Host;
use crate::access::{Answer, Told};
use crate::control::{Commit, Event};
use crate::protocol::{Evidence, Output, encode};
use crate::stream::Happening;

/// A decision, and the same as whoever asks is answered.
pub(super) struct Answered {
    told: Told,
    answer: Arc<[u8]>,
}

impl Host {
    /// What is to be told of the epoch that a step decided, if it did. It is made
    /// durable with the decision, so the time of that flush cannot be in it.
    pub(super) fn told_by(&self, outputs: &[Output]) -> Result<Option<Answered>> {
        let committed = outputs.iter().find_map(|output| match output {
            Output::Commit { epoch, tokens, .. } => Some((*epoch, tokens.clone())),
            _ => None,
        });
        let Some((epoch, tokens)) = committed else { return Ok(None) };
        let Some(decided) = self.node.head().decided().filter(|decided| decided.header.epoch == epoch) else {
            return Ok(None);
        };
        let latency = self.lap.so_far(Instant::now()).filter(|_| !tokens.is_empty());
        let latency_us = latency.and_then(|latency| u64::try_from(latency.as_micros()).ok());
        let told = Told { decided: decided.clone(), tokens, latency_us };
        let answer = encode(&Answer::Told(told.clone()))?.into();
        Ok(Some(Answered { told, answer }))
    }

    /// One write and one flush, for what the node must not forget and for what
    /// was decided.
    pub(super) fn persist(&mut self, answered: Option<&Answered>) -> Result<()> {
        let begin = Instant::now();
        if let Some(Answered { answer, .. }) = answered {
            self.record.journal(answer)?;
        }
        let record = encode(&self.node.record())?;
        self.record.write(&record)?;
        self.metrics.flushed(begin.elapsed());
        if let Some(measuring) = &mut self.measuring {
            measuring.flushed(record.len());
        }
        Ok(())
    }

    /// The decision is durable: from now on everybody may hear of it.
    pub(super) fn committed(
        &mut self,
        (path, view): (Path, View),
        author: Option<NodeId>,
        answered: Option<Answered>,
    ) -> Result<()> {
        let doing = self.node.coordinator(&self.member.seat());
        let times = self.lap.close(Instant::now(), doing, self.node.head().state().active.is_some());
        self.timers.drop_before(self.node.epoch());
        if let Some(run) = self.node.run() {
            self.executor.follow(run);
        }
        let Some(Answered { told, answer }) = answered else { return Ok(()) };
        let (epoch, tokens) = (told.decided.header.epoch, told.tokens.len());
        let leads = self.member.cluster.leader(epoch, view) == self.member.me;
        let latency = times.latency.filter(|_| tokens > 0);
        let agreement = times.agreement.filter(|_| leads);
        self.metrics.committed(path, tokens, latency);
        if let Some(agreement) = agreement {
            self.metrics.agreed(agreement);
        }
        if let Some(collector) = &self.collector {
            collector.tell(times.span((epoch, view), path, tokens));
        }
        let latency_us = told.latency_us;
        let next_leader = self.member.cluster.leader(self.node.epoch(), View::ZERO);
        self.stream.tell(&Happening::Decided { epoch, view, path, tokens, latency_us, next_leader });
        if self.voice.hears_commits() {
            self.tell_commit(path, view, &told)?;
        }
        self.history.add((epoch, Arc::clone(&answer)))?;
        self.chronicle.add(told.decided, answer);
        self.measure(agreement, author)
    }

    fn tell_commit(&self, path: Path, view: View, told: &Told) -> Result<()> {
        self.voice.tell(&Event::Commit(Commit {
            epoch: told.decided.header.epoch.0,
            view: view.0,
            path,
            decided: encode(&told.decided)?,
            tokens: told.tokens.to_vec(),
            latency_us: told.latency_us,
            learner: self.node.role() == Role::Learner,
        }))?;
        self.report()
    }

    /// Evidence may be repeated: the first for each member and fault is told.
    pub(super) fn blame(&mut self, evidence: &Evidence) -> Result<()> {
        if self.blamed.insert((evidence.accused.0, evidence.fault.name())) {
            self.metrics.blamed(evidence.accused);
            self.board.add(evidence.clone());
            let Evidence { accused, fault } = evidence;
            self.stream.tell(&Happening::Evidence { accused: *accused, fault: fault.name() });
            self.voice.tell(&Event::Evidence { evidence: encode(evidence)? })?;
        }
        Ok(())
    }

    fn report(&self) -> Result<()> {
        let mut traffic = self.traffic.clone();
        traffic.add_unread(&self.unread);
        self.voice.tell(&Event::Sent { traffic })
    }
}
