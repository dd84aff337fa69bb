//! `/api/v1/state`, `/members`, `/evidence`: one versioned document each.
//!
//! No text is in any of them, neither prompts nor answers: whoever can reach
//! the port is nobody in particular.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use butterfly_kernel::node::Role;
use serde::Serialize;

use super::Admin;
use crate::control::Blocked;
use crate::protocol::encode;

/// The version of every document here.
pub(super) const VERSION: u32 = 1;

#[derive(Serialize)]
pub(super) struct StateReport {
    version: u32,
    cluster: String,
    node: u8,
    members: usize,
    voters: usize,
    f: usize,
    p: usize,
    role: &'static str,
    /// What it is doing.
    coordinator: &'static str,
    epoch: u64,
    view: u32,
    leader: u8,
    /// The last decision that it holds; none before the first.
    last_epoch: Option<u64>,
    /// Whether a request is under way.
    working: bool,
    blocked: Option<Blocked>,
}

pub(super) async fn state(State(admin): State<Arc<Admin>>) -> Json<StateReport> {
    let standing = admin.chronicle.stands();
    let cluster = &admin.cluster;
    let resilience = cluster.resilience();
    Json(StateReport {
        version: VERSION,
        cluster: cluster.id().to_string(),
        node: admin.me.0,
        members: cluster.members().len(),
        voters: resilience.n(),
        f: resilience.f(),
        p: resilience.p(),
        role: match standing.role {
            Role::Replica => "replica",
            Role::Learner => "learner",
            Role::Worker => "worker",
        },
        coordinator: admin.board.doing().name(),
        epoch: standing.epoch.0,
        view: standing.view.0,
        leader: cluster.leader(standing.epoch, standing.view).0,
        last_epoch: admin.chronicle.last().map(|decided| decided.header.epoch.0),
        working: standing.working,
        blocked: standing.blocked,
    })
}

#[derive(Serialize)]
pub(super) struct MembersReport {
    version: u32,
    members: Vec<MemberReport>,
}

#[derive(Serialize)]
struct MemberReport {
    id: u8,
    /// Its identity key.
    identity: String,
    /// Where it listens, as far as this node knows.
    address: Option<SocketAddr>,
    votes: bool,
    /// Whether this node has a session with it; none for itself.
    connected: Option<bool>,
    /// Whether it was silent or disagreed when it mattered.
    suspected: bool,
    /// What this node can prove that it did.
    faults: Vec<&'static str>,
}

pub(super) async fn members(State(admin): State<Arc<Admin>>) -> Json<MembersReport> {
    let Admin { cluster, me, metrics, .. } = &*admin;
    let (evidence, suspects) = (admin.board.evidence(), admin.board.suspects());
    let peers = admin.peers.borrow().clone();
    let members = cluster.members().iter().zip(&cluster.roster().members).map(|(node, key)| MemberReport {
        id: node.0,
        identity: hex::encode(key.0),
        address: peers.get(node.index()).copied().flatten(),
        votes: cluster.votes(node),
        connected: (node != *me).then(|| metrics.is_connected(node)),
        suspected: suspects.contains(node),
        faults: evidence.iter().filter(|proof| proof.accused == node).map(|proof| proof.fault.name()).collect(),
    });
    Json(MembersReport { version: VERSION, members: members.collect() })
}

#[derive(Serialize)]
pub(super) struct EvidenceReport {
    version: u32,
    evidence: Vec<ProofReport>,
}

#[derive(Serialize)]
struct ProofReport {
    accused: u8,
    fault: &'static str,
    /// Its canonical encoding, for whoever checks it.
    #[serde(with = "hex")]
    evidence: Vec<u8>,
}

pub(super) async fn evidence(State(admin): State<Arc<Admin>>) -> Result<Json<EvidenceReport>, StatusCode> {
    let report = |proof: crate::protocol::Evidence| {
        let evidence = encode(&proof).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        Ok(ProofReport { accused: proof.accused.0, fault: proof.fault.name(), evidence })
    };
    let evidence = admin.board.evidence().into_iter().map(report).collect::<Result<_, StatusCode>>()?;
    Ok(Json(EvidenceReport { version: VERSION, evidence }))
}
