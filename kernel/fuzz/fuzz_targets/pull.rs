//! Messages of the kind `pull`.
#![no_main]

butterfly_fuzz::fuzz_message!(Pull);
