//! What agreement costs at least: the messages of the protocol over the same
//! sessions, then its signatures as well, then its flushes.
//!
//! One thread, no queue, no kernel: each process sends, signs, checks and
//! writes in a straight line what every correct implementation must, and
//! nothing else. Somebody signs a value and sends it to all, who check it. The
//! leader signs a proposal of it and a vote, makes its record durable and sends
//! both; a replica checks the proposal, signs its vote, makes its record durable
//! and sends it to all; everybody checks as many votes as a fast quorum takes,
//! and makes the decision durable. Nobody fails here.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use butterfly_kernel::types::{Epoch, NodeId, View};
use ed25519_dalek::{Signature, Signer, VerifyingKey};
use futures_util::future::select_all;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::{AUTHOR, Cost, Measured, WARM_UP, micros};
use crate::control::{Command, Event};
use crate::folder::Member;
use crate::host::{Voice, end_with_parent};
use crate::protocol::{member_name, timing};
use crate::storage::RecordFile;
use crate::transport::{Connection, Who};

/// Bytes of a vote on the wire.
const FRAME: usize = 101;
const SIGNATURE: usize = 64;
/// Where the signature begins, and what is signed ends.
const SIGNED: usize = 10;
const RECORD: &str = "floor-record";
const VALUE: u8 = 0;
const PROPOSAL: u8 = 1;
const VOTE: u8 = 2;

/// What is done in an epoch. Each does what the one before it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Layer {
    /// A message from member 0 to member 1, and one back.
    Transport,
    /// The messages of agreement.
    Messages,
    /// And their signatures.
    Signatures,
    /// And what must be durable.
    Flushes,
}

impl Layer {
    pub(crate) const ALL: [Layer; 4] = [Layer::Transport, Layer::Messages, Layer::Signatures, Layer::Flushes];
}

/// How to run one process of the floor.
#[derive(Clone, Debug)]
pub(crate) struct FloorOptions {
    /// The folder of a member.
    pub(crate) folder: PathBuf,
    /// Epochs that are measured of each layer, after some that are not.
    pub(crate) epochs: u64,
    /// Between a decision and the next proposal.
    pub(crate) pause: Duration,
    /// Bytes of what is made durable.
    pub(crate) record_bytes: usize,
}

/// Runs until every layer was measured and whoever started this says so.
pub(crate) fn run(options: &FloorOptions) -> Result<()> {
    end_with_parent()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(options))
}

async fn serve(options: &FloorOptions) -> Result<()> {
    let member = Member::open(&options.folder, timing(crate::config::VIEW_TIMEOUT))?;
    let voice = Voice::Measured;
    let mut commands = voice.commands();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    voice.tell(&Event::Ready { address, admin: None, learner: false, epoch: 0 })?;
    let Some(Command::Peers { addresses }) = commands.next().await else { bail!("nobody says who is there") };
    let links = connect(&member, &listener, &addresses).await?;
    let path = options.folder.join(RECORD);
    let owner = member_name(&member.cluster, member.me);
    if !path.exists() {
        RecordFile::provision(&path, owner, &[])?;
    }
    let (record, _) = RecordFile::open(&path, owner)?;
    let keys = member.cluster.roster().members.iter().map(|key| VerifyingKey::from_bytes(&key.0));
    let mut replica = Replica {
        keys: keys.collect::<Result<_, _>>()?,
        record,
        content: vec![0; options.record_bytes],
        links,
        early: VecDeque::new(),
        counts: Measured::default(),
        member,
    };
    let mut first = 1;
    for layer in Layer::ALL {
        let measured = replica.measure(layer, first, options).await?;
        voice.tell(&Event::Measured(measured))?;
        first += WARM_UP + options.epochs;
    }
    // The others may not have read everything yet.
    commands.next().await;
    Ok(())
}

