//! What a node's host sees, as metrics: the one place where a kernel's output,
//! a rejection or an event of the transport becomes a number.
//!
//! | metric | what it says |
//! | --- | --- |
//! | `butterfly_build_info` | the version of this program |
//! | `butterfly_epoch`, `butterfly_view` | where the node is |
//! | `butterfly_voters`, `butterfly_faults_tolerated`, `butterfly_quorum` | what the roster says: n, f, n - f |
//! | `butterfly_coordinator_state` | 1 for what the node is doing, 0 for every other `state` |
//! | `butterfly_blocked` | 1 while it finds that no epoch can be decided |
//! | `butterfly_commit_latency_seconds` | from the commit before, or from the request's arrival, to a commit of tokens: until it is durable, and can be told |
//! | `butterfly_agreement_latency_seconds` | of epochs that this node led: from its proposal to the commit, until that is durable |
//! | `butterfly_epochs_total` | epochs that it decided or caught up with, by the `path` of their certificates |
//! | `butterfly_tokens_total` | tokens that they added; none where it caught up |
//! | `butterfly_view_changes_total` | how often it left for a later view |
//! | `butterfly_rejections_total` | inputs that changed nothing, by `reason` |
//! | `butterfly_messages_sent_total` | by `kind` and `transmission`; to three peers it is three |
//! | `butterfly_sent_bytes_total` | of those, before they are sealed |
//! | `butterfly_messages_received_total`, `butterfly_received_bytes_total` | by `kind`, whatever becomes of them |
//! | `butterfly_messages_unread_total` | of those, by `kind`, what could not matter any more |
//! | `butterfly_messages_dropped_total` | frames for which the queue towards `peer` had no room |
//! | `butterfly_peer_connected` | 1 while there is a session that we dialled with `peer` |
//! | `butterfly_sessions` | open sessions that others dialled, by `party` |
//! | `butterfly_sessions_opened_total` | how many of those there have been |
//! | `butterfly_handshakes_failed_total` | connections that never became one |
//! | `butterfly_evidence_total` | proofs that the node holds against `accused`, one for each fault |
//! | `butterfly_epochs_untraced_total` | epochs that the collector of traces did not take |
//! | `butterfly_record_flush_seconds` | what it takes until the vote record is durable |
//!
//! Units are seconds and bytes. Every label has few values: of enumerations of
//! the kernel, or members of the roster. Each series is there from the start,
//! so that an increase from nothing is seen. Times are the host's, monotonic;
//! the kernel has none. Counting is a look-up and an atomic addition.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::Result;
use butterfly_kernel::machine::{Rejection, Transmission};
use butterfly_kernel::message::Kind;
use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::node::Coordinator;
use butterfly_kernel::types::{Epoch, NodeId, View};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::protocol::{Cluster, path_name};
use crate::transport::Who;

/// Half a millisecond to 16 s.
const LATENCIES: (f64, u16) = (0.000_5, 16);
/// 20 microseconds to 2.6 s.
const FLUSHES: (f64, u16) = (0.000_02, 18);

const REASONS: [&str; 7] = ["early", "stale", "duplicate", "unauthorised", "invalid", "other_run", "full"];
const TRANSMISSIONS: [Transmission; 2] = [Transmission::First, Transmission::Again];
/// Those of the roster, and in the end whoever applies with a token.
const PARTIES: [&str; 4] = ["member", "client", "operator", "newcomer"];

/// Shared by everything in a process that sees something.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    epoch: Gauge<u64, AtomicU64>,
    view: Gauge<u64, AtomicU64>,
    coordinator: Family<OfState, Gauge>,
    blocked: Gauge,
    latency: Histogram,
    agreement: Histogram,
    epochs: Family<OfPath, Counter>,
    tokens: Counter,
    view_changes: Counter,
    rejections: Family<OfReason, Counter>,
    sent: Family<OfTransmission, Counter>,
    sent_bytes: Family<OfKind, Counter>,
    received: Family<OfKind, Counter>,
    received_bytes: Family<OfKind, Counter>,
    unread: Family<OfKind, Counter>,
    dropped: Family<OfPeer, Counter>,
    connected: Family<OfPeer, Gauge>,
    sessions: Family<OfParty, Gauge>,
    sessions_ever: Family<OfParty, Counter>,
    handshakes_failed: Counter,
    untraced: Counter,
    evidence: Family<OfAccused, Counter>,
    flushes: Histogram,
}

