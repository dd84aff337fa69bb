//! Named kinds of runs: which faults there are, how many, and how often each
//! must have happened for the runs to count.

use super::faults::Kind;
use super::queue::Micros;

const SECOND: Micros = 1_000_000;

/// A kind of run.
#[derive(Clone, Debug)]
pub struct Profile {
    /// As on the command line.
    pub name: &'static str,
    /// What it is for, in a line.
    pub about: &'static str,
    /// Faults that may happen; each seed switches half of them off.
    pub kinds: &'static [Kind],
    /// Mean time between the beginnings of two faults.
    pub gap: Micros,
    /// How long faults happen. Then everything is healed, and must recover.
    pub safety: Micros,
    /// Seeds of a whole run of this profile: from 0 to below this.
    pub seeds: u64,
    /// How often each kind must have happened in a whole run.
    pub least: u64,
}

const NETWORK: &[Kind] = &[
    Kind::Loss,
    Kind::Duplication,
    Kind::Reordering,
    Kind::DelaySpike,
    Kind::OneWayLoss,
    Kind::Partition,
    Kind::AsymmetricPartition,
    Kind::BridgePartition,
    Kind::ClogThenBurst,
    Kind::SlowLink,
    Kind::Corruption,
    Kind::Reset,
];

const PROCESS: &[Kind] =
    &[Kind::Crash, Kind::CrashLoop, Kind::Pause, Kind::SlowProcessor, Kind::ClockJump, Kind::ClockDrift];

const DISK: &[Kind] = &[
    Kind::TornWrite,
    Kind::ReorderedWrites,
    Kind::RotAtRest,
    Kind::RotOnRead,
    Kind::MisdirectedWrite,
    Kind::MisdirectedRead,
    Kind::FullDisk,
    Kind::FsyncError,
    Kind::LostFsync,
    Kind::TotalLoss,
    Kind::RollBack,
];

const BYZANTINE: &[Kind] = &[
    Kind::Equivocation,
    Kind::Silence,
    Kind::Replay,
    Kind::FutureSpam,
    Kind::CorruptCertificates,
    Kind::WrongStageResult,
    Kind::CopyCat,
    Kind::SelectiveDelivery,
    Kind::LateTiming,
    Kind::Exhaustion,
    Kind::Twins,
];

/// Every profile.
pub const PROFILES: &[Profile] = &[
    Profile {
        name: "calm",
        about: "no faults: how fast a cluster is simulated",
        kinds: &[],
        gap: SECOND,
        safety: 300 * SECOND,
        seeds: 1_200,
        least: 0,
    },
    Profile {
        name: "network",
        about: "faults between members",
        kinds: NETWORK,
        gap: SECOND / 2,
        safety: 60 * SECOND,
        seeds: 60,
        least: 20,
    },
    Profile {
        name: "process",
        about: "faults of processes and of their time",
        kinds: PROCESS,
        gap: SECOND / 2,
        safety: 60 * SECOND,
        seeds: 60,
        least: 20,
    },
    Profile {
        name: "disk",
        about: "faults of disks, under the vote record code of the daemon",
        kinds: DISK,
        gap: SECOND / 2,
        safety: 60 * SECOND,
        seeds: 60,
        least: 20,
    },
    Profile {
        name: "byzantine",
        about: "members that misbehave, up to f of them",
        kinds: BYZANTINE,
        gap: 8 * SECOND,
        safety: 60 * SECOND,
        seeds: 120,
        least: 20,
    },
    Profile {
        name: "chaos",
        about: "every fault",
        kinds: Kind::ALL,
        gap: SECOND,
        safety: 60 * SECOND,
        seeds: 240,
        least: 100,
    },
    Profile {
        name: "nightly",
        about: "every fault, until each happened often",
        kinds: Kind::ALL,
        gap: SECOND,
        safety: 60 * SECOND,
        seeds: 2_400,
        least: 1_000,
    },
];

/// The profile called `name`.
pub fn find(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}
