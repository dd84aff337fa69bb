//! What a node and the process that started it say to each other: one JSON
//! document on each line, commands on the node's standard input, events on its
//! standard output. The node ends when its standard input does, so that no
//! node outlives whoever started it.

use std::fmt;
use std::net::SocketAddr;

use butterfly_kernel::message::agreement::Path;
use serde::{Deserialize, Serialize};

use crate::bench::Measured;
use crate::traffic::Traffic;
use crate::transport::Peers;

/// What a node is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
pub enum Command {
    /// Where the members listen now.
    Peers {
        /// By their place in the roster.
        addresses: Peers,
    },
    /// A client's signed request.
    Submit {
        /// Its canonical encoding.
        #[serde(with = "hex")]
        request: Vec<u8>,
    },
    /// Report what was sent, and end.
    Finish,
}

/// What a node tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// It listens and has read its record.
    Ready {
        /// Where it listens.
        address: SocketAddr,
        /// Where operators are answered, if anywhere.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        admin: Option<SocketAddr>,
        /// Whether it lost its record and may not sign in agreement.
        learner: bool,
        /// The epoch in which it goes on, as its record says.
        epoch: u64,
    },
    /// It cannot start, or cannot go on.
    Failed {
        /// Why, and what to do about it.
        reason: String,
    },
    /// An epoch was decided.
    Commit(Commit),
    /// It left for a later view.
    EnterView {
        /// The epoch.
        epoch: u64,
        /// The view.
        view: u32,
    },
    /// No epoch can be decided, or one can be again.
    Blocked {
        /// By whom; nobody any more.
        by: Option<Blocked>,
    },
    /// The roster changed, and this node goes on with it, or ends.
    Changed {
        /// The last epoch that the roster before decided.
        epoch: u64,
        /// The id of the cluster as it is now.
        cluster: String,
        /// What this node is called now; nothing when it was removed.
        node: Option<u8>,
        /// The members that there are now.
        members: usize,
    },
    /// It holds proof that a member is faulty.
    Evidence {
        /// Its canonical encoding.
        #[serde(with = "hex")]
        evidence: Vec<u8>,
    },
    /// What was to be measured of it.
    Measured(Measured),
    /// Everything that it has sent, and received in vain, since it was started.
    Sent {
        /// By kind.
        traffic: Traffic,
    },
}

/// Who keeps a node's epoch from being decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// Voters of whom nothing is heard.
    pub silent: Vec<u8>,
    /// Voters that lost their vote record and were not admitted again.
    pub learners: Vec<u8>,
}

impl fmt::Display for Blocked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |nodes: &[u8]| nodes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
        let silent = (!self.silent.is_empty()).then(|| format!("nothing is heard of {}", names(&self.silent)));
        let learners = (!self.learners.is_empty())
            .then(|| format!("{} lost the vote record and must be admitted again", names(&self.learners)));
        out.write_str(&silent.into_iter().chain(learners).collect::<Vec<_>>().join("; "))
    }
}

/// A decided epoch, as a node tells it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Commit {
    /// The epoch.
    pub epoch: u64,
    /// The view that decided.
    pub view: u32,
    /// The quorum that decided.
    pub path: Path,
    /// Canonical encoding of the decided header with its certificate and state.
    #[serde(with = "hex")]
    pub decided: Vec<u8>,
    /// What it adds to the text; nothing when the node caught up with the epoch.
    #[serde(with = "hex")]
    pub tokens: Vec<u8>,
    /// From the commit before, or from the request's arrival, to this commit.
    /// None when the node caught up.
    pub latency_us: Option<u64>,
    /// Whether the node lost its record and may not sign in agreement (yet).
    pub learner: bool,
}
