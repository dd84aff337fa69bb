//! Every kind of message: genuine ones here; bytes that are no message in
//! `malformed`, messages that are not genuine in `forged`.

pub mod changes;
mod forged;
mod malformed;

use butterfly_kernel::assignment::{LayerSet, Profile};
use butterfly_kernel::bounded::Map;
use butterfly_kernel::crypto::Tag;
use butterfly_kernel::message::agreement::{Ballot, CertRequest, CommitCertificate, Report, ViewChange};
use butterfly_kernel::message::inference::{Claim, MAX_HISTORY, Request, Sampling};
use butterfly_kernel::message::notice::{Readmit, Revision};
use butterfly_kernel::message::{Attest, Fetch, History, Kind, Notice, Pull, Recall, RunId, StageOutput};
use butterfly_kernel::types::{
    ClientId, Epoch, MAX_CONTEXT, MAX_SIGNAL, MAX_TOKENS_PER_EPOCH, NodeId, Nonce, Position, Stage, View,
};

use crate::damage::{self, encode};
use crate::digests::preimage_of;
use crate::story::{self, LEARNER, Story, WORKER, plain_request, sign_request, signal};
use crate::vector::{Shape, Vector};
use crate::{AgreementMessage, Crypto, Digest, Message};

/// A message that `from` has reason to send.
pub struct Sample {
    /// Unique; the first of a kind has the kind's name.
    pub name: &'static str,
    /// For a reader.
    pub about: &'static str,
    /// The author.
    pub from: u8,
    /// What it says.
    pub message: Message,
}

fn sample(name: &'static str, about: &'static str, from: u8, message: Message) -> Sample {
    Sample { name, about, from, message }
}

/// Messages, good and bad.
pub fn vectors(story: &Story) -> Vec<Vector> {
    let foreign = Story::foreign();
    let mut vectors = Vec::new();
    for kind in Kind::ALL {
        for (at, sample) in samples(story, kind).into_iter().enumerate() {
            let envelope = story.envelope(sample.from, sample.message);
            let bytes = encode(&envelope);
            let accepted = Vector::accepted(sample.name, Shape::Envelope, sample.about, bytes);
            let damaged = if at == 0 { damage::encodings(&accepted, &story.cluster) } else { Vec::new() };
            vectors.push(Vector { statement: Some(preimage_of(&envelope)), ..accepted });
            vectors.extend(damaged);
        }
        vectors.extend(forged::authors(story, &foreign, kind));
    }
    vectors.extend(malformed::vectors(story));
    vectors.extend(forged::contents(story));
    vectors
}

/// Messages of `kind`. A new kind does not compile before it has its vectors.
pub fn samples(story: &Story, kind: Kind) -> Vec<Sample> {
    match kind {
        Kind::Forward => forward(story),
        Kind::StageOutput => stage_output(story),
        Kind::Attest => attest(story),
        Kind::Pull => vec![sample(
            "pull",
            "Member 3 lacks the output of stage 0 at position 2.",
            3,
            Message::Pull(Pull { run: story.first.work().run, stage: Stage(0), position: Position(2) }),
        )],
        Kind::Recall => recall(story),
        Kind::History => history(story),
        Kind::Fetch => fetch(story),
        Kind::Payload => vec![
            sample(
                "payload",
                "What epoch 1 adds: two stages, each certified by two owners.",
                1,
                Message::Payload(story.first.payload.clone()),
            ),
            sample(
                "payload_of_the_last_epoch",
                "What epoch 2 adds.",
                2,
                Message::Payload(story.second.payload.clone()),
            ),
            sample(
                "payload_revision",
                "What epoch 3 adds: the worker's notice, passed on by member 0.",
                0,
                Message::Payload(story.revision.payload.clone()),
            ),
            sample(
                "payload_readmission",
                "What epoch 5 adds: the notice of member 3, passed on by the leader.",
                1,
                Message::Payload(story.readmission.payload.clone()),
            ),
        ],
        Kind::Propose => propose(story),
        Kind::Vote => vec![
            sample(
                "vote",
                "Member 0 votes in view 0 of epoch 1.",
                0,
                agreement(Epoch(1), AgreementMessage::Vote(story.first.ballot(0))),
            ),
            sample(
                "vote_largest",
                "Every integer takes its most bytes.",
                0,
                agreement(Epoch(u64::MAX), AgreementMessage::Vote(largest_ballot())),
            ),
        ],
        Kind::Commit => vec![sample(
            "commit",
            "Member 3 saw three votes in view 1 of epoch 2.",
            3,
            agreement(Epoch(2), AgreementMessage::Commit(story.second.ballot(1))),
        )],
        Kind::ViewChange => view_change(story),
        Kind::CertRequest => cert_request(story),
        Kind::CertAck => vec![sample(
            "cert_ack",
            "Member 0 finds the ballot of view 1 of epoch 2 justified.",
            0,
            agreement(Epoch(2), AgreementMessage::CertAck(story.second.ballot(1))),
        )],
        Kind::Decided => vec![
            sample(
                "decided",
                "Epoch 1, by four votes; its request is under way.",
                1,
                Message::Decided(story.first.decided.clone()),
            ),
            sample(
                "decided_slow",
                "Epoch 2, by three commits; the request is finished.",
                1,
                Message::Decided(story.second.decided.clone()),
            ),
            sample(
                "decided_revision",
                "Epoch 3, by four votes; no request is under way, a member revised its profile.",
                2,
                Message::Decided(story.revision.decided.clone()),
            ),
            sample(
                "decided_readmission",
                "Epoch 5, by three commits; a request is under way behind a checkpoint, one member was admitted \
                 again, one has revised its profile.",
                2,
                Message::Decided(story.readmission.decided.clone()),
            ),
        ],
        Kind::Readmit => readmissions(),
        Kind::Revise => revisions(),
        Kind::Change => changes::samples(&story.cluster),
    }
}

