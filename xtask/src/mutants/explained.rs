//! The mutants that need not be caught, each with a reason, in `kernel/MUTANTS.md`.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};

use crate::workspace;

pub(super) const FILE: &str = "kernel/MUTANTS.md";

/// Names of mutants without line and column, which move.
pub(super) struct Explained {
    names: BTreeSet<String>,
}

impl Explained {
    pub(super) fn read() -> Result<Explained> {
        let path = workspace::root().join(FILE);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Explained::parse(&text))
    }

    /// A name stands in quotes at the beginning of an item of a list, its reason behind it.
    pub(super) fn parse(text: &str) -> Explained {
        let items = text.lines().filter_map(|line| line.strip_prefix("- `")?.split_once("`: "));
        let reasoned = items.filter(|(_, reason)| !reason.trim().is_empty());
        Explained { names: reasoned.map(|(name, _)| name.to_owned()).collect() }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(&without_place(name))
    }

    /// # Errors
    /// When something is explained that was not missed.
    pub(super) fn survive(&self, survivors: &[String]) -> Result<()> {
        let survivors: BTreeSet<String> = survivors.iter().map(|name| without_place(name)).collect();
        let caught: Vec<&str> = self.names.difference(&survivors).map(String::as_str).collect();
        ensure!(caught.is_empty(), "{FILE} explains what is caught or gone:\n{}", caught.join("\n"));
        Ok(())
    }
}

/// `file:line:column: what` as `file: what`.
fn without_place(name: &str) -> String {
    let mut parts = name.splitn(4, ':');
    match (parts.next(), parts.nth(2)) {
        (Some(file), Some(what)) => format!("{file}:{what}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "kernel/src/a.rs:12:34: replace A::b -> bool with true";

    #[test]
    fn a_mutant_is_known_by_its_file_and_words_wherever_it_moves() {
        assert_eq!(without_place(NAME), "kernel/src/a.rs: replace A::b -> bool with true");
        let explained = Explained::parse("- `kernel/src/a.rs: replace A::b -> bool with true`: always true.\n");
        assert!(explained.has(NAME) && explained.has(&NAME.replace("12:34", "13:9")));
        assert!(!explained.has(&NAME.replace("true", "false")));
    }

    #[test]
    fn a_name_without_a_reason_explains_nothing() {
        for line in [
            "- `kernel/src/a.rs: replace A::b -> bool with true`",
            "- `kernel/src/a.rs: replace A::b -> bool with true`:  ",
        ] {
            assert!(!Explained::parse(line).has(NAME), "{line}");
        }
    }

    #[test]
    fn what_is_explained_is_still_missed() {
        let explained = Explained::parse("- `kernel/src/a.rs: replace A::b -> bool with true`: always true.\n");
        assert!(explained.survive(&[NAME.to_owned()]).is_ok());
        assert!(explained.survive(&[]).is_err());
    }
}
