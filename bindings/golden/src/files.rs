//! All vectors as files: one for each family, JSON with bytes in hex.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::damage::encode;
use crate::digests::DigestVector;
use crate::errors::ErrorVector;
use crate::frames::FrameVector;
use crate::generated::{CASES, Generated};
use crate::judge::judge;
use crate::story::{
    CLIENT_SEED, MEMBERS, OPERATOR_SEED, Story, client_key, member_key, member_seed, operator_key, public,
};
use crate::vector::Vector;
use crate::{digests, errors, evidence, frames, generated, messages, proofs, records, requests, rosters};

/// A file and what stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name in the folder.
    pub name: &'static str,
    /// All of it.
    pub text: String,
}

/// What a file of vectors holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family<T> {
    /// For a reader.
    pub about: String,
    /// The vectors.
    pub vectors: Vec<T>,
}

/// The cluster that the vectors are checked against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// For a reader.
    pub about: String,
    /// The encoding of the roster.
    pub roster: String,
    /// Its digest: what every signature covers.
    pub id: String,
    /// The members, by number.
    pub members: Vec<KeyPair>,
    /// The clients, by number.
    pub clients: Vec<KeyPair>,
    /// Whose word changes the roster.
    pub operators: Vec<KeyPair>,
}

/// An Ed25519 key that everybody knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPair {
    /// The secret seed.
    pub seed: String,
    /// The public key.
    pub public: String,
}

/// The folder of the files.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// Every family of vectors, with the file that holds it.
pub fn families(story: &Story) -> [(&'static str, Family<Vector>); 6] {
    let family = |about: &str, vectors| Family { about: about.to_owned(), vectors };
    [
        ("rosters.json", family("Rosters: what provisioning hands out.", rosters::vectors(story))),
        ("requests.json", family("What clients sign.", requests::vectors(story))),
        ("messages.json", family("What members say to each other.", messages::vectors(story))),
        (
            "records.json",
            family("What members must not forget: member 1, and in one vector the worker.", records::vectors(story)),
        ),
        ("proofs.json", family("Commit proofs.", proofs::vectors(story))),
        ("evidence.json", family("Evidence against member 2.", evidence::vectors(story))),
    ]
}

/// Every file, made anew.
///
/// # Errors
/// When the kernel makes something else of a vector than the vector says.
pub fn make() -> Result<Vec<File>> {
    let story = Story::new();
    let mut files = vec![file("cluster.json", &known(&story))];
    for (name, family) in families(&story) {
        for vector in &family.vectors {
            let (name, verdict) = (&vector.name, judge(&story.cluster, vector.shape, &vector.bytes));
            ensure!(verdict == vector.verdict, "`{name}` is {verdict:?} to the kernel, not {:?}", vector.verdict);
        }
        files.push(file(name, &family));
    }
    let packed = frames::vectors();
    for vector in &packed {
        let verdict = frames::judge(vector);
        ensure!(verdict == vector.verdict, "`{}` is {verdict:?}, not {:?}", vector.name, vector.verdict);
    }
    files.push(file(
        "frames.json",
        &Family::<FrameVector> { about: "Packed frames: inputs of nodes, and steps.".to_owned(), vectors: packed },
    ));
    files.push(file(
        "errors.json",
        &Family::<ErrorVector> {
            about: "What other languages raise and say of refused bytes.".to_owned(),
            vectors: errors::vectors(),
        },
    ));
    files.push(file(
        "digests.json",
        &Family::<DigestVector> { about: "One digest for each tag.".to_owned(), vectors: digests::vectors(&story) },
    ));
    files.push(file(
        "generated.json",
        &Family::<Generated> {
            about: format!("SHA-256 over the encodings of {CASES} drawn values of each type."),
            vectors: generated::vectors(),
        },
    ));
    Ok(files)
}

fn file(name: &'static str, contents: &impl Serialize) -> File {
    let mut text = serde_json::to_string_pretty(contents).expect("vectors are plain data");
    text.push('\n');
    File { name, text }
}

fn known(story: &Story) -> Known {
    let pair = |byte: u8, key: &ed25519_dalek::SigningKey| KeyPair {
        seed: hex::encode([byte; 32]),
        public: hex::encode(public(key).0),
    };
    Known {
        about: "The cluster that all vectors are checked against, with everybody's keys.".to_owned(),
        roster: hex::encode(encode(story.cluster.roster())),
        id: story.cluster.id().to_string(),
        members: (0..MEMBERS).map(|member| pair(member_seed(member), &member_key(member))).collect(),
        clients: vec![pair(CLIENT_SEED, &client_key())],
        operators: vec![pair(OPERATOR_SEED, &operator_key())],
    }
}

/// Writes every file into `folder`.
///
/// # Errors
/// When one cannot be made or written.
pub fn write(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for file in make()? {
        let path = folder.join(file.name);
        fs::write(&path, file.text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Compares every file in `folder` with what would be written.
///
/// # Errors
/// Where they first differ, file by file.
pub fn check(folder: &Path) -> Result<()> {
    let mut differences = Vec::new();
    for file in make()? {
        let path = folder.join(file.name);
        let found = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        differences.extend(difference(&file, &found));
    }
    if !differences.is_empty() {
        bail!(
            "the wire is not what the golden vectors say:\n  {}\nif it was meant to change, `cargo xtask golden` writes them again",
            differences.join("\n  ")
        );
    }
    Ok(())
}

/// Where what was found first differs from what is made.
pub fn difference(made: &File, found: &str) -> Option<String> {
    if made.text == found {
        return None;
    }
    let (made_lines, found_lines): (Vec<&str>, Vec<&str>) = (made.text.lines().collect(), found.lines().collect());
    let same = made_lines.iter().zip(&found_lines).take_while(|(made, found)| made == found).count();
    let names = |field: &str| made_lines.iter().take(same + 1).rev().find(|line| line.trim_start().starts_with(field));
    let named = names("\"name\"").or_else(|| names("\"type\""));
    let vector = named.map_or(String::new(), |line| format!(", at {}", line.trim().trim_end_matches(',')));
    Some(format!("{} differs from line {}{vector}", made.name, same + 1))
}
