//! `status`: where every member is, and what that says about the cluster.
//!
//! A decision is proven by its certificate. A view is only claimed, so the one
//! that is shown has been reached by f + 1 members, one of which is honest.

use butterfly_kernel::node::Role;
use butterfly_kernel::types::{Epoch, NodeId, NodeSet, View};
use serde::Serialize;
use tokio::task::JoinSet;

use super::caller::Known;
use super::{ANSWER_TIME, Client, ask, hear};
use crate::access::{Answer, Ask, Standing};
use crate::control::Blocked;
use crate::protocol::{Decided, Evidence};
use crate::transport::Connection;
use anyhow::{Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// A node that says how it stands and has told no proofs by then has none.
const EVIDENCE_TIME: Duration = Duration::from_secs(2);
/// Proofs that are asked of one node, at most.
const MOST_PROOFS: u16 = 64;

/// The document that `status --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct StandingReport {
    /// Of this document.
    pub version: u32,
    /// The cluster's id, by which proofs name it however often its roster changed.
    pub cluster: String,
    /// How often that was.
    pub roster_changes: usize,
    /// The open epoch.
    pub epoch: u64,
    /// The view that it is in.
    pub view: u32,
    /// Whose turn that is.
    pub leader: u8,
    /// What can be expected of the cluster.
    pub state: ClusterState,
    /// Whether a request is under way.
    pub working: bool,
    /// Members that may be faulty.
    pub f: usize,
    /// Who keeps the epoch from being decided, as a member says.
    pub blocked: Option<Blocked>,
    /// By their place in the roster.
    pub members: Vec<MemberReport>,
}

/// What can be expected of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterState {
    /// Every member answers, and every voter votes.
    Whole,
    /// Some do not, and no more than may fail.
    Degraded,
    /// Fewer voters answer that may vote than a decision needs.
    Stopped,
}

/// Where one member is.
#[derive(Clone, Debug, Serialize)]
pub struct MemberReport {
    /// Its number.
    pub id: u8,
    /// What it does.
    pub state: MemberState,
    /// The last epoch that it holds decided, with a certificate; none if it does not answer.
    pub last_epoch: Option<u64>,
    /// What it is proven to have done, as evidence says that was checked here.
    pub faults: BTreeSet<&'static str>,
    /// Where it should listen.
    pub address: String,
}

/// What a member does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberState {
    /// It votes.
    Replica,
    /// It lost its vote record and signs nothing until it is admitted again.
    Learner,
    /// It runs stages and does not vote.
    Worker,
    /// It does not answer.
    Unreachable,
}

/// A member's answer, its decision checked.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    pub(super) standing: Standing,
    pub(super) decided: Option<Decided>,
}

impl Answered {
    fn last(&self) -> Epoch {
        self.decided.as_ref().map_or(Epoch::GENESIS, |decided| decided.header.epoch)
    }
}

impl Client {
    /// Asks every member at once.
    ///
    /// # Errors
    /// When it heard of a change of the roster and cannot keep it.
    pub async fn status(&self) -> Result<StandingReport> {
        Ok(self.caller.catch_up().await?.status().await)
    }
}

impl Known {
    async fn status(self: &Arc<Self>) -> StandingReport {
        let ask = |known: Arc<Known>, node| async move {
            let mut connection = known.connect(node).await?;
            let answered = known.standing(&mut connection).await?;
            // A device keeps no proofs, and ends the session when it is asked for one.
            let proven = timeout(EVIDENCE_TIME, known.evidence(&mut connection)).await;
            let proven = proven.ok().and_then(Result::ok).unwrap_or_default();
            // Whoever does not wait for the end is not missed.
            let _ended = connection.end().await;
            Ok((answered, proven))
        };
        let mut answers = BTreeMap::new();
        let mut faults: BTreeMap<NodeId, BTreeSet<&'static str>> = BTreeMap::new();
        let ask = |node| ask(Arc::clone(self), node);
        for (node, (answered, proven)) in ask_all(self.cluster().members(), ask, |_| false).await {
            answers.insert(node, answered);
            for Evidence { accused, fault } in proven {
                faults.entry(accused).or_default().insert(fault.name());
            }
        }
        self.report(&answers, &faults)
    }

    /// How those voters stand who answer first: as many as a decision needs, so
    /// that nobody waits for one that is cut off.
    pub(super) async fn standings(self: &Arc<Self>) -> BTreeMap<NodeId, Answered> {
        let ask = |known: Arc<Known>, node| async move {
            let mut connection = known.connect(node).await?;
            let answered = known.standing(&mut connection).await?;
            let _ended = connection.end().await;
            Ok(answered)
        };
        let quorum = self.cluster().resilience().view_change_quorum();
        let voters =
            |answers: &BTreeMap<NodeId, Answered>| answers.keys().filter(|node| self.cluster().votes(**node)).count();
        let ask = |node| ask(Arc::clone(self), node);
        ask_all(self.cluster().members(), ask, |answers| voters(answers) >= quorum).await
    }

