//! Which mutants no shipped build has.
//!
//! Where the kernel asks for a seeded bug, a shipped build has a constant, and
//! what stands behind it is gone. Who breaks that breaks nothing, and nobody
//! can notice. It is not told by its looks: a mutant changes nothing for any
//! host if the compiler makes the same program of it. The program is
//! `kernel/examples/whole_node.rs`, in which no checker's feature is. Lest a
//! function that is not in there pass for one that was not broken, it must be
//! another program once that function has lost its body.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::judge::{self, Which};
use crate::process::finish;
use crate::test::cargo_command;
use crate::workspace;

/// A mutant as cargo-mutants describes it.
#[derive(Deserialize)]
struct Mutant {
    name: String,
    file: String,
    replacement: String,
    span: Span,
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    span: Span,
}

#[derive(Clone, Copy, Deserialize)]
struct Span {
    start: Place,
    end: Place,
}

/// Both from 1; columns are signs.
#[derive(Clone, Copy, Deserialize)]
struct Place {
    line: usize,
    column: usize,
}

/// Those of `missed` of which the compiler makes the same program as of the
/// unbroken kernel. What is made for it goes to `place`.
///
/// # Errors
/// When the unbroken kernel does not compile, or cargo-mutants fails.
pub(super) fn unshipped(program: &Path, missed: &[String], place: &Path) -> Result<Vec<String>> {
    if missed.is_empty() {
        return Ok(Vec::new());
    }
    let described = judge::describe(program, &Which::Named(missed.to_vec()))?;
    let mutants: Vec<Mutant> = serde_json::from_str(&described).context("cannot read what cargo-mutants lists")?;
    let copy = Copy::make(place)?;
    let unbroken = copy.compiled()?.context("the unbroken kernel does not compile")?;
    let mut unshipped = Vec::new();
    for mutant in mutants.into_iter().filter(|mutant| missed.contains(&mutant.name)) {
        let without_body = |text: &str| mutant.function.as_ref().and_then(|function| hollow(text, function.span));
        let same = copy.broken(&mutant.file, |text| replace(text, mutant.span, &mutant.replacement))?.as_ref()
            == Some(&unbroken)
            && copy.broken(&mutant.file, without_body)?.is_some_and(|hollow| hollow != unbroken);
        println!("{} {}", if same { "not shipped" } else { "shipped    " }, mutant.name);
        if same {
            unshipped.push(mutant.name);
        }
    }
    Ok(unshipped)
}

/// The kernel's sources, to be broken, and the rest of the workspace around them.
struct Copy {
    root: PathBuf,
    target: PathBuf,
}

impl Copy {
    fn make(place: &Path) -> Result<Copy> {
        let copy = Copy { root: place.join("shipped"), target: place.join("build") };
        if copy.root.exists() {
            fs::remove_dir_all(&copy.root).with_context(|| format!("cannot remove {}", copy.root.display()))?;
        }
        fs::create_dir_all(&copy.root)?;
        for entry in fs::read_dir(workspace::root())? {
            let entry = entry?;
            let (from, to) = (entry.path(), copy.root.join(entry.file_name()));
            match entry.file_name().to_str() {
                Some("kernel") => copy_folder(&from, &to)?,
                // Cargo writes what it resolved.
                Some("Cargo.lock") => drop(fs::copy(&from, &to)?),
                Some(".git" | "target") => {}
                _ => symlink(&from, &to)?,
            }
        }
        Ok(copy)
    }

    /// What the compiler makes of the kernel when `file` is as `change` says;
    /// nothing if it refuses it, or there is nothing to change.
    fn broken(&self, file: &str, change: impl Fn(&str) -> Option<String>) -> Result<Option<Vec<u8>>> {
        let path = self.root.join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let Some(changed) = change(&text) else { return Ok(None) };
        fs::write(&path, changed)?;
        let compiled = self.compiled();
        fs::write(&path, text)?;
        compiled
    }

    /// The program in the processor's own words, unless the compiler refuses it.
    fn compiled(&self) -> Result<Option<Vec<u8>>> {
        let words = self.root.join("whole_node.s");
        let mut command = cargo_command();
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        command.args(["rustc", "--quiet", "--profile=mutants-shipped", "--package=butterfly-kernel"]);
        command.args(["--example=whole_node", "--"]).arg(format!("--emit=asm={}", words.display()));
        let finished = finish(&mut command)?;
        if !finished.status.success() {
            return Ok(None);
        }
        let compiled = fs::read(&words).with_context(|| format!("cannot read {}", words.display()))?;
        // Or it might be taken for that of the next one.
        fs::remove_file(&words)?;
        Ok(Some(compiled))
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type()?.is_dir() {
            true if entry.file_name() == "target" => {}
            true => copy_folder(&from, &to)?,
            false => drop(fs::copy(&from, &to)?),
        }
    }
    Ok(())
}

/// `text` with `replacement` in place of `span`.
fn replace(text: &str, span: Span, replacement: &str) -> Option<String> {
    let (start, end) = (offset(text, span.start)?, offset(text, span.end)?);
    Some([text.get(..start)?, replacement, text.get(end..)?].concat())
}

/// `text` in which the function at `span` never returns.
fn hollow(text: &str, span: Span) -> Option<String> {
    let (start, end) = (offset(text, span.start)?, offset(text, span.end)?);
    let mut depth = 0_usize;
    // The body is the last thing in braces.
    for (at, sign) in text.get(start..end)?.char_indices().rev() {
        match sign {
            '}' => depth += 1,
            '{' if depth == 1 => return Some([text.get(..start + at)?, "{ loop {} }", text.get(end..)?].concat()),
            '{' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

/// Where `place` is in `text`, in bytes.
fn offset(text: &str, place: Place) -> Option<usize> {
    let lines = place.line.checked_sub(1)?;
    let before: usize = text.split_inclusive('\n').take(lines).map(str::len).sum();
    let line = text.get(before..)?;
    let mut signs = line.char_indices().map(|(at, _)| at).chain([line.len()]);
    signs.nth(place.column.checked_sub(1)?).map(|within| before + within)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "// ä\nfn f(a: u8) -> bool {\n    /* ä */ a < 1 && { true }\n}\n";

    fn span(start: (usize, usize), end: (usize, usize)) -> Span {
        let place = |(line, column)| Place { line, column };
        Span { start: place(start), end: place(end) }
    }

    #[test]
    fn a_mutant_stands_in_place_of_what_it_replaces() {
        let broken = replace(TEXT, span((3, 15), (3, 16)), ">=").unwrap();
        assert_eq!(broken, TEXT.replace('<', ">="));
        assert_eq!(replace(TEXT, span((9, 1), (9, 2)), "").as_deref(), None);
    }

    #[test]
    fn a_function_loses_its_body_and_nothing_else() {
        let hollow = hollow(TEXT, span((2, 1), (4, 2))).unwrap();
        assert_eq!(hollow, "// ä\nfn f(a: u8) -> bool { loop {} }\n");
    }
}
