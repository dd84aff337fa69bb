//! Seeds that are run for ever: one of each kind of run, with what comes out,
//! and each that found a bug.

/// A seed that is kept.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// The seed.
    pub seed: u64,
    /// Voters.
    pub nodes: usize,
    /// The profile.
    pub profile: &'static str,
    /// The workload.
    pub workload: &'static str,
    /// Why.
    pub why: &'static str,
    /// What comes out, in every build. It changes with the kernel, the wire
    /// and the simulator, and whoever changes it says why.
    pub digest: u64,
}

/// All of them.
pub const KEPT: &[Kept] = &[
    Kept { seed: 0, nodes: 4, profile: "calm", workload: "mixed", why: "no faults", digest: 0x28d6_0818_59b9_0da9 },
    Kept {
        seed: 1,
        nodes: 4,
        profile: "network",
        workload: "mixed",
        why: "faults of the network",
        digest: 0x2a18_74bb_8d4e_753d,
    },
    Kept {
        seed: 2,
        nodes: 4,
        profile: "process",
        workload: "mixed",
        why: "faults of processes",
        digest: 0x2ab8_e40a_fd6b_9b0f,
    },
    Kept {
        seed: 3,
        nodes: 4,
        profile: "disk",
        workload: "mixed",
        why: "faults of disks",
        digest: 0x7601_d3c5_20aa_02a3,
    },
    Kept {
        seed: 1,
        nodes: 4,
        profile: "byzantine",
        workload: "mixed",
        why: "a horizon spared a proposal that was proof",
        digest: 0x100d_4ab4_65ff_96eb,
    },
    Kept { seed: 4, nodes: 4, profile: "chaos", workload: "mixed", why: "every fault", digest: 0x3cac_1e74_4f5b_ad84 },
    Kept {
        seed: 5,
        nodes: 7,
        profile: "chaos",
        workload: "mixed",
        why: "with a slow path",
        digest: 0x1aa4_1402_83a5_8956,
    },
    Kept {
        seed: 6,
        nodes: 10,
        profile: "chaos",
        workload: "mixed",
        why: "three faulty members",
        digest: 0xce7d_48ee_20ec_c461,
    },
    Kept {
        seed: 7,
        nodes: 16,
        profile: "chaos",
        workload: "mixed",
        why: "the largest cluster",
        digest: 0xa526_9ecc_e4e6_4f5d,
    },
    Kept {
        seed: 9,
        nodes: 4,
        profile: "chaos",
        workload: "short",
        why: "work that the others lost",
        digest: 0xe883_2185_465b_7673,
    },
    Kept {
        seed: 21,
        nodes: 10,
        profile: "chaos",
        workload: "mixed",
        why: "two who copy each other",
        digest: 0x4a99_96e0_64b2_ae00,
    },
];
