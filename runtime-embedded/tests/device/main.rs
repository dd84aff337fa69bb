//! Devices without a board and without a network: the golden vectors, and a
//! cluster of four whose messages are carried by hand.

mod board;
mod golden;
mod hosts;
mod longest;
#[path = "../../../kernel/session/tests/replay/mod.rs"]
mod replay;
#[cfg_attr(feature = "compact-four", allow(dead_code, reason = "seven members are beyond the bounds"))]
#[path = "../../program/sizes.rs"]
mod sizes;
