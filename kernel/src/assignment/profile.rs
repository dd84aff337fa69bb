//! What a planner must know of the members and of the links between them.

use serde::{Deserialize, Serialize};

use super::layers::LayerSet;

/// Dearest link that a planner may reckon with: 0.27 seconds for 1024 bytes.
pub const MAX_LINK: u32 = 1 << 28;

/// What one member can do. A member that overstates itself makes the cluster
/// slower, never wrong: safety needs no word of this to be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Profile {
    /// Units of work in one millisecond; 0 runs no stage.
    pub speed: u32,
    /// Members of one zone are close to each other.
    pub zone: u8,
    /// The layers whose weights it holds.
    pub holds: LayerSet,
}

/// What moving bytes costs, in nanoseconds for 1024 bytes, at most [`MAX_LINK`]
/// each. One gigabit a second is 8192.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Links {
    /// Between two members of one zone.
    pub within: u32,
    /// Between members of different zones.
    pub between: u32,
}

impl Profile {
    /// A member of zone 0 that holds every layer.
    pub const fn with_speed(speed: u32) -> Profile {
        Profile { speed, zone: 0, holds: LayerSet::ALL }
    }
}

impl Default for Profile {
    /// A member like every other: speed 1, zone 0, all layers.
    fn default() -> Profile {
        Profile::with_speed(1)
    }
}

impl Links {
    /// Links that cost nothing, for clusters of which nobody knows better.
    pub const FREE: Links = Links { within: 0, between: 0 };
}
