//! Serving one client, or an operator, over its session.
//!
//! A client is told at its own pace: nothing is queued for it, since what it
//! was not told yet is in the chronicle. One that takes nothing for ten seconds
//! is dropped.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use butterfly_kernel::crypto::Verified;
use butterfly_kernel::types::Epoch;
use butterfly_kernel::wire;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::chronicle::Chronicle;
use super::{Answer, Ask, Refusal};
use crate::admin::Board;
use crate::lineage::Lineage;
use crate::protocol::{SignedChange, SignedRequest, encode};
use crate::transport::{Connection, Who};

/// A client that takes nothing for this long is dropped.
const STALL_TIME: Duration = Duration::from_secs(10);

/// What somebody wants, and where the node's answer goes.
pub(crate) struct Submission {
    pub(crate) wanted: Wanted,
    pub(crate) answer: oneshot::Sender<Result<(), Refusal>>,
}

/// Something that the cluster is to commit.
pub(crate) enum Wanted {
    /// That a client signed.
    Request(Verified<SignedRequest>),
    /// That an operator signed, or the bearer of an operator's token.
    Change(Verified<SignedChange>),
}

/// What sessions of clients share.
#[derive(Clone)]
pub(crate) struct Clients {
    pub(crate) lineage: Arc<Lineage>,
    pub(crate) chronicle: Arc<Chronicle>,
    pub(crate) board: Arc<Board>,
    /// Takes requests. When it is full, clients wait.
    pub(crate) submissions: mpsc::Sender<Submission>,
}

impl Clients {
    /// Answers `who` until it says that it will ask nothing more.
    ///
    /// # Errors
    /// When the session fails, or it says what nobody says.
    pub(crate) async fn serve(&self, mut connection: Connection, who: Who) -> Result<()> {
        let mut news = self.chronicle.watch();
        let mut follows: Option<Epoch> = None;
        loop {
            if let Some(from) = &mut follows {
                timeout(STALL_TIME, self.tell(&mut connection, from)).await??;
            }
            let asked = tokio::select! {
                message = connection.receive() => match message? {
                    Some(message) => wire::decode(message)?,
                    None => return Ok(connection.end().await?),
                },
                changed = async { if follows.is_some() { news.changed().await } else { pending().await } } => {
                    changed.context("the node ends")?;
                    continue;
                }
            };
            match asked {
                Ask::Standing => self.say(&mut connection, &self.chronicle.standing()).await?,
                Ask::Submit(request) => {
                    let answer = self.submit(request, who).await?;
                    self.say(&mut connection, &answer).await?;
                }
                Ask::Follow(from) => follows = Some(from),
                Ask::Evidence(number) => {
                    let evidence = self.board.proof(usize::from(number));
                    self.say(&mut connection, &Answer::Evidence(evidence)).await?;
                }
                Ask::Ending(changes) => self.say(&mut connection, &self.ending(changes)).await?,
                Ask::Change(change) => {
                    let answer = self.change(change).await?;
                    self.say(&mut connection, &answer).await?;
                }
            }
        }
    }

    /// Everything that is new since `from`, which moves on.
    async fn tell(&self, connection: &mut Connection, from: &mut Epoch) -> Result<()> {
        while let Some((epoch, told)) = self.chronicle.next(*from)? {
            connection.send(&told).await?;
            *from = epoch.next();
        }
        Ok(connection.flush().await?)
    }

    pub(super) fn ending(&self, changes: u16) -> Answer {
        Answer::Ending(self.lineage.endings().get(usize::from(changes)).cloned())
    }

    pub(super) async fn say(&self, connection: &mut Connection, answer: &Answer) -> Result<()> {
        let answer = encode(answer)?;
        let said = async {
            connection.send(&answer).await?;
            connection.flush().await
        };
        Ok(timeout(STALL_TIME, said).await??)
    }

    async fn submit(&self, request: SignedRequest, who: Who) -> Result<Answer> {
        if who != Who::Client(request.request.client) {
            return Ok(Answer::Refused(Refusal::Invalid));
        }
        match self.lineage.cluster().verify_submission(request) {
            Ok(request) => self.hand_in(Wanted::Request(request)).await,
            Err(_) => Ok(Answer::Refused(Refusal::Invalid)),
        }
    }

    /// Whoever brings a change needs no right of its own: the change carries
    /// the word that it takes.
    pub(super) async fn change(&self, change: SignedChange) -> Result<Answer> {
        match self.lineage.cluster().verify_change(change) {
            Ok(change) => self.hand_in(Wanted::Change(change)).await,
            Err(_) => Ok(Answer::Refused(Refusal::Unfit)),
        }
    }

    async fn hand_in(&self, wanted: Wanted) -> Result<Answer> {
        let (answer, answered) = oneshot::channel();
        let Ok(()) = self.submissions.send(Submission { wanted, answer }).await else { bail!("the node ends") };
        Ok(match answered.await? {
            Ok(()) => Answer::Taken,
            Err(refusal) => Answer::Refused(refusal),
        })
    }
}
