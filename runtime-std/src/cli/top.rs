//! `top`: a cluster at a glance, again and again.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::Usage;
use crate::top::{Palette, ask_all, targets, watch};

/// Asks every node that has a folder in DIR where it answers operators, once a
/// second, and shows what each says of itself. Ends with q.
#[derive(Debug, Args)]
pub(super) struct Top {
    /// The cluster's folder, as `init` made it
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Ask once and print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn top(top: &Top) -> Result<ExitCode> {
    let targets = targets(&top.dir)?;
    if top.json {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        println!("{}", serde_json::to_string_pretty(&runtime.block_on(ask_all(&targets)))?);
        return Ok(ExitCode::SUCCESS);
    }
    if !io::stdout().is_terminal() {
        return Err(Usage("standard output is no terminal; `--json` prints one document".into()).into());
    }
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    watch(targets, if plain { Palette::Plain } else { Palette::Coloured })?;
    Ok(ExitCode::SUCCESS)
}
