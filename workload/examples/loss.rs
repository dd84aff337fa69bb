//! Prints the integer model's loss on a text file, in nats per character:
//! `loss FILE`. Each window of 257 characters is predicted from its own start;
//! a last shorter piece is left out. `train.py --held-out FILE` writes the
//! text that the figures in the README are for.

use std::error::Error;

use butterfly_workload::{CONTEXT, Token, Weights, reference, tokenizer};

/// Logits are exponents of two with 14 fractional bits.
const NATS_PER_UNIT: f64 = std::f64::consts::LN_2 / 16384.0;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: loss FILE")?;
    let text = std::fs::read_to_string(path)?;
    let tokens: Vec<Token> = tokenizer::encode(&text).collect::<Result<_, _>>()?;

    let mut total = 0.0;
    let mut characters = 0_u32;
    for start in (0..tokens.len().saturating_sub(CONTEXT)).step_by(CONTEXT) {
        let window = &tokens[start..=start + CONTEXT];
        let predictions = reference::logits(Weights::embedded(), &window[..CONTEXT]);
        for (logits, token) in predictions.zip(&window[1..]) {
            total += surprise(&logits, *token);
            characters += 1;
        }
    }
    println!("{:.4} nats per character over {characters} characters", total / f64::from(characters));
    Ok(())
}

/// Minus the logarithm of the probability that the model gives the token.
fn surprise(logits: &[i32], token: Token) -> f64 {
    let highest = logits.iter().copied().max().unwrap_or_default();
    let sum: f64 = logits.iter().map(|logit| (f64::from(logit - highest) * NATS_PER_UNIT).exp()).sum();
    sum.ln() - f64::from(logits[usize::from(token.id())] - highest) * NATS_PER_UNIT
}
