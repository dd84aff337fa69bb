//! What a connection may bring.
#![no_main]

butterfly_fuzz::fuzz_bytes!(session);
