//! Caches that are kept at checkpoints, one file for each stage and position.
//!
//! They spare a node that restarts from recovering a request from its first
//! position. Nothing depends on them: a file that is missing, torn or rotten
//! is as good as none, so they are written without a flush, beside the path of
//! the vote record.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use butterfly_kernel::types::{CHECKPOINTS_KEPT, Position, Stage};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::executor::Kept;
use butterfly_kernel::crypto::ed25519::Digest;

const MAGIC: [u8; 8] = *b"BFLYCHK2";
const DIGEST_BYTES: usize = 32;

/// What a file says between the magic and the digest of both.
#[derive(Serialize, Deserialize)]
struct Body<'k> {
    /// The run.
    plan: Digest,
    stage: Stage,
    kept: Cow<'k, Kept>,
}

/// A node's folder of checkpoints. It holds those of one run.
#[derive(Debug)]
pub struct Checkpoints {
    folder: PathBuf,
}

impl Checkpoints {
    /// Uses `folder`, which need not be there yet.
    pub fn new(folder: &Path) -> Checkpoints {
        Checkpoints { folder: folder.into() }
    }

    /// Keeps the memory of `stage` at `position` in the run that `plan` names,
    /// and of older ones the newest.
    ///
    /// # Errors
    /// When the file cannot be written. The node goes on without it.
    pub fn keep(&self, plan: &Digest, stage: Stage, position: Position, kept: &Kept) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let body = Body { plan: *plan, stage, kept: Cow::Borrowed(kept) };
        let mut bytes = postcard::to_extend(&body, MAGIC.to_vec()).map_err(io::Error::other)?;
        let digest = Sha256::digest(&bytes);
        bytes.extend_from_slice(&digest);
        let path = self.path(stage, position);
        let unfinished = path.with_extension("new");
        fs::write(&unfinished, &bytes)?;
        fs::rename(&unfinished, &path)?;
        let mut positions = self.positions(stage);
        while positions.len() > CHECKPOINTS_KEPT {
            fs::remove_file(self.path(stage, positions.remove(0)))?;
        }
        Ok(())
    }

    /// The newest readable memory of `stage` in the run that `plan` names, at
    /// or before `position`.
    pub fn find(&self, plan: &Digest, stage: Stage, position: Position) -> Option<Kept> {
        let positions = self.positions(stage);
        let newest_first = positions.into_iter().rev().filter(|kept| *kept <= position);
        let read = |at: Position| read(&fs::read(self.path(stage, at)).ok()?, plan, stage, at);
        newest_first.filter_map(read).next()
    }

    /// Forgets everything: another run begins.
    pub fn clear(&self) {
        // A file that stays behind names another run, and is not found.
        let _left = fs::remove_dir_all(&self.folder);
    }

    /// Of which positions there are files, in order.
    fn positions(&self, stage: Stage) -> Vec<Position> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut positions: Vec<Position> = names
            .filter_map(|name| {
                let (of, position) = name.split_once('-')?;
                (of.parse() == Ok(stage.0)).then_some(Position(position.parse().ok()?))
            })
            .collect();
        positions.sort_unstable();
        positions
    }

    fn path(&self, stage: Stage, position: Position) -> PathBuf {
        self.folder.join(format!("{}-{}", stage.0, position.0))
    }
}

fn read(bytes: &[u8], plan: &Digest, stage: Stage, position: Position) -> Option<Kept> {
    let (body, digest) = bytes.split_at_checked(bytes.len().checked_sub(DIGEST_BYTES)?)?;
    if digest != Sha256::digest(body).as_slice() {
        return None;
    }
    let body: Body<'_> = postcard::from_bytes(body.strip_prefix(&MAGIC)?).ok()?;
    let ours = body.plan == *plan && body.stage == stage && body.kept.inputs.len() == position.index();
    ours.then(|| body.kept.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Digest = Digest([1; 32]);
    const STAGE: Stage = Stage(2);

    fn kept(position: u16) -> Kept {
        let inputs = (0..position).map(|at| [at as u8; 3].into_iter().collect()).collect();
        Kept { inputs, memory: vec![position as u8; 500] }
    }

    #[test]
    fn the_newest_before_a_position_is_found_and_ten_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = Checkpoints::new(&folder.path().join("checkpoints"));
        assert_eq!(store.find(&PLAN, STAGE, Position(99)), None);
        for position in (10..=150).step_by(10) {
            store.keep(&PLAN, STAGE, Position(position), &kept(position)).unwrap();
        }
        assert_eq!(store.find(&PLAN, STAGE, Position(255)), Some(kept(150)));
        assert_eq!(store.find(&PLAN, STAGE, Position(129)), Some(kept(120)));
        assert_eq!(store.find(&PLAN, STAGE, Position(60)), Some(kept(60)), "the oldest of ten");
        assert_eq!(store.find(&PLAN, STAGE, Position(59)), None);
        assert_eq!(store.find(&PLAN, Stage(1), Position(255)), None);
        assert_eq!(store.find(&Digest([2; 32]), STAGE, Position(255)), None, "another run");
        store.clear();
        assert_eq!(store.find(&PLAN, STAGE, Position(255)), None);
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none_and_the_one_before_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let store = Checkpoints::new(folder.path());
        store.keep(&PLAN, STAGE, Position(10), &kept(10)).unwrap();
        store.keep(&PLAN, STAGE, Position(20), &kept(20)).unwrap();
        let path = folder.path().join("2-20");
        let whole = fs::read(&path).unwrap();
        for at in [0, 8, 40, 41, 60, 300, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert_eq!(store.find(&PLAN, STAGE, Position(255)), Some(kept(10)), "byte {at}");
        }
        for length in [0, 31, 32, 100, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(store.find(&PLAN, STAGE, Position(255)), Some(kept(10)), "{length} bytes");
        }
        fs::write(&path, whole).unwrap();
        assert_eq!(store.find(&PLAN, STAGE, Position(255)), Some(kept(20)));
    }
}
