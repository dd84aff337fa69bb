//! What must hold in every run. Each oracle restates a property in its own
//! words, from what can be seen of members; none asks the kernel.

pub(crate) mod accounts;
pub(crate) mod answers;
pub(crate) mod chain;

use serde::Serialize;

use super::queue::Micros;

/// A property that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which property.
    pub property: &'static str,
    /// Microseconds of virtual time.
    pub time: Micros,
    /// What was seen.
    pub seen: String,
}

/// Why a property does not hold.
pub(crate) type Verdict = Result<(), Breach>;

/// What was seen against which property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    pub(crate) property: &'static str,
    pub(crate) seen: String,
}

/// No two honest members commit two values in an epoch, and each value names
/// that of the epoch before.
pub const AGREEMENT: &str = "agreement";
/// What is committed for a request is what one machine alone answers.
pub const VALIDITY: &str = "validity";
/// Each request of a client is finished once, in the client's order.
pub const ONCE: &str = "once";
/// A decision carries one quorum of distinct voters, the honest of whom did sign.
pub const CERTIFICATE: &str = "certificate";
/// No honest member signs two things of one kind in a view, in one life or in
/// several, or in an epoch that it left.
pub const CONSISTENCY: &str = "consistency";
/// Evidence names faulty members only.
pub const ACCOUNTABILITY: &str = "accountability";
/// What an honest member says is accepted by everybody's verification, and
/// means the same when it was written and read.
pub const WIRE: &str = "wire";
/// A rejected input changes nothing and does nothing.
pub const CONTRACT: &str = "contract";
/// A member can go on from what was durable.
pub const RECORD: &str = "record";
/// After faults stop, everybody commits within the bound.
pub const RECOVERY: &str = "recovery";

/// `holds`, or that `property` does not.
pub(crate) fn check(holds: bool, property: &'static str, seen: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Breach { property, seen: seen() }) }
}
