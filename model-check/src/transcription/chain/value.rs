//! Values: the chain that a value ends.

/// What an epoch adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Increment {
    /// Work on a request; which of the works is all that matters.
    Work(usize),
    /// A member's notice.
    Readmit(Notice),
    /// From the next epoch on somebody is a member.
    Admit(usize),
    /// From the next epoch on a member is none any more.
    Remove(usize),
}

impl Increment {
    /// `IsChange(increment)`: whether it changes the roster.
    pub fn is_change(&self) -> bool {
        matches!(self, Increment::Admit(_) | Increment::Remove(_))
    }
}

/// `Readmit(r, incarnation, nonce)`: who lost its record asks to be admitted again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Notice {
    /// Whose it is.
    pub member: usize,
    /// Where the cluster begins in which it is given.
    pub origin: usize,
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

    /// What the last epoch added, if there is one.
    pub fn last(&self) -> Option<Increment> {
        self.0.last().copied()
    }

    /// `ChangesIn(c)`: the epochs that changed the roster.
    pub fn changes(&self) -> impl DoubleEndedIterator<Item = usize> {
        (1..)
            .zip(&self.0)
            .filter(|(_, increment)| increment.is_change())
            .map(|(epoch, _)| epoch)
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// `Origin(c)`: where the cluster begins that goes on with it.
    pub fn origin(&self) -> usize {
        self.changes().next_back().unwrap_or(0)
    }

    /// The value before it.
    pub fn parent(&self) -> Chain {
        self.until(self.epoch().saturating_sub(1))
    }

    /// The notices in it, in order.
    pub fn notices(&self) -> impl DoubleEndedIterator<Item = Notice> {
        self.0.iter().filter_map(|increment| match increment {
            Increment::Readmit(notice) => Some(*notice),
            Increment::Work(_) | Increment::Admit(_) | Increment::Remove(_) => None,
        })
    }

    /// `ReadmittedSince(c, origin, r)`: the last notice of `member` since the
    /// cluster began, or one that says that there is none.
    pub fn readmitted_since(&self, origin: usize, member: usize) -> Notice {
        let since = Chain(self.0.iter().skip(origin).copied().collect());
        let mut own = since.notices().rev().filter(|notice| notice.member == member);
        own.next().unwrap_or(Notice { member, origin, incarnation: 0, nonce: 0 })
    }

    /// `Readmitted(c, r)`
    pub fn readmitted(&self, member: usize) -> Notice {
        self.readmitted_since(self.origin(), member)
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
