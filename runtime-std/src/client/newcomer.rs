//! Somebody who applies with a token: to one member after the other, until one
//! shows that the cluster has decided.
//!
//! A member that takes an application may be faulty and do nothing with it, so
//! each is given a turn. Nothing that a member says is believed, except for a
//! decision with its certificate, and what more than f of them refuse.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use butterfly_kernel::assignment::Profile;
use butterfly_kernel::cluster::Timing;
use butterfly_session::Local;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, timeout};

use super::{ANSWER_TIME, ask_change, ask_ending};
use crate::access::Refusal;
use crate::contact::Contact;
use crate::invitation::{Invitation, Sponsor};
use crate::keys::Keys;
use crate::lineage::Lineage;
use crate::protocol::{Change, Decided, Newcomer, PublicKey, SignedChange};
use crate::transport::{Connection, local_of};

/// A member that has taken the application has this long before the next is asked.
const TURN: Duration = Duration::from_secs(3);
/// Between two looks at whether it is decided.
const PAUSE: Duration = Duration::from_millis(100);
/// Before all are asked again.
const ROUND_PAUSE: Duration = Duration::from_millis(500);
/// Members that go on in another cluster end sessions as well: what is refused
/// counts when it is refused as often, one round after the other.
const ROUNDS: u32 = 3;

/// Somebody with a token and keys.
pub struct Applicant<'i> {
    invitation: &'i Invitation,
    local: Arc<Local>,
    folder: &'i Path,
    key: PublicKey,
    change: SignedChange,
    lineage: Lineage,
}

/// What came of one member's turn.
enum Turn {
    /// It showed how the cluster ended.
    Decided,
    /// It has taken the application, or another change is before it.
    Waiting,
    /// It takes it not.
    Refused(String),
}

/// What came of one turn of each.
#[derive(Default)]
struct Round {
    is_decided: bool,
    /// Somebody has the application.
    taken: bool,
    refusals: Vec<String>,
    failures: Vec<String>,
}

/// The token lets nobody in any more.
#[derive(Debug, Error)]
#[error(
    "the roster changed in epoch {0}, without this newcomer: somebody else has used the token, or another change came \
     first. A token is good for one roster; ask an operator for a new one, which `butterfly token` makes"
)]
pub struct Spent(u64);

