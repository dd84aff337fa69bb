//! The integer transformer that a Butterfly cluster runs.
#![no_std]
#![forbid(unsafe_code)]
