//! Messages of the kind `revise`.
#![no_main]

butterfly_fuzz::fuzz_message!(Revise);
