//! A disk that can fail in every way of the catalogue, under the vote record
//! code of the daemon.
//!
//! What is written is pending until it is flushed. When the power fails, any
//! part of it may be there: see [`Survivors`].

use butterfly_record::COPIES;

use super::faults::Kind;
use super::random::Random;

/// Bytes between the copies of a record: whole pages, and room for the longest.
pub(crate) const COPY: usize = 8 * 1024;

/// What a disk writes as one piece, or not at all, if it is not torn.
const SECTOR: usize = 512;

/// Writes in the order in which they were made: where, and what.
pub(crate) type Batch = Vec<(usize, Vec<u8>)>;

/// A disk.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    durable: Vec<u8>,
    /// In the order in which they were written.
    pending: Batch,
    /// What the last flush made durable.
    pub(crate) last: Batch,
    /// What goes wrong, until it is over or was done once.
    armed: Vec<Armed>,
    /// Faults that did something since they were last asked for.
    pub(crate) fired: Vec<usize>,
}

/// A fault that waits for its chance.
#[derive(Clone, Copy, Debug)]
struct Armed {
    kind: Kind,
    fault: usize,
    draw: u64,
}

/// Why a disk cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskError {
    Full,
    Flush,
    /// The power failed before the flush.
    Power,
}

/// Which sectors of a write that was not flushed are there after a power failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survivors {
    None,
    All,
    /// So many of the first.
    Prefix(usize),
    /// So many of the last.
    Suffix(usize),
    /// Those whose bits are set, whatever was written before them.
    Subset(u64),
    /// So many of the first, and of the next one the first bytes only.
    Tear(usize, usize),
}

impl Disk {
    pub(crate) fn new() -> Disk {
        Disk {
            durable: vec![0; COPIES * COPY],
            pending: Vec::new(),
            last: Vec::new(),
            armed: Vec::new(),
            fired: Vec::new(),
        }
    }

    /// A disk that holds `durable`, to which `pending` was written since.
    pub(crate) fn holding(durable: Vec<u8>, pending: Batch) -> Disk {
        Disk { durable, pending, ..Disk::new_without_room() }
    }

    fn new_without_room() -> Disk {
        Disk { durable: Vec::new(), pending: Vec::new(), last: Vec::new(), armed: Vec::new(), fired: Vec::new() }
    }

    /// `fault` waits for its chance, until [`Disk::disarm`].
    pub(crate) fn arm(&mut self, kind: Kind, fault: usize, draw: u64) {
        self.armed.push(Armed { kind, fault, draw });
    }

    pub(crate) fn disarm(&mut self, fault: usize) {
        self.armed.retain(|armed| armed.fault != fault);
    }

    /// Sectors of what is pending.
    pub(crate) fn pending_sectors(&self) -> usize {
        self.sectors().count()
    }

    /// Each sector of what is pending: where it belongs, and its bytes.
    fn sectors(&self) -> impl Iterator<Item = (usize, &[u8])> {
        self.pending.iter().flat_map(|(at, bytes)| {
            bytes.chunks(SECTOR).enumerate().map(move |(number, bytes)| (at + number * SECTOR, bytes))
        })
    }

    /// The power fails: what is pending is there as `survivors` say, or not.
    pub(crate) fn lose_power(&mut self, survivors: Survivors) {
        let count = self.pending_sectors();
        let survives = |number: usize| match survivors {
            Survivors::None => 0,
            Survivors::All => SECTOR,
            Survivors::Prefix(length) => {
                if number < length {
                    SECTOR
                } else {
                    0
                }
            }
            Survivors::Suffix(length) => {
                if number + length >= count {
                    SECTOR
                } else {
                    0
                }
            }
            Survivors::Subset(bits) => {
                if bits >> (number % 64) & 1 == 1 {
                    SECTOR
                } else {
                    0
                }
            }
            Survivors::Tear(length, _) if number < length => SECTOR,
            Survivors::Tear(length, bytes) if number == length => bytes,
            Survivors::Tear(..) => 0,
        };
        let kept: Vec<(usize, Vec<u8>)> = self
            .sectors()
            .enumerate()
            .map(|(number, (at, bytes))| (at, bytes[..survives(number).min(bytes.len())].to_vec()))
            .collect();
        self.pending.clear();
        kept.iter().for_each(|(at, bytes)| self.put(*at, bytes));
    }

    /// Everything is gone.
    pub(crate) fn wipe(&mut self) {
        self.durable.fill(0);
        self.pending.clear();
    }

    /// What is on the disk, as an image that can be put back.
    pub(crate) fn image(&self) -> Vec<u8> {
        self.durable.clone()
    }

    pub(crate) fn put_back(&mut self, image: Vec<u8>) {
        self.durable = image;
        self.pending.clear();
    }

