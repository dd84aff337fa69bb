//! `cargo xtask firmware`: builds the firmware for four and for seven members,
//! and says what it takes.
//!
//! It fails when an image takes more flash or memory than it may, when there
//! is an allocator in it, or when code that acts on what members say could
//! panic in a way that nobody has accounted for.

mod counts;
mod panics;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind};

use crate::firmware_link::{TARGET, Toolchain, allocates, is_loaded};
use crate::workspace;

const CRATE: &str = "runtime-embedded/firmware/mps2-an386";
const BINARY: &str = "butterfly-firmware";
const COSTS: &str = "butterfly-costs";
/// These bytes are in the image as they are.
const WEIGHTS: &str = "workload/weights/butterfly.weights";

/// The static memory of a request: caches and signals.
const REQUEST: &str = "DESKS";

/// An image: for how many members, and what it may take.
struct Image {
    members: u8,
    features: &'static [&'static str],
    /// Bytes of flash at most, without the weights.
    flash: u64,
    /// Bytes of static memory at most, without that of a request.
    ram: u64,
}

/// For four no more than the aims, of both; for seven no more memory than what
/// it takes, and a fiftieth.
const IMAGES: [Image; 2] = [
    Image { members: 7, features: &["--no-default-features", "--features", "seven"], flash: 262_144, ram: 104_200 },
    Image { members: 4, features: &[], flash: 262_144, ram: 65_536 },
];

/// Where memory begins that is not flash.
const RAM: u64 = 0x2000_0000;

/// The parts of an image, in the order in which a symbol is looked for in them.
const PARTS: [(&str, &[&str]); 9] = [
    ("the kernel", &["butterfly_kernel"]),
    ("its encoding", &["postcard", "serde"]),
    ("sessions", &["butterfly_session", "clatter", "chacha20", "poly1305", "blake2", "aead", "cipher", "x25519"]),
    ("Ed25519 and SHA", &["ed25519", "curve25519", "sha2", "digest", "block_buffer"]),
    ("the model", &["butterfly_workload"]),
    ("the network stack", &["smoltcp", "embassy_net", "managed"]),
    ("the host", &["butterfly_runtime_embedded", "butterfly_record", "butterfly_provisioning", "embassy", "heapless"]),
    ("the board", &["butterfly_firmware", "cortex_m"]),
    ("the core library", &["core", "compiler_builtins", "__aeabi", "mem"]),
];

/// What an image takes, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Of flash, without the weights.
    pub(crate) flash: u64,
    /// Of static memory, without that of a request.
    pub(crate) ram: u64,
}

/// Builds and measures both images.
///
/// # Errors
/// When one cannot be built, or is not as it must be.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let toolchain = Toolchain::find()?;
    println!("toolchain: {}", toolchain.describe()?);
    if arguments.counts {
        return counts::print(&build(&toolchain, COSTS, &[])?);
    }
    build_all().map(drop)
}

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Count instructions in QEMU instead
    #[arg(long)]
    counts: bool,
}

/// The image for four members, and what it takes.
///
/// # Errors
/// As [`run`].
pub(crate) fn build_all() -> Result<(PathBuf, Sizes)> {
    let toolchain = Toolchain::find()?;
    let telling = build(&toolchain, BINARY, &["--features", "panics"])?;
    panics::check(&telling)?;
    let mut last = None;
    // The one for four is built last, and stays.
    for image in &IMAGES {
        let path = build(&toolchain, BINARY, image.features)?;
        last = Some((path.clone(), image.measure(&path)?));
    }
    last.context("no image")
}

