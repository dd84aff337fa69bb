//! The calls of a newcomer and of its sponsor.
//!
//! ```text
//!  newcomer                                     sponsor
//!  new ── enrol ────── first message ──────────▶ new
//!                                                 │ Knock      the gate is asked
//!  Answered ◀───────── answer ────────────────── answer
//!   │ apply ────────── application ────────────▶ Applied
//!                                                 │ examine    signature, sponsor, invitee
//!                                                 │            the host writes the number down
//!  seal ◀──────────── frames ────────────────── accept
//! ```

use super::{Phase, Session};
use crate::error::Refused;
use crate::handshake::{Side, Traffic, newcomer};
use crate::keys::{Ephemeral, Peer};
use crate::local::Local;
use crate::token::{Applicant, BearerSecret, Operators, Token};

impl<const FRAME: usize, const KEY_LIFE: u32> Session<FRAME, KEY_LIFE> {
    /// Newcomer: writes the first message to the sponsor that `token` names.
    ///
    /// # Errors
    /// [`Refused`]. The randomness is used up in any case.
    pub fn enrol(
        &mut self,
        local: &Local,
        token: &Token,
        ephemeral: Ephemeral,
        out: &mut [u8],
    ) -> Result<usize, Refused> {
        let Phase::Fresh = self.phase else { return Err(self.not_now()) };
        let (noise, written) = self.settle(newcomer::first(local, token.sponsor, ephemeral, out))?;
        self.phase = Phase::Asked(noise, token.sponsor);
        Ok(written)
    }

    /// Newcomer, after [`Event::Answered`](super::Event::Answered): writes the
    /// application. The session is open, although the sponsor may still close
    /// it; what it seals first says that it has accepted.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn apply(
        &mut self,
        local: &Local,
        token: &Token,
        secret: &BearerSecret,
        out: &mut [u8],
    ) -> Result<usize, Refused> {
        let ours = Self::ours(local);
        let Phase::Introduced(noise, _, _) = &mut self.phase else { return Err(self.not_now()) };
        let applied = newcomer::apply(noise, local, ours, token, secret, out);
        let written = self.settle(applied)?;
        if let Phase::Introduced(noise, sponsor, agreed) = self.take() {
            let traffic = Traffic::of(noise, Side::Initiator, agreed).map_err(Refused::Closed);
            self.phase = Phase::Open(self.settle(traffic)?, sponsor);
        }
        Ok(written)
    }

    /// Sponsor, after [`Event::Applied`](super::Event::Applied): checks the
    /// application, except for whether its token was used before.
    ///
    /// # Errors
    /// [`Refused::NotNow`]; or the session is closed, since the token is not
    /// for us, not for this newcomer, or not signed by one of `operators`.
    pub fn examine(&mut self, local: &Local, operators: &impl Operators) -> Result<Applicant, Refused> {
        let Phase::Applied(_, application) = &self.phase else { return Err(self.not_now()) };
        let examined = application.examine(local.cluster(), local.record().identity, operators);
        let applicant = self.settle(examined.map_err(Refused::Closed))?;
        if let Phase::Applied(traffic, application) = self.take() {
            self.phase = Phase::Examined(traffic, application.newcomer);
        }
        Ok(applicant)
    }

    /// Sponsor, once the token's number is durably noted as used: the session
    /// is open. When it was used before, the host drops the session instead.
    ///
    /// # Errors
    /// [`Refused::NotNow`] before [`Session::examine`].
    pub fn accept(&mut self) -> Result<Peer, Refused> {
        let Phase::Examined(_, newcomer) = self.phase else { return Err(self.not_now()) };
        if let Phase::Examined(traffic, peer) = self.take() {
            self.phase = Phase::Open(traffic, peer);
        }
        Ok(newcomer)
    }
}
