//! A whole cluster in virtual time: real nodes, keys and signatures, a network
//! that delays and loses. The same plan and seed give the same run, so a test
//! or a lesson takes a few lines and no time.

mod world;

use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use crate::Error;
use crate::roster::{Model, Roster};
use crate::surface::{Commit, Fault, Sampling, Work};
use world::World;

/// What stages compute, in the language of the host.
#[uniffi::export(callback_interface)]
pub trait StageFunctions: Send + Sync {
    /// What comes out of a stage of `member`. One that fails says nothing, and
    /// its fellows make up for it.
    fn run(&self, member: u8, work: Work) -> Result<Vec<u8>, Error>;
}

/// What is simulated.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Plan {
    /// Members, all of which vote, 1 to 16.
    pub members: u8,
    /// What they run.
    pub model: Model,
    /// Two runs of one plan with one seed are the same.
    #[uniffi(default = 0)]
    pub seed: u64,
    /// Of 1000 messages, so many are lost.
    #[uniffi(default = 0)]
    pub loss: u16,
    /// Microseconds that a message takes at least.
    #[uniffi(default = 100)]
    pub least_delay: u32,
    /// Microseconds that a message takes at most.
    #[uniffi(default = 200)]
    pub most_delay: u32,
    /// Members that say wrong things about what they computed.
    pub liars: Vec<u8>,
    /// Members that say nothing.
    pub silent: Vec<u8>,
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Sent {
    /// Microseconds from the beginning.
    pub at: u64,
    /// When it arrives; never, if it is lost.
    pub arrives: Option<u64>,
    /// Who sends it.
    pub sender: u8,
    /// To whom.
    pub receiver: u8,
    /// Its kind, as `read_message` names it.
    pub kind: String,
    /// How long it is.
    pub bytes: u32,
}

/// A decision of one member.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Decision {
    /// Microseconds from the beginning.
    pub at: u64,
    /// Whose.
    pub member: u8,
    /// What was decided.
    pub commit: Commit,
}

/// Whom an honest member blames, with what proves it.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Blame {
    /// Who is to blame.
    pub accused: u8,
    /// For what.
    pub fault: Fault,
    /// The proof: `Roster.verify_evidence`.
    pub evidence: Vec<u8>,
}

/// What happened.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Report {
    /// Microseconds from the beginning.
    pub now: u64,
    /// The answer to the last request, as far as it is committed.
    pub tokens: Vec<u8>,
    /// What proves it.
    pub proof: Option<Vec<u8>>,
    /// Each decision of each honest member, in order.
    pub decisions: Vec<Decision>,
    /// The first proof of each kind against each member.
    pub blamed: Vec<Blame>,
    /// Messages, in the order in which they were sent.
    pub sent: Vec<Sent>,
    /// Stages that failed, by member, and what they said.
    pub failures: Vec<String>,
}

/// A cluster in virtual time.
#[derive(uniffi::Object)]
pub struct Simulation {
    world: Mutex<World>,
}

#[uniffi::export]
impl Simulation {
    /// A cluster that has just begun. `stages` runs its stages.
    #[uniffi::constructor]
    pub fn new(plan: Plan, stages: Box<dyn StageFunctions>) -> Result<Arc<Simulation>, Error> {
        Ok(Arc::new(Simulation { world: Mutex::new(World::new(plan, stages)?) }))
    }

    /// The cluster's roster.
    pub fn roster(&self) -> Result<Arc<Roster>, Error> {
        Ok(self.lock()?.roster())
    }

    /// The client hands in its next request. One must be finished before.
    #[uniffi::method(default(sampling = None))]
    pub fn submit(&self, prompt: Vec<u8>, tokens: u16, sampling: Option<Sampling>) -> Result<(), Error> {
        self.lock()?.submit(prompt, tokens, sampling.unwrap_or(Sampling::Greedy))
    }

    /// Lets time pass until the answer is complete at every member that is to
    /// be believed, or for so many milliseconds. Says whether it is complete.
    pub fn run(&self, milliseconds: u32) -> Result<bool, Error> {
        self.lock()?.run(u64::from(milliseconds).saturating_mul(1_000))
    }

    /// A member ends, in the middle of whatever it does.
    pub fn crash(&self, member: u8) -> Result<(), Error> {
        self.lock()?.crash(member)
    }

    /// A member that ended begins again, from what it was asked to persist.
    pub fn restart(&self, member: u8) -> Result<(), Error> {
        self.lock()?.restart(member)
    }

    /// What happened so far.
    pub fn report(&self) -> Result<Report, Error> {
        Ok(self.lock()?.report())
    }
}

impl Simulation {
    /// Stages are run while a call is under way, so one of them could wait for
    /// itself: it is told instead.
    fn lock(&self) -> Result<MutexGuard<'_, World>, Error> {
        self.world.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::Busy,
            TryLockError::Poisoned(_) => Error::Broken,
        })
    }
}
