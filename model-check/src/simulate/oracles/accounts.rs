//! What each honest member signed in agreement, over all its lives.

use std::hash::Hash;

use butterfly_kernel::message::agreement::AgreementMessage;
use butterfly_kernel::node::{Record, Role};
use butterfly_kernel::types::{Epoch, NodeId, Nonce, View};

use super::{CONSISTENCY, RECORD, Verdict, check};
use crate::simulate::Crypto;
use crate::simulate::digest::Fold;

/// Epochs behind the last in which a member signed of which statements are kept.
const KEPT: u64 = 3;

/// Kinds of statements of which a member may make one in each view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Propose,
    Vote,
    Commit,
    ViewChange,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Statement {
    epoch: u64,
    view: u32,
    said: Said,
    /// The value, or the digest of a report.
    what: u64,
}

/// Of one member.
#[derive(Clone, Debug, Default)]
struct Account {
    /// It is held to nothing: it is faulty, or its disk was put back.
    excused: bool,
    /// It lost its record, and drew this number then.
    lost: Option<Nonce>,
    last: u64,
    statements: Vec<Statement>,
    /// What it wrote down in order to say it. It may end before it says so, go
    /// on from there, and count its own vote.
    written: Vec<Statement>,
}

/// Of all members.
#[derive(Clone)]
pub(crate) struct Accounts {
    each: Vec<Account>,
}

impl Accounts {
    pub(crate) fn new(members: usize) -> Accounts {
        Accounts { each: vec![Account::default(); members] }
    }

    /// `member` signs `message` as its own.
    pub(crate) fn sign<const N: usize>(
        &mut self,
        member: usize,
        epoch: Epoch,
        message: &AgreementMessage<Crypto<N>, N>,
    ) -> Verdict {
        let (said, view, what) = match message {
            AgreementMessage::Propose { ballot, .. } => (Said::Propose, ballot.view, ballot.value),
            AgreementMessage::Vote(ballot) => (Said::Vote, ballot.view, ballot.value),
            AgreementMessage::Commit(ballot) => (Said::Commit, ballot.view, ballot.value),
            AgreementMessage::ViewChange(change) => {
                let mut fold = Fold::default();
                change.report().hash(&mut fold);
                (Said::ViewChange, change.view, fold.value())
            }
            // Of these several may be given.
            AgreementMessage::CertRequest(_) | AgreementMessage::CertAck(_) => return Ok(()),
        };
        let statement = Statement { epoch: epoch.0, view: view.0, said, what };
        self.each[member].enter(member, statement)
    }

    /// `member` writes down that it votes for, or commits to, `what`.
    pub(crate) fn write(&mut self, member: usize, Epoch(epoch): Epoch, View(view): View, said: Said, what: u64) {
        let account = &mut self.each[member];
        let statement = Statement { epoch, view, said, what };
        if !account.written.contains(&statement) {
            account.written.retain(|held| held.epoch + KEPT > epoch);
            account.written.push(statement);
        }
    }

    /// `member` is faulty from now on.
    pub(crate) fn excuse(&mut self, member: usize) {
        self.each[member].excused = true;
    }

    /// `member` begins without a record, with this number.
    pub(crate) fn lose(&mut self, member: usize, nonce: Nonce) {
        self.each[member].lost = Some(nonce);
    }

    /// An epoch is decided after which `member` is admitted again with this number.
    pub(crate) fn readmit(&mut self, member: NodeId, nonce: Nonce) {
        self.each[member.index()].lost.take_if(|lost| *lost == nonce);
    }

    /// Whether a member that begins with `record` knows all that it signed.
    pub(crate) fn covers<const N: usize>(&self, member: usize, record: &Record<Crypto<N>>) -> Verdict {
        let account = &self.each[member];
        if account.excused || record.role != Role::Replica {
            return Ok(());
        }
        let (open, held) = (record.head.epoch().next().0, &record.agreement);
        check(account.last <= open, RECORD, || {
            format!("member {member} signed in epoch {}, and its record goes on with {open}", account.last)
        })?;
        let voted = held.voted.as_ref().map(|proposal| (proposal.ballot.view.0, proposal.ballot.value));
        let locked = held.locked.as_ref().map(|certificate| (certificate.ballot.view.0, certificate.ballot.value));
        let proposed = held.proposed.as_ref().map(|proposal| (proposal.ballot.view.0, proposal.ballot.value));
        // A vote, with what proves that it may be given, and what it is for.
        let justified = held
            .voted
            .as_ref()
            .is_none_or(|voted| record.payload.is_some() && (voted.ballot.view.0 == 0 || voted.progress.is_some()));
        check(justified, RECORD, || format!("member {member} cannot show what it voted for in epoch {open}, or why"))?;
        // What was signed in the highest view, or something of a higher one.
        let remembers = |held: Option<(u32, u64)>, signed: &Statement| {
            held.is_some_and(|(view, what)| view > signed.view || (view, what) == (signed.view, signed.what))
        };
        for signed in account.statements.iter().filter(|signed| signed.epoch == open) {
            let known = match signed.said {
                Said::Vote => remembers(voted, signed),
                Said::Commit => remembers(locked, signed),
                Said::Propose => remembers(proposed, signed),
                Said::ViewChange => held.view.0 >= signed.view,
            };
            check(known, RECORD, || format!("member {member} signed {signed:?}, and its record does not say so"))?;
        }
        Ok(())
    }

