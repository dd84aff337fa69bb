//! Evidence of every kind, all of it against member 2.

use butterfly_kernel::crypto::{Scheme, Tag};
use butterfly_kernel::message::agreement::{Ballot, Report};
use butterfly_kernel::message::inference::Claim;
use butterfly_kernel::proof::{Fault, SignedBallot};
use butterfly_kernel::types::{NodeId, Stage, View};

use crate::damage::{encode, encodings};
use crate::story::{Story, certificate, member_key};
use crate::vector::{Reason, Shape, Vector, Verdict};
use crate::{Crypto, Digest, Evidence, Signature};

const ACCUSED: u8 = 2;

/// Evidence, good and bad.
pub fn vectors(story: &Story) -> Vec<Vector> {
    let abroad = faults(&Story::foreign());
    let mut vectors = Vec::new();
    for (fault, foreign) in faults(story).into_iter().zip(abroad) {
        let name = format!("evidence_{}", fault.name());
        let evidence =
            |accused, fault: &Fault<Crypto>| encode(&Evidence { accused: NodeId(accused), fault: fault.clone() });
        let accepted = Vector::accepted(&name, Shape::Evidence, about(&fault), evidence(ACCUSED, &fault));
        let refused = |what: &str, about, reason, verdict, bytes| {
            Vector::refused(&format!("{name}_{what}"), Shape::Evidence, about, (reason, verdict), bytes)
        };
        let damaged = encodings(&accepted, &story.cluster);
        vectors.push(accepted);
        vectors.extend(damaged);
        vectors.extend([
            refused(
                "other_member",
                "Member 1 is blamed for it.",
                Reason::WrongAuthor,
                Verdict::Signature,
                evidence(1, &fault),
            ),
            refused(
                "foreign_cluster",
                "Genuine in a cluster that runs another model.",
                Reason::ForeignCluster,
                Verdict::Signature,
                evidence(ACCUSED, &foreign),
            ),
            refused(
                "no_contradiction",
                "The same statement twice.",
                Reason::NoContradiction,
                Verdict::NoContradiction,
                evidence(ACCUSED, &harmless(fault)),
            ),
        ]);
    }
    vectors.extend(attestations(story));
    vectors
}

/// What the accused did. A new fault does not compile before it stands here.
fn about(fault: &Fault<Crypto>) -> &'static str {
    match fault {
        Fault::Proposals { .. } => "Member 2 proposed two values in view 0 of epoch 2.",
        Fault::Votes { .. } => "Member 2 voted for two values in view 0 of epoch 2.",
        Fault::Commits { .. } => "Member 2 committed two values in view 0 of epoch 2.",
        Fault::ViewChanges { .. } => "Member 2 entered view 1 of epoch 2 with two reports.",
        Fault::Attestation { .. } => "Member 2 attested to another output of stage 0 than was certified.",
    }
}

/// Each fault once.
pub fn faults(story: &Story) -> Vec<Fault<Crypto>> {
    let epoch = story.second.epoch;
    let ballots = [story.second.ballot(0), Ballot { view: View(0), value: story.first.ballot(0).value }];
    let signed =
        |tag| ballots.map(|ballot| SignedBallot { ballot, signature: story.sign_ballot(ACCUSED, tag, epoch, &ballot) });
    let ([proposed, other_proposed], [voted, other_voted]) = (signed(Tag::Propose), signed(Tag::Vote));
    let [committed, other_committed] = signed(Tag::Commit);
    vec![
        Fault::Proposals { epoch, first: proposed, second: other_proposed },
        Fault::Votes { epoch, first: voted, second: other_voted },
        Fault::Commits { epoch, first: committed, second: other_committed },
        Fault::ViewChanges {
            epoch,
            view: View(1),
            first: report(story, None),
            second: report(story, Some(story.second.ballot(0))),
        },
        attestation(story, &[0, 1]),
    ]
}

/// What the accused says on entering view 1.
fn report(story: &Story, voted: Option<Ballot<Crypto>>) -> (Report<Crypto>, Signature) {
    let report = Report { voted, locked: None };
    let statement = story.cluster.statement(Tag::ViewChange, &(story.second.epoch, View(1), report));
    (report, Crypto::sign(&member_key(ACCUSED), &statement))
}

/// Another output than `signers` attested.
fn attestation(story: &Story, signers: &[u8]) -> Fault<Crypto> {
    let proven = story.first.work().claim(Stage(0)).expect("a link on both sides of the stage");
    let claim = Claim { output: Digest([7; 32]), ..proven };
    Fault::Attestation {
        claim,
        signature: Crypto::sign(&member_key(ACCUSED), &claim.statement(&story.cluster)),
        certified: proven.output,
        certificate: certificate(signers.iter().copied(), &proven.statement(&story.cluster)),
    }
}

/// The first statement of a fault, twice.
fn harmless(fault: Fault<Crypto>) -> Fault<Crypto> {
    match fault {
        Fault::Proposals { epoch, first, .. } => Fault::Proposals { epoch, second: first.clone(), first },
        Fault::Votes { epoch, first, .. } => Fault::Votes { epoch, second: first.clone(), first },
        Fault::Commits { epoch, first, .. } => Fault::Commits { epoch, second: first.clone(), first },
        Fault::ViewChanges { epoch, view, first, .. } => {
            Fault::ViewChanges { epoch, view, second: first.clone(), first }
        }
        Fault::Attestation { claim, signature, certificate, .. } => {
            Fault::Attestation { certified: claim.output, claim, signature, certificate }
        }
    }
}

fn attestations(story: &Story) -> Vec<Vector> {
    let refused = |name, about, reason, signers: &[u8]| {
        let evidence = Evidence { accused: NodeId(ACCUSED), fault: attestation(story, signers) };
        Vector::refused(name, Shape::Evidence, about, (reason, Verdict::Signature), encode(&evidence))
    };
    vec![
        refused(
            "evidence_attestation_too_few_signatures",
            "One attestation against one.",
            Reason::TooFewSignatures,
            &[0],
        ),
        refused(
            "evidence_attestation_too_many_signatures",
            "Three attestations.",
            Reason::TooManySignatures,
            &[0, 1, 3],
        ),
    ]
}
