//! Stages behave the same however the layers are cut, survive going back, and
//! refuse wrong inputs without changing.

use butterfly_workload::{
    Activation, CONTEXT, LAYERS, MemoryError, Partition, PlacementError, Sampling, Signal, Stage, StageError,
    Temperature, Token, WIDTH, Weights, reference, tokenizer,
};
use proptest::prelude::*;

const SEEDED: Sampling = Sampling::Seeded { seed: 7, temperature: Temperature::NEUTRAL };

fn tokens(text: &str) -> Vec<Token> {
    tokenizer::encode(text).map(Result::unwrap).collect()
}

/// Boxed, because all together they are larger than a test's stack.
fn pipeline(stages: usize) -> Vec<Box<Stage<'static>>> {
    let partition = Partition::even(stages).unwrap();
    (0..stages).map(|index| Box::new(Stage::new(Weights::embedded(), partition, index).unwrap())).collect()
}

/// One token through all stages, each signal by way of its bytes.
fn advance(stages: &mut [Box<Stage<'_>>], token: Token, sampling: &Sampling) -> Token {
    let mut buffer = [0; Signal::MAX_BYTES];
    let mut signal = Signal::Token(token);
    for stage in stages {
        signal = stage.advance(&signal, sampling).unwrap();
        signal = Signal::read(signal.write(&mut buffer)).unwrap();
    }
    match signal {
        Signal::Token(token) => token,
        Signal::Activation(_) => panic!("the last stage gave no token"),
    }
}

fn continuation(stages: usize, prompt: &[Token], length: usize, sampling: &Sampling) -> Vec<Token> {
    let mut stages = pipeline(stages);
    let mut next = Token::NEWLINE;
    for token in prompt {
        next = advance(&mut stages, *token, sampling);
    }
    let mut continuation = vec![next];
    while continuation.len() < length {
        next = advance(&mut stages, next, sampling);
        continuation.push(next);
    }
    continuation
}

#[test]
fn the_number_of_stages_does_not_change_the_output() {
    let prompt = tokens("The following ");
    for sampling in [Sampling::Greedy, SEEDED] {
        let expected = continuation(1, &prompt, 40, &sampling);
        for stages in 1..=LAYERS {
            assert_eq!(continuation(stages, &prompt, 40, &sampling), expected, "{stages} stages");
            let partition = Partition::even(stages).unwrap();
            let generation = reference::generate(Weights::embedded(), partition, &prompt, sampling).unwrap();
            assert_eq!(generation.take(40).collect::<Vec<_>>(), expected, "reference, {stages} stages");
        }
    }
}

#[test]
fn the_reference_ends_with_the_context() {
    let generate = |prompt: &[Token]| {
        reference::generate(Weights::embedded(), Partition::even(1).unwrap(), prompt, Sampling::Greedy)
    };
    assert_eq!(generate(&[]).unwrap_err(), reference::PromptError::Empty);
    assert_eq!(generate(&[Token::NEWLINE; CONTEXT + 1]).unwrap_err(), reference::PromptError::TooLong);
    // The token after a full context is known, but nothing can follow it.
    assert_eq!(generate(&[Token::NEWLINE; CONTEXT]).unwrap().count(), 1);
    assert_eq!(generate(&[Token::NEWLINE; CONTEXT - 5]).unwrap().count(), 6);
}

#[test]
fn the_seed_decides_what_is_drawn() {
    let seeds = [1, 2, 3].map(|seed| {
        let sampling = Sampling::Seeded { seed, temperature: Temperature::NEUTRAL };
        continuation(1, &tokens("When "), 32, &sampling)
    });
    assert_ne!(seeds[0], seeds[1]);
    assert_ne!(seeds[1], seeds[2]);
}

#[test]
fn a_stage_needs_room_for_its_layers() {
    let weights = Weights::embedded();
    let halves = Partition::even(2).unwrap();
    assert_eq!(Stage::<'_, 1>::new(weights, halves, 0).unwrap_err(), PlacementError::TooManyLayers);
    assert_eq!(Stage::<'_, 2>::new(weights, halves, 2).unwrap_err(), PlacementError::NoSuchStage);
    assert!(Stage::<'_, 2>::new(weights, halves, 1).is_ok());
}

#[test]
fn wrong_inputs_are_refused_without_a_change() {
    let token = Signal::Token(Token::NEWLINE);
    let activation = Signal::Activation(Activation::new([1; WIDTH]).unwrap());
    let mut stages = pipeline(3);
    advance(&mut stages, tokens("a")[0], &SEEDED);
    let before = stages.clone();

    assert_eq!(stages[0].advance(&activation, &SEEDED), Err(StageError::TokenExpected));
    assert_eq!(stages[1].advance(&token, &SEEDED), Err(StageError::ActivationExpected));
    assert_eq!(stages[2].advance(&token, &SEEDED), Err(StageError::ActivationExpected));
    assert!(stages == before);
}

#[test]
fn a_full_context_is_refused_without_a_change() {
    let mut stage: Stage<'_, 1> = Stage::new(Weights::embedded(), Partition::even(4).unwrap(), 0).unwrap();
    let token = Signal::Token(Token::NEWLINE);
    for position in 0..CONTEXT {
        assert_eq!(stage.position(), position);
        stage.advance(&token, &Sampling::Greedy).unwrap();
    }
    let before = stage.clone();
    assert_eq!(stage.advance(&token, &Sampling::Greedy), Err(StageError::ContextFull));
    assert!(stage == before);
    stage.truncate(CONTEXT - 1);
    assert!(stage.advance(&token, &Sampling::Greedy).is_ok());
    assert!(stage == before);
}

#[test]
fn a_memory_is_restored_as_it_was_and_anything_else_is_refused() {
    let mut stage: Stage<'_> = Stage::new(Weights::embedded(), Partition::behind([1, 4]).unwrap(), 0).unwrap();
    for id in 0..9 {
        stage.advance(&Signal::Token(Token::try_from(id).unwrap()), &Sampling::Greedy).unwrap();
    }
    let memory: Vec<u8> = stage.memory(6).collect();
    assert_eq!(stage.memory(10).count(), 0, "it has not taken so many");
    let mut restored = stage.clone();
    restored.restore(6, &memory).unwrap();
    let mut truncated = stage.clone();
    truncated.truncate(6);
    assert!(restored == truncated);
    for wrong in [&memory[1..], &[&memory[..], &[0]].concat(), &[]] {
        assert_eq!(restored.restore(6, wrong), Err(MemoryError));
        assert_eq!(restored.position(), 0);
    }
    assert_eq!(restored.restore(CONTEXT + 1, &memory), Err(MemoryError));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn going_back_and_on_is_the_same_as_never_having_left(
        stages in 1..=LAYERS,
        common in prop::collection::vec(0_u8..96, 1..12),
        abandoned in prop::collection::vec(0_u8..96, 1..12),
        taken in prop::collection::vec(0_u8..96, 1..12),
    ) {
        let feed = |pipeline: &mut [Box<Stage<'_>>], ids: &[u8]| -> Vec<Token> {
            ids.iter().map(|id| advance(pipeline, Token::try_from(*id).unwrap(), &SEEDED)).collect()
        };
        let mut straight = pipeline(stages);
        feed(&mut straight, &common);
        let mut returning = straight.clone();

        feed(&mut returning, &abandoned);
        for stage in &mut returning {
            stage.truncate(common.len());
            // There is nothing to go back from.
            stage.truncate(common.len() + 1);
        }
        prop_assert!(returning == straight);
        prop_assert_eq!(feed(&mut returning, &taken), feed(&mut straight, &taken));
        prop_assert!(returning == straight);
    }
}
