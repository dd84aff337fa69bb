//! `token`: an operator invites somebody into the roster.

use std::path::Path;

use anyhow::{Result, ensure};
use butterfly_kernel::types::{Resilience, ResilienceError};

use super::open_operator;
use crate::invitation::Invitation;
use crate::provision;

/// What an operator wants a newcomer to be.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// It votes; or it is a worker.
    pub votes: bool,
    /// Voters of the next roster that may be faulty in any way, if it is said.
    pub faults_tolerated: Option<usize>,
    /// Voters that may be silent on the fast path, if it is said.
    pub fast_path_faults: Option<usize>,
}

impl Wanted {
    /// n, f and p of the next roster, when those of this one are `before`. What
    /// is left open is as much as the voters allow; a worker changes nothing.
    ///
    /// # Errors
    /// When the voters do not allow what was asked for.
    fn resilience(self, before: Resilience) -> Result<Resilience, ResilienceError> {
        if self.votes {
            provision::resilience(before.n().saturating_add(1), self.faults_tolerated, self.fast_path_faults)
        } else {
            Ok(before)
        }
    }
}

/// Writes a token of the operator in `dir` for the cluster as the members know
/// it now, into a file that is not there yet.
///
/// # Errors
/// When the operator's folder cannot be used, the next roster cannot be as
/// wanted, or the file cannot be written.
pub async fn write_token(dir: &Path, file: &Path, wanted: Wanted) -> Result<Invitation> {
    let operator = open_operator(dir)?;
    let lineage = operator.latest().await?;
    let cluster = lineage.cluster();
    let is_operator = cluster.roster().operators.contains(&operator.keys().public());
    ensure!(is_operator, "the key in the operator's folder is not that of an operator of the roster");
    let resilience = wanted.resilience(cluster.resilience())?;
    let invitation = Invitation::sign(&operator, wanted.votes, resilience)?;
    invitation.write(file)?;
    Ok(invitation)
}
