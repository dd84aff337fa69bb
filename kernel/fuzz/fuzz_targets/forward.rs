//! Messages of the kind `forward`.
#![no_main]

butterfly_fuzz::fuzz_message!(Forward);
