//! What a configuration says, word for word.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::{ConfigurationError, Names};

/// A file, of which constants are taken one after the other.
pub(super) struct Text {
    pub(super) specification: String,
    /// Whether there is a `VIEW`.
    pub(super) orbits: bool,
    /// Invariants and properties of steps.
    pub(super) properties: Vec<String>,
    constants: BTreeMap<String, String>,
}

impl Text {
    pub(super) fn parse(text: &str) -> Result<Text, ConfigurationError> {
        let mut said =
            Text { specification: String::new(), orbits: false, properties: Vec::new(), constants: BTreeMap::new() };
        let lines = text.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with("\\*")) {
            let (keyword, rest) = line.split_once(' ').unwrap_or((line, ""));
            match keyword {
                "SPECIFICATION" => rest.clone_into(&mut said.specification),
                "INVARIANT" | "INVARIANTS" | "PROPERTY" | "PROPERTIES" => {
                    said.properties.extend(rest.split_whitespace().map(str::to_owned));
                }
                "VIEW" if rest == "Orbit" => said.orbits = true,
                "CONSTANTS" if rest.is_empty() => {}
                _ => {
                    let assigned = line.split_once(" = ").or_else(|| line.split_once(" <- "));
                    let (name, value) = assigned.ok_or_else(|| ConfigurationError::Line(line.to_owned()))?;
                    said.constants.insert(name.trim().to_owned(), value.trim().to_owned());
                }
            }
        }
        Ok(said)
    }

    /// Whether it assigns the constant.
    pub(super) fn has(&self, name: &str) -> bool {
        self.constants.contains_key(name)
    }

    /// The value of a constant, which is gone then.
    pub(super) fn take(&mut self, name: &'static str) -> Result<String, ConfigurationError> {
        self.constants.remove(name).ok_or(ConfigurationError::Constant(name))
    }

    pub(super) fn number(&mut self, name: &'static str) -> Result<usize, ConfigurationError> {
        self.parsed(name, |value| value.to_owned())
    }

    pub(super) fn switch(&mut self, name: &'static str) -> Result<bool, ConfigurationError> {
        self.parsed(name, str::to_lowercase)
    }

    fn parsed<T: FromStr>(
        &mut self,
        name: &'static str,
        spelled: impl Fn(&str) -> String,
    ) -> Result<T, ConfigurationError> {
        spelled(&self.take(name)?).parse().map_err(|_| ConfigurationError::Constant(name))
    }

    /// `{a, b}`, in this order.
    pub(super) fn set(&mut self, name: &'static str) -> Result<Vec<String>, ConfigurationError> {
        let value = self.take(name)?;
        let inside = value.strip_prefix('{').and_then(|value| value.strip_suffix('}'));
        let inside = inside.ok_or(ConfigurationError::Constant(name))?;
        Ok(inside.split(',').map(str::trim).filter(|element| !element.is_empty()).map(str::to_owned).collect())
    }

    /// Elements of a set by their places in `names`.
    pub(super) fn places<C: FromIterator<usize>>(
        &mut self,
        name: &'static str,
        names: &[String],
    ) -> Result<C, ConfigurationError> {
        self.set(name)?.iter().map(|element| place(name, element, names)).collect()
    }

    /// The names of `Honest` and `Byzantine`, and how many the latter are. All
    /// together they have to be `n`.
    pub(super) fn members(&mut self, n: usize) -> Result<(Vec<String>, usize), ConfigurationError> {
        let (members, byzantine) = self.everybody()?;
        if members.len() == n { Ok((members, byzantine)) } else { Err(ConfigurationError::NotWellFormed) }
    }

    /// The names of `Honest` and `Byzantine`, and how many the latter are.
    pub(super) fn everybody(&mut self) -> Result<(Vec<String>, usize), ConfigurationError> {
        let mut members = self.set("Honest")?;
        let byzantine = self.set("Byzantine")?;
        let count = byzantine.len();
        members.extend(byzantine);
        Ok((members, count))
    }

    /// The number of the member that a constant names.
    pub(super) fn member(&mut self, name: &'static str, names: &Names) -> Result<usize, ConfigurationError> {
        let value = self.take(name)?;
        place(name, &value, &names.members)
    }

    /// An error if a constant was not taken.
    pub(super) fn is_used_up(&self) -> Result<(), ConfigurationError> {
        match self.constants.keys().next() {
            None => Ok(()),
            Some(name) => Err(ConfigurationError::Unknown(name.clone())),
        }
    }
}

/// The place of `element`, the value or a part of the value of the constant `name`.
pub(super) fn place(name: &'static str, element: &str, names: &[String]) -> Result<usize, ConfigurationError> {
    names.iter().position(|known| known == element).ok_or(ConfigurationError::Constant(name))
}