/// A session with every other member: the one with the lower number dials.
async fn connect(
    member: &Member,
    listener: &TcpListener,
    addresses: &[Option<SocketAddr>],
) -> Result<Vec<(NodeId, Connection)>> {
    let others = member.cluster.members().without(member.me);
    let mut links = Vec::new();
    for peer in others.iter().filter(|peer| *peer > member.me) {
        let address = addresses.get(peer.index()).copied().flatten().context("a member that does not listen")?;
        let keys = member.party.member(peer).context("a member beyond the roster")?;
        links.push((peer, Connection::dial(TcpStream::connect(address).await?, &member.party, keys).await?));
    }
    while links.len() < others.len() {
        let (stream, _) = listener.accept().await?;
        let (connection, peer) = Connection::listen(stream, &member.party).await?.answer().await?.known()?;
        let Some(Who::Member(peer)) = member.party.who(&peer.identity()) else { bail!("a stranger") };
        links.push((peer, connection));
    }
    Ok(links)
}

type Frame = [u8; FRAME];

struct Replica {
    member: Member,
    keys: Vec<VerifyingKey>,
    record: RecordFile,
    content: Vec<u8>,
    links: Vec<(NodeId, Connection)>,
    /// Of epochs to come.
    early: VecDeque<(NodeId, Frame)>,
    counts: Measured,
}

impl Replica {
    async fn measure(&mut self, layer: Layer, first: u64, options: &FloorOptions) -> Result<Measured> {
        let mut before = (Instant::now(), Cost::default());
        for epoch in first..first + WARM_UP + options.epochs {
            if epoch == first + WARM_UP {
                self.counts = Measured::default();
                before = (Instant::now(), Cost::now());
            }
            match layer {
                Layer::Transport => self.bounce(epoch, options.pause).await?,
                _ => self.agree(layer, epoch, options.pause).await?,
            }
        }
        let (began, cost) = before;
        let counts = std::mem::take(&mut self.counts);
        Ok(Measured {
            epochs: options.epochs,
            took_us: micros(began.elapsed()),
            cost: Cost::now().since(cost),
            ..counts
        })
    }

    /// Members other than 0 and 1 have nothing to do.
    async fn bounce(&mut self, epoch: u64, pause: Duration) -> Result<()> {
        let frame = self.frame(Layer::Transport, VALUE, epoch);
        match self.member.me.0 {
            0 => {
                sleep(pause).await;
                let begin = Instant::now();
                self.send(Some(NodeId(1)), &[frame]).await?;
                self.next(epoch).await?;
                self.counts.agreement_us.push(micros(begin.elapsed()));
            }
            1 => {
                self.next(epoch).await?;
                self.send(Some(NodeId(0)), &[frame]).await?;
            }
            _ => {}
        }
        Ok(())
    }

    async fn agree(&mut self, layer: Layer, epoch: u64, pause: Duration) -> Result<()> {
        let leader = self.member.cluster.leader(Epoch(epoch), View::ZERO);
        let quorum = self.member.cluster.resilience().fast_quorum();
        let me = self.member.me;
        let mut begin = Instant::now();
        let mut frames = Vec::new();
        // As Butterfly's nodes are measured: one at a time, the value is another's.
        let author = if pause.is_zero() { leader } else { AUTHOR };
        if author == me {
            sleep(pause).await;
            frames.push(self.frame(layer, VALUE, epoch));
        }
        if author == me && leader != me {
            self.send(None, &frames).await?;
        } else if author != me {
            let (from, value) = self.next_of(epoch, VALUE).await?;
            self.check(layer, from, &value)?;
            begin = Instant::now();
        }
        let (mut votes, mut has_voted) = (0, false);
        if leader == me {
            frames.extend([self.frame(layer, PROPOSAL, epoch), self.frame(layer, VOTE, epoch)]);
            self.persist(layer)?;
            self.send(None, &frames).await?;
            has_voted = true;
        }
        while votes + 1 < quorum || !has_voted {
            let (from, frame) = self.next(epoch).await?;
            let is_vote = kind_of(&frame) == VOTE;
            if is_vote && votes + 1 == quorum {
                continue;
            }
            self.check(layer, from, &frame)?;
            if is_vote {
                votes += 1;
            } else {
                let frame = self.frame(layer, VOTE, epoch);
                self.persist(layer)?;
                self.send(None, &[frame]).await?;
                has_voted = true;
            }
        }
        // Who proposes at once makes both durable in one.
        let leads_next = self.member.cluster.leader(Epoch(epoch + 1), View::ZERO) == self.member.me;
        if !(leads_next && pause.is_zero()) {
            self.persist(layer)?;
        }
        if leader == me && (author != me || pause.is_zero()) {
            self.counts.agreement_us.push(micros(begin.elapsed()));
        }
        Ok(())
    }

