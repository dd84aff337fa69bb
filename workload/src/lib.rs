//! The model that a Butterfly cluster runs: a small character transformer in
//! exact integer arithmetic, cut into stages that pass [`Signal`]s along.
//!
//! Every operation is defined to the last bit in `ARITHMETIC.md`, so a stage
//! is a pure function whose result honest nodes can compare by digest on any
//! processor. It is a workload for the protocol, not a useful language model.
//!
//! ```
//! use butterfly_workload::{reference, tokenizer, Partition, Sampling, Weights};
//!
//! let weights = Weights::embedded();
//! let partition = Partition::even(2).unwrap();
//! let prompt: Vec<_> = tokenizer::encode("Return the ").map(Result::unwrap).collect();
//! let text: String = reference::generate(weights, partition, &prompt, Sampling::Greedy)
//!     .unwrap()
//!     .take(16)
//!     .map(tokenizer::decode)
//!     .collect();
//! assert_eq!(text.len(), 16);
//! ```

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::float_arithmetic
    )
)]

#[cfg(test)]
extern crate std;

pub mod arithmetic;
mod decoder;
mod layer;
pub mod manifest;
mod partition;
pub mod reference;
mod signal;
mod stage;
pub mod tokenizer;
mod weights;

pub use decoder::{Sampling, Temperature};
pub use layer::Cache;
pub use manifest::manifest;
pub use partition::{Partition, PartitionError};
pub use signal::{Activation, Signal, SignalError};
pub use stage::{MemoryError, PlacementError, Stage, StageError};
pub use tokenizer::Token;
pub use weights::{Weights, WeightsError};

/// Tokens that a sequence can hold, prompt included; also the number of rows
/// in each key/value cache.
pub const CONTEXT: usize = 256;
/// Number of different [`Token`]s.
pub const VOCABULARY: usize = 96;
/// Layers of the whole model, and so the largest number of stages.
pub const LAYERS: usize = 4;
/// Elements of the residual row that travels between stages.
pub const WIDTH: usize = 96;
/// Attention heads per layer.
pub const HEADS: usize = 4;
/// Elements of a query, key or value of one head.
pub const HEAD_WIDTH: usize = 24;
/// Elements of the feed-forward layer between its two matrices.
pub const HIDDEN: usize = 320;

const _: () = assert!(HEADS * HEAD_WIDTH == WIDTH);
