//! The protocol kernel of Butterfly: pure, bounded state machines.
#![no_std]
#![forbid(unsafe_code)]
