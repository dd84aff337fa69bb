//! Each file of a stopped node, damaged in one place at a time: the node
//! refuses it, or goes on as if nothing had happened, or knows that it forgot
//! what it signed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::yield_now;

use butterfly_kernel::cluster::Timing;
use butterfly_runtime_std::folder::Member;
use butterfly_runtime_std::storage::StorageError;
use serde_json::Value;

use crate::harness::progress;
use crate::nodes::{Began, Draws, Nodes, epochs, spawn};
use crate::operated::{Folder, wait_until};

/// The node whose files are damaged.
const NODE: u16 = 2;
/// What a node reads first, and refuses or believes.
const READ_FIRST: [&str; 6] = ["ending.0", "exchange-key", "key", "key-records", "roster", "vote-record"];
/// Pieces of damage that the code of a node is shown, in these files.
const SHOWN: u64 = 3_000;
/// Pieces that a process is started on.
const STARTED: u64 = 240;

/// A node that was stopped behind a change of the roster and some decisions,
/// with checkpoints.
struct Stopped {
    folder: Folder,
    /// Its files, by their paths.
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// What it decided.
    epochs: BTreeMap<u64, Value>,
}

/// What was done to a file.
enum Damage {
    Flip(usize, u8),
    Cut(usize),
}

impl Stopped {
    fn new() -> Stopped {
        let folder = Folder::found(5);
        let nodes = Nodes::start(&folder);
        folder.remove(4);
        folder.submit(&["--tokens", "60"]);
        let last = nodes.last();
        let admin = folder.admin(NODE);
        wait_until("the node has the last epoch", || epochs(admin).contains_key(&last));
        let epochs = epochs(admin);
        nodes.stop_all();
        let mut files = BTreeMap::new();
        collect(&folder.dir.join(format!("node-{NODE}")), &mut files);
        let names: Vec<_> = files.keys().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        for name in ["ending.0", "exchange-key", "history", "key", "key-records", "node.toml", "roster", "vote-record"]
        {
            assert!(names.contains(&name), "{name}: {names:?}");
        }
        assert!(names.len() > 9, "there are checkpoints: {names:?}");
        Stopped { folder, files, epochs }
    }

    fn home(&self) -> PathBuf {
        self.folder.dir.join(format!("node-{NODE}"))
    }

    /// The `number`th damage, for every file in turn. The vote record's newest
    /// copies are in its first half.
    fn damage(&self, number: u64, draws: &mut Draws) -> (&Path, &[u8], Damage) {
        let (path, whole) = self.files.iter().cycle().nth(usize::try_from(number).unwrap()).unwrap();
        let length = whole.len() as u64;
        // The records themselves, and not the room behind them, every other time.
        let begins = [0, 16, 32, 48].map(|kilobytes| kilobytes * 1024);
        let at = match path.file_name().unwrap().to_str().unwrap() {
            "vote-record" if draws.below(2) == 0 => begins[usize::try_from(draws.below(4)).unwrap()] + draws.below(900),
            _ => draws.below(length),
        };
        let at = usize::try_from(at).unwrap();
        let round = number / self.files.len() as u64;
        let damage = if round.is_multiple_of(4) { Damage::Cut(at) } else { Damage::Flip(at, 1 << draws.below(8)) };
        (path, whole, damage)
    }

    /// Puts the files back as they were.
    fn restore(&self) {
        let home = self.home();
        for left in ["history.damaged", "checkpoints"] {
            // It need not be there.
            let _missing = fs::remove_dir_all(home.join(left)).or_else(|_| fs::remove_file(home.join(left)));
        }
        fs::create_dir_all(home.join("checkpoints")).unwrap();
        for (path, whole) in &self.files {
            fs::write(path, whole).unwrap();
        }
    }
}

