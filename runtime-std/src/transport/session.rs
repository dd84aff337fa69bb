//! Sessions: what lies between a TCP stream and the frames of the protocol.
//!
//! In this version a session begins with an unauthenticated greeting and does
//! not encrypt. A liar on the link can therefore read, and cause loss, and no
//! more: every message carries its author's Ed25519 signature over the cluster
//! id, and the protocol survives loss. An authenticated, encrypted handshake
//! replaces [`dial`], [`answer`] and what the two halves do to a frame;
//! nothing outside this file needs to know.

use std::io;

use butterfly_kernel::types::NodeId;
use butterfly_kernel::wire;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncWriteExt, BufReader, BufWriter};
use tokio::net::TcpStream;

use super::frame;
use crate::protocol::{Cluster, Digest, encode};

const PROTOCOL: [u8; 4] = *b"BFLY";
const VERSION: u8 = 1;

/// The first frame of a session.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Greeting {
    protocol: [u8; 4],
    version: u8,
    cluster: Digest,
    from: NodeId,
}

impl Greeting {
    fn of(cluster: &Cluster, from: NodeId) -> Greeting {
        Greeting { protocol: PROTOCOL, version: VERSION, cluster: cluster.id(), from }
    }
}

/// The half of a session that the dialling member holds: it sends.
#[derive(Debug)]
pub struct Sender {
    stream: BufWriter<TcpStream>,
}

/// The half of a session that the answering member holds: it receives.
#[derive(Debug)]
pub struct Receiver {
    stream: BufReader<TcpStream>,
    frame: Vec<u8>,
}

/// Begins a session on a connection that this member dialled.
///
/// # Errors
/// When the stream fails.
pub async fn dial(stream: TcpStream, cluster: &Cluster, me: NodeId) -> io::Result<Sender> {
    stream.set_nodelay(true)?;
    let mut sender = Sender { stream: BufWriter::new(stream) };
    let greeting = encode(&Greeting::of(cluster, me)).map_err(io::Error::other)?;
    sender.send(&greeting).await?;
    sender.flush().await?;
    Ok(sender)
}

/// Begins a session on a connection that another member dialled.
///
/// # Errors
/// When the stream fails, or the other side is not of this cluster.
pub async fn answer(stream: TcpStream, cluster: &Cluster) -> io::Result<Receiver> {
    stream.set_nodelay(true)?;
    let mut receiver = Receiver { stream: BufReader::new(stream), frame: Vec::new() };
    let refused = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why);
    let greeting: Greeting = wire::decode(receiver.receive().await?).map_err(|_| refused("not a member's greeting"))?;
    if !cluster.members().contains(greeting.from) || greeting != Greeting::of(cluster, greeting.from) {
        return Err(refused("a greeting from another cluster or version"));
    }
    Ok(receiver)
}

impl Sender {
    /// Sends one frame, at the latest with the next [`Sender::flush`].
    ///
    /// # Errors
    /// The session is over on any.
    pub async fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        frame::write(&mut self.stream, frame).await
    }

    /// Puts everything sent on its way.
    ///
    /// # Errors
    /// The session is over on any.
    pub async fn flush(&mut self) -> io::Result<()> {
        self.stream.flush().await
    }
}

impl Receiver {
    /// The next frame.
    ///
    /// # Errors
    /// The session is over on any.
    pub async fn receive(&mut self) -> io::Result<&[u8]> {
        frame::read(&mut self.stream, &mut self.frame).await?;
        Ok(&self.frame)
    }
}
