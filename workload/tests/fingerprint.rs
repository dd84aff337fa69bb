//! Exactness across builds and machines: one digest over many activations.

#[path = "fingerprint/sequences.rs"]
mod sequences;

/// Changes with the weights, the arithmetic, the decoder or the sequences,
/// and with nothing else. `cargo run --example activations` prints it.
const EXPECTED: &str = "93095dbed607ed73c3cd50bd82ffe7aaf5adc87d9d068c9fba25ea71b0c5251c";

#[test]
fn activations_have_the_pinned_digest() {
    let fingerprint = sequences::fingerprint();
    assert!(fingerprint.activations >= 5_000);
    let digest: String = fingerprint.digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, EXPECTED);
}
