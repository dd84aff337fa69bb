//! Open requests: what is kept, and which one is worked on next.
//!
//! Every node must come to the same choice, or the members of a stage work on
//! different requests and none of them ends. So requests are told to everybody
//! until they are finished, and the choice is a function of the decided state
//! and of the requests held:
//!
//! 1. the request under way;
//! 2. else the next request of the client after the one served last, once it
//!    is known, or the one whose work is complete in time;
//! 3. clients that signed two requests for one turn stand behind all others,
//!    and of their requests the smallest goes first. Both are kept, so that
//!    everybody can tell. Such a client delays itself only.

use super::Node;
use crate::bounded::Map;
use crate::chain::{Refused, State};
use crate::cluster::{Cluster, Seat};
use crate::crypto::{Scheme, Verified};
use crate::inference::run::Run;
use crate::machine::{Outbox, Rejection, Transmission, send};
use crate::message::Message;
use crate::message::inference::{Request, SignedRequest};
use crate::types::{ClientId, MAX_OPEN, View};

/// Requests that are not finished.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Requests<C: Scheme> {
    /// With the signature that came first.
    open: Map<Request, C::Signature, MAX_OPEN>,
}

impl<C: Scheme> Default for Requests<C> {
    fn default() -> Self {
        Requests { open: Map::new() }
    }
}

impl<C: Scheme> Requests<C> {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = SignedRequest<C>> + '_ {
        self.open
            .iter()
            .map(|(request, signature)| SignedRequest { request: request.clone(), signature: signature.clone() })
    }

    /// Forgets what `state` finished.
    pub(super) fn drop_finished(&mut self, state: &State<C>) {
        self.open.retain(|request, _| request.sequence >= state.next_sequence(request.client));
    }

    /// Keeps a request until it is finished.
    fn keep<const N: usize>(
        &mut self,
        cluster: &Cluster<C, N>,
        state: &State<C>,
        signed: SignedRequest<C>,
    ) -> Result<(), Rejection> {
        let SignedRequest { request, signature } = signed;
        if state.active.as_ref().is_some_and(|active| active.request.request == request) || self.open.contains(&request)
        {
            return Err(Rejection::Duplicate);
        }
        state.expects(cluster, &request).map_err(|refused| match refused {
            Refused::Finished => Rejection::Stale,
            _ => Rejection::Invalid,
        })?;
        let quota = cluster.open_requests();
        let ahead = request.sequence.saturating_sub(state.next_sequence(request.client));
        if ahead >= u64::try_from(quota).unwrap_or(u64::MAX) {
            return Err(Rejection::Full);
        }
        let client = request.client;
        let rivals: usize = self.of_turn(&request).count();
        if rivals > 0 {
            // The two smallest are enough to tell, and the same everywhere.
            let largest = self.of_turn(&request).max().cloned();
            if rivals > 1 {
                let largest = largest.filter(|largest| request < *largest).ok_or(Rejection::Full)?;
                self.open.remove(&largest);
            }
        }
        if self.of(client).count() >= quota {
            // A client's own later requests make room for its earlier ones.
            let last = self.of(client).max_by_key(|held| held.sequence).cloned();
            let last = last.filter(|last| last.sequence > request.sequence).ok_or(Rejection::Full)?;
            self.open.remove(&last);
        }
        self.open.insert(request, signature).map_err(|_| Rejection::Full)
    }

    /// What to work on after `state`, when nothing is under way.
    fn next(&self, state: &State<C>) -> Option<SignedRequest<C>> {
        let ready = |request: &&Request| request.sequence == state.next_sequence(request.client);
        let rank = |request: &Request| {
            let behind = state.served.is_some_and(|served| request.client <= served);
            (self.of_turn(request).count() > 1, behind, request.client)
        };
        let best = self.open.iter().map(|(request, _)| request).filter(ready).min_by_key(|request| rank(request))?;
        let signature = self.open.get(best)?.clone();
        Some(SignedRequest { request: best.clone(), signature })
    }

    fn of(&self, client: ClientId) -> impl Iterator<Item = &Request> {
        self.open.iter().map(|(request, _)| request).filter(move |held| held.client == client)
    }

    /// Requests that a client signed for the turn of `request`.
    fn of_turn(&self, request: &Request) -> impl Iterator<Item = &Request> {
        let sequence = request.sequence;
        self.of(request.client).filter(move |held| held.sequence == sequence)
    }
}

impl<C: Scheme, const N: usize> Node<C, N> {
    /// A client handed its request to this node.
    pub(super) fn submit(
        &mut self,
        seat: &Seat<'_, C, N>,
        request: Verified<SignedRequest<C>>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let request = request.into_inner();
        self.requests.keep(seat.cluster, &self.head.state(), request.clone())?;
        send(seat.everyone(), seat.envelope(Message::Forward(request)), Transmission::First, out);
        self.choose_run(seat, out);
        Ok(())
    }

    /// A member passes a client's request on.
    pub(super) fn on_forward(
        &mut self,
        seat: &Seat<'_, C, N>,
        request: SignedRequest<C>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        self.requests.keep(seat.cluster, &self.head.state(), request)?;
        self.choose_run(seat, out);
        Ok(())
    }

    /// Turns to the request whose turn it is.
    pub(super) fn choose_run(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        let state = self.head.state();
        let next = match state.active {
            Some(active) => Some(active.request),
            // What is finished in the open epoch is not given up for a better
            // turn, unless it was not decided in time: those who lack it may be
            // too many to leave a view, and too few for the request of that turn.
            None if self.inference.certified().is_some() && self.agreement.view() == View::ZERO => None,
            None => self.requests.next(&state),
        };
        let Some(next) = next else { return };
        if self.run().is_some_and(|run| *run.request() == next.request) {
            return;
        }
        if let Ok(run) = Run::new(seat.cluster, &self.head, &next) {
            self.inference.begin(seat, run, out);
        }
    }
}
