//! Commit proofs.

use butterfly_kernel::crypto::Tag;
use butterfly_kernel::message::Payload;
use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::message::inference::Tokens;
use butterfly_kernel::proof::{Added, Step};

use crate::damage::{encode, encodings, swap_signers};
use crate::story::{Chapter, Story};
use crate::vector::{Reason, Shape, Vector, Verdict};
use crate::{CommitProof, Crypto, Digest};

/// Proofs, good and bad.
pub fn vectors(story: &Story) -> Vec<Vector> {
    let both = proof(&[&story.first, &story.second], 0);
    let accepted = |name, about, proof: &CommitProof| Vector::accepted(name, Shape::CommitProof, about, encode(proof));
    let interrupted = proof(&[&story.third, &story.readmission, &story.fourth], 0);
    let mut vectors = vec![
        accepted("proof", "All eight tokens: two epochs, three commits for the second.", &both),
        accepted("proof_of_the_first_epoch", "Four tokens, by four votes.", &proof(&[&story.first], 0)),
        accepted("proof_of_the_last_epoch", "The other four, by three commits.", &proof(&[&story.second], 4)),
        accepted(
            "proof_with_a_readmission",
            "All eight tokens of the second request, a member admitted between.",
            &interrupted,
        ),
    ];
    let damaged = encodings(&vectors[0], &story.cluster);
    vectors.extend(damaged);
    vectors.extend(refused(story, &both));
    vectors.extend(refused_between(&interrupted));
    vectors
}

/// That the cluster committed what `chapters` add, `committed` tokens before them.
fn proof(chapters: &[&Chapter], committed: u16) -> CommitProof {
    let (first, last) = (chapters[0], chapters[chapters.len() - 1]);
    let step = |chapter: &&Chapter| Step { added: added(chapter), state: chapter.decided.header.state };
    CommitProof {
        request: first.work().request.clone(),
        committed,
        first: first.epoch,
        previous: first.decided.header.previous,
        steps: chapters.iter().map(step).collect(),
        certificate: last.decided.certificate.clone(),
    }
}

/// What an epoch added to the request.
fn added(chapter: &Chapter) -> Added<Crypto> {
    match &chapter.payload {
        Payload::Work(work) => Added::Tokens(work.tokens.clone()),
        Payload::Notice(_) | Payload::Change(_) => Added::Nothing(chapter.decided.header.increment),
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
            proof.steps[0].added = Added::Tokens([11, 11, 12, 13].into_iter().collect());
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
            encode(&proof(&[&abroad.first, &abroad.second], 0)),
        ),
    ]
}

/// What is wrong about the epoch between two that add tokens.
fn refused_between(genuine: &CommitProof) -> Vec<Vector> {
    let refused = |name, about, verdict, alter: &dyn Fn(&mut CommitProof)| {
        let mut proof = genuine.clone();
        alter(&mut proof);
        Vector::refused(name, Shape::CommitProof, about, verdict, encode(&proof))
    };
    let mismatch = (Reason::Mismatch, Verdict::Value);
    vec![
        refused("proof_without_the_readmission", "The epoch between is left out.", mismatch, &|proof| {
            proof.steps.remove(1);
        }),
        refused("proof_other_readmission", "Another member was admitted.", mismatch, &|proof| {
            proof.steps[1].added = Added::Nothing(Digest([7; 32]));
        }),
        refused("proof_tokens_as_a_readmission", "Tokens stand as if they were none.", mismatch, &|proof| {
            proof.steps[0].added = proof.steps[1].added.clone();
        }),
        refused("proof_of_no_tokens", "An epoch adds an empty list.", (Reason::Empty, Verdict::Shape), &|proof| {
            proof.steps[1].added = Added::Tokens(Tokens::new());
        }),
    ]
}
