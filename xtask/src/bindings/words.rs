//! Words stand once: what is written by hand over a generated method begins as
//! the documentation of that method does, which is Rust's.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// Fewer were compared than there have always been: the comparison is broken.
const FEWEST: usize = 40;

/// Holds the Swift sources in `written` against the generated one.
///
/// # Errors
/// Names each method that begins otherwise.
pub(super) fn compare(generated: &Path, written: &Path) -> Result<()> {
    let read = |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let generated = read(generated)?;
    let said = said(&generated);
    let (mut compared, mut others) = (0, Vec::new());
    let mut files: Vec<_> = fs::read_dir(written)?.collect::<Result<_, _>>()?;
    files.sort_by_key(std::fs::DirEntry::path);
    for file in files {
        let source = read(&file.path())?;
        let lines: Vec<&str> = source.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| is_public(line)) {
            let Some(calls) = called(&lines, at).filter_map(|name| said.get(&name)).next() else { continue };
            let own = above(&lines, at);
            compared += 1;
            if !calls.iter().any(|first| own.starts_with(first.as_str())) {
                others.push(format!("{}: {line}\n  Rust says: {}", file.path().display(), calls.join(" | ")));
            }
        }
    }
    ensure!(others.is_empty(), "documentation that does not begin as Rust's:\n{}", others.join("\n"));
    ensure!(compared >= FEWEST, "only {compared} methods were compared");
    Ok(())
}

/// A name, and whether it is a method's.
type Name<'g> = (&'g str, bool);

/// For each generated function, the first sentence of each that has its name.
fn said(generated: &str) -> BTreeMap<Name<'_>, Vec<String>> {
    let mut said = BTreeMap::<Name<'_>, Vec<String>>::new();
    let mut rest = generated;
    while let Some((_, after)) = rest.split_once("/**") {
        let Some((comment, code)) = after.split_once("*/") else { break };
        rest = code;
        let line = code.trim_start().lines().next().unwrap_or_default();
        let Some((before, _)) = line.split_once('(') else { continue };
        let name = before.rsplit(' ').next().unwrap_or_default().trim_matches('`');
        if before.contains("func ") {
            let words = comment.lines().map(|line| line.trim().trim_start_matches('*').trim());
            let text = words.collect::<Vec<_>>().join(" ");
            let first = text.trim().split(". ").next().unwrap_or_default().trim_end_matches('.');
            let is_method = !before.starts_with("public func");
            said.entry((name, is_method)).or_default().push(without_code(first));
        }
    }
    said
}

fn is_public(line: &str) -> bool {
    line.starts_with("public ") && line.contains("func ")
}

/// The comment above a line.
fn above(lines: &[&str], at: usize) -> String {
    let before = lines.iter().take(at).rev().skip_while(|line| line.starts_with('@'));
    let mut comment: Vec<&str> = before.map_while(|line| line.strip_prefix("///")).map(str::trim).collect();
    comment.reverse();
    without_code(&comment.join(" "))
}

/// What the function that begins here calls of the generated code, as far as
/// the next one, or its comment.
fn called<'l>(lines: &'l [&str], at: usize) -> impl Iterator<Item = Name<'l>> {
    let is_next = |line: &str| ["///", "private ", "public "].iter().any(|begin| line.starts_with(begin));
    let body = lines.iter().skip(at).enumerate().take_while(move |(place, line)| *place == 0 || !is_next(line));
    body.flat_map(|(place, line)| {
        // Behind the signature, where it stands on the same line.
        let code = if place == 0 { line.split_once(" { ").map_or("", |(_, code)| code) } else { line };
        code.split('(').filter_map(|before| {
            let path = before.rsplit(|sign: char| !sign.is_alphanumeric() && sign != '.').next()?;
            match path.rsplit_once('.') {
                None => Some((path, false)),
                Some((of, name)) => (of == "inner" || of.starts_with("ButterflyBindings.")).then_some((name, true)),
            }
        })
    })
}

/// Names are spelt otherwise in every language.
fn without_code(text: &str) -> String {
    text.replace("``", "`")
        .split('`')
        .enumerate()
        .map(|(place, part)| if place % 2 == 1 { "`" } else { part })
        .collect()
}
