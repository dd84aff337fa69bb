//! Devices without a board and without a network: the golden vectors, and a
//! cluster of four whose messages are carried by hand.

mod board;
mod golden;
mod hosts;
mod longest;
#[path = "../../../kernel/session/tests/replay/mod.rs"]
mod replay;
#[path = "../../program/sizes.rs"]
mod sizes;