    /// Bits of one sector that a copy uses change.
    pub(crate) fn rot(&mut self, random: &mut Random) {
        let place = random.place(COPIES) * COPY + random.place(SECTOR);
        self.durable[place] ^= 1 << random.below(8);
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.durable[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Whether `kind` is armed; what is done once is not armed any more.
    fn strikes(&mut self, kind: Kind) -> Option<u64> {
        let place = self.armed.iter().position(|armed| armed.kind == kind)?;
        let Armed { fault, draw, .. } = self.armed[place];
        self.fired.push(fault);
        if matches!(kind, Kind::RotOnRead | Kind::MisdirectedRead | Kind::MisdirectedWrite) {
            self.armed.remove(place);
        }
        Some(draw)
    }

    /// Another place with room for `length` bytes.
    fn elsewhere(at: usize, length: usize, draw: u64) -> usize {
        let draw = usize::try_from(draw >> 16).expect("at most 64 bits");
        let sectors = (COPIES * COPY - length) / SECTOR + 1;
        let place = draw % sectors * SECTOR;
        if place == at { (at + COPY) % (COPIES * COPY) } else { place }
    }

    /// Reads as many bytes as `bytes` has room for.
    pub(crate) fn read(&mut self, at: usize, bytes: &mut [u8]) {
        let from = self.strikes(Kind::MisdirectedRead).map_or(at, |draw| Disk::elsewhere(at, bytes.len(), draw));
        bytes.copy_from_slice(&self.durable[from..from + bytes.len()]);
        // What is pending is read back from the cache.
        for (place, written) in &self.pending {
            for (number, byte) in bytes.iter_mut().enumerate() {
                if let Some(offset) = (from + number).checked_sub(*place).filter(|offset| *offset < written.len()) {
                    *byte = written[offset];
                }
            }
        }
        if !bytes.is_empty()
            && let Some(draw) = self.strikes(Kind::RotOnRead)
        {
            let place = usize::try_from(draw >> 8).expect("at most 64 bits") % bytes.len();
            bytes[place] ^= 1 << (draw % 8);
        }
    }

    /// Puts `bytes` down, to be flushed.
    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), DiskError> {
        if self.strikes(Kind::FullDisk).is_some() {
            return Err(DiskError::Full);
        }
        let at = self.strikes(Kind::MisdirectedWrite).map_or(at, |draw| Disk::elsewhere(at, bytes.len(), draw));
        self.pending.push((at, bytes.to_vec()));
        Ok(())
    }

    /// Makes durable what was written.
    pub(crate) fn flush(&mut self) -> Result<(), DiskError> {
        if self.strikes(Kind::TornWrite).or(self.strikes(Kind::ReorderedWrites)).is_some() {
            return Err(DiskError::Power);
        }
        if self.strikes(Kind::FsyncError).is_some() {
            return Err(DiskError::Flush);
        }
        if self.strikes(Kind::LostFsync).is_none() {
            self.last = std::mem::take(&mut self.pending);
            for (at, bytes) in &self.last {
                self.durable[*at..at + bytes.len()].copy_from_slice(bytes);
            }
        }
        Ok(())
    }
}

impl Survivors {
    /// What a torn write of so many sectors leaves.
    pub(crate) fn torn(random: &mut Random, sectors: usize) -> Survivors {
        match random.below(5) {
            0 => Survivors::None,
            1 => Survivors::All,
            2 => Survivors::Prefix(random.place(sectors.max(1))),
            3 => Survivors::Suffix(random.place(sectors.max(1))),
            _ => Survivors::Tear(random.place(sectors.max(1)), random.place(SECTOR)),
        }
    }

    /// What a write leaves whose sectors went down in any order.
    pub(crate) fn reordered(random: &mut Random) -> Survivors {
        Survivors::Subset(random.draw())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Disk {
        let mut disk = Disk::new();
        disk.write(SECTOR, &[7; 3 * SECTOR]).unwrap();
        disk
    }

    /// Which of the three sectors that were written are there.
    fn there(survivors: Survivors) -> [usize; 3] {
        let mut disk = written();
        disk.lose_power(survivors);
        [1, 2, 3].map(|sector| disk.durable[sector * SECTOR..][..SECTOR].iter().filter(|byte| **byte == 7).count())
    }

    #[test]
    fn a_power_failure_leaves_what_its_pattern_says() {
        assert_eq!(there(Survivors::None), [0, 0, 0]);
        assert_eq!(there(Survivors::All), [SECTOR; 3]);
        assert_eq!(there(Survivors::Prefix(1)), [SECTOR, 0, 0]);
        assert_eq!(there(Survivors::Suffix(2)), [0, SECTOR, SECTOR]);
        assert_eq!(there(Survivors::Subset(0b101)), [SECTOR, 0, SECTOR]);
        assert_eq!(there(Survivors::Tear(1, 9)), [SECTOR, 9, 0]);
    }

    #[test]
    fn what_is_flushed_stays_unless_the_disk_lies() {
        let after_flush = |lies: bool| {
            let mut disk = written();
            if lies {
                disk.arm(Kind::LostFsync, 0, 0);
            }
            disk.flush().unwrap();
            disk.lose_power(Survivors::None);
            (disk.durable[SECTOR], disk.fired)
        };
        assert_eq!(after_flush(false), (7, vec![]));
        assert_eq!(after_flush(true), (0, vec![0]));
    }

    #[test]
    fn a_fault_strikes_once_or_while_it_lasts() {
        let mut disk = written();
        disk.flush().unwrap();
        disk.arm(Kind::RotOnRead, 3, 0);
        let mut bytes = [0; 4];
        let mut read = |disk: &mut Disk| {
            disk.read(SECTOR, &mut bytes);
            bytes == [7; 4]
        };
        assert_eq!((read(&mut disk), read(&mut disk)), (false, true));
        disk.arm(Kind::FullDisk, 4, 0);
        assert_eq!((disk.write(0, &[1]), disk.write(0, &[1])), (Err(DiskError::Full), Err(DiskError::Full)));
        disk.disarm(4);
        assert_eq!(disk.write(0, &[1]), Ok(()));
    }
}
