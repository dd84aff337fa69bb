//! Bytes that sessions take, as the README tells them:
//! `cargo run -p butterfly-session --example sizes`

use std::mem::size_of;

use butterfly_session::limits::{LEAST_FRAME, MOST_FRAME};
use butterfly_session::{Gate, KeyRecord, Local, MicroSession, ServerSession, wire};

fn main() {
    let rows = [
        ("session of a server, frames of 16,384", size_of::<ServerSession>()),
        ("  of which not the frame", size_of::<ServerSession>() - MOST_FRAME),
        ("session of a microcontroller, frames of 512", size_of::<MicroSession>()),
        ("  of which not the frame", size_of::<MicroSession>() - LEAST_FRAME),
        ("gate of a server, 64 seats", size_of::<Gate<64>>()),
        ("gate of a microcontroller, 2 seats", size_of::<Gate<2>>()),
        ("a member's own keys, once", size_of::<Local>()),
        ("a key record", size_of::<KeyRecord>()),
        ("64 half-open sessions and their gate", 64 * size_of::<ServerSession>() + size_of::<Gate<64>>()),
        ("2 half-open sessions and their gate", 2 * size_of::<MicroSession>() + size_of::<Gate<2>>()),
    ];
    for (what, bytes) in rows {
        println!("{what:<46} {bytes:>9}");
    }
    println!();
    let rows = [
        ("first message of a member", wire::FIRST_OF_MEMBER),
        ("answer", wire::ANSWER_TO_MEMBER),
        ("confirmation", wire::KIND + wire::TAG),
        ("first message of a newcomer", wire::FIRST_OF_NEWCOMER),
        ("answer", wire::ANSWER_TO_NEWCOMER),
        ("application", wire::APPLICATION),
    ];
    for (what, bytes) in rows {
        println!("{what:<46} {:>9} with its length", bytes + wire::LENGTH);
    }
}
