//! Messages that decode and are not genuine.

use butterfly_kernel::bounded::Map;
use butterfly_kernel::crypto::{Scheme, Tag};
use butterfly_kernel::message::agreement::{Ballot, DecisionCertificate, Path, Proposal, ViewChange};
use butterfly_kernel::message::inference::Request;
use butterfly_kernel::message::notice::{Readmit, SignedNotice};
use butterfly_kernel::message::{Envelope, Kind, Notice, Payload, SignedRequest};
use butterfly_kernel::types::{ClientId, Epoch, NodeId, Resilience, Stage, View};

use super::changes::{admission, by, by_token, remove_worker};
use super::{agreement, lock, samples};
use crate::damage::{add_group_order, encode, flip_signature, swap_signers};
use crate::digests::{preimage_of, sha256};
use crate::story::{
    LEARNER, MEMBERS, Story, VOTERS, WORKER, certificate, claimed, member_key, operator_key, plain_request, readmit,
    sign_notice, sign_request,
};
use crate::vector::{Reason, Shape, Vector, Verdict};
use crate::{AgreementMessage, Crypto, Digest, Message, WeakCertificate, Work};

/// The first message of `kind`, with something wrong about its author.
pub(super) fn authors(story: &Story, foreign: &Story, kind: Kind) -> Vec<Vector> {
    let first = |story: &Story| {
        let sample = samples(story, kind).into_iter().next().expect("every kind has a sample");
        story.envelope(sample.from, sample.message)
    };
    let genuine = first(story);
    let bytes = encode(&genuine);
    let from = |member: u8| encode(&Envelope { from: NodeId(member), ..genuine.clone() });
    let other = (genuine.from.0 + 1) % VOTERS;
    let retagged = {
        let mut preimage = preimage_of(&genuine).preimage;
        preimage[0] += 1;
        let signature = Crypto::sign(&member_key(genuine.from.0), &Digest(sha256(&preimage)));
        encode(&Envelope { signature, ..genuine.clone() })
    };
    let (forged, unknown) = (Verdict::Signature, Verdict::Stranger);
    let cases = [
        (
            "wrong_signature",
            "One bit of the author's signature is changed.",
            (Reason::WrongSignature, forged),
            flip_signature(&bytes),
        ),
        (
            "malleable_signature",
            "The author's signature with s + L in place of s.",
            (Reason::MalleableSignature, forged),
            add_group_order(&bytes),
        ),
        ("wrong_author", "Said in another member's name.", (Reason::WrongAuthor, forged), from(other)),
        ("unknown_author", "The author is no member.", (Reason::UnknownAuthor, unknown), from(MEMBERS)),
        ("other_tag", "The author signed the same under the next tag.", (Reason::OtherTag, forged), retagged),
        (
            "foreign_cluster",
            "Genuine in a cluster that runs another model.",
            (Reason::ForeignCluster, forged),
            encode(&first(foreign)),
        ),
    ];
    let name = |what| format!("{}_{what}", kind.name());
    cases
        .map(|(what, about, verdict, bytes)| Vector::refused(&name(what), Shape::Envelope, about, verdict, bytes))
        .into()
}

/// A message whose author is genuine and whose contents are not.
struct Case {
    name: &'static str,
    about: &'static str,
    reason: Reason,
    verdict: Verdict,
    from: u8,
    message: Message,
}

/// Messages by genuine authors with something wrong inside.
pub(super) fn contents(story: &Story) -> Vec<Vector> {
    let cases = [
        forwards(story),
        payloads(story),
        notices(story),
        proposals(story),
        votes(story),
        view_changes(story),
        decisions(story),
        changes(story),
    ];
    let cases = cases.into_iter().flatten();
    cases
        .map(|case| {
            let bytes = encode(&story.envelope(case.from, case.message));
            Vector::refused(case.name, Shape::Envelope, case.about, (case.reason, case.verdict), bytes)
        })
        .collect()
}

