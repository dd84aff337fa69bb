//! `verify`: what a file proves, and for which cluster.

use std::process::ExitCode;

use anyhow::{Result, ensure};
use butterfly_kernel::crypto::Signatures;
use butterfly_kernel::types::NodeId;
use comfy_table::{Table, presets};
use serde::Serialize;

use super::{Usage, Verify};
use crate::document::{self, Checked, MAX_DOCUMENT, Statement};
use crate::folder;
use crate::model::text_of;
use crate::protocol::{CommitProof, Evidence, path_name};

/// The document that `verify --json` prints.
#[derive(Serialize)]
struct Verdict {
    valid: bool,
    cluster: String,
    /// Whether the reader named the cluster; else its id is the file's claim.
    cluster_expected: bool,
    /// How often its roster had changed by then.
    roster_changes: usize,
    nodes: usize,
    f: usize,
    p: usize,
    #[serde(flatten)]
    proven: Proven,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "proves")]
enum Proven {
    Commit {
        client: u8,
        prompt: String,
        text: String,
        tokens_asked: u16,
        complete: bool,
        first_epoch: u64,
        last_epoch: u64,
        path: &'static str,
        view: u32,
        signers: Vec<u8>,
    },
    Evidence {
        accused: u8,
        kind: &'static str,
        means: &'static str,
    },
}

pub(super) fn run(arguments: &Verify) -> Result<ExitCode> {
    let expected = arguments.cluster.as_deref().map(read_id).transpose()?;
    let checked = document::check(&folder::read(&arguments.file, MAX_DOCUMENT)?)?;
    let id = checked.lineage.first().id();
    if let Some(expected) = expected {
        ensure!(
            id.0 == expected,
            "the file is about the cluster {id}, not the one asked for; get the file of your cluster"
        );
    }
    let verdict = verdict(&checked, expected.is_some());
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&verdict)?);
    } else {
        println!("{}", table(&verdict));
    }
    Ok(ExitCode::SUCCESS)
}

fn read_id(digits: &str) -> Result<[u8; 32]> {
    let mut id = [0; 32];
    hex::decode_to_slice(digits.trim(), &mut id).map_err(|_| {
        Usage(format!("{digits:?} is not a cluster's id; give 64 hexadecimal digits, as `demo` prints them"))
    })?;
    Ok(id)
}

fn verdict(checked: &Checked, cluster_expected: bool) -> Verdict {
    let Checked { lineage, statement } = checked;
    let resilience = checked.cluster().resilience();
    Verdict {
        valid: true,
        cluster: lineage.first().id().to_string(),
        cluster_expected,
        roster_changes: lineage.changes(),
        nodes: resilience.n(),
        f: resilience.f(),
        p: resilience.p(),
        proven: match statement {
            Statement::Commit(proof) => commit(proof),
            Statement::Evidence(evidence) => blame(evidence),
        },
    }
}

fn commit(proof: &CommitProof) -> Proven {
    let request = &proof.request.request;
    // The increments say how much was committed before, so a proof may begin anywhere in the chain.
    Proven::Commit {
        client: request.client.0,
        prompt: text_of(request.prompt.iter().copied()),
        text: text_of(proof.tokens()),
        tokens_asked: request.tokens,
        complete: proof.committed == 0 && proof.tokens().count() == usize::from(request.tokens),
        first_epoch: proof.first.0,
        last_epoch: proof.last().0,
        path: path_name(proof.certificate.path),
        view: proof.certificate.ballot.view.0,
        signers: proof.certificate.signatures.signers().iter().map(|NodeId(node)| node).collect(),
    }
}

fn blame(evidence: &Evidence) -> Proven {
    let kind = evidence.fault.name();
    let means = match kind {
        "proposals" => "it signed two proposals in one view",
        "votes" => "it signed two votes in one view",
        "commits" => "it signed two commits in one view",
        "view_changes" => "it signed two reports on entering one view",
        _ => "it attested an output that contradicts what f + 1 members attest",
    };
    Proven::Evidence { accused: evidence.accused.0, kind, means }
}

fn table(verdict: &Verdict) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), value]);
    };
    match &verdict.proven {
        Proven::Commit {
            client,
            prompt,
            text,
            tokens_asked,
            complete,
            first_epoch,
            last_epoch,
            path,
            view,
            signers,
        } => {
            row("proves", "that the cluster committed this text".into());
            row("prompt", prompt.clone());
            row("text", text.clone());
            let all = if *complete { "all" } else { "not all" };
            row("asked by", format!("client {client}, for {tokens_asked} tokens; these are {all} of them"));
            row("epochs", format!("{first_epoch} to {last_epoch}"));
            let signers: Vec<String> = signers.iter().map(u8::to_string).collect();
            row("decided", format!("{path} path, view {view}, signed by nodes {}", signers.join(", ")));
        }
        Proven::Evidence { accused, kind, means } => {
            row("proves", format!("that node {accused} is faulty ({kind})"));
            row("because", (*means).into());
        }
    }
    row("cluster", verdict.cluster.clone());
    row("members", format!("{}, of which {} may be faulty", verdict.nodes, verdict.f));
    if verdict.roster_changes > 0 {
        row("roster", format!("changed {} times before; each change is proven in the file", verdict.roster_changes));
    }
    if !verdict.cluster_expected {
        row("note", "the members' keys are the file's own claim; give --cluster ID to check for your cluster".into());
    }
    table
}
