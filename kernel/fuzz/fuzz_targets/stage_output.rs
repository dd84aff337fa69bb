//! Messages of the kind `stage_output`.
#![no_main]

butterfly_fuzz::fuzz_message!(StageOutput);