impl Image {
    fn measure(&self, path: &PathBuf) -> Result<Sizes> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let elf = object::File::parse(&*bytes).context("the firmware is not an object file")?;
        let weights = fs::metadata(workspace::root().join(WEIGHTS))?.len();
        let (mut flash, mut ram) = (0, 0);
        for section in elf.sections().filter(is_loaded) {
            match section.kind() {
                SectionKind::UninitializedData => ram += section.size(),
                SectionKind::Data => {
                    flash += section.size();
                    ram += section.size();
                }
                _ => flash += section.size(),
            }
        }
        let symbols: Vec<(&str, u64)> =
            elf.symbols().filter_map(|symbol| Some((symbol.name().ok()?, symbol.size()))).collect();
        let request =
            symbols.iter().find(|(name, _)| name.contains(REQUEST)).context("there is no memory for a request")?;
        let sizes = Sizes {
            flash: flash.checked_sub(weights).context("the weights are not in the image")?,
            ram: ram.checked_sub(request.1).context("the memory of a request is not in the image")?,
        };
        println!("\nfirmware for {} members", self.members);
        println!("{:<28} {:>9}   of at most {}", "flash without the weights", sizes.flash, self.flash);
        println!("{:<28} {weights:>9}", "weights");
        println!("{:<28} {:>9}   of at most {}", "static memory", sizes.ram, self.ram);
        println!("{:<28} {:>9}", "caches and signals", request.1);
        print_parts(&elf);
        print_statics(&elf);
        check_no_allocator(&symbols)?;
        ensure!(
            sizes.flash <= self.flash,
            "the image takes {} bytes of flash, and may take {}",
            sizes.flash,
            self.flash
        );
        ensure!(sizes.ram <= self.ram, "the image takes {} bytes of memory, and may take {}", sizes.ram, self.ram);
        Ok(sizes)
    }
}

/// Builds `binary` and returns where it is.
fn build(toolchain: &Toolchain, binary: &str, features: &[&str]) -> Result<PathBuf> {
    let folder = workspace::root().join(CRATE);
    let target = folder.join("target");
    let mut cargo = toolchain.cargo_build();
    // Its flags are in the folder's own configuration.
    cargo.current_dir(&folder);
    cargo.args(["--locked", "--release", "--target", TARGET, "--bin", binary]).args(features);
    cargo.arg("--manifest-path").arg(folder.join("Cargo.toml")).arg("--target-dir").arg(&target);
    // Flags meant for the machine that builds would reach the target's compiler too.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let status = cargo.stdin(Stdio::null()).status().context("cannot start cargo")?;
    ensure!(status.success(), "`{binary}` cannot be built for {TARGET}");
    Ok(target.join(TARGET).join("release").join(binary))
}

/// What each part of the image takes of its code.
fn print_parts(elf: &object::File<'_>) {
    let mut parts: BTreeMap<usize, u64> = BTreeMap::new();
    for symbol in elf.symbols().filter(|symbol| symbol.kind() == object::SymbolKind::Text) {
        let name = symbol.name().unwrap_or_default();
        let is_of = |(_, crates): &(&str, &[&str])| crates.iter().any(|part| name.contains(part));
        *parts.entry(PARTS.iter().position(is_of).unwrap_or(PARTS.len())).or_default() += symbol.size();
    }
    println!("code of");
    for (part, size) in parts {
        println!("  {:<26} {size:>9}", PARTS.get(part).map_or("others", |(name, _)| name));
    }
}

/// What takes most of the static memory.
fn print_statics(elf: &object::File<'_>) {
    let mut statics: Vec<(u64, String)> = elf
        .symbols()
        .filter(|symbol| symbol.kind() == object::SymbolKind::Data && symbol.size() >= 1_000 && symbol.address() >= RAM)
        .map(|symbol| (symbol.size(), plain(symbol.name().unwrap_or_default())))
        .collect();
    statics.sort_by(|left, right| right.cmp(left));
    println!("memory of");
    for (size, name) in statics {
        println!("  {:<26} {size:>9}", name.trim_start_matches("butterfly_firmware::"));
    }
}

/// A mangled name as its author wrote it, without its hash.
pub(crate) fn plain(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

fn check_no_allocator(symbols: &[(&str, u64)]) -> Result<()> {
    let allocator: Vec<&str> = symbols.iter().map(|(name, _)| *name).filter(|name| allocates(name)).collect();
    ensure!(allocator.is_empty(), "there is an allocator in the image: {}", allocator.join(", "));
    println!("{:<28} {:>9}", "allocator symbols", 0);
    Ok(())
}
