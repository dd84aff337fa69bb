//! Exactness across builds and machines: one digest over many activations.

#[path = "fingerprint/sequences.rs"]
mod sequences;

/// Changes with the weights, the arithmetic, the decoder or the sequences,
/// and with nothing else. `cargo run --example activations` prints it.
const EXPECTED: &str = "2a0b0b35448e3de1f2194cd6e72d3544e6c99963e18ffa0b635803544461f430";

#[test]
fn activations_have_the_pinned_digest() {
    let fingerprint = sequences::fingerprint();
    assert!(fingerprint.activations >= 5_000);
    let digest: String = fingerprint
        .digest
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(digest, EXPECTED);
}
