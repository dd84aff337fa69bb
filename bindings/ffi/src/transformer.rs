//! Stages of the integer transformer that `butterfly` nodes run, with the
//! weights that come with it.

use std::sync::{Arc, Mutex, MutexGuard};

use butterfly_workload::{
    CONTEXT, LAYERS, Partition, Sampling as Choice, Signal as Activations, Stage, Temperature, Token, VOCABULARY,
    Weights, manifest, tokenizer,
};

use crate::Error;
use crate::roster::Model;
use crate::surface::{Digest, Sampling};

/// One stage of the transformer and its cache: a pure function of the inputs
/// that it took.
#[derive(uniffi::Object)]
pub struct TransformerStage {
    stage: Mutex<Box<Stage<'static>>>,
}

#[uniffi::export]
impl TransformerStage {
    /// Stage `index` of layers that are cut behind each of `cut`, as a `Work`
    /// names them. It has taken no input yet.
    #[uniffi::constructor]
    pub fn new(cut: Vec<u8>, index: u8) -> Result<Arc<TransformerStage>, Error> {
        let partition = Partition::behind(cut).map_err(refused)?;
        let stage = Stage::new(Weights::embedded(), partition, usize::from(index)).map_err(refused)?;
        Ok(Arc::new(TransformerStage { stage: Mutex::new(Box::new(stage)) }))
    }

    /// How many inputs it took.
    pub fn position(&self) -> Result<u16, Error> {
        Ok(u16::try_from(self.lock()?.position()).unwrap_or(u16::MAX))
    }

    /// Takes the next input and gives the output there. An input that it cannot
    /// take changes nothing.
    pub fn advance(&self, input: &[u8], sampling: Sampling) -> Result<Vec<u8>, Error> {
        let input = read(input)?;
        let output = self.lock()?.advance(&input, &choice(sampling)).map_err(refused)?;
        Ok(write(&output))
    }

    /// Goes back to a position, as if nothing had been taken since.
    pub fn truncate(&self, position: u16) -> Result<(), Error> {
        self.lock()?.truncate(usize::from(position));
        Ok(())
    }
}

impl TransformerStage {
    fn lock(&self) -> Result<MutexGuard<'_, Box<Stage<'static>>>, Error> {
        self.stage.lock().map_err(|_| Error::Broken)
    }
}

/// What a roster says of the transformer, cut into `stages`, 1 to 4.
#[uniffi::export(default(tokens_per_epoch = 4))]
pub fn transformer_model(stages: u8, tokens_per_epoch: u8) -> Result<Model, Error> {
    Partition::even(usize::from(stages)).map_err(refused)?;
    Ok(Model {
        manifest: Digest(manifest(&Weights::embedded())),
        layers: small(LAYERS),
        stages,
        vocabulary: small(VOCABULARY),
        context: u16::try_from(CONTEXT).unwrap_or(u16::MAX),
        signal: u16::try_from(Activations::MAX_BYTES).unwrap_or(u16::MAX),
        tokens_per_epoch,
    })
}

/// The tokens of a text, which may have printable ASCII and newlines.
#[uniffi::export]
pub fn tokens_of_text(text: String) -> Result<Vec<u8>, Error> {
    let tokens: Result<Vec<u8>, _> = tokenizer::encode(&text).map(|token| token.map(Token::id)).collect();
    tokens.map_err(|error| Error::Malformed { reason: error.to_string() })
}

/// The text of tokens.
#[uniffi::export]
pub fn text_of_tokens(tokens: Vec<u8>) -> Result<String, Error> {
    let character = |token: u8| {
        let known = Token::try_from(token);
        known.map(tokenizer::decode).map_err(|_| Error::Malformed { reason: format!("{token} is no token") })
    };
    tokens.into_iter().map(character).collect()
}

/// To the protocol a token is one byte, its id; the model's own encoding has a
/// mark in front of it. Any other signal is the model's encoding.
fn read(signal: &[u8]) -> Result<Activations, Error> {
    match signal {
        [token] => {
            let known = Token::try_from(*token);
            known.map(Activations::Token).map_err(|_| Error::Stage { reason: format!("{token} is no token") })
        }
        _ => Activations::read(signal).map_err(refused),
    }
}

fn write(signal: &Activations) -> Vec<u8> {
    match signal {
        Activations::Token(token) => vec![token.id()],
        Activations::Activation(_) => signal.write(&mut [0; Activations::MAX_BYTES]).to_vec(),
    }
}

fn choice(sampling: Sampling) -> Choice {
    match sampling {
        Sampling::Greedy => Choice::Greedy,
        Sampling::Seeded { seed, temperature } => Temperature::from_256ths(temperature)
            // No temperature at all leaves the most likely token only.
            .map_or(Choice::Greedy, |temperature| Choice::Seeded { seed, temperature }),
    }
}

fn small(count: usize) -> u8 {
    u8::try_from(count).unwrap_or(u8::MAX)
}

fn refused(error: impl std::error::Error) -> Error {
    Error::Stage { reason: error.to_string() }
}
