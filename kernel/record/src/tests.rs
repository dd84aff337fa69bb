use std::cell::Cell;
use std::collections::BTreeSet;
use std::string::String;
use std::vec;
use std::vec::Vec;

use super::*;

const OWNER: [u8; 32] = [7; 32];
const COPY: usize = 1024;
const SLOT: usize = 2 * COPY;

/// Pieces, and where each belongs.
type Batch = Vec<(usize, Vec<u8>)>;

/// A medium without faults, unless one is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Memory {
    bytes: Vec<u8>,
    /// Where the next piece belongs.
    next: [usize; 2],
    /// Where it may not go beyond.
    ends: [usize; 2],
    /// Pieces since the last flush.
    pending: Batch,
    /// Pieces go down when they are flushed, and not before.
    gathers: bool,
    /// It fails when it is asked to flush.
    broken: bool,
    /// So many reads were made.
    reads: usize,
    /// Reads of which the first bit is not what it should be.
    rotten: BTreeSet<usize>,
}

type Record = Store<Memory, COPY>;

impl Memory {
    fn new() -> Memory {
        Memory { bytes: vec![0; Record::BYTES], ..Memory::default() }
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

    fn put_down(&mut self) {
        for (at, piece) in &self.pending {
            self.bytes[*at..*at + piece.len()].copy_from_slice(piece);
        }
    }

    fn reopened(&self) -> Record {
        Record::open(self.clone(), OWNER).unwrap()
    }

    fn held(&self) -> Option<String> {
        text(&mut self.reopened())
    }
}

fn text(record: &mut Record) -> Option<String> {
    bytes(record).map(|bytes| String::from_utf8(bytes).unwrap())
}

fn bytes(record: &mut Record) -> Option<Vec<u8>> {
    record.record(&mut [0; Record::MAX_RECORD]).unwrap().map(<[u8]>::to_vec)
}

impl Medium for Memory {
    type Error = ();

    fn read(&mut self, at: usize, bytes: &mut [u8]) -> Result<(), ()> {
        bytes.copy_from_slice(&self.bytes[at..at + bytes.len()]);
        bytes[0] ^= u8::from(self.rotten.contains(&self.reads));
        self.reads += 1;
        Ok(())
    }

    fn begin(&mut self, places: [usize; 2], length: usize) -> Result<(), ()> {
        self.pending.clear();
        self.next = places;
        self.ends = places.map(|at| at + length);
        Ok(())
    }

