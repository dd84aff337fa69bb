//! The workload's activations are the same in every kind of build.
//!
//! The example `activations` prints one digest over more than five thousand of
//! them; here it is built four ways, and the digests are compared.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::process::succeed;
use crate::workspace;

struct Build {
    name: &'static str,
    arguments: &'static [&'static str],
    flags: Option<&'static str>,
}

const BUILDS: [Build; 5] = [
    Build {
        name: "debug",
        arguments: &["--config", "profile.dev.package.butterfly-workload.opt-level=0"],
        flags: None,
    },
    Build { name: "release", arguments: &["--release"], flags: None },
    Build { name: "native", arguments: &["--release"], flags: Some("-C target-cpu=native") },
    Build { name: "size s", arguments: &["--release", "--config", "profile.release.opt-level=\"s\""], flags: None },
    Build { name: "size z", arguments: &["--release", "--config", "profile.release.opt-level=\"z\""], flags: None },
];

pub(super) fn run() -> Result<()> {
    let mut digests = Vec::new();
    for build in BUILDS {
        let digest = digest(&build).with_context(|| format!("build `{}`", build.name))?;
        println!("{:<10} {digest}", build.name);
        digests.push(digest);
    }
    if digests.windows(2).any(|pair| pair[0] != pair[1]) {
        bail!("the same activations have different digests");
    }
    Ok(())
}

fn digest(build: &Build) -> Result<String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace::root()).stdin(Stdio::null());
    command.args(["run", "--quiet", "-p", "butterfly-workload", "--example", "activations"]).args(build.arguments);
    // Builds that differ in flags must not throw each other's results away.
    command.env("CARGO_TARGET_DIR", workspace::target().join("fingerprint").join(build.name.replace(' ', "-")));
    if let Some(flags) = build.flags {
        command.env("RUSTFLAGS", flags);
    }
    let printed = succeed(&mut command)?;
    let digest =
        printed.split_whitespace().find(|word| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let digest = digest.with_context(|| format!("no digest in what it printed: {printed}"))?;
    ensure!(!digest.bytes().all(|byte| byte == b'0'), "an empty digest");
    Ok(digest.to_owned())
}
