//! Where things are.

use std::env;
use std::path::{Path, PathBuf};

/// The root of the workspace: the folder above this package.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the variable when it runs us; a copied binary still knows
    // where it was built.
    let package =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or(package.clone(), Path::to_path_buf)
}

/// Where everything that can be made again goes.
pub(crate) fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(target) => root().join(target),
        None => root().join("target"),
    }
}

/// Where tools are installed that are not part of the workspace.
pub(crate) fn tools() -> PathBuf {
    target().join("tools")
}
