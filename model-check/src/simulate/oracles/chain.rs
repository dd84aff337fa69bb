//! Agreement and certificates: one value for each epoch, chained, each with a
//! quorum behind it.

use std::collections::BTreeMap;

use butterfly_kernel::chain::Decided;
use butterfly_kernel::crypto::Signatures;
use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::types::Resilience;

use super::accounts::{Accounts, Said};
use super::{AGREEMENT, CERTIFICATE, Verdict, check};
use crate::simulate::Crypto;

/// The value of each epoch that an honest member committed.
#[derive(Default)]
pub(crate) struct Chain {
    values: BTreeMap<u64, u64>,
}

impl Chain {
    /// An honest member holds `decided`.
    pub(crate) fn hold<const N: usize>(
        &mut self,
        member: usize,
        decided: &Decided<Crypto<N>>,
        resilience: Resilience,
        accounts: &Accounts,
    ) -> Verdict {
        let (epoch, value) = (decided.header.epoch.0, decided.certificate.ballot.value);
        let known = self.values.contains_key(&epoch);
        self.record(member, epoch, value)?;
        if epoch > 1 {
            self.record(member, epoch - 1, decided.header.previous)?;
        }
        if known { Ok(()) } else { certified(decided, resilience, accounts) }
    }

    /// An honest member commits `value` in `epoch`, or names it as committed.
    fn record(&mut self, member: usize, epoch: u64, value: u64) -> Verdict {
        let first = *self.values.entry(epoch).or_insert(value);
        check(first == value, AGREEMENT, || {
            format!("member {member} holds {value:016x} decided in epoch {epoch}, another one {first:016x}")
        })
    }

    /// How many epochs were committed by anybody honest.
    pub(crate) fn epochs(&self) -> u64 {
        self.values.keys().next_back().copied().unwrap_or(0)
    }
}

/// One quorum of distinct voters, of whom those that are honest did sign.
fn certified<const N: usize>(decided: &Decided<Crypto<N>>, resilience: Resilience, accounts: &Accounts) -> Verdict {
    let (n, f, p) = (resilience.n(), resilience.f(), resilience.p());
    let certificate = &decided.certificate;
    let (quorum, said) = match certificate.path {
        Path::Fast => (n - p, Said::Vote),
        // More than half of those that are not faulty, and the faulty ones.
        Path::Slow => ((n + f + 2) / 2, Said::Commit),
    };
    let signers = certificate.signatures.signers();
    let voters = signers.iter().filter(|signer| signer.index() < n).count();
    check(voters == quorum && signers.len() == quorum, CERTIFICATE, || {
        format!("{} signers decide in {:?} by the {:?} path", signers.len(), decided.header.epoch, certificate.path)
    })?;
    let (epoch, view) = (decided.header.epoch.0, certificate.ballot.view.0);
    for signer in signers.iter() {
        let missing = accounts.denies(signer.index(), epoch, view, said, certificate.ballot.value);
        check(!missing, CERTIFICATE, || {
            format!("epoch {epoch} is decided with a {said:?} in view {view} that member {} never gave", signer.0)
        })?;
    }
    Ok(())
}
