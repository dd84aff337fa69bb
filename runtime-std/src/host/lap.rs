//! When things happened in the open epoch. The kernel has no clock: these are
//! the host's times, monotonic.

use std::time::{Duration, Instant};

use butterfly_kernel::message::AgreementMessage;
use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::node::Coordinator;
use butterfly_kernel::types::{Epoch, View};

use crate::protocol::Message;
use crate::spans::{EpochSpan, PHASES, Phase};

/// The times of one epoch, until its decision can be told.
#[derive(Debug)]
pub(super) struct Lap {
    began: Option<Instant>,
    proposed: Option<Instant>,
    /// What the node does, and since when.
    doing: (Coordinator, Instant),
    /// What it did before that in this epoch.
    phases: Vec<Phase>,
}

/// What an epoch took, up to the moment when its decision was durable here:
/// only then is anybody told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Times {
    /// Since the decision before it, or since work came where there was none.
    pub(super) latency: Option<Duration>,
    /// Since the leader's proposal was made here or taken up here; none where
    /// the decision was learned from others.
    pub(super) agreement: Option<Duration>,
    /// When the first of these began.
    pub(super) began: Option<Instant>,
    /// Now.
    pub(super) ended: Instant,
    /// What the node did meanwhile, in order.
    pub(super) phases: Vec<Phase>,
}

impl Times {
    /// The same for a collector.
    pub(super) fn span(self, (epoch, view): (Epoch, View), path: Path, tokens: usize) -> EpochSpan {
        let Times { began, ended, phases, .. } = self;
        let began = began.or(phases.first().map(|phase| phase.began)).unwrap_or(ended);
        EpochSpan { epoch, view, path, tokens, began, ended, phases }
    }
}

impl Lap {
    /// Begins with what the node does now.
    pub(super) fn new(doing: Coordinator, now: Instant) -> Lap {
        Lap { began: None, proposed: None, doing: (doing, now), phases: Vec::new() }
    }

    /// The node does something else from now on.
    pub(super) fn turn(&mut self, doing: Coordinator, now: Instant) {
        let (before, began) = std::mem::replace(&mut self.doing, (doing, now));
        // While there is nothing to do, there is no epoch to speak of.
        if before != Coordinator::Ready && began < now && self.phases.len() < PHASES {
            self.phases.push(Phase { doing: before, began, ended: now });
        }
    }

    /// There is work from now on, if there was none.
    pub(super) fn begin(&mut self, now: Instant) {
        self.began.get_or_insert(now);
    }

    /// The leader's proposal is made, or taken up. That of the last view counts.
    pub(super) fn propose(&mut self, now: Instant) {
        self.proposed = Some(now);
    }

    /// What the epoch took by now.
    pub(super) fn so_far(&self, now: Instant) -> Option<Duration> {
        self.began.map(|began| now.saturating_duration_since(began))
    }

    /// The decision is durable. The next epoch begins at once if work `goes_on`;
    /// the node does what `doing` says there.
    pub(super) fn close(&mut self, now: Instant, doing: Coordinator, goes_on: bool) -> Times {
        self.turn(doing, now);
        let phases = std::mem::take(&mut self.phases);
        let began = std::mem::replace(&mut self.began, goes_on.then_some(now));
        let since = |then: Instant| now.saturating_duration_since(then);
        Times { latency: began.map(since), agreement: self.proposed.take().map(since), began, ended: now, phases }
    }
}

/// Whether `message` is a leader's proposal.
pub(super) fn proposes(message: &Message) -> bool {
    matches!(message, Message::Agreement { message: AgreementMessage::Propose { .. }, .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPUTING: Coordinator = Coordinator::Computing;
    const COMMITTING: Coordinator = Coordinator::Committing;

    #[test]
    fn each_epoch_has_times_of_its_own() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut lap = Lap::new(Coordinator::Ready, start);
        lap.begin(at(1));
        lap.begin(at(2));
        lap.propose(at(5));
        lap.propose(at(7));
        assert_eq!(lap.so_far(at(9)), Some(Duration::from_millis(8)));
        let milliseconds =
            |times: Times| [times.latency, times.agreement].map(|time| time.map(|time| time.as_millis()));
        assert_eq!(milliseconds(lap.close(at(10), COMPUTING, true)), [Some(9), Some(3)]);
        // Caught up: nobody proposed anything here. Then nothing is left to do.
        assert_eq!(milliseconds(lap.close(at(14), Coordinator::Ready, false)), [Some(4), None]);
        assert_eq!(milliseconds(lap.close(at(20), Coordinator::Ready, false)), [None, None]);
    }

    #[test]
    fn phases_follow_each_other_and_stay_in_their_epoch() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut lap = Lap::new(Coordinator::Ready, start);
        lap.turn(COMPUTING, at(2));
        lap.turn(COMMITTING, at(5));
        let phase = |doing, began, ended| Phase { doing, began: at(began), ended: at(ended) };
        // The next epoch's part is being committed already.
        let first = lap.close(at(9), COMMITTING, true);
        assert_eq!(first.phases, [phase(COMPUTING, 2, 5), phase(COMMITTING, 5, 9)]);
        assert_eq!(lap.close(at(12), Coordinator::Ready, false).phases, [phase(COMMITTING, 9, 12)]);
        assert_eq!(lap.close(at(15), COMPUTING, false).phases, []);
    }

    #[test]
    fn an_epoch_without_an_end_takes_no_more_room() {
        let start = Instant::now();
        let mut lap = Lap::new(Coordinator::Ready, start);
        for turn in 1..1000 {
            lap.turn(if turn % 2 == 0 { COMPUTING } else { COMMITTING }, start + Duration::from_millis(turn));
        }
        assert_eq!(lap.close(start + Duration::from_secs(2), COMPUTING, true).phases.len(), PHASES);
    }
}
