//! Messages of the kind `cert_ack`.
#![no_main]

butterfly_fuzz::fuzz_message!(CertAck);