fn forwards(story: &Story) -> Vec<Case> {
    let unknown = sign_request(&story.cluster, Request { client: ClientId(1), ..plain_request() });
    let other = SignedRequest { request: Request { sequence: 2, ..plain_request() }, ..story.request.clone() };
    let case = |name, about, reason, verdict, request| Case {
        name,
        about,
        reason,
        verdict,
        from: 0,
        message: Message::Forward(request),
    };
    vec![
        case(
            "forward_unknown_client",
            "The cluster admits one client, number 0.",
            Reason::UnknownAuthor,
            Verdict::Stranger,
            unknown,
        ),
        case(
            "forward_other_request",
            "The client signed another sequence number.",
            Reason::OtherStatement,
            Verdict::Signature,
            other,
        ),
        case(
            "forward_foreign_request",
            "The client signed for another cluster.",
            Reason::ForeignCluster,
            Verdict::Signature,
            Story::foreign().request,
        ),
    ]
}

fn payloads(story: &Story) -> Vec<Case> {
    let genuine = story.first.work();
    let case = |name, about, reason, alter: &dyn Fn(&mut Work)| {
        let mut work = genuine.clone();
        alter(&mut work);
        let message = Message::Payload(Payload::Work(work));
        Case { name, about, reason, verdict: Verdict::Certificate, from: 1, message }
    };
    let statement = |stage| claimed(&story.cluster, genuine, Stage(stage));
    vec![
        case(
            "payload_too_few_signatures",
            "One attestation of stage 1 in place of two.",
            Reason::TooFewSignatures,
            &|work| {
                work.certificates[1] = certificate([0], &statement(1));
            },
        ),
        case(
            "payload_too_many_signatures",
            "Three attestations of stage 1 in place of two.",
            Reason::TooManySignatures,
            &|work| {
                work.certificates[1] = certificate([0, 1, 2], &statement(1));
            },
        ),
        case(
            "payload_swapped_signers",
            "Two attestations under each other's names.",
            Reason::SwappedSigners,
            &|work| {
                work.certificates[0] = swap_signers(&work.certificates[0]);
            },
        ),
        case(
            "payload_other_statement",
            "The certificate of stage 0 stands for stage 1 too.",
            Reason::OtherStatement,
            &|work| {
                work.certificates[1] = work.certificates[0].clone();
            },
        ),
        case("payload_missing_certificate", "One certificate for two stages.", Reason::MissingCertificate, &|work| {
            work.certificates.truncate(1);
        }),
        case("payload_missing_link", "Two links for two stages.", Reason::Mismatch, &|work| work.links.truncate(2)),
        case("payload_other_output", "The last link is not the one that was attested.", Reason::Mismatch, &|work| {
            work.links[2].0[0] ^= 1;
        }),
        case("payload_other_request", "The client signed another request.", Reason::OtherStatement, &|work| {
            work.request.request.tokens = 9;
        }),
    ]
}

fn notices(story: &Story) -> Vec<Case> {
    let readmission = |member| sign_notice(&story.cluster, member, Notice::Readmit(readmit()));
    let case = |name, about, reason, signed| Case {
        name,
        about,
        reason,
        verdict: Verdict::Certificate,
        from: 1,
        message: Message::Payload(Payload::Notice(signed)),
    };
    let next = Notice::Readmit(Readmit { incarnation: 2, ..readmit() });
    vec![
        case(
            "payload_other_member",
            "A notice in the name of a member that did not sign it.",
            Reason::WrongAuthor,
            SignedNotice { member: NodeId(0), ..readmission(LEARNER) },
        ),
        case(
            "payload_unknown_member",
            "A notice of nobody.",
            Reason::UnknownAuthor,
            SignedNotice { member: NodeId(MEMBERS), ..readmission(LEARNER) },
        ),
        case(
            "payload_other_notice",
            "The member signed another incarnation.",
            Reason::OtherStatement,
            SignedNotice { notice: next, ..readmission(LEARNER) },
        ),
        case(
            "payload_foreign_notice",
            "The member signed for another cluster.",
            Reason::ForeignCluster,
            sign_notice(&Story::foreign().cluster, LEARNER, Notice::Readmit(readmit())),
        ),
    ]
}

