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
    Kept { seed: 0, nodes: 4, profile: "calm", workload: "mixed", why: "no faults", digest: 0x6dc7_5ebc_f4f5_b55c },
    Kept {
        seed: 1,
        nodes: 4,
        profile: "network",
        workload: "mixed",
        why: "faults of the network",
        digest: 0x0569_5ac7_86fe_ca4f,
    },
    Kept {
        seed: 2,
        nodes: 4,
        profile: "process",
        workload: "mixed",
        why: "faults of processes",
        digest: 0x25f8_7e30_02f8_1bc2,
    },
    Kept {
        seed: 3,
        nodes: 4,
        profile: "disk",
        workload: "mixed",
        why: "faults of disks",
        digest: 0x183d_a6dc_4ca7_d717,
    },
    Kept {
        seed: 1,
        nodes: 4,
        profile: "byzantine",
        workload: "mixed",
        why: "a horizon spared a proposal that was proof",
        digest: 0xb118_60b4_b411_5b0d,
    },
    Kept { seed: 4, nodes: 4, profile: "chaos", workload: "mixed", why: "every fault", digest: 0x1f50_dc55_070f_29e7 },
    Kept {
        seed: 5,
        nodes: 7,
        profile: "chaos",
        workload: "mixed",
        why: "with a slow path",
        digest: 0x9663_451a_7419_d3e4,
    },
    Kept {
        seed: 6,
        nodes: 10,
        profile: "chaos",
        workload: "mixed",
        why: "three faulty members",
        digest: 0x24ca_8cc0_26e4_54e2,
    },
    Kept {
        seed: 7,
        nodes: 16,
        profile: "chaos",
        workload: "mixed",
        why: "the largest cluster",
        digest: 0x9231_b209_8470_d779,
    },
    Kept {
        seed: 9,
        nodes: 4,
        profile: "chaos",
        workload: "short",
        why: "work that the others lost",
        digest: 0xabe4_abf9_a585_debd,
    },
    Kept {
        seed: 21,
        nodes: 10,
        profile: "chaos",
        workload: "mixed",
        why: "two who copy each other",
        digest: 0x92df_731d_9593_8c46,
    },
];