/// A gauge that is higher by one until this is dropped.
#[derive(Debug)]
pub struct Present(Gauge);

impl Present {
    fn new(gauge: &Gauge) -> Present {
        gauge.inc();
        Present(gauge.clone())
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// All at nothing, for member `me` of `cluster`.
    pub fn new(cluster: &Cluster, me: NodeId) -> Metrics {
        let mut registry = Registry::with_prefix("butterfly");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version of this program", build);
        for (name, help, value) in [
            ("voters", "Members that vote", cluster.resilience().n()),
            ("faults_tolerated", "Voters that may be faulty in any way", cluster.resilience().f()),
            ("quorum", "Voters without which nothing is decided", cluster.resilience().view_change_quorum()),
        ] {
            let gauge: Gauge = Gauge::default();
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            registry.register(name, help, gauge);
        }
        let mut metrics = Metrics {
            registry: Arc::default(),
            epoch: Gauge::default(),
            view: Gauge::default(),
            coordinator: Family::default(),
            blocked: Gauge::default(),
            latency: Histogram::new(exponential_buckets(LATENCIES.0, 2.0, LATENCIES.1)),
            agreement: Histogram::new(exponential_buckets(LATENCIES.0, 2.0, LATENCIES.1)),
            epochs: Family::default(),
            tokens: Counter::default(),
            view_changes: Counter::default(),
            rejections: Family::default(),
            sent: Family::default(),
            sent_bytes: Family::default(),
            received: Family::default(),
            received_bytes: Family::default(),
            unread: Family::default(),
            dropped: Family::default(),
            connected: Family::default(),
            sessions: Family::default(),
            sessions_ever: Family::default(),
            handshakes_failed: Counter::default(),
            untraced: Counter::default(),
            evidence: Family::default(),
            flushes: Histogram::new(exponential_buckets(FLUSHES.0, 2.0, FLUSHES.1)),
        };
        metrics.register_protocol(&mut registry);
        metrics.register_transport(&mut registry);
        metrics.registry = Arc::new(registry);
        metrics.begin_every_series(cluster, me);
        metrics
    }

    fn register_protocol(&self, registry: &mut Registry) {
        registry.register("epoch", "The open epoch", self.epoch.clone());
        registry.register("view", "The view in the open epoch", self.view.clone());
        registry.register("coordinator_state", "What the node is doing", self.coordinator.clone());
        registry.register("blocked", "Whether no epoch can be decided", self.blocked.clone());
        let help = "From the commit before, or the request's arrival, to a commit of tokens";
        registry.register_with_unit("commit_latency", help, Unit::Seconds, self.latency.clone());
        let help = "From this node's proposal to the commit";
        registry.register_with_unit("agreement_latency", help, Unit::Seconds, self.agreement.clone());
        registry.register("epochs", "Epochs decided or caught up with", self.epochs.clone());
        registry.register("tokens", "Tokens committed, where it did not catch up", self.tokens.clone());
        registry.register("view_changes", "How often it left for a later view", self.view_changes.clone());
        registry.register("rejections", "Inputs that changed nothing", self.rejections.clone());
        registry.register("evidence", "Proofs that a member is faulty", self.evidence.clone());
        let help = "Until the vote record is durable";
        registry.register_with_unit("record_flush", help, Unit::Seconds, self.flushes.clone());
    }

    fn register_transport(&self, registry: &mut Registry) {
        registry.register("messages_sent", "Messages sent, for each peer", self.sent.clone());
        registry.register_with_unit("sent", "Before they are sealed", Unit::Bytes, self.sent_bytes.clone());
        registry.register("messages_received", "Messages received", self.received.clone());
        registry.register_with_unit("received", "Without their seals", Unit::Bytes, self.received_bytes.clone());
        registry.register("messages_unread", "Messages received in vain", self.unread.clone());
        registry.register("messages_dropped", "Frames without room in a queue", self.dropped.clone());
        registry.register("peer_connected", "Sessions that we dialled", self.connected.clone());
        registry.register("sessions", "Open sessions that others dialled", self.sessions.clone());
        let opened = self.sessions_ever.clone();
        registry.register("sessions_opened", "Sessions that others dialled", opened);
        let failed = self.handshakes_failed.clone();
        registry.register("handshakes_failed", "Connections that became no session", failed);
        let untraced = self.untraced.clone();
        registry.register("epochs_untraced", "Epochs that the collector of traces did not take", untraced);
    }

    fn begin_every_series(&self, cluster: &Cluster, me: NodeId) {
        for state in Coordinator::ALL {
            let now = state == Coordinator::Initializing;
            self.coordinator.get_or_create(&OfState { state: state.name() }).set(now.into());
        }
        for path in [Path::Fast, Path::Slow] {
            begin(&self.epochs, &path.into());
        }
        for reason in REASONS {
            begin(&self.rejections, &OfReason { reason });
        }
        for kind in Kind::ALL {
            for transmission in TRANSMISSIONS {
                begin(&self.sent, &(kind, transmission).into());
            }
            for family in [&self.sent_bytes, &self.received, &self.received_bytes, &self.unread] {
                begin(family, &kind.into());
            }
        }
        for party in PARTIES {
            begin(&self.sessions, &OfParty { party });
            begin(&self.sessions_ever, &OfParty { party });
        }
        for peer in cluster.members().without(me).iter() {
            begin(&self.dropped, &peer.into());
            begin(&self.connected, &peer.into());
        }
        for member in cluster.members().iter() {
            begin(&self.evidence, &OfAccused { accused: member.0 });
        }
    }

    /// Everything, in the text format of OpenMetrics.
    ///
    /// # Errors
    /// None in practice: text has room.
    pub fn scrape(&self) -> Result<String> {
        let mut scraped = String::new();
        text::encode(&mut scraped, &self.registry)?;
        Ok(scraped)
    }

    /// The kernel took a step, or rejected its input.
    pub(crate) fn stepped(&self, epoch: Epoch, view: View, outcome: Result<(), Rejection>) {
        self.epoch.set(epoch.0);
        self.view.set(view.0.into());
        if let Err(rejection) = outcome {
            self.rejections.get_or_create(&OfReason::from(rejection)).inc();
        }
    }

    /// The node is doing something else now.
    pub(crate) fn turned(&self, before: Coordinator, now: Coordinator) {
        self.coordinator.get_or_create(&OfState { state: now.name() }).set(1);
        self.coordinator.get_or_create(&OfState { state: before.name() }).set(0);
    }

    pub(crate) fn committed(&self, path: Path, tokens: usize, latency: Option<Duration>) {
        self.epochs.get_or_create(&OfPath::from(path)).inc();
        self.tokens.inc_by(tokens as u64);
        if let Some(latency) = latency {
            self.latency.observe(latency.as_secs_f64());
        }
    }

    /// This node's proposal was decided.
    pub(crate) fn agreed(&self, latency: Duration) {
        self.agreement.observe(latency.as_secs_f64());
    }

    /// Messages whose signatures were checked.
    pub(crate) fn checked(&self) -> u64 {
        let of = |family: &Family<OfKind, Counter>, kind| family.get_or_create(&OfKind::from(kind)).get();
        Kind::ALL.into_iter().map(|kind| of(&self.received, kind).saturating_sub(of(&self.unread, kind))).sum()
    }

    pub(crate) fn entered_view(&self) {
        self.view_changes.inc();
    }

    pub(crate) fn set_blocked(&self, blocked: bool) {
        self.blocked.set(blocked.into());
    }

    pub(crate) fn blamed(&self, accused: NodeId) {
        self.evidence.get_or_create(&OfAccused { accused: accused.0 }).inc();
    }

    pub(crate) fn flushed(&self, took: Duration) {
        self.flushes.observe(took.as_secs_f64());
    }

    /// `messages` of `bytes` each were queued.
    pub(crate) fn sent(&self, kind: Kind, transmission: Transmission, messages: usize, bytes: usize) {
        self.sent.get_or_create(&OfTransmission::from((kind, transmission))).inc_by(messages as u64);
        self.sent_bytes.get_or_create(&OfKind::from(kind)).inc_by(messages as u64 * bytes as u64);
    }

    pub(crate) fn received(&self, kind: Kind, bytes: usize) {
        self.received.get_or_create(&OfKind::from(kind)).inc();
        self.received_bytes.get_or_create(&OfKind::from(kind)).inc_by(bytes as u64);
    }

    pub(crate) fn left_unread(&self, kind: Kind) {
        self.unread.get_or_create(&OfKind::from(kind)).inc();
    }

    pub(crate) fn dropped(&self, peer: NodeId) {
        self.dropped.get_or_create(&OfPeer::from(peer)).inc();
    }

    /// A session that we dialled is open until what is returned is dropped.
    pub(crate) fn connected(&self, peer: NodeId) -> Present {
        Present::new(&self.connected.get_or_create(&OfPeer::from(peer)))
    }

    pub(crate) fn is_connected(&self, peer: NodeId) -> bool {
        self.connected.get(&OfPeer::from(peer)).is_some_and(|gauge| gauge.get() > 0)
    }

    /// A session that `who` dialled is open until what is returned is dropped.
    pub(crate) fn session(&self, who: Who) -> Present {
        self.session_of(&who.into())
    }

    /// The same, of somebody with a token.
    pub(crate) fn session_of_newcomer(&self) -> Present {
        let [.., party] = PARTIES;
        self.session_of(&OfParty { party })
    }

    fn session_of(&self, party: &OfParty) -> Present {
        self.sessions_ever.get_or_create(party).inc();
        Present::new(&self.sessions.get_or_create(party))
    }

    /// A collector did not take what was to be told of as many epochs.
    pub(crate) fn untold(&self, epochs: u64) {
        self.untraced.inc_by(epochs);
    }

    pub(crate) fn handshake_failed(&self) {
        self.handshakes_failed.inc();
    }
}

/// A series that is in every scrape, from the first on.
fn begin<L: Clone + Hash + Eq, M: Clone + Default>(family: &Family<L, M>, labels: &L) {
    drop(family.get_or_create(labels));
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfState {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPath {
    path: &'static str,
}

impl From<Path> for OfPath {
    fn from(path: Path) -> OfPath {
        OfPath { path: path_name(path) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReason {
    reason: &'static str,
}

impl From<Rejection> for OfReason {
    fn from(rejection: Rejection) -> OfReason {
        let [early, stale, duplicate, unauthorised, invalid, other_run, full] = REASONS;
        let reason = match rejection {
            Rejection::Early(_) => early,
            Rejection::Stale => stale,
            Rejection::Duplicate => duplicate,
            Rejection::Unauthorised => unauthorised,
            Rejection::Invalid => invalid,
            Rejection::OtherRun => other_run,
            Rejection::Full => full,
        };
        OfReason { reason }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

impl From<Kind> for OfKind {
    fn from(kind: Kind) -> OfKind {
        OfKind { kind: kind.name() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTransmission {
    kind: &'static str,
    transmission: &'static str,
}

impl From<(Kind, Transmission)> for OfTransmission {
    fn from((kind, transmission): (Kind, Transmission)) -> OfTransmission {
        let transmission = match transmission {
            Transmission::First => "first",
            Transmission::Again => "again",
        };
        OfTransmission { kind: kind.name(), transmission }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPeer {
    peer: u8,
}

impl From<NodeId> for OfPeer {
    fn from(peer: NodeId) -> OfPeer {
        OfPeer { peer: peer.0 }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfParty {
    party: &'static str,
}

impl From<Who> for OfParty {
    fn from(who: Who) -> OfParty {
        let [member, client, operator, _] = PARTIES;
        OfParty {
            party: match who {
                Who::Member(_) => member,
                Who::Client(_) => client,
                Who::Operator(_) => operator,
            },
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfAccused {
    accused: u8,
}
