//! Messages of the kind `view_change`.
#![no_main]

butterfly_fuzz::fuzz_message!(ViewChange);