fn agreement(epoch: Epoch, message: AgreementMessage) -> Message {
    Message::Agreement { epoch, message }
}

fn largest_ballot() -> Ballot<Crypto> {
    Ballot { view: View(u32::MAX), value: Digest([0xff; 32]) }
}

fn largest_run() -> RunId<Crypto> {
    RunId { client: ClientId(u8::MAX), sequence: u64::MAX, plan: Digest([0xff; 32]) }
}

fn forward(story: &Story) -> Vec<Sample> {
    let longest = Request {
        sequence: u64::MAX,
        prompt: (0..MAX_CONTEXT).map(|token| (token % 96) as u8).collect(),
        tokens: u16::MAX,
        sampling: Sampling::Seeded { seed: u64::MAX, temperature: u16::MAX },
        ..plain_request()
    };
    let shortest = Request { sequence: 0, prompt: heapless::Vec::new(), tokens: 0, ..plain_request() };
    let seeded = Request { sampling: Sampling::Seeded { seed: 7, temperature: 256 }, ..plain_request() };
    let signed = |request| Message::Forward(sign_request(&story.cluster, request));
    vec![
        sample("forward", "The client's request, passed on by member 0.", 0, Message::Forward(story.request.clone())),
        sample("forward_seeded", "A request for drawn tokens.", 0, signed(seeded)),
        sample("forward_longest", "The longest prompt, every integer at its largest.", 2, signed(longest)),
        sample("forward_shortest", "An empty prompt: the wire carries what no node would run.", 2, signed(shortest)),
    ]
}

fn stage_output(story: &Story) -> Vec<Sample> {
    let run = story.first.work().run;
    let output = |stage, position, signal: &[u8]| {
        let signal = signal.iter().copied().collect();
        Message::StageOutput(StageOutput { run, stage: Stage(stage), position: Position(position), signal })
    };
    vec![
        sample("stage_output", "What stage 0 gives at position 2.", 1, output(0, 2, &signal(2))),
        sample("stage_output_token", "The last stage gives a token.", 2, output(1, 2, &story.first.work().tokens[..1])),
        sample("stage_output_empty", "A signal without bytes.", 2, output(0, 0, &[])),
        sample("stage_output_longest", "The longest signal.", 2, output(255, u16::MAX, &[0xa5; MAX_SIGNAL])),
    ]
}

fn attest(story: &Story) -> Vec<Sample> {
    let claim = |stage| story.first.work().claim(Stage(stage)).expect("a link on both sides of the stage");
    let attest = |claim, tokens: &[u8]| Message::Attest(Attest { claim, tokens: tokens.iter().copied().collect() });
    let largest = Claim { run: largest_run(), committed: u16::MAX, stage: Stage(255), ..claim(0) };
    vec![
        sample("attest", "Stage 0 of the first part of the request.", 1, attest(claim(0), &[])),
        sample(
            "attest_tokens",
            "The last stage of the first part, with the tokens.",
            1,
            attest(claim(1), &story.first.work().tokens),
        ),
        sample(
            "attest_largest",
            "As many tokens as an epoch can have, every integer at its largest.",
            1,
            attest(largest, &[0xff; MAX_TOKENS_PER_EPOCH]),
        ),
    ]
}

fn recall(story: &Story) -> Vec<Sample> {
    let recall =
        |run, stage, position| Message::Recall(Recall { run, stage: Stage(stage), position: Position(position) });
    vec![
        sample("recall", "The worker lacks the inputs of stage 1.", WORKER, recall(story.third.work().run, 1, 0)),
        sample("recall_largest", "Every integer at its largest.", 3, recall(largest_run(), u8::MAX, u16::MAX)),
    ]
}

fn history(story: &Story) -> Vec<Sample> {
    let history = |run, stage, position, signals: &[&[u8]]| {
        let signals = signals.iter().map(|signal| signal.iter().copied().collect()).collect();
        Message::History(History { run, stage: Stage(stage), position: Position(position), signals })
    };
    let run = story.third.work().run;
    let between: Vec<[u8; 8]> = (0..3).map(signal).collect();
    let between: Vec<&[u8]> = between.iter().map(|signal| &signal[..]).collect();
    let longest = [&[0xa5; MAX_SIGNAL][..]; MAX_HISTORY];
    vec![
        sample("history", "Three inputs of stage 1, from the first on.", 0, history(run, 1, 0, &between)),
        sample(
            "history_longest",
            "As many signals as there may be, the longest.",
            0,
            history(largest_run(), u8::MAX, u16::MAX, &longest),
        ),
        sample("history_empty", "No signal: the wire carries what nobody takes.", 0, history(run, 1, 0, &[])),
        sample("history_of_nothing", "A signal without bytes.", 0, history(run, 1, 0, &[&[]])),
    ]
}

