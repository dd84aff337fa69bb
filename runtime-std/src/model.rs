//! The model that the cluster runs, in the kernel's terms.

use anyhow::{Context, Result};
use butterfly_kernel::assignment::{Layers, Placement};
use butterfly_kernel::cluster::{Assignment, Model as Terms};
use butterfly_kernel::message::inference::{self, Sampling};
use butterfly_kernel::types::Stage;
use butterfly_workload::tokenizer::UnknownCharacter;
use butterfly_workload::{
    CONTEXT, LAYERS, Partition, Signal, Temperature, Token, VOCABULARY, Weights, manifest, reference, tokenizer,
};

use crate::executor::{Model, StageError, StageMemory};

/// How `demo` and `reference` choose tokens: a draw at a low temperature reads
/// better than the most likely token, which soon repeats itself. The seed is
/// part of the request, so every run gives the same text.
pub const SAMPLING: Sampling = Sampling::Seeded { seed: 7, temperature: 128 };

/// A checkpoint is taken at the first epoch boundary after this many positions.
const CHECKPOINT_INTERVAL: u16 = 10;

/// The integer transformer with the weights that come with the crate.
#[derive(Clone, Copy, Debug)]
pub struct Transformer {
    stages: usize,
}

impl Transformer {
    /// Cut into as many stages as the layers and `nodes` allow.
    ///
    /// # Errors
    /// When there are no nodes.
    pub fn for_nodes(nodes: usize) -> Result<Transformer> {
        Transformer::in_stages(nodes.min(LAYERS))
    }

    /// Cut into `stages`.
    ///
    /// # Errors
    /// When the layers cannot be cut so.
    pub fn in_stages(stages: usize) -> Result<Transformer> {
        Partition::even(stages)?;
        Ok(Transformer { stages })
    }

    /// What the roster says about the model.
    ///
    /// # Errors
    /// When a number of the model is beyond what a roster can say.
    pub fn terms(&self, tokens_per_epoch: u8) -> Result<Terms> {
        Ok(Terms {
            manifest: manifest(&Weights::embedded()),
            stages: u8::try_from(self.stages)?,
            context: u16::try_from(CONTEXT)?,
            vocabulary: u8::try_from(VOCABULARY)?,
            signal: u16::try_from(Signal::MAX_BYTES)?,
            tokens_per_epoch,
            checkpoint_interval: CHECKPOINT_INTERVAL,
        })
    }

    /// What the roster says about who runs which layers, when `members` are
    /// alike: they take turns.
    ///
    /// # Errors
    /// When the model has more layers than can be planned for.
    pub fn assignment(&self, members: usize) -> Result<Assignment> {
        let layers = Layers::even(u8::try_from(LAYERS)?, u32::try_from(Signal::MAX_BYTES)?)?;
        Ok(Assignment { layers, ..Assignment::in_turn(members, 1)? })
    }

    /// The text that a single machine puts behind `prompt`.
    ///
    /// # Errors
    /// When the prompt is not one for this model.
    pub fn continue_alone(&self, prompt: &[u8], tokens: usize) -> Result<Vec<u8>> {
        let prompt: Vec<Token> = prompt.iter().map(|token| Token::try_from(*token)).collect::<Result<_, _>>()?;
        let generated =
            reference::generate(Weights::embedded(), Partition::even(self.stages)?, &prompt, in_model_terms(SAMPLING))?;
        Ok(generated.take(tokens).map(Token::id).collect())
    }
}

/// The tokens of `text`, as the kernel sees them.
///
/// # Errors
/// The first character that the model does not know.
pub fn tokens_of(text: &str) -> Result<Vec<u8>, UnknownCharacter> {
    tokenizer::encode(text).map(|token| token.map(Token::id)).collect()
}

/// The text of `tokens`; what is no token becomes a replacement character.
pub fn text_of(tokens: impl IntoIterator<Item = u8>) -> String {
    let character = |token| Token::try_from(token).map_or(char::REPLACEMENT_CHARACTER, tokenizer::decode);
    tokens.into_iter().map(character).collect()
}

impl Model for Transformer {
    type Memory = Box<butterfly_workload::Stage<'static>>;

    fn begin(&self, placement: &Placement, stage: Stage) -> Result<Self::Memory, StageError> {
        let ends = placement.stages().map(|stage| placement.layers(stage).end);
        let partition = Partition::behind(ends).map_err(|_| StageError)?;
        let stage = butterfly_workload::Stage::new(Weights::embedded(), partition, stage.index());
        stage.map(Box::new).map_err(|_| StageError)
    }
}

impl StageMemory for Box<butterfly_workload::Stage<'static>> {
    fn position(&self) -> usize {
        butterfly_workload::Stage::position(self)
    }

    fn truncate(&mut self, position: usize) {
        butterfly_workload::Stage::truncate(self, position);
    }

    fn save(&self, position: usize) -> Vec<u8> {
        self.memory(position).collect()
    }

    fn restore(&mut self, position: usize, saved: &[u8]) -> Result<(), StageError> {
        butterfly_workload::Stage::restore(self, position, saved).map_err(|_| StageError)
    }

    fn advance(&mut self, input: &[u8], sampling: Sampling) -> Result<inference::Signal, StageError> {
        let output = butterfly_workload::Stage::advance(self, &read(input)?, &in_model_terms(sampling));
        write(&output.map_err(|_| StageError)?)
    }
}

/// To the protocol a token is one byte, its id; the model's own encoding has a
/// mark in front of it. Any other signal is the model's encoding.
fn read(signal: &[u8]) -> Result<Signal, StageError> {
    match signal {
        [token] => Token::try_from(*token).map(Signal::Token).map_err(|_| StageError),
        _ => Signal::read(signal).map_err(|_| StageError),
    }
}

fn write(signal: &Signal) -> Result<inference::Signal, StageError> {
    match signal {
        Signal::Token(token) => inference::Signal::from_slice(&[token.id()]),
        Signal::Activation(_) => inference::Signal::from_slice(signal.write(&mut [0; Signal::MAX_BYTES])),
    }
    .map_err(|_| StageError)
}

fn in_model_terms(sampling: Sampling) -> butterfly_workload::Sampling {
    match sampling {
        Sampling::Greedy => butterfly_workload::Sampling::Greedy,
        Sampling::Seeded { seed, temperature } => match Temperature::from_256ths(temperature) {
            Some(temperature) => butterfly_workload::Sampling::Seeded { seed, temperature },
            // No temperature at all leaves the most likely token only.
            None => butterfly_workload::Sampling::Greedy,
        },
    }
}

/// The prompt of `text`, checked against what the model can take.
///
/// # Errors
/// Says what is wrong with it and what would do.
pub fn prompt_of(text: &str, tokens: usize) -> Result<Vec<u8>> {
    let prompt =
        tokens_of(text).context("the model knows printable ASCII and newlines; write the prompt with those")?;
    anyhow::ensure!(!prompt.is_empty(), "the prompt is empty; the model continues a text of at least one character");
    anyhow::ensure!(tokens > 0, "no tokens were asked for; ask for at least one");
    anyhow::ensure!(
        prompt.len() + tokens <= CONTEXT,
        "a prompt of {} characters and {tokens} tokens do not fit into a context of {CONTEXT}; \
         shorten the prompt or ask for at most {} tokens",
        prompt.len(),
        CONTEXT.saturating_sub(prompt.len())
    );
    Ok(prompt)
}
