//! Serving somebody who is in no roster yet, over the session that its token
//! opened.
//!
//! It may hand in the change that admits it, and ask how clusters ended, which
//! shows it that it was admitted. Nothing else.

use std::time::Duration;

use anyhow::{Result, bail};
use butterfly_kernel::wire;
use butterfly_session::Peer;
use tokio::time::timeout;

use super::{Ask, Clients};
use crate::keys::session_identity;
use crate::protocol::{Change, SignedChange};
use crate::transport::Connection;

/// A newcomer that asks nothing for this long is dropped: others may wait for
/// its place.
const SILENCE: Duration = Duration::from_secs(30);

impl Clients {
    /// Answers `newcomer` until it says that it will ask nothing more.
    ///
    /// # Errors
    /// When the session fails, or it says what no newcomer may say.
    pub(crate) async fn serve_newcomer(&self, mut connection: Connection, newcomer: &Peer) -> Result<()> {
        while let Some(message) = timeout(SILENCE, connection.receive()).await?? {
            let answer = match wire::decode(message)? {
                Ask::Ending(changes) => self.ending(changes),
                Ask::Change(change) if admits(&change, newcomer) => self.change(change).await?,
                _ => bail!("a newcomer may not say this"),
            };
            self.say(&mut connection, &answer).await?;
        }
        Ok(connection.end().await?)
    }
}

/// Whether `signed` admits this newcomer, and nobody else.
fn admits(signed: &SignedChange, newcomer: &Peer) -> bool {
    let Change::Admit { newcomer: admitted, .. } = &signed.change else { return false };
    session_identity(&admitted.key) == newcomer.identity()
}
