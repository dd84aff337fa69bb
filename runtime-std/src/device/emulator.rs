//! QEMU's `mps2-an386` with a firmware image, a flash that is a file, and a
//! network.
//!
//! The network is QEMU's own: the device is at 10.0.2.15 behind a port of this
//! machine, and sees this machine's loopback as 10.0.2.2. Or it is one cable of
//! a hub, where device i is at 10.0.2.(20 + i). Or there is no QEMU: the device
//! is a process on a TAP interface, at that address too.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::flash::Flash;

/// Where this machine is, as a device sees it.
const MACHINE: [u8; 4] = [10, 0, 2, 2];
/// Where a device is that is alone in its network.
const ALONE: [u8; 4] = [10, 0, 2, 15];
/// Where the first device of a hub is.
const FIRST: u8 = 20;
/// The port that devices listen on.
const PORT: u16 = 7000;

/// What a device's network card is connected to.
#[derive(Clone, Debug, Default)]
pub enum Cable {
    /// This machine, by QEMU.
    #[default]
    Machine,
    /// A hub on this port of this machine: the device's end is bound to that
    /// port and 1 and its number.
    Hub(u16),
    /// This interface. The device is a process of this machine, and the image
    /// its program.
    Tap(String),
}

/// Which network a device is in.
#[derive(Clone, Debug)]
pub struct Network {
    /// Where it is reached.
    pub listen: SocketAddr,
    /// What it is connected to.
    pub cable: Cable,
}

impl Network {
    /// What device `number` is told of its own place.
    pub fn of(&self, number: u8) -> butterfly_provisioning::Network {
        let address = match self.cable {
            Cable::Machine => ALONE,
            Cable::Hub(_) | Cable::Tap(_) => [10, 0, 2, FIRST + number],
        };
        butterfly_provisioning::Network {
            hardware: [2, 0, 0, 0, 0, number],
            address,
            prefix: 24,
            gateway: MACHINE,
            port: PORT,
        }
    }

    /// Where a device finds member `number`, which listens at `host` and `port`.
    pub fn seen_from_inside(&self, number: u8, host: [u8; 4], port: u16) -> ([u8; 4], u16) {
        match self.cable {
            // On a hub, members without a port of this machine are devices.
            Cable::Hub(_) if port == 0 => ([10, 0, 2, FIRST + number], PORT),
            _ if Ipv4Addr::from(host).is_loopback() => (MACHINE, port),
            _ => (host, port),
        }
    }

    /// How to run `image` from `flash`.
    fn command(&self, image: &Path, flash: &Flash) -> Command {
        // It must end with this process, however that ends.
        let mut start = Command::new("setpriv");
        start.args(["--pdeathsig", "KILL", "--"]);
        if let Cable::Tap(interface) = &self.cable {
            start.arg(image).arg("--flash").arg(flash.path()).arg("--tap").arg(interface);
            return start;
        }
        start.args([
            "qemu-system-arm",
            "-M",
            "mps2-an386,memory-backend=flash",
            "-display",
            "none",
            "-monitor",
            "none",
        ]);
        start.args(["-serial", "stdio", "-semihosting-config", "enable=on,target=native,arg=random=/dev/urandom"]);
        start.arg("-object");
        start.arg(format!("memory-backend-file,id=flash,size=16M,share=on,mem-path={}", flash.path().display()));
        match self.cable {
            Cable::Hub(port) => {
                let end = port + 1 + u16::from(flash.number());
                start.arg("-netdev").arg(format!(
                    "dgram,id=cable,local.type=inet,local.host=127.0.0.1,local.port={end},\
                     remote.type=inet,remote.host=127.0.0.1,remote.port={port}"
                ));
                start.args(["-net", "nic,netdev=cable"]);
            }
            _ => {
                let forward = format!("user,hostfwd=tcp:{}-{}:{PORT}", self.listen, Ipv4Addr::from(ALONE));
                start.arg("-nic").arg(forward);
            }
        }
        start.arg("-kernel").arg(image);
        start
    }
}

/// A running emulator. Dropping it kills it.
pub struct Emulator {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// The last thing that it complained of.
    complaint: Arc<Mutex<String>>,
}

impl Emulator {
    /// Starts `image` from `flash`.
    ///
    /// # Errors
    /// When QEMU or the image is missing.
    pub fn start(image: &Path, flash: &Flash, network: &Network) -> Result<Emulator> {
        anyhow::ensure!(image.exists(), "there is no firmware {}; `cargo xtask firmware` builds it", image.display());
        let mut start = network.command(image, flash);
        start.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child =
            start.spawn().context("cannot start the emulator: `qemu-system-arm` and `setpriv` are needed")?;
        let lines = child.stdout.take().context("an emulator without a serial line")?;
        let complaint = Arc::new(Mutex::new(String::new()));
        if let Some(complaints) = child.stderr.take() {
            tokio::spawn(listen(complaints, Arc::clone(&complaint)));
        }
        Ok(Emulator { child, lines: BufReader::new(lines).lines(), complaint })
    }

    /// The next line that the device says; none when the emulator has ended.
    /// Nothing is lost when this is cancelled.
    ///
    /// # Errors
    /// When the line cannot be read.
    pub async fn next(&mut self) -> Result<Option<String>> {
        Ok(self.lines.next_line().await?)
    }

    /// Why the emulator has ended, in its own words.
    pub fn complaint(&self) -> String {
        self.complaint.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Pulls the plug.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("cannot kill the emulator")
    }
}

/// While it runs, the emulator complains of packets that came before the device
/// listened. Nobody needs to know; when it ends, the last word counts.
async fn listen(complaints: ChildStderr, last: Arc<Mutex<String>>) {
    let mut lines = BufReader::new(complaints).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        *last.lock().unwrap_or_else(PoisonError::into_inner) = line;
    }
}
