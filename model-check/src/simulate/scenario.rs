//! What is run, but for the seed.

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_kernel::types::Resilience;

use super::engine::Outcome;
use super::profile::Profile;
use super::setting::Setting;
use super::workload::{WORKLOADS, Workload};
use super::{Besides, simulate};

/// A cluster, its faults and its work.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Voters.
    pub nodes: Resilience,
    /// Faults.
    pub profile: &'static Profile,
    /// What clients ask for.
    pub workload: Workload,
    /// A bug in the kernel.
    pub mutant: Option<Mutant>,
}

impl Scenario {
    /// With the first workload, and the kernel as it is.
    pub fn new(nodes: Resilience, profile: &'static Profile) -> Scenario {
        Scenario { nodes, profile, workload: WORKLOADS[0], mutant: None }
    }

    /// The same with a bug in the kernel.
    #[must_use]
    pub fn mutated(self, mutant: Mutant) -> Scenario {
        Scenario { mutant: Some(mutant), ..self }
    }

    /// Runs what `seed` means here.
    pub fn run(&self, seed: u64) -> Outcome {
        simulate(Setting::draw(seed, self), Besides::Nothing)
    }

    /// The same, with a trace: [`Outcome::trace`].
    pub fn run_traced(&self, seed: u64) -> Outcome {
        simulate(Setting::draw(seed, self), Besides::Trace { replay: self.replay(seed) })
    }

    /// The same on disks that can fail, with the image of every crash point:
    /// [`Outcome::images`].
    pub fn run_crash_points(&self, seed: u64) -> Outcome {
        simulate(Setting { disks: true, ..Setting::draw(seed, self) }, Besides::CrashPoints)
    }

    /// The command that has `seed` again.
    pub fn replay(&self, seed: u64) -> String {
        let workload =
            if self.workload == WORKLOADS[0] { String::new() } else { format!(" --workload {}", self.workload.name) };
        format!("butterfly-check replay {seed} --nodes {} --profile {}{workload}", self.nodes.n(), self.profile.name)
    }
}
