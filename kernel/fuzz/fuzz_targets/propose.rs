//! Messages of the kind `propose`.
#![no_main]

butterfly_fuzz::fuzz_message!(Propose);
