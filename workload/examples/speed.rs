//! Prints the time per token of the whole model and what a stage takes in
//! memory. Meaningful in release builds only.

use std::time::Instant;

use butterfly_workload::{CONTEXT, LAYERS, Partition, Sampling, Stage, Token, Weights, reference};

const ROUNDS: u32 = 20;

fn main() {
    println!("weights file: {} bytes", Weights::BYTES);
    println!(
        "stage with room for 1 layer: {} bytes",
        size_of::<Stage<'_, 1>>()
    );
    println!(
        "stage with room for {LAYERS} layers: {} bytes",
        size_of::<Stage<'_>>()
    );

    let weights = Weights::embedded();
    let partition = Partition::even(1).unwrap();
    let mut tokens = 0_u32;
    let start = Instant::now();
    for _ in 0..ROUNDS {
        let generation =
            reference::generate(weights, partition, &[Token::NEWLINE], Sampling::Greedy).unwrap();
        tokens += generation.count() as u32;
    }
    assert_eq!(tokens, ROUNDS * CONTEXT as u32);
    println!(
        "{:.0} us per token, over whole contexts",
        start.elapsed().as_secs_f64() * 1e6 / f64::from(tokens)
    );
}
