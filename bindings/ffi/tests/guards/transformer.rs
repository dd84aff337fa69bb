//! Stages of the integer transformer, and texts.

use butterfly_ffi::Error;
use butterfly_ffi::surface::Sampling;
use butterfly_ffi::transformer::{TransformerStage, text_of_tokens, tokens_of_text, transformer_model};

fn stage(cut: &[u8], index: u8) -> Result<std::sync::Arc<TransformerStage>, Error> {
    TransformerStage::new(cut.to_vec(), index)
}

#[test]
fn stages_that_are_none_are_refused() {
    let refused = |outcome: Result<_, Error>| matches!(outcome, Err(Error::Stage { .. }));
    for (cut, index) in [(&[4][..], 1), (&[], 0), (&[0, 4], 0), (&[3, 2, 4], 0), (&[2, 5], 0), (&[2], 0)] {
        assert!(refused(stage(cut, index)), "{cut:?}, {index}");
    }
    for stages in [0, 5, 255] {
        assert!(matches!(transformer_model(stages, 4), Err(Error::Stage { .. })));
    }
    let model = transformer_model(3, 2).unwrap();
    assert_eq!((model.stages, model.tokens_per_epoch, model.layers, model.vocabulary), (3, 2, 4, 96));
}

#[test]
fn an_input_that_cannot_be_taken_changes_nothing() {
    let (first, last) = (stage(&[2, 4], 0).unwrap(), stage(&[2, 4], 1).unwrap());
    let signal = first.advance(&[5], Sampling::Greedy).unwrap();
    for (stage, wrong) in [(&first, vec![]), (&first, vec![200]), (&first, signal.clone()), (&last, vec![5])] {
        let before = stage.position().unwrap();
        assert!(matches!(stage.advance(&wrong, Sampling::Greedy), Err(Error::Stage { .. })), "{wrong:?}");
        assert_eq!(stage.position().unwrap(), before);
    }
    assert!(matches!(last.advance(&signal[1..], Sampling::Greedy), Err(Error::Stage { .. })));
    assert_eq!(last.advance(&signal, Sampling::Greedy).unwrap().len(), 1);
    // Back to the beginning, and the same again.
    first.truncate(0).unwrap();
    assert_eq!(first.position().unwrap(), 0);
    assert_eq!(first.advance(&[5], Sampling::Greedy).unwrap(), signal);
}

#[test]
fn no_temperature_leaves_the_most_likely_token() {
    let token = |sampling| {
        let whole = stage(&[4], 0).unwrap();
        let prompt = tokens_of_text("Return the ".into()).unwrap();
        prompt.iter().map(|token| whole.advance(&[*token], sampling).unwrap()).next_back().unwrap()
    };
    let greedy = token(Sampling::Greedy);
    assert_eq!(token(Sampling::Seeded { seed: 1, temperature: 0 }), greedy);
    let drawn = (0..20).map(|seed| token(Sampling::Seeded { seed, temperature: 2_000 }));
    assert!(drawn.into_iter().any(|token| token != greedy));
}

#[test]
fn a_context_that_is_full_takes_nothing_more() {
    let whole = stage(&[1, 4], 0).unwrap();
    let context = transformer_model(1, 4).unwrap().context;
    for _ in 0..context {
        whole.advance(&[1], Sampling::Greedy).unwrap();
    }
    assert!(matches!(whole.advance(&[1], Sampling::Greedy), Err(Error::Stage { .. })));
    assert_eq!(whole.position().unwrap(), context);
}

#[test]
fn texts_have_the_characters_that_there_are() {
    let text = "Return the ~\n";
    assert_eq!(text_of_tokens(tokens_of_text(text.into()).unwrap()).unwrap(), text);
    assert!(matches!(tokens_of_text("caffè".into()), Err(Error::Malformed { .. })));
    assert!(matches!(text_of_tokens(vec![1, 200]), Err(Error::Malformed { .. })));
}
