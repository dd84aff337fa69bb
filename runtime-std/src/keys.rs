//! The keys of a member or a client, and the files that hold them.
//!
//! There are two: the *identity*, Ed25519, stands in the roster and signs what
//! others must believe; the *exchange key*, X25519, makes sessions and nothing
//! else. A [`KeyRecord`], signed by the identity, binds one to the other, so a
//! key can be used for neither purpose but its own.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use butterfly_kernel::crypto::ed25519::PublicKey;
use butterfly_session::keys::RECORD;
use butterfly_session::{Closed, ClusterId, ExchangeSecret, IdentityKey, KeyRecord, Peer};
use ed25519_dalek::SigningKey;
use zeroize::{Zeroize, Zeroizing};

use crate::folder;
use crate::protocol::Cluster;

const IDENTITY: &str = "key";
const EXCHANGE: &str = "exchange-key";
const RECORDS: &str = "key-records";
/// The serial of the first exchange key of an identity.
const FIRST_SERIAL: u32 = 0;

/// Both secrets of one party. Erased when dropped; they cannot be printed.
pub struct Keys {
    identity: SigningKey,
    exchange: Zeroizing<[u8; 32]>,
}

impl Keys {
    /// New ones, from the system's source of randomness.
    ///
    /// # Errors
    /// When there is none.
    pub fn generate() -> Result<Keys> {
        let mut identity: Zeroizing<[u8; 32]> = Zeroizing::new(random()?);
        let keys = Keys { identity: SigningKey::from_bytes(&identity), exchange: Zeroizing::new(random()?) };
        identity.zeroize();
        Ok(keys)
    }

    /// What signs.
    pub fn identity(&self) -> &SigningKey {
        &self.identity
    }

    /// What the roster names this party by.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.identity.verifying_key().to_bytes())
    }

    /// What sessions are made with.
    pub fn exchange(&self) -> ExchangeSecret {
        ExchangeSecret::from_random(*self.exchange)
    }

    /// The exchange key's secret, for a device that will hold it.
    pub(crate) fn exchange_bytes(&self) -> &[u8; 32] {
        &self.exchange
    }

    /// The identity's word that the exchange key is its own, in `cluster`.
    pub fn record(&self, cluster: &Cluster) -> KeyRecord {
        KeyRecord::sign(&self.identity, session_cluster(cluster), self.exchange().public(), FIRST_SERIAL)
    }

    /// Writes both into `folder`, with mode 0600.
    ///
    /// # Errors
    /// When one is there already, or cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let secrets: [(&str, &[u8]); 2] = [(IDENTITY, self.identity.as_bytes()), (EXCHANGE, &*self.exchange)];
        secrets.iter().try_for_each(|(name, secret)| write_secret(&folder.join(name), secret))
    }

    /// Reads both from `folder`.
    ///
    /// # Errors
    /// When one is missing, of another length, or open to others.
    pub fn read(folder: &Path) -> Result<Keys> {
        let identity = read_key(&folder.join(IDENTITY))?;
        Ok(Keys { identity: SigningKey::from_bytes(&identity), exchange: read_key(&folder.join(EXCHANGE))? })
    }
}

/// Makes a file that nobody else may read.
///
/// # Errors
/// When it is there already, or cannot be written.
pub(crate) fn write_secret(path: &Path, secret: &[u8]) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("cannot make the key {}", path.display()))?;
    file.write_all(secret).and_then(|()| file.sync_all()).with_context(|| format!("cannot write {}", path.display()))
}

/// Of at most `limit` bytes.
///
/// # Errors
/// When others may read it, it is longer, or it cannot be read.
pub(crate) fn read_secret(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>> {
    let bytes = Zeroizing::new(folder::read(path, limit)?);
    let mode = File::open(path)?.metadata()?.permissions().mode();
    ensure!(mode & 0o077 == 0, "others may read the key {0}; take that from them with `chmod 600 {0}`", path.display());
    Ok(bytes)
}

fn read_key(path: &Path) -> Result<Zeroizing<[u8; 32]>> {
    let bytes = read_secret(path, 32)?;
    let secret: [u8; 32] =
        bytes.as_slice().try_into().ok().with_context(|| format!("{} does not have 32 bytes", path.display()))?;
    Ok(Zeroizing::new(secret))
}

/// Bytes that were never used before.
///
/// # Errors
/// When the system has none.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(format!("no random numbers for keys: {error}")))?;
    Ok(bytes)
}

/// The cluster as sessions name it: by the first of its lineage, so that keys
/// and sessions are good however often the roster changes.
pub fn session_cluster(cluster: &Cluster) -> ClusterId {
    ClusterId(cluster.first().0)
}

/// A key of the roster as sessions name it.
pub fn session_identity(key: &PublicKey) -> IdentityKey {
    IdentityKey(key.0)
}

/// Writes the members' key records into `folder`, in the roster's order.
///
/// # Errors
/// When the file cannot be written.
pub fn write_records(folder: &Path, records: &[KeyRecord]) -> Result<()> {
    let bytes: Vec<u8> = records.iter().flat_map(KeyRecord::to_bytes).collect();
    let path = folder.join(RECORDS);
    std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// The key records of `cluster`'s members in `folder`, checked, as they lie there.
///
/// # Errors
/// As [`read_records`].
pub(crate) fn read_record_bytes(folder: &Path, cluster: &Cluster) -> Result<Vec<u8>> {
    read_records(folder, cluster)?;
    folder::read(&folder.join(RECORDS), (RECORD * cluster.roster().members.len()) as u64)
}

/// Reads and checks the key records of `cluster`'s members from `folder`.
///
/// # Errors
/// When the file does not hold one record for each member, in the roster's
/// order and signed by that member in this cluster.
pub fn read_records(folder: &Path, cluster: &Cluster) -> Result<Vec<Peer>> {
    let path = folder.join(RECORDS);
    let bytes = folder::read(&path, (RECORD * cluster.roster().members.len()) as u64)?;
    let peers = parse_records(&bytes).and_then(|records| check_records(&records, cluster));
    peers.with_context(|| format!("{} is not of this cluster's members", path.display()))
}

/// Key records, one behind the other, not yet checked.
///
/// # Errors
/// When the last one was cut.
pub(crate) fn parse_records(bytes: &[u8]) -> Result<Vec<KeyRecord>> {
    let records = bytes.chunks(RECORD).map(|record| record.try_into().ok().and_then(KeyRecord::from_bytes));
    records.collect::<Option<_>>().context("a key record was cut")
}

/// The keys of `cluster`'s members, when `records` are theirs.
///
/// # Errors
/// When there is not one for each member, in the roster's order and signed by
/// that member in this cluster.
pub(crate) fn check_records(records: &[KeyRecord], cluster: &Cluster) -> Result<Vec<Peer>> {
    let members = &cluster.roster().members;
    ensure!(records.len() == members.len(), "there is not one key record for each member");
    let peer = |(record, member): (&KeyRecord, &PublicKey)| {
        let peer = record.verify(session_cluster(cluster))?;
        if peer.identity() == session_identity(member) { Ok(peer) } else { Err(Closed::Record) }
    };
    Ok(records.iter().zip(members).map(peer).collect::<Result<Vec<Peer>, Closed>>()?)
}
