//! `cargo xtask firmware-link`: the kernel, and sessions, each link into a
//! program for a Cortex-M4F that has no global allocator.
//!
//! The programs are in `runtime-embedded/link-check`. That they link is the
//! proof; the symbol tables are read to show that the proof is not empty (what
//! is to be shown is in there, an allocator is not) and what it costs in flash
//! and RAM.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::debian;
use crate::workspace;
use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SectionKind};

pub(crate) const TARGET: &str = "thumbv7em-none-eabihf";
const CRATE: &str = "runtime-embedded/link-check";

/// Parts of the names that Rust gives to the functions of a global allocator.
const RUST_ALLOCATOR: [&str; 6] =
    ["__rust_alloc", "__rust_dealloc", "__rust_realloc", "__rust_no_alloc_shim", "__rg_alloc", "__rdl_alloc"];
/// The functions of an allocator written in C.
const C_ALLOCATOR: [&str; 4] = ["malloc", "calloc", "realloc", "free"];
/// A program that must link, and what must be in it.
struct Program {
    binary: &'static str,
    /// The crate that it shows to need no heap, as symbols name it.
    shows: &'static str,
    /// Crates that are in there only because of that one.
    brings: &'static [&'static str],
    /// Statics that hold what takes RAM, and what they are called in the table.
    statics: &'static [(&'static str, &'static str)],
}

const PROGRAMS: [Program; 2] = [
    Program {
        binary: "butterfly-link-check",
        shows: "butterfly_kernel",
        brings: &["heapless", "postcard", "serde"],
        statics: &[("NODE_OF_4", "one node, n = 4"), ("NODE_OF_7", "one node, n = 7")],
    },
    Program {
        binary: "butterfly-link-check-session",
        shows: "butterfly_session",
        brings: &["clatter", "chacha20", "poly1305", "blake2", "cipher", "aead", "x25519_dalek"],
        statics: &[
            ("SESSION_THAT_DIALS", "one session"),
            ("SESSION_THAT_LISTENS", "another session"),
            ("GATE_OF_2", "a gate of 2 seats"),
        ],
    },
];

const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-16"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_CORE: &str = "/usr/lib/rustlib/src/rust/library/core";
const DEBIAN_LLVM: &str = "/usr/lib";

/// Builds the programs, checks their symbols and prints their sizes.
///
/// # Errors
/// When no toolchain for the target can be had, a program does not link, or
/// its symbols are not those of a program that runs without a heap.
pub(crate) fn run() -> Result<()> {
    let root = workspace::root();
    let toolchain = Toolchain::find()?;
    println!("toolchain: {}", toolchain.describe()?);
    let folder = build(&root, &toolchain)?;
    PROGRAMS.iter().try_for_each(|program| program.check(&folder))
}

/// How a program for the target can be built.
pub(crate) enum Toolchain {
    /// The compiler in use has the target's `core`.
    Installed,
    /// Debian's compiler builds `core` from its source. It builds no `alloc`,
    /// so this way nothing could even ask for a heap.
    Debian {
        /// Debian's compiler comes without a linker for the target.
        linker: PathBuf,
    },
}

impl Toolchain {
    pub(crate) fn find() -> Result<Toolchain> {
        if target_is_installed() || (rustup_adds_target() && target_is_installed()) {
            return Ok(Toolchain::Installed);
        }
        if let Some(toolchain) = Toolchain::debian() {
            return Ok(toolchain);
        }
        debian::install(&DEBIAN_PACKAGES)?;
        Toolchain::debian().with_context(|| {
            let packages = DEBIAN_PACKAGES.join(" ");
            format!("no toolchain for {TARGET}, although {packages} are installed")
        })
    }

    fn debian() -> Option<Toolchain> {
        let complete = [DEBIAN_RUSTC, DEBIAN_CARGO, DEBIAN_CORE].into_iter().all(|path| Path::new(path).exists());
        let linker = debian_linker()?;
        complete.then_some(Toolchain::Debian { linker })
    }

    pub(crate) fn describe(&self) -> Result<String> {
        let (rustc, how) = match self {
            Toolchain::Installed => (rustc(), format!("with its own core for {TARGET}")),
            Toolchain::Debian { linker } => {
                (PathBuf::from(DEBIAN_RUSTC), format!("with core built from source, linked by {}", linker.display()))
            }
        };
        let version = Command::new(&rustc).arg("--version").output();
        let version = version.with_context(|| format!("cannot start {}", rustc.display()))?;
        Ok(format!("{}, {how}", String::from_utf8_lossy(&version.stdout).trim()))
    }

    /// `cargo build`, with what this toolchain needs besides.
    pub(crate) fn cargo_build(&self) -> Command {
        match self {
            Toolchain::Installed => {
                let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
                cargo.arg("build");
                cargo
            }
            Toolchain::Debian { linker } => {
                let mut cargo = Command::new(DEBIAN_CARGO);
                cargo.args(["build", "-Zbuild-std=core"]);
                // A released compiler takes -Z options only when told so.
                cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", DEBIAN_RUSTC);
                cargo.env("CARGO_TARGET_THUMBV7EM_NONE_EABIHF_LINKER", linker);
                cargo
            }
        }
    }
}

fn rustc() -> PathBuf {
    env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from)
}

