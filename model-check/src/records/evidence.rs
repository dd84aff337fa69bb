//! What can be shown to a node in some state of the world: what honest nodes
//! said, and what the faulty nodes can sign on top of it.

use butterfly_kernel::types::{NodeId, View};

use super::local::{MOST_VIEWS, Public, Values, place};
use crate::symbolic::Value;
use crate::world::setting::{Ballot, Setting, ViewChange};

/// Whether the faulty nodes help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Help {
    /// They sign whatever they can.
    Any,
    /// They are silent.
    None,
}

/// What can be shown, apart from view changes. By view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shown {
    /// Proposals that their leader signed, with what justifies them.
    pub proposals: [Values; MOST_VIEWS],
    /// Ballots of which a commit certificate can be put together.
    pub locks: [Values; MOST_VIEWS],
}

impl Setting {
    /// The honest nodes that stand behind `ballot` in `table`.
    pub fn supporters(
        &self,
        publics: &[Public],
        table: impl Fn(&Public) -> &[Values; MOST_VIEWS],
        ballot: Ballot,
    ) -> Vec<NodeId> {
        let stands = |node: &NodeId| table(&publics[node.index()])[place(ballot.view)].contains(ballot.value);
        self.honest().iter().filter(stands).collect()
    }

    /// The ballots of `view` of which a commit certificate can be put together.
    pub fn locks(&self, publics: &[Public], view: View) -> Values {
        if !self.cluster.resilience().slow_path() {
            return Values::default();
        }
        let votes = |value| self.supporters(publics, |public| &public.votes, Ballot { view, value }).len();
        let enough = |value: &Value| {
            let whole = votes(*value) + self.faulty().len() >= self.cluster.slow_quorum();
            whole || self.forgeries.short_lock && Value::VALID.contains(value)
        };
        Value::ALL.into_iter().filter(enough).fold(Values::default(), Values::with)
    }

    /// What an honest leader of `view` proposed.
    pub fn honest_proposals(&self, publics: &[Public], view: View) -> Values {
        publics[self.leader(view).index()].proposals[place(view)]
    }

    /// Every view change for `view` that a faulty node can prove.
    pub fn claims(&self, shown: &Shown, view: View) -> Vec<ViewChange> {
        let ballots = |table: &[Values; MOST_VIEWS]| {
            let earlier = self.views().take_while(|earlier| *earlier < view);
            let ballots = earlier.flat_map(|view| table[place(view)].iter().map(move |value| Ballot { view, value }));
            ballots.collect::<Vec<_>>()
        };
        let voted = ballots(&shown.proposals).into_iter().filter(|ballot| ballot.value != Value::INVALID);
        let genuine = voted.map(|ballot| self.proposal(ballot));
        let earlier = self.views().take_while(|earlier| *earlier < view);
        let all = earlier.flat_map(|view| Value::VALID.map(|value| Ballot { view, value }));
        let forged = all.filter_map(|ballot| self.forged_proposal(ballot));
        let voted: Vec<_> = genuine.chain(forged).map(Some).chain([None]).collect();
        let locked = ballots(&shown.locks).into_iter().map(|ballot| Some(self.lock(ballot)));
        let locked: Vec<_> = locked.chain([None]).collect();
        let claims = voted.iter().flat_map(|voted| {
            locked.iter().map(|locked| ViewChange { view, voted: voted.clone(), locked: locked.clone() })
        });
        claims.collect()
    }
}
