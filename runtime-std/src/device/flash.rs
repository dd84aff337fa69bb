//! The flash of a device, made from a member's folder.
//!
//! A member must never run from two vote records. So the record is moved: it is
//! read from the folder and its file taken away before the flash is where a
//! device would look for it. If that is interrupted the member has lost its
//! record, and is admitted again.

use std::convert::Infallible;
use std::fs::{self, File, OpenOptions};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use butterfly_provisioning::{Address, BLOCK, Provision, Timing, VOTE_RECORD};
use butterfly_record::{Medium, Store};
use butterfly_session::keys::RECORD;

use super::emulator::Network;
use crate::folder::{self, Member};
use crate::keys::{self, Keys};
use crate::protocol::{encode, member_name, timing};

/// Bytes of the board's flash.
pub const BYTES: u64 = 16 * 1024 * 1024;
/// The file in the member's folder.
const NAME: &str = "flash";
/// The room for one copy of the vote record, as the firmware has it: for up to
/// four members, and for more.
const COPIES: [usize; 2] = [4 * 1024, 8 * 1024];

/// The flash of one member.
pub struct Flash {
    path: PathBuf,
    folder: PathBuf,
    member: Member,
    view_timeout: u32,
}

impl Flash {
    /// The flash in `folder`. It is made if there is none.
    ///
    /// # Errors
    /// When the folder is not a member's, or its vote record is in use.
    pub fn of(folder: &Path, view_timeout: u32) -> Result<Flash> {
        let path = folder.join(NAME);
        let member = Member::open(folder, timing(view_timeout))?;
        if !path.exists() {
            make(&path, folder, &member)?;
        }
        Ok(Flash { path, folder: folder.into(), member, view_timeout })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Members of the cluster.
    pub fn members(&self) -> usize {
        self.member.cluster.members().len()
    }

    /// Which member this is.
    pub fn number(&self) -> u8 {
        self.member.me.0
    }

    /// Writes who the device is, and where everybody is in its `network`. To be
    /// done while it does not run.
    ///
    /// # Errors
    /// When an address is none that a device can reach, or the file fails.
    pub fn write_block(&self, peers: &[SocketAddr], network: &Network) -> Result<()> {
        let keys = Keys::read(&self.folder)?;
        let cluster = &self.member.cluster;
        let records: Vec<u8> = keys::read_record_bytes(&self.folder, cluster)?;
        ensure!(records.len() == RECORD * self.members(), "a key record is missing");
        let places = (0_u8..).zip(peers).map(|(place, peer)| match peer.ip() {
            IpAddr::V4(host) => {
                let seen = network.seen_from_inside(place, host.octets(), peer.port());
                Ok(Address { host: seen.0, port: seen.1 }.to_bytes())
            }
            IpAddr::V6(_) => bail!("a device cannot reach {peer}"),
        });
        let places = places.collect::<Result<Vec<_>>>()?.concat();
        let waits = timing(self.view_timeout);
        // A device is slower than a server, and its fellows need not hurry either.
        let patient = self.view_timeout.div_ceil(4);
        let roster = encode(cluster.roster())?;
        let provision = Provision {
            identity: keys.identity().to_bytes(),
            exchange: *keys.exchange_bytes(),
            serial: 0,
            network: network.of(self.number()),
            timing: Timing {
                view: waits.view.0,
                view_cap: waits.view_cap.0,
                retransmit: waits.retransmit.0.max(patient),
                escalate: waits.escalate.0.max(patient),
            },
            roster: &roster,
            records: &records,
            peers: &places,
        };
        let mut block = [0xFF; BLOCK];
        provision.write(&mut block)?;
        let file = OpenOptions::new().write(true).open(&self.path).context("the flash is gone")?;
        file.write_all_at(&block, 0)?;
        file.sync_all()?;
        Ok(())
    }
}

fn make(path: &Path, folder: &Path, member: &Member) -> Result<()> {
    let (file, record) = member.open_record()?;
    let record = record.map(|record| encode(&record)).transpose()?;
    let cluster = &member.cluster;
    let copy = COPIES[usize::from(cluster.members().len() > 4)];
    let owner = member_name(cluster, member.me);
    let region = match record {
        Some(record) if copy == COPIES[0] => put_down::<{ COPIES[0] }>(owner, &record)?,
        Some(record) => put_down::<{ COPIES[1] }>(owner, &record)?,
        // A member that lost its record is a device that lost its record.
        None => Vec::new(),
    };
    fs::remove_file(folder::record_in(folder)).context("the vote record cannot be moved")?;
    File::open(folder)?.sync_all()?;
    drop(file);
    let unfinished = path.with_extension("new");
    let flash = File::create_new(&unfinished)?;
    flash.set_len(BYTES)?;
    flash.write_all_at(&region, VOTE_RECORD as u64)?;
    flash.sync_all()?;
    fs::rename(&unfinished, path)?;
    File::open(folder)?.sync_all()?;
    Ok(())
}

fn put_down<const COPY: usize>(owner: [u8; 32], record: &[u8]) -> Result<Vec<u8>> {
    let store = Store::<Image, COPY>::provision(Image { bytes: vec![0xFF; 4 * COPY], next: [0; 2] }, owner, record);
    let Ok(store) = store else { bail!("the vote record is too long for the device") };
    Ok(store.into_medium().bytes)
}

/// A vote record's region in memory.
struct Image {
    bytes: Vec<u8>,
    /// Where the next piece belongs.
    next: [usize; 2],
}

impl Medium for Image {
    type Error = Infallible;

    fn read(&mut self, at: usize, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.bytes[at..at + bytes.len()]);
        Ok(())
    }

    fn begin(&mut self, places: [usize; 2], _length: usize) -> Result<(), Infallible> {
        self.next = places;
        Ok(())
    }

    fn put(&mut self, piece: &[u8]) -> Result<(), Infallible> {
        for at in &mut self.next {
            self.bytes[*at..*at + piece.len()].copy_from_slice(piece);
            *at += piece.len();
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
