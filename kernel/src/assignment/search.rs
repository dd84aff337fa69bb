//! Small changes to a placement, as long as they make it better.
//!
//! Where members own several stages, or zones and speeds pull in different
//! directions, the best placement is a packing problem, and no bounded search
//! is sure to find it. So a good placement is taken and changed: a cut is
//! moved, a place is given to another member, two places or two whole stages
//! are exchanged. A change stays if the strategy's numbers get smaller. The
//! order of the attempts is fixed, and there are at most [`MAX_TRIALS`].

use heapless::Vec;

use super::placement::Placement;
use super::problem::Problem;
use super::report::Key;
use super::seating::Turns;
use crate::types::Stage;

/// Most changes that one call tries, all beginnings together.
pub(super) const MAX_TRIALS: u16 = 1_024;

/// A placement from which a search begins, ordered by promise.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Start {
    pub(super) key: Key,
    /// What was suggested earlier goes first among equals.
    pub(super) turn: usize,
    pub(super) placement: Placement,
}

/// Two for each number of teams.
pub(super) type Starts = Vec<Start, 16>;

/// The best that is found from `starts`, one after the other, and last from `in_turn`.
pub(super) fn best_of(problem: &Problem<'_>, turns: &Turns, in_turn: Start, starts: Starts) -> Placement {
    let mut search = Search { problem, key: in_turn.key, best: in_turn.placement.clone(), trials: MAX_TRIALS };
    let (mut best, mut key) = (search.best.clone(), search.key);
    for start in starts.into_iter().chain([in_turn]) {
        search.key = start.key;
        search.best = start.placement;
        search.improve(turns);
        if search.key < key {
            best.clone_from(&search.best);
            key = search.key;
        }
    }
    best
}

struct Search<'a> {
    problem: &'a Problem<'a>,
    best: Placement,
    key: Key,
    trials: u16,
}

impl Search<'_> {
    fn improve(&mut self, turns: &Turns) {
        loop {
            let before = self.key;
            self.move_cuts();
            self.exchange_stages();
            self.replace_members(turns);
            self.exchange_members();
            if self.key == before || self.trials == 0 {
                return;
            }
        }
    }

    fn move_cuts(&mut self) {
        let lasts = self.problem.chain.lasts();
        let inner = self.best.stages().len().saturating_sub(1);
        for stage in self.best.stages().take(inner) {
            for last in lasts.iter() {
                let end = last.saturating_add(1);
                let (run, next) = (self.best.layers(stage), self.best.layers(stage.next()));
                if end > run.start && end < next.end && end != run.end {
                    self.attempt([stage, stage.next()], |placement| placement.set_end(stage, end));
                }
            }
        }
    }

    fn exchange_stages(&mut self) {
        for stage in self.best.stages() {
            for other in self.best.stages().skip(stage.index().saturating_add(1)) {
                let places = 0..self.problem.facts.assigned;
                self.attempt([stage, other], |placement| {
                    places.for_each(|place| placement.exchange((stage, place), (other, place)));
                });
            }
        }
    }

    fn replace_members(&mut self, turns: &Turns) {
        for stage in self.best.stages() {
            for place in 0..self.problem.facts.assigned {
                for node in turns {
                    match self.best.rank(stage, *node) {
                        // Whoever is in the stage can change places there.
                        Some(other) if other > place => {
                            self.attempt([stage, stage], |placement| {
                                placement.exchange((stage, place), (stage, other))
                            });
                        }
                        Some(_) => {}
                        None => self.attempt([stage, stage], |placement| placement.set_seat(stage, place, *node)),
                    }
                }
            }
        }
    }

    fn exchange_members(&mut self) {
        let places = 0..self.problem.facts.assigned;
        for stage in self.best.stages() {
            for other in self.best.stages().skip(stage.index().saturating_add(1)) {
                for place in places.clone() {
                    for other_place in places.clone() {
                        self.attempt([stage, other], |placement| {
                            placement.exchange((stage, place), (other, other_place));
                        });
                    }
                }
            }
        }
    }

    /// Changes the placement and keeps that if it can be run and is better.
    fn attempt(&mut self, touched: [Stage; 2], change: impl FnOnce(&mut Placement)) {
        let Some(left) = self.trials.checked_sub(1) else { return };
        let mut changed = self.best.clone();
        change(&mut changed);
        if touched.iter().any(|stage| !self.problem.fits(&changed, *stage)) {
            return;
        }
        self.trials = left;
        if let Some(key) = self.problem.key_up_to(&changed, self.key)
            && key < self.key
        {
            self.best = changed;
            self.key = key;
        }
    }
}