/// What a worker says although it does not vote.
fn votes(story: &Story) -> Vec<Case> {
    let (epoch, ballot) = (story.first.epoch, story.first.ballot(0));
    let case = |name, about, message| Case {
        name,
        about,
        reason: Reason::NoVoter,
        verdict: Verdict::Stranger,
        from: WORKER,
        message: agreement(epoch, message),
    };
    let change = ViewChange { view: View(1), voted: None, locked: None };
    vec![
        case("vote_of_a_worker", "The author is a member that does not vote.", AgreementMessage::Vote(ballot)),
        case(
            "view_change_of_a_worker",
            "The author is a member that does not vote.",
            AgreementMessage::ViewChange(change),
        ),
    ]
}

fn proposals(story: &Story) -> Vec<Case> {
    let epoch = story.second.epoch;
    let acknowledged =
        |signers: &[u8], tag, ballot: &Ballot<Crypto>| Some(story.certify_ballot(signers, tag, epoch, ballot));
    let (before, after) = (story.second.ballot(0), story.second.ballot(1));
    let other = Ballot { value: story.first.ballot(0).value, ..after };
    let case = |name, about, reason, ballot: Ballot<Crypto>, progress: Option<WeakCertificate>| Case {
        name,
        about,
        reason,
        verdict: Verdict::Certificate,
        from: story.cluster.leader(epoch, ballot.view).0,
        message: agreement(epoch, AgreementMessage::Propose { ballot, progress }),
    };
    let (few, needless) = (acknowledged(&[0], Tag::CertAck, &after), acknowledged(&[0, 1], Tag::CertAck, &before));
    let (many, voted) = (acknowledged(&[0, 1, 2], Tag::CertAck, &after), acknowledged(&[0, 1], Tag::Vote, &after));
    vec![
        case("propose_unjustified", "View 1 needs a progress certificate.", Reason::MissingCertificate, after, None),
        case("propose_overjustified", "View 0 has none.", Reason::NeedlessCertificate, before, needless),
        case(
            "propose_too_few_signatures",
            "One acknowledgement in place of two.",
            Reason::TooFewSignatures,
            after,
            few,
        ),
        case("propose_too_many_signatures", "Three in place of two.", Reason::TooManySignatures, after, many),
        case("propose_votes_for_acks", "Two votes in place of acknowledgements.", Reason::OtherTag, after, voted),
        case(
            "propose_other_ballot",
            "The acknowledgements are for another value.",
            Reason::OtherStatement,
            after,
            acknowledged(&[0, 1], Tag::CertAck, &other),
        ),
    ]
}

fn view_changes(story: &Story) -> Vec<Case> {
    let epoch = story.second.epoch;
    let (before, after) = (story.second.ballot(0), story.second.ballot(1));
    let case = |name, about, reason, voted, locked| Case {
        name,
        about,
        reason,
        verdict: Verdict::Certificate,
        from: 0,
        message: agreement(epoch, AgreementMessage::ViewChange(ViewChange { view: View(2), voted, locked })),
    };
    let by_another =
        Proposal { signature: story.sign_ballot(0, Tag::Propose, epoch, &before), ..story.proposal(epoch, before) };
    let unjustified = Proposal { progress: None, ..story.proposal(epoch, after) };
    let locked = |signers: &[u8], tag| {
        let mut certificate = lock(story, before);
        certificate.votes = story.certify_ballot(signers, tag, epoch, &before);
        Some(certificate)
    };
    vec![
        case(
            "view_change_not_the_leader",
            "The proposal voted for is by a member that does not lead.",
            Reason::WrongAuthor,
            Some(by_another),
            None,
        ),
        case(
            "view_change_unjustified",
            "The proposal voted for lacks its certificate.",
            Reason::MissingCertificate,
            Some(unjustified),
            None,
        ),
        case(
            "view_change_too_few_votes",
            "A lock by two votes.",
            Reason::TooFewSignatures,
            None,
            locked(&[0, 1], Tag::Vote),
        ),
        case(
            "view_change_too_many_votes",
            "A lock by four votes.",
            Reason::TooManySignatures,
            None,
            locked(&[0, 1, 2, 3], Tag::Vote),
        ),
        case(
            "view_change_commits_for_votes",
            "A lock by three commits.",
            Reason::OtherTag,
            None,
            locked(&[0, 1, 3], Tag::Commit),
        ),
    ]
}

