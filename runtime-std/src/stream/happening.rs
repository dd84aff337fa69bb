//! The kinds of happening, in one place: what the kernel says and what the
//! transport sees, as operators are told.
//!
//! | event | what it says | data |
//! | --- | --- | --- |
//! | `assigned` | a request's stages were placed: assignment is over | `epoch`, `client`, `sequence`, `stages`: the owners of each |
//! | `attested` | a member computed a stage and signed it | `epoch` that it is for, `member`, `stage` |
//! | `voted` | a member accepts the leader's proposal: aggregation is over for it | `epoch`, `view`, `member` |
//! | `view` | this node left for a later view | `epoch`, `view`, `leader` |
//! | `decided` | an epoch was decided: commitment is over | `epoch`, `view`, `path`, `tokens`, `latency_us`; `next_leader` of the epoch after it |
//! | `state` | this node is doing something else | `coordinator` |
//! | `suspects` | who was silent or disagreed when it mattered | `members` |
//! | `session` | our session with a member began or ended | `member`, `open` |
//! | `blocked` | no epoch can be decided, or one can be again | `by`: `silent`, `learners`; or null |
//! | `evidence` | a member was proven faulty, in this way for the first time | `accused`, `fault` |
//!
//! Each has `at_us`: microseconds of this process's clock, for differences
//! only. What members did is what this node heard: a vote that comes after the
//! decision is not waited for and not told.

use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::node::Coordinator;
use butterfly_kernel::types::{ClientId, Epoch, NodeId, NodeSet, Stage, View};
use serde::Serialize;
use serde_json::{Value, json};

use crate::control::Blocked;
use crate::protocol::path_name;

/// Something that an operator may want to see.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the table of the module says what each is")]
pub(crate) enum Happening {
    Assigned { epoch: Epoch, client: ClientId, sequence: u64, stages: Vec<NodeSet> },
    Attested { epoch: Epoch, member: NodeId, stage: Stage },
    Voted { epoch: Epoch, view: View, member: NodeId },
    View { epoch: Epoch, view: View, leader: NodeId },
    Decided { epoch: Epoch, view: View, path: Path, tokens: usize, latency_us: Option<u64>, next_leader: NodeId },
    State(Coordinator),
    Suspects(NodeSet),
    Session { member: NodeId, open: bool },
    Blocked(Option<Blocked>),
    Evidence { accused: NodeId, fault: &'static str },
}

impl Happening {
    /// The name of the event.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Happening::Assigned { .. } => "assigned",
            Happening::Attested { .. } => "attested",
            Happening::Voted { .. } => "voted",
            Happening::View { .. } => "view",
            Happening::Decided { .. } => "decided",
            Happening::State(_) => "state",
            Happening::Suspects(_) => "suspects",
            Happening::Session { .. } => "session",
            Happening::Blocked(_) => "blocked",
            Happening::Evidence { .. } => "evidence",
        }
    }

    /// Its data, `at_us` after the process began.
    pub(super) fn data(&self, at_us: u64) -> String {
        let fields = match self {
            Happening::Assigned { epoch, client, sequence, stages } => {
                let stages: Vec<Vec<u8>> = stages.iter().map(|owners| numbers(*owners)).collect();
                json!({ "epoch": epoch.0, "client": client.0, "sequence": sequence, "stages": stages })
            }
            Happening::Attested { epoch, member, stage } => {
                json!({ "epoch": epoch.0, "member": member.0, "stage": stage.0 })
            }
            Happening::Voted { epoch, view, member } => {
                json!({ "epoch": epoch.0, "view": view.0, "member": member.0 })
            }
            Happening::View { epoch, view, leader } => {
                json!({ "epoch": epoch.0, "view": view.0, "leader": leader.0 })
            }
            Happening::Decided { epoch, view, path, tokens, latency_us, next_leader } => {
                json!({
                    "epoch": epoch.0,
                    "view": view.0,
                    "path": path_name(*path),
                    "tokens": tokens,
                    "latency_us": latency_us,
                    "next_leader": next_leader.0,
                })
            }
            Happening::State(coordinator) => json!({ "coordinator": coordinator.name() }),
            Happening::Suspects(members) => json!({ "members": numbers(*members) }),
            Happening::Session { member, open } => json!({ "member": member.0, "open": open }),
            Happening::Blocked(by) => json!({ "by": by }),
            Happening::Evidence { accused, fault } => json!({ "accused": accused.0, "fault": fault }),
        };
        serde_json::to_string(&Stamped { at_us, fields }).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Stamped {
    at_us: u64,
    #[serde(flatten)]
    fields: Value,
}

fn numbers(members: NodeSet) -> Vec<u8> {
    members.iter().map(|member| member.0).collect()
}