/// rustc names a folder for every target that it knows, installed or not, so
/// what counts is whether `core` is in it.
fn target_is_installed() -> bool {
    let Ok(output) = Command::new(rustc()).args(["--print", "target-libdir", "--target", TARGET]).output() else {
        return false;
    };
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let Ok(files) = fs::read_dir(folder) else { return false };
    files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
}

fn rustup_adds_target() -> bool {
    println!("{TARGET} is not installed; asking rustup for it");
    Command::new("rustup").args(["target", "add", TARGET]).status().is_ok_and(|status| status.success())
}

/// Any LLVM from 16 on will do; of several, the first in order of names.
fn debian_linker() -> Option<PathBuf> {
    let folders = fs::read_dir(DEBIAN_LLVM).ok()?;
    let linkers = folders.flatten().filter(|folder| folder.file_name().to_string_lossy().starts_with("llvm-"));
    linkers.map(|folder| folder.path().join("bin/ld.lld")).filter(|linker| linker.exists()).min()
}

/// Builds the programs and returns the folder that they are in.
fn build(root: &Path, toolchain: &Toolchain) -> Result<PathBuf> {
    let folder = root.join(CRATE);
    let target = match env::var_os("CARGO_TARGET_DIR") {
        Some(shared) => PathBuf::from(shared).join("link-check"),
        None => folder.join("target"),
    };
    let mut cargo = toolchain.cargo_build();
    cargo.args(["--locked", "--release", "--target", TARGET]);
    cargo.arg("--manifest-path").arg(folder.join("Cargo.toml")).arg("--target-dir").arg(&target);
    // Flags meant for the machine that builds would reach the target's compiler too.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let status = cargo.stdin(Stdio::null()).status().context("cannot start cargo")?;
    ensure!(status.success(), "the programs do not link for {TARGET} without a global allocator");
    Ok(target.join(TARGET).join("release"))
}

fn print_sizes(elf: &object::File<'_>) {
    let (mut flash, mut ram) = (0, 0);
    println!("{:<20} {:>8}", "section", "bytes");
    for section in elf.sections().filter(|section| is_loaded(section) && section.size() > 0) {
        println!("{:<20} {:>8}", section.name().unwrap_or("?"), section.size());
        match section.kind() {
            SectionKind::UninitializedData => ram += section.size(),
            SectionKind::Data => {
                flash += section.size();
                ram += section.size();
            }
            _ => flash += section.size(),
        }
    }
    println!("{:<20} {flash:>8}", "flash in all");
    println!("{:<20} {ram:>8}", "RAM without stack");
}

/// Whether the section takes room on the device: SHF_ALLOC.
pub(crate) fn is_loaded(section: &object::Section<'_, '_>) -> bool {
    matches!(section.flags(), SectionFlags::Elf { sh_flags } if sh_flags & u64::from(object::elf::SHF_ALLOC) != 0)
}

impl Program {
    fn check(&self, folder: &Path) -> Result<()> {
        let path = folder.join(self.binary);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let elf = object::File::parse(&*bytes).context("the program is not an object file")?;
        println!("\n{}", self.binary);
        print_sizes(&elf);
        self.check_symbols(&elf)
    }

    fn check_symbols(&self, elf: &object::File<'_>) -> Result<()> {
        let Program { binary, shows, brings, statics } = self;
        let symbols: Vec<(&str, u64)> =
            elf.symbols().filter_map(|symbol| Some((symbol.name().ok()?, symbol.size()))).collect();
        let with = |part: &str| symbols.iter().filter(|(name, _)| name.contains(part)).count();
        for (part, what) in *statics {
            let place = symbols.iter().find(|(name, _)| name.contains(part));
            let (_, size) = place.with_context(|| format!("{binary} holds no {part}"))?;
            println!("{what:<20} {size:>8}");
        }
        let is_of = |name: &str| name.contains(shows) || brings.iter().any(|part| name.contains(part));
        let flash: u64 = symbols.iter().filter(|(name, _)| is_of(name)).map(|(_, size)| size).sum();
        println!("{:<20} {flash:>8}", "its own flash");
        let shown = with(shows);
        ensure!(shown > 0, "there is nothing of {shows} in {binary}, so that it links proves nothing");
        println!("{:<20} {shown:>8}", "its own symbols");
        println!("{:<20} {:>8}", "panic symbols", with("9panicking"));
        let allocator: Vec<&str> = symbols.iter().map(|(name, _)| *name).filter(|name| allocates(name)).collect();
        ensure!(allocator.is_empty(), "there is an allocator in {binary}: {}", allocator.join(", "));
        println!("{:<20} {:>8}", "allocator symbols", 0);
        Ok(())
    }
}

pub(crate) fn allocates(name: &str) -> bool {
    C_ALLOCATOR.contains(&name) || RUST_ALLOCATOR.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocators_are_known_by_their_names_and_nothing_else_is() {
        for name in ["_RNvCs1gtFtoDG4VJ_7___rustc12___rust_alloc", "__rust_dealloc", "malloc", "free"] {
            assert!(allocates(name), "{name}");
        }
        for name in ["_ZN16butterfly_kernel4node4free17h0123456789abcdefE", "_RNvNtCs1_4core5alloc6layout", "freeze"] {
            assert!(!allocates(name), "{name}");
        }
    }
}
