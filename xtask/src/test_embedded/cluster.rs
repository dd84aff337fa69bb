//! A cluster of servers and devices, each a process of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::namespace::{Namespace, TAP};
use crate::process::succeed;

/// Members of every cluster here.
pub(super) const MEMBERS: u8 = 4;
/// What a state is waited for; machines are slow at times.
const PATIENCE: Duration = Duration::from_secs(300);
/// A first view may take this long: the devices share two cores with each other.
const VIEW: &str = "8000";

const BETWEEN_QUESTIONS: Duration = Duration::from_secs(2);

/// Where things are.
pub(super) struct Tools {
    /// The `butterfly` program.
    pub(super) program: PathBuf,
    /// The firmware for four members.
    pub(super) image: PathBuf,
    /// The same as a process of this machine.
    pub(super) host: PathBuf,
    /// Where clusters are made.
    pub(super) folder: PathBuf,
}

/// Where members are.
pub(super) enum Ground {
    /// All on this machine's loopback, a device behind a port of it.
    Loopback,
    /// Devices on the hub on this port, servers on the loopback.
    Hub(u16),
    /// Servers in a namespace, a device as a process on its TAP interface.
    Namespace(Namespace),
}

/// A cluster in a folder of its own. Everything ends with it.
pub(super) struct Cluster<'t> {
    tools: &'t Tools,
    pub(super) dir: PathBuf,
    pub(super) base: u16,
    devices: Vec<u8>,
    running: BTreeMap<u8, Member>,
    /// Ends after what runs there.
    ground: Ground,
}

/// A member's process, and what it has said: one document on each line.
struct Member {
    child: Child,
    said: Arc<Said>,
}

#[derive(Default)]
struct Said {
    lines: Mutex<Vec<Value>>,
    more: Condvar,
}

impl Drop for Member {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

impl<'t> Cluster<'t> {
    /// Provisions a cluster in which `devices` are firmware.
    pub(super) fn new(tools: &'t Tools, name: &str, devices: &[u8], ground: Ground) -> Result<Self> {
        let dir = tools.folder.join(name);
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        let base = free_ports(2 * u16::from(MEMBERS))?;
        let mut init = Command::new(&tools.program);
        init.arg("init").arg("--dir").arg(&dir).args(["--base-port", &base.to_string()]);
        init.args(["--admin-port", &(base + u16::from(MEMBERS)).to_string()]);
        succeed(&mut init)?;
        let cluster = Cluster { tools, dir, base, devices: devices.to_vec(), running: BTreeMap::new(), ground };
        if let Ground::Namespace(_) = cluster.ground {
            cluster.move_in()?;
        }
        Ok(cluster)
    }

    /// Writes down for servers and clients where members are in a namespace.
    fn move_in(&self) -> Result<()> {
        let nodes = (0..MEMBERS).map(|member| self.folder(member).join("node.toml"));
        for file in nodes.chain([self.dir.join("client-0/client.toml")]) {
            let moved = (0..MEMBERS).fold(fs::read_to_string(&file)?, |text, member| {
                let before = format!("\"127.0.0.1:{}\"", self.base + u16::from(member));
                text.replace(&before, &format!("\"{}\"", self.address(member)))
            });
            fs::write(&file, moved)?;
        }
        Ok(())
    }

    /// Where a member is for a device. On a hub a device has no port.
    fn address(&self, member: u8) -> String {
        match (&self.ground, self.devices.contains(&member)) {
            (Ground::Namespace(_), true) => format!("10.0.2.{}:7000", 20 + member),
            (Ground::Namespace(_), false) => format!("10.0.2.2:{}", self.base + u16::from(member)),
            (Ground::Hub(_), true) => "127.0.0.1:0".to_owned(),
            _ => format!("127.0.0.1:{}", self.base + u16::from(member)),
        }
    }

    /// The program, where the cluster is.
    fn command(&self) -> Command {
        match &self.ground {
            Ground::Namespace(namespace) => namespace.command(&self.tools.program),
            _ => Command::new(&self.tools.program),
        }
    }

    /// Starts every member, and waits until enough of them answer.
    pub(super) fn start_all(&mut self) -> Result<()> {
        (0..MEMBERS).try_for_each(|member| self.start(member).map(drop))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = crate::process::finish(self.command().arg("status").arg("--dir").arg(&self.dir))?;
            if status.status.success() {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the members do not answer: {}", status.tail());
            // A device answers one handshake in two seconds, those of its fellows as well.
            std::thread::sleep(BETWEEN_QUESTIONS);
        }
    }

