//! The arithmetic read twice: these logits have the digest that the numpy
//! model in `training/integer.py` prints for the same weights and tokens.

use butterfly_workload::{CONTEXT, Token, VOCABULARY, Weights, reference};
use sha2::{Digest, Sha256};

/// `python3 workload/training/integer.py workload/weights/butterfly.weights`
const FROM_NUMPY: &str = "7096717a421531cda937dc653addbedc6994f67aa5d6b185902c7c74b66ffe0b";

#[test]
fn both_implementations_agree_on_every_logit() {
    let tokens: Vec<Token> = (0..CONTEXT)
        .map(|position| (position * position + 7 * position) % VOCABULARY)
        .map(|id| Token::try_from(id as u8).unwrap())
        .collect();
    let mut hash = Sha256::new();
    for logits in reference::logits(Weights::embedded(), &tokens) {
        logits.iter().for_each(|logit| hash.update(logit.to_le_bytes()));
    }
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, FROM_NUMPY);
}
