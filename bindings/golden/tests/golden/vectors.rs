//! Every vector is what it says: to the kernel, and to a reader that knows
//! nothing but SHA-256 and Ed25519.

use std::collections::BTreeSet;

use butterfly_golden::evidence::faults;
use butterfly_golden::files::families;
use butterfly_golden::generated::TYPES;
use butterfly_golden::judge::judge;
use butterfly_golden::story::{Story, member_key};
use butterfly_golden::vector::{Reason, Shape, Vector, Verdict};
use butterfly_golden::{Envelope, digests};
use butterfly_kernel::message::Kind;
use butterfly_kernel::wire;
use ed25519_dalek::Signature;
use sha2::{Digest, Sha256};

fn vectors() -> (Story, Vec<Vector>) {
    let story = Story::new();
    let vectors = families(&story).into_iter().flat_map(|(_, family)| family.vectors).collect();
    (story, vectors)
}

#[test]
fn the_kernel_makes_of_each_vector_what_it_says() {
    let (story, vectors) = vectors();
    for vector in &vectors {
        assert_eq!(judge(&story.cluster, vector.shape, &vector.bytes), vector.verdict, "{}", vector.name);
        assert_eq!(vector.reason.is_none(), vector.verdict == Verdict::Accepted, "{}", vector.name);
    }
    let names: BTreeSet<&String> = vectors.iter().map(|vector| &vector.name).collect();
    assert_eq!(names.len(), vectors.len(), "a name stands once");
}

#[test]
fn every_kind_of_message_is_there_good_and_bad() {
    let (_, vectors) = vectors();
    for kind in Kind::ALL {
        let first = vectors.iter().find(|vector| vector.name == kind.name()).expect("the first vector of a kind");
        let envelope: Envelope = wire::decode(&first.bytes).unwrap();
        assert_eq!((envelope.message.kind(), first.verdict), (kind, Verdict::Accepted));
        let of_kind = vectors.iter().filter(|vector| vector.name.starts_with(&format!("{}_", kind.name())));
        let reasons: BTreeSet<Reason> = of_kind.filter_map(|vector| vector.reason).collect();
        let common = [
            Reason::Truncated,
            Reason::TrailingByte,
            Reason::OverlongInteger,
            Reason::WrongSignature,
            Reason::MalleableSignature,
            Reason::WrongAuthor,
            Reason::UnknownAuthor,
            Reason::OtherTag,
            Reason::ForeignCluster,
        ];
        assert!(reasons.is_superset(&common.into()), "{} lacks some of them: {reasons:?}", kind.name());
    }
}

#[test]
fn every_fault_has_its_evidence() {
    let drawn = TYPES.iter().find(|wire_type| wire_type.name == "fault").unwrap();
    let (_, coverage) = (drawn.generate)(drawn.name, 64);
    let faults = faults(&Story::new());
    assert_eq!(coverage.variants("Fault").len(), faults.len());
    assert_eq!(faults.iter().map(|fault| fault.name()).collect::<BTreeSet<_>>().len(), faults.len());
}

#[test]
fn another_language_can_check_every_statement() {
    let (story, vectors) = vectors();
    let mut checked = 0;
    for vector in vectors.iter().filter(|vector| vector.shape == Shape::Envelope) {
        let Some(statement) = &vector.statement else {
            assert_ne!(vector.verdict, Verdict::Accepted, "{} is accepted and lacks its statement", vector.name);
            continue;
        };
        assert_eq!(statement.preimage[0], statement.tag, "{}", vector.name);
        assert_eq!(statement.preimage[1..33], story.cluster.id().0, "{}", vector.name);
        assert_eq!(Sha256::digest(&statement.preimage)[..], statement.digest, "{}", vector.name);
        let signature: [u8; 64] = vector.bytes[vector.bytes.len() - 64..].try_into().unwrap();
        let key = member_key(vector.bytes[0]).verifying_key();
        let signature = Signature::from_bytes(&signature);
        assert!(key.verify_strict(&statement.digest, &signature).is_ok(), "{}", vector.name);
        checked += 1;
    }
    assert!(checked >= Kind::ALL.len());
}

#[test]
fn every_tag_has_a_digest() {
    let story = Story::new();
    let vectors = digests::vectors(&story);
    let tags: Vec<u8> = vectors.iter().map(|vector| vector.statement.tag).collect();
    assert_eq!(tags, (1..=digests::TAGS.len() as u8).collect::<Vec<_>>(), "tags are numbered without a gap");
    for vector in &vectors {
        assert_eq!(Sha256::digest(&vector.statement.preimage)[..], vector.statement.digest, "{}", vector.name);
    }
    assert_eq!(vectors[0].statement.digest, story.cluster.id().0, "the id is the digest of the roster");
}
