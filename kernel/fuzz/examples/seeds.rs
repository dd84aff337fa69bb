//! Writes what a fuzzer begins with into the folder named, a folder for each
//! target: the golden vectors, and of the pocket world what its cluster said
//! and what is drawn at random. Called by `cargo xtask fuzz`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use butterfly_golden::draw::Cases;
use butterfly_golden::files::families;
use butterfly_golden::story::Story;
use butterfly_golden::vector::{Shape, Vector};
use butterfly_kernel::message::{Kind, Message};
use butterfly_kernel::wire;
use serde::Serialize;
use serde::de::DeserializeOwned;

use butterfly_fuzz::rehearsal::{Notes, encode, play};
use butterfly_fuzz::{CommitProof, Decided, Envelope, Evidence, Record, Roster, read, real, session};

/// Drawn values of each type.
const DRAWN: u64 = 2_000;
/// Of those, and of what was said, as many are kept for each target.
const KEPT: usize = 64;

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).context("usage: seeds FOLDER")?;
    for (target, seeds) in seeds() {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for (number, seed) in seeds.iter().enumerate() {
            let path = folder.join(format!("{number:03}"));
            fs::write(&path, seed).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}

/// The seeds of each target.
fn seeds() -> BTreeMap<&'static str, BTreeSet<Vec<u8>>> {
    let mut seeds = BTreeMap::new();
    let golden: Vec<Vector> = families(&Story::new()).into_iter().flat_map(|(_, family)| family.vectors).collect();
    let golden = |shape, name: &'static str| {
        let chosen = golden.iter().filter(move |vector| vector.shape == shape && vector.name.starts_with(name));
        chosen.map(|vector| vector.bytes.clone())
    };
    let Notes { messages, records, endings, .. } = play();
    let drawn = drawn::<Envelope>();
    for kind in Kind::ALL {
        let of_kind =
            |bytes: &&Vec<u8>| wire::decode::<Envelope>(bytes).is_ok_and(|envelope| envelope.message.kind() == kind);
        let said = messages.get(&kind).into_iter().flatten().take(KEPT);
        let all = said.chain(drawn.iter().filter(of_kind).take(KEPT)).cloned();
        seeds.insert(kind.name(), all.chain(golden(Shape::Envelope, kind.name())).collect());
    }
    let of = |shape, own: Vec<Vec<u8>>| own.into_iter().take(2 * KEPT).chain(golden(shape, "")).collect();
    seeds.insert("record", of(Shape::Record, [records, drawn_some::<Record>()].concat()));
    seeds.insert("commit_proof", of(Shape::CommitProof, drawn_some::<CommitProof>()));
    seeds.insert("evidence", of(Shape::Evidence, drawn_some::<Evidence>()));
    seeds.insert("roster", of(Shape::Roster, drawn_some::<Roster>()));
    let decided = golden(Shape::Envelope, "decided").filter_map(|bytes| {
        match wire::decode::<real::Envelope>(&bytes).ok()?.message {
            Message::Decided(decided) => Some(encode(&decided)),
            _ => None,
        }
    });
    seeds.insert("ending", decided.chain(endings).chain(drawn_some::<Decided>()).collect());
    seeds.insert("session", session::scripts().into_iter().collect());
    // The largest rosters are: libFuzzer would cut them.
    seeds.values_mut().for_each(|seeds: &mut BTreeSet<Vec<u8>>| seeds.retain(|seed| seed.len() <= read::LONGEST));
    seeds
}

fn drawn_some<T: Serialize + DeserializeOwned>() -> Vec<Vec<u8>> {
    drawn::<T>().into_iter().take(KEPT).collect()
}

fn drawn<T: Serialize + DeserializeOwned>() -> Vec<Vec<u8>> {
    let mut cases = Cases::default();
    (0..DRAWN).map(|number| encode(&cases.draw::<T>(number))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use butterfly_fuzz::Worth;

    #[test]
    fn every_target_has_seeds_and_a_file() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let files: BTreeSet<String> =
            files.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
        let seeds = seeds();
        assert_eq!(files, seeds.keys().map(|target| (*target).to_owned()).collect());
        for (target, seeds) in &seeds {
            assert!(seeds.len() > 20, "{target} has {} seeds", seeds.len());
            assert!(seeds.iter().all(|seed| seed.len() <= read::LONGEST), "a seed of {target} is too long");
        }
    }

    #[test]
    fn messages_of_other_kinds_are_rejected() {
        let seeds = seeds();
        for kind in Kind::ALL {
            let other = Kind::ALL.into_iter().find(|other| *other != kind).unwrap();
            let rejected = seeds[kind.name()].iter().filter(|seed| read::message(other, seed) == Worth::Reject).count();
            assert!(rejected > 0, "{} is taken for {}", kind.name(), other.name());
        }
    }
}
