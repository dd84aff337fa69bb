//! A value of TLA+, as TLC prints it.

use std::collections::BTreeMap;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// `h1`, `3`, `TRUE`, or a string with its quotes.
    Atom(String),
    /// `{a, b}`
    Set(Vec<Term>),
    /// `<<a, b>>`, which is also how a function of 1..n is printed.
    Sequence(Vec<Term>),
    /// `(a :> 1 @@ b :> 2)`, or the record `[a |-> 1, b |-> 2]`.
    Function(BTreeMap<String, Term>),
}

impl Term {
    /// All of `text`.
    pub fn parse(text: &str) -> Option<Term> {
        let tokens = tokens(text);
        let mut tokens = Tokens { tokens: &tokens };
        let term = tokens.term()?;
        tokens.tokens.is_empty().then_some(term)
    }

    /// The value of a function or record, or the element of a sequence, of which
    /// the first is "1".
    pub fn at(&self, argument: &str) -> Option<&Term> {
        match self {
            Term::Atom(_) | Term::Set(_) => None,
            Term::Sequence(elements) => elements.get(argument.parse::<usize>().ok()?.checked_sub(1)?),
            Term::Function(values) => values.get(argument),
        }
    }

    /// The elements of a set.
    pub fn set(&self) -> Option<&[Term]> {
        if let Term::Set(elements) = self { Some(elements) } else { None }
    }

    /// The elements of a sequence.
    pub fn sequence(&self) -> Option<&[Term]> {
        if let Term::Sequence(elements) = self { Some(elements) } else { None }
    }

    /// The name of an atom.
    pub fn atom(&self) -> Option<&str> {
        if let Term::Atom(name) = self { Some(name) } else { None }
    }

    /// The number that an atom is.
    pub fn number(&self) -> Option<usize> {
        self.atom()?.parse().ok()
    }

    /// `TRUE` or `FALSE`.
    pub fn truth(&self) -> Option<bool> {
        match self.atom()? {
            "TRUE" => Some(true),
            "FALSE" => Some(false),
            _ => None,
        }
    }

    /// The place of an atom in `names`.
    pub fn place(&self, names: &[String]) -> Option<usize> {
        let name = self.atom()?;
        names.iter().position(|known| known == name)
    }
}

fn tokens(text: &str) -> Vec<&str> {
    const MARKS: [&str; 11] = ["<<", ">>", "|->", ":>", "@@", ",", "(", ")", "[", "]", "{"];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let mark = MARKS.iter().chain(&["}"]).find(|mark| rest.starts_with(**mark));
        let is_end = |character: char| character.is_whitespace() || "<>|:@,()[]{}".contains(character);
        let length = mark.map_or_else(|| rest.find(is_end).unwrap_or(rest.len()).max(1), |mark| mark.len());
        let (token, behind) = rest.split_at(length);
        tokens.push(token);
        rest = behind.trim_start();
    }
    tokens
}

struct Tokens<'t> {
    tokens: &'t [&'t str],
}

impl<'t> Tokens<'t> {
    fn next(&mut self) -> Option<&'t str> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn take(&mut self, token: &str) -> bool {
        let is_next = self.tokens.first() == Some(&token);
        if is_next {
            self.next();
        }
        is_next
    }

    fn term(&mut self) -> Option<Term> {
        match self.next()? {
            "{" => self.elements("}").map(Term::Set),
            "<<" => self.elements(">>").map(Term::Sequence),
            "(" => self.values(":>", "@@", ")"),
            "[" => self.values("|->", ",", "]"),
            atom if atom.starts_with(|first: char| first.is_alphanumeric() || first == '"') => {
                Some(Term::Atom(atom.to_owned()))
            }
            _ => None,
        }
    }

    fn elements(&mut self, end: &str) -> Option<Vec<Term>> {
        let mut elements = Vec::new();
        while !self.take(end) {
            if !elements.is_empty() && !self.take(",") {
                return None;
            }
            elements.push(self.term()?);
        }
        Some(elements)
    }

    fn values(&mut self, arrow: &str, between: &str, end: &str) -> Option<Term> {
        let mut values = BTreeMap::new();
        while !self.take(end) {
            if !values.is_empty() && !self.take(between) {
                return None;
            }
            let Term::Atom(argument) = self.term()? else { return None };
            if !self.take(arrow) {
                return None;
            }
            values.insert(argument, self.term()?);
        }
        Some(Term::Function(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_functions_are_understood() {
        let text = "(h1 :> (0 :> x @@ 1 :> none) @@ h2 :> (0 :> y @@ 1 :> none))";
        let term = Term::parse(text).unwrap();
        assert_eq!(term.at("h2").unwrap().at("0").unwrap().atom(), Some("y"));
        assert_eq!(Term::parse(&text[..text.len() - 1]), None);
    }

    #[test]
    fn records_sequences_and_sets_are_understood() {
        let term = Term::parse("{<<>>, << [kind |-> \"Work\", work |-> x],\n  none >>}").unwrap();
        let [empty, chain] = term.set().unwrap() else { panic!("two elements") };
        assert_eq!(empty.sequence(), Some(&[][..]));
        assert_eq!(chain.at("1").unwrap().at("kind").unwrap().atom(), Some("\"Work\""));
        assert_eq!((chain.at("2").unwrap().atom(), chain.at("0"), chain.at("3")), (Some("none"), None, None));
        for broken in ["<<x", "{x y}", "[kind -> x]", "x y", "{x,}", ""] {
            assert_eq!(Term::parse(broken), None, "{broken}");
        }
    }
}
