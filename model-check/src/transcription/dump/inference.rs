//! States of `Inference.tla`.

use super::{Dumped, Term, Variables};
use crate::transcription::configuration::Names;
use crate::transcription::inference::{Computation, Specification, State, Value};

impl Dumped for Specification {
    fn state(&self, names: &Names, variables: &Variables) -> Option<State> {
        let constants = self.constants();
        let honest = &names.members[..constants.honest()];
        let numbers = |from: usize, to: usize| (from..to).map(|number| number.to_string()).collect();
        let links: Vec<String> = numbers(0, constants.last() + 1);
        let views: Vec<String> = numbers(0, constants.leaders.len());
        let is_none = |term: &Term| term.atom() == Some(&names.none);
        let value =
            |term: &Term| -> Option<Value> { links.iter().map(|link| term.at(link)?.place(&names.symbols)).collect() };
        let vote = |term: &Term| if is_none(term) { Some(None) } else { value(term).map(Some) };
        let computation = |term: &Term| {
            if is_none(term) {
                return Some(None);
            }
            let signal = |field| term.at(field)?.place(&names.symbols);
            Some(Some(Computation { input: signal("input")?, output: signal("output")? }))
        };
        let flags = |name: &str| variables.by(name, honest, |term| term.sequence()?.iter().map(Term::truth).collect());
        Some(State {
            working: flags("working")?,
            computed: variables.by("computed", honest, |term| term.sequence()?.iter().map(computation).collect())?,
            attested: flags("attested")?,
            past: flags("past")?,
            candidates: variables.by("candidates", honest, |term| term.set()?.iter().map(value).collect())?,
            view: variables.by("view", honest, Term::number)?,
            votes: variables.by("votes", honest, |term| views.iter().map(|view| vote(term.at(view)?)).collect())?,
            proposals: variables.by("proposals", &views, vote)?,
            stabilised: variables.get("stabilised")?.truth()?,
        })
    }
}
