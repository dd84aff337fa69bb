//! Prints the time per token of the whole model and what a stage takes in
//! memory. Meaningful in release builds only.

use std::time::{Duration, Instant};

use butterfly_workload::{CONTEXT, LAYERS, Partition, Sampling, Stage, Token, Weights, reference};

const ROUNDS: u32 = 20;

fn main() {
    println!("weights file: {} bytes", Weights::BYTES);
    println!("stage with room for 1 layer: {} bytes", size_of::<Stage<'_, 1>>());
    println!("stage with room for {LAYERS} layers: {} bytes", size_of::<Stage<'_>>());

    let weights = Weights::embedded();
    let partition = Partition::even(1).unwrap();
    let context = || {
        let start = Instant::now();
        let generation = reference::generate(weights, partition, &[Token::NEWLINE], Sampling::Greedy).unwrap();
        assert_eq!(generation.count(), CONTEXT);
        start.elapsed()
    };
    // The fastest round is the one that other programs disturbed least.
    let fastest: Duration = (0..ROUNDS).map(|_| context()).min().unwrap();
    println!("{:.0} us per token, over a whole context", fastest.as_secs_f64() * 1e6 / CONTEXT as f64);
}
