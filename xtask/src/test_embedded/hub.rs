//! A network in this process: cables that carry Ethernet frames in datagrams,
//! and what goes wrong on them.
//!
//! Each device has a cable of its own. One more leads to a gateway, an emulator
//! without a machine that passes connections on, from and to this machine's
//! ports: servers and clients are behind it.

use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};

/// The gateway's cable.
const GATEWAY: u16 = 60;
const BROADCAST: [u8; 6] = [0xFF; 6];
/// Where the drawing of frames begins, so that a run can be had again.
const SEED: u64 = 0x9E37_79B9_7F4A_7C15;
/// The longest frame.
const FRAME: usize = 2_048;
/// How often the hub looks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);

/// What goes wrong with frames, each in a hundred.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trouble {
    /// Lost.
    pub(super) lost: u64,
    /// Carried twice.
    pub(super) repeated: u64,
    /// Carried after the next one.
    pub(super) late: u64,
}

/// A hub that runs.
pub(super) struct Hub {
    shared: Arc<Shared>,
    carrier: Option<JoinHandle<()>>,
    gateway: Child,
}

#[derive(Default)]
struct Shared {
    ended: AtomicBool,
    /// Cables that carry nothing, one bit each.
    cut: AtomicU64,
    trouble: Mutex<Trouble>,
    counts: Mutex<Counts>,
}

/// What became of frames.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) carried: u64,
    pub(super) lost: u64,
    pub(super) repeated: u64,
    pub(super) late: u64,
    /// Not carried because a cable was cut.
    pub(super) cut: u64,
}

impl Hub {
    /// Cables for `members` of which `devices` are on it, each of which is
    /// reached on the port of this machine that is `first` and its number.
    /// `port` and the 64 behind it must be free.
    pub(super) fn start(port: u16, first: u16, members: u16, devices: &[u8]) -> Result<Hub> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).context("the hub's port is in use")?;
        socket.set_read_timeout(Some(LOOK))?;
        let shared = Arc::new(Shared::default());
        let carried = Arc::clone(&shared);
        let carrier = std::thread::spawn(move || carry(&socket, port, members, &carried));
        let forwards: String = devices
            .iter()
            .map(|device| format!(",hostfwd=tcp:127.0.0.1:{}-10.0.2.{}:7000", first + u16::from(*device), 20 + device))
            .collect();
        let mut start = Command::new("setpriv");
        start.args(["--pdeathsig", "KILL", "--", "qemu-system-arm", "-M", "none", "-nodefaults", "-display", "none"]);
        start.arg("-netdev").arg(format!("user,id=user{forwards}"));
        start.arg("-netdev").arg(format!(
            "dgram,id=cable,local.type=inet,local.host=127.0.0.1,local.port={},remote.type=inet,remote.host=127.0.0.1,\
             remote.port={port}",
            port + 1 + GATEWAY
        ));
        start.args(["-netdev", "hubport,id=one,hubid=0,netdev=user", "-netdev", "hubport,id=two,hubid=0,netdev=cable"]);
        let gateway = start.stdin(Stdio::null()).stderr(Stdio::null()).spawn().context("cannot start the gateway")?;
        Ok(Hub { shared, carrier: Some(carrier), gateway })
    }

    /// From now on this goes wrong.
    pub(super) fn trouble(&self, trouble: Trouble) {
        *self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// These devices' cables carry nothing; all others do.
    pub(super) fn cut(&self, devices: &[u8]) {
        self.shared.cut.store(devices.iter().fold(0, |cut, device| cut | 1 << device), Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> Counts {
        *self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // They may have ended by themselves.
        let _gone = self.gateway.kill();
        let _gone = self.gateway.wait();
        if let Some(carrier) = self.carrier.take() {
            let _panicked = carrier.join();
        }
    }
}

/// Carries frames until the hub ends.
fn carry(socket: &UdpSocket, port: u16, devices: u16, shared: &Shared) {
    let mut draw = Draw(SEED);
    let mut held: Option<(u16, Vec<u8>)> = None;
    let mut frame = [0; FRAME];
    while !shared.ended.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut frame) else {
            // Nothing comes: what was to come after the next frame goes now.
            if let Some((cable, frame)) = held.take() {
                give(socket, port, devices, shared, cable, &frame);
            }
            continue;
        };
        let Some(cable) = from.port().checked_sub(port + 1) else { continue };
        let trouble = *shared.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts = shared.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.carried += 1;
        if draw.percent() < trouble.lost {
            counts.lost += 1;
            continue;
        }
        if draw.percent() < trouble.late && held.is_none() {
            counts.late += 1;
            held = Some((cable, frame[..length].to_vec()));
            continue;
        }
        let times = if draw.percent() < trouble.repeated { 2 } else { 1 };
        counts.repeated += times - 1;
        drop(counts);
        (0..times).for_each(|_| give(socket, port, devices, shared, cable, &frame[..length]));
        if let Some((cable, frame)) = held.take() {
            give(socket, port, devices, shared, cable, &frame);
        }
    }
}

/// Gives a frame to whom it is for, or to everybody else. The gateway must not
/// see what is for others: it would answer in their place.
fn give(socket: &UdpSocket, port: u16, devices: u16, shared: &Shared, from: u16, frame: &[u8]) {
    let cut = shared.cut.load(Ordering::Relaxed);
    let is_cut = |cable: u16| cut & 1 << cable != 0;
    let is_for = |cable: u16| match frame.first_chunk() {
        Some(to) if *to == BROADCAST => true,
        Some(to) if cable == GATEWAY => (0..devices).all(|device| *to != hardware(device)),
        Some(to) => *to == hardware(cable),
        None => false,
    };
    let cables = (0..devices).chain([GATEWAY]);
    let others = cables.filter(|cable| *cable != from && is_for(*cable));
    for cable in others {
        if is_cut(cable) || is_cut(from) {
            shared.counts.lock().unwrap_or_else(PoisonError::into_inner).cut += 1;
            continue;
        }
        // A device that is switched off takes nothing.
        let _off = socket.send_to(frame, (Ipv4Addr::LOCALHOST, port + 1 + cable));
    }
}

/// The address of a device's network card.
fn hardware(device: u16) -> [u8; 6] {
    let [high, low] = device.to_be_bytes();
    [2, 0, 0, 0, high, low]
}

/// Numbers that are the same in each run.
struct Draw(u64);

impl Draw {
    fn percent(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % 100
    }
}
