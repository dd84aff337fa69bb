//! What a device does, in instructions: four hosts in one image, with flash in
//! memory, whose messages are carried by hand.
//!
//! To be run in an emulator that counts: with `-icount shift=0` an instruction
//! takes a nanosecond of the machine's time, and the core's timer counts forty
//! of them at a time. These are instructions, not cycles.
#![no_std]
#![no_main]

mod cluster;
mod memory;
#[path = "../../../../program/sizes.rs"]
#[allow(dead_code, reason = "there are four members here")]
mod sizes;

use core::cell::Cell;
use core::fmt::Write;
use core::panic::PanicInfo;
use core::task::Waker;

use butterfly_kernel::message::Kind;
use butterfly_kernel::types::{ClientId, NodeId, Nonce};
use butterfly_kernel::wire;
use butterfly_runtime_embedded::host::Stopped;
use butterfly_runtime_embedded::protocol::Envelope;
use butterfly_workload::{Sampling, Signal, Token};
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::entry;
use cortex_m_semihosting::debug;
use cortex_m_semihosting::hio::{self, HostStream};
use critical_section::Mutex;
use ed25519_dalek::Signer;

use cluster::{Host, MEMBERS};

/// Instructions for each count of the timer: it counts 25 million in a second
/// of a billion instructions.
const GRAIN: u64 = 40;
const WRAP: u32 = 0x00FF_FFFF;

/// No timer of the hosts ever runs out here.
struct Stopwatch(Mutex<Cell<u64>>);

embassy_time_driver::time_driver_impl!(static TIME: Stopwatch = Stopwatch(Mutex::new(Cell::new(0))));

impl embassy_time_driver::Driver for Stopwatch {
    fn now(&self) -> u64 {
        critical_section::with(|token| self.0.borrow(token).get())
    }

    fn schedule_wake(&self, _: u64, _: &Waker) {}
}

/// How often something was done, and what it took together.
#[derive(Clone, Copy, Default)]
struct Count {
    times: u64,
    instructions: u64,
}

impl Count {
    fn add(&mut self, instructions: u64) {
        self.times += 1;
        self.instructions += instructions;
    }
}

fn measure<T>(act: impl FnOnce() -> T) -> (T, u64) {
    let before = SYST::get_current();
    let outcome = act();
    // It counts down.
    (outcome, u64::from(before.wrapping_sub(SYST::get_current()) & WRAP) * GRAIN)
}

#[entry]
fn main() -> ! {
    let outcome = run();
    debug::exit(if outcome.is_some() { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}

fn run() -> Option<()> {
    let mut timer = cortex_m::Peripherals::take()?.SYST;
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(WRAP);
    timer.clear_current();
    timer.enable_counter();
    let mut out = hio::hstdout().ok()?;
    parts(&mut out)?;
    let mut hosts = cluster::hosts()?;
    for host in hosts.iter_mut() {
        host.start(Nonce([1; 16])).ok()?;
    }
    for host in hosts.iter_mut().take(2) {
        host.submit(cluster::request()?, ClientId(0)).ok()?.ok()?;
    }
    let (mut kinds, mut decisions) = ([Count::default(); Kind::ALL.len()], Count::default());
    while cluster::text() < cluster::TOKENS {
        if !carry(&mut hosts, &mut kinds, &mut decisions).ok()? {
            return None;
        }
    }
    for (kind, count) in Kind::ALL.iter().zip(kinds).filter(|(_, count)| count.times > 0) {
        say(&mut out, kind.name(), count)?;
    }
    say(&mut out, "decision", decisions)
}

/// What one operation takes, apart from the protocol.
fn parts(out: &mut HostStream) -> Option<()> {
    let key = cluster::key(1);
    let mut count = |name: &str, instructions| say(out, name, Count { times: 1, instructions });
    let (signature, instructions) = measure(|| key.sign(&[7; 32]));
    count("sign", instructions)?;
    let verifier = key.verifying_key();
    let (verified, instructions) = measure(|| verifier.verify_strict(&[7; 32], &signature));
    verified.ok()?;
    count("verify", instructions)?;
    for (name, stage) in [("stage_first", 0), ("stage_last", 3)] {
        let mut stage = cluster::stage(stage)?;
        let input = match name {
            "stage_first" => Signal::Token(Token::try_from(40).ok()?),
            _ => Signal::Activation(butterfly_workload::Activation::new([1_000; butterfly_workload::WIDTH]).ok()?),
        };
        let (output, instructions) = measure(|| stage.advance(&input, &Sampling::Greedy));
        output.ok()?;
        count(name, instructions)?;
    }
    Some(())
}

/// Carries one message from each device to each other one.
fn carry(hosts: &mut [Host; MEMBERS], kinds: &mut [Count], decisions: &mut Count) -> Result<bool, Stopped> {
    let mut carried = false;
    let mut message = [0; cluster::MESSAGE];
    for (from, to) in (0..MEMBERS).flat_map(|from| (0..MEMBERS).map(move |to| (from, to))) {
        let Some(mut queue) = hosts[from].queue(NodeId(to as u8)).filter(|_| from != to) else { continue };
        let Some(length) = queue.front().map(|front| {
            message[..front.len()].copy_from_slice(front);
            front.len()
        }) else {
            continue;
        };
        queue.pop();
        carried = true;
        let message = &message[..length];
        let place = wire::decode::<Envelope<MEMBERS>>(message)
            .ok()
            .and_then(|envelope| Kind::ALL.iter().position(|kind| *kind == envelope.message.kind()));
        let before = hosts[to].node().epoch();
        let (genuine, instructions) = measure(|| hosts[to].receive(message));
        genuine?;
        if hosts[to].node().epoch() > before {
            decisions.add(instructions);
        } else if let Some(count) = place.and_then(|place| kinds.get_mut(place)) {
            count.add(instructions);
        }
    }
    Ok(carried)
}

fn say(out: &mut HostStream, name: &str, count: Count) -> Option<()> {
    writeln!(out, "{name} {} {}", count.times, count.instructions.checked_div(count.times)?).ok()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    if let Ok(mut out) = hio::hstdout() {
        // Whoever counts sees a program that failed.
        let _ = writeln!(out, "{info}");
    }
    debug::exit(debug::EXIT_FAILURE);
    loop {
        cortex_m::asm::wfi();
    }
}
