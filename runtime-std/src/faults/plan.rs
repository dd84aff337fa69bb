//! Faults as they are asked for: `NODE:KIND[@EPOCH]`.

use std::fmt;
use std::str::FromStr;

use butterfly_kernel::types::{Epoch, NodeId};
use thiserror::Error;

use super::kind::{self, FaultKind};

/// A fault, whose it is, and when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The node.
    pub node: NodeId,
    /// What happens to it.
    pub kind: FaultKind,
    /// In which epoch it begins, from 1.
    pub epoch: Epoch,
}

/// Why a text is not a fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FaultError {
    /// There is no colon.
    #[error("a fault is written NODE:KIND or NODE:KIND@EPOCH, as in 2:lie@5")]
    Form,
    /// Before the colon there is no number.
    #[error("{0:?} is not the number of a node; nodes are numbered from 0")]
    Node(String),
    /// The kind is unknown.
    #[error("{0:?} is not a kind of fault; there are {names}", names = kind::names())]
    Kind(String),
    /// After the @ there is no number, or 0.
    #[error("{0:?} is not an epoch; epochs are numbered from 1")]
    Epoch(String),
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Fault, FaultError> {
        let (node, fault) = text.split_once(':').ok_or(FaultError::Form)?;
        let (kind, epoch) = fault.split_once('@').unwrap_or((fault, "1"));
        let parsed = epoch.parse().ok().filter(|epoch| *epoch > 0);
        Ok(Fault {
            node: NodeId(node.parse().map_err(|_| FaultError::Node(node.into()))?),
            kind: kind.parse()?,
            epoch: Epoch(parsed.ok_or_else(|| FaultError::Epoch(epoch.into()))?),
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}@{}", self.node.0, self.kind, self.epoch.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_and_written_alike() {
        for (node, kind) in (0_u8..).zip(FaultKind::ALL) {
            let text = format!("{node}:{}@7", kind.name());
            let fault = Fault { node: NodeId(node), kind, epoch: Epoch(7) };
            assert_eq!(text.parse(), Ok(fault));
            assert_eq!(fault.to_string(), text);
        }
        assert_eq!("2:lie".parse::<Fault>().unwrap().epoch, Epoch(1));
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        let refused = |text: &str| text.parse::<Fault>().unwrap_err();
        assert_eq!(refused("lie"), FaultError::Form);
        assert_eq!(refused("x:lie"), FaultError::Node("x".into()));
        assert_eq!(refused("-1:lie"), FaultError::Node("-1".into()));
        assert_eq!(refused("1:sulk"), FaultError::Kind("sulk".into()));
        assert_eq!(refused("1:"), FaultError::Kind(String::new()));
        let message = refused("1:sulk").to_string();
        assert!(FaultKind::ALL.iter().all(|kind| message.contains(kind.name())), "{message}");
        for epoch in ["0", "", "x", "-3"] {
            assert_eq!(refused(&format!("1:lie@{epoch}")), FaultError::Epoch(epoch.into()));
        }
    }
}
