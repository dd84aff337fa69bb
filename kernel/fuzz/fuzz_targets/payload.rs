//! Messages of the kind `payload`.
#![no_main]

butterfly_fuzz::fuzz_message!(Payload);
