//! Messages of the kind `recall`.
#![no_main]

butterfly_fuzz::fuzz_message!(Recall);
