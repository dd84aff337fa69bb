//! The power fails at every moment of every write of a record, in every way.
//!
//! A cluster runs on disks. Whenever a member makes its record durable, each
//! pattern of what may survive a failure in the middle becomes an image; the
//! record code of the daemon opens it, a node begins from it, and what it
//! knows and signs at once is held against all that the member signed before.

use std::cell::RefCell;
use std::rc::Rc;

use butterfly_kernel::cluster::{Cluster, Seat};
use butterfly_kernel::machine::{Input, Output};
use butterfly_kernel::message::Message;
use butterfly_kernel::node::{Node, Record};
use butterfly_kernel::types::{NodeId, Nonce};
use butterfly_kernel::wire;

use super::Crypto;
use super::disk::{Batch, Disk, Survivors};
use super::oracles::accounts::Accounts;
use super::oracles::{RECORD, Verdict, check};
use super::random::Random;
use super::storage::Storage;

/// Random subsets of sectors that are tried at each boundary, besides the
/// regular patterns.
const SUBSETS: usize = 4;

/// Images that were opened, by what survived in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Images {
    /// Writes of records.
    pub boundaries: u64,
    /// Nothing of the write is there.
    pub none: u64,
    /// All of it is.
    pub all: u64,
    /// Its first sectors are.
    pub prefix: u64,
    /// Its last sectors are, but not the first: they went down the other way round.
    pub suffix: u64,
    /// Any of its sectors are.
    pub subset: u64,
    /// A sector is there in part.
    pub tear: u64,
    /// The disk said that it is durable, it is not, and something was said since.
    pub lied: u64,
    /// Of those, such that the member forgot what it had signed. No record can
    /// notice that: the member counts towards f.
    pub forgotten: u64,
}

impl Images {
    /// All images.
    pub fn total(&self) -> u64 {
        self.none + self.all + self.prefix + self.suffix + self.subset + self.tear + self.lied
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: &Images) {
        self.boundaries += other.boundaries;
        self.none += other.none;
        self.all += other.all;
        self.prefix += other.prefix;
        self.suffix += other.suffix;
        self.subset += other.subset;
        self.tear += other.tear;
        self.lied += other.lied;
        self.forgotten += other.forgotten;
    }
}

/// Takes the images of one run.
pub(crate) struct CrashPoints {
    pub(crate) images: Images,
    random: Random,
    /// Of each member, its disk before the last write, which it then said was durable.
    before_last: Vec<Option<Vec<u8>>>,
}

/// The member that writes, as the oracles know it.
pub(crate) struct Writer<'a, const N: usize> {
    pub(crate) cluster: &'a Cluster<Crypto<N>, N>,
    pub(crate) accounts: &'a Accounts,
    pub(crate) me: NodeId,
}

impl CrashPoints {
    pub(crate) fn new(random: Random, members: usize) -> CrashPoints {
        CrashPoints { images: Images::default(), random, before_last: vec![None; members] }
    }

    /// `batch` was written to a disk that held `before`, and nothing that
    /// depends on it was said yet.
    pub(crate) fn take<const N: usize>(&mut self, writer: &Writer<'_, N>, before: Vec<u8>, batch: &Batch) -> Verdict {
        self.images.boundaries += 1;
        let sectors = Disk::holding(before.clone(), batch.clone()).pending_sectors();
        let open = |survivors: Survivors, count: &mut u64| {
            *count += 1;
            let mut disk = Disk::holding(before.clone(), batch.clone());
            disk.lose_power(survivors);
            begins(writer, disk).map_err(|mut breach| {
                breach.seen = format!("{survivors:?} of {sectors} sectors survive: {}", breach.seen);
                breach
            })
        };
        let images = &mut self.images;
        open(Survivors::None, &mut images.none)?;
        open(Survivors::All, &mut images.all)?;
        for length in 1..sectors {
            open(Survivors::Prefix(length), &mut images.prefix)?;
            open(Survivors::Suffix(length), &mut images.suffix)?;
        }
        for sector in 0..sectors {
            open(Survivors::Tear(sector, self.random.place(512)), &mut images.tear)?;
        }
        for _ in 0..SUBSETS {
            open(Survivors::Subset(self.random.draw()), &mut images.subset)?;
        }
        // The write before this one was not durable after all, and nobody can tell.
        if let Some(older) = self.before_last[writer.me.index()].replace(before) {
            self.images.lied += 1;
            let forgets = begins(writer, Disk::holding(older, Batch::new())).is_err();
            self.images.forgotten += u64::from(forgets);
        }
        Ok(())
    }
}

/// A member begins from `disk`: it must know what it signed, and not contradict it.
fn begins<const N: usize>(writer: &Writer<'_, N>, disk: Disk) -> Verdict {
    let mut storage = Storage::Disk { owner: [writer.me.0; 32], disk: Rc::new(RefCell::new(disk)), shelf: None };
    let member = writer.me.index();
    let bytes = storage.open().ok().flatten();
    check(bytes.is_some(), RECORD, || format!("member {member} finds no record"))?;
    let record = wire::decode::<Record<Crypto<N>>>(&bytes.unwrap_or_default());
    check(record.is_ok(), RECORD, || format!("member {member} cannot understand its record"))?;
    let Ok(record) = record else { return Ok(()) };
    writer.accounts.covers(member, &record)?;
    let seat = Seat { cluster: writer.cluster, me: writer.me, key: &writer.me };
    let node = Node::new(&seat, Some(record));
    check(node.is_ok(), RECORD, || format!("member {member} cannot go on from its record"))?;
    let Ok(mut node) = node.map(Box::new) else { return Ok(()) };
    let mut accounts = writer.accounts.clone();
    let mut verdict = Ok(());
    let started = node.step(&seat, Input::Start { nonce: Nonce([0; 16]) }, &mut |output| {
        if let Output::Send { envelope, .. } = output
            && envelope.from == writer.me
            && let Message::Agreement { epoch, message } = &envelope.message
            && verdict.is_ok()
        {
            verdict = accounts.sign(member, *epoch, message);
        }
    });
    check(started.is_ok(), RECORD, || format!("member {member} cannot begin"))?;
    verdict
}
