//! A device's life, the same on every board: it reads who it is from its flash,
//! joins its cluster and goes on for ever.
//!
//! This file is a module of each board's program, which says what a [`Card`], a
//! [`Flash`] and a [`Random`] are and brings [`tell`] and [`Journal`].

mod sizes;

use core::fmt::{Display, Formatter};

use butterfly_kernel::types::Nonce;
use butterfly_provisioning::{BLOCK, Network, Provision, ProvisionError, VOTE_RECORD};
use butterfly_record::Store;
use butterfly_runtime_embedded::host::{self, Desks, HostMemory, StartError, Stopped};
use butterfly_runtime_embedded::network::{self, NetworkMemory};
use butterfly_runtime_embedded::party::{Party, PartyError};
use butterfly_runtime_embedded::protocol::{self, Node};
use butterfly_runtime_embedded::record::Region;
use embassy_executor::Spawner;
use embassy_net::{Config, Ipv4Address, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};
use embedded_storage::nor_flash::ReadNorFlash;
use static_cell::{ConstStaticCell, StaticCell};

use crate::journal::{Journal, tell_failure};
use crate::{Card, Flash, Random, start_card};

/// Members that the cluster may have.
const MEMBERS: usize = if cfg!(feature = "seven") { 7 } else { 4 };
const SIZES: sizes::Sizes = if cfg!(feature = "seven") { sizes::SEVEN } else { sizes::FOUR };
const MESSAGE: usize = SIZES.message;
const QUEUE: usize = SIZES.queue;
const PARKING: usize = SIZES.parking;
const COPY: usize = SIZES.copy;
/// Stages that may be assigned to one member: there are no more.
const STAGES: usize = 4;
/// The longest request.
const POSITIONS: usize = 256;
/// Connections to others.
const LINKS: usize = MEMBERS - 1;
/// Connections from others at a time.
const SEATS: usize = MEMBERS + 3;
/// Messages in parts that are put together at a time: one more than faulty members.
const ROOMS: usize = (MEMBERS - 1) / 3 + 1;

type Record = Store<Region<Flash>, COPY>;
type Host = host::Host<'static, Flash, MEMBERS, MESSAGE, QUEUE, PARKING, COPY, POSITIONS>;

static JOURNAL: ConstStaticCell<Journal> = ConstStaticCell::new(Journal);
static HOST: ConstStaticCell<HostMemory<MEMBERS, MESSAGE, QUEUE, PARKING>> = ConstStaticCell::new(HostMemory::new());
/// What one request takes: caches and signals.
static DESKS: ConstStaticCell<Desks<STAGES, POSITIONS>> = ConstStaticCell::new(Desks::new());
static NETWORK: ConstStaticCell<NetworkMemory<MEMBERS, LINKS, SEATS, ROOMS, MESSAGE>> =
    ConstStaticCell::new(NetworkMemory::new());
static PARTY: StaticCell<Party<MEMBERS>> = StaticCell::new();
static NODE: StaticCell<Node<MEMBERS>> = StaticCell::new();
static RECORD: StaticCell<Record> = StaticCell::new();
static RANDOM: StaticCell<Random> = StaticCell::new();
static SOCKETS: StaticCell<StackResources<{ LINKS + SEATS }>> = StaticCell::new();

/// The device's life.
#[embassy_executor::task]
pub(crate) async fn live(spawner: Spawner, flash: Flash, random: Random) {
    let Prepared { party, host, stack, random } = match prepare(spawner, flash, random) {
        Ok(prepared) => prepared,
        Err(reason) => return tell_failure(&reason),
    };
    tell_failure(&network::run(party, host, stack, random, NETWORK.take()).await);
}

