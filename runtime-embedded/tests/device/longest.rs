//! The longest message and the longest vote record that a cluster can bring
//! about fit where a device has room for them: every number as long, every
//! certificate as large, and every list as full as the roster allows.

use butterfly_kernel::agreement::Durable;
use butterfly_kernel::assignment::{Placement, Profile};
use butterfly_kernel::bounded::Map;
use butterfly_kernel::chain::{Active, Checkpoint, Decided, Head, Header, State};
use butterfly_kernel::cluster::{Assignment, Model, Timing};
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::crypto::ed25519::{Digest, Ed25519, PublicKey, Signature, SignatureMap};
use butterfly_kernel::message::agreement::{
    AgreementMessage, Ballot, CertRequest, CommitCertificate, DecisionCertificate, Path, Proposal, Report, ViewChange,
};
use butterfly_kernel::message::change::{Newcomer, Warrant};
use butterfly_kernel::message::inference::{Request, Sampling, Work};
use butterfly_kernel::message::notice::{Readmit, Revision};
use butterfly_kernel::message::{Change, History, Message, Payload, RunId, SignedChange};
use butterfly_kernel::node::Role;
use butterfly_kernel::types::{
    CHECKPOINTS_KEPT, ClientId, Epoch, MAX_CLIENTS, MAX_CONTACT, MAX_CONTEXT, MAX_SIGNAL, MAX_STAGES,
    MAX_TOKENS_PER_EPOCH, NodeId, Nonce, Position, Resilience, Stage, View,
};
use butterfly_kernel::wire::{encode, encoded_len};
use butterfly_provisioning::{BLOCK, Network, Provision, Timing as Waits};
use butterfly_record::HEADER_BYTES;
use butterfly_runtime_embedded::access::{Answer, Blocked, Standing, Told};
use butterfly_runtime_embedded::protocol::{Cluster, Envelope, Record, Roster, SignedRequest};
use butterfly_session::keys::RECORD;
use ed25519_dalek::SigningKey;

#[cfg(not(feature = "compact-four"))]
use crate::sizes::SEVEN;
use crate::sizes::{FOUR, Sizes};

const DIGEST: Digest = Digest([0xFF; 32]);
const EPOCH: Epoch = Epoch(u64::MAX);
const BALLOT: u32 = u32::MAX;

fn signature<const N: usize>() -> Signature {
    Ed25519::<N>::sign(&SigningKey::from_bytes(&[1; 32]), &DIGEST)
}

fn full<T: Clone, const SIZE: usize>(entry: T) -> heapless::Vec<T, SIZE> {
    std::iter::repeat_n(entry, SIZE).collect()
}

/// A cluster of `N` voters that is bounded as loosely as may be.
fn cluster<const N: usize>() -> Cluster<N> {
    let key = |seed: u8| PublicKey(SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes());
    let model = Model {
        manifest: [0xFF; 32],
        stages: MAX_STAGES as u8,
        context: MAX_CONTEXT as u16,
        vocabulary: 96,
        signal: MAX_SIGNAL as u16,
        tokens_per_epoch: MAX_TOKENS_PER_EPOCH as u8,
        checkpoint_interval: 10,
    };
    let roster = Roster {
        resilience: Resilience::largest(N).unwrap(),
        members: (0..N as u8).map(key).collect(),
        clients: (0..MAX_CLIENTS as u8).map(|client| key(100 + client)).collect(),
        operators: [].into_iter().collect(),
        model,
        assignment: Assignment::in_turn(N, MAX_STAGES as u8).unwrap(),
    };
    Cluster::new(roster, Timing::default()).unwrap()
}

/// The longest of everything in a cluster of `N`.
struct Longest<const N: usize> {
    cluster: Cluster<N>,
}

impl<const N: usize> Longest<N> {
    fn signatures<const CAPACITY: usize>(&self, count: usize) -> SignatureMap<CAPACITY> {
        let mut signatures = Map::new();
        for signer in 0..count {
            signatures.insert(NodeId(signer as u8), signature::<N>()).unwrap();
        }
        signatures
    }

    fn ballot(&self) -> Ballot<Ed25519<N>> {
        Ballot { view: View(BALLOT), value: DIGEST }
    }

