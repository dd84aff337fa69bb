//! A cluster of four hosts in one image, with keys that everybody knows.

use butterfly_kernel::assignment::Layers;
use butterfly_kernel::cluster::{Assignment, Model, Timing as Waits};
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::crypto::ed25519::{Ed25519, PublicKey};
use butterfly_kernel::message::inference::{Request, Sampling};
use butterfly_kernel::node::Role;
use butterfly_kernel::types::{ClientId, Resilience};
use butterfly_kernel::wire;
use butterfly_provisioning::{Network, Provision, Timing};
use butterfly_record::Store;
use butterfly_runtime_embedded::host::{self, Desks, HostMemory};
use butterfly_runtime_embedded::party::Party;
use butterfly_runtime_embedded::protocol::{Cluster, Node, Record, Roster, SignedRequest};
use butterfly_runtime_embedded::record::Region;
use butterfly_session::{ClusterId, ExchangeSecret, KeyRecord};
use butterfly_workload::{CONTEXT, LAYERS, Partition, Signal, VOCABULARY, Weights, manifest};
use ed25519_dalek::SigningKey;
use static_cell::{ConstStaticCell, StaticCell};

use crate::memory::{self, BYTES, Flash, Teller};
use crate::sizes::FOUR;

pub(crate) const MEMBERS: usize = 4;
pub(crate) const MESSAGE: usize = FOUR.message;
pub(crate) const COPY: usize = FOUR.copy;
/// What is asked for: two epochs for each leader.
pub(crate) const TOKENS: usize = 32;
/// A request takes no more, prompt included.
const POSITIONS: usize = 48;
/// Hosts never wait here.
const LONG: u32 = 1_000_000;

pub(crate) type Host = host::Host<'static, Flash, MEMBERS, MESSAGE, { FOUR.queue }, { FOUR.parking }, COPY, POSITIONS>;
type Memory = HostMemory<MEMBERS, MESSAGE, { FOUR.queue }, { FOUR.parking }>;

static FLASHES: ConstStaticCell<[[u8; BYTES]; MEMBERS]> = ConstStaticCell::new([[0; BYTES]; MEMBERS]);
static MEMORIES: ConstStaticCell<[Memory; MEMBERS]> = ConstStaticCell::new([const { Memory::new() }; MEMBERS]);
static DESKS: ConstStaticCell<[Desks<LAYERS, POSITIONS>; MEMBERS]> =
    ConstStaticCell::new([const { Desks::new() }; MEMBERS]);
static PARTIES: [StaticCell<Party<MEMBERS>>; MEMBERS] = [const { StaticCell::new() }; MEMBERS];
static NODES: [StaticCell<Node<MEMBERS>>; MEMBERS] = [const { StaticCell::new() }; MEMBERS];
static RECORDS: [StaticCell<Store<Region<Flash>, COPY>>; MEMBERS] = [const { StaticCell::new() }; MEMBERS];
static TELLERS: [StaticCell<Teller>; MEMBERS] = [const { StaticCell::new() }; MEMBERS];

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

fn roster() -> Option<Roster<MEMBERS>> {
    let model = Model {
        manifest: manifest(&Weights::embedded()),
        stages: LAYERS as u8,
        context: POSITIONS as u16,
        vocabulary: VOCABULARY as u8,
        signal: Signal::MAX_BYTES as u16,
        tokens_per_epoch: 4,
        checkpoint_interval: 10,
    };
    let layers = Layers::even(LAYERS as u8, Signal::MAX_BYTES as u32).ok()?;
    Some(Roster {
        resilience: Resilience::largest(MEMBERS).ok()?,
        members: (0..MEMBERS as u8).map(|member| public(&key(member))).collect(),
        clients: [public(&key(99))].into_iter().collect(),
        operators: [].into_iter().collect(),
        model,
        assignment: Assignment { layers, ..Assignment::in_turn(MEMBERS, 1).ok()? },
    })
}

fn cluster() -> Option<Cluster<MEMBERS>> {
    Cluster::new(roster()?, Waits::default()).ok()
}

pub(crate) fn request() -> Option<SignedRequest<MEMBERS>> {
    let prompt = (40..50).collect();
    let request =
        Request { client: ClientId(0), sequence: 1, prompt, tokens: TOKENS as u16, sampling: Sampling::Greedy };
    let statement = request.statement(&cluster()?);
    Some(SignedRequest { signature: Ed25519::<MEMBERS>::sign(&key(99), &statement), request })
}

/// All four, each with a first record.
pub(crate) fn hosts() -> Option<[Host; MEMBERS]> {
    let mut parts = FLASHES.take().iter_mut().zip(MEMORIES.take()).zip(DESKS.take());
    let mut host = |me: usize| {
        let ((flash, memory), desks) = parts.next()?;
        begin(me, Flash(flash), memory, desks)
    };
    Some([host(0)?, host(1)?, host(2)?, host(3)?])
}

#[inline(never)]
fn begin(
    me: usize,
    flash: Flash,
    memory: &'static mut Memory,
    desks: &'static mut Desks<LAYERS, POSITIONS>,
) -> Option<Host> {
    let party: &Party<MEMBERS> = PARTIES[me].init(party(me as u8)?);
    let mut first = [0; 64];
    let first = wire::encode(&Record::<MEMBERS>::first(Role::Replica), &mut first).ok()?;
    let owner = butterfly_record::owner(&party.cluster().id().0, me as u8);
    let record = RECORDS[me].init(Store::provision(Region::new(flash, 0), owner, first).ok()?);
    let node = NODES[me].init(host::open_node(party, host::read_record(record).ok()?).ok()?);
    Host::new(party, node, record, TELLERS[me].init(Teller(me == 0)), memory, desks).ok()
}

fn party(me: u8) -> Option<Party<MEMBERS>> {
    let cluster = cluster()?;
    let id = ClusterId(cluster.id().0);
    let mut roster = [0; 1024];
    let roster = wire::encode(cluster.roster(), &mut roster).ok()?;
    let mut records = [0; MEMBERS * butterfly_session::keys::RECORD];
    for (member, place) in records.as_chunks_mut::<{ butterfly_session::keys::RECORD }>().0.iter_mut().enumerate() {
        let secret = ExchangeSecret::from_random([100 + member as u8; 32]);
        *place = KeyRecord::sign(&key(member as u8), id, secret.public(), 0).to_bytes();
    }
    let provision = Provision {
        identity: key(me).to_bytes(),
        exchange: [100 + me; 32],
        serial: 0,
        network: Network { hardware: [0; 6], address: [0; 4], prefix: 0, gateway: [0; 4], port: 0 },
        timing: Timing { view: LONG, view_cap: LONG, retransmit: LONG, escalate: LONG },
        roster,
        records: &records,
        peers: &[0; 6 * MEMBERS],
    };
    Party::new(&provision, MESSAGE as u32).ok()
}

/// How much of the text the first host has seen committed.
pub(crate) fn text() -> usize {
    critical_section::with(|token| memory::TEXT.borrow(token).get())
}

/// A stage of its own, to be measured alone.
pub(crate) fn stage(number: usize) -> Option<butterfly_workload::Stage<'static, 1>> {
    butterfly_workload::Stage::new(Weights::embedded(), Partition::even(LAYERS).ok()?, number).ok()
}

const _: () = assert!(POSITIONS <= CONTEXT);