    async fn standing(&self, connection: &mut Connection) -> Result<Answered> {
        ask(connection, &Ask::Standing).await?;
        let Answer::Standing(standing, decided) = hear(connection).await? else { bail!("an answer to nothing") };
        let genuine = |decided: &Decided| self.lineage().deciding(decided.header.epoch).decided_is_genuine(decided);
        if !decided.as_ref().is_none_or(genuine) {
            bail!("a decision without a certificate");
        }
        Ok(Answered { standing, decided })
    }

    /// Proofs that hold.
    async fn evidence(&self, connection: &mut Connection) -> Result<Vec<Evidence>> {
        let mut proven = Vec::new();
        for number in 0..MOST_PROOFS {
            ask(connection, &Ask::Evidence(number)).await?;
            let Answer::Evidence(evidence) = hear(connection).await? else { bail!("an answer to nothing") };
            let Some(evidence) = evidence else { break };
            if evidence.verify(self.cluster()).is_ok() {
                proven.push(evidence);
            }
        }
        Ok(proven)
    }

    fn report(
        &self,
        answers: &BTreeMap<NodeId, Answered>,
        faults: &BTreeMap<NodeId, BTreeSet<&'static str>>,
    ) -> StandingReport {
        let cluster = self.cluster();
        let f = cluster.resilience().f();
        let (epoch, view) = reached(answers.values().map(|answer| &answer.standing), f);
        let can_vote =
            |(node, answer): &(&NodeId, &Answered)| cluster.votes(**node) && answer.standing.role == Role::Replica;
        let voting = answers.iter().filter(can_vote).count();
        let voters = cluster.resilience().n();
        let all = answers.len() == cluster.members().len() && voting == voters;
        let state = match voting {
            _ if all => ClusterState::Whole,
            voting if voting + f >= voters => ClusterState::Degraded,
            _ => ClusterState::Stopped,
        };
        let member = |node: NodeId| MemberReport {
            id: node.0,
            state: answers.get(&node).map_or(MemberState::Unreachable, |answer| match answer.standing.role {
                Role::Replica => MemberState::Replica,
                Role::Learner => MemberState::Learner,
                Role::Worker => MemberState::Worker,
            }),
            last_epoch: answers.get(&node).map(|answer| answer.last().0),
            faults: faults.get(&node).cloned().unwrap_or_default(),
            address: self.address(node).map(|address| address.to_string()).unwrap_or_default(),
        };
        StandingReport {
            version: 1,
            cluster: self.lineage().first().id().to_string(),
            roster_changes: self.lineage().changes(),
            epoch: epoch.0,
            view: view.0,
            leader: cluster.leader(epoch, view).0,
            state,
            working: answers.values().any(|answer| answer.standing.working),
            f,
            blocked: answers.values().find_map(|answer| answer.standing.blocked.clone()),
            members: cluster.members().iter().map(member).collect(),
        }
    }
}

/// What every one of `nodes` answers, until it is `enough` or nobody is waited for.
async fn ask_all<T: Send + 'static, A: Future<Output = Result<T>> + Send + 'static>(
    nodes: NodeSet,
    ask: impl Fn(NodeId) -> A,
    enough: impl Fn(&BTreeMap<NodeId, T>) -> bool,
) -> BTreeMap<NodeId, T> {
    let mut asked = JoinSet::new();
    for node in nodes.iter() {
        let answer = timeout(ANSWER_TIME, ask(node));
        asked.spawn(async move { (node, answer.await) });
    }
    let mut answers = BTreeMap::new();
    while !enough(&answers)
        && let Some(answered) = asked.join_next().await
    {
        if let Ok((node, Ok(Ok(answer)))) = answered {
            answers.insert(node, answer);
        }
    }
    answers
}

/// The place that f + 1 of those who answer have reached; of fewer, the least.
fn reached<'a>(standings: impl Iterator<Item = &'a Standing>, f: usize) -> (Epoch, View) {
    let mut places: Vec<(Epoch, View)> = standings.map(|standing| (standing.epoch, standing.view)).collect();
    places.sort_unstable_by(|one, other| other.cmp(one));
    places.get(f).or(places.last()).copied().unwrap_or((Epoch::GENESIS.next(), View::ZERO))
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    async fn answer(node: NodeId) -> Result<u8> {
        match node.0 {
            2 => pending().await,
            3 => bail!("it is gone"),
            answer => Ok(answer),
        }
    }

    /// The clock moves only when everybody waits for it.
    #[tokio::test(start_paused = true)]
    async fn one_that_is_cut_off_is_not_waited_for_when_others_are_enough() {
        let begin = tokio::time::Instant::now();
        let answers = ask_all(NodeSet::first(4), answer, |answers| answers.len() == 2).await;
        assert_eq!(answers.into_values().collect::<Vec<_>>(), [0, 1]);
        assert_eq!(begin.elapsed().as_millis(), 0);
        let answers = ask_all(NodeSet::first(4), answer, |_| false).await;
        assert_eq!(answers.into_values().collect::<Vec<_>>(), [0, 1]);
        assert_eq!(begin.elapsed().as_secs(), ANSWER_TIME.as_secs());
    }
}
