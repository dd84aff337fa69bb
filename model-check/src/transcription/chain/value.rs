//! Values: the chain that a value ends.

/// What an epoch adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Increment {
    /// Work on a request; which of the works is all that matters.
    Work(usize),
    /// A member's notice.
    Readmit(Notice),
}

/// `Readmit(r, incarnation, nonce)`: who lost its record asks to be admitted again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Notice {
    /// Whose it is.
    pub member: usize,
    /// How often it will have been admitted.
    pub incarnation: usize,
    /// Which of the numbers that it drew, from 1.
    pub nonce: usize,
}

/// What each epoch added, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chain(Vec<Increment>);

impl Chain {
    /// The chain before the first epoch.
    pub const GENESIS: Chain = Chain(Vec::new());
    /// No value is empty, so the empty chain also stands for the absence of one.
    pub const NONE: Chain = Chain::GENESIS;

    /// What each epoch added.
    pub fn increments(&self) -> &[Increment] {
        &self.0
    }

    /// The epoch that it ends, 0 for none.
    pub fn epoch(&self) -> usize {
        self.0.len()
    }

    /// Whether it stands for the absence of a value.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// What `increment` makes of it.
    pub fn with(&self, increment: Increment) -> Chain {
        let mut increments = self.0.clone();
        increments.push(increment);
        Chain(increments)
    }

    /// What it was at the end of `epoch`, if it did not end before.
    pub fn until(&self, epoch: usize) -> Chain {
        Chain(self.0.iter().take(epoch).copied().collect())
    }

    /// The value before it.
    pub fn parent(&self) -> Chain {
        self.until(self.epoch().saturating_sub(1))
    }

    /// `Readmitted(c, r)`: the last notice of `member`, or one that says that there is none.
    pub fn readmitted(&self, member: usize) -> Notice {
        let notices = self.0.iter().rev().filter_map(|increment| match increment {
            Increment::Readmit(notice) => Some(*notice),
            Increment::Work(_) => None,
        });
        let mut own = notices.filter(|notice| notice.member == member);
        own.next().unwrap_or(Notice { member, incarnation: 0, nonce: 0 })
    }

    /// How often `member` will have been admitted the next time.
    pub fn next_incarnation(&self, member: usize) -> usize {
        self.readmitted(member).incarnation + 1
    }
}

impl FromIterator<Increment> for Chain {
    fn from_iter<I: IntoIterator<Item = Increment>>(increments: I) -> Chain {
        Chain(increments.into_iter().collect())
    }
}
