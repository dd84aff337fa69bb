//! A network namespace of the test's own, with a TAP interface: on one side of
//! it are servers and clients, which take it for a network, on the other a
//! device.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::succeed;

/// The interface.
pub(super) const TAP: &str = "tap0";
const TUN: &str = "/dev/net/tun";

/// A namespace. It ends with this, and the interface with it.
pub(super) struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one in which this machine is at 10.0.2.2.
    ///
    /// # Errors
    /// When this process may not, or the machine has no TAP interfaces.
    pub(super) fn new() -> Result<Namespace> {
        if !Path::new(TUN).exists() {
            succeed(Command::new("mkdir").args(["-p", "/dev/net"]))?;
            succeed(Command::new("mknod").args([TUN, "c", "10", "200"])).context("there is no /dev/net/tun")?;
        }
        let namespace = Namespace { name: format!("butterfly-tap-{}", std::process::id()) };
        succeed(Command::new("ip").args(["netns", "add", &namespace.name]))?;
        for words in [
            &["tuntap", "add", "dev", TAP, "mode", "tap"][..],
            &["address", "add", "10.0.2.2/24", "dev", TAP],
            &["link", "set", "lo", "up"],
            &["link", "set", TAP, "up"],
        ] {
            succeed(Command::new("ip").args(["-n", &namespace.name]).args(words))?;
        }
        Ok(namespace)
    }

    /// A program that will run inside; its process is its own.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // If it is in use still, the processes in it are what is wrong.
        let _gone = succeed(Command::new("ip").args(["netns", "delete", &self.name]));
    }
}
