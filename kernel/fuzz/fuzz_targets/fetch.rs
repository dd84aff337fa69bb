//! Messages of the kind `fetch`.
#![no_main]

butterfly_fuzz::fuzz_message!(Fetch);
