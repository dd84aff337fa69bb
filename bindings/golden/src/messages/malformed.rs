//! Bytes that describe no message: collections, options, variants and
//! integers outside what their types allow.

use butterfly_kernel::bounded::Map;
use butterfly_kernel::message::inference::{MAX_HISTORY, Sampling};
use butterfly_kernel::message::{Kind, Notice};
use butterfly_kernel::types::{
    CHECKPOINTS_KEPT, MAX_CONTEXT, MAX_SIGNAL, MAX_STAGES, MAX_TOKENS_PER_EPOCH, MAX_VOTERS, NodeId,
};

use super::samples;
use crate::damage::{encode, replace};
use crate::story::{Story, revision, signal};
use crate::vector::{Reason, Shape, Vector, Verdict};
use crate::{Message, Signature};

/// A variant that no enum has.
const NO_VARIANT: u8 = 0x7f;

/// All of them. Parts are found by their encoding, so that a change of the
/// wire elsewhere leaves these vectors what they say they are.
pub(super) fn vectors(story: &Story) -> Vec<Vector> {
    let refused = |(name, about, reason, bytes): (&str, &str, Reason, Vec<u8>)| {
        Vector::refused(name, Shape::Envelope, about, (reason, Verdict::Malformed), bytes)
    };
    let cases = [too_many(story), maps(story), variants(story), integers(story)];
    cases.into_iter().flatten().map(refused).collect()
}

type Case = (&'static str, &'static str, Reason, Vec<u8>);

/// The encoding of the sample called `name`.
fn encoded(story: &Story, kind: Kind, name: &str) -> (Message, Vec<u8>) {
    let sample = samples(story, kind).into_iter().find(|sample| sample.name == name).expect("a sample of that name");
    let bytes = encode(&story.envelope(sample.from, sample.message.clone()));
    (sample.message, bytes)
}

fn too_many(story: &Story) -> Vec<Case> {
    let (_, output) = encoded(story, Kind::StageOutput, "stage_output");
    let (_, forward) = encoded(story, Kind::Forward, "forward");
    let (_, attest) = encoded(story, Kind::Attest, "attest_tokens");
    let (_, payload) = encoded(story, Kind::Payload, "payload");
    let (_, history) = encoded(story, Kind::History, "history");
    let (_, decided) = encoded(story, Kind::Decided, "decided_readmission");
    let work = story.first.work();
    let signals: Vec<Vec<u8>> = (0..3).map(|position| signal(position).to_vec()).collect();
    let active = story.readmission.decided.state.active.as_ref().expect("a request is under way");
    let mut links = work.links.to_vec();
    links.resize(MAX_STAGES + 2, links[0]);
    let mut certificates = work.certificates.to_vec();
    certificates.resize(MAX_STAGES + 1, certificates[0].clone());
    let mut crowd = Map::<NodeId, Signature, { MAX_VOTERS + 1 }>::new();
    let (_, signature) = work.certificates[0].iter().next().expect("a certificate has signatures");
    for (member, _) in (0..).zip(0..=MAX_VOTERS) {
        crowd.insert(NodeId(member), signature.clone()).expect("there is room for one too many");
    }
    let many = Reason::TooManyElements;
    let counted = |length: usize, byte: u8| encode(&vec![byte; length]);
    vec![
        (
            "signal_too_long",
            "A signal of 321 bytes.",
            many,
            replace(&output, &encode(&signal(2)[..]), &counted(MAX_SIGNAL + 1, 0xa5)),
        ),
        (
            "prompt_too_long",
            "A prompt of 257 tokens.",
            many,
            replace(&forward, &encode(&story.request.request.prompt), &counted(MAX_CONTEXT + 1, 1)),
        ),
        (
            "too_many_tokens",
            "An epoch that adds 17 tokens.",
            many,
            replace(&attest, &encode(&work.tokens), &counted(MAX_TOKENS_PER_EPOCH + 1, 1)),
        ),
        ("too_many_links", "Ten links.", many, replace(&payload, &encode(&work.links), &encode(&links))),
        (
            "too_many_certificates",
            "Certificates of nine stages.",
            many,
            replace(&payload, &encode(&work.certificates), &encode(&certificates)),
        ),
        (
            "too_many_signers",
            "A certificate by 17 members.",
            many,
            replace(&payload, &encode(&work.certificates[0]), &encode(&crowd)),
        ),
        (
            "too_many_signals",
            "Five signals of one history.",
            many,
            replace(&history, &encode(&signals), &encode(&vec![&signals[0]; MAX_HISTORY + 1])),
        ),
        (
            "too_many_checkpoints",
            "Eleven checkpoints.",
            many,
            replace(
                &decided,
                &encode(&active.checkpoints),
                &encode(&vec![active.checkpoints[0]; CHECKPOINTS_KEPT + 1]),
            ),
        ),
        (
            "count_beyond_the_end",
            "A count that the bytes do not hold.",
            Reason::Truncated,
            replace(&attest, &encode(&work.tokens), &[&[16], &work.tokens[..]].concat()),
        ),
    ]
}

