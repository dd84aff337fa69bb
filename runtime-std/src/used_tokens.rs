//! The tokens that newcomers came to this node with, and which newcomer came
//! with which.
//!
//! A token is used once: its number is written down, with the newcomer's
//! identity, before the newcomer is let in. Whoever comes again with the same
//! number is let in only if it is the same newcomer, whose connection may have
//! broken before it could say anything.
//!
//! The file is made with the node's folder, and written as a whole. If it is
//! missing or damaged nobody can tell what was used, so nobody is let in until
//! an operator has seen to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use butterfly_kernel::wire;
use butterfly_session::IdentityKey;
use butterfly_session::token::TokenNumber;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::folder::read;
use crate::lineage::write_whole;
use crate::protocol::{PublicKey, encode};

const FILE: &str = "used-tokens";
const MARK: [u8; 8] = *b"BFLYUSED";
const VERSION: u8 = 1;
/// Numbers that are noted; behind them nobody is let in. Each was signed by an
/// operator.
pub const MOST_TOKENS: usize = 4096;
/// More than as many take.
const MAX_FILE: u64 = 64 * MOST_TOKENS as u64;

type Entry = ([u8; 16], [u8; 32]);

/// What one node noted.
#[derive(Debug)]
pub struct UsedTokens {
    path: PathBuf,
    /// Whose notes these are.
    node: PublicKey,
    /// Which newcomer came, by the numbers. What is here is on disk.
    noted: Mutex<BTreeMap<TokenNumber, IdentityKey>>,
}

/// Why a token lets nobody in.
#[derive(Debug, Error)]
pub enum NotNoted {
    /// Another newcomer came with it.
    #[error("somebody else came with this token")]
    Used,
    /// There is no room for its number.
    #[error("{MOST_TOKENS} tokens were used at this node, and it notes no more; others let newcomers in")]
    Full,
    /// Its number cannot be written down.
    #[error(transparent)]
    Disk(anyhow::Error),
}

impl UsedTokens {
    /// Makes the file of the node with this key, which has let in nobody yet.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn provision(folder: &Path, node: &PublicKey) -> Result<()> {
        write_whole(&folder.join(FILE), &content(node, &BTreeMap::new())?)
    }

    /// Reads what the node with this key noted in its folder.
    ///
    /// # Errors
    /// When the file is missing, damaged, or another node's.
    pub fn open(folder: &Path, node: PublicKey) -> Result<UsedTokens> {
        let path = folder.join(FILE);
        let bytes = read(&path, MAX_FILE)?;
        let noted =
            parse(&bytes, &node).with_context(|| format!("{} is damaged, or another node's", path.display()))?;
        Ok(UsedTokens { path, node, noted: Mutex::new(noted) })
    }

    /// `newcomer` comes with the token of this number. Durably noted when this
    /// returns.
    ///
    /// # Errors
    /// When somebody else came with it, too many are noted, or it cannot be
    /// written: then nothing was noted.
    pub fn note(&self, number: TokenNumber, newcomer: IdentityKey) -> Result<(), NotNoted> {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        match noted.get(&number) {
            Some(same) if *same == newcomer => return Ok(()),
            Some(_) => return Err(NotNoted::Used),
            None if noted.len() >= MOST_TOKENS => return Err(NotNoted::Full),
            None => {}
        }
        let mut next = noted.clone();
        next.insert(number, newcomer);
        let written = content(&self.node, &next).and_then(|content| write_whole(&self.path, &content));
        written.map_err(NotNoted::Disk)?;
        *noted = next;
        Ok(())
    }
}

fn content(node: &PublicKey, noted: &BTreeMap<TokenNumber, IdentityKey>) -> Result<Vec<u8>> {
    let entries: Vec<Entry> = noted.iter().map(|(number, newcomer)| (number.0, newcomer.0)).collect();
    let mut bytes = [&MARK[..], &[VERSION], &encode(&entries)?].concat();
    let digest = digest(node, &bytes);
    bytes.extend(digest);
    Ok(bytes)
}

fn parse(bytes: &[u8], node: &PublicKey) -> Result<BTreeMap<TokenNumber, IdentityKey>> {
    let (content, sum) = bytes.split_last_chunk::<32>().context("it is cut")?;
    ensure!(digest(node, content) == *sum, "its digest is another one");
    let entries = content.strip_prefix(&MARK).and_then(|rest| rest.strip_prefix(&[VERSION]));
    let entries: Vec<Entry> = wire::decode(entries.context("it is of another version")?)?;
    Ok(entries.into_iter().map(|(number, newcomer)| (TokenNumber(number), IdentityKey(newcomer))).collect())
}

fn digest(node: &PublicKey, content: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(node.0).chain_update(content).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: PublicKey = PublicKey([7; 32]);

    fn number(number: u16) -> TokenNumber {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&number.to_le_bytes());
        TokenNumber(bytes)
    }

    #[test]
    fn a_number_is_one_newcomers_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        UsedTokens::provision(folder.path(), &NODE).unwrap();
        let (first, second) = (IdentityKey([1; 32]), IdentityKey([2; 32]));
        for _start in 0..2 {
            let used = UsedTokens::open(folder.path(), NODE).unwrap();
            used.note(number(1), first).unwrap();
            used.note(number(1), first).unwrap();
            assert!(matches!(used.note(number(1), second), Err(NotNoted::Used)));
            used.note(number(2), second).unwrap();
        }
    }

    #[test]
    fn what_is_damaged_missing_or_another_nodes_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(UsedTokens::open(folder.path(), NODE).is_err(), "missing");
        UsedTokens::provision(folder.path(), &NODE).unwrap();
        let used = UsedTokens::open(folder.path(), NODE).unwrap();
        for newcomer in 0..3 {
            used.note(number(newcomer), IdentityKey([9; 32])).unwrap();
        }
        let path = folder.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        let is_read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            UsedTokens::open(folder.path(), NODE).is_ok()
        };
        for bit in 0..8 * whole.len() {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_read(&damaged), "bit {bit}");
        }
        for length in 0..whole.len() {
            assert!(!is_read(&whole[..length]), "cut to {length} bytes");
        }
        assert!(is_read(&whole));
        assert!(UsedTokens::open(folder.path(), PublicKey([8; 32])).is_err(), "another node's");
    }

    #[test]
    fn behind_the_last_that_there_is_room_for_nobody_is_let_in() {
        let folder = tempfile::tempdir().unwrap();
        let newcomer = IdentityKey([1; 32]);
        let full = (0..4096).map(|at| (number(at), newcomer)).collect();
        write_whole(&folder.path().join(FILE), &content(&NODE, &full).unwrap()).unwrap();
        let used = UsedTokens::open(folder.path(), NODE).unwrap();
        assert!(matches!(used.note(number(4096), newcomer), Err(NotNoted::Full)));
        used.note(number(4095), newcomer).unwrap();
    }

    /// A write that fails lets nobody in, and is tried again.
    #[test]
    fn what_cannot_be_written_is_not_noted() {
        let folder = tempfile::tempdir().unwrap();
        UsedTokens::provision(folder.path(), &NODE).unwrap();
        let used = UsedTokens::open(folder.path(), NODE).unwrap();
        // The place of the new file is taken by a folder.
        let in_the_way = folder.path().join(FILE).with_added_extension("new");
        std::fs::create_dir(&in_the_way).unwrap();
        assert!(matches!(used.note(number(1), IdentityKey([1; 32])), Err(NotNoted::Disk(_))));
        std::fs::remove_dir(&in_the_way).unwrap();
        used.note(number(1), IdentityKey([2; 32])).unwrap();
    }
}
