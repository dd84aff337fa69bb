//! A node of the kernel, driven by its host.
//!
//! The kernel in here is unchanged. Around it stands what every host needs and
//! none should write again: signatures are checked before the kernel sees a
//! message, and only if it still listens to it; messages that come too early
//! wait; the inputs of stages are kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use butterfly_kernel::assignment::{LayerSet, Profile};
use butterfly_kernel::machine::Rejection;
use butterfly_kernel::types::{NodeId, Nonce, Position};
use butterfly_kernel::wire;
use ed25519_dalek::SigningKey;

use crate::Error;
use crate::desk::{Desks, Made, Unasked};
use crate::keys::Keys;
use crate::liar;
use crate::packed;
use crate::parking::Parking;
use crate::protocol::{
    Cluster, Envelope, KernelInput, KernelNode, KernelOutput, Record, Seat, SignedRequest, VerifiedEnvelope, encode,
    numbers,
};
use crate::roster::Roster;
use crate::surface::{Commit, Input, Output, Refusal, Status, Step};

/// One member of a cluster. It does no I/O and reads no clock: it is told what
/// happened, and says what is to be done.
#[derive(uniffi::Object)]
pub struct Node {
    inner: Mutex<Inner>,
}

struct Inner {
    cluster: Arc<Cluster>,
    me: NodeId,
    key: SigningKey,
    node: Box<KernelNode>,
    parking: Parking,
    desks: Desks,
}

#[uniffi::export]
impl Node {
    /// The member of `roster` whose keys these are. A voter begins from the
    /// record that `Roster.first_record` gave, once in its life, and after a
    /// restart from the last that it was asked to persist. Without a record it
    /// is a learner, which signs nothing until the cluster admits it again.
    #[uniffi::constructor]
    pub fn new(roster: Arc<Roster>, keys: Arc<Keys>, record: Option<Vec<u8>>) -> Result<Arc<Node>, Error> {
        let me = roster.place_of(&keys)?;
        let (cluster, key) = (Arc::clone(roster.cluster()), keys.identity().clone());
        let record = record.map(|record| wire::decode::<Record>(&record)).transpose()?;
        let seat = Seat { cluster: &cluster, me, key: &key };
        let node = KernelNode::new(&seat, record).map_err(|error| Error::Record { reason: error.to_string() })?;
        let node = Box::new(node);
        let inner = Inner { cluster, me, key, node, parking: Parking::default(), desks: Desks::default() };
        Ok(Arc::new(Node { inner: Mutex::new(inner) }))
    }

    /// Takes one input. The outputs are to be performed in their order, nothing
    /// behind a `Persist` before its record is durable.
    pub fn step(&self, input: Input) -> Result<Step, Error> {
        Ok(self.lock()?.step(input))
    }

    /// Takes a frame of inputs and gives the frame of their steps: the same as
    /// `step` for each, for a fraction of the cost. A frame that cannot be read
    /// changes nothing.
    pub fn step_packed(&self, frame: &[u8]) -> Result<Vec<u8>, Error> {
        let inputs = packed::inputs(frame)?;
        let mut inner = self.lock()?;
        let steps: Vec<Step> = inputs.into_iter().map(|input| inner.step(input)).collect();
        Ok(packed::steps(&steps))
    }

    /// Where the node is.
    pub fn status(&self) -> Result<Status, Error> {
        Ok(self.lock()?.status())
    }

    /// What must be durable, as it is now.
    pub fn record(&self) -> Result<Vec<u8>, Error> {
        Ok(encode(&self.lock()?.node.record()))
    }

    /// What a lying member would send in place of `message`, signed with this
    /// node's key: a wrong output, and an attestation that stands by it. Other
    /// kinds of message come back as they are. For tests and teaching: whoever
    /// sends it is blamed with proof.
    pub fn falsify(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let inner = self.lock()?;
        let envelope: Envelope = wire::decode(message)?;
        Ok(encode(&liar::falsify(&inner.seat(), &inner.node, envelope)))
    }
}

impl Node {
    fn lock(&self) -> Result<MutexGuard<'_, Inner>, Error> {
        self.inner.lock().map_err(|_| Error::Broken)
    }
}