    /// A request whose prompt leaves `output` of the context to the answer.
    fn request(&self, output: usize) -> SignedRequest<N> {
        let request = Request {
            client: ClientId(0),
            sequence: u64::MAX,
            prompt: std::iter::repeat_n(95, MAX_CONTEXT - output).collect(),
            tokens: output as u16,
            sampling: Sampling::Seeded { seed: u64::MAX, temperature: u16::MAX },
        };
        SignedRequest { request, signature: signature::<N>() }
    }

    fn placement(&self) -> Placement {
        self.cluster.place(&self.cluster.roster().assignment.profiles, &DIGEST).unwrap()
    }

    /// Half of the context is the prompt: both lengths take two bytes.
    fn state(&self) -> State<Ed25519<N>> {
        let half = MAX_CONTEXT / 2;
        let active = Active {
            request: self.request(half),
            placement: self.placement(),
            output: std::iter::repeat_n(95, half).collect(),
            links: full(DIGEST),
            checkpoints: full::<_, CHECKPOINTS_KEPT>(Checkpoint {
                position: Position(MAX_CONTEXT as u16),
                links: DIGEST,
            }),
        };
        let mut state = State::genesis();
        state.epoch = EPOCH;
        for client in 0..MAX_CLIENTS as u8 {
            state.finished.insert(ClientId(client), u64::MAX).unwrap();
        }
        state.served = Some(ClientId(0));
        state.computed = Some(DIGEST);
        state.active = Some(active);
        let profile = Profile { zone: u8::MAX, ..Profile::with_speed(u32::MAX) };
        for member in (0..N as u8).map(NodeId) {
            let readmit = Readmit { incarnation: u32::MAX, nonce: Nonce([0xFF; 16]) };
            state.readmitted.insert(member, readmit).unwrap();
            state.revised.insert(member, Revision { number: u32::MAX, profile }).unwrap();
        }
        state
    }

    fn decided(&self) -> Decided<Ed25519<N>> {
        let header = Header { epoch: EPOCH, previous: DIGEST, increment: DIGEST, state: DIGEST };
        let certificate =
            DecisionCertificate { path: Path::Slow, ballot: self.ballot(), signatures: self.signatures(N) };
        Decided { header, certificate, state: self.state() }
    }

    fn work(&self) -> Work<Ed25519<N>> {
        let attesters = self.cluster.resilience().f() + 1;
        Work {
            run: self.run(),
            committed: MAX_CONTEXT as u16,
            request: self.request(1),
            tokens: full::<_, MAX_TOKENS_PER_EPOCH>(95),
            links: full(DIGEST),
            certificates: full(self.signatures(attesters)),
        }
    }

    fn run(&self) -> RunId<Ed25519<N>> {
        RunId { client: ClientId(0), sequence: u64::MAX, plan: DIGEST }
    }

    fn proposal(&self) -> Proposal<Ed25519<N>> {
        let progress = self.signatures(self.cluster.resilience().f() + 1);
        Proposal { ballot: self.ballot(), signature: signature::<N>(), progress: Some(progress) }
    }

    /// Where there is no slow path nobody holds one.
    fn locked(&self) -> Option<CommitCertificate<Ed25519<N>>> {
        let locked = || CommitCertificate { ballot: self.ballot(), votes: self.signatures(N) };
        self.cluster.resilience().slow_path().then(locked)
    }

    fn change(&self) -> SignedChange<Ed25519<N>> {
        let newcomer = Newcomer {
            key: PublicKey([0xFF; 32]),
            profile: Profile { zone: u8::MAX, ..Profile::with_speed(u32::MAX) },
            contact: full::<_, MAX_CONTACT>(0xFF),
        };
        let resilience = self.cluster.resilience();
        let token =
            Warrant::Token { token: PublicKey([0xFF; 32]), operator: signature::<N>(), bearer: signature::<N>() };
        SignedChange { change: Change::Admit { newcomer, votes: true, resilience }, warrant: token }
    }

