//! Lines as they are read and written.

use super::*;

const HEADING: &str = r#"{"butterfly_trace":2,"n":4,"f":1,"p":1,"faulty":[3],"order":"per_member","steps":2}"#;
const STEP: &str = concat!(
    r#"{"time":7,"node":2,"step":3,"input":"receive propose","#,
    r#""record":{"epoch":1,"view":0,"voted":{"view":0,"value":"0a"},"locked":null,"proposed":null},"#,
    r#""says":[{"kind":"vote","epoch":1,"view":0,"value":"0a"}],"#,
    r#""commits":[{"epoch":1,"view":0,"path":"fast","value":"0a","signers":[0,1,2]}]}"#,
);

#[test]
fn lines_are_written_as_they_were_read() {
    let heading = Heading::read(HEADING).unwrap();
    assert_eq!(serde_json::to_string(&heading).unwrap(), HEADING);
    let step: Step = serde_json::from_str(STEP).unwrap();
    assert_eq!(serde_json::to_string(&step).unwrap(), STEP);
    assert!(step.has_effects() && !Step::new(7, butterfly_kernel::types::NodeId(2), 1, START.to_owned()).has_effects());
}

#[test]
fn what_is_no_heading_is_told_apart_from_another_version() {
    assert!(matches!(Heading::read(""), Err(NoHeading::NotATrace(_))));
    assert!(matches!(Heading::read("once upon a time"), Err(NoHeading::NotATrace(_))));
    assert!(matches!(Heading::read(STEP), Err(NoHeading::NotATrace(_))));
    let other = HEADING.replace(r#""butterfly_trace":2"#, r#""butterfly_trace":1,"more":true"#);
    assert_eq!(Heading::read(&other), Err(NoHeading::Version(1)));
    for wrong in [HEADING.replace("per_member", "alphabetical"), HEADING.replace(r#""p":1,"#, "")] {
        assert!(matches!(Heading::read(&wrong), Err(NoHeading::Malformed(_))), "{wrong}");
    }
}

#[test]
fn a_field_that_nobody_knows_is_refused() {
    let unknown = STEP.replace(r#""node":2"#, r#""node":2,"mode":3"#);
    assert!(serde_json::from_str::<Step>(&unknown).is_err());
}

#[test]
fn digests_have_all_their_digits() {
    assert_eq!(0x0a_u64.hexadecimal(), "000000000000000a");
    assert_eq!(butterfly_kernel::crypto::ed25519::Digest([0x0a; 32]).hexadecimal(), "0a".repeat(32));
}
