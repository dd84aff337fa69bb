use std::collections::BTreeSet;
use std::string::String;
use std::vec;
use std::vec::Vec;

use super::*;

const OWNER: [u8; 32] = [7; 32];
const COPY: usize = 1024;
const SLOT: usize = 2 * COPY;

/// A medium without faults.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Memory {
    bytes: Vec<u8>,
    /// Writes since the last flush.
    pending: usize,
    /// It fails when it is asked to flush.
    broken: bool,
}

type Record = Store<Memory, COPY>;

impl Memory {
    fn new() -> Memory {
        Memory { bytes: vec![0; Record::BYTES], pending: 0, broken: false }
    }

    /// A record that was written `count` times: `record 1`, `record 2`, ...
    fn with_records(count: usize) -> Memory {
        let mut record = Record::provision(Memory::new(), OWNER, b"record 1").unwrap();
        for number in 2..=count {
            record.write(std::format!("record {number}").as_bytes()).unwrap();
        }
        record.into_medium()
    }

    fn damaged(&self, at: usize, with: &[u8]) -> Memory {
        let mut damaged = self.clone();
        damaged.bytes[at..at + with.len()].copy_from_slice(with);
        damaged
    }

    fn reopened(&self) -> Record {
        Record::open(self.clone(), OWNER).unwrap()
    }

    fn held(&self) -> Option<String> {
        self.reopened().record().map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }
}

impl Medium for Memory {
    type Error = ();

    fn read(&mut self, at: usize, bytes: &mut [u8]) -> Result<(), ()> {
        bytes.copy_from_slice(&self.bytes[at..at + bytes.len()]);
        Ok(())
    }

    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), ()> {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self.pending += 1;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ()> {
        self.pending = 0;
        if self.broken { Err(()) } else { Ok(()) }
    }
}

/// Where the slot of the `number`th write begins.
fn slot(number: usize) -> usize {
    if number.is_multiple_of(2) { 0 } else { SLOT }
}

#[test]
fn the_last_write_is_read_back_and_nothing_waits_for_a_flush() {
    for count in 1..6 {
        let memory = Memory::with_records(count);
        assert_eq!(memory.pending, 0);
        assert_eq!(memory.held(), Some(std::format!("record {count}")));
    }
}

#[test]
fn a_torn_write_leaves_the_record_before() {
    let memory = Memory::with_records(4);
    let torn = memory.damaged(slot(4) + 30, b"torn").damaged(slot(4) + COPY + 30, b"torn");
    assert_eq!(torn.held().as_deref(), Some("record 3"));
}

#[test]
fn one_rotten_copy_is_survived_and_mended() {
    for copy in [0, COPY] {
        let memory = Memory::with_records(5).damaged(slot(5) + copy + HEADER_BYTES, b"rot");
        let mended = memory.reopened().into_medium();
        assert_eq!(mended.held().as_deref(), Some("record 5"));
        // The scrub wrote two whole copies elsewhere: now the old slot may go.
        assert_eq!(mended.damaged(slot(5), &[0xFF; SLOT]).held().as_deref(), Some("record 5"));
    }
}

#[test]
fn without_a_readable_copy_there_is_no_record() {
    let mut memory = Memory::with_records(3);
    for copy in 0..COPIES {
        memory = memory.damaged(copy * COPY + HEADER_BYTES, b"rot");
    }
    assert_eq!(memory.held(), None);
    assert_eq!(Memory::new().held(), None);
}

#[test]
fn no_flipped_bit_yields_another_record() {
    let memory = Memory::with_records(1);
    let length = HEADER_BYTES + b"record 1".len();
    let other_copy = memory.damaged(slot(1) + COPY, &[0; COPY]);
    assert_eq!(other_copy.held().as_deref(), Some("record 1"));
    for bit in 0..8 * length {
        let mut flipped = other_copy.clone();
        flipped.bytes[slot(1) + bit / 8] ^= 1 << (bit % 8);
        assert_eq!(flipped.held(), None, "bit {bit}");
    }
}

#[test]
fn a_record_of_another_member_is_none() {
    let memory = Memory::with_records(2);
    assert_eq!(Record::open(memory, [8; 32]).unwrap().record(), None);
}

#[test]
fn a_record_that_does_not_fit_is_refused_and_changes_nothing() {
    let mut record = Memory::with_records(1).reopened();
    assert!(record.write(&[1; Record::MAX_RECORD]).is_ok());
    let before = record.medium().clone();
    assert_eq!(record.write(&[2; Record::MAX_RECORD + 1]), Err(StoreError::TooLong(Record::MAX_RECORD + 1)));
    assert_eq!(*record.medium(), before);
    assert_eq!(record.record(), Some(&[1; Record::MAX_RECORD][..]));
}

#[test]
fn a_device_that_fails_is_told() {
    let mut memory = Memory::with_records(1);
    memory.broken = true;
    assert!(matches!(Record::open(memory, OWNER), Err(StoreError::Device(()))));
}

/// Two copies of one slot never share a page with each other or with another slot.
#[test]
fn slots_alternate_and_copies_lie_apart() {
    let places = |count: usize| {
        let (before, after) = (Memory::with_records(count), Memory::with_records(count + 1));
        let changed = before.bytes.iter().zip(&after.bytes).enumerate().filter(|(_, (before, after))| before != after);
        changed.map(|(at, _)| at / COPY).collect::<BTreeSet<_>>()
    };
    assert_eq!(places(3), BTreeSet::from([0, 1]));
    assert_eq!(places(4), BTreeSet::from([2, 3]));
}
