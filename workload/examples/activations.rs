//! Prints one SHA-256 over the result of every layer at every position of
//! several sequences: the same on any processor and at any optimisation level.
//! `tests/fingerprint.rs` pins it.

#[path = "../tests/fingerprint/sequences.rs"]
mod sequences;

fn main() {
    let fingerprint = sequences::fingerprint();
    println!("{} activations", fingerprint.activations);
    for byte in fingerprint.digest {
        print!("{byte:02x}");
    }
    println!();
}
