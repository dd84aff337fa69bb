//! A client's folder: its keys, whom it may ask and where, and the request
//! that it signed last.
//!
//! The numbers of a client's requests have no gaps, and no number is used for
//! two requests. So what is signed is written down before it is handed in, and
//! a request that was not finished is finished before the next.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use butterfly_kernel::types::ClientId;
use butterfly_kernel::wire;
use serde::{Deserialize, Serialize};

use super::{Caller, Client};
use crate::folder::read;
use crate::lineage::write_whole;
use crate::protocol::{Decided, SignedRequest, encode};

const REQUEST: &str = "request";
const LOCK: &str = "lock";
/// More than a request and a decision take.
const MAX_REQUEST: u64 = 32 * 1024;

/// The part of the folder that changes.
pub(super) struct Folder {
    path: PathBuf,
}

/// The request that was signed last.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Last {
    pub(super) request: SignedRequest,
    /// The last decision when it was signed; none: nothing was decided yet.
    pub(super) base: Option<Decided>,
    /// All of its answer was received.
    pub(super) finished: bool,
}

impl Client {
    /// Reads what [`provision`](super::provision) made.
    ///
    /// # Errors
    /// When a file cannot be read or is not genuine.
    pub fn open(folder: &Path) -> Result<Client> {
        ensure!(
            folder.is_dir(),
            "there is no client's folder {}; `butterfly init` makes it inside that of a cluster",
            folder.display()
        );
        let caller = Caller::open(folder)?;
        let lineage = caller.lineage();
        let clients = &lineage.first().roster().clients;
        let place = clients.iter().position(|client| *client == caller.keys().public());
        let me =
            ClientId(u8::try_from(place.context("the key in this folder is not that of a client of its roster")?)?);
        Ok(Client { caller, me, folder: Folder { path: folder.into() } })
    }
}

impl Folder {
    /// Held while a request is under way: two at once would take one number.
    pub(super) fn lock(&self) -> Result<File> {
        let path = self.path.join(LOCK);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                bail!("another request of this client is under way; wait until it is finished")
            }
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }

    pub(super) fn last(&self) -> Result<Option<Last>> {
        let path = self.path.join(REQUEST);
        if !path.exists() {
            return Ok(None);
        }
        let last = wire::decode(&read(&path, MAX_REQUEST)?);
        last.map(Some).with_context(|| format!("{} cannot be understood", path.display()))
    }

    /// Durable when this returns.
    pub(super) fn remember(&self, last: &Last) -> Result<()> {
        write_whole(&self.path.join(REQUEST), &encode(last)?)
    }
}
