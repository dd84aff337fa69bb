use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use super::*;

const OWNER: [u8; 32] = [7; 32];
/// Enough for a tree of several levels.
const EPOCHS: u64 = 300;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    /// With the epochs from 1 to [`EPOCHS`], written in batches.
    fn filled() -> Folder {
        let folder = Folder::new();
        let history = folder.open(&[]);
        (1..=EPOCHS).for_each(|epoch| history.add(entry(epoch)).unwrap());
        history.close().unwrap();
        folder
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("history")
    }

    fn open(&self, journalled: &[Entry]) -> History {
        History::open(&self.path(), OWNER, journalled).unwrap()
    }
}

fn entry(epoch: u64) -> Entry {
    let length = 400 + usize::try_from(epoch % 300).unwrap();
    (Epoch(epoch), epoch.to_le_bytes().into_iter().cycle().take(length).collect())
}

fn all(history: &History) -> Vec<Entry> {
    history.shelf().range(Epoch(0), Epoch(u64::MAX), usize::MAX).unwrap()
}

fn entries(epochs: impl Iterator<Item = u64>) -> Vec<Entry> {
    epochs.map(entry).collect()
}

#[test]
fn what_was_added_is_read_once_it_has_settled_and_more_can_be_added() {
    let folder = Folder::new();
    let mut history = folder.open(&[]);
    for epoch in 1..=5 {
        history.add(entry(epoch)).unwrap();
        history = history.settle().unwrap();
        assert_eq!(all(&history), entries(1..=epoch));
    }
}

#[test]
fn what_was_added_is_there_after_it_was_closed_and_read_in_order() {
    let folder = Folder::filled();
    let history = folder.open(&[]);
    assert_eq!(all(&history), entries(1..=EPOCHS));
    let shelf = history.shelf();
    assert_eq!(shelf.range(Epoch(10), Epoch(20), 3).unwrap(), entries(10..13));
    assert_eq!(shelf.range(Epoch(10), Epoch(12), 3).unwrap(), entries(10..12));
    assert_eq!(shelf.range(Epoch(EPOCHS + 1), Epoch(u64::MAX), 3).unwrap(), []);
    assert_eq!(shelf.last().unwrap(), Epoch(EPOCHS));
}

#[test]
fn what_the_journal_holds_comes_first_and_what_was_told_first_stays() {
    let folder = Folder::filled();
    let caught_up = (Epoch(EPOCHS), vec![1, 2, 3].into());
    let history = folder.open(&[entry(EPOCHS + 1), caught_up]);
    assert_eq!(all(&history), entries(1..=EPOCHS + 1));
}

#[test]
fn one_more_than_is_kept_makes_room() {
    let folder = Folder::new();
    let history = folder.open(&entries([1, 2, 3].into_iter()));
    history.add(entry(EPOCHS_KEPT + 2)).unwrap();
    history.close().unwrap();
    assert_eq!(all(&folder.open(&[])), entries([3, EPOCHS_KEPT + 2].into_iter()));
}

/// Every open but the first finds entries, so none of the damage is found by
/// there being nothing to read.
#[test]
fn damage_is_found_when_it_is_opened_or_changes_nothing() {
    let folder = Folder::filled();
    let whole = fs::read(folder.path()).unwrap();
    let expected = entries(1..=EPOCHS);
    let mut draw = 1_u64;
    let mut put_aside = 0;
    for round in 0..200 {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The first pages hold the roots, and are small; the others are drawn evenly.
        let space = if round % 4 == 0 { 512 } else { whole.len() as u64 };
        let at = (draw >> 16) % space;
        let mut damaged = whole.clone();
        match round % 5 {
            0 => damaged.truncate(usize::try_from(at).unwrap()),
            _ => damaged[usize::try_from(at).unwrap()] ^= 1 << (draw >> 61),
        }
        fs::write(folder.path(), &damaged).unwrap();
        let history = folder.open(&[]);
        let found = all(&history);
        drop(history);
        if found != expected {
            assert_eq!(found, [], "byte {at}, round {round}: some are missing, or others than were written");
            assert_eq!(fs::read(folder.path().with_extension("damaged")).unwrap().len(), damaged.len());
            put_aside += 1;
        }
    }
    assert!(put_aside > 50, "only {put_aside} were put aside");
}

#[test]
fn damage_while_it_is_open_is_passed_over() {
    let folder = Folder::filled();
    let history = folder.open(&[]);
    let bytes = fs::read(folder.path()).unwrap();
    let value = entry(17).1;
    let places: Vec<usize> =
        bytes.windows(value.len()).enumerate().filter(|(_, found)| **found == *value).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    let file = OpenOptions::new().write(true).open(folder.path()).unwrap();
    places.iter().for_each(|at| file.write_all_at(&[0xFF], *at as u64).unwrap());
    assert_eq!(history.shelf().range(Epoch(16), Epoch(19), 9).unwrap(), entries([16, 18].into_iter()));
}

#[test]
fn anothers_is_put_aside() {
    let folder = Folder::filled();
    let other = History::open(&folder.path(), [8; 32], &[]).unwrap();
    assert_eq!(all(&other), []);
    assert!(folder.path().with_extension("damaged").exists());
}

#[test]
fn what_the_system_refuses_is_not_taken_for_damage() {
    let folder = Folder::filled();
    let held = folder.open(&[]);
    assert!(History::open(&folder.path(), OWNER, &[]).is_err(), "it is in use");
    drop(held);
    let missing = folder.0.path().join("missing/history");
    assert!(History::open(&missing, OWNER, &[]).is_err());
    let directory = folder.0.path().join("directory");
    fs::create_dir(&directory).unwrap();
    assert!(History::open(&directory, OWNER, &[]).is_err());
    assert!(directory.is_dir());
    assert_eq!(all(&folder.open(&[])), entries(1..=EPOCHS));
}
