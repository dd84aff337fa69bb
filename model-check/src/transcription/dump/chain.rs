//! States of `Chain.tla`.

use super::{Dumped, Term, Variables};
use crate::transcription::chain::{Chain, Increment, Notice, Record, Role, Specification, State};
use crate::transcription::configuration::Names;

impl Dumped for Specification {
    fn state(&self, names: &Names, variables: &Variables) -> Option<State> {
        let honest = &names.members[..self.constants().honest()];
        let chains = |term: &Term| term.set()?.iter().map(|value| chain(names, value)).collect();
        let notices = variables.get("notices")?.set()?.iter().map(|term| notice(names, term));
        Some(State {
            memory: variables.by("memory", honest, |term| record(names, term))?,
            record: variables.by("record", honest, |term| record(names, term))?,
            signed: variables.by("signed", honest, chains)?,
            notices: notices.collect::<Option<_>>()?,
            drawn: variables.by("drawn", honest, Term::number)?,
        })
    }
}

fn record(names: &Names, term: &Term) -> Option<Record> {
    let role = match term.at("role")?.atom()? {
        "\"Replica\"" => Role::Replica,
        "\"Learner\"" => Role::Learner,
        _ => return None,
    };
    let chain = |field| chain(names, term.at(field)?);
    Some(Record { role, head: chain("head")?, voted: chain("voted")?, payload: chain("payload")? })
}

fn chain(names: &Names, term: &Term) -> Option<Chain> {
    let increment = |term: &Term| match term.at("kind")?.atom()? {
        "\"Work\"" => Some(Increment::Work(term.at("work")?.place(&names.symbols)?)),
        "\"Readmit\"" => notice(names, term).map(Increment::Readmit),
        _ => None,
    };
    term.sequence()?.iter().map(increment).collect()
}

fn notice(names: &Names, term: &Term) -> Option<Notice> {
    Some(Notice {
        member: term.at("member")?.place(&names.members)?,
        incarnation: term.at("incarnation")?.number()?,
        nonce: term.at("nonce")?.number()?,
    })
}