/// A node that has begun, and its network.
struct Prepared {
    party: &'static Party<MEMBERS>,
    host: Host,
    stack: (Stack<'static>, u16),
    random: &'static mut Random,
}

/// Starts everything that there is, each part in a function of its own, so that
/// what it needs of the stack is free again before the next one begins.
#[inline(never)]
fn prepare(spawner: Spawner, mut flash: Flash, random: Random) -> Result<Prepared, Reason> {
    // Before anything else: without random numbers nothing of this may happen.
    let random = RANDOM.init(random);
    let mut draw = || host::draw_nonce(random).map_err(|without| Reason::Start(without.into()));
    let (nonce, seed) = (draw()?, draw()?);
    let memory = HOST.take();
    let (party, network) = read_party(&mut flash, memory.room())?;
    let record = open_record(party, flash)?;
    let node = begin_node(party, record)?;
    let mut host = furnish(party, node, record, memory)?;
    let stack = connect(spawner, &network, seed)?;
    begin(&mut host, nonce)?;
    Ok(Prepared { party, host, stack: (stack, network.port), random })
}

#[inline(never)]
fn read_party(flash: &mut Flash, room: &mut [u8]) -> Result<(&'static Party<MEMBERS>, Network), Reason> {
    let most = BLOCK.min(room.len());
    let block = room.get_mut(..most).ok_or(Reason::Start(StartError::Flash))?;
    flash.read(0, block).map_err(|_| Reason::Start(StartError::Flash))?;
    let provision = Provision::read(block).map_err(Reason::Provision)?;
    let party = Party::new(&provision, MESSAGE as u32).map_err(Reason::Party)?;
    Ok((PARTY.init(party), provision.network))
}

#[inline(never)]
fn open_record(party: &Party<MEMBERS>, flash: Flash) -> Result<&'static mut Record, Reason> {
    Ok(RECORD.init(host::open_record(party, flash, VOTE_RECORD as u32).map_err(Reason::Start)?))
}

/// Reading the record and making the node take most of the stack, each by itself.
#[inline(never)]
fn begin_node(party: &Party<MEMBERS>, record: &mut Record) -> Result<&'static mut Node<MEMBERS>, Reason> {
    make_node(party, host::read_record(record).map_err(Reason::Start)?)
}

#[inline(never)]
fn make_node(
    party: &Party<MEMBERS>,
    record: Option<protocol::Record<MEMBERS>>,
) -> Result<&'static mut Node<MEMBERS>, Reason> {
    Ok(NODE.init(host::open_node(party, record).map_err(Reason::Start)?))
}

#[inline(never)]
fn furnish(
    party: &'static Party<MEMBERS>,
    node: &'static mut Node<MEMBERS>,
    record: &'static mut Record,
    memory: &'static mut HostMemory<MEMBERS, MESSAGE, QUEUE, PARKING>,
) -> Result<Host, Reason> {
    Host::new(party, node, record, JOURNAL.take(), memory, DESKS.take()).map_err(Reason::Start)
}

#[inline(never)]
fn begin(host: &mut Host, nonce: Nonce) -> Result<(), Reason> {
    host.start(nonce).map_err(Reason::Stopped)
}

#[inline(never)]
fn connect(spawner: Spawner, network: &Network, Nonce(seed): Nonce) -> Result<Stack<'static>, Reason> {
    let [a, b, c, d] = network.address;
    let [e, f, g, h] = network.gateway;
    let config = StaticConfigV4 {
        address: Ipv4Cidr::new(Ipv4Address::new(a, b, c, d), network.prefix),
        gateway: Some(Ipv4Address::new(e, f, g, h)),
        dns_servers: Default::default(),
    };
    // For ports and sequence numbers.
    let seed = u64::from_le_bytes(seed.as_chunks().0[0]);
    let sockets = SOCKETS.init(StackResources::new());
    let card = start_card(network.hardware);
    let (stack, runner) = embassy_net::new(card, Config::ipv4_static(config), sockets, seed);
    spawner.spawn(carry(runner).map_err(|_| Reason::Task)?);
    Ok(stack)
}

/// Carries frames to and fro.
#[embassy_executor::task]
async fn carry(mut runner: Runner<'static, Card>) {
    runner.run().await
}

/// Why the device does nothing more.
enum Reason {
    Provision(ProvisionError),
    Party(PartyError),
    Start(StartError),
    Task,
    Stopped(Stopped),
}

impl Display for Reason {
    fn fmt(&self, out: &mut Formatter<'_>) -> core::fmt::Result {
        match self {
            Reason::Provision(reason) => reason.fmt(out),
            Reason::Party(reason) => reason.fmt(out),
            Reason::Start(reason) => reason.fmt(out),
            Reason::Task => out.write_str("a task was started twice"),
            Reason::Stopped(reason) => reason.fmt(out),
        }
    }
}
