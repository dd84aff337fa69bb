//! What a demonstration is asked to do, checked before anything is started.

use std::path::PathBuf;

use anyhow::Result;
use butterfly_kernel::types::{MAX_TOKENS_PER_EPOCH, NodeId, NodeSet, Resilience, ResilienceError};
use thiserror::Error;

use crate::device::is_device;
use crate::faults::{Fault, FaultKind, Misbehaviour, Severity};
use crate::model::prompt_of;
use crate::provision::resilience;

/// What somebody asks for, unchecked.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// Processes.
    pub nodes: usize,
    /// f; none: as many as the nodes allow.
    pub faults_tolerated: Option<usize>,
    /// p; none: as many as the nodes allow, at most f.
    pub fast_path_faults: Option<usize>,
    /// Tokens to add.
    pub tokens: usize,
    /// Tokens that one epoch commits.
    pub tokens_per_epoch: usize,
    /// What to continue.
    pub prompt: String,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// Where to write the proof.
    pub proof: Option<PathBuf>,
    /// Where to write evidence.
    pub evidence: Option<PathBuf>,
    /// Where to write the trace.
    pub trace: Option<PathBuf>,
    /// The first of the nodes' ports; none: any free ones.
    pub base_port: Option<u16>,
    /// Milliseconds that the first view of an epoch may take.
    pub view_timeout: u32,
    /// How many of the nodes are firmware in an emulator.
    pub firmware: usize,
    /// The firmware.
    pub firmware_image: PathBuf,
}

/// What will be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// n, f and p.
    pub resilience: Resilience,
    /// The tokens to continue.
    pub prompt: Vec<u8>,
    /// Tokens to add.
    pub tokens: u16,
    /// Tokens that one epoch commits.
    pub tokens_per_epoch: u8,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// Where to write the proof.
    pub proof: Option<PathBuf>,
    /// Where to write evidence.
    pub evidence: Option<PathBuf>,
    /// Where to write the trace.
    pub trace: Option<PathBuf>,
    /// The first of the nodes' ports; none: any free ones.
    pub base_port: Option<u16>,
    /// Milliseconds that the first view of an epoch may take.
    pub view_timeout: u32,
    /// How many of the nodes are firmware in an emulator: the last ones.
    pub firmware: usize,
    /// The firmware.
    pub firmware_image: PathBuf,
}

/// A first view may take this long at least where firmware takes part: an
/// emulator is some hundred times slower than the processor it runs on.
const PATIENCE_WITH_FIRMWARE: u32 = 8_000;
/// Members that the firmware is built for.
const FIRMWARE_MEMBERS: usize = 4;

/// Why it cannot be done.
#[derive(Debug, Error)]
pub enum PlanError {
    /// The cluster cannot be that small, or that large.
    #[error("{0}; add --nodes, or ask for less with --faults-tolerated and --fast-path-faults")]
    Resilience(#[from] ResilienceError),
    /// The prompt is not one for the model.
    #[error("{0:#}")]
    Prompt(anyhow::Error),
    /// An epoch cannot have that many tokens.
    #[error("an epoch commits 1 to {MAX_TOKENS_PER_EPOCH} tokens, not {0}; change --tokens-per-epoch")]
    TokensPerEpoch(usize),
    /// A fault is for a node that does not exist.
    #[error("there is no node {node} for the fault {fault}; with --nodes {nodes} they are 0 to {}", nodes - 1)]
    NoSuchNode {
        /// The node.
        node: u8,
        /// The fault.
        fault: Fault,
        /// How many there are.
        nodes: usize,
    },
    /// A node has two faults.
    #[error("node {0} is given two faults; give each node at most one")]
    TwoFaults(u8),
    /// A fault would begin after the last epoch.
    #[error("the fault {fault} begins after the last epoch, which is {last}; choose an earlier one or more --tokens")]
    TooLate {
        /// The fault.
        fault: Fault,
        /// The last epoch.
        last: u64,
    },
    /// There are more devices than the request can do without.
    #[error(
        "at most {most} of {nodes} nodes can be firmware, not {firmware}: the request is handed to the others, \
         and the image is for {FIRMWARE_MEMBERS} members"
    )]
    Firmware {
        /// How many were asked for.
        firmware: usize,
        /// How many can be.
        most: usize,
        /// How many nodes there are.
        nodes: usize,
    },
    /// A fault is for a node that is firmware.
    #[error("node {0} is firmware, which no fault is made for; choose another node for it")]
    FirmwareFault(u8),
    /// There are not enough ports.
    #[error("there are no {nodes} ports from {base} on; choose a lower --base-port")]
    Ports {
        /// The first.
        base: u16,
        /// How many.
        nodes: usize,
    },
}

