//! Messages of the kind `change`.
#![no_main]

butterfly_fuzz::fuzz_message!(Change);
