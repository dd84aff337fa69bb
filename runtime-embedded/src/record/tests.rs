//! The vote record on flash that is torn and rots.

use std::vec;
use std::vec::Vec;

use butterfly_kernel::wire;
use butterfly_record::{COPIES, HEADER_BYTES, Medium, Store, StoreError};
use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

use super::{Encoded, Region, RegionError, WORD};

const COPY: usize = 1024;
const SECTOR: usize = 512;
const BASE: u32 = 2_048;
const OWNER: [u8; 32] = [7; 32];

type Record = Store<Region<Flash>, COPY>;

/// NOR flash: erased by sectors, programmed by words, bits only cleared. It
/// loses power after so many words and sectors.
#[derive(Clone)]
struct Flash {
    bytes: Vec<u8>,
    power: usize,
}

impl Flash {
    fn new() -> Flash {
        Flash { bytes: vec![0xFF; BASE as usize + COPIES * COPY], power: usize::MAX }
    }

    fn spend(&mut self) -> Result<(), NorFlashErrorKind> {
        self.power = self.power.checked_sub(1).ok_or(NorFlashErrorKind::Other)?;
        Ok(())
    }
}

impl ErrorType for Flash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        bytes.copy_from_slice(&self.bytes[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        assert!(from.is_multiple_of(SECTOR as u32) && to.is_multiple_of(SECTOR as u32), "{from}..{to}");
        for sector in self.bytes.clone()[from as usize..to as usize].chunks(SECTOR).enumerate() {
            self.spend()?;
            self.bytes[from as usize + sector.0 * SECTOR..][..SECTOR].fill(0xFF);
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        assert!(offset.is_multiple_of(4) && bytes.len().is_multiple_of(4));
        for (at, word) in (offset as usize..).step_by(4).zip(bytes.chunks(4)) {
            self.spend()?;
            for (place, byte) in self.bytes[at..][..4].iter_mut().zip(word) {
                assert_eq!(*place, 0xFF, "programmed without being erased");
                *place &= byte;
            }
        }
        Ok(())
    }
}

fn record(number: u8) -> Vec<u8> {
    // Neither whole words nor whole chunks.
    vec![number; 301]
}

/// A flash that holds the second of two records.
fn written() -> Flash {
    let mut store = Record::provision(Region::new(Flash::new(), BASE), OWNER, &record(1)).unwrap();
    store.write(&record(2)).unwrap();
    store.into_medium().flash
}

fn read(flash: &Flash) -> Option<Vec<u8>> {
    let mut store = Record::open(Region::new(flash.clone(), BASE), OWNER).unwrap();
    store.record(&mut [0; COPY]).unwrap().map(<[u8]>::to_vec)
}

#[test]
fn each_sector_is_erased_once_and_each_word_programmed_once() {
    let mut flash = written();
    flash.power = 1_000;
    let mut store = Record::open(Region::new(flash, BASE), OWNER).unwrap();
    let spent = |store: &mut Record| 1_000 - std::mem::replace(&mut store.medium_mut().flash.power, 1_000);
    let words = (HEADER_BYTES + 301).div_ceil(WORD) * WORD / 4;
    assert_eq!(spent(&mut store), 2 * (1 + words), "putting it down again");
    // Longer than a sector.
    store.write(&[3; 2 * SECTOR - HEADER_BYTES]).unwrap();
    assert_eq!(spent(&mut store), 2 * (2 + 2 * SECTOR / 4));
}

#[test]
fn what_was_begun_and_not_flushed_is_forgotten() {
    let mut region = Region::new(Flash::new(), BASE);
    for piece in [&b"not this"[..], b"but this"] {
        region.begin([0, COPY], piece.len()).unwrap();
        region.put(piece).unwrap();
    }
    region.flush().unwrap();
    for at in [0, COPY] {
        let mut found = [0; 9];
        region.read(at, &mut found).unwrap();
        assert_eq!(&found, b"but this\xFF");
    }
}

#[test]
fn what_is_encoded_piece_by_piece_is_the_encoding() {
    let value = (7_u64, [300_u16; 20], "and a text that is longer than the words of a flash are");
    let mut room = [0; COPY];
    let encoding = wire::encode(&value, &mut room).unwrap().to_vec();
    let store = Record::provision(Region::new(Flash::new(), BASE), OWNER, &Encoded(value)).unwrap();
    assert_eq!(read(&store.into_medium().flash), Some(encoding));
}

/// The places of the copies that hold the newest record.
fn newest(flash: &Flash) -> Vec<usize> {
    let places = (0..COPIES).map(|copy| BASE as usize + copy * COPY);
    places.filter(|at| flash.bytes[at + HEADER_BYTES] == 2).collect()
}

#[test]
fn what_was_written_is_read_back_and_nothing_before_it_is_touched() {
    let flash = written();
    assert_eq!(read(&flash), Some(record(2)));
    assert!(flash.bytes[..BASE as usize].iter().all(|byte| *byte == 0xFF));
    assert_eq!(read(&Flash::new()), None);
}

#[test]
fn one_word_that_rots_is_noticed_and_costs_nothing() {
    let flash = written();
    for copy in newest(&flash) {
        for at in (copy..copy + HEADER_BYTES + 301).step_by(4) {
            let mut rotten = flash.clone();
            rotten.bytes[at] ^= 0x10;
            assert_eq!(read(&rotten), Some(record(2)), "the word at {at}");
        }
    }
}

#[test]
fn a_word_that_rots_in_both_copies_is_never_taken_for_another_record() {
    let flash = written();
    let copies = newest(&flash);
    assert_eq!(copies.len(), 2);
    for word in (0..HEADER_BYTES + 301).step_by(4) {
        let mut rotten = flash.clone();
        for copy in &copies {
            rotten.bytes[copy + word] ^= 0x10;
        }
        // As after a torn write: the record before.
        assert_eq!(read(&rotten), Some(record(1)), "word {word}");
        let mut lost = flash.clone();
        for copy in 0..COPIES {
            lost.bytes[BASE as usize + copy * COPY + word] ^= 0x10;
        }
        assert_eq!(read(&lost), None, "word {word} of all copies");
    }
}

#[test]
fn power_may_fail_at_every_word() {
    for power in 0.. {
        let mut store = Record::open(Region::new(written(), BASE), OWNER).unwrap();
        store.medium_mut().flash.power = power;
        let outcome = store.write(&record(3));
        let mut flash = store.into_medium().flash;
        flash.power = usize::MAX;
        match outcome {
            // What was reported durable is read back.
            Ok(()) => {
                assert_eq!(read(&flash), Some(record(3)));
                return assert!(power > 100, "{power} steps are too few to have been cut");
            }
            Err(error) => {
                assert_eq!(error, StoreError::Device(RegionError::Flash(NorFlashErrorKind::Other)));
                let found = read(&flash);
                assert!(found == Some(record(2)) || found == Some(record(3)), "after {power} steps");
            }
        }
    }
}
