//! Between the kernel's types and those of the surface.

use butterfly_kernel::crypto::{Scheme, ed25519};
use butterfly_kernel::message::{Forged, agreement, inference};
use butterfly_kernel::node::{Coordinator, Role as KernelRole};
use butterfly_kernel::wire::WireError;
use butterfly_kernel::{machine, proof, types};

use super::{Digest, Doing, Fault, Path, Refusal, Role, Sampling, Timer, Transmission};

impl From<Digest> for ed25519::Digest {
    fn from(digest: Digest) -> Self {
        ed25519::Digest(digest.0)
    }
}

impl From<ed25519::Digest> for Digest {
    fn from(digest: ed25519::Digest) -> Self {
        Digest(digest.0)
    }
}

impl From<machine::Timer> for Timer {
    fn from(timer: machine::Timer) -> Timer {
        match timer {
            machine::Timer::View { epoch, view } => Timer::View { epoch: epoch.0, view: view.0 },
            machine::Timer::Retransmit => Timer::Retransmit,
            machine::Timer::Escalate { epoch, stage } => Timer::Escalate { epoch: epoch.0, stage: stage.0 },
        }
    }
}

impl From<Timer> for machine::Timer {
    fn from(timer: Timer) -> machine::Timer {
        match timer {
            Timer::View { epoch, view } => machine::Timer::View { epoch: types::Epoch(epoch), view: types::View(view) },
            Timer::Retransmit => machine::Timer::Retransmit,
            Timer::Escalate { epoch, stage } => {
                machine::Timer::Escalate { epoch: types::Epoch(epoch), stage: types::Stage(stage) }
            }
        }
    }
}

impl From<inference::Sampling> for Sampling {
    fn from(sampling: inference::Sampling) -> Sampling {
        match sampling {
            inference::Sampling::Greedy => Sampling::Greedy,
            inference::Sampling::Seeded { seed, temperature } => Sampling::Seeded { seed, temperature },
        }
    }
}

impl From<Sampling> for inference::Sampling {
    fn from(sampling: Sampling) -> inference::Sampling {
        match sampling {
            Sampling::Greedy => inference::Sampling::Greedy,
            Sampling::Seeded { seed, temperature } => inference::Sampling::Seeded { seed, temperature },
        }
    }
}

impl From<agreement::Path> for Path {
    fn from(path: agreement::Path) -> Path {
        match path {
            agreement::Path::Fast => Path::Fast,
            agreement::Path::Slow => Path::Slow,
        }
    }
}

impl From<machine::Transmission> for Transmission {
    fn from(transmission: machine::Transmission) -> Transmission {
        match transmission {
            machine::Transmission::First => Transmission::First,
            machine::Transmission::Again => Transmission::Again,
        }
    }
}

impl<C: Scheme> From<&proof::Fault<C>> for Fault {
    fn from(fault: &proof::Fault<C>) -> Fault {
        match fault {
            proof::Fault::Proposals { .. } => Fault::Proposals,
            proof::Fault::Votes { .. } => Fault::Votes,
            proof::Fault::Commits { .. } => Fault::Commits,
            proof::Fault::ViewChanges { .. } => Fault::ViewChanges,
            proof::Fault::Attestation { .. } => Fault::Attestation,
        }
    }
}

impl From<machine::Rejection> for Refusal {
    fn from(rejection: machine::Rejection) -> Refusal {
        match rejection {
            machine::Rejection::Early(_) => Refusal::Early,
            machine::Rejection::Stale => Refusal::Stale,
            machine::Rejection::Duplicate => Refusal::Duplicate,
            machine::Rejection::Unauthorised => Refusal::Unauthorised,
            machine::Rejection::Invalid => Refusal::Invalid,
            machine::Rejection::OtherRun => Refusal::OtherRun,
            machine::Rejection::Full => Refusal::Full,
        }
    }
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Refusal {
        match error {
            // Reading needs no room.
            WireError::Malformed | WireError::NoRoom => Refusal::Malformed,
            WireError::TrailingBytes => Refusal::TrailingBytes,
            WireError::NotCanonical => Refusal::NotCanonical,
        }
    }
}

impl From<Forged> for Refusal {
    fn from(forged: Forged) -> Refusal {
        match forged {
            Forged::Stranger => Refusal::Stranger,
            Forged::Signature => Refusal::Signature,
            Forged::Certificate => Refusal::Certificate,
        }
    }
}

impl From<KernelRole> for Role {
    fn from(role: KernelRole) -> Role {
        match role {
            KernelRole::Replica => Role::Replica,
            KernelRole::Learner => Role::Learner,
            KernelRole::Worker => Role::Worker,
        }
    }
}

impl From<Coordinator> for Doing {
    fn from(doing: Coordinator) -> Doing {
        match doing {
            Coordinator::Initializing => Doing::Initializing,
            Coordinator::Ready => Doing::Ready,
            Coordinator::Computing => Doing::Computing,
            Coordinator::Aggregating => Doing::Aggregating,
            Coordinator::Committing => Doing::Committing,
            Coordinator::Degraded => Doing::Degraded,
            Coordinator::Recovering => Doing::Recovering,
            Coordinator::Failed => Doing::Failed,
        }
    }
}
