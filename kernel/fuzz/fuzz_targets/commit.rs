//! Messages of the kind `commit`.
#![no_main]

butterfly_fuzz::fuzz_message!(Commit);
