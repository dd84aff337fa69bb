//! Vote records of member 1, and what the worker writes down.

use butterfly_kernel::agreement::Durable;
use butterfly_kernel::chain::Head;
use butterfly_kernel::crypto::Tag;
use butterfly_kernel::message::agreement::CommitCertificate;
use butterfly_kernel::message::notice::SignedNotice;
use butterfly_kernel::message::{Notice, Payload};
use butterfly_kernel::node::Role;
use butterfly_kernel::types::{NodeId, Stage, View};

use crate::Record;
use crate::damage::{encode, encodings};
use crate::story::{LEARNER, Story, WORKER, certificate, claimed, readmit, sign_notice};
use crate::vector::{Reason, Shape, Vector, Verdict};

/// Records, good and bad.
pub fn vectors(story: &Story) -> Vec<Vector> {
    let first = Record::first(Role::Replica);
    let view_change = in_a_view_change(story);
    let learner = Record { role: Role::Learner, head: story.first.head(), agreement: Durable::fresh(), payload: None };
    let worker = Record { head: story.readmission.head(), ..Record::first(Role::Worker) };
    let accepted = |name, about, record: &Record| Vector::accepted(name, Shape::Record, about, encode(record));
    let mut vectors = vec![
        accepted("record", "What provisioning writes: nothing was signed.", &first),
        accepted("record_voted", "Epoch 1: voted for the leader's proposal, which is its own.", &voted(story)),
        accepted("record_in_a_view_change", "Epoch 2: in view 1, after a vote and a commit in view 0.", &view_change),
        accepted(
            "record_voted_for_a_notice",
            "Epoch 5: voted for its own proposal to admit a member again.",
            &voted_for_a_notice(story),
        ),
        accepted("record_learner", "Lost its record and followed to epoch 1.", &learner),
        accepted("record_worker", "Member 4 has never voted, and followed to epoch 5.", &worker),
    ];
    let damaged = vectors.iter().filter(|vector| ["record", "record_in_a_view_change"].contains(&&*vector.name));
    let damaged: Vec<Vector> = damaged.flat_map(|vector| encodings(vector, &story.cluster)).collect();
    vectors.extend(damaged);
    vectors.extend(refused(story, &view_change));
    vectors
}

/// Member 1 leads view 0 of epoch 1.
fn voted(story: &Story) -> Record {
    let proposal = story.proposal(story.first.epoch, story.first.ballot(0));
    let agreement = Durable { view: View(0), voted: Some(proposal.clone()), locked: None, proposed: Some(proposal) };
    Record { role: Role::Replica, head: Head::Genesis, agreement, payload: Some(story.first.payload.clone()) }
}

/// Member 1 leads view 0 of epoch 5.
fn voted_for_a_notice(story: &Story) -> Record {
    let proposal = story.proposal(story.readmission.epoch, story.readmission.ballot(0));
    let agreement = Durable { view: View(0), voted: Some(proposal.clone()), locked: None, proposed: Some(proposal) };
    let payload = Some(story.readmission.payload.clone());
    Record { role: Role::Replica, head: story.third.head(), agreement, payload }
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
    Record { role: Role::Replica, head: story.first.head(), agreement, payload: Some(story.second.payload.clone()) }
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
            &|record| record.head = abroad.first.head(),
        ),
        refused(
            "record_uncertified_payload",
            "A stage of its payload has one attestation of two.",
            (Reason::TooFewSignatures, Verdict::Payload),
            &|record| {
                let statement = claimed(&story.cluster, story.second.work(), Stage(0));
                if let Some(Payload::Work(work)) = &mut record.payload {
                    work.certificates[0] = certificate([0], &statement);
                }
            },
        ),
        refused(
            "record_other_notice",
            "Its payload is a notice that another member signed.",
            (Reason::WrongAuthor, Verdict::Payload),
            &|record| {
                let signed = sign_notice(&story.cluster, WORKER, Notice::Readmit(readmit()));
                record.payload = Some(Payload::Notice(SignedNotice { member: NodeId(LEARNER), ..signed }));
            },
        ),
    ]
}
