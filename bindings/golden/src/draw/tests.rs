use std::collections::BTreeMap;

use butterfly_kernel::bounded::Map;
use butterfly_kernel::types::Resilience;
use serde::{Deserialize, Serialize};

use super::*;

#[test]
fn the_numbers_are_those_of_the_paper() {
    // The first outputs of SplitMix64 for the seed 1234567, as published with
    // the reference implementations of several languages.
    let mut random = Random::new(1_234_567);
    let numbers = [
        6_457_827_717_110_365_317,
        3_203_168_211_198_807_973,
        9_817_491_932_198_370_423,
        4_593_380_528_125_082_431,
        16_408_922_859_458_223_821,
    ];
    assert_eq!(numbers.map(|_| random.number()), numbers);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Fruit {
    Fig,
    Pair(u8, u64),
    Bowl { fruits: heapless::Vec<u16, 3>, kernels: Map<u8, Option<bool>, 5> },
}

#[test]
fn a_case_depends_on_its_number_only() {
    let mut cases = Cases::default();
    let all: Vec<Fruit> = (0..500).map(|number| cases.draw(number)).collect();
    for number in [499, 3, 77, 0] {
        let alone: Fruit = Cases::default().draw(number);
        assert_eq!(alone, all[number as usize]);
    }
}

#[test]
fn cases_reach_everything_and_a_few_do_not() {
    let mut cases = Cases::default();
    let mut lengths = BTreeMap::new();
    for number in 0..1_000 {
        if let Fruit::Bowl { fruits, .. } = cases.draw(number) {
            *lengths.entry(fruits.len()).or_insert(0) += 1;
        }
    }
    assert_eq!(cases.coverage().missing(), Default::default());
    assert_eq!(lengths.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(cases.coverage().variants("Fruit").len(), 3);

    let mut few = Cases::default();
    let _: Fruit = few.draw(0);
    assert!(!few.coverage().missing().is_empty(), "one case has one variant");
}

#[test]
fn what_a_type_refuses_is_drawn_again() {
    let mut cases = Cases::default();
    let drawn: Vec<Resilience> = (0..200).map(|number| cases.draw(number)).collect();
    assert!(drawn.iter().any(|resilience| resilience.f() > 0), "more than one valid set of numbers is drawn");
}
