//! The live page of a node, in a browser.

use std::fs;

use anyhow::{Context, Result};

use crate::test::cargo;
use crate::{debian, workspace};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Keep the pictures that the tests took in runtime-std/pictures, for its README
    #[arg(long)]
    pictures: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    step()?;
    if arguments.pictures {
        keep_pictures()?;
    }
    Ok(())
}

/// Installs what is missing and runs the tests that need it.
pub(crate) fn step() -> Result<()> {
    debian::need(&[("chromium", "chromium"), ("chromedriver", "chromium-driver")])?;
    let test = ["test", "--release", "-p", "butterfly-runtime-std", "--test", "system"];
    cargo(&[&test[..], &["page::", "--", "--ignored", "--nocapture"]].concat())
}

fn keep_pictures() -> Result<()> {
    let (taken, kept) = (workspace::target().join("tmp/pictures"), workspace::root().join("runtime-std/pictures"));
    let entries = fs::read_dir(&taken).with_context(|| format!("cannot read {}", taken.display()))?;
    fs::create_dir_all(&kept).with_context(|| format!("cannot make {}", kept.display()))?;
    for entry in entries {
        let entry = entry?;
        let picture = kept.join(entry.file_name());
        fs::copy(entry.path(), &picture).with_context(|| format!("cannot write {}", picture.display()))?;
        println!("{}", picture.display());
    }
    Ok(())
}
