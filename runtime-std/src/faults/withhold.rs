//! A member that keeps to itself what others need.

use butterfly_kernel::message::agreement::AgreementMessage;
use butterfly_kernel::types::Epoch;

use super::{Outgoing, some_peers};
use crate::protocol::{Message, Seat};

/// As leader no proposal, and never what was decided or a payload; votes and
/// commits to half of the peers only, so that some decide and some do not.
pub(super) fn withhold(seat: &Seat<'_>, epoch: Epoch, sent: Outgoing) -> Option<Outgoing> {
    match &sent.envelope.message {
        Message::Decided(_) | Message::Payload(_) => None,
        Message::Agreement { message, .. } => match message {
            AgreementMessage::Propose { .. } => None,
            AgreementMessage::Vote(_) | AgreementMessage::Commit(_) => {
                let confidants = some_peers(seat, epoch, seat.others().len().div_ceil(2));
                let to = sent.to.iter().filter(|peer| confidants.contains(*peer)).collect();
                Some(Outgoing { to, ..sent }).filter(|sent| !sent.to.is_empty())
            }
            _ => Some(sent),
        },
        _ => Some(sent),
    }
}