    fn put(&mut self, piece: &[u8]) -> Result<(), ()> {
        for (at, end) in self.next.iter_mut().zip(self.ends) {
            assert!(*at + piece.len() <= end, "more is put than was said");
            self.pending.push((*at, piece.to_vec()));
            *at += piece.len();
        }
        if !self.gathers {
            self.put_down();
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ()> {
        self.put_down();
        self.pending.clear();
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
        assert_eq!(memory.pending, Batch::new());
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
    assert_eq!(bytes(&mut Record::open(memory, [8; 32]).unwrap()), None);
}

#[test]
fn a_record_that_does_not_fit_is_refused_and_changes_nothing() {
    let mut record = Memory::with_records(1).reopened();
    assert!(record.write(&[1; Record::MAX_RECORD]).is_ok());
    let before = record.medium().clone();
    assert_eq!(record.write(&[2; Record::MAX_RECORD + 1]), Err(StoreError::TooLong(Record::MAX_RECORD + 1)));
    assert_eq!(*record.medium(), before);
    assert_eq!(bytes(&mut record), Some(vec![1; Record::MAX_RECORD]));
}

#[test]
fn a_record_is_read_into_a_room_that_is_long_enough() {
    let mut record = Memory::with_records(1).reopened();
    assert_eq!(record.record(&mut [0; 8]), Ok(Some(&b"record 1"[..])));
    assert_eq!(record.record(&mut [0; 7]), Err(StoreError::TooLong(8)));
}

#[test]
fn what_was_written_last_is_read_without_opening_it_again() {
    let mut record = Memory::with_records(3).reopened();
    assert_eq!(text(&mut record).as_deref(), Some("record 3"));
    record.write(b"another").unwrap();
    assert_eq!(text(&mut record).as_deref(), Some("another"));
    // The one before is still there, and must not be taken for it.
    record.medium_mut().bytes[slot(5)..slot(5) + SLOT].fill(0);
    assert_eq!(text(&mut record), None);
    assert_eq!(record.medium().held().as_deref(), Some("record 3"));
}

#[test]
fn where_a_record_was_found_is_as_good_as_where_it_was_put_again() {
    for copies in [slot(3), slot(4)] {
        let mut record = Memory::with_records(3).reopened();
        record.medium_mut().bytes[copies..copies + SLOT].fill(0);
        assert_eq!(text(&mut record).as_deref(), Some("record 3"));
    }
}

/// Longer than a piece, and neither whole pieces nor whole words.
fn long(number: u8) -> Vec<u8> {
    (0..301).map(|at| number ^ u8::try_from(at % 251).unwrap()).collect()
}

fn with_long() -> Memory {
    let mut record = Record::provision(Memory::new(), OWNER, &long(1)).unwrap();
    record.write(&long(2)).unwrap();
    Memory { reads: 0, ..record.into_medium() }
}

/// One that says so many bytes, then so many.
struct Fickle<'c>(&'c Cell<usize>, [usize; 3]);

impl Source for Fickle<'_> {
    fn feed(&self, sink: &mut dyn FnMut(&[u8])) {
        let pass = self.0.get();
        self.0.set(pass + 1);
        (0..self.1[pass]).for_each(|_| sink(b"x"));
    }
}

#[test]
fn pieces_make_the_same_copies_as_the_whole() {
    let whole = Record::provision(Memory::new(), OWNER, &[b'x'; 99]).unwrap().into_medium();
    let pieces = Record::provision(Memory::new(), OWNER, &Fickle(&Cell::new(0), [99; 3])).unwrap().into_medium();
    assert_eq!(pieces.bytes, whole.bytes);
    assert!(pieces.pending.is_empty());
}

#[test]
fn a_record_that_changes_while_it_is_written_is_refused() {
    for last in [0, 98, 100, Record::BYTES] {
        let mut record = Memory::with_records(2).reopened();
        let outcome = record.write(&Fickle(&Cell::new(0), [99, 99, last]));
        assert_eq!(outcome, Err(StoreError::Changed), "{last} bytes");
        let held = record.medium().held().unwrap();
        assert!(held == "record 2" || last > 99 && held == "x".repeat(99), "{last} bytes");
    }
}

/// Every read of an opening, and of the reading after it, goes wrong once.
#[test]
fn one_read_that_goes_wrong_is_survived_and_what_is_put_down_is_whole() {
    let memory = with_long();
    let mut sound = memory.reopened();
    assert_eq!(bytes(&mut sound), Some(long(2)));
    let sound = sound.into_medium();
    assert!(sound.reads > 20, "{} reads are too few to be those", sound.reads);
    for read in 0..sound.reads {
        let mut record = Memory { rotten: BTreeSet::from([read]), ..memory.clone() }.reopened();
        assert_eq!(bytes(&mut record), Some(long(2)), "read {read}");
        assert_eq!(record.medium().bytes, sound.bytes, "read {read}");
    }
}

/// Whatever two reads go wrong, an older record is taken for the newest only if
/// both copies of that were never readable, as after a torn write.
#[test]
fn what_was_readable_once_is_not_passed_over_for_an_older_record() {
    for gathers in [false, true] {
        pass_over_nothing_readable(Memory { gathers, ..with_long() });
    }
}

fn pass_over_nothing_readable(memory: Memory) {
    let reads = memory.reopened().into_medium().reads;
    let mut outcomes = BTreeSet::new();
    for first in COPIES..reads {
        for second in first + 1..2 * reads {
            let opened = Record::open(Memory { rotten: BTreeSet::from([first, second]), ..memory.clone() }, OWNER);
            let never_readable = second < COPIES + 2 * long(2).len().div_ceil(PIECE);
            match opened {
                Ok(mut record) => {
                    let held = bytes(&mut record);
                    let older = held == Some(long(1));
                    assert!(held == Some(long(2)) || older && never_readable, "reads {first} and {second}");
                    outcomes.insert(if older { "older" } else { "newest" });
                }
                Err(error) => {
                    assert_eq!(error, StoreError::Changed);
                    outcomes.insert("changed");
                }
            }
        }
    }
    assert_eq!(outcomes, BTreeSet::from(["changed", "newest", "older"]));
}

/// A copy as it has been since the first version.
#[test]
fn a_copy_is_what_it_always_was() {
    let memory = Memory::with_records(2);
    let digest: [u8; 32] = Sha256::new()
        .chain_update(b"BFLYVOTE")
        .chain_update([1, 0, 0, 0])
        .chain_update(OWNER)
        .chain_update([2, 0, 0, 0, 0, 0, 0, 0])
        .chain_update([8, 0, 0, 0])
        .chain_update(b"record 2")
        .finalize()
        .into();
    let expected: [&[u8]; 6] =
        [b"BFLYVOTE", &[1, 0, 0, 0], &[8, 0, 0, 0], &[2, 0, 0, 0, 0, 0, 0, 0], &digest, b"record 2"];
    assert!(memory.bytes[slot(2)..].starts_with(&expected.concat()));
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
