//! What drawn values have reached, so that a test can say what they have not.

use std::collections::{BTreeMap, BTreeSet};

/// Where in a type: the struct or enum, its field or variant, and how many
/// sequences lie around inside of it.
pub type Place = (&'static str, &'static str, usize);

/// Something that a case had.
#[derive(Clone, Copy, Debug)]
pub enum Seen {
    /// A sequence without elements.
    Empty(Place),
    /// A sequence that holds as much as it can.
    Full(Place),
    /// A sequence between the two.
    Partial(Place),
    /// An option, and whether it held something.
    Option(Place, bool),
    /// A variant of an enum, and all that it has.
    Variant(&'static str, &'static [&'static str], usize),
}

/// What the cases of one type have reached.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    sequences: BTreeMap<Place, [bool; 3]>,
    options: BTreeMap<Place, [bool; 2]>,
    variants: BTreeMap<(&'static str, &'static str), bool>,
}

impl Coverage {
    /// Adds what one case had.
    pub fn note(&mut self, seen: &[Seen]) {
        for seen in seen {
            match *seen {
                Seen::Empty(place) => self.sequences.entry(place).or_default()[0] = true,
                Seen::Full(place) => self.sequences.entry(place).or_default()[1] = true,
                Seen::Partial(place) => self.sequences.entry(place).or_default()[2] = true,
                Seen::Option(place, some) => self.options.entry(place).or_default()[usize::from(some)] = true,
                Seen::Variant(owner, all, at) => {
                    for (other, variant) in all.iter().enumerate() {
                        *self.variants.entry((owner, variant)).or_default() |= other == at;
                    }
                }
            }
        }
    }

    /// What was not reached, in words.
    pub fn missing(&self) -> BTreeSet<String> {
        let word = |(owner, field, depth): &Place, what: &str| format!("{owner}.{field}[{depth}] {what}");
        let sequences = self.sequences.iter().flat_map(|(place, reached)| {
            let never = |(_, what): &(usize, &str)| word(place, what);
            let all = ["never empty", "never full", "never in between"];
            all.into_iter()
                .enumerate()
                .filter(|(at, _)| !reached[*at])
                .map(|missing| never(&missing))
                .collect::<Vec<_>>()
        });
        let options = self.options.iter().flat_map(|(place, reached)| {
            let all = ["never none", "never some"];
            all.into_iter()
                .zip(reached)
                .filter(|(_, reached)| !**reached)
                .map(|(what, _)| word(place, what))
                .collect::<Vec<_>>()
        });
        let variants = self.variants.iter().filter(|(_, reached)| !**reached);
        let variants = variants.map(|((owner, variant), _)| format!("{owner}::{variant} never"));
        sequences.chain(options).chain(variants).collect()
    }

    /// The variants of `owner`, an enum of the wire.
    pub fn variants(&self, owner: &str) -> BTreeSet<&'static str> {
        self.variants.keys().filter(|(name, _)| *name == owner).map(|(_, variant)| *variant).collect()
    }
}
