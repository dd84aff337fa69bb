//! What ended a cluster.
#![no_main]

butterfly_fuzz::fuzz_bytes!(ending);
