//! States of `Chain.tla`.

use super::{Dumped, Term, Variables};
use crate::transcription::chain::{Chain, Increment, Notice, Record, Role, Specification, State};
use crate::transcription::configuration::Names;

impl Dumped for Specification {
    fn state(&self, names: &Names, variables: &Variables) -> Option<State> {
        let honest = &names.members[..self.constants().honest];
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
    Some(Record {
        role,
        origin: term.at("origin")?.number()?,
        head: chain("head")?,
        voted: chain("voted")?,
        payload: chain("payload")?,
    })
}

fn chain(names: &Names, term: &Term) -> Option<Chain> {
    let increment = |term: &Term| match term.at("kind")?.atom()? {
        "\"Work\"" => Some(Increment::Work(term.at("work")?.place(&names.symbols)?)),
        "\"Readmit\"" => notice(names, term).map(Increment::Readmit),
        "\"Admit\"" => member(names, term).map(Increment::Admit),
        "\"Remove\"" => member(names, term).map(Increment::Remove),
        _ => None,
    };
    term.sequence()?.iter().map(increment).collect()
}

fn notice(names: &Names, term: &Term) -> Option<Notice> {
    Some(Notice {
        member: member(names, term)?,
        origin: term.at("origin")?.number()?,
        incarnation: term.at("incarnation")?.number()?,
        nonce: term.at("nonce")?.number()?,
    })
}

fn member(names: &Names, term: &Term) -> Option<usize> {
    term.at("member")?.place(&names.members)
}
