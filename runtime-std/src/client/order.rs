//! Changing the roster: an operator's order, from the members that take it to
//! the decision that the change is.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use butterfly_kernel::types::NodeId;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::caller::{Caller, Known};
use super::{ANSWER_TIME, ask_change};
use crate::access::Refusal;
use crate::lineage::Lineage;
use crate::protocol::SignedChange;

/// Between two looks at whether it is decided.
const PAUSE: Duration = Duration::from_millis(100);

impl Caller {
    /// The clusters, as the members know them now.
    ///
    /// # Errors
    /// When it heard of a change and cannot keep it.
    pub async fn latest(&self) -> Result<Arc<Lineage>> {
        Ok(Arc::clone(self.catch_up().await?.lineage()))
    }

    /// Has the roster changed, and waits until it is. A change that was committed
    /// before is not asked for again.
    ///
    /// # Errors
    /// When more than f members refuse it, another change comes first, or
    /// nothing is decided within `patience`: it may be decided later.
    pub async fn order(&self, change: &SignedChange, patience: Duration) -> Result<Arc<Lineage>> {
        let known = self.known();
        let before = known.lineage().changes();
        let deadline = Instant::now() + patience;
        let mut taken = known.hand_in(change).await?;
        loop {
            let now = self.catch_up().await?;
            if let Some(ending) = now.lineage().endings().get(before) {
                ensure!(
                    ending.state.change.as_ref() == Some(&change.change),
                    "another change of the roster came first; see `butterfly status`, and order this one again if it \
                     is still wanted"
                );
                return Ok(Arc::clone(now.lineage()));
            }
            if Instant::now() >= deadline {
                ensure!(
                    taken > 0,
                    "no node answers; `butterfly start` starts them, and `butterfly status` says who is there"
                );
                bail!(
                    "the change was handed in and is not decided after {} s; `butterfly status` says who is missing. \
                     It may be decided later",
                    patience.as_secs()
                );
            }
            sleep(PAUSE).await;
            if taken <= now.cluster().resilience().f() {
                taken = known.hand_in(change).await?;
            }
        }
    }
}

impl Known {
    /// To every voter; how many took it.
    async fn hand_in(self: &Arc<Self>, change: &SignedChange) -> Result<usize> {
        let mut tasks = JoinSet::new();
        for node in self.cluster().voters().iter() {
            let (known, change) = (Arc::clone(self), change.clone());
            tasks.spawn(async move { timeout(ANSWER_TIME, known.hand_to(node, change)).await });
        }
        let f = self.cluster().resilience().f();
        let (mut taken, mut refused) = (0, 0);
        while let Some(answered) = tasks.join_next().await {
            match answered {
                Ok(Ok(Ok(None))) => taken += 1,
                Ok(Ok(Ok(Some(refusal)))) => {
                    refused += 1;
                    // One of them is honest, and no change is made behind its back.
                    ensure!(refused <= f || taken > 0, "the nodes refuse it: {refusal}");
                }
                _ => {}
            }
        }
        Ok(taken)
    }

    async fn hand_to(&self, node: NodeId, change: SignedChange) -> Result<Option<Refusal>> {
        let mut connection = self.connect(node).await?;
        let answer = ask_change(&mut connection, change).await?;
        // Whoever does not wait for the end is not missed.
        let _ended = connection.end().await;
        Ok(answer)
    }
}
