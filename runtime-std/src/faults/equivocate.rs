//! A member that says different things to different peers.

use butterfly_kernel::message::agreement::{AgreementMessage, Ballot};
use butterfly_kernel::types::{Epoch, NodeSet, View};

use super::{Outgoing, signed, some_peers, wrong_digest};
use crate::protocol::{Crypto, Message, Seat};

/// To some the real proposal or vote, to others one for another value. At
/// least one peer gets the one and, unless there is only one, at least one the
/// other.
pub(super) fn equivocate(seat: &Seat<'_>, epoch: Epoch, sent: Outgoing) -> Vec<Outgoing> {
    let Message::Agreement { message, .. } = &sent.envelope.message else { return vec![sent] };
    let (altered, deceived) = match message {
        AgreementMessage::Propose { ballot, progress: None } => {
            let ballot = wrong_ballot(seat, ballot);
            (AgreementMessage::Propose { ballot, progress: None }, deceived_by_proposal(seat, epoch))
        }
        AgreementMessage::Vote(ballot) => {
            (AgreementMessage::Vote(wrong_ballot(seat, ballot)), deceived_by_vote(seat, epoch, ballot.view))
        }
        _ => return vec![sent],
    };
    let altered = signed(seat, Message::Agreement { epoch, message: altered });
    let honestly = sent.to.iter().filter(|peer| !deceived.contains(*peer)).collect();
    let falsely = sent.to.iter().filter(|peer| deceived.contains(*peer)).collect();
    let variants = [Outgoing { to: honestly, ..sent }, Outgoing { to: falsely, envelope: altered, delay: sent.delay }];
    variants.into_iter().filter(|variant| !variant.to.is_empty()).collect()
}

/// On every other of its turns half of the peers, which costs the cluster a
/// view change; else one peer, which the cluster outvotes and which can then
/// show both proposals.
fn deceived_by_proposal(seat: &Seat<'_>, epoch: Epoch) -> NodeSet {
    let peers = seat.others().len();
    let turn = epoch.0 / (peers as u64 + 1);
    let count = if turn.is_multiple_of(2) { 1 } else { peers.div_ceil(2) };
    some_peers(seat, epoch, count)
}

/// One peer, and another one than a proposal of the epoch deceives.
fn deceived_by_vote(seat: &Seat<'_>, epoch: Epoch, view: View) -> NodeSet {
    some_peers(seat, Epoch(epoch.0 + 1 + u64::from(view.0)), 1)
}

fn wrong_ballot(seat: &Seat<'_>, ballot: &Ballot<Crypto>) -> Ballot<Crypto> {
    Ballot { view: ballot.view, value: wrong_digest(seat, &ballot.value) }
}
