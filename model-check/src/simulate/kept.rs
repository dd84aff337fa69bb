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
    /// Why.
    pub why: &'static str,
    /// What comes out, in every build. It changes with the kernel, the wire
    /// and the simulator, and whoever changes it says why.
    pub digest: u64,
}

/// All of them.
pub const KEPT: &[Kept] = &[
    Kept { seed: 0, nodes: 4, profile: "calm", why: "no faults", digest: 0xb122_6c08_6973_0a3a },
    Kept { seed: 1, nodes: 4, profile: "network", why: "faults of the network", digest: 0xf691_37a8_1e8d_d429 },
    Kept { seed: 2, nodes: 4, profile: "process", why: "faults of processes", digest: 0xcb66_4039_b6ec_b8ef },
    Kept { seed: 3, nodes: 4, profile: "disk", why: "faults of disks", digest: 0x40d9_dc3c_93ad_0051 },
    Kept {
        seed: 1,
        nodes: 4,
        profile: "byzantine",
        why: "a horizon spared a proposal that was proof",
        digest: 0x582c_1875_48f4_c320,
    },
    Kept { seed: 4, nodes: 4, profile: "chaos", why: "every fault", digest: 0x132d_ff9e_ebf1_85c3 },
    Kept { seed: 5, nodes: 7, profile: "chaos", why: "with a slow path", digest: 0xede8_c1fc_e061_24bc },
    Kept { seed: 6, nodes: 10, profile: "chaos", why: "three faulty members", digest: 0x1fcc_01a5_f561_ea13 },
    Kept { seed: 7, nodes: 16, profile: "chaos", why: "the largest cluster", digest: 0x6545_5985_16ab_932c },
];
