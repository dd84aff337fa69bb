//! Messages of the kind `vote`.
#![no_main]

butterfly_fuzz::fuzz_message!(Vote);
