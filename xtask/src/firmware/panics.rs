//! What may panic in an image, from its symbols and its calls.
//!
//! The sources of this project deny by lint whatever panics, so what is found
//! here is code of libraries, mostly inlined: sums and indices that they have
//! checked in a way that the optimiser does not see. Each kind must stand in
//! the table below with the reason why it does not happen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection, ObjectSymbol};

use super::plain;

/// Functions that never return, by the ends of their names.
const KINDS: [(&str, &str); 19] = [
    ("panic_fmt", "capacities that heapless, smoltcp and embassy check before they are used up"),
    ("panicking::panic", "assertions of smoltcp and of embassy's cells about their own callers"),
    (
        "panic_bounds_check",
        "digits of numbers in postcard, limbs in the cryptography, headers in smoltcp: lengths are known",
    ),
    ("panic_const_add_overflow", "positions in buffers and limbs of numbers, which stay far below the largest"),
    ("panic_const_sub_overflow", "as sums"),
    ("panic_const_mul_overflow", "bits of what was hashed: below 2^61 bytes"),
    ("panic_const_div_by_zero", "parts of slices, which are as long as a constant says"),
    ("panic_const_neg_overflow", "recoding of scalars in the cryptography"),
    ("panic_const_shl_overflow", "as above"),
    ("panic_const_shr_overflow", "as above"),
    ("panic_const_async_fn_resumed", "tasks that have ended are not polled"),
    ("option::expect_failed", "positions that iterators count: below the number of elements"),
    ("option::unwrap_failed", "buffers of known length in the cryptography; tokens of embassy-net"),
    ("result::unwrap_failed", "keys of known length in the cryptography"),
    ("panic_already_borrowed", "cells of embassy and of the network's task: each borrow ends before the next begins"),
    ("panic_already_mutably_borrowed", "as above"),
    ("panic_on_ord_violation", "orders that are none; those that are sorted by are derived"),
    ("len_mismatch_fail", "copies between arrays of known length in the cryptography and in smoltcp"),
    ("slice_index_fail", "parts of frames in smoltcp, whose lengths were checked"),
];

/// Prints which crates call what in the image at `path`, and checks that every
/// kind is known. Its panics must have words: without them several kinds are
/// the same function.
///
/// # Errors
/// When one is not.
pub(super) fn check(path: &Path) -> Result<()> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let elf = object::File::parse(&*bytes).context("the firmware is not an object file")?;
    let functions = functions(&elf);
    let ends: BTreeMap<u64, &str> =
        functions.iter().filter(|(_, name)| panics(name)).map(|(at, name)| (*at, name.as_str())).collect();
    ensure!(!ends.is_empty(), "nothing in the image panics: the symbols are not read as they are written");
    let unknown: BTreeSet<&str> =
        ends.values().copied().filter(|name| KINDS.iter().all(|(kind, _)| !name.ends_with(kind))).collect();
    ensure!(unknown.is_empty(), "what may panic is not accounted for: {unknown:?}");
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    let text = elf.section_by_name(".text").context("an image without code")?;
    for (at, target) in calls_in(text.data()?, text.address()) {
        if ends.contains_key(&target) {
            let caller = functions.range(..=at).next_back().map_or("?", |(_, name)| name);
            *calls.entry(crate_of(caller)).or_default() += 1;
        }
    }
    println!("{:<28} {:>9}", "calls of what panics", calls.values().sum::<usize>());
    let mut calls: Vec<(String, usize)> = calls.into_iter().collect();
    calls.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    calls.iter().for_each(|(name, count)| println!("  in {name:<23} {count:>9}"));
    for (kind, reason) in KINDS.iter().filter(|(kind, _)| ends.values().any(|name| name.ends_with(kind))) {
        println!("  {kind}: {reason}");
    }
    Ok(())
}

/// Every function, by its address.
fn functions(elf: &object::File<'_>) -> BTreeMap<u64, String> {
    let text = elf.symbols().filter(|symbol| symbol.kind() == object::SymbolKind::Text);
    // The lowest bit says that a function is Thumb code.
    text.map(|symbol| (symbol.address() & !1, plain(symbol.name().unwrap_or_default()))).collect()
}

fn panics(name: &str) -> bool {
    let ends = ["_failed", "_fail", "panic_fmt", "panic_bounds_check", "panicking::panic"];
    name.starts_with("core::")
        && (name.contains("panic_const") || ends.iter().any(|end| name.ends_with(end)) || name.contains("::panic_"))
}

/// The crate of a function, as its name says.
fn crate_of(name: &str) -> String {
    let name = name.trim_start_matches(['<', '_', '$']);
    let words = name.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let word = words.into_iter().find(|word| word.len() > 2 && *word != "LT" && *word != "mut");
    word.unwrap_or(name).trim_start_matches("LT$").into()
}

/// Calls and jumps to other functions in Thumb code that is at `base`.
fn calls_in(code: &[u8], base: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
    let word = |at: usize| code.get(at..at + 2).map(|bytes| u32::from(u16::from_le_bytes([bytes[0], bytes[1]])));
    (0..code.len()).step_by(2).filter_map(move |at| {
        let (high, low) = (word(at)?, word(at + 2)?);
        // BL, and B.W in the end of a function: encodings T1 and T4.
        if high & 0xF800 != 0xF000 || !matches!(low & 0xD000, 0xD000 | 0x9000) {
            return None;
        }
        let sign = high >> 10 & 1;
        let bit = |value: u32| !(value ^ sign) & 1;
        let offset =
            sign << 24 | bit(low >> 13) << 23 | bit(low >> 11) << 22 | (high & 0x3FF) << 12 | (low & 0x7FF) << 1;
        let offset = i64::from(offset) - (i64::from(sign) << 25);
        let at = base + at as u64;
        Some((at, at.checked_add(4)?.checked_add_signed(offset)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_forwards_and_backwards() {
        // bl +4, nop, bl -8: as an assembler writes them.
        let code = [0x00, 0xF0, 0x02, 0xF8, 0x00, 0xBF, 0xFF, 0xF7, 0xFB, 0xFF];
        let calls: Vec<(u64, u64)> = calls_in(&code, 0x1000).collect();
        assert_eq!(calls, [(0x1000, 0x1008), (0x1006, 0x1000)]);
    }
}
