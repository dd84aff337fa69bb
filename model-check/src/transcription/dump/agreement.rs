//! States of `Agreement.tla`.

use super::{Dumped, Term, Variables};
use crate::transcription::agreement::{Entry, MOST_VIEWS, Specification, State};
use crate::transcription::configuration::Names;

impl Dumped for Specification {
    fn state(&self, names: &Names, variables: &Variables) -> Option<State> {
        let constants = self.constants();
        let honest = &names.members[..constants.n - constants.byzantine];
        let entry = |term: &Term| -> Option<Entry> {
            let value = term.place(&names.symbols).map(|place| place + 1);
            value.or_else(|| (term.atom() == Some(&names.none)).then_some(0))?.try_into().ok()
        };
        let history = |term: &Term| {
            let mut entries = [0; MOST_VIEWS];
            for (view, place) in entries.iter_mut().enumerate().take(constants.leaders.len()) {
                *place = entry(term.at(&view.to_string())?)?;
            }
            Some(entries)
        };
        let mut state = State { proposals: history(variables.get("proposals")?)?, ..State::default() };
        let views = variables.by("view", honest, |term| term.number()?.try_into().ok())?;
        let votes = variables.by("votes", honest, history)?;
        let commits = variables.by("commits", honest, history)?;
        for (replica, view) in views.into_iter().enumerate() {
            let here = state.replicas.get_mut(replica)?;
            (here.view, here.votes, here.commits) = (view, votes[replica], commits[replica]);
        }
        Some(state)
    }
}
