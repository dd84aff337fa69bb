//! Traces for a collector: one span for each epoch that a node decided, with
//! what the node was doing meanwhile below it.
//!
//! The trace's id follows from the cluster and the epoch, so what all nodes
//! tell of one epoch is one trace, and nobody has to pass anything on. The span
//! of the member that led the first view is the root; those of the others are
//! below it. Phases have the names of the [coordinator's
//! states](butterfly_kernel::node::Coordinator).
//!
//! The format is OTLP over HTTP, as JSON. That is a document and a request,
//! for which the libraries would bring a dozen packages and a code generator.

mod collector;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::node::Coordinator;
use butterfly_kernel::types::{Epoch, NodeId, View};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::protocol::{Cluster, path_name};
use crate::trace;
pub(crate) use collector::Collector;

/// Kept for one epoch; more turns than that are not told.
pub(crate) const PHASES: usize = 32;
/// Of OTLP: a span inside a process.
const INTERNAL: u8 = 1;

/// What a node was doing for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Phase {
    pub(crate) doing: Coordinator,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
}

/// A decided epoch, as one node saw it.
#[derive(Clone, Debug)]
pub(crate) struct EpochSpan {
    pub(crate) epoch: Epoch,
    pub(crate) view: View,
    pub(crate) path: Path,
    pub(crate) tokens: usize,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    pub(crate) phases: Vec<Phase>,
}

/// Who tells, and what its clock says.
struct Teller {
    cluster: String,
    node: NodeId,
    /// The same moment on both clocks.
    monotonic: Instant,
    since_epoch: Duration,
    leader: Box<dyn Fn(Epoch) -> NodeId + Send + Sync>,
}

impl Teller {
    fn new(cluster: &std::sync::Arc<Cluster>, node: NodeId) -> Teller {
        let roster = std::sync::Arc::clone(cluster);
        Teller {
            cluster: cluster.id().to_string(),
            node,
            monotonic: Instant::now(),
            since_epoch: trace::now(),
            leader: Box::new(move |epoch| roster.leader(epoch, View::ZERO)),
        }
    }

    /// What a collector is sent of `epochs`.
    fn document(&self, epochs: &[EpochSpan]) -> Value {
        let spans: Vec<Value> = epochs.iter().flat_map(|epoch| self.spans(epoch)).collect();
        let resource = [
            text("service.name", "butterfly"),
            text("service.version", env!("CARGO_PKG_VERSION")),
            text("service.instance.id", &format!("{}/{}", self.cluster, self.node.0)),
            text("cluster", &self.cluster),
            number("node", u64::from(self.node.0)),
        ];
        let scoped = json!({ "scope": { "name": "butterfly" }, "spans": spans });
        json!({ "resourceSpans": [{ "resource": { "attributes": resource }, "scopeSpans": [scoped] }] })
    }

    fn spans(&self, span: &EpochSpan) -> Vec<Value> {
        let trace = self.trace_id(span.epoch);
        let own = span_id(&trace, self.node, 0);
        let leader = (self.leader)(span.epoch);
        let mut epoch = json!({
            "traceId": trace,
            "spanId": own,
            "name": "epoch",
            "kind": INTERNAL,
            "startTimeUnixNano": self.nanoseconds(span.began),
            "endTimeUnixNano": self.nanoseconds(span.ended),
            "attributes": [
                number("node", u64::from(self.node.0)),
                number("epoch", span.epoch.0),
                number("view", u64::from(span.view.0)),
                text("path", path_name(span.path)),
                number("tokens", span.tokens as u64),
            ],
        });
        if leader != self.node {
            epoch["parentSpanId"] = span_id(&trace, leader, 0).into();
        }
        let phases = (1..).zip(&span.phases).map(|(place, phase)| {
            json!({
                "traceId": trace,
                "spanId": span_id(&trace, self.node, place),
                "parentSpanId": own,
                "name": phase.doing.name(),
                "kind": INTERNAL,
                "startTimeUnixNano": self.nanoseconds(phase.began),
                "endTimeUnixNano": self.nanoseconds(phase.ended),
                "attributes": [number("node", u64::from(self.node.0)), number("epoch", span.epoch.0)],
            })
        });
        [epoch].into_iter().chain(phases).collect()
    }

    fn trace_id(&self, epoch: Epoch) -> String {
        let digest =
            Sha256::new().chain_update(b"BFLYTRCE").chain_update(&self.cluster).chain_update(epoch.0.to_le_bytes());
        hex::encode(digest.finalize().first_chunk::<16>().unwrap_or(&[1; 16]))
    }

    /// As OTLP writes times: digits in a text.
    fn nanoseconds(&self, at: Instant) -> String {
        let since = at.saturating_duration_since(self.monotonic);
        let before = self.monotonic.saturating_duration_since(at);
        (self.since_epoch + since).saturating_sub(before).as_nanos().to_string()
    }
}

/// Of the epoch as `node` saw it, and of the phases below from 1 on.
fn span_id(trace: &str, node: NodeId, place: u8) -> String {
    let digest = Sha256::new().chain_update(trace).chain_update([node.0, place]).finalize();
    hex::encode(digest.first_chunk::<8>().unwrap_or(&[1; 8]))
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn number(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}
