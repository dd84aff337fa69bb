//! Messages of the kind `cert_request`.
#![no_main]

butterfly_fuzz::fuzz_message!(CertRequest);
