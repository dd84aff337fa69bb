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
use crate::handshake::newcomer;
use crate::keys::{Ephemeral, Peer};
use crate::local::Local;
use crate::token::{Applicant, BearerSecret, Operators, Token};
use crate::wire::{ANSWER_TO_NEWCOMER, APPLICATION};

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
        let written = self.settle(newcomer::first(&Self::ours(local, &ephemeral), token.sponsor, out))?;
        self.phase = Phase::Asked(ephemeral, token.sponsor);
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
        let Phase::Introduced(ephemeral, sponsor) = &self.phase else { return Err(self.not_now()) };
        let (ours, sponsor) = (Self::ours(local, ephemeral), *sponsor);
        let answer = self.inbox.inside(0..ANSWER_TO_NEWCOMER);
        let applied = newcomer::apply(&ours, (sponsor.identity(), answer), (token, secret), out);
        let (traffic, written) = self.settle(applied)?;
        self.phase = Phase::Open(traffic, sponsor);
        Ok(written)
    }

    /// Sponsor, after [`Event::Applied`](super::Event::Applied): checks the
    /// application, except for whether its token was used before.
    ///
    /// # Errors
    /// [`Refused::NotNow`]; or the session is closed, since the token is not
    /// for us, not for this newcomer, or not signed by one of `operators`.
    pub fn examine(&mut self, local: &Local, operators: &impl Operators) -> Result<Applicant, Refused> {
        let Phase::Applied(ephemeral, first) = &self.phase else { return Err(self.not_now()) };
        let message = self.inbox.inside(0..APPLICATION);
        let read = newcomer::read_application(&Self::ours(local, ephemeral), first, message);
        let (traffic, application) = self.settle(read.map_err(Refused::Closed))?;
        let examined = application.examine(local.cluster(), local.record().identity, operators);
        let applicant = self.settle(examined.map_err(Refused::Closed))?;
        self.phase = Phase::Examined(traffic, application.newcomer);
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