impl Inner {
    fn seat(&self) -> Seat<'_> {
        Seat { cluster: &self.cluster, me: self.me, key: &self.key }
    }

    fn status(&self) -> Status {
        let (epoch, view) = (self.node.epoch(), self.node.agreement().view());
        Status {
            me: self.me.0,
            epoch: epoch.0,
            view: view.0,
            leader: self.cluster.leader(epoch, view).0,
            role: self.node.role().into(),
            doing: self.node.coordinator(&self.seat()).into(),
        }
    }

    fn step(&mut self, input: Input) -> Step {
        let mut outputs = Vec::new();
        let refusal = self.take(input, &mut outputs).err();
        Step { refusal, outputs }
    }

    fn take(&mut self, input: Input, outputs: &mut Vec<Output>) -> Result<(), Refusal> {
        let input = match input {
            Input::Start { nonce } => KernelInput::Start { nonce: Nonce(nonce.0) },
            Input::Receive { message } => {
                let message = self.verify(&message)?;
                let outcome = self.receive(message, outputs);
                self.receive_parked(outputs);
                return Ok(outcome?);
            }
            Input::Submit { request } => {
                let request: SignedRequest = wire::decode(&request)?;
                KernelInput::Submit(self.cluster.verify_submission(request)?)
            }
            Input::Computed { ticket, output } => match self.desks.computed(ticket, &output) {
                Ok(Some(input)) => input,
                Ok(None) => return Ok(()),
                Err(Unasked::Nobody) => return Err(Refusal::OtherRun),
                Err(Unasked::TooLong) => return Err(Refusal::Invalid),
            },
            Input::Timer { timer } => KernelInput::Timer(timer.into()),
            Input::Revise { speed, zone } => KernelInput::Revise(Profile { speed, zone, holds: LayerSet::ALL }),
        };
        let outcome = self.settle(input, outputs);
        self.receive_parked(outputs);
        Ok(outcome?)
    }

    /// A message whose signatures are good, if the node still listens to it.
    fn verify(&self, message: &[u8]) -> Result<Box<VerifiedEnvelope>, Refusal> {
        let envelope: Envelope = wire::decode(message)?;
        self.node.horizon().wants(&self.cluster, &envelope)?;
        Ok(Box::new(self.cluster.verify(envelope)?))
    }

    fn receive(&mut self, message: Box<VerifiedEnvelope>, outputs: &mut Vec<Output>) -> Result<(), Rejection> {
        let outcome = self.settle(KernelInput::Receive((*message).clone()), outputs);
        if let Err(Rejection::Early(place)) = outcome {
            let seat = Seat { cluster: &self.cluster, me: self.me, key: &self.key };
            self.parking.park(&seat, &self.node, place, message);
        }
        outcome
    }

    /// Messages whose time has come with the last step, until there are none.
    fn receive_parked(&mut self, outputs: &mut Vec<Output>) {
        while let Some(message) = self.parking.take_ready(&self.node) {
            // Its time has come, and may have gone.
            let _rejected = self.receive(message, outputs);
        }
    }

    /// Steps, and feeds back what is known here already.
    fn settle(&mut self, input: KernelInput, outputs: &mut Vec<Output>) -> Result<(), Rejection> {
        let mut known = VecDeque::new();
        let outcome = self.step_kernel(input, &mut known, outputs);
        while let Some(input) = known.pop_front() {
            // What is known may be late.
            let _rejected = self.step_kernel(input, &mut known, outputs);
        }
        outcome
    }

    fn step_kernel(
        &mut self,
        input: KernelInput,
        known: &mut VecDeque<KernelInput>,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Rejection> {
        let mut asked = Vec::new();
        let seat = Seat { cluster: &self.cluster, me: self.me, key: &self.key };
        let outcome = self.node.step(&seat, input, &mut |output| asked.push(output));
        let mut is_durable = false;
        for output in asked {
            match output {
                // One write serves every `Persist` of a step.
                KernelOutput::Persist if is_durable => {}
                KernelOutput::Persist => {
                    is_durable = true;
                    outputs.push(Output::Persist { record: encode(&self.node.record()) });
                }
                other => self.perform(other, known, outputs),
            }
        }
        outcome
    }

    fn perform(&mut self, output: KernelOutput, known: &mut VecDeque<KernelInput>, outputs: &mut Vec<Output>) {
        match output {
            // Performed by the caller; and no caches are kept for a restart.
            KernelOutput::Persist | KernelOutput::Checkpoint { .. } => {}
            // It stays in its cluster, which decides nothing more.
            KernelOutput::Changed => {}
            KernelOutput::Send { to, envelope, transmission } => outputs.push(Output::Send {
                to: numbers(to),
                message: encode(&envelope),
                transmission: transmission.into(),
            }),
            KernelOutput::SetTimer { timer, after } => {
                outputs.push(Output::SetTimer { timer: timer.into(), after: after.0 });
            }
            KernelOutput::Assign { .. } => {
                if let Some(run) = self.node.run() {
                    known.extend(self.desks.assign(&self.cluster, self.me, run));
                }
            }
            KernelOutput::Provide { stage, position, signal, .. } => {
                let work = self.desks.provide(stage, position, signal);
                outputs.extend(work.into_iter().map(|work| Output::Compute { work }));
            }
            KernelOutput::Restore { stage, position, signals, .. } => {
                for (at, signal) in (position.0..).map(Position).zip(signals) {
                    let work = self.desks.provide(stage, at, signal);
                    outputs.extend(work.into_iter().map(|work| Output::Compute { work }));
                }
            }
            KernelOutput::Supply { to, run, stage, position, source } => {
                let (history, work) = self.desks.supply(run, (stage, position), source);
                known.extend(history.map(|history| KernelInput::Supplied { to, history }));
                outputs.extend(work.into_iter().map(|work| Output::Compute { work }));
            }
            KernelOutput::Compute { stage, position, asker, .. } => match self.desks.compute(stage, position, asker) {
                Made::Known(input) => known.push_back(*input),
                Made::Asked(work) => outputs.push(Output::Compute { work }),
                Made::Nothing => {}
            },
            KernelOutput::Commit { epoch, path, view, tokens, notice } => {
                if let Some(run) = self.node.run() {
                    self.desks.follow(run);
                }
                let decided = self.node.head().decided().filter(|decided| decided.header.epoch == epoch);
                outputs.push(Output::Commit {
                    commit: Commit {
                        epoch: epoch.0,
                        view: view.0,
                        path: path.into(),
                        tokens: tokens.to_vec(),
                        notice: notice.map(|(member, _)| member.0),
                        decided: decided.map(encode).unwrap_or_default(),
                    },
                });
            }
            KernelOutput::Evidence(evidence) => outputs.push(Output::Evidence {
                accused: evidence.accused.0,
                fault: (&evidence.fault).into(),
                evidence: encode(&evidence),
            }),
            KernelOutput::Blocked(blockade) => {
                outputs.push(Output::Blocked { silent: numbers(blockade.silent), learners: numbers(blockade.learners) })
            }
            KernelOutput::Resumed => outputs.push(Output::Resumed),
            KernelOutput::EnterView { epoch, view } => {
                outputs.push(Output::EnterView { epoch: epoch.0, view: view.0 });
            }
        }
    }
}