    fn frame(&mut self, layer: Layer, kind: u8, epoch: u64) -> Frame {
        let mut frame = [0; FRAME];
        let (signed, rest) = frame.split_at_mut(SIGNED);
        signed.copy_from_slice(&[&[kind, self.member.me.0][..], &epoch.to_le_bytes()].concat());
        if layer >= Layer::Signatures {
            self.counts.said += 1;
            let signature = self.member.key.sign(&Sha256::digest(&*signed)).to_bytes();
            rest.split_at_mut(SIGNATURE).0.copy_from_slice(&signature);
        }
        frame
    }

    fn check(&mut self, layer: Layer, from: NodeId, frame: &Frame) -> Result<()> {
        if layer < Layer::Signatures {
            return Ok(());
        }
        self.counts.checked += 1;
        let (signed, rest) = frame.split_at(SIGNED);
        let signature = Signature::from_slice(rest.split_at(SIGNATURE).0)?;
        let key = self.keys.get(from.index()).context("a stranger")?;
        Ok(key.verify_strict(&Sha256::digest(signed), &signature)?)
    }

    fn persist(&mut self, layer: Layer) -> Result<()> {
        if layer >= Layer::Flushes {
            self.counts.flushes += 1;
            self.counts.record_bytes += self.content.len() as u64;
            self.record.write(&self.content)?;
        }
        Ok(())
    }

    /// To one member, or to all others.
    async fn send(&mut self, to: Option<NodeId>, frames: &[Frame]) -> Result<()> {
        for (peer, link) in &mut self.links {
            if to.is_none_or(|to| to == *peer) {
                for frame in frames {
                    link.send(frame).await?;
                    self.counts.sent += 1;
                    self.counts.bytes += FRAME as u64;
                }
                link.flush().await?;
            }
        }
        Ok(())
    }

    /// The next message of this kind; others of the epoch are kept for later.
    async fn next_of(&mut self, epoch: u64, kind: u8) -> Result<(NodeId, Frame)> {
        let mut others = Vec::new();
        loop {
            let (from, frame) = self.next(epoch).await?;
            if kind_of(&frame) == kind {
                self.early.extend(others);
                return Ok((from, frame));
            }
            others.push((from, frame));
        }
    }

    /// The next message of `epoch`. What is left of earlier ones is dropped.
    async fn next(&mut self, epoch: u64) -> Result<(NodeId, Frame)> {
        self.early.retain(|(_, frame)| epoch_of(frame) >= epoch);
        if let Some(at) = self.early.iter().position(|(_, frame)| epoch_of(frame) == epoch) {
            return self.early.remove(at).context("a message that is there");
        }
        loop {
            let (heard, ..) = select_all(self.links.iter_mut().map(|link| Box::pin(hear(link)))).await;
            let (from, frame) = heard?;
            match epoch_of(&frame).cmp(&epoch) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Ok((from, frame)),
                std::cmp::Ordering::Greater => self.early.push_back((from, frame)),
            }
        }
    }
}

async fn hear((peer, link): &mut (NodeId, Connection)) -> Result<(NodeId, Frame)> {
    let frame = link.receive().await?.context("a member has ended")?;
    Ok((*peer, Frame::try_from(frame)?))
}

fn kind_of(frame: &Frame) -> u8 {
    frame.first().copied().unwrap_or(VALUE)
}

fn epoch_of(frame: &Frame) -> u64 {
    let bytes = frame.get(2..SIGNED).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u64::from_le_bytes)
}
