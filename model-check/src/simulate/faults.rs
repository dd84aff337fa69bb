//! The fault catalogue: every kind by name, and a fault as it is scheduled.
//!
//! All faults of a run are drawn before it begins. Each has a stream of random
//! numbers of its own, so a run can be repeated without some of them, and that
//! is how it is shrunk.

pub(crate) mod schedule;

use serde::Serialize;

use super::queue::Micros;

/// The list once, as a type and as a table.
macro_rules! kinds {
    ($($(#[doc = $about:literal])+ $family:ident $kind:ident = $name:literal,)+) => {
        /// What can go wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[doc = $about])+ $kind,)+
        }

        impl Kind {
            /// Every kind, in the order of the catalogue.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind,)+];

            /// The name in tables and documents.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$kind => $name,)+ }
            }

            /// What happens, in a line.
            pub fn about(self) -> &'static str {
                match self { $(Kind::$kind => concat!($($about),+).trim_start(),)+ }
            }

            /// Where it happens.
            pub fn family(self) -> Family {
                match self { $(Kind::$kind => Family::$family,)+ }
            }
        }
    };
}

/// Where faults happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Between members.
    Network,
    /// In a member's process, or in its time.
    Process,
    /// On a member's disk.
    Disk,
    /// In what a member says: it counts towards f.
    Byzantine,
}

kinds! {
    /// A message is lost.
    Network Loss = "loss",
    /// A message arrives twice.
    Network Duplication = "duplication",
    /// A message overtakes one that was sent before it on the same link.
    Network Reordering = "reordering",
    /// Every message takes much longer.
    Network DelaySpike = "delay-spike",
    /// One member is not heard by another one, and hears it.
    Network OneWayLoss = "one-way-loss",
    /// Two groups do not hear each other.
    Network Partition = "partition",
    /// One group is not heard by the other one, and hears it.
    Network AsymmetricPartition = "asymmetric-partition",
    /// Two groups hear each other through one member only.
    Network BridgePartition = "bridge-partition",
    /// A link holds everything back, then delivers it at once.
    Network ClogThenBurst = "clog-then-burst",
    /// One link is slow.
    Network SlowLink = "slow-link",
    /// A frame arrives with a flipped bit, a byte too many, or cut short.
    Network Corruption = "corruption",
    /// A connection is reset: whatever is on its way is lost.
    Network Reset = "reset",
    /// A process ends in the middle of a step, and begins again.
    Process Crash = "crash",
    /// A process ends again and again, soon after it began.
    Process CrashLoop = "crash-loop",
    /// A process stands still, and then meets all that came meanwhile.
    Process Pause = "pause",
    /// Every input takes a member long.
    Process SlowProcessor = "slow-processor",
    /// A member's clock jumps, forwards or back.
    Process ClockJump = "clock-jump",
    /// A member's clock runs too fast or too slow.
    Process ClockDrift = "clock-drift",
    /// The power fails while a record is written: the beginning or the end of it is there.
    Disk TornWrite = "torn-write",
    /// The power fails while a record is written: any sectors of it are there.
    Disk ReorderedWrites = "reordered-writes",
    /// A sector of one copy rots, and the process ends.
    Disk RotAtRest = "rot-at-rest",
    /// A bit flips while a record is read back.
    Disk RotOnRead = "rot-on-read",
    /// A write lands elsewhere on the disk, and the process ends.
    Disk MisdirectedWrite = "misdirected-write",
    /// A read comes from elsewhere on the disk.
    Disk MisdirectedRead = "misdirected-read",
    /// There is no room for a write: the member must stop.
    Disk FullDisk = "full-disk",
    /// The disk cannot say whether a write is durable: the member must stop.
    Disk FsyncError = "fsync-error",
    /// The disk says that a write is durable, and it is not. Not to be noticed: counts towards f.
    Disk LostFsync = "lost-fsync",
    /// Everything on the disk is gone. The member must be admitted again: counts towards f.
    Disk TotalLoss = "total-loss",
    /// An older image of the disk is put back. Not to be noticed: counts towards f.
    Disk RollBack = "roll-back",
    /// Other proposals, votes and acknowledgements for some than for the rest.
    Byzantine Equivocation = "equivocation",
    /// Nothing is said, to nobody or to some.
    Byzantine Silence = "silence",
    /// Old messages are said again, own ones and others'.
    Byzantine Replay = "replay",
    /// Statements about epochs and views to come.
    Byzantine FutureSpam = "future-spam",
    /// Certificates with foreign signatures, with too few, or none.
    Byzantine CorruptCertificates = "corrupt-certificates",
    /// Wrong results of stages, and attestations that stand by them.
    Byzantine WrongStageResult = "wrong-stage-result",
    /// What others found is said as an own finding, computed or not.
    Byzantine CopyCat = "copy-cat",
    /// A leader hides what it proposes and asks from some.
    Byzantine SelectiveDelivery = "selective-delivery",
    /// What is said about agreement comes just before the time of the view is over.
    Byzantine LateTiming = "late-timing",
    /// Each message comes with a handful of questions about nothing.
    Byzantine Exhaustion = "exhaustion",
    /// Two copies of a member, each for one half of the cluster.
    Byzantine Twins = "twins",
}

impl Kind {
    /// The place in [`Kind::ALL`].
    pub fn index(self) -> usize {
        Kind::ALL.iter().position(|kind| *kind == self).expect("every kind is in the list")
    }

    /// Whether each message that it hits is a fault of its own. Kinds that last
    /// are counted once for each time that they come and hit anything.
    pub fn is_single(self) -> bool {
        matches!(self, Kind::Loss | Kind::Duplication | Kind::Reordering | Kind::Corruption | Kind::Reset)
    }

    /// Whether the member that it hits counts towards f: it misbehaves, or more
    /// is taken from it than its record can survive.
    pub fn counts_towards_f(self) -> bool {
        self.family() == Family::Byzantine || matches!(self, Kind::LostFsync | Kind::TotalLoss | Kind::RollBack)
    }

    /// The kind called `name`.
    pub fn find(name: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// A fault that will happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Names it among those of its run.
    pub(crate) number: u64,
    pub(crate) kind: Kind,
    /// When it begins.
    pub(crate) from: Micros,
    /// When it is over.
    pub(crate) until: Micros,
    /// Whom it hits: a bit for each member.
    pub(crate) members: u64,
    /// The member between two groups, the one that does not hear, or the one that is hit.
    pub(crate) member: usize,
    /// How much: in a thousand, in microseconds or in percent, as the kind needs.
    pub(crate) strength: u64,
}

impl Fault {
    pub(crate) fn hits(&self, member: usize) -> bool {
        self.members >> member & 1 == 1
    }

    /// As it stands in reports.
    pub(crate) fn describe(&self) -> String {
        let group: Vec<String> = (0..64).filter(|member| self.hits(*member)).map(|member| member.to_string()).collect();
        format!(
            "fault {}: {} from {:.3} s to {:.3} s, member {}, group {{{}}}, strength {}",
            self.number,
            self.kind.name(),
            seconds(self.from),
            seconds(self.until),
            self.member,
            group.join(", "),
            self.strength
        )
    }
}

/// For people to read.
#[allow(clippy::cast_precision_loss, reason = "years of microseconds fit")]
pub(crate) fn seconds(time: Micros) -> f64 {
    time as f64 / 1e6
}