    /// Whether `member` is held to what it signed.
    pub(crate) fn trusts(&self, member: usize) -> bool {
        !self.each[member].excused
    }

    /// Whether it is certain that `member` did not sign this.
    pub(crate) fn denies(&self, member: usize, epoch: u64, view: u32, said: Said, what: u64) -> bool {
        let account = &self.each[member];
        let kept = epoch + KEPT > account.last;
        let statement = Statement { epoch, view, said, what };
        let mut made = account.statements.iter().chain(&account.written);
        kept && !account.excused && !made.any(|made| *made == statement)
    }
}

impl Account {
    fn enter(&mut self, member: usize, new: Statement) -> Verdict {
        if self.excused {
            return Ok(());
        }
        let Statement { epoch, view, said, what } = new;
        check(self.lost.is_none(), CONSISTENCY, || {
            format!("member {member} signs a {said:?} in epoch {epoch}, and was not admitted again")
        })?;
        check(epoch >= self.last, CONSISTENCY, || {
            format!("member {member} signs a {said:?} in epoch {epoch} after it signed in epoch {}", self.last)
        })?;
        if epoch > self.last {
            self.last = epoch;
            self.statements.retain(|held| held.epoch + KEPT > epoch);
        }
        let slot = |held: &&Statement| (held.epoch, held.view, held.said) == (epoch, view, said);
        match self.statements.iter().find(slot) {
            Some(held) => check(held.what == what, CONSISTENCY, || {
                format!("member {member} signs a second {said:?} in view {view} of epoch {epoch}")
            }),
            None => {
                let left = self.statements.iter().filter(|held| held.epoch == epoch && held.said == Said::ViewChange);
                let left = left.map(|held| held.view).max().unwrap_or(0);
                self.statements.push(new);
                check(view >= left, CONSISTENCY, || {
                    format!("member {member} signs a {said:?} in view {view} of epoch {epoch}, having left for {left}")
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use butterfly_kernel::message::agreement::{Ballot, ViewChange};

    type Message = AgreementMessage<Crypto<4>, 4>;

    fn vote(view: u32, value: u64) -> Message {
        AgreementMessage::Vote(Ballot { view: View(view), value })
    }

    fn leave(view: u32) -> Message {
        AgreementMessage::ViewChange(ViewChange { view: View(view), voted: None, locked: None })
    }

    fn after(said: &[(u64, Message)]) -> Verdict {
        let mut accounts = Accounts::new(4);
        said.iter().try_for_each(|(epoch, message)| accounts.sign(0, Epoch(*epoch), message))
    }

    #[test]
    fn one_vote_in_a_view_and_none_in_one_that_was_left() {
        assert!(after(&[(1, vote(0, 7)), (1, vote(0, 7)), (1, leave(1)), (1, vote(1, 8)), (2, vote(0, 9))]).is_ok());
        assert!(after(&[(1, vote(0, 7)), (1, vote(0, 8))]).is_err());
        assert!(after(&[(1, leave(1)), (1, vote(0, 8))]).is_err());
        assert!(after(&[(2, vote(0, 7)), (1, vote(1, 7))]).is_err());
    }

    #[test]
    fn who_did_not_sign_is_known_for_a_while() {
        let mut accounts = Accounts::new(4);
        accounts.sign(1, Epoch(5), &vote(0, 7)).unwrap();
        assert!(!accounts.denies(1, 5, 0, Said::Vote, 7));
        assert!(accounts.denies(1, 5, 0, Said::Vote, 8) && accounts.denies(1, 5, 0, Said::Commit, 7));
        assert!(!accounts.denies(1, 2, 0, Said::Vote, 8), "forgotten");
        accounts.excuse(1);
        assert!(!accounts.denies(1, 5, 0, Said::Vote, 8));
    }
}