    /// What is long enough to matter.
    fn messages(&self) -> Vec<Message<Ed25519<N>, N>> {
        let agreement = |message| Message::Agreement { epoch: EPOCH, message };
        let mut reports = Map::new();
        for member in (0..N as u8).map(NodeId) {
            let report = Report { voted: Some(self.ballot()), locked: Some(self.ballot()) };
            reports.insert(member, report).unwrap();
        }
        let (voted, locked) = (Some(self.proposal()), self.locked());
        let signals = full(full::<_, MAX_SIGNAL>(0xFF));
        vec![
            Message::Decided(self.decided()),
            Message::Payload(Payload::Work(self.work())),
            Message::Payload(Payload::Change(self.change())),
            Message::History(History { run: self.run(), stage: Stage(3), position: Position(u16::MAX), signals }),
            agreement(AgreementMessage::ViewChange(ViewChange { view: View(BALLOT), voted, locked })),
            agreement(AgreementMessage::CertRequest(CertRequest { ballot: self.ballot(), reports })),
        ]
    }

    /// What clients are told.
    fn answers(&self) -> Vec<Answer<N>> {
        let everybody = || (0..N as u8).collect();
        let standing = Standing {
            epoch: EPOCH,
            view: View(BALLOT),
            role: Role::Learner,
            working: true,
            blocked: Some(Blocked { silent: everybody(), learners: everybody() }),
        };
        let tokens = full::<_, MAX_TOKENS_PER_EPOCH>(95);
        let told = Told { decided: self.decided(), tokens, latency_us: None };
        vec![Answer::Standing(standing, Some(self.decided())), Answer::Told(told)]
    }

    fn record(&self) -> Record<N> {
        Record {
            role: Role::Learner,
            head: Head::Decided(self.decided()),
            agreement: Durable {
                view: View(BALLOT),
                voted: Some(self.proposal()),
                locked: self.locked(),
                proposed: Some(self.proposal()),
            },
            payload: Some(Payload::Work(self.work())),
        }
    }
}

/// The longest provisioning block of a device in a cluster of `N`.
fn block<const N: usize>() -> usize {
    let mut room = [0; BLOCK];
    let cluster = cluster::<N>();
    let roster = encode(cluster.roster(), &mut room).unwrap();
    let provision = Provision {
        identity: [0xFF; 32],
        exchange: [0xFF; 32],
        serial: u32::MAX,
        network: Network { hardware: [0xFF; 6], address: [0xFF; 4], prefix: 32, gateway: [0xFF; 4], port: u16::MAX },
        timing: Waits { view: u32::MAX, view_cap: u32::MAX, retransmit: u32::MAX, escalate: u32::MAX },
        roster,
        records: &[0xFF; RECORD].repeat(N),
        peers: &[0xFF; 6].repeat(N),
    };
    // What is not written stays as it was.
    let mut block = [0; BLOCK];
    provision.write(&mut block).unwrap();
    BLOCK - block.iter().rev().take_while(|byte| **byte == 0).count()
}

/// The longest message, the longest answer and the longest record, in bytes.
fn longest<const N: usize>() -> [usize; 3] {
    let all = Longest::<N> { cluster: cluster::<N>() };
    let envelope = |message| Envelope { from: NodeId(0), message, signature: signature::<N>() };
    let messages = all.messages().into_iter().map(|message| encoded_len(&envelope(message)));
    let answers = all.answers().into_iter().map(|answer| encoded_len(&answer));
    [messages.max().unwrap(), answers.max().unwrap(), HEADER_BYTES + encoded_len(&all.record())]
}

fn fit<const N: usize>(sizes: &Sizes) {
    let [message, answer, record] = longest::<N>();
    println!(
        "{N} members: a message of {message} bytes, an answer of {answer}, a record of {record}, a block of {}",
        block::<N>()
    );
    assert!(message.max(answer) <= sizes.message);
    assert!(record <= sizes.copy);
    assert!(block::<N>() <= sizes.parking, "a device reads its block into this room");
}

#[test]
fn the_longest_message_and_record_of_four_members_fit() {
    fit::<4>(&FOUR);
}

#[test]
#[cfg(not(feature = "compact-four"))]
fn the_longest_message_and_record_of_seven_members_fit() {
    fit::<7>(&SEVEN);
}
