//! What TLC writes with `-dump`: every state that it found, as text.

mod agreement;
mod chain;
mod inference;
mod term;

use std::collections::{BTreeMap, HashSet};

use super::Module;
use super::configuration::Names;
pub use term::Term;

/// A module whose states can be read from a dump.
pub trait Dumped: Module {
    /// The state in which the variables have these values.
    fn state(&self, names: &Names, variables: &Variables) -> Option<Self::State>;
}

/// The values of the variables in one state.
pub struct Variables(BTreeMap<String, Term>);

impl Variables {
    fn get(&self, name: &str) -> Option<&Term> {
        self.0.get(name)
    }

    /// What `read` makes of the value of a function for each of `arguments`.
    fn by<T>(&self, name: &str, arguments: &[String], read: impl Fn(&Term) -> Option<T>) -> Option<Vec<T>> {
        let term = self.get(name)?;
        arguments.iter().map(|argument| read(term.at(argument)?)).collect()
    }
}

/// Every state in `text`; of each orbit the state that stands for it.
///
/// # Errors
/// The first state that is not understood.
pub fn states<M: Dumped>(text: &str, module: &M, names: &Names) -> Result<HashSet<M::State>, String> {
    let mut found = HashSet::new();
    let mut block = String::new();
    for line in text.lines().chain(["State end:"]) {
        if line.starts_with("State ") {
            if !block.trim().is_empty() {
                let state = variables(&block).and_then(|variables| module.state(names, &variables));
                let state = state.ok_or_else(|| format!("not understood: {block}"))?;
                found.insert(module.representative(&state));
            }
            block.clear();
        } else {
            block.push_str(line);
            block.push('\n');
        }
    }
    Ok(found)
}

fn variables(block: &str) -> Option<Variables> {
    let mut variables = BTreeMap::new();
    for conjunct in block.split("/\\").map(str::trim).filter(|conjunct| !conjunct.is_empty()) {
        let (name, value) = conjunct.split_once(" = ")?;
        variables.insert(name.to_owned(), Term::parse(value)?);
    }
    Some(Variables(variables))
}
