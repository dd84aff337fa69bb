//! Drawn values: what they reach is checked wherever they are made; here is
//! that few of them do not reach it, and that each of them counts.

use butterfly_golden::generated::TYPES;

#[test]
fn a_few_values_do_not_reach_everything() {
    let payload = TYPES.iter().find(|wire_type| wire_type.name == "payload").unwrap();
    let (_, coverage) = (payload.generate)(payload.name, 4);
    let missing = coverage.missing();
    assert!(missing.iter().any(|missing| missing.contains("never full")), "{missing:?}");
    let message = TYPES.iter().find(|wire_type| wire_type.name == "message").unwrap();
    let (_, coverage) = (message.generate)(message.name, 4);
    let missing = coverage.missing();
    assert!(missing.iter().any(|missing| missing.starts_with("Message::")), "{missing:?}");
}

#[test]
fn a_change_of_one_value_changes_the_digest() {
    for wire_type in &TYPES {
        let digest = |cases| (wire_type.generate)(wire_type.name, cases).0.sha256;
        assert_eq!(digest(16), digest(16), "{}: drawn the same again", wire_type.name);
        assert_ne!(digest(16), digest(17), "{}: every case counts", wire_type.name);
    }
}
