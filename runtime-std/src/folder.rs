//! A node's folder: who it is, its keys, the roster, its vote record.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use butterfly_kernel::cluster::Timing;
use butterfly_kernel::node::Role;
use butterfly_kernel::types::NodeId;
use butterfly_kernel::wire;
use butterfly_session::KeyRecord;
use ed25519_dalek::SigningKey;

use crate::access::{Answer, Told};
use crate::history::{Entry, History};
use crate::keys::{self, Keys};
use crate::protocol::{Cluster, Record, Roster, Seat, encode, member_name};
use crate::storage::RecordFile;
use crate::transport::Party;

const ROSTER: &str = "roster";
const RECORD: &str = "vote-record";
const HISTORY: &str = "history";
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
    /// What it has sessions with.
    pub party: Arc<Party>,
    record: PathBuf,
    history: PathBuf,
}

/// Makes the folder of a member that has never run: its roster, its keys with
/// mode 0600, the key records of all members, and the one first vote record
/// that it will ever be given.
///
/// # Errors
/// When the folder is there already or cannot be written.
pub fn provision(folder: &Path, cluster: &Cluster, me: NodeId, keys: &Keys, records: &[KeyRecord]) -> Result<()> {
    provision_party(folder, cluster, keys, records)?;
    let record = encode(&Record::first(if cluster.votes(me) { Role::Replica } else { Role::Worker }))?;
    RecordFile::provision(&record_in(folder), member_name(cluster, me), &record)?;
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// Makes the folder of somebody who knows a cluster: its roster, the key
/// records of its members, and keys of one's own.
///
/// # Errors
/// When the folder is there already or cannot be written.
pub fn provision_party(folder: &Path, cluster: &Cluster, keys: &Keys, records: &[KeyRecord]) -> Result<()> {
    fs::create_dir(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    fs::write(folder.join(ROSTER), encode(cluster.roster())?)?;
    keys::write_records(folder, records)?;
    keys.write(folder)
}

/// Where the vote record of the member with this folder is.
pub fn record_in(folder: &Path) -> PathBuf {
    folder.join(RECORD)
}

impl Member {
    /// Reads the folder of a member.
    ///
    /// # Errors
    /// When a file cannot be read, the key is no member's, or the exchange key
    /// is another than the others know.
    pub fn open(folder: &Path, timing: Timing) -> Result<Member> {
        let (party, keys) = open_party(folder, timing)?;
        let place = party.cluster().roster().members.iter().position(|member| *member == keys.public());
        let me = place.context("the key in this folder is not that of a member of its roster")?;
        let me = NodeId(u8::try_from(me)?);
        ensure!(
            party.member(me).is_some_and(|peer| peer.exchange() == keys.exchange().public()),
            "the exchange key in this folder is not the one that its key record names; nobody would answer to it. \
             Bring both back from a copy"
        );
        Ok(Member {
            cluster: Arc::clone(party.cluster()),
            me,
            key: keys.identity().clone(),
            party: Arc::new(party),
            record: record_in(folder),
            history: folder.join(HISTORY),
        })
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

    /// Opens the history, and adds what the journal of the vote record still holds.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub(crate) fn open_history(&self, record: &RecordFile) -> Result<History> {
        let entries: Vec<Entry> =
            record.journalled()?.into_iter().filter_map(|answer| self.read_entry(answer)).collect();
        History::open(&self.history, member_name(&self.cluster, self.me), &entries)
    }

    fn read_entry(&self, answer: Vec<u8>) -> Option<Entry> {
        let Ok(Answer::Told(Told { decided, .. })) = wire::decode(&answer) else { return None };
        self.cluster.decided_is_genuine(&decided).then_some((decided.header.epoch, answer.into()))
    }
}

/// Reads what [`provision_party`] made.
///
/// # Errors
/// When a file cannot be read or is not genuine.
pub fn open_party(folder: &Path, timing: Timing) -> Result<(Party, Keys)> {
    let roster = read(&folder.join(ROSTER), MAX_ROSTER)?;
    let roster: Roster = wire::decode(&roster).context("the roster cannot be understood")?;
    let cluster = Arc::new(Cluster::new(roster, timing)?);
    let keys = Keys::read(folder)?;
    let members = keys::read_records(folder, &cluster)?;
    Ok((Party::new(cluster, &keys, members)?, keys))
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
