//! A network of the test's own: one namespace for each node and one for a
//! client, on two switches, between which a node can be moved.

use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

/// Where nodes listen in their own namespaces.
const PORT: u16 = 7400;

pub(crate) struct Net {
    prefix: String,
    /// Nodes, and the client behind them.
    hosts: u16,
}

impl Net {
    /// For as many nodes and a client, all on one switch.
    pub(crate) fn new(nodes: u16) -> Net {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let prefix = format!("butterfly-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let net = Net { prefix, hosts: nodes + 1 };
        let switch = net.switch();
        ip(&["netns", "add", &switch]);
        for bridge in ["br0", "br1"] {
            ip(&["-n", &switch, "link", "add", bridge, "type", "bridge"]);
            ip(&["-n", &switch, "link", "set", bridge, "up"]);
        }
        for host in 0..net.hosts {
            let (name, port) = (net.namespace(host), format!("port{host}"));
            ip(&["netns", "add", &name]);
            ip(&["-n", &switch, "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &name]);
            ip(&["-n", &name, "address", "add", &format!("{}/24", ip_of(host)), "dev", "eth0"]);
            for (namespace, link) in [(&name, "lo"), (&name, "eth0"), (&switch, &port)] {
                ip(&["-n", namespace, "link", "set", link, "up"]);
            }
        }
        net.part(&[]);
        net
    }

    /// Where a node listens.
    pub(crate) fn address(node: u16) -> String {
        format!("{}:{PORT}", ip_of(node))
    }

    /// The namespace of a node, or of the client.
    pub(crate) fn namespace(&self, host: u16) -> String {
        format!("{}-{host}", self.prefix)
    }

    /// That of the client.
    pub(crate) fn client(&self) -> String {
        self.namespace(self.hosts - 1)
    }

    /// A program that will run in a namespace; its process is its own.
    pub(crate) fn command(namespace: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace, program]);
        command
    }

    /// These nodes have one switch, all others and the client the other. What
    /// is on its way in between is lost, and nobody is told.
    pub(crate) fn part(&self, apart: &[u16]) {
        for host in 0..self.hosts {
            let bridge = if apart.contains(&host) { "br1" } else { "br0" };
            ip(&["-n", &self.switch(), "link", "set", &format!("port{host}"), "master", bridge]);
        }
    }

    fn switch(&self) -> String {
        format!("{}-switch", self.prefix)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let hosts = (0..self.hosts).map(|host| self.namespace(host));
        for name in hosts.chain([self.switch()]) {
            // It may not have come into being.
            let _missing = Command::new("ip").args(["netns", "delete", &name]).output();
        }
    }
}

fn ip_of(host: u16) -> String {
    format!("10.77.0.{}", host + 1)
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output();
    let output = output.expect("`ip` of the package iproute2, which the test command installs");
    assert!(output.status.success(), "ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
}
