//! Commit proofs.

use butterfly_kernel::crypto::Tag;
use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::proof::Step;

use crate::damage::{encode, encodings, swap_signers};
use crate::story::{Chapter, Story};
use crate::vector::{Reason, Shape, Vector, Verdict};
use crate::{CommitProof, Crypto};

/// Proofs, good and bad.
pub fn vectors(story: &Story) -> Vec<Vector> {
    let both = proof(story, &[&story.first, &story.second], 0);
    let accepted = |name, about, proof: &CommitProof| Vector::accepted(name, Shape::CommitProof, about, encode(proof));
    let mut vectors = vec![
        accepted("proof", "All eight tokens: two epochs, three commits for the second.", &both),
        accepted("proof_of_the_first_epoch", "Four tokens, by four votes.", &proof(story, &[&story.first], 0)),
        accepted("proof_of_the_last_epoch", "The other four, by three commits.", &proof(story, &[&story.second], 4)),
    ];
    let damaged = encodings(&vectors[0], &story.cluster);
    vectors.extend(damaged);
    vectors.extend(refused(story, &both));
    vectors
}

/// That the cluster committed what `chapters` add, `committed` tokens before them.
fn proof(story: &Story, chapters: &[&Chapter], committed: u16) -> CommitProof {
    let (first, last) = (chapters[0], chapters[chapters.len() - 1]);
    let step = |chapter: &&Chapter| Step::<Crypto> {
        tokens: chapter.payload.tokens.clone(),
        state: chapter.decided.header.state,
    };
    CommitProof {
        request: story.request.clone(),
        committed,
        first: first.epoch,
        previous: first.decided.header.previous,
        steps: chapters.iter().map(step).collect(),
        certificate: last.decided.certificate.clone(),
    }
}

fn refused(story: &Story, genuine: &CommitProof) -> Vec<Vector> {
    let refused = |name, about, verdict, alter: &dyn Fn(&mut CommitProof)| {
        let mut proof = genuine.clone();
        alter(&mut proof);
        Vector::refused(name, Shape::CommitProof, about, verdict, encode(&proof))
    };
    let signed =
        |tag, signers: &[u8]| story.certify_ballot(signers, tag, story.second.epoch, &genuine.certificate.ballot);
    let abroad = Story::foreign();
    let certificate = |reason| (reason, Verdict::Certificate);
    vec![
        refused("proof_of_nothing", "No epoch.", (Reason::Empty, Verdict::Shape), &|proof| proof.steps.clear()),
        refused("proof_of_too_much", "Nine tokens of eight.", (Reason::OutOfBounds, Verdict::Shape), &|proof| {
            proof.committed = 1;
        }),
        refused("proof_other_token", "Another token.", (Reason::Mismatch, Verdict::Value), &|proof| {
            proof.steps[0].tokens[0] ^= 1;
        }),
        refused(
            "proof_other_epoch",
            "The epochs are numbered one higher.",
            (Reason::Mismatch, Verdict::Value),
            &|proof| {
                proof.first = proof.first.next();
            },
        ),
        refused(
            "proof_other_request",
            "The client signed another request.",
            (Reason::OtherStatement, Verdict::Request),
            &|proof| {
                proof.request.request.tokens = 9;
            },
        ),
        refused("proof_too_few_commits", "Two commits of three.", certificate(Reason::TooFewSignatures), &|proof| {
            proof.certificate.signatures = signed(Tag::Commit, &[0, 1]);
        }),
        refused("proof_too_many_commits", "Four commits of three.", certificate(Reason::TooManySignatures), &|proof| {
            proof.certificate.signatures = signed(Tag::Commit, &[0, 1, 2, 3]);
        }),
        refused(
            "proof_swapped_signers",
            "Two commits under each other's names.",
            certificate(Reason::SwappedSigners),
            &|proof| {
                proof.certificate.signatures = swap_signers(&proof.certificate.signatures);
            },
        ),
        refused(
            "proof_votes_for_commits",
            "Three votes in place of commits.",
            certificate(Reason::OtherTag),
            &|proof| {
                proof.certificate.signatures = signed(Tag::Vote, &[0, 1, 3]);
            },
        ),
        refused(
            "proof_commits_for_votes",
            "The commits stand for votes of the fast path.",
            certificate(Reason::OtherTag),
            &|proof| {
                proof.certificate.path = Path::Fast;
            },
        ),
        Vector::refused(
            "proof_foreign_cluster",
            Shape::CommitProof,
            "Genuine in a cluster that runs another model.",
            (Reason::ForeignCluster, Verdict::Request),
            encode(&proof(&abroad, &[&abroad.first, &abroad.second], 0)),
        ),
    ]
}
