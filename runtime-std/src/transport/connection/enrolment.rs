//! The two ends of a session with somebody who is in no roster yet.
//!
//! A newcomer dials the member that its token names. That member looks at the
//! token; whoever called it then sees to it that the token's number is used
//! once, and lets the newcomer in.

use std::io;
use std::sync::Arc;

use butterfly_session::token::{Applicant, BearerSecret, TokenNumber};
use butterfly_session::{Ephemeral, Local, Members, Peer, Token};
use tokio::net::TcpStream;

use super::{Connection, Heard, out_of_turn};
use crate::keys::random;
use crate::transport::Party;

/// A newcomer with a token that is in order, but for whether it was used before.
pub struct Application {
    connection: Connection,
    applicant: Applicant,
}

impl Connection {
    /// Begins a newcomer's session with the member that `token` names. That
    /// member may still end it without a word: the first message that it sends
    /// says that it has accepted.
    ///
    /// # Errors
    /// When the stream fails, or that member is not at its other end.
    pub async fn enrol(
        stream: TcpStream,
        local: &Arc<Local>,
        token: &Token,
        secret: &BearerSecret,
    ) -> io::Result<Connection> {
        let mut connection = Connection::new(stream, local)?;
        let Connection { session, out, .. } = &mut connection;
        let written = session.enrol(local, token, Ephemeral::from_random(random()?), out).map_err(io::Error::other)?;
        connection.write(written).await?;
        let Heard::Answered = connection.hear().await? else { return Err(out_of_turn()) };
        let Connection { session, out, .. } = &mut connection;
        let written = session.apply(local, token, secret, out).map_err(io::Error::other)?;
        connection.write(written).await?;
        connection.open();
        Ok(connection)
    }
}

impl Application {
    /// What came to a sponsor, checked as far as it can be without memory.
    ///
    /// # Errors
    /// When the token is for somebody else, or not of an operator of the roster
    /// as it is now; or when the newcomer is a member by now, and this is an
    /// exchange key that it gave up.
    pub(super) fn examine(mut connection: Connection, party: &Party) -> io::Result<Application> {
        let Connection { local, session, .. } = &mut connection;
        let applicant = session.examine(local, party).map_err(io::Error::other)?;
        let newcomer = applicant.newcomer;
        if party.who(&newcomer.identity()).is_some() && !party.admits(&newcomer.identity(), newcomer.serial()) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "an exchange key that was given up"));
        }
        Ok(Application { connection, applicant })
    }

    /// Who applies.
    pub fn newcomer(&self) -> Peer {
        self.applicant.newcomer
    }

    /// The number of its token.
    pub fn number(&self) -> TokenNumber {
        self.applicant.number
    }

    /// Lets it in. The number of its token is durably noted as used.
    ///
    /// # Errors
    /// None in practice: the token was looked at.
    pub fn accept(self) -> io::Result<Connection> {
        let Application { mut connection, .. } = self;
        connection.session.accept().map_err(io::Error::other)?;
        connection.open();
        Ok(connection)
    }
}
