//! What TLC writes with `-dump`: every state that it found, as text.

use std::collections::{BTreeMap, HashSet};

use super::agreement::{Constants, State};

/// Every state in `text`.
///
/// # Errors
/// The first line that is not understood.
pub fn states(text: &str, constants: &Constants) -> Result<HashSet<State>, String> {
    let mut found = HashSet::new();
    let mut block = String::new();
    for line in text.lines().chain(["State end:"]) {
        if line.starts_with("State ") {
            if !block.trim().is_empty() {
                found.insert(state(&block, constants).ok_or_else(|| format!("not understood: {block}"))?);
            }
            block.clear();
        } else {
            block.push_str(line);
            block.push('\n');
        }
    }
    Ok(found)
}

/// A value: an atom, or a function.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    Atom(String),
    Function(BTreeMap<String, Term>),
}

impl Term {
    fn at(&self, argument: &str) -> Option<&Term> {
        match self {
            Term::Atom(_) => None,
            Term::Function(values) => values.get(argument),
        }
    }

    fn atom(&self) -> Option<&str> {
        match self {
            Term::Atom(name) => Some(name),
            Term::Function(_) => None,
        }
    }
}

fn state(block: &str, constants: &Constants) -> Option<State> {
    let mut variables = BTreeMap::new();
    for conjunct in block.split("/\\").map(str::trim).filter(|conjunct| !conjunct.is_empty()) {
        let (name, value) = conjunct.split_once(" = ")?;
        let tokens = tokens(value);
        let (term, rest) = term(&tokens)?;
        if !rest.is_empty() {
            return None;
        }
        variables.insert(name.to_owned(), term);
    }
    let entry = |term: &Term| match term.atom()? {
        "none" => Some(0),
        "x" => Some(1),
        "y" => Some(2),
        _ => None,
    };
    let mut state = State::default();
    let views = constants.leaders.len();
    for replica in 0..constants.n - constants.byzantine {
        let name = format!("h{}", replica + 1);
        let here = &mut state.replicas[replica];
        here.view = variables.get("view")?.at(&name)?.atom()?.parse().ok()?;
        for view in 0..views {
            here.votes[view] = entry(variables.get("votes")?.at(&name)?.at(&view.to_string())?)?;
            here.commits[view] = entry(variables.get("commits")?.at(&name)?.at(&view.to_string())?)?;
        }
    }
    for view in 0..views {
        state.proposals[view] = entry(variables.get("proposals")?.at(&view.to_string())?)?;
    }
    Some(state)
}

fn tokens(text: &str) -> Vec<String> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// `(a :> 1 @@ b :> 2)`, or an atom.
fn term(tokens: &[String]) -> Option<(Term, &[String])> {
    let (first, mut rest) = tokens.split_first()?;
    if first != "(" {
        return Some((Term::Atom(first.clone()), rest));
    }
    let mut values = BTreeMap::new();
    loop {
        let (argument, behind) = rest.split_first()?;
        let (arrow, behind) = behind.split_first()?;
        if arrow != ":>" {
            return None;
        }
        let (value, behind) = term(behind)?;
        values.insert(argument.clone(), value);
        let (next, behind) = behind.split_first()?;
        rest = behind;
        match next.as_str() {
            ")" => return Some((Term::Function(values), rest)),
            "@@" => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_functions_are_understood() {
        let tokens = tokens("(h1 :> (0 :> x @@ 1 :> none) @@ h2 :> (0 :> y @@ 1 :> none))");
        let (term, rest) = term(&tokens).unwrap();
        assert!(rest.is_empty());
        assert_eq!(term.at("h2").unwrap().at("0").unwrap().atom(), Some("y"));
        assert!(super::term(&tokens[..tokens.len() - 1]).is_none());
    }
}
