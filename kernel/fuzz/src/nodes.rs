//! Nodes in the midst of their work, and what must hold whatever they are told.

use std::cell::RefCell;

use butterfly_kernel::machine::{Input, Output};
use butterfly_kernel::types::NodeId;
use butterfly_kernel::wire;

use crate::pocket::Pocket;
use crate::rehearsal::{Moment, Notes, play};
use crate::scene::seat;
use crate::{Cluster, Node, Record, VOTERS};

/// Larger than any record of the pocket world.
const RECORD: usize = 1 << 14;

/// The clusters and their members, each at one moment.
pub struct Audience {
    clusters: Vec<Cluster>,
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
        let Notes { clusters, moments, .. } = play();
        let listeners = moments.iter().map(|moment| moment.node.clone()).collect();
        Audience { clusters, moments, listeners }
    }

    /// The first cluster, and those that it became.
    pub fn clusters(&self) -> &[Cluster] {
        &self.clusters
    }

    /// The first cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.clusters[0]
    }

    /// Gives everybody what `input` makes for a cluster, and tells the moments
    /// in which it was taken.
    ///
    /// # Panics
    /// When something happens that must not.
    pub fn tell(&mut self, input: impl Fn(&Cluster) -> Option<Input<Pocket, VOTERS>>) -> Vec<&'static str> {
        let inputs: Vec<_> = self.clusters.iter().map(input).collect();
        let mut taken = Vec::new();
        for (moment, listener) in self.moments.iter().zip(&mut self.listeners) {
            let (cluster, Some(input)) = (&self.clusters[moment.changes], &inputs[moment.changes]) else { continue };
            let step = step(cluster, moment.me, listener, input.clone());
            hold_to_account(cluster, moment.me, step.outputs);
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
pub fn step(cluster: &Cluster, me: NodeId, node: &mut Node, input: Input<Pocket, VOTERS>) -> Step {
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
