//! The kinds of fault, in one place: the command line, its errors and the
//! tests take from here what there is.

use std::fmt;
use std::str::FromStr;

use super::plan::FaultError;

/// What happens to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Something is done to its process or its disk, from outside.
    Process(Mishap),
    /// Its process runs, and departs from what it should do.
    Node(Misbehaviour),
}

/// What is done to a node's process or disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// It is killed and stays away.
    Crash,
    /// It is killed and started again from its disk.
    Restart,
    /// It is stopped for a while and goes on as if nothing had happened.
    Pause,
    /// It is killed, its vote record is deleted, and it is started again.
    Wipe,
    /// It is killed and started again from an older image of its disk.
    Rollback,
}

/// How a running node departs from what it should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// It sends nothing.
    Silent,
    /// It sends wrong stage outputs and wrong attestations.
    Lie,
    /// It sends different proposals and votes to different peers.
    Equivocate,
    /// It computes nothing and repeats what fellows of its stages say.
    CopyCat,
    /// It sends old messages again, its own and those of others.
    Replay,
    /// It proposes nothing, shows nobody what it holds, and votes to some only.
    Withhold,
    /// Its stage outputs leave late.
    Slow,
}

/// What a fault means for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The node stays honest and comes back by itself: it does not count
    /// towards f, reaches the end, and is never blamed.
    Passing,
    /// The node is honest, but takes no part any more: it counts towards f and
    /// is never blamed.
    Lost,
    /// The node may say anything: it counts towards f, nothing that it says is
    /// believed, and it may be proven faulty.
    Byzantine,
}

impl FaultKind {
    /// Every kind, those that do least harm first.
    pub const ALL: [FaultKind; 12] = [
        FaultKind::Process(Mishap::Restart),
        FaultKind::Process(Mishap::Pause),
        FaultKind::Node(Misbehaviour::Slow),
        FaultKind::Process(Mishap::Crash),
        FaultKind::Process(Mishap::Wipe),
        FaultKind::Process(Mishap::Rollback),
        FaultKind::Node(Misbehaviour::Silent),
        FaultKind::Node(Misbehaviour::Withhold),
        FaultKind::Node(Misbehaviour::Replay),
        FaultKind::Node(Misbehaviour::CopyCat),
        FaultKind::Node(Misbehaviour::Lie),
        FaultKind::Node(Misbehaviour::Equivocate),
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        self.entry().0
    }

    /// What it means for the others.
    pub fn severity(self) -> Severity {
        self.entry().1
    }

    /// What it does, in one line.
    pub fn about(self) -> &'static str {
        self.entry().2
    }

    fn entry(self) -> (&'static str, Severity, &'static str) {
        use Severity::{Byzantine, Lost, Passing};
        match self {
            FaultKind::Process(mishap) => match mishap {
                Mishap::Restart => ("restart", Passing, "killed, and started again from its disk"),
                Mishap::Pause => ("pause", Passing, "stopped for 3 s, then goes on as if nothing had happened"),
                Mishap::Crash => ("crash", Lost, "killed, and stays away"),
                Mishap::Wipe => ("wipe", Lost, "killed, and started again without its vote record"),
                Mishap::Rollback => ("rollback", Byzantine, "killed, and started again from an older copy of its disk"),
            },
            FaultKind::Node(misbehaviour) => match misbehaviour {
                Misbehaviour::Slow => ("slow", Passing, "its stage outputs leave 500 ms late"),
                Misbehaviour::Silent => ("silent", Byzantine, "sends nothing"),
                Misbehaviour::Withhold => {
                    ("withhold", Byzantine, "proposes nothing, hides what it holds, sends its votes to some only")
                }
                Misbehaviour::Replay => ("replay", Byzantine, "sends old messages of everybody again and again"),
                Misbehaviour::CopyCat => ("copycat", Byzantine, "computes nothing, and repeats its fellows' results"),
                Misbehaviour::Lie => ("lie", Byzantine, "sends wrong results, and attests to them"),
                Misbehaviour::Equivocate => {
                    ("equivocate", Byzantine, "proposes and votes differently to different peers")
                }
            },
        }
    }
}

impl Severity {
    /// Whether a node with such a fault is one of the f that a cluster survives.
    pub fn counts(self) -> bool {
        self != Severity::Passing
    }
}

impl FromStr for FaultKind {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<FaultKind, FaultError> {
        let named = FaultKind::ALL.into_iter().find(|kind| kind.name() == text);
        named.ok_or_else(|| FaultError::Kind(text.into()))
    }
}

impl FromStr for Misbehaviour {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Misbehaviour, FaultError> {
        match FaultKind::from_str(text)? {
            FaultKind::Node(misbehaviour) => Ok(misbehaviour),
            FaultKind::Process(_) => Err(FaultError::Kind(text.into())),
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// The names of all kinds, as in a sentence.
pub(super) fn names() -> String {
    let names = FaultKind::ALL.map(FaultKind::name);
    match names.split_last() {
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}