fn readmissions() -> Vec<Sample> {
    let largest = Readmit { incarnation: u32::MAX, nonce: Nonce([0xff; 16]) };
    let readmit = |readmit| Message::Notice(Notice::Readmit(readmit));
    vec![
        sample("readmit", "Member 3 lost its vote record.", LEARNER, readmit(story::readmit())),
        sample("readmit_largest", "Every integer at its largest.", LEARNER, readmit(largest)),
    ]
}

fn revisions() -> Vec<Sample> {
    let revise = |number, profile| Message::Notice(Notice::Revise(Revision { number, profile }));
    let Revision { number, profile } = story::revision();
    let largest = Profile { speed: u32::MAX, zone: u8::MAX, holds: LayerSet::ALL };
    let leaves = Profile { speed: 0, zone: 0, holds: LayerSet::EMPTY };
    vec![
        sample("revise", "The worker can do less than it could.", WORKER, revise(number, profile)),
        sample("revise_largest", "Every integer at its largest.", 2, revise(u32::MAX, largest)),
        sample("revise_nothing", "Member 2 hands its stages over and holds nothing.", 2, revise(1, leaves)),
    ]
}

fn fetch(story: &Story) -> Vec<Sample> {
    let value = story.first.ballot(0).value;
    vec![
        sample(
            "fetch",
            "Member 3 asks what was decided in epoch 1.",
            3,
            Message::Fetch(Fetch { epoch: Epoch(1), value: None }),
        ),
        sample(
            "fetch_payload",
            "Member 3 asks for the payload of a value of epoch 1.",
            3,
            Message::Fetch(Fetch { epoch: Epoch(1), value: Some(value) }),
        ),
    ]
}

fn propose(story: &Story) -> Vec<Sample> {
    let propose = |epoch, ballot| {
        let proposal = story.proposal(epoch, ballot);
        agreement(epoch, AgreementMessage::Propose { ballot, progress: proposal.progress })
    };
    vec![
        sample("propose", "The leader of view 0 of epoch 1.", 1, propose(Epoch(1), story.first.ballot(0))),
        sample(
            "propose_justified",
            "The leader of view 1 of epoch 2, with two acknowledgements.",
            3,
            propose(Epoch(2), story.second.ballot(1)),
        ),
    ]
}

/// Members 0, 1 and 2 leave view 0 of epoch 2 in three ways; member 0 leaves
/// view 1 as well.
fn view_change(story: &Story) -> Vec<Sample> {
    let change = |view, voted: Option<Ballot<Crypto>>, locked: Option<Ballot<Crypto>>| {
        let voted = voted.map(|ballot| story.proposal(Epoch(2), ballot));
        let locked = locked.map(|ballot| lock(story, ballot));
        agreement(Epoch(2), AgreementMessage::ViewChange(ViewChange { view: View(view), voted, locked }))
    };
    let ballot = |view| Some(story.second.ballot(view));
    vec![
        sample("view_change", "Member 2 leaves for view 1 and did nothing before.", 2, change(1, None, None)),
        sample("view_change_voted", "Member 1 voted in view 0.", 1, change(1, ballot(0), None)),
        sample(
            "view_change_locked",
            "Member 0 voted in view 0 and saw three votes.",
            0,
            change(1, ballot(0), ballot(0)),
        ),
        sample(
            "view_change_justified",
            "Member 0 leaves for view 2: its vote was for a justified proposal.",
            0,
            change(2, ballot(1), ballot(1)),
        ),
    ]
}

/// Three votes of epoch 2 for `ballot`.
fn lock(story: &Story, ballot: Ballot<Crypto>) -> CommitCertificate<Crypto> {
    CommitCertificate { ballot, votes: story.certify_ballot(&[0, 1, 3], Tag::Vote, Epoch(2), &ballot) }
}

fn cert_request(story: &Story) -> Vec<Sample> {
    let before = Some(story.second.ballot(0));
    let reports = [
        (0, Report { voted: before, locked: before }),
        (1, Report { voted: before, locked: None }),
        (2, Report { voted: None, locked: None }),
    ];
    let mut named = Map::new();
    for (node, report) in reports {
        named.insert(NodeId(node), report).expect("there are fewer reports than voters");
    }
    let ask = |ballot, reports| agreement(Epoch(2), AgreementMessage::CertRequest(CertRequest { ballot, reports }));
    vec![
        sample(
            "cert_request",
            "The leader of view 1 of epoch 2 names the reports that bind it.",
            3,
            ask(story.second.ballot(1), named),
        ),
        sample(
            "cert_request_empty",
            "No reports: the wire carries what nobody would acknowledge.",
            3,
            ask(story.second.ballot(1), Map::new()),
        ),
    ]
}