fn decisions(story: &Story) -> Vec<Case> {
    let (fast, slow) = (&story.first.decided, &story.second.decided);
    let case = |name, about, reason, decided| Case {
        name,
        about,
        reason,
        verdict: Verdict::Certificate,
        from: 1,
        message: Message::Decided(decided),
    };
    let signed = |path, tag, epoch: Epoch, ballot: Ballot<Crypto>, signers: &[u8]| {
        let signatures = story.certify_ballot(signers, tag, epoch, &ballot);
        DecisionCertificate { path, ballot, signatures }
    };
    let of_first = |signers: &[u8]| signed(Path::Fast, Tag::Vote, Epoch(1), fast.certificate.ballot, signers);
    let of_second = |tag, signers: &[u8]| signed(Path::Slow, tag, Epoch(2), slow.certificate.ballot, signers);
    let mut fewer = fast.clone();
    fewer.certificate = of_first(&[0, 1, 2]);
    let mut more = slow.clone();
    more.certificate = of_second(Tag::Commit, &[0, 1, 2, 3]);
    let mut worker = slow.clone();
    worker.certificate = of_second(Tag::Commit, &[0, 1, WORKER]);
    let mut votes = slow.clone();
    votes.certificate = of_second(Tag::Vote, &[0, 1, 3]);
    let mut other = fast.clone();
    other.certificate = signed(Path::Fast, Tag::Vote, Epoch(1), slow.certificate.ballot, &[0, 1, 2, 3]);
    let mut state = fast.clone();
    state.state.served = None;
    let mut request = fast.clone();
    if let Some(active) = &mut request.state.active {
        active.request.signature = story.envelope(0, Message::Forward(story.request.clone())).signature;
    }
    let between = &story.readmission.decided;
    let mut members = between.clone();
    members.state.readmitted = Map::new();
    let mut checkpoint = between.clone();
    if let Some(active) = &mut checkpoint.state.active {
        active.checkpoints[0].position = active.checkpoints[0].position.next();
    }
    vec![
        case("decided_other_members", "The state forgets who was admitted again.", Reason::Mismatch, members),
        case("decided_other_checkpoint", "The checkpoint is one position behind.", Reason::Mismatch, checkpoint),
        case("decided_too_few_votes", "Three votes: the fast path needs four.", Reason::TooFewSignatures, fewer),
        case("decided_too_many_commits", "Four commits: the slow path has three.", Reason::TooManySignatures, more),
        case("decided_by_a_worker", "One of three commits is of a member that does not vote.", Reason::NoVoter, worker),
        case("decided_votes_for_commits", "Three votes in place of commits.", Reason::OtherTag, votes),
        case("decided_other_value", "The votes are for another value.", Reason::OtherStatement, other),
        case("decided_other_state", "The state is not the one that the header names.", Reason::Mismatch, state),
        case(
            "decided_other_client",
            "The request under way is not signed by its client.",
            Reason::WrongSignature,
            request,
        ),
    ]
}

fn changes(story: &Story) -> Vec<Case> {
    let cluster = &story.cluster;
    let (operator, member) = (operator_key(), member_key(1));
    let admission = admission(b"somewhere");
    let promised = admission.resilience();
    let case = |name, about, reason, signed| Case {
        name,
        about,
        reason,
        verdict: Verdict::Certificate,
        from: 1,
        message: Message::Change(signed),
    };
    let other = Resilience::new(usize::from(VOTERS) + 1, 1, 0).expect("five members tolerate one fault");
    let removal = remove_worker(cluster).change;
    vec![
        case(
            "change_by_a_member",
            "A member's word changes no roster.",
            Reason::WrongAuthor,
            by(cluster, &member, admission.clone()),
        ),
        case(
            "change_by_a_token_of_nobody",
            "A member signed the token.",
            Reason::WrongAuthor,
            by_token(cluster, &member, promised, admission.clone()),
        ),
        case(
            "change_with_other_bounds",
            "The token is for another p.",
            Reason::OtherStatement,
            by_token(cluster, &operator, other, admission),
        ),
        case(
            "change_removal_by_token",
            "A token lets somebody in, and nobody out.",
            Reason::WrongAuthor,
            by_token(cluster, &operator, removal.resilience(), removal),
        ),
    ]
}
