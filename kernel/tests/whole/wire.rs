//! The wire: one encoding for each message, and nothing else is accepted.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::cluster::byzantine::Behaviour;
use crate::cluster::generations::{admit, signed};
use crate::cluster::{Action, Crypto, Network, TestEnvelope, World, request};
use butterfly_kernel::assignment::Profile;
use butterfly_kernel::crypto::ed25519::Ed25519;
use butterfly_kernel::message::{Envelope, Kind};
use butterfly_kernel::node::Record;
use butterfly_kernel::types::Resilience;
use butterfly_kernel::wire::{self, WireError};
use proptest::prelude::*;

/// Messages of every kind, from a run that had a use for each.
fn samples() -> &'static Vec<(Kind, Vec<u8>)> {
    static SAMPLES: OnceLock<Vec<(Kind, Vec<u8>)>> = OnceLock::new();
    SAMPLES.get_or_init(|| {
        let mut world = World::new(7, 11, Network::WILD);
        world.behave(3, Behaviour::Equivocate);
        world.behave(6, Behaviour::Silent);
        let asked = request(&world.cluster, 1, &[1, 2, 3], 32);
        world.submit(0, asked);
        assert!(world.run(600_000_000, |world| world.all_committed(8)));
        let troubled = [world.samples, of_a_member_that_lost_its_disk()];
        let kinds = troubled.iter().flatten();
        kinds
            .flat_map(|(kind, envelopes)| {
                envelopes.iter().map(|envelope| (*kind, postcard::to_stdvec(envelope).unwrap()))
            })
            .collect()
    })
}

/// A member is wiped in the middle of a request, and one has something to say.
fn of_a_member_that_lost_its_disk() -> BTreeMap<Kind, Vec<TestEnvelope>> {
    let mut world = World::new(4, 12, Network::CALM);
    let asked = request(&world.cluster, 1, &[1, 2, 3], 40);
    world.submit(0, asked);
    // It waits for the end of the request.
    let newcomer = world.expect_newcomer();
    let change = signed(&world.cluster, admit(newcomer, Resilience::largest(5).unwrap()));
    world.order(3, change).unwrap();
    assert!(world.run(1_000_000, |world| world.all_committed(3)));
    let now = world.now;
    world.at(now + 1, 2, Action::Wipe);
    world.at(now + 2, 2, Action::Restart);
    world.revise(1, Profile::with_speed(0)).unwrap();
    assert!(world.run(60_000_000, |world| world.text().len() == 40));
    world.samples
}

/// What is accepted is the encoding of what it means.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(envelope) = wire::decode::<TestEnvelope>(bytes) {
        prop_assert_eq!(postcard::to_stdvec(&envelope).unwrap(), bytes);
    }
    if let Ok(envelope) = wire::decode::<Envelope<Ed25519<4>, 4>>(bytes) {
        prop_assert_eq!(postcard::to_stdvec(&envelope).unwrap(), bytes);
    }
    if let Ok(record) = wire::decode::<Record<Crypto>>(bytes) {
        prop_assert_eq!(postcard::to_stdvec(&record).unwrap(), bytes);
    }
    Ok(())
}

#[test]
fn every_kind_round_trips_and_refuses_trailing_bytes() {
    for kind in Kind::ALL {
        assert!(samples().iter().any(|(other, _)| *other == kind), "the run had no {}", kind.name());
    }
    for (_, bytes) in samples() {
        let envelope = wire::decode::<TestEnvelope>(bytes).unwrap();
        assert_eq!(wire::encoded_len(&envelope), bytes.len());
        let mut buffer = vec![0; bytes.len()];
        assert_eq!(wire::encode(&envelope, &mut buffer).unwrap(), bytes);
        assert_eq!(wire::encode(&envelope, &mut buffer[1..]), Err(WireError::NoRoom));
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(wire::decode::<TestEnvelope>(&longer), Err(WireError::TrailingBytes));
        for length in 0..bytes.len() {
            assert!(wire::decode::<TestEnvelope>(&bytes[..length]).is_err(), "a beginning is not a message");
        }
    }
}

#[test]
fn an_overlong_integer_is_refused_in_every_kind() {
    // Every message that names its epoch in one byte can name it in two.
    let mut tried = 0;
    for (_, bytes) in samples() {
        for at in 0..bytes.len() {
            if bytes[at] & 0x80 != 0 {
                continue;
            }
            let longer = [&bytes[..at], &[bytes[at] | 0x80, 0], &bytes[at + 1..]].concat();
            match wire::decode::<TestEnvelope>(&longer) {
                Err(WireError::NotCanonical) => tried += 1,
                Err(_) => {}
                Ok(envelope) => assert_eq!(postcard::to_stdvec(&envelope).unwrap(), longer),
            }
        }
    }
    assert!(tried > samples().len(), "most messages hold an integer that can be written overlong");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        check(&bytes)?;
    }

    #[test]
    fn damaged_messages_never_panic(
        pick in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        keep_length in any::<bool>(),
    ) {
        let mut bytes = pick.get(samples()).1.clone();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if !keep_length {
            bytes.truncate(cut.index(bytes.len()));
        }
        check(&bytes)?;
    }
}
