//! Sending spans: a bounded queue, and a task that posts what is in it. Nobody
//! waits for a collector: what it does not take in time is dropped, and counted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use butterfly_kernel::types::NodeId;
use hyper::Request;
use hyper::client::conn::http1::handshake;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::{EpochSpan, Teller};
use crate::metrics::Metrics;
use crate::protocol::Cluster;

/// Epochs that wait for the collector; more are dropped.
const QUEUE: usize = 1024;
/// Epochs in one request, at most.
const BATCH: usize = 128;
/// And how long the first of them waits for others.
const PAUSE: Duration = Duration::from_millis(500);
/// A request that takes longer is given up.
const POST_TIME: Duration = Duration::from_secs(5);

/// The way to a collector.
pub(crate) struct Collector {
    queue: mpsc::Sender<EpochSpan>,
    metrics: Metrics,
}

impl Collector {
    /// Posts to `address` from `workers`, for member `node`.
    pub(crate) fn start(
        workers: &Handle,
        address: SocketAddr,
        cluster: &Arc<Cluster>,
        node: NodeId,
        metrics: &Metrics,
    ) -> Collector {
        let (queue, epochs) = mpsc::channel(QUEUE);
        workers.spawn(post_all(address, Teller::new(cluster, node), epochs, metrics.clone()));
        Collector { queue, metrics: metrics.clone() }
    }

    /// Queues what is told of one epoch.
    pub(crate) fn tell(&self, epoch: EpochSpan) {
        if self.queue.try_send(epoch).is_err() {
            self.metrics.untold(1);
        }
    }
}

async fn post_all(address: SocketAddr, teller: Teller, mut epochs: mpsc::Receiver<EpochSpan>, metrics: Metrics) {
    while let Some(first) = epochs.recv().await {
        let mut batch = vec![first];
        let deadline = Instant::now() + PAUSE;
        while batch.len() < BATCH
            && let Ok(Some(epoch)) = timeout_at(deadline, epochs.recv()).await
        {
            batch.push(epoch);
        }
        let posted = timeout(POST_TIME, post(address, teller.document(&batch).to_string())).await;
        if !matches!(posted, Ok(Ok(()))) {
            metrics.untold(batch.len() as u64);
        }
    }
}

async fn post(address: SocketAddr, document: String) -> Result<()> {
    let (mut sender, connection) = handshake(TokioIo::new(TcpStream::connect(address).await?)).await?;
    let connection = tokio::spawn(connection);
    let request =
        Request::post("/v1/traces").header(HOST, address.to_string()).header(CONTENT_TYPE, "application/json");
    let answer = sender.send_request(request.body(document)?).await;
    connection.abort();
    let status = answer?.status();
    ensure!(status.is_success(), "the collector answers {status}");
    Ok(())
}
