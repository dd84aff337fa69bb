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
pub const KEPT: &[Kept] = &[];
