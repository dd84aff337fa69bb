//! One stage: a run of layers with their key/value caches.

use core::fmt;
use core::ops::Range;

use crate::arithmetic::accumulated;
use crate::layer::{self, Cache};
use crate::{Activation, CONTEXT, LAYERS, Partition, Sampling, Signal, Token, WIDTH, Weights, decoder};

/// One stage of the model, as one node runs it.
///
/// `CAPACITY` is the number of layers it has room for, and each takes 48 KiB
/// of cache. `Stage<'_>` has room for all layers, so it fits any stage of any
/// partition; where memory counts, `Stage<'_, 1>` is enough for one layer.
/// Expressions need the type: `let stage: Stage<'_> = Stage::new(..)?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage<'w, const CAPACITY: usize = LAYERS> {
    section: Section<'w>,
    position: usize,
    caches: [Cache; CAPACITY],
}

impl<'w, const CAPACITY: usize> Stage<'w, CAPACITY> {
    /// A stage of the partition that has seen no input yet.
    ///
    /// # Errors
    /// When the partition has no stage `index`, or it has more layers than
    /// `CAPACITY`.
    pub fn new(weights: Weights<'w>, partition: Partition, index: usize) -> Result<Self, PlacementError> {
        let section = Section::new(weights, partition, index).ok_or(PlacementError::NoSuchStage)?;
        if section.layers.len() > CAPACITY {
            return Err(PlacementError::TooManyLayers);
        }
        Ok(Self { section, position: 0, caches: [const { Cache::EMPTY }; CAPACITY] })
    }

    /// How many inputs the stage has taken; the next one has this position.
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Takes the input of the next position and gives the stage's output.
    ///
    /// The first stage takes tokens, all others activations; the last one
    /// gives the token that follows, all others activations. Only the last
    /// stage reads `sampling`. While the prompt goes in, the tokens that come
    /// out are predictions of the prompt and usually dropped.
    ///
    /// # Errors
    /// On an input of the wrong kind or a full context; the stage is
    /// unchanged then.
    pub fn advance(&mut self, input: &Signal, sampling: &Sampling) -> Result<Signal, StageError> {
        let output = self.section.run(&mut self.caches, self.position, input, sampling)?;
        // Below CONTEXT, or the run would have failed.
        self.position = self.position.saturating_add(1);
        Ok(output)
    }

    /// What the stage remembers of its first `position` inputs, as bytes: what
    /// [`Stage::restore`] takes. Nothing if it has not taken so many.
    pub fn memory(&self, position: usize) -> impl Iterator<Item = u8> + '_ {
        let caches = self.caches.iter().take(self.section.layers.len()).filter(move |_| position <= self.position);
        caches.flat_map(move |cache| cache.rows(position)).flatten().map(|element| element.cast_unsigned())
    }

    /// Goes on as if the stage had taken the `position` inputs after which
    /// `memory` was made. The bytes are believed: check their digest.
    ///
    /// # Errors
    /// When they are too few or too many; the stage has taken nothing then.
    pub fn restore(&mut self, position: usize, memory: &[u8]) -> Result<(), MemoryError> {
        self.truncate(0);
        let mut bytes = memory.iter();
        let caches = self.caches.iter_mut().take(self.section.layers.len());
        let mut filled = position <= CONTEXT;
        for element in caches.flat_map(|cache| cache.rows_mut(position)).flatten() {
            match bytes.next() {
                Some(byte) => *element = byte.cast_signed(),
                None => filled = false,
            }
        }
        self.position = position.min(CONTEXT);
        if filled && bytes.next().is_none() {
            return Ok(());
        }
        self.truncate(0);
        Err(MemoryError)
    }

    /// Goes back to an earlier position, as if nothing had been taken since.
    /// Does nothing if the stage has not reached that position.
    pub fn truncate(&mut self, position: usize) {
        if position < self.position {
            self.position = position;
            self.caches.iter_mut().for_each(|cache| cache.truncate(position));
        }
    }
}

/// What a stage computes, apart from its memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section<'w> {
    weights: Weights<'w>,
    layers: Range<usize>,
}

impl<'w> Section<'w> {
    pub(crate) fn new(weights: Weights<'w>, partition: Partition, index: usize) -> Option<Self> {
        let layers = partition.layers(index)?;
        Some(Self { weights, layers })
    }

    /// The layers of the model that this section runs.
    pub(crate) fn layers(&self) -> Range<usize> {
        self.layers.clone()
    }

    /// Computes one position; `caches` are those of the section's layers.
    ///
    /// # Errors
    /// As [`Stage::advance`], with the caches unchanged.
    pub(crate) fn run(
        &self,
        caches: &mut [Cache],
        position: usize,
        input: &Signal,
        sampling: &Sampling,
    ) -> Result<Signal, StageError> {
        if position >= CONTEXT {
            return Err(StageError::ContextFull);
        }
        let mut residual = self.accept(input)?;
        let layers = self.weights.layers.iter().skip(self.layers.start).take(self.layers.len());
        for (weights, cache) in layers.zip(caches) {
            layer::run(weights, cache, position, &mut residual);
        }
        if self.layers.end == LAYERS {
            let logits = decoder::logits(&self.weights, &residual);
            Ok(Signal::Token(decoder::choose(&logits, sampling, position)))
        } else {
            Ok(Signal::Activation(Activation::within_limits(residual)))
        }
    }

    fn accept(&self, input: &Signal) -> Result<[i32; WIDTH], StageError> {
        match (self.layers.start, input) {
            (0, Signal::Token(token)) => Ok(embed(&self.weights, *token)),
            (0, Signal::Activation(_)) => Err(StageError::TokenExpected),
            (_, Signal::Activation(activation)) => Ok(*activation.elements()),
            (_, Signal::Token(_)) => Err(StageError::ActivationExpected),
        }
    }
}

/// The residual row with which a token enters the model.
pub(crate) fn embed(weights: &Weights<'_>, token: Token) -> [i32; WIDTH] {
    // Added to nothing: this is what bounds the first residual row.
    weights.embedding.row(token.id().into()).map(|element| accumulated(0, element))
}

/// Why a stage cannot be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlacementError {
    /// The partition has fewer stages.
    NoSuchStage,
    /// The stage has more layers than there is room for.
    TooManyLayers,
}

/// Bytes that are no stage's memory of so many inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryError;

/// Why a stage refuses an input. Its state is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageError {
    /// The first stage was given an activation.
    TokenExpected,
    /// A later stage was given a token.
    ActivationExpected,
    /// The sequence already holds [`CONTEXT`] positions.
    ContextFull,
}

impl fmt::Display for PlacementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchStage => "the partition has no such stage",
            Self::TooManyLayers => "the stage has more layers than there is room for",
        })
    }
}

impl fmt::Display for StageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TokenExpected => "the first stage takes tokens",
            Self::ActivationExpected => "only the first stage takes tokens",
            Self::ContextFull => "the context is full",
        })
    }
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes are not the memory of so many inputs")
    }
}

impl core::error::Error for MemoryError {}
impl core::error::Error for PlacementError {}
impl core::error::Error for StageError {}
