//! What is done with arbitrary bytes: one function for each thing that a node
//! reads from others or from its disk.
//!
//! Bytes are read in two ways. As the daemon reads them, with Ed25519: they
//! must decode without a panic, and only to what they are the encoding of. And
//! in a [`pocket`] world where digests are few and everybody's signature is
//! known: there a fuzzer gets past the checks, plays every member at once,
//! and what it says is told to nodes in the midst of their work.
//!
//! | module | subject |
//! | --- | --- |
//! | [`read`] | one function for each target |
//! | [`nodes`] | nodes in the midst of their work, and what must hold whatever they are told |
//! | [`rehearsal`] | the cluster whose nodes they are, and what happens to it |
//! | `scene` | how it is played |
//! | [`pocket`] | cryptography that anybody can break |
//! | [`real`] | the daemon's reading |
//! | [`session`] | what a connection may bring before and after its handshake |

pub mod nodes;
pub mod pocket;
pub mod read;
pub mod real;
pub mod rehearsal;
mod scene;
pub mod session;

use butterfly_kernel::{chain, cluster, message, node, proof};
use pocket::Pocket;

/// Members of the pocket world that vote.
pub const VOTERS: usize = 4;
/// All of them: the voters and a worker.
pub const MEMBERS: usize = 5;
/// A message of the pocket world.
pub type Envelope = message::Envelope<Pocket, VOTERS>;
/// A member of the pocket world.
pub type Node = node::Node<Pocket, VOTERS>;
/// What a member of the pocket world must not forget.
pub type Record = node::Record<Pocket>;
/// The pocket world's roster and id.
pub type Cluster = cluster::Cluster<Pocket, VOTERS>;
/// A decision of the pocket world, with the state after it.
pub type Decided = chain::Decided<Pocket>;
/// A change of the pocket world's roster, and by whose word.
pub type SignedChange = message::SignedChange<Pocket>;
/// A commit proof of the pocket world.
pub type CommitProof = proof::CommitProof<Pocket, 8>;
/// Evidence of the pocket world.
pub type Evidence = proof::Evidence<Pocket>;
/// A roster of the pocket world.
pub type Roster = cluster::Roster<Pocket>;

/// Whether a fuzzer should go on from some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// They belong to the target.
    Keep,
    /// They are another target's.
    Reject,
}

/// A target for one kind of message.
#[macro_export]
macro_rules! fuzz_message {
    ($kind:ident) => {
        // Without counters there is nothing to link with, and nothing to run.
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| -> libfuzzer_sys::Corpus {
            match butterfly_fuzz::read::message(butterfly_kernel::message::Kind::$kind, bytes) {
                butterfly_fuzz::Worth::Keep => libfuzzer_sys::Corpus::Keep,
                butterfly_fuzz::Worth::Reject => libfuzzer_sys::Corpus::Reject,
            }
        });
    };
}

/// A target for what `read` has a function of that name.
#[macro_export]
macro_rules! fuzz_bytes {
    ($read:ident) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| butterfly_fuzz::read::$read(bytes));
    };
}

#[cfg(test)]
mod tests;
