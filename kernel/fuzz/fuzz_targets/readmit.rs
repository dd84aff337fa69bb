//! Messages of the kind `readmit`.
#![no_main]

butterfly_fuzz::fuzz_message!(Readmit);
