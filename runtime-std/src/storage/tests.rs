use std::os::unix::fs::FileExt;

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
        if count > 1 {
            let (mut file, _) = RecordFile::open(&disk.path(), OWNER).unwrap();
            for number in 2..=count {
                file.write(format!("record {number}").as_bytes()).unwrap();
            }
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

#[test]
fn the_last_write_is_read_back() {
    for count in 1..6 {
        assert_eq!(Disk::with_records(count).reopen(), Some(format!("record {count}")));
    }
}

#[test]
fn the_file_has_room_for_every_copy_and_each_is_in_use() {
    let disk = Disk::with_records(4);
    let bytes = std::fs::read(disk.path()).unwrap();
    assert_eq!(bytes.len(), FILE_BYTES);
    assert!(bytes[..RecordStore::BYTES].chunks(COPY_BYTES).all(|copy| copy.starts_with(b"BFLYVOTE")));
}

#[test]
fn one_rotten_copy_is_survived_and_two_slots_of_rot_are_not() {
    let disk = Disk::with_records(3);
    for copy in [0, 2] {
        disk.damage(copy * COPY_BYTES + 100, &[0xFF; 16]);
    }
    assert_eq!(disk.reopen().as_deref(), Some("record 3"));
    for copy in 0..4 {
        disk.damage(copy * COPY_BYTES + 30, b"rot");
    }
    assert_eq!(disk.reopen(), None);
}

#[test]
fn a_missing_file_is_no_record() {
    let missing = Disk { folder: tempfile::tempdir().unwrap() };
    assert_eq!(missing.reopen(), None);
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

#[test]
fn the_journal_holds_the_newest_decisions_and_none_that_is_damaged() {
    let disk = Disk::with_records(1);
    let decision = |number: usize| vec![u8::try_from(number).unwrap(); 1_000 + number];
    {
        let (mut file, _) = RecordFile::open(&disk.path(), OWNER).unwrap();
        assert_eq!(file.journalled().unwrap(), Vec::<Vec<u8>>::new());
        for number in 0..JOURNAL_SLOTS + 3 {
            file.journal(&decision(number)).unwrap();
        }
        assert!(file.journal(&vec![0; COPY_BYTES]).is_err(), "it is longer than a slot");
    }
    let journalled = || {
        let mut found = RecordFile::open(&disk.path(), OWNER).unwrap().0.journalled().unwrap();
        found.sort();
        found
    };
    let expected: Vec<_> = (3..JOURNAL_SLOTS + 3).map(decision).collect();
    assert_eq!(journalled(), expected);
    assert_eq!(disk.reopen().as_deref(), Some("record 1"), "the record is another part of the file");
    disk.damage(RecordStore::BYTES + 500, &[0xFF]);
    assert_eq!(journalled().len(), JOURNAL_SLOTS - 1);
    let (others, _) = RecordFile::open(&disk.path(), [8; 32]).unwrap();
    assert_eq!(others.journalled().unwrap(), Vec::<Vec<u8>>::new());
}
