//! How many of everything there may be at most: for any cluster of the design,
//! or with the feature `compact` for the small ones that a microcontroller has
//! the memory for, up to eight members, or with `compact-four` up to four.
//!
//! What may be sent follows from the roster, and a roster beyond the bounds is
//! refused. So a member with compact bounds understands all that members of its
//! cluster say, whatever bounds they were built with, and finds valid what they
//! find valid. Only its own tables ([`MAX_OPEN`], [`MAX_NOTICES`]) are full
//! earlier, and it says so.

/// Most replicas that may vote. Bounds every certificate and vote table.
pub const MAX_VOTERS: usize = bound(16, 8, 4);
/// Most members, voters and workers together: a [`NodeSet`](super::NodeSet) has a bit for each.
pub const MAX_MEMBERS: usize = bound(64, 8, 4);
/// Most stages into which a model may be cut.
pub const MAX_STAGES: usize = bound(8, 4, 4);
/// Most positions (prompt and output tokens together) that a request may use.
pub const MAX_CONTEXT: usize = 256;
/// Most tokens that one epoch may commit.
pub const MAX_TOKENS_PER_EPOCH: usize = 16;
/// Most bytes of one signal between stages.
pub const MAX_SIGNAL: usize = 320;
/// Most clients that a cluster admits.
pub const MAX_CLIENTS: usize = bound(8, 2, 2);
/// Most open requests that a node keeps, of all clients together.
pub const MAX_OPEN: usize = bound(16, 4, 4);
/// Most members whose profile may differ from the roster's.
pub const MAX_REVISED: usize = bound(16, 8, 4);
/// Most notices that wait to be committed, one of each member.
pub const MAX_NOTICES: usize = bound(16, 8, 4);
/// Most operators whose word changes a roster.
pub const MAX_OPERATORS: usize = bound(4, 2, 2);
/// Most bytes that say how a member is reached.
pub const MAX_CONTACT: usize = 192;
/// Most checkpoints of one request that are kept.
pub const CHECKPOINTS_KEPT: usize = 10;

/// Whether there is room for the slow path. A cluster of four has it only if it
/// gives up the fast one with a member that is silent.
pub(crate) const HAS_SLOW_PATH: bool = bound(1, 1, 0) > 0;

/// The bound of this build: the `usual` one, that of a compact build, or that
/// of a compact build for four members.
pub(crate) const fn bound(usual: usize, compact: usize, four: usize) -> usize {
    match (cfg!(feature = "compact"), cfg!(feature = "compact-four")) {
        (_, true) => four,
        (true, false) => compact,
        (false, false) => usual,
    }
}

// Each client may have two open requests. With compact bounds every member may
// revise its profile: what is valid must not depend on the bounds.
const _: () = assert!(2 * MAX_CLIENTS <= MAX_OPEN && (MAX_REVISED >= MAX_MEMBERS || !cfg!(feature = "compact")));
