//! What comes of the nodes' answers: the document that `top --json` prints.
//! Nothing in it is proven; `status` checks decisions.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::control::Blocked;

/// The document that `top --json` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Of this document.
    pub version: u32,
    /// The cluster's id; none if nobody answers.
    pub cluster: Option<String>,
    /// Members that vote.
    pub voters: usize,
    /// Of those, how many may be faulty.
    pub f: usize,
    /// Nodes that answer.
    pub answering: usize,
    /// The highest epoch and view that f + 1 of them have reached, one of which is honest.
    pub epoch: Option<u64>,
    /// Its view.
    pub view: Option<u32>,
    /// Whose turn that is.
    pub leader: Option<u8>,
    /// By their numbers.
    pub nodes: Vec<NodeReport>,
}

/// One node, as it says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeReport {
    /// Its number.
    pub id: u8,
    /// Where it answers operators, if anywhere.
    pub admin: Option<SocketAddr>,
    /// Whether it does.
    pub answers: bool,
    /// What it may sign.
    pub role: Option<String>,
    /// What it is doing.
    pub coordinator: Option<String>,
    /// Its open epoch.
    pub epoch: Option<u64>,
    /// Its view in that epoch.
    pub view: Option<u32>,
    /// Whose turn that is.
    pub leader: Option<u8>,
    /// Members with which it has a session that it dialled.
    pub sessions: usize,
    /// Of its last 100 epochs, those that it did not catch up with.
    pub latency: Option<Latency>,
    /// How many of its last 100 epochs were decided on the fast path, in percent.
    pub fast_percent: Option<usize>,
    /// Who keeps its epoch from being decided, if it cannot be.
    pub blocked: Option<Blocked>,
    /// What it holds proof of.
    pub proves: Vec<Proven>,
}

/// Commit latency in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the epochs took no longer.
    pub p50_us: u64,
    /// Nor did 99 of 100.
    pub p99_us: u64,
}

/// That a member is faulty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Proven {
    /// Which.
    pub accused: u8,
    /// In which way.
    pub fault: String,
}

impl Latency {
    /// None without epochs.
    pub fn of(mut latencies_us: Vec<u64>) -> Option<Latency> {
        latencies_us.sort_unstable();
        let at = |percent: usize| {
            let place = (latencies_us.len() * percent).div_ceil(100);
            latencies_us.get(place.saturating_sub(1)).copied()
        };
        Some(Latency { p50_us: at(50)?, p99_us: at(99)? })
    }
}

impl NodeReport {
    /// Of a node that does not answer.
    pub fn silent(id: u8, admin: Option<SocketAddr>) -> NodeReport {
        NodeReport {
            id,
            admin,
            answers: false,
            role: None,
            coordinator: None,
            epoch: None,
            view: None,
            leader: None,
            sessions: 0,
            latency: None,
            fast_percent: None,
            blocked: None,
            proves: Vec::new(),
        }
    }
}

impl Report {
    /// Draws conclusions from what is there of each node.
    pub fn conclude(&mut self) {
        self.version = 1;
        self.nodes.sort_unstable_by_key(|node| node.id);
        self.answering = self.nodes.iter().filter(|node| node.answers).count();
        let mut places: Vec<_> =
            self.nodes.iter().filter_map(|node| Some((node.epoch?, node.view?, node.leader?))).collect();
        places.sort_unstable_by(|one, other| other.cmp(one));
        let reached = places.get(self.f).or(places.last());
        self.epoch = reached.map(|place| place.0);
        self.view = reached.map(|place| place.1);
        self.leader = reached.map(|place| place.2);
    }

    /// What is proven of whom, by at least one node.
    pub fn proven(&self) -> Vec<&Proven> {
        let mut proven: Vec<&Proven> = self.nodes.iter().flat_map(|node| &node.proves).collect();
        proven.sort_unstable();
        proven.dedup();
        proven
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_those_that_are_there() {
        assert_eq!(Latency::of(Vec::new()), None);
        assert_eq!(Latency::of(vec![7]), Some(Latency { p50_us: 7, p99_us: 7 }));
        assert_eq!(Latency::of((1..=100).rev().collect()), Some(Latency { p50_us: 50, p99_us: 99 }));
    }

    #[test]
    fn one_node_alone_does_not_move_the_cluster() {
        let node = |id, epoch| NodeReport {
            answers: true,
            epoch: Some(epoch),
            view: Some(0),
            leader: Some(2),
            ..NodeReport::silent(id, None)
        };
        let nodes = vec![node(2, 9), node(0, 4), node(1, 4), NodeReport::silent(3, None)];
        let mut report = Report { voters: 4, f: 1, nodes, ..Report::default() };
        report.conclude();
        assert_eq!((report.epoch, report.answering, report.nodes[2].epoch), (Some(4), 3, Some(9)));
    }
}
