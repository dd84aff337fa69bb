//! A client of a cluster: asks how its nodes stand, hands requests in, and
//! follows the answer. It believes no node: see [`crate::ledger`].

mod caller;
mod folder;
mod newcomer;
mod order;
mod standing;
mod submit;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use butterfly_kernel::types::ClientId;
use butterfly_kernel::wire;

use crate::access::{Answer, Ask, Refusal};
use crate::lineage::Lineage;
use crate::protocol::{Decided, SignedChange, encode};
use crate::transport::Connection;
pub use caller::{Caller, provision};
pub use newcomer::{Applicant, Spent};
pub use standing::{ClusterState, MemberReport, MemberState, StandingReport};
pub use submit::{Submitted, Wish};

/// A node that does not answer within this time is taken to be away.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// Somebody whom a cluster's roster admits as a client.
pub struct Client {
    caller: Caller,
    me: ClientId,
    folder: folder::Folder,
}

async fn ask(connection: &mut Connection, ask: &Ask) -> Result<()> {
    connection.send(&encode(ask)?).await?;
    Ok(connection.flush().await?)
}

/// How the last cluster of `lineage` ended, as this node says.
async fn ask_ending(connection: &mut Connection, lineage: &Lineage) -> Result<Option<Decided>> {
    let changes = u16::try_from(lineage.changes()).context("more changes than can be asked about")?;
    ask(connection, &Ask::Ending(changes)).await?;
    match hear(connection).await? {
        Answer::Ending(ending) => Ok(ending),
        _ => bail!("an answer to nothing"),
    }
}

/// Hands a change in; why it is not taken, if it is not.
async fn ask_change(connection: &mut Connection, change: SignedChange) -> Result<Option<Refusal>> {
    ask(connection, &Ask::Change(change)).await?;
    match hear(connection).await? {
        Answer::Taken => Ok(None),
        Answer::Refused(refusal) => Ok(Some(refusal)),
        _ => bail!("an answer to nothing"),
    }
}

async fn hear(connection: &mut Connection) -> Result<Answer> {
    match connection.receive().await? {
        Some(message) => Ok(wire::decode(message)?),
        None => bail!("the node ended the session"),
    }
}
