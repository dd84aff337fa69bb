//! `remove`: an operator takes a member out of the roster.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::message::change::Warrant;
use butterfly_kernel::types::NodeId;
use clap::Args;
use serde::Serialize;

use super::{Usage, bounds_as_usage, run};
use crate::client::Caller;
use crate::lineage::Lineage;
use crate::operate::open_operator;
use crate::protocol::{Change, Crypto, SignedChange};
use crate::provision;

/// The cluster commits it between two requests, and goes on without the member;
/// those behind it move up by one. The node itself serves what is under way,
/// and ends. To take a node out for good this is the way to stop it: nothing
/// waits for it any more, as it does for one that is only stopped.
#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The cluster's folder, with that of its operator
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Its number in the roster as it is now, as `status` shows it
    #[arg(long, value_name = "NODE")]
    node: u8,
    /// Nodes of the others that may be faulty in any way [default: as many as they allow]
    #[arg(long, value_name = "F")]
    faults_tolerated: Option<usize>,
    /// Nodes of the others that may be silent without slowing a decision down
    /// [default: as many as they allow, at most F]
    #[arg(long, value_name = "P")]
    fast_path_faults: Option<usize>,
    /// Give up when it is not decided by then; it may be decided later
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    patience: u64,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

/// The document that `remove --json` prints.
#[derive(Serialize)]
struct Removal {
    version: u32,
    /// The id of the first cluster, by which proofs name it.
    cluster: String,
    /// The last epoch of the roster before.
    epoch: u64,
    removed: u8,
    members: usize,
    f: usize,
    p: usize,
}

pub(super) fn remove(remove: &Remove) -> Result<ExitCode> {
    let operator = open_operator(&remove.dir)?;
    let lineage = run(order(&operator, remove)).map_err(bounds_as_usage)?;
    let (cluster, first) = (lineage.cluster(), lineage.first().id());
    let resilience = cluster.resilience();
    let removal = Removal {
        version: 1,
        cluster: first.to_string(),
        epoch: cluster.descent().map_or(0, |descent| descent.epoch.0),
        removed: remove.node,
        members: cluster.members().len(),
        f: resilience.f(),
        p: resilience.p(),
    };
    if remove.json {
        println!("{}", serde_json::to_string_pretty(&removal)?);
    } else {
        let Removal { epoch, removed, members, f, .. } = removal;
        println!("node {removed} is no member any more, since epoch {epoch}");
        println!("{members} members are left, of which {f} may be faulty in any way; `butterfly status` shows them");
    }
    Ok(ExitCode::SUCCESS)
}

async fn order(operator: &Caller, remove: &Remove) -> Result<Arc<Lineage>> {
    let lineage = operator.latest().await?;
    let (cluster, member) = (lineage.cluster(), NodeId(remove.node));
    let members = cluster.members();
    if !members.contains(member) {
        let last = members.len().saturating_sub(1);
        return Err(Usage(format!("there is no node {}; the roster has nodes 0 to {last}", member.0)).into());
    }
    let before = cluster.resilience();
    let after = if cluster.votes(member) {
        let voters = before.n().saturating_sub(1);
        provision::resilience(voters, remove.faults_tolerated, remove.fast_path_faults)?
    } else {
        before
    };
    let change = Change::Remove { member, resilience: after };
    let signature = Crypto::sign(operator.keys().identity(), &change.statement(cluster));
    let signed = SignedChange { change, warrant: Warrant::Operator(signature) };
    operator.order(&signed, Duration::from_secs(remove.patience)).await
}
