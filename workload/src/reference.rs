//! The whole model on one machine, without a cluster: what a cluster's answer
//! is compared with.

use core::fmt;

use crate::layer::{self, Cache};
use crate::stage::{self, Section, StageError};
use crate::{CONTEXT, LAYERS, Partition, Sampling, Signal, Token, VOCABULARY, Weights, decoder};

/// The tokens that follow the prompt, one by one, until the context is full.
///
/// The signals pass through the stages of the partition one after the other;
/// how many there are does not change the tokens.
///
/// # Errors
/// When the prompt is empty or longer than the context.
pub fn generate<'w>(
    weights: Weights<'w>,
    partition: Partition,
    prompt: &[Token],
    sampling: Sampling,
) -> Result<Generation<'w>, PromptError> {
    if prompt.is_empty() {
        return Err(PromptError::Empty);
    }
    if prompt.len() > CONTEXT {
        return Err(PromptError::TooLong);
    }
    let mut generation =
        Generation { weights, partition, sampling, caches: [const { Cache::EMPTY }; LAYERS], position: 0, next: None };
    for token in prompt {
        generation.next = generation.follow(*token).ok();
    }
    Ok(generation)
}

/// A sequence being generated; see [`generate`]. Holds the caches of all
/// layers, 192 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation<'w> {
    weights: Weights<'w>,
    partition: Partition,
    sampling: Sampling,
    caches: [Cache; LAYERS],
    position: usize,
    next: Option<Token>,
}

impl Generation<'_> {
    /// Takes a token in and gives the one that follows it.
    fn follow(&mut self, token: Token) -> Result<Token, StageError> {
        let mut signal = Signal::Token(token);
        for index in 0..self.partition.stages() {
            let Some(section) = Section::new(self.weights, self.partition, index) else {
                break;
            };
            let caches = self.caches.get_mut(section.layers()).unwrap_or_default();
            signal = section.run(caches, self.position, &signal, &self.sampling)?;
        }
        self.position = self.position.saturating_add(1);
        match signal {
            Signal::Token(token) => Ok(token),
            Signal::Activation(_) => Err(StageError::TokenExpected),
        }
    }
}

impl Iterator for Generation<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let token = self.next?;
        self.next = self.follow(token).ok();
        Some(token)
    }
}

/// What the model expects after each of the tokens: a logit for every token,
/// an exponent of two with 14 fractional bits.
///
/// Ends with the tokens or with the context. No cluster shows logits; they are
/// for measuring the model itself.
pub fn logits<'a>(weights: Weights<'a>, tokens: &'a [Token]) -> impl Iterator<Item = [i32; VOCABULARY]> + 'a {
    let mut caches = [const { Cache::EMPTY }; LAYERS];
    tokens.iter().take(CONTEXT).enumerate().map(move |(position, token)| {
        let mut residual = stage::embed(&weights, *token);
        for (layer, cache) in weights.layers.iter().zip(&mut caches) {
            layer::run(layer, cache, position, &mut residual);
        }
        decoder::logits(&weights, &residual)
    })
}

/// Why there is nothing to generate from a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptError {
    /// There must be at least one token.
    Empty,
    /// There may be at most [`CONTEXT`] tokens.
    TooLong,
}

impl fmt::Display for PromptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the prompt is empty"),
            Self::TooLong => write!(f, "the prompt is longer than {CONTEXT} tokens"),
        }
    }
}

impl core::error::Error for PromptError {}