impl Damage {
    fn of(&self, whole: &[u8]) -> Vec<u8> {
        let mut bytes = whole.to_vec();
        match self {
            Damage::Flip(at, bit) => bytes[*at] ^= bit,
            Damage::Cut(at) => bytes.truncate(*at),
        }
        bytes
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
}

/// What a node reads before anything else, thousands of times. A key of which
/// a bit is flipped may be the same key: X25519 does not look at five of them.
#[test]
fn a_node_reads_what_it_wrote_or_refuses_or_knows_that_it_forgot() {
    let mut stopped = Stopped::new();
    stopped.files.retain(|path, _| READ_FIRST.iter().any(|name| path.ends_with(name)));
    assert_eq!(stopped.files.len(), READ_FIRST.len());
    let home = stopped.home();
    let open = || {
        let member = Member::open(&home, Timing::default())?;
        let (_, record) = loop {
            match member.open_record() {
                // A process that another test begins to start has every file until it is its own.
                Err(error) if matches!(error.downcast_ref(), Some(StorageError::InUse(_))) => yield_now(),
                outcome => break outcome?,
            }
        };
        anyhow::Ok((member.me, member.key.to_bytes(), member.cluster.id(), record))
    };
    let whole = open().unwrap();
    assert!(whole.3.is_some());
    let mut draws = Draws(1);
    let mut seen = BTreeMap::<(&str, &str), usize>::new();
    for number in 0..SHOWN {
        let (path, bytes, damage) = stopped.damage(number, &mut draws);
        fs::write(path, damage.of(bytes)).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let outcome = match open() {
            Err(_refused) => "refused",
            Ok(found) if found == whole => "as before",
            Ok((.., None)) => {
                assert_eq!(name, "vote-record");
                assert!(matches!(damage, Damage::Cut(_)), "one bit makes nobody forget");
                "forgotten"
            }
            Ok(_) => panic!("{name} at {number}: it reads what it never wrote"),
        };
        *seen.entry((name, outcome)).or_default() += 1;
        fs::write(path, bytes).unwrap();
        if name == "vote-record" {
            // It was written again.
            assert_eq!(open().unwrap(), whole);
        }
    }
    for ((name, outcome), times) in &seen {
        progress(&format!("{name:>14}: {outcome} {times} times"));
    }
    for name in ["roster", "ending.0", "key-records", "key"] {
        assert!(!seen.contains_key(&(name, "as before")), "{name} is not all there");
    }
    let of_exchange = |outcome| seen.get(&("exchange-key", outcome)).copied().unwrap_or_default();
    assert!(of_exchange("refused") > 10 * of_exchange("as before"), "five bits of 256 may be anything");
    for outcome in ["as before", "forgotten"] {
        assert!(seen.contains_key(&("vote-record", outcome)), "never {outcome}");
    }
}

/// A process that starts on damaged files tells of nothing but what was
/// decided, and is a replica only with all that it signed.
#[test]
fn a_node_that_starts_on_damaged_files_tells_nothing_wrong() {
    let stopped = Stopped::new();
    let next = stopped.epochs.keys().max().unwrap() + 1;
    let mut draws = Draws(2);
    let mut seen = BTreeMap::<(&str, &str), usize>::new();
    for number in 0..STARTED {
        let (path, bytes, damage) = stopped.damage(number, &mut draws);
        fs::write(path, damage.of(bytes)).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let outcome = match spawn(&stopped.folder, NODE).begin() {
            Began::Refused(errors) => {
                assert!(errors.starts_with("error: ") && !errors.contains("panicked"), "{name}: {errors}");
                "refused"
            }
            Began::Ready(process, event) => {
                let is_learner = event["learner"].as_bool().unwrap();
                assert!(is_learner || event["epoch"] == next, "{name}: {event}");
                assert!(!is_learner || name == "vote-record", "{name}: {event}");
                if let Some(admin) = event["admin"].as_str() {
                    let told = epochs(admin.parse().unwrap());
                    assert!(told.iter().all(|(epoch, told)| stopped.epochs[epoch] == *told), "{name}: {told:?}");
                    assert!(name == "history" || told == stopped.epochs, "{name}: {told:?}");
                }
                process.kill();
                if is_learner { "learner" } else { "replica" }
            }
        };
        *seen.entry((name, outcome)).or_default() += 1;
        stopped.restore();
    }
    for ((name, outcome), times) in &seen {
        progress(&format!("{name:>14}: {outcome} {times} times"));
    }
    for case in [("vote-record", "learner"), ("vote-record", "replica"), ("history", "replica"), ("key", "refused")] {
        assert!(seen.contains_key(&case), "{case:?} was never seen");
    }
}
