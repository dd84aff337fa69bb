//! A node's folder: who it is, its key, the roster, its vote record.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use butterfly_kernel::cluster::Timing;
use butterfly_kernel::node::Role;
use butterfly_kernel::types::NodeId;
use butterfly_kernel::wire;
use ed25519_dalek::SigningKey;

use crate::protocol::{Cluster, Record, Roster, Seat, encode, member_name};
use crate::storage::RecordFile;

const ROSTER: &str = "roster";
const KEY: &str = "key";
const RECORD: &str = "vote-record";
/// More than any roster takes.
const MAX_ROSTER: u64 = 16 * 1024;

/// A member of a cluster, as its folder describes it.
pub struct Member {
    /// Its cluster.
    pub cluster: Arc<Cluster>,
    /// Which member it is.
    pub me: NodeId,
    /// What it signs with.
    pub key: SigningKey,
    record: PathBuf,
}

/// Makes the folder of a member that has never run: its roster, its key with
/// mode 0600, and the one first vote record that it will ever be given.
///
/// # Errors
/// When the folder is there already or cannot be written.
pub fn provision(folder: &Path, cluster: &Cluster, me: NodeId, key: &SigningKey) -> Result<()> {
    fs::create_dir(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    fs::write(folder.join(ROSTER), encode(cluster.roster())?)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(KEY))?;
    file.write_all(key.as_bytes())?;
    file.sync_all()?;
    let record = encode(&Record::first(if cluster.votes(me) { Role::Replica } else { Role::Worker }))?;
    RecordFile::provision(&record_in(folder), member_name(cluster, me), &record)?;
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// Where the vote record of the member with this folder is.
pub fn record_in(folder: &Path) -> PathBuf {
    folder.join(RECORD)
}

impl Member {
    /// Reads the folder of a member.
    ///
    /// # Errors
    /// When a file cannot be read, or the key is no member's.
    pub fn open(folder: &Path, timing: Timing) -> Result<Member> {
        let roster = read(&folder.join(ROSTER), MAX_ROSTER)?;
        let roster: Roster = wire::decode(&roster).context("the roster cannot be understood")?;
        let key: [u8; 32] = read(&folder.join(KEY), 32)?.try_into().ok().context("the key does not have 32 bytes")?;
        let key = SigningKey::from_bytes(&key);
        let public = key.verifying_key().to_bytes();
        let place = roster.members.iter().position(|member| member.0 == public);
        let me = place.context("the key in this folder is not that of a member of its roster")?;
        let cluster = Arc::new(Cluster::new(roster, timing)?);
        Ok(Member { cluster, me: NodeId(u8::try_from(me)?), key, record: record_in(folder) })
    }

    /// Its place in its cluster.
    pub fn seat(&self) -> Seat<'_> {
        Seat { cluster: &self.cluster, me: self.me, key: &self.key }
    }

    /// Opens the vote record. Without a readable one the member has amnesia.
    ///
    /// # Errors
    /// When the file cannot be used, or holds something that is whole but not a record.
    pub fn open_record(&self) -> Result<(RecordFile, Option<Record>)> {
        let (file, bytes) = RecordFile::open(&self.record, member_name(&self.cluster, self.me))?;
        let record =
            bytes.map(|bytes| wire::decode(&bytes)).transpose().context("the vote record cannot be understood")?;
        Ok((file, record))
    }
}

/// The content of a file that may have at most `limit` bytes.
///
/// # Errors
/// When it has more, or cannot be read.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(bytes.len() as u64 <= limit, "{} has more than {limit} bytes", path.display());
    Ok(bytes)
}
