//! Messages of the kind `history`.
#![no_main]

butterfly_fuzz::fuzz_message!(History);