    /// Starts one member, from whatever its folder holds, and returns what it
    /// says at first.
    pub(super) fn start(&mut self, member: u8) -> Result<Value> {
        let mut command = self.command();
        if self.devices.contains(&member) {
            let peers: Vec<String> = (0..MEMBERS).map(|member| self.address(member)).collect();
            command.arg("device").arg("--folder").arg(self.folder(member)).args(["--peers", &peers.join(",")]);
            command.args(["--port", &(self.base + u16::from(member)).to_string(), "--image"]);
            match &self.ground {
                Ground::Loopback => command.arg(&self.tools.image),
                Ground::Hub(port) => command.arg(&self.tools.image).args(["--hub", &port.to_string()]),
                Ground::Namespace(_) => command.arg(&self.tools.host).args(["--tap", TAP]),
            };
        } else {
            command.arg("start").arg("--dir").arg(&self.dir).args(["--node", &member.to_string(), "--json"]);
        }
        command.args(["--view-timeout-ms", VIEW]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start a member")?;
        let out = child.stdout.take().context("a member without standard output")?;
        let said = Arc::new(Said::default());
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if let Ok(line) = serde_json::from_str(&line) {
                    heard.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                    heard.more.notify_all();
                }
            }
        });
        self.running.insert(member, Member { child, said });
        self.wait_for(member, "that it is ready", |line| line["event"] == "ready")
    }

    /// SIGKILL: the plug is pulled. A device's emulator goes with its process.
    pub(super) fn kill(&mut self, member: u8) {
        self.running.remove(&member);
    }

    /// What `member` has said since it was started.
    pub(super) fn said(&self, member: u8) -> Vec<Value> {
        self.running
            .get(&member)
            .map_or(Vec::new(), |member| member.said.lines.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Waits until `member` says something that `is` wanted.
    pub(super) fn wait_for(&self, member: u8, what: &str, is: impl Fn(&Value) -> bool) -> Result<Value> {
        let said = &self.running.get(&member).context("the member does not run")?.said;
        let deadline = Instant::now() + PATIENCE;
        let mut lines = said.lines.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = lines.iter().find(|line| is(line)) {
                return Ok(found.clone());
            }
            if let Some(failed) = lines.iter().find(|line| line["event"] == "failed") {
                bail!("member {member}: {}", failed["reason"]);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "member {member} did not say {what} within {} s", PATIENCE.as_secs());
            lines = said.more.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Has the cluster continue a text. A device answers few handshakes: who
    /// comes too soon after another is told that too few nodes answer, and asks again.
    pub(super) fn submit(&self, prompt: &str, tokens: usize) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match finish(self.begin_submit(prompt, tokens)?) {
                Err(error) if error.to_string().contains("nodes answer, and") && Instant::now() < deadline => {
                    std::thread::sleep(BETWEEN_QUESTIONS);
                }
                outcome => return outcome,
            }
        }
    }

    /// Hands a request in; [`finish`] waits for the answer.
    pub(super) fn begin_submit(&self, prompt: &str, tokens: usize) -> Result<Child> {
        let mut submit = self.command();
        submit.arg("submit").arg("--dir").arg(&self.dir).args(["--prompt", prompt, "--json"]);
        submit.args(["--tokens", &tokens.to_string(), "--patience", "180"]);
        submit.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        submit.spawn().context("cannot start the client")
    }

    /// No member has proven anything against another one.
    pub(super) fn blames_nobody(&self) -> Result<()> {
        for member in self.running.keys() {
            let evidence = self.said(*member).into_iter().find(|line| line["event"] == "evidence");
            ensure!(evidence.is_none(), "member {member} proves that somebody contradicted itself");
        }
        Ok(())
    }

    /// A connection to `member`, as a stranger makes it.
    pub(super) fn connect(&self, member: u8) -> Result<TcpStream> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.base + u16::from(member)))?;
        stream.set_write_timeout(Some(Duration::from_secs(1)))?;
        Ok(stream)
    }

    fn folder(&self, member: u8) -> PathBuf {
        self.dir.join(format!("node-{member}"))
    }

    /// The flash of a device that does not run.
    pub(super) fn flash(&self, member: u8) -> PathBuf {
        self.folder(member).join("flash")
    }
}

/// Waits for the answer to a request.
pub(super) fn finish(child: Child) -> Result<String> {
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "the client failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    Ok(answer["text"].as_str().context("an answer without a text")?.to_owned())
}

/// What one machine says.
pub(super) fn reference(tools: &Tools, prompt: &str, tokens: usize) -> Result<String> {
    let mut command = Command::new(&tools.program);
    command.args(["reference", "--prompt", prompt, "--tokens", &tokens.to_string(), "--json"]);
    let answer: Value = serde_json::from_str(&succeed(&mut command)?)?;
    Ok(answer["text"].as_str().context("a reference without a text")?.to_owned())
}

/// The first of `count` ports in a row that are free.
pub(super) fn free_ports(count: u16) -> Result<u16> {
    let bound = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    for _ in 0..64 {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        if first.checked_add(count).is_some() && (first..first + count).all(bound) {
            return Ok(first);
        }
    }
    bail!("there are no {count} free ports in a row")
}

/// How often garbage comes: fifty times a second.
const FLOOD_PAUSE: Duration = Duration::from_millis(20);

/// Sends what no member sends, over and over, and returns how many connections
/// took it.
pub(super) fn flood(cluster: &Cluster<'_>, member: u8, mut until: impl FnMut() -> bool) -> u32 {
    let mut connections = 0;
    let mut draw = 1_u64;
    while !until() {
        std::thread::sleep(FLOOD_PAUSE);
        let Ok(mut stream) = cluster.connect(member) else { continue };
        connections += 1;
        let garbage: Vec<u8> = (0..1_400)
            .map(|_| {
                draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (draw >> 56) as u8
            })
            .collect();
        // It may be cut off at any byte.
        let _cut = stream.write_all(&garbage).and_then(|()| stream.write_all(&garbage));
    }
    connections
}
