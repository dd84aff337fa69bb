//! Commit proofs.
#![no_main]

butterfly_fuzz::fuzz_bytes!(commit_proof);