impl Plan {
    /// Checks what is asked for.
    ///
    /// # Errors
    /// Says what cannot be, and what would do.
    pub fn new(wishes: Wishes) -> Result<Plan, PlanError> {
        let resilience = resilience(wishes.nodes, wishes.faults_tolerated, wishes.fast_path_faults)?;
        let prompt = prompt_of(&wishes.prompt, wishes.tokens).map_err(PlanError::Prompt)?;
        let tokens = u16::try_from(wishes.tokens).map_err(|error| PlanError::Prompt(error.into()))?;
        let per_epoch = u8::try_from(wishes.tokens_per_epoch).ok();
        let within = |count: &u8| (1..=MAX_TOKENS_PER_EPOCH).contains(&usize::from(*count));
        let tokens_per_epoch = per_epoch.filter(within).ok_or(PlanError::TokensPerEpoch(wishes.tokens_per_epoch))?;
        let plan = Plan {
            resilience,
            prompt,
            tokens,
            tokens_per_epoch,
            faults: wishes.faults,
            proof: wishes.proof,
            evidence: wishes.evidence,
            trace: wishes.trace,
            base_port: wishes.base_port,
            view_timeout: if wishes.firmware > 0 {
                wishes.view_timeout.max(PATIENCE_WITH_FIRMWARE)
            } else {
                wishes.view_timeout
            },
            firmware: wishes.firmware,
            firmware_image: wishes.firmware_image,
        };
        plan.check_faults()?;
        plan.check_firmware()?;
        plan.check_ports()?;
        Ok(plan)
    }

    /// How many epochs the request takes.
    pub fn epochs(&self) -> u64 {
        u64::from(self.tokens).div_ceil(u64::from(self.tokens_per_epoch))
    }

    /// The port of a node; 0 for any free one.
    pub fn port(&self, node: NodeId) -> u16 {
        self.base_port.map_or(0, |base| base.saturating_add(u16::from(node.0)))
    }

    /// How a node is to misbehave, and from which epoch on.
    pub fn misbehaviour(&self, node: NodeId) -> Option<(Misbehaviour, u64)> {
        self.faults.iter().find_map(|fault| match fault.kind {
            FaultKind::Node(misbehaviour) if fault.node == node => Some((misbehaviour, fault.epoch.0)),
            _ => None,
        })
    }

    /// Nodes that may say anything at some time.
    pub fn byzantine(&self) -> NodeSet {
        let byzantine = self.faults.iter().filter(|fault| fault.kind.severity() == Severity::Byzantine);
        byzantine.map(|fault| fault.node).collect()
    }

    /// Whether `node` is firmware.
    pub fn is_firmware(&self, node: NodeId) -> bool {
        is_device(node, self.resilience.n(), self.firmware)
    }

    fn check_firmware(&self) -> Result<(), PlanError> {
        let (nodes, asked) = (self.resilience.n(), self.resilience.f() + 1);
        let most = if nodes > FIRMWARE_MEMBERS { 0 } else { nodes.saturating_sub(asked) };
        if self.firmware > most {
            return Err(PlanError::Firmware { firmware: self.firmware, most, nodes });
        }
        match self.faults.iter().find(|fault| self.is_firmware(fault.node)) {
            Some(fault) => Err(PlanError::FirmwareFault(fault.node.0)),
            None => Ok(()),
        }
    }

    fn check_faults(&self) -> Result<(), PlanError> {
        let (nodes, last) = (self.resilience.n(), self.epochs());
        for (at, fault) in self.faults.iter().enumerate() {
            if fault.node.index() >= nodes {
                return Err(PlanError::NoSuchNode { node: fault.node.0, fault: *fault, nodes });
            }
            if self.faults.iter().take(at).any(|other| other.node == fault.node) {
                return Err(PlanError::TwoFaults(fault.node.0));
            }
            if fault.epoch.0 > last {
                return Err(PlanError::TooLate { fault: *fault, last });
            }
        }
        Ok(())
    }

    fn check_ports(&self) -> Result<(), PlanError> {
        let nodes = self.resilience.n();
        match self.base_port {
            Some(base) if base == 0 || usize::from(base) + nodes > usize::from(u16::MAX) + 1 => {
                Err(PlanError::Ports { base, nodes })
            }
            _ => Ok(()),
        }
    }
}
