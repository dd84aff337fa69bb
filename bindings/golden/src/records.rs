//! Vote records of member 1.

use butterfly_kernel::agreement::Durable;
use butterfly_kernel::chain::Head;
use butterfly_kernel::crypto::Tag;
use butterfly_kernel::message::agreement::CommitCertificate;
use butterfly_kernel::node::Role;
use butterfly_kernel::types::{Stage, View};

use crate::damage::{encode, encodings};
use crate::story::{Story, certificate, claimed};
use crate::vector::{Reason, Shape, Vector, Verdict};
use crate::{Crypto, Record};

/// Records, good and bad.
pub fn vectors(story: &Story) -> Vec<Vector> {
    let first = Record::first();
    let view_change = in_a_view_change(story);
    let learner = Record { role: Role::Learner, head: head(story), agreement: Durable::fresh(), payload: None };
    let accepted = |name, about, record: &Record| Vector::accepted(name, Shape::Record, about, encode(record));
    let mut vectors = vec![
        accepted("record", "What provisioning writes: nothing was signed.", &first),
        accepted("record_voted", "Epoch 1: voted for the leader's proposal, which is its own.", &voted(story)),
        accepted("record_in_a_view_change", "Epoch 2: in view 1, after a vote and a commit in view 0.", &view_change),
        accepted("record_learner", "Lost its record and followed to epoch 1.", &learner),
    ];
    let damaged = vectors.iter().filter(|vector| ["record", "record_in_a_view_change"].contains(&&*vector.name));
    let damaged: Vec<Vector> = damaged.flat_map(|vector| encodings(vector, &story.cluster)).collect();
    vectors.extend(damaged);
    vectors.extend(refused(story, &view_change));
    vectors
}

fn head(story: &Story) -> Head<Crypto> {
    Head::Decided(story.first.decided.clone())
}

/// Member 1 leads view 0 of epoch 1.
fn voted(story: &Story) -> Record {
    let proposal = story.proposal(story.first.epoch, story.first.ballot(0));
    let agreement = Durable { view: View(0), voted: Some(proposal.clone()), locked: None, proposed: Some(proposal) };
    Record { role: Role::Replica, head: Head::Genesis, agreement, payload: Some(story.first.payload.clone()) }
}

fn in_a_view_change(story: &Story) -> Record {
    let (epoch, ballot) = (story.second.epoch, story.second.ballot(0));
    let votes = story.certify_ballot(&[0, 1, 3], Tag::Vote, epoch, &ballot);
    let agreement = Durable {
        view: View(1),
        voted: Some(story.proposal(epoch, ballot)),
        locked: Some(CommitCertificate { ballot, votes }),
        proposed: None,
    };
    Record { role: Role::Replica, head: head(story), agreement, payload: Some(story.second.payload.clone()) }
}

fn refused(story: &Story, genuine: &Record) -> Vec<Vector> {
    let refused = |name, about, verdict, alter: &dyn Fn(&mut Record)| {
        let mut record = genuine.clone();
        alter(&mut record);
        Vector::refused(name, Shape::Record, about, verdict, encode(&record))
    };
    let mut unsure = story.first.decided.clone();
    unsure.certificate.signatures =
        story.certify_ballot(&[0, 1, 2], Tag::Vote, story.first.epoch, &unsure.certificate.ballot);
    let abroad = Story::foreign();
    vec![
        refused(
            "record_too_few_votes",
            "Its last decided epoch has three votes of four.",
            (Reason::TooFewSignatures, Verdict::Head),
            &|record| record.head = Head::Decided(unsure.clone()),
        ),
        refused(
            "record_foreign_head",
            "Its last decided epoch is another cluster's.",
            (Reason::ForeignCluster, Verdict::Head),
            &|record| record.head = head(&abroad),
        ),
        refused(
            "record_uncertified_payload",
            "A stage of its payload has one attestation of two.",
            (Reason::TooFewSignatures, Verdict::Payload),
            &|record| {
                let statement = claimed(&story.cluster, &story.second.payload, Stage(0));
                if let Some(payload) = &mut record.payload {
                    payload.certificates[0] = certificate([0], &statement);
                }
            },
        ),
    ]
}
