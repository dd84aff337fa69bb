//! `status`: where every member is, and what that says about the cluster.
//!
//! A decision is proven by its certificate. A view is only claimed, so the one
//! that is shown has been reached by f + 1 members, one of which is honest.

use butterfly_kernel::node::Role;
use butterfly_kernel::types::{Epoch, NodeId, View};
use serde::Serialize;
use tokio::task::JoinSet;

use super::{ANSWER_TIME, Client, ask, hear};
use crate::access::{Answer, Ask, Standing};
use crate::control::Blocked;
use crate::protocol::Decided;
use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::timeout;

/// The document that `status --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct StandingReport {
    /// Of this document.
    pub version: u32,
    /// The cluster's id.
    pub cluster: String,
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
    pub async fn status(self: &Arc<Self>) -> StandingReport {
        let answers = self.standings().await;
        self.report(&answers)
    }

    /// Those who answer in time, and truly as far as that can be checked.
    pub(super) async fn standings(self: &Arc<Self>) -> BTreeMap<NodeId, Answered> {
        let mut asked = JoinSet::new();
        for node in self.cluster().members().iter() {
            let client = Arc::clone(self);
            asked.spawn(async move { (node, timeout(ANSWER_TIME, client.standing(node)).await) });
        }
        let mut answers = BTreeMap::new();
        while let Some(answered) = asked.join_next().await {
            if let Ok((node, Ok(Ok(answer)))) = answered {
                answers.insert(node, answer);
            }
        }
        answers
    }

    async fn standing(&self, node: NodeId) -> Result<Answered> {
        let mut connection = self.connect(node).await?;
        ask(&mut connection, &Ask::Standing).await?;
        let Answer::Standing(standing, decided) = hear(&mut connection).await? else { bail!("an answer to nothing") };
        if decided.as_ref().is_some_and(|decided| !self.cluster().decided_is_genuine(decided)) {
            bail!("a decision without a certificate");
        }
        // Whoever does not wait for the end is not missed.
        let _ended = connection.end().await;
        Ok(Answered { standing, decided })
    }

    fn report(&self, answers: &BTreeMap<NodeId, Answered>) -> StandingReport {
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
            address: self.nodes.get(node.index()).map(ToString::to_string).unwrap_or_default(),
        };
        StandingReport {
            version: 1,
            cluster: cluster.id().to_string(),
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

/// The place that f + 1 of those who answer have reached; of fewer, the least.
fn reached<'a>(standings: impl Iterator<Item = &'a Standing>, f: usize) -> (Epoch, View) {
    let mut places: Vec<(Epoch, View)> = standings.map(|standing| (standing.epoch, standing.view)).collect();
    places.sort_unstable_by(|one, other| other.cmp(one));
    places.get(f).or(places.last()).copied().unwrap_or((Epoch::GENESIS.next(), View::ZERO))
}
