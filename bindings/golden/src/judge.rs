//! What the kernel makes of bytes: the reference for every other reader.

use butterfly_kernel::cluster::{Seat, Timing};
use butterfly_kernel::node::{Node, Role};
use butterfly_kernel::types::NodeId;
use butterfly_kernel::wire;

use crate::story::{RECORD_OWNER, WORKER, member_key};
use crate::vector::{Shape, Verdict};
use crate::{Cluster, CommitProof, Envelope, Evidence, Record, Roster, SignedRequest};

/// Decodes `bytes` as `shape` and checks what they say for `cluster`.
pub fn judge(cluster: &Cluster, shape: Shape, bytes: &[u8]) -> Verdict {
    match check(cluster, shape, bytes) {
        Ok(()) => Verdict::Accepted,
        Err(verdict) => verdict,
    }
}

fn check(cluster: &Cluster, shape: Shape, bytes: &[u8]) -> Result<(), Verdict> {
    match shape {
        Shape::Envelope => cluster.verify(wire::decode::<Envelope>(bytes)?).map(drop)?,
        Shape::SignedRequest => cluster.verify_request(&wire::decode::<SignedRequest>(bytes)?)?,
        Shape::Roster => Cluster::new(wire::decode::<Roster>(bytes)?, Timing::default()).map(drop)?,
        Shape::Record => {
            let record = wire::decode::<Record>(bytes)?;
            let owner = if record.role == Role::Worker { WORKER } else { RECORD_OWNER };
            let seat = Seat { cluster, me: NodeId(owner), key: &member_key(owner) };
            Node::new(&seat, Some(record)).map(drop)?;
        }
        Shape::CommitProof => wire::decode::<CommitProof>(bytes)?.verify(cluster)?,
        Shape::Evidence => wire::decode::<Evidence>(bytes)?.verify(cluster)?,
    }
    Ok(())
}
