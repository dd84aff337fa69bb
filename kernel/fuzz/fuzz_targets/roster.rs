//! Rosters.
#![no_main]

butterfly_fuzz::fuzz_bytes!(roster);
