use super::*;

const OWNER: [u8; 32] = [7; 32];

struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// A record that was written `count` times: `record 1`, `record 2`, ...
    fn with_records(count: usize) -> Disk {
        let disk = Disk { folder: tempfile::tempdir().unwrap() };
        RecordFile::provision(&disk.path(), OWNER, b"record 1").unwrap();
        // Opening scrubs, which writes once more; so the writes go on by hand.
        let file = OpenOptions::new().read(true).write(true).open(disk.path()).unwrap();
        let mut open = RecordFile { file, path: disk.path(), owner: OWNER, counter: 1 };
        for number in 2..=count {
            open.write(format!("record {number}").as_bytes()).unwrap();
        }
        disk
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("record")
    }

    fn damage(&self, at: usize, with: &[u8]) {
        let file = OpenOptions::new().write(true).open(self.path()).unwrap();
        file.write_all_at(with, at as u64).unwrap();
    }

    fn reopen(&self) -> Option<String> {
        let (_, record) = RecordFile::open(&self.path(), OWNER).unwrap();
        record.map(|bytes| String::from_utf8(bytes).unwrap())
    }
}

/// Where the slot of the `number`th write begins.
fn slot(number: usize) -> usize {
    (number % 2) * SLOT_BYTES
}

#[test]
fn the_last_write_is_read_back() {
    for count in 1..6 {
        assert_eq!(Disk::with_records(count).reopen(), Some(format!("record {count}")));
    }
}

#[test]
fn a_torn_write_leaves_the_record_before() {
    let disk = Disk::with_records(4);
    disk.damage(slot(4) + 30, b"torn");
    disk.damage(slot(4) + COPY_BYTES + 30, b"torn");
    assert_eq!(disk.reopen().as_deref(), Some("record 3"));
}

#[test]
fn one_rotten_copy_is_survived_and_mended() {
    for copy in [0, COPY_BYTES] {
        let disk = Disk::with_records(5);
        disk.damage(slot(5) + copy + HEADER_BYTES, b"rot");
        assert_eq!(disk.reopen().as_deref(), Some("record 5"));
        // The scrub wrote two whole copies elsewhere: now the old slot may go.
        disk.damage(slot(5), &[0xFF; SLOT_BYTES]);
        assert_eq!(disk.reopen().as_deref(), Some("record 5"));
    }
}

#[test]
fn without_a_readable_copy_there_is_no_record() {
    let disk = Disk::with_records(3);
    for copy in 0..4 {
        disk.damage(copy * COPY_BYTES + HEADER_BYTES, b"rot");
    }
    assert_eq!(disk.reopen(), None);
    let missing = Disk { folder: tempfile::tempdir().unwrap() };
    assert_eq!(missing.reopen(), None);
}

#[test]
fn no_flipped_bit_yields_another_record() {
    let record = b"the only record that there is";
    let header = header(&OWNER, 9, record);
    let mut copy = vec![0; COPY_BYTES];
    copy[..HEADER_BYTES].copy_from_slice(&header);
    copy[HEADER_BYTES..][..record.len()].copy_from_slice(record);
    assert_eq!(read(&copy, &OWNER), Some(Copy { counter: 9, record }));
    for bit in 0..8 * (HEADER_BYTES + record.len()) {
        copy[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(read(&copy, &OWNER), None, "bit {bit}");
        copy[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn a_record_of_another_member_is_none() {
    let disk = Disk::with_records(2);
    let (_, record) = RecordFile::open(&disk.path(), [8; 32]).unwrap();
    assert_eq!(record, None);
}

#[test]
fn a_second_process_is_kept_out() {
    let disk = Disk::with_records(2);
    let _held = RecordFile::open(&disk.path(), OWNER).unwrap();
    assert!(matches!(RecordFile::open(&disk.path(), OWNER), Err(StorageError::InUse(_))));
}

#[test]
fn the_first_record_is_given_once() {
    let disk = Disk::with_records(2);
    assert!(RecordFile::provision(&disk.path(), OWNER, b"again").is_err());
}

#[test]
fn a_record_that_does_not_fit_is_refused() {
    let disk = Disk::with_records(1);
    let (mut file, _) = RecordFile::open(&disk.path(), OWNER).unwrap();
    assert!(file.write(&vec![1; MAX_RECORD]).is_ok());
    assert!(matches!(file.write(&vec![1; MAX_RECORD + 1]), Err(StorageError::TooLong(_))));
}
