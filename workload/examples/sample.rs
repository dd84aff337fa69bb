//! Prints what the model makes of a prompt.
//!
//! `sample PROMPT [LENGTH [TEMPERATURE SEED]]`: the length in characters, the
//! temperature in 1/256; without a temperature decoding is greedy.

use std::error::Error;
use std::io::Write;

use butterfly_workload::{Partition, Sampling, Temperature, Token, Weights, reference, tokenizer};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let prompt = arguments.next().ok_or("usage: sample PROMPT [LENGTH [TEMPERATURE SEED]]")?;
    let length = arguments.next().map_or(Ok(64), |length| length.parse())?;
    let sampling = match arguments.next() {
        None => Sampling::Greedy,
        Some(parts) => Sampling::Seeded {
            temperature: Temperature::from_256ths(parts.parse()?).ok_or("the temperature is zero")?,
            seed: arguments.next().map_or(Ok(0), |seed| seed.parse())?,
        },
    };

    let tokens: Vec<Token> = tokenizer::encode(&prompt).collect::<Result<_, _>>()?;
    let generation = reference::generate(Weights::embedded(), Partition::even(1)?, &tokens, sampling)?;
    let mut output = std::io::stdout().lock();
    write!(output, "{prompt}")?;
    for token in generation.take(length) {
        write!(output, "{}", tokenizer::decode(token))?;
        output.flush()?;
    }
    writeln!(output)?;
    Ok(())
}
