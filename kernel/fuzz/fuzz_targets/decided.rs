//! Messages of the kind `decided`.
#![no_main]

butterfly_fuzz::fuzz_message!(Decided);
