//! Messages of the kind `attest`.
#![no_main]

butterfly_fuzz::fuzz_message!(Attest);