impl<'i> Applicant<'i> {
    /// Whoever has the keys in `folder`, which [`Invitation::provision`] made,
    /// and will be found as `contact` says.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn new(
        invitation: &'i Invitation,
        folder: &'i Path,
        contact: impl FnOnce(&Keys) -> Contact,
    ) -> Result<Applicant<'i>> {
        let lineage = Lineage::read(folder, Timing::default())?;
        let keys = Keys::read(folder)?;
        let contact = contact(&keys).write().context("an address that is too long")?;
        let newcomer = Newcomer { key: keys.public(), profile: Profile::default(), contact };
        Ok(Applicant {
            invitation,
            local: Arc::new(local_of(&keys, lineage.first())?),
            folder,
            key: keys.public(),
            change: invitation.admit(newcomer),
            lineage,
        })
    }

    /// Applies, until the cluster has decided to admit it: how the clusters came
    /// to that. What came before is in its folder.
    ///
    /// # Errors
    /// [`Spent`]; or when more than f members refuse the token, or nothing is
    /// decided within `patience`: then it may be decided later.
    pub async fn apply(mut self, patience: Duration) -> Result<Lineage> {
        let deadline = Instant::now() + patience;
        let f = self.invitation.lineage().cluster().resilience().f();
        let (mut was_taken, mut refused) = (false, 0);
        while !self.is_decided()? {
            let Round { is_decided, taken, refusals, failures } = self.ask_all(deadline).await;
            if is_decided {
                continue;
            }
            was_taken |= taken;
            refused = if refusals.len() > f { refused + 1 } else { 0 };
            ensure!(
                refused < ROUNDS,
                "the members do not take this token; ask an operator for a new one, which `butterfly token` makes. {}",
                refusals.join("; ")
            );
            if Instant::now() >= deadline {
                let waited = patience.as_secs();
                ensure!(
                    !was_taken,
                    "the members have the application, and nothing is decided after {waited} s; it may be decided \
                     later. Give the same command again: it goes on with this"
                );
                bail!(
                    "no member has taken the application within {waited} s; {}",
                    [refusals, failures].concat().join("; ")
                );
            }
            sleep(ROUND_PAUSE).await;
        }
        Ok(self.lineage)
    }

    /// Gives each member a turn, until one shows a decision or it is too late.
    async fn ask_all(&mut self, deadline: Instant) -> Round {
        let mut round = Round::default();
        for sponsor in self.invitation.sponsors() {
            let node = sponsor.node.0;
            match self.turn(&sponsor).await {
                Ok(Turn::Decided) => round.is_decided = true,
                Ok(Turn::Waiting) => round.taken = true,
                Ok(Turn::Refused(why)) => round.refusals.push(format!("node {node}: {why}")),
                Err(error) => round.failures.push(format!("node {node}: {error:#}")),
            }
            if round.is_decided || Instant::now() >= deadline {
                break;
            }
        }
        round
    }

    /// Whether the cluster that the token is for has ended.
    fn is_decided(&self) -> Result<bool> {
        let Some(ending) = self.lineage.endings().get(self.invitation.lineage().changes()) else { return Ok(false) };
        match &ending.state.change {
            Some(Change::Admit { newcomer, .. }) if newcomer.key == self.key => Ok(true),
            _ => Err(Spent(ending.header.epoch.0).into()),
        }
    }

    async fn turn(&mut self, sponsor: &Sponsor) -> Result<Turn> {
        let mut connection = self.enrol(sponsor).await?;
        let end = Instant::now() + TURN;
        let mut taken = false;
        let mut ending = match self.ending(&mut connection).await {
            Ok(ending) => ending,
            Err(late) if late.is::<Elapsed>() => return Err(late),
            // A token that is refused is answered by the end of the session.
            Err(_) => {
                return Ok(Turn::Refused("it ended the session, as it does when the token was used before".into()));
            }
        };
        loop {
            if let Some(ending) = ending {
                self.lineage.advance(ending)?;
                self.lineage.keep(self.folder)?;
                // Whoever does not wait for the end is not missed.
                let _ended = connection.end().await;
                return Ok(Turn::Decided);
            }
            if !taken {
                match self.hand_in(&mut connection).await? {
                    None => taken = true,
                    Some(Refusal::Changing) => {}
                    Some(refusal) => return Ok(Turn::Refused(refusal.to_string())),
                }
            }
            if Instant::now() >= end {
                let _ended = connection.end().await;
                return Ok(Turn::Waiting);
            }
            sleep(PAUSE).await;
            ending = self.ending(&mut connection).await?;
        }
    }

    async fn enrol(&self, sponsor: &Sponsor) -> Result<Connection> {
        let address = sponsor.address.ok_or_else(|| anyhow!("nobody knows where it listens"))?;
        let secret = self.invitation.secret();
        let dial = async {
            let stream = TcpStream::connect(address).await?;
            Connection::enrol(stream, &self.local, &sponsor.token, &secret).await
        };
        let dialled = timeout(ANSWER_TIME, dial).await.map_err(|_| anyhow!("no answer in time"));
        dialled.and_then(|dialled| dialled.map_err(Into::into)).with_context(|| format!("{address} does not answer"))
    }

    /// How the last cluster that is known ended, as this member says.
    async fn ending(&self, connection: &mut Connection) -> Result<Option<Decided>> {
        timeout(ANSWER_TIME, ask_ending(connection, &self.lineage)).await?
    }

    async fn hand_in(&self, connection: &mut Connection) -> Result<Option<Refusal>> {
        timeout(ANSWER_TIME, ask_change(connection, self.change.clone())).await?
    }
}
