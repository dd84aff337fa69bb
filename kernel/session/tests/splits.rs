//! However a stream of bytes is cut, and whatever is said on it, what arrives
//! is what was sent.

mod world;

use proptest::collection::vec;
use proptest::prelude::*;
use world::{Connected, End, Said, connect};

const FRAME: usize = 700;
/// Few, so that keys change within a conversation.
const LIFE: u32 = 7;

#[derive(Clone, Debug)]
enum Act {
    Say(usize),
    SayNothing,
    ChangeKey,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0_usize..3_000).prop_map(Act::Say),
        1 => Just(Act::SayNothing),
        1 => Just(Act::ChangeKey),
    ]
}

fn text(number: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at + number) % 256).unwrap()).collect()
}

/// Messages put together again.
fn put_together(said: Vec<Said>) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    let mut parts: Vec<u8> = Vec::new();
    for said in said {
        match said {
            Said::Message(bytes) => messages.push(bytes),
            Said::Chunk { total, offset, bytes } => {
                assert_eq!(usize::try_from(offset).unwrap(), parts.len());
                parts.extend(bytes);
                if usize::try_from(total).unwrap() == parts.len() {
                    messages.push(std::mem::take(&mut parts));
                }
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(parts.is_empty());
    messages
}

fn converse(from: &mut End<FRAME, LIFE>, to: &mut End<FRAME, LIFE>, acts: &[Act], cuts: &[usize]) {
    let (mut bytes, mut sent) = (Vec::new(), Vec::new());
    for (number, act) in acts.iter().enumerate() {
        match act {
            Act::Say(length) => {
                sent.push(text(number, *length));
                bytes.extend(from.say(&text(number, *length)));
            }
            Act::SayNothing => bytes.extend(from.nothing()),
            Act::ChangeKey => from.session.change_key(),
        }
    }
    let (mut rest, mut said) = (&bytes[..], Vec::new());
    for cut in cuts.iter().cycle() {
        let (now, later) = rest.split_at((*cut).min(rest.len()));
        said.extend(to.hear(now).unwrap());
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    assert_eq!(put_together(said), sent);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_arrives_is_what_was_sent(
        there in vec(act(), 1..12),
        back in vec(act(), 1..12),
        cuts in vec(1_usize..900, 1..20),
        seed in any::<u64>(),
    ) {
        let Connected { mut initiator, mut responder, .. } = connect::<FRAME, LIFE>(seed);
        converse(&mut initiator, &mut responder, &there, &cuts);
        converse(&mut responder, &mut initiator, &back, &cuts);
        converse(&mut initiator, &mut responder, &there, &cuts);
    }
}
