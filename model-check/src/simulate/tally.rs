//! What happened, in numbers.

use super::faults::Kind;

/// How often each kind of fault did something: see [`Kind::is_single`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    fired: Vec<u64>,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally { fired: vec![0; Kind::ALL.len()] }
    }
}

impl Tally {
    pub(crate) fn fired(&mut self, kind: Kind) {
        self.fired[kind.index()] += 1;
    }

    /// How often `kind` did something.
    pub fn of(&self, kind: Kind) -> u64 {
        self.fired[kind.index()]
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.fired.iter().sum()
    }

    /// Adds what another run counted.
    pub fn add(&mut self, other: &Tally) {
        self.fired.iter_mut().zip(&other.fired).for_each(|(here, there)| *here += there);
    }
}
