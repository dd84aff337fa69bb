//! How much memory each part of a device has: what a board may choose.
//!
//! The longest message and the longest vote record follow from the kernel's
//! bounds: `runtime-embedded/tests/device/longest.rs` makes them.

/// The sizes for clusters up to some number of members.
pub(crate) struct Sizes {
    /// The longest message, in bytes.
    pub(crate) message: usize,
    /// For messages that wait for peers, in bytes, with four for each: a longest
    /// one for each peer that may be faulty, and one more.
    pub(crate) queue: usize,
    /// For messages whose time has not come, in bytes: a device is slower than
    /// its fellows.
    pub(crate) parking: usize,
    /// One copy of the vote record with its header, in bytes: whole sectors.
    pub(crate) copy: usize,
}

/// Up to four members.
pub(crate) const FOUR: Sizes = Sizes { message: 1_600, queue: 3_208, parking: 3 * 768, copy: 4 * 1024 };
/// Up to seven members.
pub(crate) const SEVEN: Sizes = Sizes { message: 2 * 1024, queue: 6_160, parking: 6 * 1024, copy: 8 * 1024 };
