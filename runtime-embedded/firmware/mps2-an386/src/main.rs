//! A Butterfly node on QEMU's `mps2-an386`: a Cortex-M4F, a LAN9118 network
//! card, flash, and no heap.
//!
//! It reads who it is from its flash, joins its cluster and goes on for ever.
//! What it does it says on the serial line. If it cannot start, or cannot go
//! on, it says why and stands still.
#![no_std]
#![no_main]

mod clock;
mod flash;
mod lan9118;
mod random;
mod register;
mod serial;
mod stack;

use core::fmt::{Display, Formatter};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use butterfly_kernel::types::Nonce;
use butterfly_provisioning::{BLOCK, Network, Provision, ProvisionError, VOTE_RECORD};
use butterfly_record::Store;
use butterfly_runtime_embedded::host::{self, Desk, HostMemory, StartError, Stopped};
use butterfly_runtime_embedded::network::{self, NetworkMemory};
use butterfly_runtime_embedded::party::{Party, PartyError};
use butterfly_runtime_embedded::protocol::Node;
use butterfly_runtime_embedded::record::Region;
use cortex_m_rt::{entry, exception};
use embassy_executor::Spawner;
use embassy_executor::raw::Executor;
use embassy_net::{Config, Ipv4Address, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};
use static_cell::{ConstStaticCell, StaticCell};

use flash::Flash;
use lan9118::Lan9118;
use random::Random;
use serial::Serial;

/// Members that the cluster may have.
const MEMBERS: usize = if cfg!(feature = "seven") { 7 } else { 4 };
/// The longest message: a decision or a payload with its certificates.
const MESSAGE: usize = if cfg!(feature = "seven") { 6 * 1024 } else { 4 * 1024 };
/// For messages whose time has not come: a device is slower than its fellows.
const PARKING: usize = 4 * MESSAGE;
/// For one copy of the vote record, in sectors.
const COPY: usize = if cfg!(feature = "seven") { 12 * 1024 } else { 8 * 1024 };
/// Stages that may be assigned to one member: there are no more.
const STAGES: usize = 4;
/// The longest request.
const POSITIONS: usize = 256;
/// Connections from others at a time.
const SEATS: usize = MEMBERS + 3;

type Record = Store<Region<Flash>, COPY>;

static SERIAL: ConstStaticCell<Serial> = ConstStaticCell::new(Serial::new());
static PROVISION: ConstStaticCell<[u8; BLOCK]> = ConstStaticCell::new([0; BLOCK]);
static HOST: ConstStaticCell<HostMemory<MEMBERS, MESSAGE, PARKING, COPY>> = ConstStaticCell::new(HostMemory::new());
/// What one request takes: caches and signals.
static DESKS: ConstStaticCell<[Desk<POSITIONS>; STAGES]> = ConstStaticCell::new([const { Desk::new() }; STAGES]);
static NETWORK: ConstStaticCell<NetworkMemory<MEMBERS, SEATS, MESSAGE>> = ConstStaticCell::new(NetworkMemory::new());
static PARTY: StaticCell<Party<MEMBERS>> = StaticCell::new();
static NODE: StaticCell<Node<MEMBERS>> = StaticCell::new();
static RECORD: StaticCell<Record> = StaticCell::new();
static RANDOM: StaticCell<Random> = StaticCell::new();
static SOCKETS: StaticCell<StackResources<{ MEMBERS + SEATS }>> = StaticCell::new();
static EXECUTOR: StaticCell<Executor> = StaticCell::new();

/// Somebody wants to be polled.
static PENDING: AtomicBool = AtomicBool::new(false);

#[entry]
fn main() -> ! {
    stack::paint();
    serial::start();
    let Some(core) = cortex_m::Peripherals::take() else { stand_still() };
    clock::start(core.SYST);
    let executor = EXECUTOR.init(Executor::new(core::ptr::null_mut()));
    let spawner = executor.spawner();
    match live(spawner) {
        Ok(task) => spawner.spawn(task),
        Err(_) => stand_still(),
    }
    loop {
        // SAFETY: the executor is polled here only.
        unsafe { executor.poll() };
        // With interrupts off, one that comes between the question and the
        // sleep still ends the sleep, and is handled when they are on again.
        cortex_m::interrupt::disable();
        if !PENDING.swap(false, Ordering::Acquire) {
            cortex_m::asm::wfi();
        }
        // SAFETY: no critical section is open.
        unsafe { cortex_m::interrupt::enable() };
    }
}

#[unsafe(export_name = "__pender")]
fn pend(_context: *mut ()) {
    PENDING.store(true, Ordering::Release);
}

type Host = host::Host<'static, Flash, MEMBERS, MESSAGE, PARKING, COPY, POSITIONS>;

/// The device's life.
#[embassy_executor::task]
async fn live(spawner: Spawner) {
    let Prepared { party, host, stack, random } = match prepare(spawner) {
        Ok(prepared) => prepared,
        Err(reason) => return serial::fail(&reason),
    };
    serial::fail(&network::run(party, host, stack, random, NETWORK.take()).await);
}

/// A node that has begun, and its network.
struct Prepared {
    party: &'static Party<MEMBERS>,
    host: Host,
    stack: (Stack<'static>, u16),
    random: &'static mut Random,
}

/// Starts everything that there is. A function of its own, so that what it
/// needs of the stack is free again when the device lives.
#[inline(never)]
fn prepare(spawner: Spawner) -> Result<Prepared, Reason> {
    // SAFETY: called once, since this task is spawned once.
    let flash = unsafe { Flash::take() };
    let block = PROVISION.take();
    flash.front(block);
    let provision = Provision::read(block).map_err(Reason::Provision)?;
    // Before anything else: without random numbers nothing of this may happen.
    let random = RANDOM.init(Random::find());
    let mut draw = || host::draw_nonce(random).map_err(|without| Reason::Start(without.into()));
    let (nonce, seed) = (draw()?, draw()?);
    let party: &Party<MEMBERS> = PARTY.init(Party::new(&provision, MESSAGE as u32).map_err(Reason::Party)?);
    let record = RECORD.init(host::open_record(party, flash, VOTE_RECORD as u32).map_err(Reason::Start)?);
    let node = begin_node(party, record)?;
    let mut host = Host::new(party, node, record, SERIAL.take(), HOST.take(), DESKS.take()).map_err(Reason::Start)?;
    let stack = connect(spawner, &provision.network, seed)?;
    host.start(nonce).map_err(Reason::Stopped)?;
    Ok(Prepared { party, host, stack: (stack, provision.network.port), random })
}

#[inline(never)]
fn begin_node(party: &Party<MEMBERS>, record: &Record) -> Result<&'static mut Node<MEMBERS>, Reason> {
    Ok(NODE.init(host::open_node(party, record).map_err(Reason::Start)?))
}

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
    let card = Lan9118::start(network.hardware);
    let (stack, runner) = embassy_net::new(card, Config::ipv4_static(config), sockets, seed);
    spawner.spawn(carry(runner).map_err(|_| Reason::Task)?);
    Ok(stack)
}

/// Carries frames to and fro.
#[embassy_executor::task]
async fn carry(mut runner: Runner<'static, Lan9118>) {
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

fn stand_still() -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}

#[exception]
unsafe fn DefaultHandler(number: i16) {
    if number == lan9118::LINE as i16 {
        lan9118::interrupt();
    }
}

/// A panic is a bug. What the device has said is durable; it says nothing more.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    cortex_m::interrupt::disable();
    serial::fail(&info.message());
    if let Some(place) = info.location() {
        serial::fail(place);
    }
    stand_still()
}
