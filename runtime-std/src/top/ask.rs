//! Questions to the nodes: documents of their read-only API, all at once.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1::handshake;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Target;
use super::report::{Latency, NodeReport, Proven, Report};
use crate::control::Blocked;

/// A node that does not answer within this time is taken to be away.
const ANSWER_TIME: Duration = Duration::from_secs(2);
/// More bytes than any document has.
const MAX_DOCUMENT: usize = 256 * 1024;
/// Epochs over which latencies are taken: as many as one answer has.
const EPOCHS: u64 = 100;

#[derive(Deserialize)]
struct State {
    cluster: String,
    voters: usize,
    f: usize,
    role: String,
    coordinator: String,
    epoch: u64,
    view: u32,
    leader: u8,
    last_epoch: Option<u64>,
    blocked: Option<Blocked>,
}

#[derive(Deserialize)]
struct Members {
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    id: u8,
    connected: Option<bool>,
    faults: Vec<String>,
}

#[derive(Deserialize)]
struct Epochs {
    epochs: Vec<Epoch>,
}

#[derive(Deserialize)]
struct Epoch {
    path: String,
    latency_us: Option<u64>,
}

/// What the nodes say of themselves; those that do not answer are in it as well.
pub async fn ask_all(targets: &[Target]) -> Report {
    let mut asked = JoinSet::new();
    for target in targets.iter().copied() {
        asked.spawn(async move {
            let answer = async { ask(target.id, target.admin.context("it answers no operators")?).await };
            (target, timeout(ANSWER_TIME, answer).await)
        });
    }
    let mut report = Report::default();
    while let Some(asked) = asked.join_next().await {
        let Ok((target, answer)) = asked else { continue };
        match answer {
            Ok(Ok((state, node))) => {
                report.cluster = Some(state.cluster);
                (report.voters, report.f) = (state.voters, state.f);
                report.nodes.push(NodeReport { admin: target.admin, ..node });
            }
            _ => report.nodes.push(NodeReport::silent(target.id, target.admin)),
        }
    }
    report.conclude();
    report
}

async fn ask(id: u8, admin: SocketAddr) -> Result<(State, NodeReport)> {
    let state: State = document(admin, "/api/v1/state").await?;
    let Members { members } = document(admin, "/api/v1/members").await?;
    let from = state.last_epoch.map_or(0, |last| last.saturating_sub(EPOCHS - 1));
    let Epochs { epochs } = document(admin, &format!("/api/v1/epochs?from={from}&limit={EPOCHS}")).await?;
    let proven = |member: &Member| {
        let accused = member.id;
        member.faults.iter().map(move |fault| Proven { accused, fault: fault.clone() }).collect::<Vec<_>>()
    };
    let node = NodeReport {
        id,
        admin: Some(admin),
        answers: true,
        role: Some(state.role.clone()),
        coordinator: Some(state.coordinator.clone()),
        epoch: Some(state.epoch),
        view: Some(state.view),
        leader: Some(state.leader),
        sessions: members.iter().filter(|member| member.connected == Some(true)).count(),
        latency: Latency::of(epochs.iter().filter_map(|epoch| epoch.latency_us).collect()),
        fast_percent: share(epochs.iter().filter(|epoch| epoch.path == "fast").count(), epochs.len()),
        blocked: state.blocked.clone(),
        proves: members.iter().flat_map(proven).collect(),
    };
    Ok((state, node))
}

/// In percent, rounded down; none of nothing.
fn share(part: usize, all: usize) -> Option<usize> {
    (100 * part).checked_div(all)
}

async fn document<T: DeserializeOwned>(admin: SocketAddr, path: &str) -> Result<T> {
    let stream = TcpStream::connect(admin).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with the answer, or with what is asked for here.
    let connection = tokio::spawn(connection);
    let request = Request::get(path).header(HOST, admin.to_string()).body(String::new())?;
    let answer = sender.send_request(request).await?;
    ensure!(answer.status() == StatusCode::OK, "{path}: {}", answer.status());
    let body = Limited::new(answer.into_body(), MAX_DOCUMENT).collect().await;
    connection.abort();
    let body = body.map_err(|error| anyhow::anyhow!("{path}: {error}"))?.to_bytes();
    Ok(serde_json::from_slice(&body)?)
}
