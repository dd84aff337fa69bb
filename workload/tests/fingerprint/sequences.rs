//! The sequences whose activations the fingerprint covers.

use butterfly_workload::{CONTEXT, LAYERS, Partition, Sampling, Signal, Stage, Temperature, Token, Weights, tokenizer};
use sha2::{Digest, Sha256};

/// Chosen for variety: prose of the training text's kind, prose of another
/// kind, digits and punctuation, and the rarest characters.
const PROMPTS: [&str; 4] = [
    "The value of the expression is ",
    "\nOnce upon a time, in a village by the sea,",
    "0123456789 +-*/=<>()[]{} 3.14159, 2.71828;",
    "~`@#$%^&|\\~`@#$%^&|\\\n\n\n\n",
];

/// A digest of many activations.
pub(crate) struct Fingerprint {
    /// Number of activations covered: one per layer and position.
    pub(crate) activations: usize,
    /// SHA-256 over the encoded signals, in order.
    pub(crate) digest: [u8; 32],
}

/// Runs every prompt to the end of the context: all greedily, and the first
/// and the last with seeded sampling as well. Each layer is a stage, so that
/// every layer's result is a signal.
pub(crate) fn fingerprint() -> Fingerprint {
    let neutral = Sampling::Seeded { seed: 1, temperature: Temperature::NEUTRAL };
    let hot = Sampling::Seeded { seed: u64::MAX, temperature: Temperature::from_256ths(400).unwrap() };
    let greedy = PROMPTS.map(|prompt| (prompt, Sampling::Greedy));
    let seeded = [(PROMPTS[0], neutral), (PROMPTS[3], hot)];

    let mut hash = Sha256::new();
    let mut activations = 0;
    for (prompt, sampling) in greedy.into_iter().chain(seeded) {
        activations += run(prompt, sampling, &mut hash);
    }
    Fingerprint { activations, digest: hash.finalize().into() }
}

/// Hashes a whole context of signals and returns how many there were.
fn run(prompt: &str, sampling: Sampling, hash: &mut Sha256) -> usize {
    let partition = Partition::even(LAYERS).unwrap();
    let mut stages: Vec<Stage<'_, 1>> =
        (0..LAYERS).map(|index| Stage::new(Weights::embedded(), partition, index).unwrap()).collect();
    let prompt: Vec<Token> = tokenizer::encode(prompt).map(Result::unwrap).collect();
    let mut buffer = [0; Signal::MAX_BYTES];
    let mut signal = Signal::Token(prompt[0]);
    for position in 0..CONTEXT {
        if let Some(token) = prompt.get(position) {
            signal = Signal::Token(*token);
        }
        for stage in &mut stages {
            signal = stage.advance(&signal, &sampling).unwrap();
            hash.update(signal.write(&mut buffer));
        }
    }
    CONTEXT * LAYERS
}