fn maps(story: &Story) -> Vec<Case> {
    let (_, payload) = encoded(story, Kind::Payload, "payload");
    let (request, cert_request) = encoded(story, Kind::CertRequest, "cert_request");
    let signatures = &story.first.work().certificates[0];
    let signed: Vec<Vec<u8>> = signatures.iter().map(|entry| encode(&entry)).collect();
    let reported: Vec<Vec<u8>> = match &request {
        Message::Agreement { message: crate::AgreementMessage::CertRequest(request), .. } => {
            request.reports.iter().map(|entry| encode(&entry)).collect()
        }
        _ => Vec::new(),
    };
    let swapped = |bytes: &[u8], entries: &[Vec<u8>]| {
        replace(bytes, &entries[..2].concat(), &[&entries[1][..], &entries[0]].concat())
    };
    let twice = |bytes: &[u8], entries: &[Vec<u8>]| {
        replace(bytes, &entries[..2].concat(), &[&entries[0][..], &entries[0]].concat())
    };
    vec![
        ("unsorted_signers", "Signers in falling order.", Reason::UnsortedMap, swapped(&payload, &signed)),
        ("repeated_signer", "One signer twice.", Reason::RepeatedKey, twice(&payload, &signed)),
        ("unsorted_reports", "Reports in falling order.", Reason::UnsortedMap, swapped(&cert_request, &reported)),
        ("repeated_report", "One report twice.", Reason::RepeatedKey, twice(&cert_request, &reported)),
    ]
}

fn variants(story: &Story) -> Vec<Case> {
    let (message, pull) = encoded(story, Kind::Pull, "pull");
    let (vote, voted) = encoded(story, Kind::Vote, "vote");
    let (_, forward) = encoded(story, Kind::Forward, "forward");
    let (_, decided) = encoded(story, Kind::Decided, "decided");
    let (fetch, fetched) = encoded(story, Kind::Fetch, "fetch");
    let (_, revise) = encoded(story, Kind::Revise, "revise");
    let (_, payload) = encoded(story, Kind::Payload, "payload_readmission");
    let state = encode(&story.first.decided.state);
    let (notice, noticed) = (encode(&Notice::Revise(revision())), encode(&story.readmission.payload));
    let begin = |part: &[u8]| [&[NO_VARIANT], &part[1..]].concat();
    let end = |part: &[u8], byte: u8| [&part[..part.len() - 1], &[byte]].concat();
    let inner = match &vote {
        Message::Agreement { message, .. } => encode(message),
        _ => Vec::new(),
    };
    let request = &story.request.request;
    assert_eq!(request.sampling, Sampling::Greedy, "the request ends with a variant that has no fields");
    let request = encode(request);
    let certificate = encode(&story.first.decided.certificate);
    let fetch = encode(&fetch);
    vec![
        ("unknown_message", "A message that does not exist.", Reason::UnknownVariant, {
            let part = encode(&message);
            replace(&pull, &part, &begin(&part))
        }),
        (
            "unknown_agreement_message",
            "A message of agreement that does not exist.",
            Reason::UnknownVariant,
            replace(&voted, &inner, &begin(&inner)),
        ),
        (
            "unknown_sampling",
            "A way to choose tokens that does not exist.",
            Reason::UnknownVariant,
            replace(&forward, &request, &end(&request, NO_VARIANT)),
        ),
        (
            "unknown_path",
            "A path that does not exist.",
            Reason::UnknownVariant,
            replace(&decided, &certificate, &begin(&certificate)),
        ),
        (
            "unknown_notice",
            "A notice that does not exist.",
            Reason::UnknownVariant,
            replace(&revise, &notice, &begin(&notice)),
        ),
        (
            "unknown_payload",
            "A payload that does not exist.",
            Reason::UnknownVariant,
            replace(&payload, &noticed, &begin(&noticed)),
        ),
        (
            "boolean_of_two",
            "The state ends with a boolean that is 2.",
            Reason::Boolean,
            replace(&decided, &state, &end(&state, 2)),
        ),
        (
            "option_mark",
            "An option that begins with 2.",
            Reason::OptionMark,
            replace(&fetched, &fetch, &end(&fetch, 2)),
        ),
    ]
}

fn integers(story: &Story) -> Vec<Case> {
    let (_, vote) = encoded(story, Kind::Vote, "vote_largest");
    let (_, output) = encoded(story, Kind::StageOutput, "stage_output_longest");
    let large = Reason::IntegerTooLarge;
    let beyond = |bytes: &[u8], largest: Vec<u8>| {
        let (last, front) = largest.split_last().expect("an integer has bytes");
        // The lowest bit that the type does not have.
        replace(bytes, &largest, &[front, &[last + 1]].concat())
    };
    vec![
        ("epoch_too_large", "An epoch of 65 bits.", large, beyond(&vote, encode(&u64::MAX))),
        ("view_too_large", "A view of 33 bits.", large, beyond(&vote, encode(&u32::MAX))),
        ("position_too_large", "A position of 17 bits.", large, beyond(&output, encode(&u16::MAX))),
    ]
}
