//! Nodes in the midst of their work, and what must hold whatever they are told.

use std::cell::RefCell;

use butterfly_kernel::machine::{Input, Output};
use butterfly_kernel::types::NodeId;
use butterfly_kernel::wire;

use crate::pocket::Pocket;
use crate::rehearsal::{Moment, cluster, play, seat};
use crate::{Cluster, Node, Record, VOTERS};

/// Larger than any record of the pocket world.
const RECORD: usize = 1 << 14;

/// The cluster and its members, each at one moment.
pub struct Audience {
    cluster: Cluster,
    moments: Vec<Moment>,
    /// A copy of each, to be told things.
    listeners: Vec<Node>,
}

thread_local! {
    static AUDIENCE: RefCell<Audience> = RefCell::new(Audience::gather());
}

/// Does something with the audience of this thread.
pub fn with_audience<T>(act: impl FnOnce(&mut Audience) -> T) -> T {
    AUDIENCE.with_borrow_mut(act)
}

impl Audience {
    fn gather() -> Audience {
        let moments = play().moments;
        let listeners = moments.iter().map(|moment| moment.node.clone()).collect();
        Audience { cluster: cluster(), moments, listeners }
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Gives `input` to everybody, and tells the moments in which it was taken.
    ///
    /// # Panics
    /// When something happens that must not.
    pub fn tell(&mut self, input: &Input<Pocket, VOTERS>) -> Vec<&'static str> {
        let mut taken = Vec::new();
        for (moment, listener) in self.moments.iter().zip(&mut self.listeners) {
            let step = step(&self.cluster, &moment.me, listener, input.clone());
            hold_to_account(&self.cluster, moment.me, step.outputs);
            if step.taken {
                taken.push(moment.name);
                listener.clone_from(&moment.node);
            } else {
                assert!(*listener == moment.node, "{}: what it refused has changed it: {input:?}", moment.name);
            }
        }
        taken
    }
}

/// What a node did in a step.
pub struct Step {
    /// Whether it took the input.
    pub taken: bool,
    /// What it asked of its host.
    pub outputs: Vec<Output<Pocket, VOTERS>>,
}

/// One step of `node`, and what must hold of any node, even one that began
/// from a record that somebody made up: a refusal does nothing but show
/// evidence, and what is written down can be read back.
pub fn step(cluster: &Cluster, me: &NodeId, node: &mut Node, input: Input<Pocket, VOTERS>) -> Step {
    let seat = seat(cluster, me);
    let mut outputs = Vec::new();
    let taken = node.step(&seat, input, &mut |output| outputs.push(output));
    let mut acts = outputs.iter().filter(|output| !matches!(output, Output::Evidence(_)));
    assert!(taken.is_ok() || acts.next().is_none(), "what was refused had effects: {taken:?}");
    if outputs.contains(&Output::Persist) {
        let mut buffer = [0; RECORD];
        let bytes = wire::encode(&node.record(), &mut buffer).expect("there is room");
        let record = wire::decode::<Record>(bytes).expect("what is written down can be read");
        assert!(Node::new(&seat, Some(record)).is_ok(), "what is written down is genuine");
    }
    Step { taken: taken.is_ok(), outputs }
}

/// What must hold of a node with a past: it sends what others believe, to
/// others, and its evidence convinces them.
fn hold_to_account(cluster: &Cluster, me: NodeId, outputs: Vec<Output<Pocket, VOTERS>>) {
    for output in outputs {
        match output {
            Output::Evidence(evidence) => {
                assert_eq!(evidence.verify(cluster), Ok(()), "evidence that proves nothing: {evidence:?}");
            }
            Output::Send { to, envelope, .. } => {
                assert!(!to.contains(me) && !to.is_empty(), "{me:?} sends to {to:?}");
                let sent = cluster.verify(envelope);
                assert!(sent.is_ok(), "{me:?} sends what is not genuine: {sent:?}");
            }
            _ => {}
        }
    }
}
