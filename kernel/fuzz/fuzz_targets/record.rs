//! Vote records.
#![no_main]

butterfly_fuzz::fuzz_bytes!(record);
